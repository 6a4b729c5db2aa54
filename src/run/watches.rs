//! The watches that are not of the operator's own kinds: Secrets, as metadata only, and the labels of namespaces.

use std::sync::{Arc, OnceLock};

use futures::{FutureExt, StreamExt, future};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::{
    Api, Client, ResourceExt,
    core::PartialObjectMeta,
    runtime::{
        WatchStreamExt,
        reflector::{self, Store},
        watcher::{self, Event, watcher},
    },
};
use tracing::warn;

use super::tasks::{Stop, Tasks};
use crate::{
    api::{MessageTemplate, MetaApp, WhatsAppNumber},
    controller::{NumberClaim, Objects, Secrets, Triggers},
    kinds::Bindings,
    ledger::{Ledgers, PREFIX},
};

pub(super) type SecretStores = Vec<(Option<String>, Store<PartialObjectMeta<Secret>>)>;

/// Watches Secrets as metadata, in the operator's own namespace too, and enqueues the objects that name one that changed.
pub(super) fn secrets(
    client: &Client,
    namespaces: &[String],
    own: &str,
    wake: &Triggers,
    tasks: &mut Tasks,
) -> (SecretStores, Changed) {
    let mut scopes: Vec<Option<String>> = namespaces.iter().cloned().map(Some).collect();
    if scopes.is_empty() {
        scopes.push(None);
    } else if !namespaces.iter().any(|namespace| namespace == own) {
        scopes.push(Some(own.to_owned()));
    }
    let changed = Changed { own: own.to_owned(), wake: wake.clone(), known: Arc::default() };
    let watch = |namespace: Option<String>| {
        let api = match &namespace {
            Some(namespace) => Api::<PartialObjectMeta<Secret>>::namespaced(client.clone(), namespace),
            None => Api::all(client.clone()),
        };
        let (store, writer) = reflector::store();
        let changed = changed.clone();
        let events = watcher(api, watcher::Config::default()).modify(strip).default_backoff().reflect(writer);
        tasks.spawn(events.for_each(move |event| {
            match event {
                Ok(Event::Apply(secret)) => changed.notify(&secret, false),
                Ok(Event::Delete(secret)) => changed.notify(&secret, true),
                // Changes during a gap of the watch come without events.
                Ok(Event::InitDone) => changed.notify_all(),
                Ok(Event::Init | Event::InitApply(_)) => {}
                Err(error) => warn!(%error, "watch of Secrets failed; retrying"),
            }
            future::ready(())
        }));
        (namespace, store)
    };
    let stores = scopes.into_iter().map(watch).collect();
    (stores, changed)
}

/// Enqueues the objects that name a Secret.
#[derive(Clone)]
pub(super) struct Changed {
    own: String,
    wake: Triggers,
    known: Arc<OnceLock<OwnSecrets>>,
}

/// What this process knows of its own Secrets.
struct OwnSecrets {
    ledgers: Arc<Ledgers>,
    bindings: Arc<Bindings>,
    /// Values of users' Secrets.
    values: Arc<Secrets>,
}

impl Changed {
    /// From now on, this process's own writes to ledgers enqueue nothing, a deleted binding Secret is not taken for one that the
    /// watch has not shown yet, and values of Secrets that change or go are dropped from memory.
    pub(super) fn knows(&self, ledgers: Arc<Ledgers>, bindings: Arc<Bindings>, values: Arc<Secrets>) {
        // Set once.
        let _ = self.known.set(OwnSecrets { ledgers, bindings, values });
    }

    fn notify(&self, secret: &PartialObjectMeta<Secret>, gone: bool) {
        let (namespace, name) = (secret.namespace(), secret.name_any());
        let digits = name.strip_prefix(PREFIX).and_then(|digits| digits.parse::<u64>().ok());
        if let Some(digits) = digits.filter(|_| namespace.as_deref() == Some(self.own.as_str())) {
            let version = secret.resource_version().filter(|_| !gone);
            let news = self.known.get().is_none_or(|known| known.ledgers.notice(digits, version.as_deref()));
            if news {
                self.wake.numbers.enqueue_claimants(&NumberClaim::of(digits));
            }
        }
        if let Some(known) = self.known.get() {
            let namespace = namespace.as_deref().unwrap_or_default();
            known.values.notice(namespace, &name);
            if gone {
                known.bindings.forget(namespace, &name);
            }
        }
        self.wake.apps.enqueue_where(|app| app.looks_at(namespace.as_deref(), &name));
        self.wake.numbers.enqueue_where(|number| number.looks_at(namespace.as_deref(), &name));
    }

    fn notify_all(&self) {
        if let Some(known) = self.known.get() {
            known.values.notice_all();
        }
        self.wake.apps.enqueue_where(|_| true);
        self.wake.numbers.enqueue_where(|number| !number.secrets.is_empty());
    }
}

/// Only name and version are read.
fn strip<K>(secret: &mut PartialObjectMeta<K>) {
    secret.metadata.managed_fields = None;
    secret.metadata.annotations = None;
    secret.metadata.labels = None;
    secret.metadata.owner_references = None;
}

/// Watches the labels of namespaces, on which `allowedNamespaces` may depend.
pub(super) fn namespaces(client: &Client, wake: &Triggers, tasks: &mut Tasks) -> Store<PartialObjectMeta<Namespace>> {
    let (store, writer) = reflector::store();
    let wake = wake.clone();
    let labels = watcher(Api::<PartialObjectMeta<Namespace>>::all(client.clone()), watcher::Config::default())
        .modify(|namespace| {
            namespace.metadata.managed_fields = None;
            namespace.metadata.annotations = None;
        })
        .default_backoff()
        .reflect(writer)
        .touched_objects()
        .for_each(move |namespace| {
            match namespace.map(|namespace| namespace.metadata.name) {
                Ok(name) => {
                    wake.numbers.enqueue_where(|number| Some(number.key.namespace()) == name.as_deref());
                    wake.templates.enqueue_where(|template| Some(template.key.namespace()) == name.as_deref());
                }
                Err(error) => warn!(%error, "watch of namespaces failed; retrying"),
            }
            future::ready(())
        });
    tasks.spawn(labels);
    store
}

/// Resolves when the first list of everything that is watched has come.
pub(super) fn synced(
    apps: &Objects<MetaApp>,
    numbers: &Objects<WhatsAppNumber>,
    templates: &Objects<MessageTemplate>,
    secrets: &SecretStores,
    namespaces: Option<Store<PartialObjectMeta<Namespace>>>,
) -> Stop {
    let (apps, numbers, templates) = (apps.clone(), numbers.clone(), templates.clone());
    let secrets: Vec<_> = secrets.iter().map(|(_, store)| store.clone()).collect();
    async move {
        apps.synced().await;
        numbers.synced().await;
        templates.synced().await;
        for store in secrets {
            // An error means that the operator is ending.
            let _ = store.wait_until_ready().await;
        }
        if let Some(store) = namespaces {
            let _ = store.wait_until_ready().await;
        }
    }
    .boxed()
    .shared()
}
