//! A number's memory outlives status, object, name and namespace: whatever becomes of the objects, no code is sent twice,
//! nothing is registered again, and the PIN stays known.

use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};
use waba_operator::api::{MetaApp, WhatsAppNumber};

use crate::harness::{
    manifests::{INO, app, number},
    operator::Operator,
    scenario::{PHONE, SUPPORT, unverified},
    seed::{self, ACCOUNT, ACCOUNT_2, NUMBER, OTHER_APP},
    world::{World, condition, define},
};

fn blocks() -> Value {
    json!({"verification": {}, "registration": {}})
}

/// A world in which a code was sent.
async fn awaiting(prefix: &str) -> World {
    let world = World::running(prefix, unverified()).await;
    world.create(&app(INO, json!({}))).await;
    world.create(&number(SUPPORT, PHONE, blocks())).await;
    world.stands::<WhatsAppNumber>(SUPPORT, "AwaitingCode", "False/AwaitingCode").await;
    world
}

impl World {
    /// Brings the code; the rest comes by itself.
    async fn bring_code(&self, name: &str) {
        let code = self.code(NUMBER).await;
        self.put_secret(&format!("{name}-code"), &[("code", &code)]).await;
        self.stands::<WhatsAppNumber>(name, "Enabled", "True/Enabled").await;
    }

    /// One code, one registration, and the PIN at Meta is the one in the Secret of this object.
    async fn once(&self, name: &str) {
        let counters = self.counters(NUMBER).await;
        assert_eq!((&counters["codes"], &counters["register"]), (&json!(1), &json!(1)), "{}", self.picture().await);
        let pin = self.so("the PIN in a Secret", async || self.secret_value(&format!("{name}-pin"), "pin").await).await;
        assert_eq!(self.pin_at_meta(NUMBER).await, Some(pin));
        self.condition::<WhatsAppNumber>(name, "PINSynced", "True/PINSynced").await;
    }

    /// Takes the status away, as a backup does that leaves statuses out.
    async fn forget_status(&self, name: &str) {
        let api: Api<WhatsAppNumber> = self.api();
        let patch = Patch::Merge(json!({"status": null}));
        api.patch_status(name, &PatchParams::default(), &patch).await.unwrap();
    }
}

#[tokio::test]
async fn a_status_that_is_lost_is_made_anew_from_the_ledger() {
    let mut world = awaiting("forgetful").await;
    world.take_operator().kill().await;
    world.forget_status(SUPPORT).await;
    world.start().await;
    world.stands::<WhatsAppNumber>(SUPPORT, "AwaitingCode", "False/AwaitingCode").await;
    world.bring_code(SUPPORT).await;
    world.forget_status(SUPPORT).await;
    world.stands::<WhatsAppNumber>(SUPPORT, "Enabled", "True/Enabled").await;
    world.settle().await;
    world.once(SUPPORT).await;
    world.finish().await;
}

#[tokio::test]
async fn an_object_that_is_deleted_and_applied_again_goes_on_where_it_was() {
    let world = awaiting("again").await;
    world.delete::<WhatsAppNumber>(SUPPORT).await;
    world.gone::<WhatsAppNumber>(SUPPORT).await;
    world.create(&number(SUPPORT, PHONE, blocks())).await;
    world.stands::<WhatsAppNumber>(SUPPORT, "AwaitingCode", "False/AwaitingCode").await;
    world.bring_code(SUPPORT).await;
    world.delete::<WhatsAppNumber>(SUPPORT).await;
    world.create(&number(SUPPORT, PHONE, blocks())).await;
    world.stands::<WhatsAppNumber>(SUPPORT, "Enabled", "True/Enabled").await;
    world.settle().await;
    world.once(SUPPORT).await;
    world.finish().await;
}

#[tokio::test]
async fn a_new_name_takes_code_and_pin_along() {
    let world = awaiting("renamed").await;
    // As a commit does that renames it: the new one comes before the old one goes.
    world.create(&number("hotline", PHONE, blocks())).await;
    world.stands::<WhatsAppNumber>("hotline", "Conflict", "False/Conflict").await;
    world.delete::<WhatsAppNumber>(SUPPORT).await;
    world.stands::<WhatsAppNumber>("hotline", "AwaitingCode", "False/AwaitingCode").await;
    world.bring_code("hotline").await;
    // And once more, when it is registered: the PIN comes from the ledger.
    world.delete::<WhatsAppNumber>("hotline").await;
    world.create(&number("front-desk", PHONE, blocks())).await;
    world.stands::<WhatsAppNumber>("front-desk", "Enabled", "True/Enabled").await;
    world.once("front-desk").await;
    world.settle().await;
    world.finish().await;
}

#[tokio::test]
async fn deleting_the_owner_by_policy_makes_no_call_while_another_object_claims_the_number() {
    let world = awaiting("passes-on").await;
    world.bring_code(SUPPORT).await;
    world.patch::<WhatsAppNumber>(SUPPORT, json!({"spec": {"deletionPolicy": "Deregister"}})).await;
    world.until(SUPPORT, "it waits", |object: &WhatsAppNumber| !object.finalizers().is_empty()).await;
    world.create(&number("hotline", PHONE, blocks())).await;
    world.stands::<WhatsAppNumber>("hotline", "Conflict", "False/Conflict").await;
    world.delete::<WhatsAppNumber>(SUPPORT).await;
    world.gone::<WhatsAppNumber>(SUPPORT).await;
    world.stands::<WhatsAppNumber>("hotline", "Enabled", "True/Enabled").await;
    let note = world.event(SUPPORT, "LeftAtMeta").await;
    assert!(note.contains("another object"), "{note}");
    world.once("hotline").await;
    assert_eq!(world.counters(NUMBER).await["deregister"], 0);
    world.settle().await;
    world.finish().await;
}

/// Whoever is deleted itself takes nothing over.
#[tokio::test]
async fn of_two_objects_that_are_deleted_together_the_owner_deregisters() {
    let world = awaiting("both-deleted").await;
    world.bring_code(SUPPORT).await;
    world.patch::<WhatsAppNumber>(SUPPORT, json!({"spec": {"deletionPolicy": "Deregister"}})).await;
    world.until(SUPPORT, "it waits", |object: &WhatsAppNumber| !object.finalizers().is_empty()).await;
    world.create(&number("hotline", PHONE, blocks())).await;
    world.stands::<WhatsAppNumber>("hotline", "Conflict", "False/Conflict").await;
    let held = |finalizers: Value| json!({"metadata": {"finalizers": finalizers}});
    world.patch::<WhatsAppNumber>("hotline", held(json!(["example.com/held"]))).await;
    world.delete::<WhatsAppNumber>("hotline").await;
    world.delete::<WhatsAppNumber>(SUPPORT).await;
    world.gone::<WhatsAppNumber>(SUPPORT).await;
    assert_eq!(world.counters(NUMBER).await["deregister"], 1);
    world.patch::<WhatsAppNumber>("hotline", held(Value::Null)).await;
    world.gone::<WhatsAppNumber>("hotline").await;
    world.finish().await;
}

#[tokio::test]
async fn another_namespace_takes_code_and_pin_along() {
    let mut world = World::new("moved-from", unverified()).await;
    let plane = control_plane::shared().await;
    let elsewhere = plane.namespace("moved-to").await;
    let mut settings = world.settings();
    settings.namespaces.push(elsewhere.clone());
    world.operator = Some(Operator::start(settings, world.config.clone()).await);
    world.create(&app(INO, json!({"allowedNamespaces": {"from": "All"}}))).await;
    world.create(&number(SUPPORT, PHONE, blocks())).await;
    world.stands::<WhatsAppNumber>(SUPPORT, "AwaitingCode", "False/AwaitingCode").await;

    let there = world.in_namespace(&elsewhere);
    let mut moved = blocks();
    moved["appRef"] = json!({"name": INO, "namespace": world.namespace});
    there.create(&number(SUPPORT, PHONE, moved)).await;
    let conflict = there.stands::<WhatsAppNumber>(SUPPORT, "Conflict", "False/Conflict").await;
    let message = condition(&conflict, "Ready").unwrap().1;
    // Both have the same name; the command at the end is about this one.
    let hidden = message.contains("by an object in another namespace;") && !message.contains(&world.namespace);
    assert!(hidden, "who it is concerns nobody in another namespace: {message}");
    world.delete::<WhatsAppNumber>(SUPPORT).await;
    there.stands::<WhatsAppNumber>(SUPPORT, "AwaitingCode", "False/AwaitingCode").await;
    there.bring_code(SUPPORT).await;
    there.once(SUPPORT).await;
    there.finish().await;
    world.finish().await;
}

#[tokio::test]
async fn of_two_objects_that_add_a_number_one_does() {
    let mut seed = unverified();
    seed["numbers"] = json!([]);
    let mut world = World::new("twins", seed).await;
    world.create(&app(INO, json!({}))).await;
    let adding = json!({"provisioning": "AddIfMissing", "businessAccountID": ACCOUNT, "requestedName": "INO Support",
        "verification": {}});
    world.create(&number("one", PHONE, adding.clone())).await;
    world.create(&number("two", PHONE, adding)).await;
    world.start().await;
    world.stands::<WhatsAppNumber>("one", "AwaitingCode", "False/AwaitingCode").await;
    world.stands::<WhatsAppNumber>("two", "Conflict", "False/Conflict").await;
    world.settle().await;
    let state = world.sim.get("state").await.unwrap();
    let numbers = state["numbers"].as_array().unwrap();
    assert_eq!(numbers.len(), 1);
    let id = numbers[0]["id"].as_str().unwrap();
    assert_eq!(world.counters(id).await["codes"], 1);
    world.finish().await;
}

impl World {
    /// Another company's app, as an object, whose token sees these accounts.
    async fn their_app(&self) {
        let (secret, token) = (self.app_secret(OTHER_APP).await, self.token("theirs").await);
        self.put_secret("theirs-meta", &[("app-secret", &secret), ("access-token", &token)]).await;
        let key = |key: &str| json!({"name": "theirs-meta", "key": key});
        let spec =
            json!({"appID": OTHER_APP, "appSecretRef": key("app-secret"), "accessTokenRef": key("access-token")});
        self.create(&app("theirs", spec)).await;
    }
}

/// The object of [`World::their_app`] with these fields besides.
fn theirs(mut blocks: Value) -> WhatsAppNumber {
    blocks["appRef"] = json!({"name": "theirs"});
    number("two", PHONE, blocks)
}

#[tokio::test]
async fn of_two_objects_whose_apps_both_see_the_number_one_climbs_and_the_other_follows() {
    let mut seed = unverified();
    seed::push(&mut seed, "tokens", seed::token("theirs", OTHER_APP, &[ACCOUNT]));
    let mut world = World::new("two-sights", seed).await;
    world.create(&app(INO, json!({}))).await;
    world.their_app().await;
    world.create(&number("one", PHONE, blocks())).await;
    world.create(&theirs(blocks())).await;
    world.start().await;
    world.stands::<WhatsAppNumber>("one", "AwaitingCode", "False/AwaitingCode").await;
    world.stands::<WhatsAppNumber>("two", "Conflict", "False/Conflict").await;
    world.bring_code("one").await;
    world.settle().await;
    world.stands::<WhatsAppNumber>("two", "Conflict", "False/Conflict").await;
    world.once("one").await;

    world.delete::<WhatsAppNumber>("one").await;
    world.stands::<WhatsAppNumber>("two", "Enabled", "True/Enabled").await;
    world.settle().await;
    world.once("two").await;
    world.finish().await;
}

#[tokio::test]
async fn of_two_objects_that_add_a_number_to_two_accounts_of_two_apps_one_does() {
    let mut seed = unverified();
    seed["numbers"] = json!([]);
    seed::push(&mut seed, "accounts", json!({"id": ACCOUNT_2, "name": "Somebody else"}));
    seed::push(&mut seed, "tokens", seed::token("theirs", OTHER_APP, &[ACCOUNT_2]));
    let mut world = World::new("two-homes", seed).await;
    world.create(&app(INO, json!({}))).await;
    world.their_app().await;
    let adding = |account: &str| {
        json!({"provisioning": "AddIfMissing", "businessAccountID": account, "requestedName": "INO Support",
            "verification": {}})
    };
    world.create(&number("one", PHONE, adding(ACCOUNT))).await;
    world.create(&theirs(adding(ACCOUNT_2))).await;
    world.start().await;
    world.stands::<WhatsAppNumber>("one", "AwaitingCode", "False/AwaitingCode").await;
    world.stands::<WhatsAppNumber>("two", "Conflict", "False/Conflict").await;
    world.settle().await;
    assert_eq!(world.asked().await, ["phone_numbers", "request_code"]);
    let state = world.sim.get("state").await.unwrap();
    let numbers = state["numbers"].as_array().unwrap();
    assert_eq!((numbers.len(), &numbers[0]["account"]), (1, &json!(ACCOUNT)));
    world.finish().await;
}

#[tokio::test]
async fn a_namespace_that_is_deleted_leaves_the_number_known() {
    let options = control_plane::Options { controller_manager: true };
    let plane = control_plane::ControlPlane::start(options).await.unwrap();
    define(&plane).await;
    let mut world = World::on(&plane, "kept", unverified()).await;
    let team = plane.namespace("team").await;
    let mut settings = world.settings();
    settings.namespaces = Vec::new();
    world.operator = Some(Operator::start(settings, world.config.clone()).await);
    world.create(&app(INO, json!({"allowedNamespaces": {"from": "All"}}))).await;
    let mut spec = blocks();
    spec["appRef"] = json!({"name": INO, "namespace": world.namespace});
    let there = world.in_namespace(&team);
    there.create(&number(SUPPORT, PHONE, spec.clone())).await;
    there.stands::<WhatsAppNumber>(SUPPORT, "AwaitingCode", "False/AwaitingCode").await;
    there.bring_code(SUPPORT).await;

    let namespaces = Api::<k8s_openapi::api::core::v1::Namespace>::all(world.client.clone());
    namespaces.delete(&team, &kube::api::DeleteParams::default()).await.unwrap();
    world.so("the namespace is gone", async || namespaces.get_opt(&team).await.unwrap().is_none().then_some(())).await;
    let next = plane.namespace("team").await;
    let next = world.in_namespace(&next);
    next.create(&number(SUPPORT, PHONE, spec)).await;
    next.stands::<WhatsAppNumber>(SUPPORT, "Enabled", "True/Enabled").await;
    next.once(SUPPORT).await;
    next.finish().await;
    world.finish().await;
}

#[tokio::test]
async fn a_restored_backup_of_the_cluster_does_not_make_it_send_or_register_again() {
    let mut plane = control_plane::ControlPlane::start(control_plane::Options::default()).await.unwrap();
    define(&plane).await;
    let mut world = World::on(&plane, "restored", unverified()).await;
    world.start().await;
    world.create(&app(INO, json!({}))).await;
    world.stands::<MetaApp>(INO, "Connected", "True/Connected").await;
    world.settle().await;
    let snapshot = plane.snapshot().await.unwrap();

    // The object comes after the backup, and so does everything that is known of it.
    world.create(&number(SUPPORT, PHONE, blocks())).await;
    world.stands::<WhatsAppNumber>(SUPPORT, "AwaitingCode", "False/AwaitingCode").await;
    plane.restore(&snapshot).await.unwrap();
    let ended = world.take_operator().ended().await;
    assert!(matches!(ended, Err(waba_operator::run::RunError::Rewound)), "{ended:?}");
    // Whoever applies what is in Git brings the object back; the operator is started anew.
    world.create(&number(SUPPORT, PHONE, blocks())).await;
    world.start().await;
    world.stands::<WhatsAppNumber>(SUPPORT, "AwaitingCode", "False/AwaitingCode").await;
    let snapshot = plane.snapshot().await.unwrap();

    // This time the code is tried and the number registered after the backup, with a PIN that the backup lacks.
    world.bring_code(SUPPORT).await;
    plane.restore(&snapshot).await.unwrap();
    let ended = world.take_operator().ended().await;
    assert!(matches!(ended, Err(waba_operator::run::RunError::Rewound)), "{ended:?}");
    world.start().await;
    world.stands::<WhatsAppNumber>(SUPPORT, "Enabled", "True/Enabled").await;
    world.once(SUPPORT).await;
    world.settle().await;
    world.finish().await;
}

/// As in production: the lease is looked at more often than the version of the data.
#[tokio::test]
async fn a_restored_backup_is_noticed_by_a_leader_whose_lease_it_does_not_have() {
    let mut plane = control_plane::ControlPlane::start(control_plane::Options::default()).await.unwrap();
    define(&plane).await;
    let mut world = World::on(&plane, "restored-leader", unverified()).await;
    let snapshot = plane.snapshot().await.unwrap();
    let mut settings = world.settings();
    settings.leader_elect = true;
    settings.timing.rewind_check = std::time::Duration::from_mins(1);
    world.operator = Some(Operator::start(settings.clone(), world.config.clone()).await);
    world.create(&app(INO, json!({}))).await;
    world.create(&number(SUPPORT, PHONE, blocks())).await;
    world.stands::<WhatsAppNumber>(SUPPORT, "AwaitingCode", "False/AwaitingCode").await;

    plane.restore(&snapshot).await.unwrap();
    let ended = world.take_operator().ended().await;
    assert!(matches!(ended, Err(waba_operator::run::RunError::Rewound)), "{ended:?}");
    world.create(&app(INO, json!({}))).await;
    world.create(&number(SUPPORT, PHONE, blocks())).await;
    world.operator = Some(Operator::start(settings, world.config.clone()).await);
    world.stands::<WhatsAppNumber>(SUPPORT, "AwaitingCode", "False/AwaitingCode").await;
    assert_eq!(world.counters(NUMBER).await["codes"], 1);
    world.finish().await;
}

#[tokio::test]
async fn a_deregistration_that_was_given_up_is_not_made_for_the_next_object() {
    let world = awaiting("given-up").await;
    world.bring_code(SUPPORT).await;
    world.patch::<WhatsAppNumber>(SUPPORT, json!({"spec": {"deletionPolicy": "Deregister"}})).await;
    world.until(SUPPORT, "it waits", |object: &WhatsAppNumber| !object.finalizers().is_empty()).await;
    world.fault(json!({"method": "POST", "path": "/deregister$", "times": 1, "before": {"reset": true}})).await;
    world.delete::<WhatsAppNumber>(SUPPORT).await;
    let asked = async || {
        let calls = world.sim.calls(0).await.unwrap();
        calls.iter().any(|call| call["path"].as_str().is_some_and(|path| path.ends_with("/deregister"))).then_some(())
    };
    world.so("Meta is asked", asked).await;
    // Somebody thinks better of it, and wants the number under another name.
    world.create(&number("hotline", PHONE, json!({}))).await;
    world.gone::<WhatsAppNumber>(SUPPORT).await;
    world.stands::<WhatsAppNumber>("hotline", "Enabled", "True/Enabled").await;
    world.settle().await;
    assert_eq!(world.counters(NUMBER).await["deregister"], 0);
    world.stands::<WhatsAppNumber>("hotline", "Enabled", "True/Enabled").await;
    world.finish().await;
}
