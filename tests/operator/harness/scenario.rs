//! Tests about one number: its state at Meta, what people and Meta do, what its status must report, and which writes
//! Meta received.

use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};
use waba_operator::api::{MetaApp, WhatsAppNumber};

use crate::harness::{
    manifests::{INO, app, number},
    seed::{self, ACCOUNT, NUMBER},
    world::{World, condition},
};

/// The name of the number's object.
pub const SUPPORT: &str = "support";
/// Its phone number.
pub const PHONE: &str = "+33612345678";
/// The Secret in which people keep the PINs of their numbers, each under the object's name.
pub const OUR_PINS: &str = "our-pins";

/// A seed whose only number is connected, except for these fields; `null` removes one.
pub fn number_seed(fields: Value) -> Value {
    let mut seed = seed::small();
    let Value::Object(fields) = fields else { panic!("not an object: {fields}") };
    let row = seed["numbers"][0].as_object_mut().unwrap();
    row.extend(fields);
    row.retain(|_, value| !value.is_null());
    // Without the pause that Meta demands between PINs: people are slower than tests.
    seed["pin_seconds"] = json!(0);
    seed
}

/// A seed whose only number is verified and not registered, except for these fields.
pub fn verified_number(more: Value) -> Value {
    let mut fields = json!({
        "status": "DISCONNECTED", "platform_type": "NOT_APPLICABLE", "last_onboarded_time": null, "pending_seconds": 0,
        "code_verification_status": "VERIFIED",
    });
    let Value::Object(more) = more else { panic!("not an object: {more}") };
    fields.as_object_mut().unwrap().extend(more);
    number_seed(fields)
}

/// A seed whose only number is not verified.
pub fn unverified_number() -> Value {
    let mut seed = seed::small();
    seed["numbers"] = json!([{
        "id": NUMBER, "account": ACCOUNT, "display_phone_number": "+33 6 12 34 56 78", "verified_name": "INO Support",
        "status": "DISCONNECTED", "code_verification_status": "NOT_VERIFIED", "platform_type": "NOT_APPLICABLE",
        "pending_seconds": 1,
    }]);
    seed
}

/// A registration block that refers to a PIN in [`OUR_PINS`].
pub fn registration_with_pin_ref() -> Value {
    json!({"registration": {"pinRef": {"name": OUR_PINS, "key": SUPPORT}}})
}

/// A fault: Meta refuses one call with this error.
pub fn refusal(path: &str, code: u32, message: &str) -> Value {
    let error = json!({"message": format!("(#{code}) {message}"), "type": "OAuthException", "code": code});
    json!({"method": "POST", "path": path, "times": 1, "before": {"status": 400, "body": {"error": error}}})
}

impl World {
    /// A running world whose app is connected.
    pub async fn connected(prefix: &str, seed: Value) -> Self {
        let world = Self::running(prefix, seed).await;
        world.create(&app(INO, json!({}))).await;
        world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;
        world
    }

    /// A connected world with a number that has these spec blocks.
    pub async fn with_number(prefix: &str, seed: Value, blocks: Value) -> Self {
        let world = Self::connected(prefix, seed).await;
        world.create(&number(SUPPORT, PHONE, blocks)).await;
        world
    }

    /// Waits until the number has this phase and Ready condition, and Ready's message contains all `words`.
    pub async fn until_ready_message(&self, phase: &str, ready: &str, words: &[&str]) {
        self.until_message("Ready", ready, words).await;
        self.until_phase::<WhatsAppNumber>(SUPPORT, phase, ready).await;
    }

    /// Waits until a condition of the number is as given, and its message contains all `words`.
    pub async fn until_message(&self, type_: &str, wanted: &str, words: &[&str]) {
        let what = format!("{type_} {wanted} with {words:?}");
        self.until(SUPPORT, &what, |object: &WhatsAppNumber| {
            condition(object, type_)
                .is_some_and(|(state, message)| state == wanted && words.iter().all(|word| message.contains(word)))
        })
        .await;
    }

    /// Checks that the status says: a person has to act.
    pub async fn assert_stalled(&self) {
        let number = self.get::<WhatsAppNumber>(SUPPORT).await.unwrap();
        assert!(condition(&number, "Stalled").is_some(), "{number:#?}");
        assert!(condition(&number, "Reconciling").is_none(), "{number:#?}");
    }

    /// Checks that the status says: the operator continues by itself.
    pub async fn assert_reconciling(&self) {
        let number = self.get::<WhatsAppNumber>(SUPPORT).await.unwrap();
        assert!(condition(&number, "Reconciling").is_some(), "{number:#?}");
        assert!(condition(&number, "Stalled").is_none(), "{number:#?}");
    }

    pub async fn until_enabled(&self) -> WhatsAppNumber {
        self.until_phase(SUPPORT, "Enabled", "True/Enabled").await
    }

    /// The last code that Meta sent.
    pub async fn sent_code(&self, id: &str) -> String {
        let code = self.sim.get(&format!("numbers/{id}/code")).await.unwrap();
        code["code"].as_str().unwrap_or_else(|| panic!("no code was sent: {code}")).to_owned()
    }

    pub async fn counters(&self, id: &str) -> Value {
        self.sim.get(&format!("numbers/{id}/counters")).await.unwrap()
    }

    /// The PIN in force at Meta.
    pub async fn pin_at_meta(&self, id: &str) -> Option<String> {
        let pins = self.counters(id).await["pins"].clone();
        pins.as_array().unwrap().last().and_then(|pin| pin["pin"].as_str().map(str::to_owned))
    }

    /// The changing calls that Meta received so far, by the last part of their path.
    pub async fn writes_at_meta(&self) -> Vec<String> {
        let calls = self.sim.calls(0).await.unwrap();
        let changing = calls.iter().filter(|call| call["method"] != "GET");
        changing.map(|call| call["path"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()).collect()
    }

    /// Waits until nothing changes any more, then checks that Meta received exactly these changing calls.
    pub async fn assert_writes_at_meta(&self, expected: &[&str]) {
        self.settle().await;
        let received = self.writes_at_meta().await;
        assert!(
            received == expected,
            "changing calls: expected {expected:?}, got {received:?}\n{}",
            self.diagnostics().await
        );
    }

    pub async fn put_pin(&mut self, pin: &str) {
        self.tracked_secrets.push(pin.to_owned());
        self.put_secret(OUR_PINS, &[(SUPPORT, pin)]).await;
    }

    /// Writes bytes that are not text under a key.
    pub async fn put_bytes(&self, name: &str, key: &str, base64: &str) {
        let patch = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": {key: base64}});
        self.secrets().patch(name, &PatchParams::apply("a-person").force(), &Patch::Apply(&patch)).await.unwrap();
    }

    pub async fn remove_key(&self, name: &str, key: &str) {
        let patch = Patch::Merge(json!({"data": {key: null}}));
        self.secrets().patch(name, &PatchParams::default(), &patch).await.unwrap();
    }

    pub async fn delete_secret(&self, name: &str) {
        self.secrets().delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// Changes the number at Meta, as WhatsApp Manager or Meta itself does.
    pub async fn change_at_meta(&self, fields: Value) {
        self.sim.patch(&format!("numbers/{NUMBER}"), fields).await.unwrap();
    }

    /// Advances Meta's clock and restarts the operator: what it waits for must not be in memory only.
    pub async fn advance_and_restart(&mut self, seconds: i64) {
        self.sim.advance(seconds).await.unwrap();
        self.restart().await;
        self.until_polled(ACCOUNT, 2).await;
    }
}
