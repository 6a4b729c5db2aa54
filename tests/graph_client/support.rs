//! A simulated Meta with a small seed, and a client that reads it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use graph_sim::{Control, Sim};
use serde_json::{Value, json};
use waba_operator::graph::{Access, AppCredentials, Client, Config, Finished};
use waba_operator::timing::Timing;

pub const APP: &str = "1234567890";
pub const SECRET: &str = "5ecret5ecret5ecret";
pub const OTHER_APP: &str = "1234567891";
pub const OTHER_SECRET: &str = "0ther0ther0ther";
pub const TOKEN: &str = "EAAmaintokenmaintokenmaintoken";
pub const WABA: &str = "102290129340398";
pub const SECOND_WABA: &str = "102290129340399";
pub const VERSION: &str = "v25.0";

/// A finished call as the recorder received it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    pub endpoint: &'static str,
    pub outcome: &'static str,
    pub waba_id: Option<String>,
    pub budget_left: Option<u8>,
    pub odd: u32,
}

/// A simulator with a seed, and a client connected to it.
pub struct World {
    sim: Sim,
    pub control: Control,
    pub client: Client,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl World {
    pub async fn start(seed: Value) -> Self {
        Self::start_with(seed, timing()).await
    }

    pub async fn start_with(seed: Value, timing: Timing) -> Self {
        crate::secrets::watch_the_log();
        let sim = Sim::start(seed).await.unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let client = client(&sim.url(), timing, heard.clone());
        Self { control: sim.control(), client, heard, sim }
    }

    /// Stops the simulator: when this returns, its port refuses connections.
    pub async fn without_meta(self) -> Client {
        let Self { sim, control, client, .. } = self;
        drop(sim);
        while control.get("clock").await.is_ok() {}
        client
    }

    /// The simulator's URL.
    pub fn url(&self) -> String {
        self.sim.url()
    }

    /// The finished calls, in order.
    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    /// Another client of the same Meta, as in a new process.
    pub fn another_client(&self, timing: Timing) -> Client {
        client(&self.sim.url(), timing, Arc::default())
    }

    pub async fn fault(&self, fault: Value) {
        self.control.post("faults", json!([fault])).await.unwrap();
    }

    /// Replaces the reply to the next call whose path matches.
    pub async fn answer_once(&self, path: &str, body: Value) {
        self.fault(json!({"path": path, "times": 1, "before": {"body": body}})).await;
    }

    /// Replaces the reply to the next call whose path matches by an error.
    pub async fn refuse_once(&self, path: &str, status: u16, error: Value) {
        self.fault(json!({"path": path, "times": 1, "before": {"status": status, "body": {"error": error}}})).await;
    }

    pub async fn calls(&self) -> Vec<Value> {
        self.control.calls(0).await.unwrap()
    }

    /// The paths of all calls, without the version.
    pub async fn paths(&self) -> Vec<String> {
        let path = |call: &Value| call["path"].as_str().unwrap().trim_start_matches("/v25.0/").to_owned();
        self.calls().await.iter().map(path).collect()
    }

    /// Checks that there was no careless call.
    pub async fn assert_well_behaved(&self) {
        assert_eq!(self.control.violations().await.unwrap(), Vec::<Value>::new());
    }
}

/// A client for the given URL.
pub fn client_at(url: &str) -> Client {
    client(url, timing(), Arc::default())
}

fn client(url: &str, timing: Timing, heard: Arc<Mutex<Vec<Heard>>>) -> Client {
    let config = Config { base_url: url.parse().unwrap(), user_agent: "waba-operator/test".into(), timing };
    let recorder = move |call: &Finished<'_>| {
        heard.lock().unwrap().push(Heard {
            endpoint: call.endpoint,
            outcome: call.outcome,
            waba_id: call.waba_id.map(str::to_owned),
            budget_left: call.budget_left,
            odd: call.odd,
        });
    };
    Client::new(config, Arc::new(recorder)).unwrap()
}

/// The real limits, with almost no waiting.
pub fn timing() -> Timing {
    Timing {
        retry_pause: Duration::from_millis(1),
        pace_step: Duration::ZERO,
        longest_turn: Duration::from_secs(1),
        ..Timing::default()
    }
}

pub fn app() -> AppCredentials {
    credentials(APP, SECRET)
}

pub fn credentials(app_id: &str, secret: &str) -> AppCredentials {
    AppCredentials { app_id: app_id.into(), app_secret: secret.into() }
}

pub fn access() -> Access {
    access_with(TOKEN)
}

pub fn access_with(token: &str) -> Access {
    Access { app: app(), token: token.into(), version: VERSION.into() }
}

/// Two apps, one business with two accounts, and a token for both. The first account has the given numbers and templates.
pub fn estate(numbers: usize, templates: usize) -> Value {
    json!({
        "apps": [
            {"id": APP, "secret": SECRET, "name": "INO cx WA"},
            {"id": OTHER_APP, "secret": OTHER_SECRET, "name": "Other"},
        ],
        "businesses": [{"id": "500", "name": "INO", "verified": true}],
        "accounts": [
            {"id": WABA, "business": "500", "name": "First", "currency": "EUR"},
            {"id": SECOND_WABA, "business": "500", "name": "Second"},
        ],
        "tokens": [{"name": "main", "token": TOKEN, "app": APP, "accounts": [WABA, SECOND_WABA]}],
        "numbers": (0..numbers).map(|n| json!({
            "id": (900_000 + n).to_string(), "account": WABA, "display_phone_number": format!("+33 6 12 {n:06}"),
            "verified_name": "INO",
        })).collect::<Vec<_>>(),
        "templates": (0..templates).map(|n| json!({
            "id": (700_000 + n).to_string(), "account": WABA, "name": format!("t_{n}"), "language": "en_US",
            "components": [{"type": "BODY", "text": "Hello"}],
        })).collect::<Vec<_>>(),
    })
}

/// A seed in which one list is replaced.
pub fn estate_with(kind: &str, list: Value) -> Value {
    let mut seed = estate(0, 0);
    seed[kind] = list;
    seed
}
