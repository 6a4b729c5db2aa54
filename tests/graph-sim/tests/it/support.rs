//! One small estate, and a caller.

use std::time::Duration;

use graph_sim::{Control, Sim};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::HeaderMap;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use sha2::Sha256;

pub const APP: &str = "100";
pub const SECRET: &str = "app-secret";
pub const APP_TOKEN: &str = "100|app-secret";
pub const TOKEN: &str = "EAAgood";
pub const WABA: &str = "300";
pub const FOREIGN_WABA: &str = "399";
pub const NUMBER: &str = "501";

/// Two apps, a business, two accounts of which the token sees one, three numbers, two templates.
pub fn estate() -> Value {
    json!({
        "apps": [
            {"id": APP, "name": "Ours", "secret": SECRET},
            {"id": "199", "name": "Another", "secret": "other-secret"},
        ],
        "businesses": [{"id": "200", "name": "INO", "verified": true}],
        "accounts": [
            {"id": WABA, "name": "Support", "business": "200", "currency": "EUR"},
            {"id": FOREIGN_WABA, "name": "Somebody else"},
        ],
        "tokens": [
            {"name": "good", "token": TOKEN, "app": APP, "accounts": [WABA], "user_id": "401", "expires_at": "+24h"},
            {"name": "foreign", "token": "EAAforeign", "app": "199"},
            {"name": "bare", "token": "EAAbare", "app": APP, "accounts": [WABA], "scopes": ["whatsapp_business_messaging"]},
        ],
        "numbers": [
            {"id": NUMBER, "account": WABA, "display_phone_number": "+33 6 12 34 56 78", "verified_name": "One",
             "last_onboarded_time": "2026-03-01T00:00:00Z"},
            {"id": "502", "account": WABA, "display_phone_number": "15550783881", "verified_name": "Two",
             "status": "DISCONNECTED", "code_verification_status": "NOT_VERIFIED", "quality_rating": "NA",
             "platform_type": "NOT_APPLICABLE", "last_onboarded_time": "2026-01-01T00:00:00Z"},
            {"id": "503", "account": WABA, "display_phone_number": "+1 631-555-5555", "verified_name": "Three",
             "status": "SOMETHING_NEW", "account_mode": "SANDBOX", "last_onboarded_time": "2026-02-01T00:00:00Z"},
        ],
        "templates": [
            {"id": "601", "account": WABA, "name": "order_shipped", "components": [{"type": "BODY", "text": "Shipped."}]},
            {"id": "602", "account": WABA, "name": "hello_world", "status": "REJECTED", "category": "MARKETING",
             "components": [
                 {"type": "HEADER", "format": "IMAGE", "example": {"header_handle": ["4::handle"]}},
                 {"type": "BODY", "text": "Hello"},
             ]},
        ],
    })
}

/// A running simulator and a caller of it.
pub struct Bench {
    pub sim: Sim,
    pub control: Control,
    pub http: Client,
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Reply {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Code and subcode of a refusal; 0 where there is none.
    pub fn error(&self) -> (i64, i64) {
        let error = &self.body["error"];
        (error["code"].as_i64().unwrap_or(0), error["error_subcode"].as_i64().unwrap_or(0))
    }

    /// The ids of a list.
    pub fn ids(&self) -> Vec<String> {
        ids(&self.body)
    }
}

/// The ids in a list's `data`.
pub fn ids(list: &Value) -> Vec<String> {
    list["data"].as_array().into_iter().flatten().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

impl Bench {
    pub async fn new() -> Self {
        Self::with(estate()).await
    }

    pub async fn with(seed: Value) -> Self {
        let sim = Sim::start(seed).await.unwrap();
        let http = Client::builder().redirect(reqwest::redirect::Policy::none()).user_agent("bench").build().unwrap();
        Self { control: sim.control(), sim, http }
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.sim.url())).timeout(Duration::from_secs(20))
    }

    /// A read with the good token.
    pub async fn get(&self, path: &str) -> Reply {
        self.get_as(TOKEN, path).await
    }

    pub async fn get_as(&self, token: &str, path: &str) -> Reply {
        Self::read(self.request(Method::GET, path).bearer_auth(token)).await
    }

    /// A write with the good token.
    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.post_as(TOKEN, path, body).await
    }

    pub async fn post_as(&self, token: &str, path: &str, body: Value) -> Reply {
        Self::read(self.request(Method::POST, path).bearer_auth(token).json(&body)).await
    }

    /// A number's fields, read by its id.
    pub async fn number(&self, id: &str, fields: &str) -> Value {
        self.get(&format!("/v25.0/{id}?fields={fields}")).await.body
    }

    pub async fn counters(&self, id: &str) -> Value {
        self.control.get(&format!("numbers/{id}/counters")).await.unwrap()
    }

    /// Has a code sent to a number and brings it back.
    pub async fn verify(&self, id: &str) {
        let request = json!({"code_method": "SMS", "language": "en_US"});
        assert_eq!(self.post(&format!("/v25.0/{id}/request_code"), request).await.status, 200);
        let code = self.control.get(&format!("numbers/{id}/code")).await.unwrap()["code"].clone();
        assert_eq!(self.post(&format!("/v25.0/{id}/verify_code"), json!({"code": code})).await.status, 200);
    }

    pub async fn register(&self, id: &str, pin: &str) -> Reply {
        self.post(&format!("/v25.0/{id}/register"), json!({"messaging_product": "whatsapp", "pin": pin})).await
    }

    /// What the last call changed, from the log.
    pub async fn effect(&self) -> Value {
        self.control.calls(0).await.unwrap().last().unwrap()["effect"].clone()
    }

    /// A call without any token.
    pub async fn bare(&self, path: &str) -> Reply {
        Self::read(self.request(Method::GET, path)).await
    }

    pub async fn read(request: RequestBuilder) -> Reply {
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await.unwrap();
        Reply { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
    }

    /// The rules broken so far.
    pub async fn rules(&self) -> Vec<String> {
        let violations = self.control.violations().await.unwrap();
        violations.iter().map(|violation| violation["rule"].as_str().unwrap().to_owned()).collect()
    }
}

/// The proof that goes with a token.
pub fn proof(secret: &str, token: &str) -> String {
    hmac_hex(secret, token.as_bytes())
}

pub fn hmac_hex(secret: &str, message: &[u8]) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap().chain_update(message);
    hex::encode(mac.finalize().into_bytes())
}
