//! What people do around a number, right and wrong, and what Meta was asked to change meanwhile.

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
/// The number that people care for.
pub const PHONE: &str = "+33612345678";
/// A Secret in which people keep the PINs of their numbers, under the number's name.
pub const OUR_PINS: &str = "our-pins";

/// An estate whose only number is as usual but for these fields; `null` takes one away.
pub fn estate(fields: Value) -> Value {
    let mut seed = seed::small();
    let Value::Object(fields) = fields else { panic!("not an object: {fields}") };
    let row = seed["numbers"][0].as_object_mut().unwrap();
    row.extend(fields);
    row.retain(|_, value| !value.is_null());
    // Whoever corrects a PIN is not as fast as a test.
    seed["pin_seconds"] = json!(0);
    seed
}

/// A number that is verified and not registered; with these fields besides.
pub fn verified(more: Value) -> Value {
    let mut fields = json!({
        "status": "DISCONNECTED", "platform_type": "NOT_APPLICABLE", "last_onboarded_time": null, "pending_seconds": 0,
        "code_verification_status": "VERIFIED",
    });
    let Value::Object(more) = more else { panic!("not an object: {more}") };
    fields.as_object_mut().unwrap().extend(more);
    estate(fields)
}

/// A number that nobody has proven anything about yet.
pub fn unverified() -> Value {
    let mut seed = seed::small();
    seed["numbers"] = json!([{
        "id": NUMBER, "account": ACCOUNT, "display_phone_number": "+33 6 12 34 56 78", "verified_name": "INO Support",
        "status": "DISCONNECTED", "code_verification_status": "NOT_VERIFIED", "platform_type": "NOT_APPLICABLE",
        "pending_seconds": 1,
    }]);
    seed
}

/// The registration with a PIN that people keep.
pub fn with_our_pin() -> Value {
    json!({"registration": {"pinRef": {"name": OUR_PINS, "key": SUPPORT}}})
}

/// The answer of Meta to one call that it does not carry out.
pub fn refusal(path: &str, code: u32, message: &str) -> Value {
    let error = json!({"message": format!("(#{code}) {message}"), "type": "OAuthException", "code": code});
    json!({"method": "POST", "path": path, "times": 1, "before": {"status": 400, "body": {"error": error}}})
}

impl World {
    /// A world whose app is connected.
    pub async fn connected(prefix: &str, seed: Value) -> Self {
        let world = Self::running(prefix, seed).await;
        world.create(&app(INO, json!({}))).await;
        world.stands::<MetaApp>(INO, "Connected", "True/Connected").await;
        world
    }

    /// A connected world in which the number is cared for by these blocks.
    pub async fn caring(prefix: &str, seed: Value, blocks: Value) -> Self {
        let world = Self::connected(prefix, seed).await;
        world.create(&number(SUPPORT, PHONE, blocks)).await;
        world
    }

    /// Waits until the number stands so, and its message says all that a person has to know.
    pub async fn says(&self, phase: &str, ready: &str, words: &[&str]) {
        self.tells("Ready", ready, words).await;
        self.stands::<WhatsAppNumber>(SUPPORT, phase, ready).await;
    }

    /// The same for another condition than Ready.
    pub async fn tells(&self, type_: &str, wanted: &str, words: &[&str]) {
        let what = format!("{type_} {wanted} with {words:?}");
        self.until(SUPPORT, &what, |object: &WhatsAppNumber| {
            condition(object, type_)
                .is_some_and(|(state, message)| state == wanted && words.iter().all(|word| message.contains(word)))
        })
        .await;
    }

    /// Sees that a person has to act, and is told so.
    pub async fn is_stalled(&self) {
        let number = self.get::<WhatsAppNumber>(SUPPORT).await.unwrap();
        assert!(condition(&number, "Stalled").is_some(), "{number:#?}");
        assert!(condition(&number, "Reconciling").is_none(), "{number:#?}");
    }

    /// Sees that the operator goes on by itself.
    pub async fn goes_on(&self) {
        let number = self.get::<WhatsAppNumber>(SUPPORT).await.unwrap();
        assert!(condition(&number, "Reconciling").is_some(), "{number:#?}");
        assert!(condition(&number, "Stalled").is_none(), "{number:#?}");
    }

    pub async fn enabled(&self) -> WhatsAppNumber {
        self.stands(SUPPORT, "Enabled", "True/Enabled").await
    }

    /// The code that was sent last.
    pub async fn code(&self, id: &str) -> String {
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

    /// What Meta was asked to change so far, by the last part of the path.
    pub async fn asked(&self) -> Vec<String> {
        let calls = self.sim.calls(0).await.unwrap();
        let changing = calls.iter().filter(|call| call["method"] != "GET");
        changing.map(|call| call["path"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()).collect()
    }

    /// Waits until everything is at rest; then Meta must have been asked for exactly this.
    pub async fn asked_only(&self, expected: &[&str]) {
        self.settle().await;
        let asked = self.asked().await;
        assert!(asked == expected, "expected {expected:?}, and was {asked:?}\n{}", self.picture().await);
    }

    pub async fn pin(&mut self, pin: &str) {
        self.planted.push(pin.to_owned());
        self.put_secret(OUR_PINS, &[(SUPPORT, pin)]).await;
    }

    /// Writes bytes that are no text under a key.
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

    /// A person changes the number in WhatsApp Manager, or Meta does.
    pub async fn at_meta(&self, fields: Value) {
        self.sim.patch(&format!("numbers/{NUMBER}"), fields).await.unwrap();
    }

    /// Lets so many seconds of Meta's time pass, in which the operator was started anew: what it waits for, it has to know.
    pub async fn later(&mut self, seconds: i64) {
        self.sim.advance(seconds).await.unwrap();
        self.restart().await;
        self.polls(ACCOUNT, 2).await;
    }
}
