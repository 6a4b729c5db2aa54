//! Values of users' Secrets. The watch brings metadata only; a value is read when its Secret is new or changed, and kept
//! for as long as it is not.

use std::sync::Arc;

use ahash::AHashMap;
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Client, ResourceExt,
    core::PartialObjectMeta,
    runtime::reflector::{ObjectRef, Store},
};
use parking_lot::Mutex;

use crate::{
    api::SecretKeyRef,
    k8s::secrets::{SecretProblem, SecretValue, Unusable, read_key},
};

/// What one key of a Secret held at one version of the Secret.
struct Read {
    version: String,
    value: Result<SecretValue, Arc<SecretProblem>>,
}

/// See the module.
pub struct Secrets {
    client: Client,
    stores: Vec<(Option<String>, Store<PartialObjectMeta<Secret>>)>,
    read: Mutex<AHashMap<(String, SecretKeyRef), Read>>,
}

impl Secrets {
    /// Over the watches of these namespaces (`None`: all).
    #[must_use]
    pub fn new(client: Client, stores: Vec<(Option<String>, Store<PartialObjectMeta<Secret>>)>) -> Self {
        Self { client, stores, read: Mutex::default() }
    }

    /// The version of a Secret that the watch last saw; `None` where there is no such Secret.
    #[must_use]
    pub fn version(&self, namespace: &str, name: &str) -> Option<String> {
        let (_, store) = self.stores.iter().find(|(scope, _)| scope.as_deref().is_none_or(|s| s == namespace))?;
        store.get(&ObjectRef::new(name).within(namespace))?.resource_version()
    }

    /// The value under a key.
    ///
    /// # Errors
    /// [`SecretProblem`]; those that a change of the Secret ends are remembered until it changes.
    pub async fn get(&self, namespace: &str, key: &SecretKeyRef) -> Result<SecretValue, Arc<SecretProblem>> {
        let Some(version) = self.version(namespace, &key.name) else {
            return Err(Arc::new(SecretProblem {
                namespace: namespace.to_owned(),
                name: key.name.clone(),
                foreign: false,
                problem: Unusable::Missing { key: key.key.clone() },
            }));
        };
        let place = (namespace.to_owned(), key.clone());
        if let Some(read) = self.read.lock().get(&place).filter(|read| read.version == version) {
            return read.value.clone();
        }
        let value = read_key(&self.client, namespace, &key.name, &key.key).await.map_err(Arc::new);
        match &value {
            Err(problem) if matches!(problem.problem, Unusable::Unreadable(_)) => {}
            _ => {
                self.read.lock().insert(place, Read { version, value: value.clone() });
            }
        }
        value
    }
}
