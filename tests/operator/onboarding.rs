//! The ladder of a number: from bare digits to connected, by objects and a Secret with a code.

use std::collections::BTreeSet;

use serde_json::json;
use waba_operator::api::WhatsAppNumber;

use crate::harness::{
    manifests::{INO, app, number},
    scenario::{SUPPORT, unverified},
    seed::{ACCOUNT, NUMBER},
    world::World,
};

/// From nothing at all: by SMS and by voice, with a PIN that is given and with one that is made.
async fn from_nothing(prefix: &str, method: &str, given: Option<&str>) {
    let mut seed = unverified();
    seed["numbers"] = json!([]);
    let mut world = World::running(prefix, seed).await;
    world.create(&app(INO, json!({}))).await;
    if let Some(pin) = given {
        world.planted.push(pin.to_owned());
        world.put_secret("our-pins", &[("support", &format!("{pin}\n"))]).await;
    }
    let registration = given.map_or(json!({}), |_| json!({"pinRef": {"name": "our-pins", "key": "support"}}));
    let spec = json!({
        "provisioning": "AddIfMissing", "businessAccountID": ACCOUNT, "requestedName": "INO Support",
        "verification": {"method": method, "language": "fr_FR"}, "registration": registration,
    });
    world.create(&number(SUPPORT, "+33612345678", spec)).await;
    let waiting = world.stands::<WhatsAppNumber>(SUPPORT, "AwaitingCode", "False/AwaitingCode").await;
    let id = waiting.status.unwrap().phone_number_id.unwrap();
    let code = world.code(&id).await;
    world.put_secret("support-code", &[("code", &format!("{} {}", &code[..3], &code[3..]))]).await;
    let number = world.stands::<WhatsAppNumber>(SUPPORT, "Enabled", "True/Enabled").await;

    let secret = if given.is_some() { ("our-pins", "support") } else { ("support-pin", "pin") };
    let pin = world.secret_value(secret.0, secret.1).await.expect("there is a PIN").trim().to_owned();
    assert_eq!(world.pin_at_meta(&id).await, Some(pin));
    world.condition::<WhatsAppNumber>(SUPPORT, "PINSynced", "True/PINSynced").await;
    let counters = world.counters(&id).await;
    let counted = ["codes", "verifyAttempts", "register", "deregister"].map(|name| counters[name].as_u64().unwrap());
    assert_eq!(counted, [1, 1, 1, 0]);
    let codes = world.sim.get(&format!("numbers/{id}/codes")).await.unwrap();
    assert_eq!(codes[0]["method"], method.to_uppercase());
    // What a person sees who only ever looks at the object.
    let status = number.status.unwrap();
    let phases: Vec<&str> = status.history.iter().map(|transition| transition.phase.as_str()).collect();
    assert!(phases.ends_with(&["AwaitingCode", "Registering", "Enabled"]), "{:#?}", status.history);
    let told = &status.history[phases.len() - 3].message;
    assert!(told.contains("Secret support-code, key code") && told.contains("kubectl -n "), "{told}");
    world.settle().await;
    world.finish().await;
}

#[tokio::test]
async fn from_nothing_to_enabled_by_sms_with_a_generated_pin() {
    from_nothing("sms-made", "SMS", None).await;
}

#[tokio::test]
async fn from_nothing_to_enabled_by_sms_with_a_given_pin_that_begins_with_zeros() {
    from_nothing("sms-given", "SMS", Some("004213")).await;
}

#[tokio::test]
async fn from_nothing_to_enabled_by_voice_with_a_generated_pin() {
    from_nothing("voice-made", "Voice", None).await;
}

#[tokio::test]
async fn from_nothing_to_enabled_by_voice_with_a_given_pin() {
    from_nothing("voice-given", "Voice", Some("580926")).await;
}

/// So many numbers climb at a time, half of them by SMS and half by voice, and so many times at most.
const BATCH: usize = 20;
const BATCHES: usize = 20;

fn method(n: usize) -> &'static str {
    if n.is_multiple_of(2) { "SMS" } else { "Voice" }
}

/// A number climbs from nothing; the PIN that was made for it.
async fn climbs(world: &World, n: usize) -> String {
    let name = format!("n-{n}");
    let waiting = world.stands::<WhatsAppNumber>(&name, "AwaitingCode", "False/AwaitingCode").await;
    let id = waiting.status.unwrap().phone_number_id.unwrap();
    world.put_secret(&format!("{name}-code"), &[("code", &world.code(&id).await)]).await;
    world.stands::<WhatsAppNumber>(&name, "Enabled", "True/Enabled").await;
    world.condition::<WhatsAppNumber>(&name, "PINSynced", "True/PINSynced").await;
    let pin = world.secret_value(&format!("{name}-pin"), "pin").await.expect("there is a PIN");
    assert!(pin.len() == 6 && pin.bytes().all(|byte| byte.is_ascii_digit()), "{name}: {pin}");
    assert_eq!(world.pin_at_meta(&id).await.as_ref(), Some(&pin), "{name}");
    let counters = world.counters(&id).await;
    assert_eq!((&counters["codes"], &counters["register"]), (&json!(1), &json!(1)), "{name}");
    let codes = world.sim.get(&format!("numbers/{id}/codes")).await.unwrap();
    assert_eq!(codes[0]["method"], method(n).to_uppercase(), "{name}");
    pin
}

/// Nobody chooses a PIN that the operator makes: numbers climb until it has made some that begin with zeros. That it makes none
/// in all of these is a thing of one in a billion.
#[tokio::test]
async fn from_nothing_to_enabled_with_generated_pins_that_begin_with_zeros() {
    let mut seed = unverified();
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
            if climbs(&world, n).await.starts_with('0') {
                with_zeros.insert(method(n));
            }
        }
        if with_zeros.len() == 2 {
            break;
        }
    }
    assert_eq!(with_zeros.len(), 2, "{with_zeros:?}");
    // Of that many secrets of six digits, some are found by chance: other tests look for them.
    world.stop_carefully().await;
}

#[tokio::test]
async fn from_unverified_to_enabled_with_a_code_and_a_generated_pin() {
    let world = World::running("ladder", unverified()).await;
    world.create(&app(INO, json!({}))).await;
    let blocks = json!({"verification": {}, "registration": {}});
    world.create(&number(SUPPORT, "+33612345678", blocks)).await;
    world.stands::<WhatsAppNumber>(SUPPORT, "AwaitingCode", "False/AwaitingCode").await;
    let code = world.code(NUMBER).await;
    world.put_secret("support-code", &[("code", &format!("{}-{}", &code[..3], &code[3..]))]).await;
    world.stands::<WhatsAppNumber>(SUPPORT, "Enabled", "True/Enabled").await;

    let pin = world.secret_value("support-pin", "pin").await.expect("a PIN was created");
    assert_eq!(world.pin_at_meta(NUMBER).await, Some(pin));
    world.condition::<WhatsAppNumber>(SUPPORT, "PINSynced", "True/PINSynced").await;
    let counters = world.counters(NUMBER).await;
    assert_eq!(
        (&counters["codes"], &counters["register"], &counters["verifyAttempts"]),
        (&json!(1), &json!(1), &json!(1))
    );
    world.settle().await;
    world.finish().await;
}
