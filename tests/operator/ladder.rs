//! The ladder of a number: from bare digits to connected, by objects and a Secret with a code.

use serde_json::{Value, json};
use waba_operator::api::WhatsAppNumber;

use crate::{
    harness::World,
    manifests::{INO, app, number},
    seed::{self, ACCOUNT, NUMBER},
};

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

pub const SUPPORT: &str = "support";

impl World {
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
}

#[tokio::test]
async fn from_unverified_to_enabled_with_a_code_and_a_generated_pin() {
    let world = World::running("ladder", unverified()).await;
    world.create(&app(INO, json!({}))).await;
    let blocks = json!({"verification": {}, "registration": {}});
    world.create(&number(SUPPORT, "+33612345678", blocks)).await;
    world.stands::<WhatsAppNumber>(SUPPORT, "AwaitingCode", "False/AwaitingCode").await;
    let code = world.code(NUMBER).await;
    world.put_secret("support-code", &[("code", &format!("{}-{}", &code[..3], &code[3..]))]).await;
    world.stands::<WhatsAppNumber>(SUPPORT, "Enabled", "True/Enabled").await;

    let pin = world.secret_value("support-pin", "pin").await.expect("a PIN was created");
    assert_eq!(world.pin_at_meta(NUMBER).await, Some(pin));
    world.condition::<WhatsAppNumber>(SUPPORT, "PINSynced", "True/PINSynced").await;
    let counters = world.counters(NUMBER).await;
    assert_eq!(
        (&counters["codes"], &counters["register"], &counters["verifyAttempts"]),
        (&json!(1), &json!(1), &json!(1))
    );
    world.settle().await;
    world.finish().await;
}
