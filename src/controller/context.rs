//! What every reconciler works with.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Client,
    core::PartialObjectMeta,
    runtime::reflector::{ObjectRef, Store},
};

use super::{
    app_reference::{self, AppReference},
    store::{Key, Objects},
    user_secrets::Secrets,
};
use crate::{
    api::{AppKey, MessageTemplate, MetaApp, WhatsAppNumber},
    graph,
    k8s::{events::Events, fingerprint::Fingerprinter, lease::Fence, secrets::OwnedProblem, timeout::ApiError},
    ledger::{LedgerProblem, Ledgers},
    observe::{Inventory, Pollers},
    telemetry::Metrics,
    timing::Timing,
};

/// Shared by the reconcilers of all kinds.
pub struct Context {
    /// Talks to the API server.
    pub client: Client,
    /// Talks to Meta.
    pub graph: graph::Client,
    /// What is known of Meta.
    pub inventory: Arc<Inventory>,
    /// Keeps it up to date.
    pub pollers: Pollers,
    /// The apps.
    pub apps: Objects<MetaApp>,
    /// The numbers.
    pub numbers: Objects<WhatsAppNumber>,
    /// The templates.
    pub templates: Objects<MessageTemplate>,
    /// Labels of namespaces, where the operator watches all of them.
    pub namespaces: Option<Store<PartialObjectMeta<Namespace>>>,
    /// Values of users' Secrets.
    pub secrets: Arc<Secrets>,
    /// What is remembered of each number.
    pub ledgers: Arc<Ledgers>,
    /// Names secrets without showing them.
    pub fingerprints: Fingerprinter,
    /// Whether this process may (still) write to Meta.
    pub fence: Fence,
    /// Tells people.
    pub events: Events,
    /// Counts.
    pub metrics: Metrics,
    /// Every wait.
    pub timing: Timing,
    /// The Graph version for apps that name none.
    pub graph_version: String,
    /// Where applications reach the Graph API, for binding Secrets.
    pub graph_url: String,
}

impl Context {
    /// How an app stands for an object in `namespace`.
    #[must_use]
    pub fn link(&self, key: &AppKey, namespace: &str) -> AppReference {
        let object = self.apps.get(&Key::new(&key.namespace, &key.name));
        if object.as_ref().is_some_and(|object| !object.usable) {
            return AppReference::unreadable(key);
        }
        let labels = self.namespace_labels(namespace);
        app_reference::resolve(object.is_some(), self.inventory.app(key).as_ref(), key, namespace, labels.as_ref())
    }

    /// Whether this process leads. One that was paused finds out here that another one may have gone on meanwhile, from which
    /// point on what it knows is nothing to act on.
    ///
    /// # Errors
    /// When it does not lead, or cannot be sure.
    pub fn leads(&self) -> Result<(), Error> {
        if self.fence.valid_for(Duration::ZERO) { Ok(()) } else { Err(Error::NotLeading) }
    }

    fn namespace_labels(&self, namespace: &str) -> Option<BTreeMap<String, String>> {
        let namespace = self.namespaces.as_ref()?.get(&ObjectRef::new(namespace))?;
        Some(namespace.metadata.labels.clone().unwrap_or_default())
    }
}

/// Why a reconcile failed; it is tried again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The object changed since it was read; the watch brings the newer one.
    #[error("the object changed meanwhile")]
    Stale,
    /// Another process may lead.
    #[error("this process cannot be sure that it leads")]
    NotLeading,
    /// The API server failed or refused.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// One of the operator's own Secrets could not be read or written.
    #[error(transparent)]
    Secret(#[from] OwnedProblem),
    /// A number's ledger could not be read or written.
    #[error(transparent)]
    Ledger(#[from] LedgerProblem),
    /// One step led to the other and back.
    #[error("the steps that follow from what is known do not come to an end")]
    Circle,
}

impl Error {
    /// Whether the object's namespace is being deleted: the object goes too.
    #[must_use]
    pub fn is_namespace_ending(&self) -> bool {
        match self {
            Self::Api(error) | Self::Secret(OwnedProblem::Api(_, error)) => error.is_namespace_ending(),
            Self::Ledger(LedgerProblem::Secret(problem)) => {
                matches!(&**problem, OwnedProblem::Api(_, error) if error.is_namespace_ending())
            }
            _ => false,
        }
    }

    /// Whether nothing is wrong: there is just a newer version to plan on, or somebody else who does.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        match self {
            Self::Stale | Self::NotLeading | Self::Secret(OwnedProblem::Stale(_)) => true,
            Self::Ledger(problem) => problem.is_stale(),
            Self::Secret(_) | Self::Api(_) | Self::Circle => false,
        }
    }
}
