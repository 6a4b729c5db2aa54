//! The watches that are not of the operator's own kinds: Secrets, as metadata only, and the labels of namespaces.

use futures::{FutureExt, StreamExt, future};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::{
    Api, Client, ResourceExt,
    core::PartialObjectMeta,
    runtime::{
        WatchStreamExt,
        reflector::{self, Store},
        watcher::{self, watcher},
    },
};
use tracing::warn;

use super::{Stop, Tasks};
use crate::{
    api::{MessageTemplate, MetaApp, SecretKeyRef, WhatsAppNumber},
    reconcile::{Objects, Wakers},
};

pub(super) type SecretStores = Vec<(Option<String>, Store<PartialObjectMeta<Secret>>)>;

/// Watches Secrets as metadata, and wakes the apps that use one that changed.
pub(super) fn secrets(
    client: &Client,
    namespaces: &[String],
    apps: &Objects<MetaApp>,
    tasks: &mut Tasks,
) -> SecretStores {
    let scopes = if namespaces.is_empty() { vec![None] } else { namespaces.iter().cloned().map(Some).collect() };
    let watch = |namespace: Option<String>| {
        let api = match &namespace {
            Some(namespace) => Api::<PartialObjectMeta<Secret>>::namespaced(client.clone(), namespace),
            None => Api::all(client.clone()),
        };
        let (store, writer) = reflector::store();
        let apps = apps.clone();
        let touched =
            watcher(api, watcher::Config::default()).modify(strip).default_backoff().reflect(writer).touched_objects();
        tasks.spawn(touched.for_each(move |secret| {
            match secret {
                Ok(secret) => apps.wake_where(|app| {
                    app.object().is_some_and(|app| uses(&app, secret.namespace().as_deref(), &secret.name_any()))
                }),
                Err(error) => warn!(%error, "watch of Secrets failed; trying again"),
            }
            future::ready(())
        }));
        (namespace, store)
    };
    scopes.into_iter().map(watch).collect()
}

/// Only name and version are read.
fn strip<K>(secret: &mut PartialObjectMeta<K>) {
    secret.metadata.managed_fields = None;
    secret.metadata.annotations = None;
    secret.metadata.labels = None;
    secret.metadata.owner_references = None;
}

fn uses(app: &MetaApp, namespace: Option<&str>, secret: &str) -> bool {
    let spec = &app.spec;
    let named = |reference: &SecretKeyRef| reference.name == secret;
    app.namespace().as_deref() == namespace
        && (named(&spec.app_secret_ref)
            || spec.access_token_ref.as_ref().is_some_and(named)
            || secret.strip_suffix("-token") == app.metadata.name.as_deref())
}

/// Watches the labels of namespaces, on which `allowedNamespaces` may depend.
pub(super) fn namespaces(client: &Client, wake: &Wakers, tasks: &mut Tasks) -> Store<PartialObjectMeta<Namespace>> {
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
                    wake.numbers.wake_where(|number| number.namespace() == name);
                    wake.templates.wake_where(|template| template.namespace() == name);
                }
                Err(error) => warn!(%error, "watch of namespaces failed; trying again"),
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
