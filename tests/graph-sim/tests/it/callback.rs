//! A customer's server, as far as Meta sees it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::routing::get;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// Records what it receives, and replies as configured. It knows the verify token `secret-word`.
#[derive(Clone, Default)]
pub struct Callback {
    pub inbox: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
    pub refusing: Arc<Mutex<u32>>,
    pub arrived: Arc<Notify>,
    /// The paths on which Meta sent a verification request.
    pub asked: Arc<Mutex<Vec<String>>>,
    pub url: String,
}

pub const WORD: &str = "secret-word";

async fn take(State(callback): State<Callback>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let mut refusing = callback.refusing.lock().unwrap();
    let status = if *refusing > 0 {
        *refusing -= 1;
        StatusCode::INTERNAL_SERVER_ERROR
    } else {
        callback.inbox.lock().unwrap().push((headers, body));
        StatusCode::OK
    };
    callback.arrived.notify_one();
    status
}

async fn prove(
    State(callback): State<Callback>,
    uri: Uri,
    Query(query): Query<HashMap<String, String>>,
) -> (StatusCode, String) {
    callback.asked.lock().unwrap().push(uri.path().to_owned());
    if query["hub.mode"] == "subscribe" && query["hub.verify_token"] == WORD {
        (StatusCode::OK, query["hub.challenge"].clone())
    } else {
        (StatusCode::FORBIDDEN, "no".to_owned())
    }
}

async fn wrong() -> &'static str {
    "OK"
}

impl Callback {
    /// `/hook` and everything below replies with the challenge; `/wrong` replies with something else.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let callback = Self { url, ..Self::default() };
        let router = Router::new()
            .route("/hook", get(prove).post(take))
            .route("/hook/{*rest}", get(prove).post(take))
            .route("/wrong", get(wrong))
            .with_state(callback.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        callback
    }

    /// Another path on the same server.
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url.strip_suffix("/hook").unwrap())
    }

    /// Waits for so many deliveries and returns all there are.
    pub async fn received(&self, count: usize) -> Vec<(HeaderMap, Bytes)> {
        loop {
            let inbox = self.inbox.lock().unwrap().clone();
            if inbox.len() >= count {
                return inbox;
            }
            self.arrived.notified().await;
        }
    }

    /// The entries of so many deliveries.
    pub async fn entries(&self, count: usize) -> Vec<Value> {
        let received = self.received(count).await;
        let parse = |bytes: &Bytes| serde_json::from_slice::<Value>(bytes).unwrap()["entry"][0].clone();
        received.iter().map(|(_, body)| parse(body)).collect()
    }

    pub async fn changes(&self, count: usize) -> Vec<Value> {
        self.entries(count).await.iter().map(|entry| entry["changes"][0].clone()).collect()
    }
}
