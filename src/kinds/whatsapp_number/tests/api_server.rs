//! What the property tests have in place of an API server: one object and its Secrets, in memory. They play thousands of rows
//! of events, in each of which any write may fail, and in any of which the process may die; `tests/operator/` plays some of
//! them against a real one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    collections::{BTreeMap, VecDeque},
    convert::Infallible,
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::http::{Method, Request, Response};
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Client, Resource, ResourceExt,
    client::Body,
    core::PartialObjectMeta,
    runtime::{
        reflector::{self, Store, store::Writer},
        watcher::Event,
    },
};
use parking_lot::{Mutex, MutexGuard};
use serde::Serialize;
use serde_json::{Value as Json, json};
use tokio::sync::Notify;

use crate::{
    api::WhatsAppNumber,
    controller::testing::NAMESPACE,
    k8s::secrets::{FOR_NUMBER, MANAGED_BY},
    ledger::{Ledger, secret_name},
};

/// The operator's own namespace.
pub const OPERATOR: &str = "waba-system";
/// The digits of the number.
pub const DIGITS: u64 = 33_612_345_678;

/// What becomes of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    Fine,
    /// The API server is away.
    Away,
    /// The operator lacks the right.
    Denied,
    /// The API server writes, and its reply is lost.
    Lost,
    /// The process dies, before or after the API server writes.
    Dies(bool),
}

/// The death of the process.
#[derive(Clone, Default)]
pub struct Death(Arc<(Notify, AtomicBool)>);

impl Death {
    /// The process dies here.
    pub async fn comes<T>(&self) -> T {
        self.0.1.store(true, Ordering::Relaxed);
        self.0.0.notify_one();
        pending().await
    }

    /// Resolves when the process dies.
    pub async fn watch(&self) {
        self.0.0.notified().await;
    }

    /// Whether the process has died since this was last called.
    pub fn has_come(&self) -> bool {
        self.0.1.swap(false, Ordering::Relaxed)
    }
}

/// See the module. Clones share it.
#[derive(Clone)]
pub struct ApiServer {
    state: Arc<Mutex<State>>,
    death: Death,
    /// What a watch of Secrets has seen: it is never late.
    pub seen: Store<PartialObjectMeta<Secret>>,
}

struct State {
    writes: VecDeque<Write>,
    reads_fail: bool,
    failed: bool,
    /// By path.
    objects: BTreeMap<String, Json>,
    version: u64,
    watch: Writer<PartialObjectMeta<Secret>>,
    /// The ledger, before somebody damaged it.
    intact: Option<Json>,
}

impl ApiServer {
    pub fn new(death: Death) -> Self {
        let (seen, watch) = reflector::store();
        let (objects, writes) = (BTreeMap::new(), VecDeque::new());
        let state = State { writes, reads_fail: false, failed: false, objects, version: 0, watch, intact: None };
        Self { state: Arc::new(Mutex::new(state)), death, seen }
    }

    pub fn client(&self) -> Client {
        let server = self.clone();
        Client::new(tower::service_fn(move |request| server.clone().serve(request)), NAMESPACE)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// What becomes of the next writes; further ones are fine.
    pub fn set_writes(&self, writes: Vec<Write>) {
        self.state().writes = writes.into();
    }

    /// Whether the API server is away for reads.
    pub fn set_reads_fail(&self, fail: bool) {
        self.state().reads_fail = fail;
    }

    /// Whether a request has failed since this was last called.
    pub fn has_failed(&self) -> bool {
        std::mem::take(&mut self.state().failed)
    }

    /// A person applies an object; its metadata is then as the API server has it.
    pub fn apply<K: Resource<DynamicType = ()> + Serialize>(&self, object: &mut K) {
        let stored =
            self.state().store(&path::<K>(NAMESPACE, &object.name_any()), serde_json::to_value(&*object).unwrap());
        *object.meta_mut() = serde_json::from_value(stored["metadata"].clone()).unwrap();
    }

    /// The watch brings the finalizers that the object has now.
    pub fn refresh(&self, object: &mut WhatsAppNumber) {
        let metadata = &self.state().objects[&path::<WhatsAppNumber>(NAMESPACE, &object.name_any())]["metadata"];
        object.metadata.finalizers = serde_json::from_value(metadata["finalizers"].clone()).unwrap();
        object.metadata.resource_version = serde_json::from_value(metadata["resourceVersion"].clone()).unwrap();
    }

    /// A person writes a Secret; `own`: it is one that the operator has made for the number.
    pub fn put(&self, (name, key): (&str, &str), value: &str, own: bool) {
        let mut secret = Secret::default();
        secret.metadata.namespace = Some(NAMESPACE.to_owned());
        secret.metadata.name = Some(name.to_owned());
        secret.data = Some(BTreeMap::from([(key.to_owned(), ByteString(value.as_bytes().to_vec()))]));
        if own {
            secret.labels_mut().insert(MANAGED_BY.0.to_owned(), MANAGED_BY.1.to_owned());
            secret.annotations_mut().insert(FOR_NUMBER.to_owned(), DIGITS.to_string());
        }
        self.apply(&mut secret);
    }

    /// A person deletes a Secret.
    pub fn delete(&self, name: &str) {
        self.state().remove(&path::<Secret>(NAMESPACE, name));
    }

    /// The ledger on record, if it can be read.
    pub fn ledger(&self) -> Option<Ledger> {
        let secret = self.state().objects.get(&ledger_path())?.clone();
        let secret: Secret = serde_json::from_value(secret).unwrap();
        serde_json::from_slice(&secret.data?.get("ledger")?.0).ok()
    }

    /// Somebody damages the ledger.
    pub fn damage_ledger(&self) {
        let mut state = self.state();
        if let Some(mut ledger) = state.objects.get(&ledger_path()).filter(|_| state.intact.is_none()).cloned() {
            state.intact = Some(ledger.clone());
            ledger["data"]["ledger"] = json!(ByteString(b"{".to_vec()));
            state.store(&ledger_path(), ledger);
        }
    }

    /// Somebody restores the ledger that was damaged.
    pub fn restore_ledger(&self) {
        let mut state = self.state();
        if let Some(intact) = state.intact.take() {
            state.store(&ledger_path(), intact);
        }
    }

    async fn serve(self, request: Request<Body>) -> Result<Response<Body>, Infallible> {
        let (parts, body) = request.into_parts();
        let body = body.collect_bytes().await.unwrap();
        let body = if body.is_empty() { Json::Null } else { serde_json::from_slice(&body).unwrap() };
        let (write, answer) = self.state().answer(&parts.method, parts.uri.path(), body);
        let failure = |code, reason| {
            (code, json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason}))
        };
        let (code, json) = match (write, answer) {
            (Write::Dies(_), _) => self.death.comes().await,
            (Write::Lost, Ok(_)) => failure(504, "Timeout"),
            (_, Ok(json)) => (200, json),
            (_, Err((code, reason))) => failure(code, reason),
        };
        Ok(Response::builder().status(code).body(Body::from(serde_json::to_vec(&json).unwrap())).unwrap())
    }
}

type Answer = Result<Json, (u16, &'static str)>;

impl State {
    fn answer(&mut self, method: &Method, path: &str, body: Json) -> (Write, Answer) {
        let write = match *method {
            Method::GET if self.reads_fail => Write::Away,
            Method::GET => Write::Fine,
            // Events are written in the background.
            _ if path.ends_with("/events") => Write::Fine,
            _ => self.writes.pop_front().unwrap_or(Write::Fine),
        };
        self.failed |= write != Write::Fine;
        let answer = match write {
            Write::Fine | Write::Lost | Write::Dies(true) => self.carry_out(method, path, body),
            Write::Denied => Err((403, "Forbidden")),
            Write::Away | Write::Dies(false) => Err((503, "ServiceUnavailable")),
        };
        (write, answer)
    }

    fn carry_out(&mut self, method: &Method, path: &str, body: Json) -> Answer {
        if *method == Method::POST {
            let path = format!("{path}/{}", body["metadata"]["name"].as_str().unwrap());
            let exists = self.objects.contains_key(&path);
            return if exists { Err((409, "AlreadyExists")) } else { Ok(self.store(&path, body)) };
        }
        let mut there = self.objects.get(path).cloned().ok_or((404, "NotFound"))?;
        let known = if *method == Method::DELETE { &body["preconditions"] } else { &body["metadata"] };
        for field in ["uid", "resourceVersion"] {
            if !known[field].is_null() && known[field] != there["metadata"][field] {
                return Err((409, "Conflict"));
            }
        }
        Ok(match *method {
            Method::GET => there,
            Method::PUT => self.store(path, body),
            Method::PATCH => {
                merge(&mut there, body);
                self.store(path, there)
            }
            Method::DELETE => self.remove(path).unwrap(),
            _ => panic!("{method} {path}"),
        })
    }

    fn store(&mut self, path: &str, mut object: Json) -> Json {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        if path.contains("/secrets/") {
            self.watch.apply_watcher_event(&Event::Apply(serde_json::from_value(object.clone()).unwrap()));
        }
        self.objects.insert(path.to_owned(), object.clone());
        object
    }

    fn remove(&mut self, path: &str) -> Option<Json> {
        let object = self.objects.remove(path)?;
        self.watch.apply_watcher_event(&Event::Delete(serde_json::from_value(object.clone()).unwrap()));
        Some(object)
    }
}

/// A JSON merge patch.
fn merge(target: &mut Json, patch: Json) {
    let Json::Object(patch) = patch else { return *target = patch };
    for (key, value) in patch {
        if value.is_null() {
            target.as_object_mut().unwrap().remove(&key);
        } else {
            merge(&mut target[key], value);
        }
    }
}

fn path<K: Resource<DynamicType = ()>>(namespace: &str, name: &str) -> String {
    format!("{}/{name}", K::url_path(&(), Some(namespace)))
}

fn ledger_path() -> String {
    path::<Secret>(OPERATOR, &secret_name(DIGITS))
}
