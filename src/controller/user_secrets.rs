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

    /// The value under a key of a Secret that a person names. One of the operator's own is refused: whoever may name a
    /// Secret in an object must not get what the operator keeps in its own sent to a place of their choice.
    ///
    /// # Errors
    /// [`SecretProblem`]; those that a change of the Secret ends are remembered until it changes.
    pub async fn get(&self, namespace: &str, key: &SecretKeyRef) -> Result<SecretValue, Arc<SecretProblem>> {
        let value = self.get_also_own(namespace, key).await?;
        if value.ours {
            return Err(Arc::new(SecretProblem {
                namespace: namespace.to_owned(),
                name: key.name.clone(),
                foreign: false,
                problem: Unusable::Reserved { key: key.key.clone() },
            }));
        }
        Ok(value)
    }

    /// The value under a key, also where the Secret is the operator's own.
    ///
    /// # Errors
    /// [`SecretProblem`]; those that a change of the Secret ends are remembered until it changes.
    pub async fn get_also_own(&self, namespace: &str, key: &SecretKeyRef) -> Result<SecretValue, Arc<SecretProblem>> {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::convert::Infallible;

    use kube::{
        client::Body,
        runtime::{reflector, watcher::Event},
    };
    use secrecy::ExposeSecret;
    use serde_json::json;

    use super::*;
    use crate::k8s::secrets::MANAGED_BY;

    /// The view of a namespace with one Secret `ino-cx-token`, whose key `live` holds `EAA`.
    fn secrets(labels: &serde_json::Value) -> Secrets {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "data": {"live": "RUFB"},
            "metadata": {"name": "ino-cx-token", "namespace": "meta", "resourceVersion": "7", "labels": labels},
        });
        let (store, mut writer) = reflector::store();
        let seen: PartialObjectMeta<Secret> = serde_json::from_value(secret.clone()).unwrap();
        writer.apply_watcher_event(&Event::Apply(seen));
        let answer = secret.to_string();
        let service = tower::service_fn(move |_: axum::http::Request<Body>| {
            let answer = axum::http::Response::new(Body::from(answer.clone().into_bytes()));
            async { Ok::<_, Infallible>(answer) }
        });
        Secrets::new(Client::new(service, "meta"), vec![(None, store)])
    }

    #[tokio::test]
    async fn no_object_reads_the_operators_own_secrets() {
        let reference = SecretKeyRef { name: "ino-cx-token".to_owned(), key: "live".to_owned() };
        let own = secrets(&json!({MANAGED_BY.0: MANAGED_BY.1}));
        for _ in 0..2 {
            let problem = own.get("meta", &reference).await.unwrap_err().to_string();
            assert!(problem.contains("is one of the operator's own") && !problem.contains("EAA"), "{problem}");
            assert!(problem.contains("kubectl -n meta create secret generic"), "{problem}");
        }
        let kept = own.get_also_own("meta", &reference).await.unwrap();
        assert_eq!(kept.value.expose_secret(), "EAA", "a generated PIN is the number's own");
        let users = secrets(&json!({})).get("meta", &reference).await.unwrap();
        assert_eq!(users.value.expose_secret(), "EAA");
    }
}
