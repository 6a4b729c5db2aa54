//! Onboarding a number: from digits that Meta does not know to connected, with objects and a Secret for the code.

use std::collections::BTreeSet;

use serde_json::json;
use waba_operator::api::WhatsAppNumber;

use crate::harness::{
    manifests::{INO, app, number},
    scenario::{SUPPORT, unverified_number},
    seed::{ACCOUNT, NUMBER},
    world::World,
};

/// Onboards a number that Meta does not have, by SMS or voice, with a given or a generated PIN.
async fn onboard_new_number(prefix: &str, method: &str, given: Option<&str>) {
    let mut seed = unverified_number();
    seed["numbers"] = json!([]);
    let mut world = World::running(prefix, seed).await;
    world.create(&app(INO, json!({}))).await;
    if let Some(pin) = given {
        world.tracked_secrets.push(pin.to_owned());
        world.put_secret("our-pins", &[("support", &format!("{pin}\n"))]).await;
    }
    let registration = given.map_or(json!({}), |_| json!({"pinRef": {"name": "our-pins", "key": "support"}}));
    let spec = json!({
        "provisioning": "AddIfMissing", "businessAccountID": ACCOUNT, "requestedName": "INO Support",
        "verification": {"method": method, "language": "fr_FR"}, "registration": registration,
    });
    world.create(&number(SUPPORT, "+33612345678", spec)).await;
    let waiting = world.until_phase::<WhatsAppNumber>(SUPPORT, "AwaitingCode", "False/AwaitingCode").await;
    let id = waiting.status.unwrap().phone_number_id.unwrap();
    let code = world.sent_code(&id).await;
    world.put_secret("support-code", &[("code", &format!("{} {}", &code[..3], &code[3..]))]).await;
    let number = world.until_phase::<WhatsAppNumber>(SUPPORT, "Enabled", "True/Enabled").await;

    let secret = if given.is_some() { ("our-pins", "support") } else { ("support-pin", "pin") };
    let pin = world.secret_value(secret.0, secret.1).await.expect("a PIN exists").trim().to_owned();
    assert_eq!(world.pin_at_meta(&id).await, Some(pin));
    world.until_condition::<WhatsAppNumber>(SUPPORT, "PINSynced", "True/PINSynced").await;
    let counters = world.counters(&id).await;
    let counted = ["codes", "verifyAttempts", "register", "deregister"].map(|name| counters[name].as_u64().unwrap());
    assert_eq!(counted, [1, 1, 1, 0]);
    let codes = world.sim.get(&format!("numbers/{id}/codes")).await.unwrap();
    assert_eq!(codes[0]["method"], method.to_uppercase());
    // The history that a person sees in the object.
    let status = number.status.unwrap();
    let phases: Vec<&str> = status.history.iter().map(|transition| transition.phase.as_str()).collect();
    assert!(phases.ends_with(&["AwaitingCode", "Registering", "Enabled"]), "{:#?}", status.history);
    let message = &status.history[phases.len() - 3].message;
    assert!(message.contains("Secret support-code, key code") && message.contains("kubectl -n "), "{message}");
    world.settle().await;
    world.finish().await;
}

#[tokio::test]
async fn a_new_number_is_enabled_by_sms_with_a_generated_pin() {
    onboard_new_number("sms-generated", "SMS", None).await;
}

#[tokio::test]
async fn a_new_number_is_enabled_by_sms_with_a_given_pin_that_begins_with_zeros() {
    onboard_new_number("sms-given", "SMS", Some("004213")).await;
}

#[tokio::test]
async fn a_new_number_is_enabled_by_voice_with_a_generated_pin() {
    onboard_new_number("voice-generated", "Voice", None).await;
}

#[tokio::test]
async fn a_new_number_is_enabled_by_voice_with_a_given_pin() {
    onboard_new_number("voice-given", "Voice", Some("580926")).await;
}

/// How many numbers are onboarded at a time (half by SMS, half by voice), and how often at most.
const BATCH: usize = 20;
const BATCHES: usize = 20;

fn method(n: usize) -> &'static str {
    if n.is_multiple_of(2) { "SMS" } else { "Voice" }
}

/// Onboards number `n`; the PIN that was generated for it.
async fn onboard(world: &World, n: usize) -> String {
    let name = format!("n-{n}");
    let waiting = world.until_phase::<WhatsAppNumber>(&name, "AwaitingCode", "False/AwaitingCode").await;
    let id = waiting.status.unwrap().phone_number_id.unwrap();
    world.put_secret(&format!("{name}-code"), &[("code", &world.sent_code(&id).await)]).await;
    world.until_phase::<WhatsAppNumber>(&name, "Enabled", "True/Enabled").await;
    world.until_condition::<WhatsAppNumber>(&name, "PINSynced", "True/PINSynced").await;
    let pin = world.secret_value(&format!("{name}-pin"), "pin").await.expect("a PIN exists");
    assert!(pin.len() == 6 && pin.bytes().all(|byte| byte.is_ascii_digit()), "{name}: {pin}");
    assert_eq!(world.pin_at_meta(&id).await.as_ref(), Some(&pin), "{name}");
    let counters = world.counters(&id).await;
    assert_eq!((&counters["codes"], &counters["register"]), (&json!(1), &json!(1)), "{name}");
    let codes = world.sim.get(&format!("numbers/{id}/codes")).await.unwrap();
    assert_eq!(codes[0]["method"], method(n).to_uppercase(), "{name}");
    pin
}

/// Generated PINs are random: numbers are onboarded until some PINs began with zeros. The chance that none does in all
/// batches is one in a billion.
#[tokio::test]
async fn new_numbers_are_enabled_with_generated_pins_that_begin_with_zeros() {
    let mut seed = unverified_number();
    seed["numbers"] = json!([]);
    seed["businesses"] = json!([{"id": "90001", "name": "INO", "number_limit": BATCH * BATCHES}]);
    seed["accounts"][0]["business"] = json!("90001");
    seed["accounts"][0]["rate_limit"] = json!(100_000);
    seed["pending_seconds"] = json!(0);
    let mut world = World::running("zeros", seed).await;
    world.create(&app(INO, json!({}))).await;
    let mut with_zeros = BTreeSet::new();
    for batch in 0..BATCHES {
        let numbers = batch * BATCH..(batch + 1) * BATCH;
        for n in numbers.clone() {
            let spec = json!({
                "provisioning": "AddIfMissing", "businessAccountID": ACCOUNT, "requestedName": "INO Support",
                "verification": {"method": method(n)}, "registration": {},
            });
            world.create(&number(&format!("n-{n}"), &format!("+336123{n:05}"), spec)).await;
        }
        for n in numbers {
            if onboard(&world, n).await.starts_with('0') {
                with_zeros.insert(method(n));
            }
        }
        if with_zeros.len() == 2 {
            break;
        }
    }
    assert_eq!(with_zeros.len(), 2, "{with_zeros:?}");
    // Among that many secrets of six digits, the scan would find some by chance; other tests scan.
    world.stop_and_check().await;
}

#[tokio::test]
async fn an_unverified_number_is_enabled_with_a_code_and_a_generated_pin() {
    let world = World::running("onboarding", unverified_number()).await;
    world.create(&app(INO, json!({}))).await;
    let blocks = json!({"verification": {}, "registration": {}});
    world.create(&number(SUPPORT, "+33612345678", blocks)).await;
    world.until_phase::<WhatsAppNumber>(SUPPORT, "AwaitingCode", "False/AwaitingCode").await;
    let code = world.sent_code(NUMBER).await;
    world.put_secret("support-code", &[("code", &format!("{}-{}", &code[..3], &code[3..]))]).await;
    world.until_phase::<WhatsAppNumber>(SUPPORT, "Enabled", "True/Enabled").await;

    let pin = world.secret_value("support-pin", "pin").await.expect("a PIN was created");
    assert_eq!(world.pin_at_meta(NUMBER).await, Some(pin));
    world.until_condition::<WhatsAppNumber>(SUPPORT, "PINSynced", "True/PINSynced").await;
    let counters = world.counters(NUMBER).await;
    assert_eq!(
        (&counters["codes"], &counters["register"], &counters["verifyAttempts"]),
        (&json!(1), &json!(1), &json!(1))
    );
    world.settle().await;
    world.finish().await;
}
