//! The calls that change a number: what is sent, and which outcome each reply has.

mod answers;
mod profile;
mod refusals;
mod secrets;
mod unsent;
mod wire;

use std::collections::HashMap;

use axum::Router;
use axum::extract::Query;
use axum::http::StatusCode;
use axum::routing::get;
use secrecy::SecretString;
use serde_json::{Value, json};
use waba_operator::api::CodeMethod;
use waba_operator::graph::{Client, Error, Outcome};
use waba_operator::timing::Timing;

use crate::support::{APP, SECOND_WABA, WABA, World, access, estate_with, timing};

/// A connected number.
const CONNECTED: &str = "910001";
/// A number that is verified and not registered.
const VERIFIED: &str = "910002";
/// A number that is not verified.
const UNVERIFIED: &str = "910003";

const PIN: &str = "604317";
const CODE: &str = "918273";
const VERIFY_TOKEN: &str = "hush-this-is-the-verify-token";

/// Every call that changes a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Add,
    RequestCode,
    VerifyCode,
    Register,
    Deregister,
    SetPin,
    SetWebhook,
    ClearWebhook,
    WriteProfile,
}

use Op::{Add, ClearWebhook, Deregister, Register, RequestCode, SetPin, SetWebhook, VerifyCode, WriteProfile};

impl Op {
    const ALL: [Self; 9] =
        [Add, RequestCode, VerifyCode, Register, Deregister, SetPin, SetWebhook, ClearWebhook, WriteProfile];

    /// The path after the version.
    fn path(self) -> String {
        match self {
            Add => format!("{WABA}/phone_numbers"),
            RequestCode => format!("{UNVERIFIED}/request_code"),
            VerifyCode => format!("{UNVERIFIED}/verify_code"),
            Register => format!("{VERIFIED}/register"),
            Deregister => format!("{CONNECTED}/deregister"),
            SetPin | SetWebhook | ClearWebhook => CONNECTED.to_owned(),
            WriteProfile => format!("{CONNECTED}/whatsapp_business_profile"),
        }
    }

    /// The secret in the call.
    fn secret(self) -> Option<&'static str> {
        match self {
            VerifyCode => Some(CODE),
            Register | SetPin => Some(PIN),
            SetWebhook => Some(VERIFY_TOKEN),
            Add | RequestCode | Deregister | ClearWebhook | WriteProfile => None,
        }
    }

    /// Sends the call; the ID of an added number is dropped.
    async fn send(self, client: &Client, callback: &str) -> Outcome<()> {
        self.send_with(client, callback, &CODE.into()).await
    }

    async fn send_with(self, client: &Client, callback: &str, code: &SecretString) -> Outcome<()> {
        let (access, pin, word) = (&access(), &PIN.into(), &VERIFY_TOKEN.into());
        match self {
            Add => client.add_number(access, WABA, ("33", "699999999"), "INO Paris").await.map(drop),
            RequestCode => client.request_code(access, WABA, UNVERIFIED, CodeMethod::Sms, "en_US").await,
            VerifyCode => client.verify_code(access, WABA, UNVERIFIED, code).await,
            Register => client.register(access, WABA, VERIFIED, pin).await.map(drop),
            Deregister => client.deregister(access, WABA, CONNECTED).await,
            SetPin => client.set_pin(access, WABA, CONNECTED, pin).await,
            SetWebhook => client.set_webhook(access, WABA, CONNECTED, callback, word).await,
            ClearWebhook => client.clear_webhook(access, WABA, CONNECTED).await,
            WriteProfile => client.write_profile(access, WABA, CONNECTED, json!({"about": "Here for you"})).await,
        }
    }
}

/// A number in each state of onboarding, and a callback that passes verification.
struct Scene {
    world: World,
    callback: String,
}

impl Scene {
    async fn new() -> Self {
        Self::with(timing()).await
    }

    async fn with(timing: Timing) -> Self {
        Self { world: World::start_with(seed(), timing).await, callback: callback().await }
    }

    /// Resets Meta to the seed, which is faster than a new scene.
    async fn reset(&self) {
        self.world.control.post("reset", json!({"seed": seed()})).await.unwrap();
    }

    async fn send(&self, op: Op) -> Outcome<()> {
        op.send(&self.world.client, &self.callback).await
    }

    /// Sets fields of an object at Meta.
    async fn patch(&self, object: &str, fields: Value) {
        self.world.control.patch(object, fields).await.unwrap();
    }

    /// Has the simulator reply like this to every call on the op's path.
    async fn reply_with(&self, op: Op, at: &str, action: &Value) {
        self.clear().await;
        self.world.fault(json!({"method": "POST", "path": format!("/{}$", op.path()), at: action})).await;
    }

    /// Removes all faults and empties the log of calls.
    async fn clear(&self) {
        self.world.control.delete("faults").await.unwrap();
        self.world.control.delete("calls").await.unwrap();
    }

    async fn counters(&self, number: &str) -> Value {
        self.world.control.get(&format!("numbers/{number}/counters")).await.unwrap()
    }
}

fn seed() -> Value {
    let number = |id: &str, registered: bool, verification: &str| {
        let (status, platform) =
            if registered { ("CONNECTED", "CLOUD_API") } else { ("DISCONNECTED", "NOT_APPLICABLE") };
        json!({"id": id, "account": WABA, "display_phone_number": format!("+33 6 12 {id}"), "status": status,
            "platform_type": platform, "code_verification_status": verification})
    };
    let mut seed = estate_with(
        "numbers",
        json!([
            number(CONNECTED, true, "EXPIRED"),
            number(VERIFIED, false, "VERIFIED"),
            number(UNVERIFIED, false, "NOT_VERIFIED")
        ]),
    );
    seed["accounts"][0]["subscribed_apps"] = json!([{"app": APP}]);
    seed["accounts"][1] = json!({"id": SECOND_WABA, "name": "Of nobody"});
    seed["pending_seconds"] = json!(0);
    seed
}

/// Starts a callback server that knows the verify token; its URL.
async fn callback() -> String {
    let prove = async |Query(query): Query<HashMap<String, String>>| {
        if query["hub.verify_token"] == VERIFY_TOKEN {
            (StatusCode::OK, query["hub.challenge"].clone())
        } else {
            (StatusCode::FORBIDDEN, String::new())
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/hook", get(prove))).await.unwrap() });
    url
}

fn name(outcome: &Outcome<()>) -> &'static str {
    match outcome {
        Outcome::Done(()) => "Done",
        Outcome::Refused(_) => "Refused",
        Outcome::NotSent(_) => "NotSent",
        Outcome::Unknown(_) => "Unknown",
    }
}

fn error(outcome: Outcome<()>) -> Error {
    match outcome {
        Outcome::Done(()) => panic!("done"),
        Outcome::Refused(error) | Outcome::NotSent(error) | Outcome::Unknown(error) => error,
    }
}
