//! The ledger outlives status, object, name and namespace: whatever happens to the objects, no code is sent twice, no
//! number is registered again, and the PIN stays known.

use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};
use waba_operator::api::{MetaApp, WhatsAppNumber};

use crate::harness::{
    manifests::{INO, app, number},
    operator::Operator,
    scenario::{PHONE, SUPPORT, unverified_number},
    seed::{self, ACCOUNT, ACCOUNT_2, NUMBER, OTHER_APP},
    world::{World, condition, install_crds},
};

fn blocks() -> Value {
    json!({"verification": {}, "registration": {}})
}

/// A world in which a code was sent and is awaited.
async fn world_awaiting_code(prefix: &str) -> World {
    let world = World::running(prefix, unverified_number()).await;
    world.create(&app(INO, json!({}))).await;
    world.create(&number(SUPPORT, PHONE, blocks())).await;
    world.until_phase::<WhatsAppNumber>(SUPPORT, "AwaitingCode", "False/AwaitingCode").await;
    world
}

impl World {
    /// Puts the code into its Secret and waits until the number is enabled.
    async fn complete_onboarding(&self, name: &str) {
        let code = self.sent_code(NUMBER).await;
        self.put_secret(&format!("{name}-code"), &[("code", &code)]).await;
        self.until_phase::<WhatsAppNumber>(name, "Enabled", "True/Enabled").await;
    }

    /// Checks that Meta sent one code and made one registration, and that its PIN is in this object's Secret.
    async fn assert_called_once(&self, name: &str) {
        let counters = self.counters(NUMBER).await;
        assert_eq!((&counters["codes"], &counters["register"]), (&json!(1), &json!(1)), "{}", self.diagnostics().await);
        let pin = self
            .eventually("the PIN in a Secret", async || self.secret_value(&format!("{name}-pin"), "pin").await)
            .await;
        assert_eq!(self.pin_at_meta(NUMBER).await, Some(pin));
        self.until_condition::<WhatsAppNumber>(name, "PINSynced", "True/PINSynced").await;
    }

    /// Removes the status, as a backup without statuses does.
    pub async fn remove_status(&self, name: &str) {
        let api: Api<WhatsAppNumber> = self.api();
        let patch = Patch::Merge(json!({"status": null}));
        api.patch_status(name, &PatchParams::default(), &patch).await.unwrap();
    }
}

#[tokio::test]
async fn a_lost_status_is_rebuilt_from_the_ledger() {
    let mut world = world_awaiting_code("forgetful").await;
    world.take_operator().kill().await;
    world.remove_status(SUPPORT).await;
    world.start().await;
    world.until_phase::<WhatsAppNumber>(SUPPORT, "AwaitingCode", "False/AwaitingCode").await;
    world.complete_onboarding(SUPPORT).await;
    world.remove_status(SUPPORT).await;
    world.until_phase::<WhatsAppNumber>(SUPPORT, "Enabled", "True/Enabled").await;
    world.settle().await;
    world.assert_called_once(SUPPORT).await;
    world.finish().await;
}

#[tokio::test]
async fn an_object_deleted_and_applied_again_resumes_where_it_was() {
    let world = world_awaiting_code("again").await;
    world.delete::<WhatsAppNumber>(SUPPORT).await;
    world.until_gone::<WhatsAppNumber>(SUPPORT).await;
    world.create(&number(SUPPORT, PHONE, blocks())).await;
    world.until_phase::<WhatsAppNumber>(SUPPORT, "AwaitingCode", "False/AwaitingCode").await;
    world.complete_onboarding(SUPPORT).await;
    world.delete::<WhatsAppNumber>(SUPPORT).await;
    world.create(&number(SUPPORT, PHONE, blocks())).await;
    world.until_phase::<WhatsAppNumber>(SUPPORT, "Enabled", "True/Enabled").await;
    world.settle().await;
    world.assert_called_once(SUPPORT).await;
    world.finish().await;
}

#[tokio::test]
async fn a_renamed_object_keeps_code_and_pin() {
    let world = world_awaiting_code("renamed").await;
    // As a commit that renames the object: the new one is created before the old one is deleted.
    world.create(&number("hotline", PHONE, blocks())).await;
    world.until_phase::<WhatsAppNumber>("hotline", "Conflict", "False/Conflict").await;
    world.delete::<WhatsAppNumber>(SUPPORT).await;
    world.until_phase::<WhatsAppNumber>("hotline", "AwaitingCode", "False/AwaitingCode").await;
    world.complete_onboarding("hotline").await;
    // The same for a registered number: the PIN comes from the ledger.
    world.delete::<WhatsAppNumber>("hotline").await;
    world.create(&number("front-desk", PHONE, blocks())).await;
    world.until_phase::<WhatsAppNumber>("front-desk", "Enabled", "True/Enabled").await;
    world.assert_called_once("front-desk").await;
    world.settle().await;
    world.finish().await;
}

#[tokio::test]
async fn deleting_the_owner_does_not_deregister_while_another_object_claims_the_number() {
    let world = world_awaiting_code("passes-on").await;
    world.complete_onboarding(SUPPORT).await;
    world.patch::<WhatsAppNumber>(SUPPORT, json!({"spec": {"deletionPolicy": "Deregister"}})).await;
    world.until(SUPPORT, "the object has a finalizer", |object: &WhatsAppNumber| !object.finalizers().is_empty()).await;
    world.create(&number("hotline", PHONE, blocks())).await;
    world.until_phase::<WhatsAppNumber>("hotline", "Conflict", "False/Conflict").await;
    world.delete::<WhatsAppNumber>(SUPPORT).await;
    world.until_gone::<WhatsAppNumber>(SUPPORT).await;
    world.until_phase::<WhatsAppNumber>("hotline", "Enabled", "True/Enabled").await;
    let note = world.until_event(SUPPORT, "LeftAtMeta").await;
    assert!(note.contains("another object"), "{note}");
    world.assert_called_once("hotline").await;
    assert_eq!(world.counters(NUMBER).await["deregister"], 0);
    world.settle().await;
    world.finish().await;
}

/// An object that is being deleted does not take over.
#[tokio::test]
async fn of_two_objects_that_are_deleted_together_the_owner_deregisters() {
    let world = world_awaiting_code("both-deleted").await;
    world.complete_onboarding(SUPPORT).await;
    world.patch::<WhatsAppNumber>(SUPPORT, json!({"spec": {"deletionPolicy": "Deregister"}})).await;
    world.until(SUPPORT, "the object has a finalizer", |object: &WhatsAppNumber| !object.finalizers().is_empty()).await;
    world.create(&number("hotline", PHONE, blocks())).await;
    world.until_phase::<WhatsAppNumber>("hotline", "Conflict", "False/Conflict").await;
    let held = |finalizers: Value| json!({"metadata": {"finalizers": finalizers}});
    world.patch::<WhatsAppNumber>("hotline", held(json!(["example.com/held"]))).await;
    world.delete::<WhatsAppNumber>("hotline").await;
    world.delete::<WhatsAppNumber>(SUPPORT).await;
    world.until_gone::<WhatsAppNumber>(SUPPORT).await;
    assert_eq!(world.counters(NUMBER).await["deregister"], 1);
    world.patch::<WhatsAppNumber>("hotline", held(Value::Null)).await;
    world.until_gone::<WhatsAppNumber>("hotline").await;
    world.finish().await;
}

#[tokio::test]
async fn an_object_moved_to_another_namespace_keeps_code_and_pin() {
    let mut world = World::new("moved-from", unverified_number()).await;
    let plane = control_plane::shared().await;
    let elsewhere = plane.namespace("moved-to").await;
    let mut settings = world.settings();
    settings.namespaces.push(elsewhere.clone());
    world.operator = Some(Operator::start(settings, world.config.clone()).await);
    world.create(&app(INO, json!({"allowedNamespaces": {"from": "All"}}))).await;
    world.create(&number(SUPPORT, PHONE, blocks())).await;
    world.until_phase::<WhatsAppNumber>(SUPPORT, "AwaitingCode", "False/AwaitingCode").await;

    let there = world.in_namespace(&elsewhere);
    let mut moved = blocks();
    moved["appRef"] = json!({"name": INO, "namespace": world.namespace});
    there.create(&number(SUPPORT, PHONE, moved)).await;
    let conflict = there.until_phase::<WhatsAppNumber>(SUPPORT, "Conflict", "False/Conflict").await;
    let message = condition(&conflict, "Ready").unwrap().1;
    // Both objects have the same name; the command at the end names this one.
    let hidden = message.contains("by an object in another namespace,") && !message.contains(&world.namespace);
    assert!(hidden, "the message must not name the other namespace's object: {message}");
    world.delete::<WhatsAppNumber>(SUPPORT).await;
    there.until_phase::<WhatsAppNumber>(SUPPORT, "AwaitingCode", "False/AwaitingCode").await;
    there.complete_onboarding(SUPPORT).await;
    there.assert_called_once(SUPPORT).await;
    there.finish().await;
    world.finish().await;
}

#[tokio::test]
async fn of_two_objects_that_add_a_number_only_one_sends_the_call() {
    let mut seed = unverified_number();
    seed["numbers"] = json!([]);
    let mut world = World::new("twins", seed).await;
    world.create(&app(INO, json!({}))).await;
    let adding = json!({"provisioning": "AddIfMissing", "businessAccountID": ACCOUNT, "requestedName": "INO Support",
        "verification": {}});
    world.create(&number("one", PHONE, adding.clone())).await;
    world.create(&number("two", PHONE, adding)).await;
    world.start().await;
    world.until_phase::<WhatsAppNumber>("one", "AwaitingCode", "False/AwaitingCode").await;
    world.until_phase::<WhatsAppNumber>("two", "Conflict", "False/Conflict").await;
    world.settle().await;
    let state = world.sim.get("state").await.unwrap();
    let numbers = state["numbers"].as_array().unwrap();
    assert_eq!(numbers.len(), 1);
    let id = numbers[0]["id"].as_str().unwrap();
    assert_eq!(world.counters(id).await["codes"], 1);
    world.finish().await;
}

impl World {
    /// Creates another company's app, whose token sees the accounts given in the seed.
    async fn create_their_app(&self) {
        let (secret, token) = (self.app_secret(OTHER_APP).await, self.token("theirs").await);
        self.put_secret("theirs-meta", &[("app-secret", &secret), ("access-token", &token)]).await;
        let key = |key: &str| json!({"name": "theirs-meta", "key": key});
        let spec =
            json!({"appID": OTHER_APP, "appSecretRef": key("app-secret"), "accessTokenRef": key("access-token")});
        self.create(&app("theirs", spec)).await;
    }
}

/// A number that refers to the app of [`World::create_their_app`].
fn theirs(mut blocks: Value) -> WhatsAppNumber {
    blocks["appRef"] = json!({"name": "theirs"});
    number("two", PHONE, blocks)
}

#[tokio::test]
async fn of_two_objects_whose_apps_both_see_the_number_one_onboards_it_and_the_other_takes_over() {
    let mut seed = unverified_number();
    seed::push(&mut seed, "tokens", seed::token("theirs", OTHER_APP, &[ACCOUNT]));
    let mut world = World::new("two-sights", seed).await;
    world.create(&app(INO, json!({}))).await;
    world.create_their_app().await;
    world.create(&number("one", PHONE, blocks())).await;
    world.create(&theirs(blocks())).await;
    world.start().await;
    // Whose app reads the account first is chance.
    let is_first = async |name: &str| {
        let number = world.get::<WhatsAppNumber>(name).await?;
        (number.status?.phase?.as_str() == "AwaitingCode").then_some(())
    };
    let (first, second) = world
        .eventually("one of the two awaits a code", async || match (is_first("one").await, is_first("two").await) {
            (Some(()), _) => Some(("one", "two")),
            (_, Some(())) => Some(("two", "one")),
            _ => None,
        })
        .await;
    world.until_phase::<WhatsAppNumber>(second, "Conflict", "False/Conflict").await;
    world.complete_onboarding(first).await;
    world.settle().await;
    world.until_phase::<WhatsAppNumber>(second, "Conflict", "False/Conflict").await;
    world.assert_called_once(first).await;

    world.delete::<WhatsAppNumber>(first).await;
    world.until_phase::<WhatsAppNumber>(second, "Enabled", "True/Enabled").await;
    world.settle().await;
    world.assert_called_once(second).await;
    world.finish().await;
}

#[tokio::test]
async fn of_two_objects_that_add_a_number_to_different_accounts_only_one_sends_the_call() {
    let mut seed = unverified_number();
    seed["numbers"] = json!([]);
    seed::push(&mut seed, "accounts", json!({"id": ACCOUNT_2, "name": "Somebody else"}));
    seed::push(&mut seed, "tokens", seed::token("theirs", OTHER_APP, &[ACCOUNT_2]));
    let mut world = World::new("two-homes", seed).await;
    world.create(&app(INO, json!({}))).await;
    world.create_their_app().await;
    let adding = |account: &str| {
        json!({"provisioning": "AddIfMissing", "businessAccountID": account, "requestedName": "INO Support",
            "verification": {}})
    };
    world.create(&number("one", PHONE, adding(ACCOUNT))).await;
    world.create(&theirs(adding(ACCOUNT_2))).await;
    world.start().await;
    world.until_phase::<WhatsAppNumber>("one", "AwaitingCode", "False/AwaitingCode").await;
    world.until_phase::<WhatsAppNumber>("two", "Conflict", "False/Conflict").await;
    world.settle().await;
    assert_eq!(world.writes_at_meta().await, ["phone_numbers", "request_code"]);
    let state = world.sim.get("state").await.unwrap();
    let numbers = state["numbers"].as_array().unwrap();
    assert_eq!((numbers.len(), &numbers[0]["account"]), (1, &json!(ACCOUNT)));
    world.finish().await;
}

#[tokio::test]
async fn a_deleted_namespace_does_not_lose_the_numbers_ledger() {
    let options = control_plane::Options { controller_manager: true };
    let plane = control_plane::ControlPlane::start(options).await.unwrap();
    install_crds(&plane).await;
    let mut world = World::on(&plane, "kept", unverified_number()).await;
    let team = plane.namespace("team").await;
    let mut settings = world.settings();
    settings.namespaces = Vec::new();
    world.operator = Some(Operator::start(settings, world.config.clone()).await);
    world.create(&app(INO, json!({"allowedNamespaces": {"from": "All"}}))).await;
    let mut spec = blocks();
    spec["appRef"] = json!({"name": INO, "namespace": world.namespace});
    let there = world.in_namespace(&team);
    there.create(&number(SUPPORT, PHONE, spec.clone())).await;
    there.until_phase::<WhatsAppNumber>(SUPPORT, "AwaitingCode", "False/AwaitingCode").await;
    there.complete_onboarding(SUPPORT).await;

    let namespaces = Api::<k8s_openapi::api::core::v1::Namespace>::all(world.client.clone());
    namespaces.delete(&team, &kube::api::DeleteParams::default()).await.unwrap();
    world
        .eventually("the namespace is gone", async || namespaces.get_opt(&team).await.unwrap().is_none().then_some(()))
        .await;
    let next = plane.namespace("team").await;
    let next = world.in_namespace(&next);
    next.create(&number(SUPPORT, PHONE, spec)).await;
    next.until_phase::<WhatsAppNumber>(SUPPORT, "Enabled", "True/Enabled").await;
    next.assert_called_once(SUPPORT).await;
    next.finish().await;
    world.finish().await;
}

#[tokio::test]
async fn a_restored_backup_causes_no_second_code_or_registration() {
    let mut plane = control_plane::ControlPlane::start(control_plane::Options::default()).await.unwrap();
    install_crds(&plane).await;
    let mut world = World::on(&plane, "restored", unverified_number()).await;
    world.start().await;
    world.create(&app(INO, json!({}))).await;
    world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;
    world.settle().await;
    let snapshot = plane.snapshot().await.unwrap();

    // The object is created after the backup, and so is its ledger.
    world.create(&number(SUPPORT, PHONE, blocks())).await;
    world.until_phase::<WhatsAppNumber>(SUPPORT, "AwaitingCode", "False/AwaitingCode").await;
    plane.restore(&snapshot).await.unwrap();
    let ended = world.take_operator().ended().await;
    assert!(matches!(ended, Err(waba_operator::run::RunError::Rewound)), "{ended:?}");
    // The manifest is applied again, and the operator restarts.
    world.create(&number(SUPPORT, PHONE, blocks())).await;
    world.start().await;
    world.until_phase::<WhatsAppNumber>(SUPPORT, "AwaitingCode", "False/AwaitingCode").await;
    let snapshot = plane.snapshot().await.unwrap();

    // This time the code is verified and the number registered after the backup; the backup lacks the PIN.
    world.complete_onboarding(SUPPORT).await;
    plane.restore(&snapshot).await.unwrap();
    let ended = world.take_operator().ended().await;
    assert!(matches!(ended, Err(waba_operator::run::RunError::Rewound)), "{ended:?}");
    world.start().await;
    world.until_phase::<WhatsAppNumber>(SUPPORT, "Enabled", "True/Enabled").await;
    world.assert_called_once(SUPPORT).await;
    world.settle().await;
    world.finish().await;
}

/// As in production, the lease is checked more often than the version of the data.
#[tokio::test]
async fn a_leader_detects_a_restored_backup_that_lacks_its_lease() {
    let mut plane = control_plane::ControlPlane::start(control_plane::Options::default()).await.unwrap();
    install_crds(&plane).await;
    let mut world = World::on(&plane, "restored-leader", unverified_number()).await;
    let snapshot = plane.snapshot().await.unwrap();
    let mut settings = world.settings();
    settings.leader_elect = true;
    settings.timing.rewind_check = std::time::Duration::from_mins(1);
    world.operator = Some(Operator::start(settings.clone(), world.config.clone()).await);
    world.create(&app(INO, json!({}))).await;
    world.create(&number(SUPPORT, PHONE, blocks())).await;
    world.until_phase::<WhatsAppNumber>(SUPPORT, "AwaitingCode", "False/AwaitingCode").await;

    plane.restore(&snapshot).await.unwrap();
    let ended = world.take_operator().ended().await;
    assert!(matches!(ended, Err(waba_operator::run::RunError::Rewound)), "{ended:?}");
    world.create(&app(INO, json!({}))).await;
    world.create(&number(SUPPORT, PHONE, blocks())).await;
    world.operator = Some(Operator::start(settings, world.config.clone()).await);
    world.until_phase::<WhatsAppNumber>(SUPPORT, "AwaitingCode", "False/AwaitingCode").await;
    assert_eq!(world.counters(NUMBER).await["codes"], 1);
    world.finish().await;
}

#[tokio::test]
async fn an_abandoned_deregistration_is_not_sent_for_the_next_object() {
    let world = world_awaiting_code("given-up").await;
    world.complete_onboarding(SUPPORT).await;
    world.patch::<WhatsAppNumber>(SUPPORT, json!({"spec": {"deletionPolicy": "Deregister"}})).await;
    world.until(SUPPORT, "the object has a finalizer", |object: &WhatsAppNumber| !object.finalizers().is_empty()).await;
    world.inject_fault(json!({"method": "POST", "path": "/deregister$", "times": 1, "before": {"reset": true}})).await;
    world.delete::<WhatsAppNumber>(SUPPORT).await;
    let is_called = async || {
        let calls = world.sim.calls(0).await.unwrap();
        calls.iter().any(|call| call["path"].as_str().is_some_and(|path| path.ends_with("/deregister"))).then_some(())
    };
    world.eventually("Meta receives a call", is_called).await;
    // A person changes their mind and claims the number under another name.
    world.create(&number("hotline", PHONE, json!({}))).await;
    world.until_gone::<WhatsAppNumber>(SUPPORT).await;
    world.until_phase::<WhatsAppNumber>("hotline", "Enabled", "True/Enabled").await;
    world.settle().await;
    assert_eq!(world.counters(NUMBER).await["deregister"], 0);
    world.until_phase::<WhatsAppNumber>("hotline", "Enabled", "True/Enabled").await;
    world.finish().await;
}
