//! The binding Secret: its content (as Service Binding defines it), when it changes, and when it is deleted.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use serde_json::{Value, json};
use waba_operator::{
    api::{MetaApp, WhatsAppNumber},
    run::GRAPH_VERSION,
};

use crate::harness::{
    gate::Gate,
    manifests::{INO, app, number},
    operator::Operator,
    scenario::{PHONE, SUPPORT},
    seed::{self, ACCOUNT, NUMBER},
    world::{World, condition},
};

const BINDING: &str = "support-binding";

impl World {
    async fn binding(&self) -> Option<Secret> {
        self.secrets().get_opt(BINDING).await.unwrap()
    }

    /// The Secret's data, as text.
    async fn binding_data(&self) -> BTreeMap<String, String> {
        let data = self.binding().await.and_then(|secret| secret.data).unwrap_or_default();
        data.into_iter().map(|(key, value)| (key, String::from_utf8(value.0).unwrap())).collect()
    }

    /// Waits until the Secret holds exactly `expected`.
    async fn until_bound(&self, expected: &BTreeMap<String, String>) {
        self.eventually(&format!("the binding holds {:?}", expected.keys()), async || {
            (self.binding_data().await == *expected).then_some(())
        })
        .await;
    }

    async fn until_unbound(&self) {
        self.eventually("the binding is gone", async || self.binding().await.is_none().then_some(())).await;
    }

    /// The values that every binding holds; what the spec adds is not among them.
    async fn expected_binding(&self) -> BTreeMap<String, String> {
        let url = self.settings().graph_url.to_string();
        let entries = [
            ("type", "whatsapp"),
            ("provider", "meta-cloud-api"),
            ("phone-number", PHONE),
            ("phone-number-id", NUMBER),
            ("business-account-id", ACCOUNT),
            ("api-url", url.trim_end_matches('/')),
            ("api-version", GRAPH_VERSION),
            ("access-token", &self.token("main").await),
            ("directions", "Incoming,Outgoing"),
            ("session-time", "24h"),
        ];
        entries.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }
}

fn everything() -> Value {
    json!({
        "binding": {}, "timeZone": "Europe/Paris", "language": "fr",
        "incoming": {
            "sessionTime": "12h", "smartRouting": "support-fr", "endOfInteractionSmartRouting": "satisfaction-survey",
        },
    })
}

#[tokio::test]
async fn a_binding_holds_every_value_an_application_needs_and_follows_changes() {
    let world = World::with_number("binding", seed::small(), everything()).await;
    let number = world.until_enabled().await;
    let mut expected = world.expected_binding().await;
    for (key, value) in [
        ("time-zone", "Europe/Paris"),
        ("language", "fr"),
        ("session-time", "12h"),
        ("smart-routing", "support-fr"),
        ("end-of-interaction-smart-routing", "satisfaction-survey"),
    ] {
        expected.insert(key.to_owned(), value.to_owned());
    }
    world.until_bound(&expected).await;
    let secret = world.binding().await.unwrap();
    assert_eq!(secret.type_.as_deref(), Some("servicebinding.io/whatsapp"));
    assert_eq!(secret.labels()["app.kubernetes.io/managed-by"], "waba-operator");
    // The owner reference has Kubernetes delete the Secret with the object.
    let owners = secret.owner_references();
    assert_eq!(owners.len(), 1);
    let owner = (owners[0].kind.as_str(), owners[0].name.as_str(), Some(&owners[0].uid));
    assert_eq!(owner, ("WhatsAppNumber", SUPPORT, number.metadata.uid.as_ref()));
    world.until_condition::<WhatsAppNumber>(SUPPORT, "Bound", "True/Bound").await;
    assert_eq!(world.until_enabled().await.status.unwrap().binding.unwrap().name, BINDING);

    // In steady state neither this operator nor the next one writes.
    let mut world = world;
    let before = world.settle().await;
    world.restart().await;
    world.until_polled(ACCOUNT, 3).await;
    world.versions().await.assert_unchanged_since(&before);

    // The spec changes.
    let change = json!({"spec": {"language": "pt-BR", "directions": ["Outgoing"], "incoming": null}});
    world.patch::<WhatsAppNumber>(SUPPORT, change).await;
    for key in ["session-time", "smart-routing", "end-of-interaction-smart-routing"] {
        expected.remove(key);
    }
    expected.insert("language".to_owned(), "pt-BR".to_owned());
    expected.insert("directions".to_owned(), "Outgoing".to_owned());
    world.until_bound(&expected).await;

    // The token is replaced.
    let next = world.token("next").await;
    world.set_token(&next).await;
    expected.insert("access-token".to_owned(), next);
    world.until_bound(&expected).await;
    assert_eq!(world.binding().await.unwrap().uid(), secret.uid(), "it is still the same Secret");
    world.settle().await;
    world.finish().await;
}

#[tokio::test]
async fn changes_by_hand_are_reverted() {
    let world = World::with_number("binding-hand", seed::small(), json!({"binding": {}})).await;
    let expected = world.expected_binding().await;
    world.until_bound(&expected).await;
    world.put_secret(BINDING, &[("access-token", "nonsense"), ("password", "of another system")]).await;
    world.until_bound(&expected).await;
    world.remove_key(BINDING, "phone-number-id").await;
    world.until_bound(&expected).await;
    let before = world.binding().await.unwrap().uid();
    world.delete_secret(BINDING).await;
    world.until_bound(&expected).await;
    assert_ne!(world.binding().await.unwrap().uid(), before);
    world.until_enabled().await;
    world.settle().await;
    world.finish().await;
}

#[tokio::test]
async fn a_foreign_secret_under_the_bindings_name_is_left_alone() {
    let world = World::connected("binding-taken", seed::small()).await;
    world.put_secret(BINDING, &[("password", "of another system")]).await;
    let theirs = world.binding().await;
    world.create(&number(SUPPORT, PHONE, json!({"binding": {}}))).await;
    let words = [BINDING, "is not the operator's", "rename or delete it"];
    world.until_ready_message("Enabled", "False/SecretNameTaken", &words).await;
    world.until_message("Bound", "False/SecretNameTaken", &words).await;
    world.assert_stalled().await;
    world.settle().await;
    assert_eq!(world.binding().await, theirs);
    // Removing the block does not delete a foreign Secret.
    world.patch::<WhatsAppNumber>(SUPPORT, json!({"spec": {"binding": null}})).await;
    world.until_enabled().await;
    world.settle().await;
    assert_eq!(world.binding().await, theirs);

    world.patch::<WhatsAppNumber>(SUPPORT, json!({"spec": {"binding": {}}})).await;
    world.until_ready_message("Enabled", "False/SecretNameTaken", &words).await;
    world.delete_secret(BINDING).await;
    world.until_enabled().await;
    world.until_bound(&world.expected_binding().await).await;
    world.finish().await;
}

#[tokio::test]
async fn removing_the_block_deletes_the_secret_and_suspending_the_app_does_not() {
    let world = World::with_number("binding-off", seed::small(), json!({"binding": {}})).await;
    let expected = world.expected_binding().await;
    world.until_bound(&expected).await;
    world.patch::<MetaApp>(INO, json!({"spec": {"suspend": true}})).await;
    world.until_ready_message("Enabled", "Unknown/AppSuspended", &[]).await;
    assert_eq!(world.binding_data().await, expected, "the binding stays as it is");
    world.patch::<MetaApp>(INO, json!({"spec": {"suspend": null}})).await;
    world.until_enabled().await;

    world.patch::<WhatsAppNumber>(SUPPORT, json!({"spec": {"binding": null}})).await;
    world.until_unbound().await;
    let number = world
        .until(SUPPORT, "status.binding is gone", |number: &WhatsAppNumber| {
            number.status.as_ref().is_some_and(|status| status.binding.is_none())
        })
        .await;
    assert!(condition(&number, "Bound").is_none());
    world.settle().await;
    world.finish().await;
}

/// Backups drop statuses: what the status no longer records is found by the watch of Secrets.
#[tokio::test]
async fn a_binding_that_no_status_records_is_deleted_when_nothing_asks_for_it() {
    let mut world = World::with_number("binding-restored", seed::small(), json!({"binding": {}})).await;
    world.until_bound(&world.expected_binding().await).await;
    world.take_operator().stop().await;
    world.patch::<WhatsAppNumber>(SUPPORT, json!({"spec": {"binding": null}})).await;
    world.remove_status(SUPPORT).await;
    world.start().await;
    world.until_unbound().await;
    world.until_enabled().await;
    world.settle().await;
    world.finish().await;
}

/// A token Secret that cannot be read is not a deleted one: bindings keep the token they have.
#[tokio::test]
async fn bindings_keep_a_token_that_is_temporarily_unreadable() {
    let mut world = World::new("binding-unread", seed::small()).await;
    let gate = Gate::start(world.config.clone()).await;
    world.config = gate.config();
    let (first, second) = (world.track_secret(seed::secret("EAA")), world.track_secret(seed::secret("EAA")));
    world.put_secret("messaging", &[("token", &first)]).await;
    world.start().await;
    world.create(&app(INO, json!({"bindingTokenRef": {"name": "messaging", "key": "token"}}))).await;
    world.create(&number(SUPPORT, PHONE, json!({"binding": {}}))).await;
    let mut expected = world.expected_binding().await;
    expected.insert("access-token".to_owned(), first);
    world.until_bound(&expected).await;

    gate.drop_replies("GET", "/secrets/messaging$", usize::MAX);
    world.put_secret("messaging", &[("token", &second)]).await;
    world.until_condition::<MetaApp>(INO, "BindingTokenValid", "False/SecretUnreadable").await;
    world.until_polled(ACCOUNT, 2).await;
    assert_eq!(world.binding_data().await, expected);
    // Other changes of the binding wait too, also in an operator that has never read the token.
    world.patch::<WhatsAppNumber>(SUPPORT, json!({"spec": {"language": "fr"}})).await;
    world.restart().await;
    world.until_polled(ACCOUNT, 2).await;
    assert_eq!(world.binding_data().await, expected);

    gate.stop_dropping_replies();
    expected.insert("access-token".to_owned(), second);
    expected.insert("language".to_owned(), "fr".to_owned());
    world.until_bound(&expected).await;
    world.until_condition::<MetaApp>(INO, "BindingTokenValid", "True/Configured").await;
    let writes = gate.writes();
    let is_it = |body: &str| body.contains(&format!("\"name\":\"{BINDING}\""));
    let bindings = writes.iter().filter(|request| request.path.contains("/secrets") && is_it(&request.body));
    let bindings: Vec<bool> = bindings.map(|request| request.body.contains("\"access-token\":")).collect();
    assert!(!bindings.is_empty() && bindings.iter().all(|has_token| *has_token), "{bindings:?}");
    world.settle().await;
    world.finish().await;
}

#[tokio::test]
async fn another_namespace_never_gets_the_management_token() {
    let mut world = World::new("binding-meta", seed::small()).await;
    let elsewhere = control_plane::shared().await.namespace("binding-team").await;
    let mut settings = world.settings();
    settings.namespaces.push(elsewhere.clone());
    world.operator = Some(Operator::start(settings, world.config.clone()).await);
    let narrow = world.track_secret(seed::secret("EAA"));
    world.put_secret("messaging", &[("token", &narrow)]).await;
    world.create(&app(INO, json!({"allowedNamespaces": {"from": "All"}}))).await;
    let there = world.in_namespace(&elsewhere);
    let spec = json!({"binding": {}, "appRef": {"name": INO, "namespace": world.namespace}});
    there.create(&number(SUPPORT, PHONE, spec)).await;
    there.until_enabled().await;

    // Without `bindingTokenRef` the binding holds no token.
    let mut expected = world.expected_binding().await;
    expected.remove("access-token");
    there.until_bound(&expected).await;
    there.until_message("Bound", "True/BoundWithoutToken", &["spec.bindingTokenRef"]).await;

    let reference = json!({"spec": {"bindingTokenRef": {"name": "messaging", "key": "token"}}});
    world.patch::<MetaApp>(INO, reference).await;
    let mut with_token = expected.clone();
    with_token.insert("access-token".to_owned(), narrow);
    there.until_bound(&with_token).await;
    there.until_message("Bound", "True/Bound", &[]).await;
    // The binding follows changes of the token's Secret.
    let narrower = world.track_secret(seed::secret("EAA"));
    world.put_secret("messaging", &[("token", &narrower)]).await;
    with_token.insert("access-token".to_owned(), narrower);
    there.until_bound(&with_token).await;
    // When the token's Secret is deleted, existing bindings keep the token; bindings written after that have none.
    world.delete_secret("messaging").await;
    world.until_condition::<MetaApp>(INO, "BindingTokenValid", "False/SecretNotFound").await;
    there.until_message("Bound", "True/Bound", &["the earlier access-token", "describe mapp"]).await;
    there.patch::<WhatsAppNumber>(SUPPORT, json!({"spec": {"timeZone": "Europe/Paris"}})).await;
    with_token.insert("time-zone".to_owned(), "Europe/Paris".to_owned());
    expected.insert("time-zone".to_owned(), "Europe/Paris".to_owned());
    there.until_bound(&with_token).await;
    there.delete_secret(BINDING).await;
    there.until_bound(&expected).await;
    there.until_message("Bound", "True/BoundWithoutToken", &["access-token", "describe mapp"]).await;
    world.put_secret("messaging", &[("token", &with_token["access-token"])]).await;
    there.until_bound(&with_token).await;
    there.until_message("Bound", "True/Bound", &[]).await;
    world.patch::<MetaApp>(INO, json!({"spec": {"bindingTokenRef": null}})).await;
    there.until_bound(&expected).await;

    // A namespace that is no longer allowed loses its binding.
    world.patch::<MetaApp>(INO, json!({"spec": {"allowedNamespaces": null}})).await;
    there.until_unbound().await;
    there.until_ready_message("Enabled", "Unknown/AppNotAllowed", &["spec.allowedNamespaces"]).await;
    world.settle().await;
    world.patch::<MetaApp>(INO, json!({"spec": {"allowedNamespaces": {"from": "All"}}})).await;
    there.until_bound(&expected).await;
    there.until_enabled().await;
    there.finish().await;
    world.finish().await;
}
