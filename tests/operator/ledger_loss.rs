//! Ledgers that are lost, not written yet, or claimed by an object in another namespace.

use kube::{ResourceExt, api::DeleteParams};
use serde_json::{Value, json};
use waba_operator::api::{MetaApp, WhatsAppNumber};

use crate::harness::{
    gate::{Gate, Hold},
    manifests::{INO, app, number},
    operator::Operator,
    program::ProgramSettings,
    scenario::{PHONE, SUPPORT, unverified_number, verified_number},
    seed::{self, ACCOUNT, NUMBER},
    world::World,
};

const LEDGER: &str = "waba-number-33612345678";

/// An account without numbers.
fn empty() -> Value {
    let mut seed = unverified_number();
    seed["numbers"] = json!([]);
    seed
}

/// All blocks that a new number needs.
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
async fn no_second_code_is_sent_when_the_ledger_is_lost_while_a_code_is_awaited() {
    let mut world = World::running("lost-ledger", empty()).await;
    world.create(&app(INO, json!({}))).await;
    world.create(&number(SUPPORT, PHONE, adding())).await;
    world.until_phase::<WhatsAppNumber>(SUPPORT, "AwaitingCode", "False/AwaitingCode").await;
    let id = world.only_number().await;
    world.take_operator().kill().await;
    world.secrets().delete(LEDGER, &DeleteParams::default()).await.unwrap();

    world.start().await;
    // A new ledger shows that the operator has read what is left.
    world.eventually("a new ledger", async || world.secrets().get_opt(LEDGER).await.unwrap()).await;
    world.settle().await;
    world.until_phase::<WhatsAppNumber>(SUPPORT, "AwaitingCode", "False/AwaitingCode").await;
    let code = world.sent_code(&id).await;
    world.put_secret("support-code", &[("code", &code)]).await;
    world.until_phase::<WhatsAppNumber>(SUPPORT, "Enabled", "True/Enabled").await;
    let counters = world.counters(&id).await;
    assert_eq!((&counters["codes"], &counters["register"]), (&json!(1), &json!(1)));
    world.finish().await;
}

/// The status still shows that the number was registered: an operator without ledger must not register a number that
/// somebody deregistered.
#[tokio::test]
async fn a_deregistered_number_is_not_registered_again_when_its_ledger_is_lost() {
    let mut world = World::with_number("lost-later", verified_number(json!({})), json!({"registration": {}})).await;
    world.until_enabled().await;
    world.until_message("PINSynced", "True/PINSynced", &[]).await;
    world.take_operator().kill().await;
    world.secrets().delete(LEDGER, &DeleteParams::default()).await.unwrap();
    world.change_at_meta(json!({"status": "DISCONNECTED", "platform_type": "NOT_APPLICABLE"})).await;

    world.start().await;
    world.until_ready_message("PINRequired", "False/Disconnected", &["waba.dev/register-at"]).await;
    world.assert_writes_at_meta(&["register"]).await;
    world.finish().await;
}

#[tokio::test]
async fn a_deleted_ledger_is_written_again_at_once() {
    let world = World::with_number("deleted-ledger", verified_number(json!({})), json!({"registration": {}})).await;
    world.until_enabled().await;
    world.until_message("PINSynced", "True/PINSynced", &[]).await;
    world.settle().await;
    // No poll may cause the reconcile.
    world.patch::<MetaApp>(INO, json!({"spec": {"pollInterval": "1h"}})).await;
    let pin = world.secret_value(LEDGER, "pin").await.unwrap();
    // The first reconcile may come from the change of the app.
    for _ in 0..3 {
        world.secrets().delete(LEDGER, &DeleteParams::default()).await.unwrap();
        let again = world.eventually("the ledger is back", async || world.secret_value(LEDGER, "pin").await).await;
        assert_eq!(again, pin);
    }
    assert_eq!(world.writes_at_meta().await, ["register"]);
    world.finish().await;
}

#[tokio::test]
async fn a_claim_from_a_namespace_that_is_not_allowed_does_not_stop_an_add() {
    let mut world = World::new("claimed", empty()).await;
    let elsewhere = control_plane::shared().await.namespace("a-claims").await;
    let there = world.in_namespace(&elsewhere);
    // Both objects are older, or win by their namespace's name: one is not allowed to use the app, the other does not
    // ask for an add.
    let mut foreign = adding();
    foreign["appRef"] = json!({"name": INO, "namespace": world.namespace});
    there.create(&number("first", PHONE, foreign)).await;
    there.create(&number("second", PHONE, json!({}))).await;
    world.create(&app(INO, json!({}))).await;
    world.create(&number(SUPPORT, PHONE, adding())).await;
    let mut settings = world.settings();
    settings.namespaces.push(elsewhere);
    world.operator = Some(Operator::start(settings, world.config.clone()).await);
    world.until_phase::<WhatsAppNumber>(SUPPORT, "AwaitingCode", "False/AwaitingCode").await;
    world.only_number().await;
    there.finish().await;
    world.finish().await;
}

/// As in a move between namespaces in which the app is created last.
#[tokio::test]
async fn a_number_claimed_in_another_namespace_is_not_deregistered_while_its_app_is_missing() {
    let mut world = World::new("taken-over", seed::small()).await;
    let elsewhere = control_plane::shared().await.namespace("takes-over").await;
    let mut settings = world.settings();
    settings.namespaces.push(elsewhere.clone());
    world.operator = Some(Operator::start(settings, world.config.clone()).await);
    world.create(&app(INO, json!({}))).await;
    world.create(&number(SUPPORT, PHONE, json!({"deletionPolicy": "Deregister"}))).await;
    world.until(SUPPORT, "the object has a finalizer", |object: &WhatsAppNumber| !object.finalizers().is_empty()).await;
    let there = world.in_namespace(&elsewhere);
    there.create(&number(SUPPORT, PHONE, json!({}))).await;
    there.until_condition::<WhatsAppNumber>(SUPPORT, "Ready", "Unknown/AppNotFound").await;
    world.delete::<WhatsAppNumber>(SUPPORT).await;
    world.until_gone::<WhatsAppNumber>(SUPPORT).await;
    let note = world.until_event(SUPPORT, "LeftAtMeta").await;
    assert!(note.contains("another object"), "{note}");
    assert_eq!(world.counters(NUMBER).await["deregister"], 0);
    there.until_condition::<WhatsAppNumber>(SUPPORT, "Ready", "Unknown/AppNotFound").await;
    there.finish().await;
    world.finish().await;
}

/// That Meta accepted a code is written together with the registration: until then only one process knows it.
#[tokio::test]
async fn an_accepted_code_is_not_sent_again_when_its_outcome_was_never_written() {
    let mut world = World::new("accepted", unverified_number()).await;
    let gate = Gate::start(world.config.clone()).await;
    let settings = ProgramSettings { kubeconfig: gate.kubeconfig(), ..world.program_settings() };
    world.start_program(&settings).await;
    world.create(&app(INO, json!({}))).await;
    world.create(&number(SUPPORT, PHONE, json!({"verification": {}, "registration": {}}))).await;
    world.until_phase::<WhatsAppNumber>(SUPPORT, "AwaitingCode", "False/AwaitingCode").await;
    let ledger = "/secrets/waba-number-";
    gate.hold(Hold::after("tried", "PUT", ledger).body("open-calls\":\"verifyCode"));
    let code = world.sent_code(NUMBER).await;
    world.put_secret("support-code", &[("code", &code)]).await;
    gate.reached("tried").await;
    // The next write holds the outcome.
    gate.hold(Hold::before("accepted", "PUT", ledger));
    gate.release("tried");
    gate.reached("accepted").await;
    assert_eq!(world.counters(NUMBER).await["verifyAttempts"], 1, "{}", world.diagnostics().await);
    let ledger = world.secrets().get(LEDGER).await.unwrap();
    assert_eq!(ledger.annotations()["waba.dev/open-calls"], "verifyCode");
    world.take_program().kill();
    gate.refuse("accepted");

    world.start_program(&settings).await;
    world.until_phase::<WhatsAppNumber>(SUPPORT, "Enabled", "True/Enabled").await;
    let counters = world.counters(NUMBER).await;
    let counted = ["codes", "verifyAttempts", "register"].map(|name| counters[name].as_u64().unwrap());
    assert_eq!(counted, [1, 1, 1]);
    world.until_condition::<WhatsAppNumber>(SUPPORT, "PINSynced", "True/PINSynced").await;
    world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;
    world.finish().await;
}

/// The operator writes the outcome of an accepted code at once, and leaves no open call when it stops.
#[tokio::test]
async fn the_outcome_of_an_accepted_code_is_written_before_the_operator_stops() {
    let mut world = World::new("peace", unverified_number()).await;
    // Slow enough to stop between the code and the registration.
    let settings = ProgramSettings { speedup: 4, ..world.program_settings() };
    world.start_program(&settings).await;
    world.create(&app(INO, json!({}))).await;
    world.create(&number(SUPPORT, PHONE, json!({"verification": {}, "registration": {}}))).await;
    world.until_phase::<WhatsAppNumber>(SUPPORT, "AwaitingCode", "False/AwaitingCode").await;
    let code = world.sent_code(NUMBER).await;
    world.put_secret("support-code", &[("code", &code)]).await;
    world.until_phase::<WhatsAppNumber>(SUPPORT, "Registering", "False/Registering").await;
    let secrets = world.secrets();
    let open = async || {
        let ledger = secrets.get(LEDGER).await.unwrap();
        ledger.annotations().get("waba.dev/open-calls").cloned()
    };
    assert_eq!(open().await, None, "the operator writes the outcome before anything else");
    world.take_program().stop().await;
    assert_eq!(open().await, None, "a stop opens no call");

    world.start_program(&world.program_settings()).await;
    world.until_phase::<WhatsAppNumber>(SUPPORT, "Enabled", "True/Enabled").await;
    let counters = world.counters(NUMBER).await;
    assert_eq!((&counters["verifyAttempts"], &counters["register"]), (&json!(1), &json!(1)));
    world.finish().await;
}
