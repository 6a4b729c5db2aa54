//! A number's own callback: set once, kept, not fought over, and cleared with its block if the operator set it.

use serde_json::{Value, json};
use waba_operator::api::WhatsAppNumber;

use crate::harness::{
    manifests::{INO, number},
    scenario::{PHONE, SUPPORT},
    seed::{self, ACCOUNT, APP, NUMBER},
    world::{World, condition},
};

const CALLBACK: &str = "https://cc.example.com/hook";
const OTHER: &str = "https://crm.example.com/hook";
const ROUTING: &str = "RoutingConfigured";
const TOKEN: &str = "the-verify-token-of-our-callback";
const OTHER_TOKEN: &str = "the-verify-token-of-another-callback";

fn blocks() -> Value {
    json!({"incoming": {"webhook": {
        "callbackURL": CALLBACK, "verifyTokenRef": {"name": "cc-webhook", "key": "verify-token"},
    }}})
}

/// The app is subscribed to the account, and two callbacks reply.
fn listening() -> Value {
    let mut seed = seed::small();
    seed["accounts"][0]["subscribed_apps"] = json!([{"app": APP}]);
    seed["receivers"] = json!([{"url": CALLBACK, "verify_token": TOKEN}, {"url": OTHER, "verify_token": OTHER_TOKEN}]);
    seed
}

impl World {
    /// A connected world in which the number has its own callback; the verify token is in a Secret.
    async fn with_callback(prefix: &str, seed: Value) -> Self {
        let mut world = Self::connected(prefix, seed).await;
        world.tracked_secrets.extend([TOKEN.to_owned(), OTHER_TOKEN.to_owned()]);
        world.put_secret("cc-webhook", &[("verify-token", &format!("{TOKEN}\n"))]).await;
        world.create(&number(SUPPORT, PHONE, blocks())).await;
        world
    }

    async fn callback(&self) -> Value {
        let number = self.sim.get(&format!("numbers/{NUMBER}")).await.unwrap();
        number["webhook_configuration"]["override_callback_uri"].clone()
    }

    /// Sets or removes the callback as somebody else does.
    async fn set_callback(&self, url: Option<&str>) {
        let configuration = url.map(|url| json!({"override_callback_uri": url, "verify_token": OTHER_TOKEN}));
        self.change_at_meta(json!({"webhook_configuration": configuration})).await;
    }

    async fn until_callback(&self, url: &str) {
        self.eventually(&format!("the callback is {url}"), async || (self.callback().await == url).then_some(())).await;
    }
}

#[tokio::test]
async fn a_callback_is_set_once_and_a_changed_verify_token_is_sent_again() {
    let world = World::with_callback("routing", listening()).await;
    world.until_message(ROUTING, "True/Configured", &[CALLBACK]).await;
    let number = world.until_enabled().await;
    assert_eq!(number.status.unwrap().webhook.unwrap().effective.as_deref(), Some(CALLBACK));
    world.assert_writes_at_meta(&[NUMBER]).await;
    let mut world = world;
    world.restart().await;
    world.assert_writes_at_meta(&[NUMBER]).await;

    // The receiver expects another token first, then the Secret changes.
    let mut state = world.sim.get("state").await.unwrap();
    state["receivers"][0]["verify_token"] = json!(OTHER_TOKEN);
    world.sim.put("state", state).await.unwrap();
    world.put_secret("cc-webhook", &[("verify-token", OTHER_TOKEN)]).await;
    world.eventually("it is sent again", async || (world.writes_at_meta().await.len() == 2).then_some(())).await;
    world.until_message(ROUTING, "True/Configured", &[CALLBACK]).await;
    world.assert_writes_at_meta(&[NUMBER; 2]).await;
    world.finish().await;
}

#[tokio::test]
async fn a_callback_changed_three_times_in_a_day_is_contested_and_left_alone() {
    let mut world = World::with_callback("contested", listening()).await;
    world.until_callback(CALLBACK).await;
    world.until_message(ROUTING, "True/Configured", &[]).await;
    for url in [Some(OTHER), None] {
        world.set_callback(url).await;
        world.until_callback(CALLBACK).await;
        world.until_message(ROUTING, "True/Configured", &[]).await;
    }
    world.settle().await;
    world.set_callback(Some(OTHER)).await;
    let words = ["three times within a day", OTHER, "spec.incoming.webhook"];
    world.until_message(ROUTING, "False/Contested", &words).await;
    world.until_ready_message("Enabled", "False/Contested", &words).await;
    world.assert_stalled().await;
    world.restart().await;
    world.assert_writes_at_meta(&[NUMBER; 3]).await;
    assert_eq!(world.callback().await, OTHER);

    // A person changes the spec to the other callback.
    world.put_secret("cc-webhook", &[("verify-token", OTHER_TOKEN)]).await;
    let wanted = json!({"spec": {"incoming": {"webhook": {"callbackURL": OTHER}}}});
    world.patch::<WhatsAppNumber>(SUPPORT, wanted).await;
    world.until_message(ROUTING, "True/Configured", &[OTHER]).await;
    world.until_enabled().await;
    world.settle().await;
    world.finish().await;
}

#[tokio::test]
async fn a_contested_callback_is_set_again_after_a_day() {
    let mut world = World::with_callback("contested-day", listening()).await;
    world.until_callback(CALLBACK).await;
    for _ in 0..2 {
        world.until_message(ROUTING, "True/Configured", &[]).await;
        world.set_callback(Some(OTHER)).await;
        world.until_callback(CALLBACK).await;
    }
    world.until_message(ROUTING, "True/Configured", &[]).await;
    world.settle().await;
    world.set_callback(Some(OTHER)).await;
    world.until_message(ROUTING, "False/Contested", &[]).await;
    world.advance_and_restart(23 * 3_600).await;
    world.assert_writes_at_meta(&[NUMBER; 3]).await;
    world.advance_and_restart(2 * 3_600).await;
    world.until_message(ROUTING, "True/Configured", &[CALLBACK]).await;
    world.until_enabled().await;
    world.assert_writes_at_meta(&[NUMBER; 4]).await;
    world.finish().await;
}

#[tokio::test]
async fn a_number_without_permission_for_its_own_callback_is_still_ready() {
    let mut seed = listening();
    seed["accounts"][0]["ownership_type"] = json!("CLIENT_OWNED");
    seed["numbers"][0]["is_on_biz_app"] = json!(true);
    let mut world = World::with_callback("not-permitted", seed).await;
    let words = ["WhatsApp Business app", "status.webhook.effective"];
    world.until_message(ROUTING, "False/NotPermitted", &words).await;
    let number = world.until_enabled().await;
    assert!(condition(&number, "Stalled").is_none());
    world.assert_writes_at_meta(&[NUMBER]).await;
    // The operator notices when the permission is granted.
    world.sim.patch(&format!("accounts/{ACCOUNT}"), json!({"ownership_type": "SELF"})).await.unwrap();
    world.advance_and_restart(24 * 3_600).await;
    world.until_message(ROUTING, "True/Configured", &[CALLBACK]).await;
    world.finish().await;
}

#[tokio::test]
async fn a_callback_waits_until_the_app_is_subscribed() {
    let mut seed = listening();
    seed["accounts"][0]["subscribed_apps"] = json!([]);
    let world = World::with_callback("not-subscribed", seed).await;
    let words = ["subscribe the app to the business account", "App Dashboard"];
    world.until_message(ROUTING, "False/NotSubscribed", &words).await;
    world.until_ready_message("Enabled", "False/NotSubscribed", &words).await;
    world.sim.patch(&format!("accounts/{ACCOUNT}"), json!({"subscribed_apps": [{"app": APP}]})).await.unwrap();
    world.until_message(ROUTING, "True/Configured", &[CALLBACK]).await;
    world.until_enabled().await;
    world.settle().await;
    world.finish().await;
}

#[tokio::test]
async fn a_callback_with_a_wrong_verify_token_is_refused_until_it_is_corrected() {
    let mut world = World::connected("verify-token", listening()).await;
    world.tracked_secrets.extend([TOKEN.to_owned(), OTHER_TOKEN.to_owned()]);
    world.create(&number(SUPPORT, PHONE, blocks())).await;
    let missing = ["cc-webhook", "create it with the key verify-token"];
    world.until_ready_message("Enabled", "False/SecretNotFound", &missing).await;
    world.until_message(ROUTING, "False/SecretNotFound", &missing).await;
    world.assert_stalled().await;
    world.put_bytes("cc-webhook", "verify-token", "//79/A==").await;
    world.until_ready_message("Enabled", "False/SecretValueInvalid", &["cc-webhook", "verify-token"]).await;
    world.assert_writes_at_meta(&[]).await;

    world.put_secret("cc-webhook", &[("verify-token", OTHER_TOKEN)]).await;
    let words = ["verification request", "reach it from the internet"];
    world.until_message(ROUTING, "False/CallbackRefused", &words).await;
    world.until_ready_message("Enabled", "False/CallbackRefused", &words).await;
    assert_eq!(world.callback().await, Value::Null);
    world.put_secret("cc-webhook", &[("verify-token", TOKEN)]).await;
    world.until_message(ROUTING, "True/Configured", &[CALLBACK]).await;
    world.until_enabled().await;
    assert_eq!(world.callback().await, CALLBACK);
    world.settle().await;
    world.finish().await;
}

#[tokio::test]
async fn the_operators_own_token_is_never_sent_as_a_verify_token() {
    let world = World::connected("own-token", listening()).await;
    let mut spec = blocks();
    spec["incoming"]["webhook"]["verifyTokenRef"] = json!({"name": format!("{INO}-token"), "key": "live"});
    world.create(&number(SUPPORT, PHONE, spec)).await;
    world.until_message(ROUTING, "False/SecretValueInvalid", &["is one of the operator's own"]).await;
    world.assert_writes_at_meta(&[]).await;
    world.finish().await;
}

#[tokio::test]
async fn removing_the_block_clears_the_operators_callback() {
    let world = World::with_callback("cleared", listening()).await;
    world.until_message(ROUTING, "True/Configured", &[]).await;
    world.settle().await;
    world.patch::<WhatsAppNumber>(SUPPORT, json!({"spec": {"incoming": null}})).await;
    world.eventually("the callback is removed", async || world.callback().await.is_null().then_some(())).await;
    let is_removed = |object: &WhatsAppNumber| condition(object, ROUTING).is_none();
    world.until(SUPPORT, "there is no RoutingConfigured condition", is_removed).await;
    world.assert_writes_at_meta(&[NUMBER; 2]).await;
    // A callback set by somebody else afterwards stays.
    world.set_callback(Some(OTHER)).await;
    world.assert_writes_at_meta(&[NUMBER; 2]).await;
    assert_eq!(world.callback().await, OTHER);
    world.finish().await;
}

#[tokio::test]
async fn removing_the_block_keeps_a_callback_set_by_somebody_else() {
    let world = World::with_callback("left", listening()).await;
    world.until_message(ROUTING, "True/Configured", &[]).await;
    world.settle().await;
    // Both changes happen while the object is suspended: the callback that is found afterwards is foreign.
    world.patch::<WhatsAppNumber>(SUPPORT, json!({"spec": {"suspend": true}})).await;
    world.until_phase::<WhatsAppNumber>(SUPPORT, "Suspended", "True/Enabled").await;
    world.set_callback(Some(OTHER)).await;
    world.until_polled(ACCOUNT, 2).await;
    world.patch::<WhatsAppNumber>(SUPPORT, json!({"spec": {"suspend": null, "incoming": null}})).await;
    world.until_enabled().await;
    world.assert_writes_at_meta(&[NUMBER]).await;
    assert_eq!(world.callback().await, OTHER);
    world.finish().await;
}

#[tokio::test]
async fn an_existing_callback_is_adopted_without_a_call() {
    let mut seed = listening();
    seed["numbers"][0]["webhook_configuration"] = json!({"override_callback_uri": CALLBACK, "verify_token": TOKEN});
    let world = World::with_callback("adopted-callback", seed).await;
    world.until_message(ROUTING, "True/Configured", &[CALLBACK]).await;
    world.until_enabled().await;
    world.assert_writes_at_meta(&[]).await;
    // The operator did not set it, so it stays.
    world.patch::<WhatsAppNumber>(SUPPORT, json!({"spec": {"incoming": null}})).await;
    let is_removed = |object: &WhatsAppNumber| condition(object, ROUTING).is_none();
    world.until(SUPPORT, "there is no RoutingConfigured condition", is_removed).await;
    world.assert_writes_at_meta(&[]).await;
    assert_eq!(world.callback().await, CALLBACK);
    world.finish().await;
}
