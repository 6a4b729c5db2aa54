//! Watches every version of every object of a namespace, and records what breaks the rules.

use std::sync::{Arc, Mutex};

use futures::StreamExt;
use kube::{
    Api, Client, ResourceExt,
    runtime::{WatchStreamExt, watcher},
};
use tokio::task::JoinHandle;
use waba_operator::{
    api::{HISTORY_LIMIT, Kind, ManagedStatus, MessageTemplate, MetaApp, NEVER_OBSERVED, WhatsAppNumber},
    k8s::conditions::check_invariants,
};

#[derive(Default)]
struct Seen {
    /// Every version, as JSON.
    texts: Vec<String>,
    /// Sentences that say what is wrong.
    broken: Vec<String>,
}

/// Watches until it is dropped.
pub struct Witness {
    seen: Arc<Mutex<Seen>>,
    watches: [JoinHandle<()>; 3],
}

impl Witness {
    pub fn of(client: &Client, namespace: &str) -> Self {
        let seen = Arc::default();
        let watches = [
            watch::<MetaApp>(client, namespace, &seen),
            watch::<WhatsAppNumber>(client, namespace, &seen),
            watch::<MessageTemplate>(client, namespace, &seen),
        ];
        Self { seen, watches }
    }

    /// The rules that statuses broke.
    pub fn rule_violations(&self) -> Vec<String> {
        self.seen.lock().unwrap().broken.clone()
    }

    /// Every version of every object, one a line.
    pub fn texts(&self) -> String {
        self.seen.lock().unwrap().texts.join("\n")
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.watches.iter().for_each(JoinHandle::abort);
    }
}

fn watch<K: Kind>(client: &Client, namespace: &str, seen: &Arc<Mutex<Seen>>) -> JoinHandle<()> {
    let api = Api::<K>::namespaced(client.clone(), namespace);
    let seen = seen.clone();
    let objects = watcher(api, watcher::Config::default()).default_backoff().touched_objects();
    tokio::spawn(objects.for_each(move |object| {
        if let Ok(object) = object {
            let mut seen = seen.lock().unwrap();
            seen.broken.extend(rules_broken(&object));
            seen.texts.push(serde_json::to_string(&object).unwrap());
        }
        futures::future::ready(())
    }))
}

fn rules_broken<K: Kind>(object: &K) -> Vec<String> {
    let Some(status) = object.status() else { return vec![format!("{} has no status", object.name_any())] };
    let spec = serde_json::to_value(object).unwrap()["spec"]["deletionPolicy"].clone();
    if object.finalizers().iter().any(|name| name.starts_with("waba.dev/")) && spec != "Deregister" {
        return vec![format!("{} has a finalizer, and nothing of ours is at Meta", object.name_any())];
    }
    let generation = object.meta().generation.unwrap_or_default();
    let observed = status.observed_generation();
    if observed == NEVER_OBSERVED {
        return Vec::new();
    }
    // Until a newer spec is reconciled, the status describes the older one completely.
    let about = if observed < generation { observed } else { generation };
    let mut broken = check_invariants(status.conditions(), observed, about);
    if status.phase().is_none_or(str::is_empty) {
        broken.push("there is no phase".to_owned());
    }
    if status.history().is_empty() || status.history().len() > HISTORY_LIMIT {
        broken.push(format!("the history has {} entries", status.history().len()));
    }
    let object = format!("{} {}", K::kind(&()), object.name_any());
    broken.into_iter().map(|sentence| format!("{object}: {sentence}")).collect()
}
