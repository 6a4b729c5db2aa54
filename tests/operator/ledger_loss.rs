//! Ledgers that are lost, that are not written yet, or that others lay claim to.

use kube::{ResourceExt, api::DeleteParams};
use serde_json::{Value, json};
use waba_operator::api::{MetaApp, WhatsAppNumber};

use crate::harness::{
    gate::{Gate, Hold},
    manifests::{INO, app, number},
    operator::Operator,
    program::ProgramSettings,
    scenario::{PHONE, SUPPORT, unverified, verified},
    seed::{self, ACCOUNT, NUMBER},
    world::World,
};

const LEDGER: &str = "waba-number-33612345678";

/// An account without a number.
fn empty() -> Value {
    let mut seed = unverified();
    seed["numbers"] = json!([]);
    seed
}

/// Everything, from nothing.
fn adding() -> Value {
    json!({"provisioning": "AddIfMissing", "businessAccountID": ACCOUNT, "requestedName": "INO Support",
        "verification": {}, "registration": {}})
}

impl World {
    /// The ID of the only number at Meta.
    async fn only_number(&self) -> String {
        let state = self.sim.get("state").await.unwrap();
        let numbers = state["numbers"].as_array().unwrap();
        assert_eq!(numbers.len(), 1, "{numbers:?}");
        numbers[0]["id"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_ledger_that_is_lost_while_a_code_is_awaited_leads_to_no_other_code() {
    let mut world = World::running("lost-ledger", empty()).await;
    world.create(&app(INO, json!({}))).await;
    world.create(&number(SUPPORT, PHONE, adding())).await;
    world.stands::<WhatsAppNumber>(SUPPORT, "AwaitingCode", "False/AwaitingCode").await;
    let id = world.only_number().await;
    world.take_operator().kill().await;
    world.secrets().delete(LEDGER, &DeleteParams::default()).await.unwrap();

    world.start().await;
    // It is written anew, and so the operator has looked at all that is left.
    world.so("a ledger", async || world.secrets().get_opt(LEDGER).await.unwrap()).await;
    world.settle().await;
    world.stands::<WhatsAppNumber>(SUPPORT, "AwaitingCode", "False/AwaitingCode").await;
    let code = world.code(&id).await;
    world.put_secret("support-code", &[("code", &code)]).await;
    world.stands::<WhatsAppNumber>(SUPPORT, "Enabled", "True/Enabled").await;
    let counters = world.counters(&id).await;
    assert_eq!((&counters["codes"], &counters["register"]), (&json!(1), &json!(1)));
    world.finish().await;
}

/// The status remembers what the ledger knew: what somebody deregistered is not registered by itself.
#[tokio::test]
async fn a_number_that_once_worked_stays_one_when_its_ledger_is_lost() {
    let mut world = World::caring("lost-later", verified(json!({})), json!({"registration": {}})).await;
    world.enabled().await;
    world.tells("PINSynced", "True/PINSynced", &[]).await;
    world.take_operator().kill().await;
    world.secrets().delete(LEDGER, &DeleteParams::default()).await.unwrap();
    world.at_meta(json!({"status": "DISCONNECTED", "platform_type": "NOT_APPLICABLE"})).await;

    world.start().await;
    world.says("PINRequired", "False/Disconnected", &["waba.dev/register-at"]).await;
    world.asked_only(&["register"]).await;
    world.finish().await;
}

#[tokio::test]
async fn a_ledger_that_somebody_deletes_is_written_anew_at_once() {
    let world = World::caring("deleted-ledger", verified(json!({})), json!({"registration": {}})).await;
    world.enabled().await;
    world.tells("PINSynced", "True/PINSynced", &[]).await;
    world.settle().await;
    // Nothing else may lead to a look.
    world.patch::<MetaApp>(INO, json!({"spec": {"pollInterval": "1h"}})).await;
    let pin = world.secret_value(LEDGER, "pin").await.unwrap();
    // The first time the change of the app may lead to one.
    for _ in 0..3 {
        world.secrets().delete(LEDGER, &DeleteParams::default()).await.unwrap();
        let again = world.so("the ledger is back", async || world.secret_value(LEDGER, "pin").await).await;
        assert_eq!(again, pin);
    }
    assert_eq!(world.asked().await, ["register"]);
    world.finish().await;
}

#[tokio::test]
async fn a_claim_of_a_namespace_that_no_app_lets_in_keeps_no_number_from_being_added() {
    let mut world = World::new("claimed", empty()).await;
    let elsewhere = control_plane::shared().await.namespace("a-claims").await;
    let there = world.in_namespace(&elsewhere);
    // The older claims, if need be by their namespace's name: of one that may not add it, and of one that does not want to.
    let mut foreign = adding();
    foreign["appRef"] = json!({"name": INO, "namespace": world.namespace});
    there.create(&number("first", PHONE, foreign)).await;
    there.create(&number("second", PHONE, json!({}))).await;
    world.create(&app(INO, json!({}))).await;
    world.create(&number(SUPPORT, PHONE, adding())).await;
    let mut settings = world.settings();
    settings.namespaces.push(elsewhere);
    world.operator = Some(Operator::start(settings, world.config.clone()).await);
    world.stands::<WhatsAppNumber>(SUPPORT, "AwaitingCode", "False/AwaitingCode").await;
    world.only_number().await;
    there.finish().await;
    world.finish().await;
}

/// As a move between namespaces whose app comes a little later.
#[tokio::test]
async fn a_number_that_another_namespace_takes_over_is_not_deregistered_before_its_app_is_there() {
    let mut world = World::new("taken-over", seed::small()).await;
    let elsewhere = control_plane::shared().await.namespace("takes-over").await;
    let mut settings = world.settings();
    settings.namespaces.push(elsewhere.clone());
    world.operator = Some(Operator::start(settings, world.config.clone()).await);
    world.create(&app(INO, json!({}))).await;
    world.create(&number(SUPPORT, PHONE, json!({"deletionPolicy": "Deregister"}))).await;
    world.until(SUPPORT, "it waits", |object: &WhatsAppNumber| !object.finalizers().is_empty()).await;
    let there = world.in_namespace(&elsewhere);
    there.create(&number(SUPPORT, PHONE, json!({}))).await;
    there.stands::<WhatsAppNumber>(SUPPORT, "Conflict", "False/Conflict").await;
    world.delete::<WhatsAppNumber>(SUPPORT).await;
    world.gone::<WhatsAppNumber>(SUPPORT).await;
    let note = world.event(SUPPORT, "LeftAtMeta").await;
    assert!(note.contains("another object"), "{note}");
    assert_eq!(world.counters(NUMBER).await["deregister"], 0);
    there.condition::<WhatsAppNumber>(SUPPORT, "Ready", "Unknown/AppNotFound").await;
    there.finish().await;
    world.finish().await;
}

/// That a code was accepted is written down along with the registration: until then it is known to one process alone.
#[tokio::test]
async fn an_accepted_code_that_nobody_has_written_down_is_not_tried_again() {
    let mut world = World::new("accepted", unverified()).await;
    let gate = Gate::start(world.config.clone()).await;
    let settings = ProgramSettings { kubeconfig: gate.kubeconfig(), ..world.program_settings() };
    world.start_program(&settings).await;
    world.create(&app(INO, json!({}))).await;
    world.create(&number(SUPPORT, PHONE, json!({"verification": {}, "registration": {}}))).await;
    world.stands::<WhatsAppNumber>(SUPPORT, "AwaitingCode", "False/AwaitingCode").await;
    let ledger = "/secrets/waba-number-";
    gate.hold(Hold::after("tried", "PUT", ledger).body("open-calls\":\"verifyCode"));
    let code = world.code(NUMBER).await;
    world.put_secret("support-code", &[("code", &code)]).await;
    gate.reached("tried").await;
    // Whatever is written next, has the end of it.
    gate.hold(Hold::before("accepted", "PUT", ledger));
    gate.release("tried");
    gate.reached("accepted").await;
    assert_eq!(world.counters(NUMBER).await["verifyAttempts"], 1, "{}", world.picture().await);
    let ledger = world.secrets().get(LEDGER).await.unwrap();
    assert_eq!(ledger.annotations()["waba.dev/open-calls"], "verifyCode");
    world.take_program().kill();
    gate.refuse("accepted");

    world.start_program(&settings).await;
    world.stands::<WhatsAppNumber>(SUPPORT, "Enabled", "True/Enabled").await;
    let counters = world.counters(NUMBER).await;
    let counted = ["codes", "verifyAttempts", "register"].map(|name| counters[name].as_u64().unwrap());
    assert_eq!(counted, [1, 1, 1]);
    world.condition::<WhatsAppNumber>(SUPPORT, "PINSynced", "True/PINSynced").await;
    world.stands::<MetaApp>(INO, "Connected", "True/Connected").await;
    world.finish().await;
}

/// Whoever ends in peace leaves nothing to be found out.
#[tokio::test]
async fn an_operator_that_is_told_to_end_writes_down_that_a_code_was_accepted() {
    let mut world = World::new("peace", unverified()).await;
    // Time for the end between the code and the registration.
    let settings = ProgramSettings { speedup: 4, ..world.program_settings() };
    world.start_program(&settings).await;
    world.create(&app(INO, json!({}))).await;
    world.create(&number(SUPPORT, PHONE, json!({"verification": {}, "registration": {}}))).await;
    world.stands::<WhatsAppNumber>(SUPPORT, "AwaitingCode", "False/AwaitingCode").await;
    let code = world.code(NUMBER).await;
    world.put_secret("support-code", &[("code", &code)]).await;
    world.stands::<WhatsAppNumber>(SUPPORT, "Registering", "False/Registering").await;
    let secrets = world.secrets();
    let open = async || {
        let ledger = secrets.get(LEDGER).await.unwrap();
        ledger.annotations().get("waba.dev/open-calls").cloned()
    };
    assert_eq!(open().await.as_deref(), Some("verifyCode"), "the end came too late");
    world.take_program().stop().await;
    assert_eq!(open().await, None);

    world.start_program(&world.program_settings()).await;
    world.stands::<WhatsAppNumber>(SUPPORT, "Enabled", "True/Enabled").await;
    let counters = world.counters(NUMBER).await;
    assert_eq!((&counters["verifyAttempts"], &counters["register"]), (&json!(1), &json!(1)));
    world.finish().await;
}
