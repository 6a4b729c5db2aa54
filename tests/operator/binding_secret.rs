//! The binding Secret: what an application gets, by the form of Service Binding, and when it changes or goes.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use serde_json::{Value, json};
use waba_operator::api::{MetaApp, WhatsAppNumber};

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

    /// What the Secret holds, as text.
    async fn bound(&self) -> BTreeMap<String, String> {
        let data = self.binding().await.and_then(|secret| secret.data).unwrap_or_default();
        data.into_iter().map(|(key, value)| (key, String::from_utf8(value.0).unwrap())).collect()
    }

    /// Waits until the Secret holds exactly this.
    async fn is_bound(&self, expected: &BTreeMap<String, String>) {
        self.so(&format!("the binding holds {:?}", expected.keys()), async || {
            (self.bound().await == *expected).then_some(())
        })
        .await;
    }

    async fn unbound(&self) {
        self.so("the binding is gone", async || self.binding().await.is_none().then_some(())).await;
    }

    /// What an application should find, without what the spec adds.
    async fn usual(&self) -> BTreeMap<String, String> {
        let url = self.settings().graph_url.to_string();
        let entries = [
            ("type", "whatsapp"),
            ("provider", "meta-cloud-api"),
            ("phone-number", PHONE),
            ("phone-number-id", NUMBER),
            ("business-account-id", ACCOUNT),
            ("api-url", url.trim_end_matches('/')),
            ("api-version", "v25.0"),
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
async fn an_application_finds_everything_it_needs_and_all_of_it_follows() {
    let world = World::caring("binding", seed::small(), everything()).await;
    let number = world.enabled().await;
    let mut expected = world.usual().await;
    for (key, value) in [
        ("time-zone", "Europe/Paris"),
        ("language", "fr"),
        ("session-time", "12h"),
        ("smart-routing", "support-fr"),
        ("end-of-interaction-smart-routing", "satisfaction-survey"),
    ] {
        expected.insert(key.to_owned(), value.to_owned());
    }
    world.is_bound(&expected).await;
    let secret = world.binding().await.unwrap();
    assert_eq!(secret.type_.as_deref(), Some("servicebinding.io/whatsapp"));
    assert_eq!(secret.labels()["app.kubernetes.io/managed-by"], "waba-operator");
    // It goes with the object: whoever collects garbage in a cluster sees to it.
    let owners = secret.owner_references();
    assert_eq!(owners.len(), 1);
    let owner = (owners[0].kind.as_str(), owners[0].name.as_str(), Some(&owners[0].uid));
    assert_eq!(owner, ("WhatsAppNumber", SUPPORT, number.metadata.uid.as_ref()));
    world.condition::<WhatsAppNumber>(SUPPORT, "Bound", "True/Bound").await;
    assert_eq!(world.enabled().await.status.unwrap().binding.unwrap().name, BINDING);

    // Steady: nothing is written, by this operator or by the next one.
    let mut world = world;
    let before = world.settle().await;
    world.restart().await;
    world.polls(ACCOUNT, 3).await;
    world.versions().await.must_be(&before);

    // The spec changes.
    let change = json!({"spec": {"language": "pt-BR", "directions": ["Outgoing"], "incoming": null}});
    world.patch::<WhatsAppNumber>(SUPPORT, change).await;
    for key in ["session-time", "smart-routing", "end-of-interaction-smart-routing"] {
        expected.remove(key);
    }
    expected.insert("language".to_owned(), "pt-BR".to_owned());
    expected.insert("directions".to_owned(), "Outgoing".to_owned());
    world.is_bound(&expected).await;

    // The token is replaced.
    let next = world.token("next").await;
    world.set_token(&next).await;
    expected.insert("access-token".to_owned(), next);
    world.is_bound(&expected).await;
    assert_eq!(world.binding().await.unwrap().uid(), secret.uid(), "it is still the same Secret");
    world.settle().await;
    world.finish().await;
}

#[tokio::test]
async fn what_somebody_does_to_it_is_put_right() {
    let world = World::caring("binding-hand", seed::small(), json!({"binding": {}})).await;
    let expected = world.usual().await;
    world.is_bound(&expected).await;
    world.put_secret(BINDING, &[("access-token", "nonsense"), ("password", "of another system")]).await;
    world.is_bound(&expected).await;
    world.remove_key(BINDING, "phone-number-id").await;
    world.is_bound(&expected).await;
    let before = world.binding().await.unwrap().uid();
    world.delete_secret(BINDING).await;
    world.is_bound(&expected).await;
    assert_ne!(world.binding().await.unwrap().uid(), before);
    world.enabled().await;
    world.settle().await;
    world.finish().await;
}

#[tokio::test]
async fn somebody_elses_secret_under_its_name_is_left_alone() {
    let world = World::connected("binding-taken", seed::small()).await;
    world.put_secret(BINDING, &[("password", "of another system")]).await;
    let theirs = world.binding().await;
    world.create(&number(SUPPORT, PHONE, json!({"binding": {}}))).await;
    let words = [BINDING, "is not the operator's", "rename or delete it"];
    world.says("Enabled", "False/SecretNameTaken", &words).await;
    world.tells("Bound", "False/SecretNameTaken", &words).await;
    world.is_stalled().await;
    world.settle().await;
    assert_eq!(world.binding().await, theirs);
    // Taking the block away does not take it along.
    world.patch::<WhatsAppNumber>(SUPPORT, json!({"spec": {"binding": null}})).await;
    world.enabled().await;
    world.settle().await;
    assert_eq!(world.binding().await, theirs);

    world.patch::<WhatsAppNumber>(SUPPORT, json!({"spec": {"binding": {}}})).await;
    world.says("Enabled", "False/SecretNameTaken", &words).await;
    world.delete_secret(BINDING).await;
    world.enabled().await;
    world.is_bound(&world.usual().await).await;
    world.finish().await;
}

#[tokio::test]
async fn removing_the_block_deletes_it_and_an_app_that_waits_does_not() {
    let world = World::caring("binding-off", seed::small(), json!({"binding": {}})).await;
    let expected = world.usual().await;
    world.is_bound(&expected).await;
    world.patch::<MetaApp>(INO, json!({"spec": {"suspend": true}})).await;
    world.says("Enabled", "Unknown/AppSuspended", &[]).await;
    assert_eq!(world.bound().await, expected, "applications work on");
    world.patch::<MetaApp>(INO, json!({"spec": {"suspend": null}})).await;
    world.enabled().await;

    world.patch::<WhatsAppNumber>(SUPPORT, json!({"spec": {"binding": null}})).await;
    world.unbound().await;
    let number = world
        .until(SUPPORT, "no binding is told", |number: &WhatsAppNumber| {
            number.status.as_ref().is_some_and(|status| status.binding.is_none())
        })
        .await;
    assert!(condition(&number, "Bound").is_none());
    world.settle().await;
    world.finish().await;
}

/// An API server that does not answer says nothing of a token: applications keep the one they have.
#[tokio::test]
async fn a_token_that_cannot_be_read_for_a_moment_is_not_taken_out_of_bindings() {
    let mut world = World::new("binding-unread", seed::small()).await;
    let gate = Gate::start(world.config.clone()).await;
    world.config = gate.config();
    let (first, second) = (world.plant(seed::secret("EAA")), world.plant(seed::secret("EAA")));
    world.put_secret("messaging", &[("token", &first)]).await;
    world.start().await;
    world.create(&app(INO, json!({"bindingTokenRef": {"name": "messaging", "key": "token"}}))).await;
    world.create(&number(SUPPORT, PHONE, json!({"binding": {}}))).await;
    let mut expected = world.usual().await;
    expected.insert("access-token".to_owned(), first);
    world.is_bound(&expected).await;

    gate.lose_answers("GET", "/secrets/messaging$", usize::MAX);
    world.put_secret("messaging", &[("token", &second)]).await;
    world.condition::<MetaApp>(INO, "BindingTokenValid", "False/SecretUnreadable").await;
    world.polls(ACCOUNT, 2).await;
    assert_eq!(world.bound().await, expected);
    // Whatever else is to be written waits with it, also in an operator that never knew the token.
    world.patch::<WhatsAppNumber>(SUPPORT, json!({"spec": {"language": "fr"}})).await;
    world.restart().await;
    world.polls(ACCOUNT, 2).await;
    assert_eq!(world.bound().await, expected);

    gate.lose_no_more();
    expected.insert("access-token".to_owned(), second);
    expected.insert("language".to_owned(), "fr".to_owned());
    world.is_bound(&expected).await;
    world.condition::<MetaApp>(INO, "BindingTokenValid", "True/Configured").await;
    let writes = gate.writes();
    let is_it = |body: &str| body.contains(&format!("\"name\":\"{BINDING}\""));
    let bindings = writes.iter().filter(|asked| asked.path.contains("/secrets") && is_it(&asked.body));
    let bindings: Vec<bool> = bindings.map(|asked| asked.body.contains("\"access-token\":")).collect();
    assert!(!bindings.is_empty() && bindings.iter().all(|has_token| *has_token), "{bindings:?}");
    world.settle().await;
    world.finish().await;
}

#[tokio::test]
async fn another_namespace_gets_no_token_that_may_manage() {
    let mut world = World::new("binding-meta", seed::small()).await;
    let elsewhere = control_plane::shared().await.namespace("binding-team").await;
    let mut settings = world.settings();
    settings.namespaces.push(elsewhere.clone());
    world.operator = Some(Operator::start(settings, world.config.clone()).await);
    let narrow = world.plant(seed::secret("EAA"));
    world.put_secret("messaging", &[("token", &narrow)]).await;
    world.create(&app(INO, json!({"allowedNamespaces": {"from": "All"}}))).await;
    let there = world.in_namespace(&elsewhere);
    let spec = json!({"binding": {}, "appRef": {"name": INO, "namespace": world.namespace}});
    there.create(&number(SUPPORT, PHONE, spec)).await;
    there.enabled().await;

    // Without a token that may be handed out there is none.
    let mut expected = world.usual().await;
    expected.remove("access-token");
    there.is_bound(&expected).await;
    there.tells("Bound", "True/BoundWithoutToken", &["spec.bindingTokenRef"]).await;

    let reference = json!({"spec": {"bindingTokenRef": {"name": "messaging", "key": "token"}}});
    world.patch::<MetaApp>(INO, reference).await;
    let mut with_token = expected.clone();
    with_token.insert("access-token".to_owned(), narrow);
    there.is_bound(&with_token).await;
    there.tells("Bound", "True/Bound", &[]).await;
    // It follows its Secret.
    let narrower = world.plant(seed::secret("EAA"));
    world.put_secret("messaging", &[("token", &narrower)]).await;
    with_token.insert("access-token".to_owned(), narrower);
    there.is_bound(&with_token).await;
    // A Secret that goes away takes the token from nobody; whoever is bound meanwhile gets none.
    world.delete_secret("messaging").await;
    world.condition::<MetaApp>(INO, "BindingTokenValid", "False/SecretNotFound").await;
    there.tells("Bound", "True/Bound", &["access-token from before", "describe mapp"]).await;
    there.patch::<WhatsAppNumber>(SUPPORT, json!({"spec": {"timeZone": "Europe/Paris"}})).await;
    with_token.insert("time-zone".to_owned(), "Europe/Paris".to_owned());
    expected.insert("time-zone".to_owned(), "Europe/Paris".to_owned());
    there.is_bound(&with_token).await;
    there.delete_secret(BINDING).await;
    there.is_bound(&expected).await;
    there.tells("Bound", "True/BoundWithoutToken", &["access-token", "describe mapp"]).await;
    world.put_secret("messaging", &[("token", &with_token["access-token"])]).await;
    there.is_bound(&with_token).await;
    there.tells("Bound", "True/Bound", &[]).await;
    world.patch::<MetaApp>(INO, json!({"spec": {"bindingTokenRef": null}})).await;
    there.is_bound(&expected).await;

    // Who is not let in any more has nothing to send with.
    world.patch::<MetaApp>(INO, json!({"spec": {"allowedNamespaces": null}})).await;
    there.unbound().await;
    there.says("Enabled", "Unknown/AppNotAllowed", &["spec.allowedNamespaces"]).await;
    world.settle().await;
    world.patch::<MetaApp>(INO, json!({"spec": {"allowedNamespaces": {"from": "All"}}})).await;
    there.is_bound(&expected).await;
    there.enabled().await;
    there.finish().await;
    world.finish().await;
}
