//! A number's own callback: set once, kept, never fought over, and cleared when its block goes, if it is ours.

use serde_json::{Value, json};
use waba_operator::api::WhatsAppNumber;

use crate::harness::{
    manifests::number,
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

/// The app listens to the account, and two callbacks answer.
fn listening() -> Value {
    let mut seed = seed::small();
    seed["accounts"][0]["subscribed_apps"] = json!([{"app": APP}]);
    seed["receivers"] = json!([{"url": CALLBACK, "verify_token": TOKEN}, {"url": OTHER, "verify_token": OTHER_TOKEN}]);
    seed
}

impl World {
    /// A connected world with the number's own callback, and its verify token in a Secret.
    async fn routed(prefix: &str, seed: Value) -> Self {
        let mut world = Self::connected(prefix, seed).await;
        world.planted.extend([TOKEN.to_owned(), OTHER_TOKEN.to_owned()]);
        world.put_secret("cc-webhook", &[("verify-token", &format!("{TOKEN}\n"))]).await;
        world.create(&number(SUPPORT, PHONE, blocks())).await;
        world
    }

    async fn callback(&self) -> Value {
        let number = self.sim.get(&format!("numbers/{NUMBER}")).await.unwrap();
        number["webhook_configuration"]["override_callback_uri"].clone()
    }

    /// Somebody else sets a callback of the number, or removes it.
    async fn set_callback(&self, url: Option<&str>) {
        let configuration = url.map(|url| json!({"override_callback_uri": url, "verify_token": OTHER_TOKEN}));
        self.at_meta(json!({"webhook_configuration": configuration})).await;
    }

    async fn callback_is(&self, url: &str) {
        self.so(&format!("the callback is {url}"), async || (self.callback().await == url).then_some(())).await;
    }
}

#[tokio::test]
async fn a_callback_is_set_once_and_a_changed_verify_token_is_sent_again() {
    let world = World::routed("routing", listening()).await;
    world.tells(ROUTING, "True/Configured", &[CALLBACK]).await;
    let number = world.enabled().await;
    assert_eq!(number.status.unwrap().webhook.unwrap().effective.as_deref(), Some(CALLBACK));
    world.asked_only(&[NUMBER]).await;
    let mut world = world;
    world.restart().await;
    world.asked_only(&[NUMBER]).await;

    // The receiver learns another token first, then the Secret changes.
    let mut state = world.sim.get("state").await.unwrap();
    state["receivers"][0]["verify_token"] = json!(OTHER_TOKEN);
    world.sim.put("state", state).await.unwrap();
    world.put_secret("cc-webhook", &[("verify-token", OTHER_TOKEN)]).await;
    world.so("it is sent again", async || (world.asked().await.len() == 2).then_some(())).await;
    world.tells(ROUTING, "True/Configured", &[CALLBACK]).await;
    world.asked_only(&[NUMBER; 2]).await;
    world.finish().await;
}

#[tokio::test]
async fn what_somebody_changes_back_for_the_third_time_is_left_to_people() {
    let mut world = World::routed("contested", listening()).await;
    world.callback_is(CALLBACK).await;
    world.tells(ROUTING, "True/Configured", &[]).await;
    for url in [Some(OTHER), None] {
        world.set_callback(url).await;
        world.callback_is(CALLBACK).await;
        world.tells(ROUTING, "True/Configured", &[]).await;
    }
    world.settle().await;
    world.set_callback(Some(OTHER)).await;
    let words = ["three times within a day", OTHER, "spec.incoming.webhook"];
    world.tells(ROUTING, "False/Contested", &words).await;
    world.says("Enabled", "False/Contested", &words).await;
    world.is_stalled().await;
    world.restart().await;
    world.asked_only(&[NUMBER; 3]).await;
    assert_eq!(world.callback().await, OTHER);

    // A person writes what the others want.
    world.put_secret("cc-webhook", &[("verify-token", OTHER_TOKEN)]).await;
    let wanted = json!({"spec": {"incoming": {"webhook": {"callbackURL": OTHER}}}});
    world.patch::<WhatsAppNumber>(SUPPORT, wanted).await;
    world.tells(ROUTING, "True/Configured", &[OTHER]).await;
    world.enabled().await;
    world.settle().await;
    world.finish().await;
}

#[tokio::test]
async fn a_fight_is_taken_up_again_after_a_day() {
    let mut world = World::routed("contested-day", listening()).await;
    world.callback_is(CALLBACK).await;
    for _ in 0..2 {
        world.tells(ROUTING, "True/Configured", &[]).await;
        world.set_callback(Some(OTHER)).await;
        world.callback_is(CALLBACK).await;
    }
    world.tells(ROUTING, "True/Configured", &[]).await;
    world.settle().await;
    world.set_callback(Some(OTHER)).await;
    world.tells(ROUTING, "False/Contested", &[]).await;
    world.later(23 * 3_600).await;
    world.asked_only(&[NUMBER; 3]).await;
    world.later(2 * 3_600).await;
    world.tells(ROUTING, "True/Configured", &[CALLBACK]).await;
    world.enabled().await;
    world.asked_only(&[NUMBER; 4]).await;
    world.finish().await;
}

#[tokio::test]
async fn a_number_that_may_not_have_a_callback_of_its_own_works_all_the_same() {
    let mut seed = listening();
    seed["accounts"][0]["ownership_type"] = json!("CLIENT_OWNED");
    seed["numbers"][0]["is_on_biz_app"] = json!(true);
    let mut world = World::routed("not-permitted", seed).await;
    let words = ["WhatsApp Business app", "status.webhook.effective"];
    world.tells(ROUTING, "False/NotPermitted", &words).await;
    let number = world.enabled().await;
    assert!(condition(&number, "Stalled").is_none());
    world.asked_only(&[NUMBER]).await;
    // It is seen when it becomes possible.
    world.sim.patch(&format!("accounts/{ACCOUNT}"), json!({"ownership_type": "SELF"})).await.unwrap();
    world.later(24 * 3_600).await;
    world.tells(ROUTING, "True/Configured", &[CALLBACK]).await;
    world.finish().await;
}

#[tokio::test]
async fn an_app_that_is_not_subscribed_is_told_and_heals() {
    let mut seed = listening();
    seed["accounts"][0]["subscribed_apps"] = json!([]);
    let world = World::routed("not-subscribed", seed).await;
    let words = ["subscribed to the business account first", "App Dashboard"];
    world.tells(ROUTING, "False/NotSubscribed", &words).await;
    world.says("Enabled", "False/NotSubscribed", &words).await;
    world.sim.patch(&format!("accounts/{ACCOUNT}"), json!({"subscribed_apps": [{"app": APP}]})).await.unwrap();
    world.tells(ROUTING, "True/Configured", &[CALLBACK]).await;
    world.enabled().await;
    world.settle().await;
    world.finish().await;
}

#[tokio::test]
async fn a_wrong_verify_token_is_told_and_the_right_one_heals() {
    let mut world = World::connected("verify-token", listening()).await;
    world.planted.extend([TOKEN.to_owned(), OTHER_TOKEN.to_owned()]);
    world.create(&number(SUPPORT, PHONE, blocks())).await;
    let missing = ["cc-webhook", "create it with the key verify-token"];
    world.says("Enabled", "False/SecretNotFound", &missing).await;
    world.tells(ROUTING, "False/SecretNotFound", &missing).await;
    world.is_stalled().await;
    world.put_bytes("cc-webhook", "verify-token", "//79/A==").await;
    world.says("Enabled", "False/SecretValueInvalid", &["cc-webhook", "verify-token"]).await;
    world.asked_only(&[]).await;

    world.put_secret("cc-webhook", &[("verify-token", OTHER_TOKEN)]).await;
    let words = ["verify token", "reachable from the internet"];
    world.tells(ROUTING, "False/CallbackRefused", &words).await;
    world.says("Enabled", "False/CallbackRefused", &words).await;
    assert_eq!(world.callback().await, Value::Null);
    world.put_secret("cc-webhook", &[("verify-token", TOKEN)]).await;
    world.tells(ROUTING, "True/Configured", &[CALLBACK]).await;
    world.enabled().await;
    assert_eq!(world.callback().await, CALLBACK);
    world.settle().await;
    world.finish().await;
}

#[tokio::test]
async fn removing_the_block_clears_what_is_ours() {
    let world = World::routed("cleared", listening()).await;
    world.tells(ROUTING, "True/Configured", &[]).await;
    world.settle().await;
    world.patch::<WhatsAppNumber>(SUPPORT, json!({"spec": {"incoming": null}})).await;
    world.so("it is removed", async || world.callback().await.is_null().then_some(())).await;
    let untold = |object: &WhatsAppNumber| condition(object, ROUTING).is_none();
    world.until(SUPPORT, "nothing is said of a callback", untold).await;
    world.asked_only(&[NUMBER; 2]).await;
    // What somebody sets afterwards is theirs.
    world.set_callback(Some(OTHER)).await;
    world.asked_only(&[NUMBER; 2]).await;
    assert_eq!(world.callback().await, OTHER);
    world.finish().await;
}

#[tokio::test]
async fn removing_the_block_leaves_what_somebody_else_has_set() {
    let world = World::routed("left", listening()).await;
    world.tells(ROUTING, "True/Configured", &[]).await;
    world.settle().await;
    // Both at once: what is there when it is looked at is theirs.
    world.patch::<WhatsAppNumber>(SUPPORT, json!({"spec": {"suspend": true}})).await;
    world.stands::<WhatsAppNumber>(SUPPORT, "Suspended", "True/Enabled").await;
    world.set_callback(Some(OTHER)).await;
    world.polls(ACCOUNT, 2).await;
    world.patch::<WhatsAppNumber>(SUPPORT, json!({"spec": {"suspend": null, "incoming": null}})).await;
    world.enabled().await;
    world.asked_only(&[NUMBER]).await;
    assert_eq!(world.callback().await, OTHER);
    world.finish().await;
}

#[tokio::test]
async fn a_callback_that_is_there_already_is_adopted_without_a_call() {
    let mut seed = listening();
    seed["numbers"][0]["webhook_configuration"] = json!({"override_callback_uri": CALLBACK, "verify_token": TOKEN});
    let world = World::routed("adopted-callback", seed).await;
    world.tells(ROUTING, "True/Configured", &[CALLBACK]).await;
    world.enabled().await;
    world.asked_only(&[]).await;
    // It was not set by us, and stays.
    world.patch::<WhatsAppNumber>(SUPPORT, json!({"spec": {"incoming": null}})).await;
    let untold = |object: &WhatsAppNumber| condition(object, ROUTING).is_none();
    world.until(SUPPORT, "nothing is said of a callback", untold).await;
    world.asked_only(&[]).await;
    assert_eq!(world.callback().await, CALLBACK);
    world.finish().await;
}
