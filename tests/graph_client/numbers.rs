//! The calls that change a number: what goes over the wire, and what may be believed of what comes back.

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
use waba_operator::graph::{Client, CodeMethod, Error, Outcome, Timing};

use crate::support::{APP, SECOND_WABA, WABA, World, access, estate_with, timing};

/// Connected.
const CONNECTED: &str = "910001";
/// Verified and not registered.
const VERIFIED: &str = "910002";
/// Not verified.
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

    /// The path behind the version.
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

    /// What of it nobody may see.
    fn secret(self) -> Option<&'static str> {
        match self {
            VerifyCode => Some(CODE),
            Register | SetPin => Some(PIN),
            SetWebhook => Some(VERIFY_TOKEN),
            Add | RequestCode | Deregister | ClearWebhook | WriteProfile => None,
        }
    }

    /// Makes the call; the new ID of an added number is dropped.
    async fn make(self, client: &Client, callback: &str) -> Outcome<()> {
        self.make_with(client, callback, &CODE.into()).await
    }

    async fn make_with(self, client: &Client, callback: &str, code: &SecretString) -> Outcome<()> {
        let (access, pin, word) = (&access(), &PIN.into(), &VERIFY_TOKEN.into());
        match self {
            Add => client.add_number(access, WABA, ("33", "699999999"), "INO Paris").await.map(drop),
            RequestCode => client.request_code(access, WABA, UNVERIFIED, CodeMethod::Sms, "en_US").await,
            VerifyCode => client.verify_code(access, WABA, UNVERIFIED, code).await,
            Register => client.register(access, WABA, VERIFIED, pin).await,
            Deregister => client.deregister(access, WABA, CONNECTED).await,
            SetPin => client.set_pin(access, WABA, CONNECTED, pin).await,
            SetWebhook => client.set_webhook(access, WABA, CONNECTED, callback, word).await,
            ClearWebhook => client.clear_webhook(access, WABA, CONNECTED).await,
            WriteProfile => client.write_profile(access, WABA, CONNECTED, json!({"about": "Here for you"})).await,
        }
    }
}

/// A number at each step of the ladder, and a callback that proves itself.
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

    /// Everything at Meta is as it was in the beginning. To set a new scene takes longer.
    async fn anew(&self) {
        self.world.control.post("reset", json!({"seed": seed()})).await.unwrap();
    }

    async fn make(&self, op: Op) -> Outcome<()> {
        op.make(&self.world.client, &self.callback).await
    }

    /// Sets fields of an object at Meta.
    async fn patch(&self, object: &str, fields: Value) {
        self.world.control.patch(object, fields).await.unwrap();
    }

    /// Has every call to the op's path answered so.
    async fn answer(&self, op: Op, at: &str, action: &Value) {
        self.forget().await;
        self.world.fault(json!({"method": "POST", "path": format!("/{}$", op.path()), at: action})).await;
    }

    /// No more faults, and an empty log.
    async fn forget(&self) {
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

/// A server that knows the verify token; its URL.
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
