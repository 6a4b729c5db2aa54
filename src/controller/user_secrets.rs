//! Values of users' Secrets. The watch brings metadata only; a value is read when its Secret is new or changed, and kept
//! for as long as it is not.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

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
    timing,
};

/// What a Secret held at one version, as far as it was read.
struct Read {
    version: String,
    values: AHashMap<String, Result<SecretValue, Arc<SecretProblem>>>,
}

/// See the module.
pub struct Secrets {
    client: Client,
    stores: Vec<(Option<String>, Store<PartialObjectMeta<Secret>>)>,
    /// By namespace and name.
    read: Mutex<AHashMap<(String, String), Read>>,
    /// When Secrets were deleted lately. Tools that write Secrets from a store delete and create them again at times.
    deleted: Mutex<AHashMap<(String, String), Instant>>,
}

/// After this, nobody asks any more when a Secret was deleted.
const DELETED_LATELY: Duration = Duration::from_mins(1);
/// With so many deleted Secrets, those of earlier are forgotten.
const DELETED_AT_ONCE: usize = 128;

impl Secrets {
    /// Over the watches of these namespaces (`None`: all).
    #[must_use]
    pub fn new(client: Client, stores: Vec<(Option<String>, Store<PartialObjectMeta<Secret>>)>) -> Self {
        Self { client, stores, read: Mutex::default(), deleted: Mutex::default() }
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
        let place = (namespace.to_owned(), key.name.clone());
        if let Some(value) = self
            .read
            .lock()
            .get(&place)
            .filter(|read| read.version == version)
            .and_then(|read| read.values.get(&key.key))
        {
            return value.clone();
        }
        let value = read_key(&self.client, namespace, &key.name, &key.key).await.map_err(Arc::new);
        let is_lasting = !matches!(&value, Err(problem) if matches!(problem.problem, Unusable::Unreadable(_)));
        // One that changed or went meanwhile is not kept: its event may have come already.
        if is_lasting && self.version(namespace, &key.name).as_ref() == Some(&version) {
            self.keep(place, version, &key.key, value.clone());
        }
        value
    }

    fn keep(
        &self,
        place: (String, String),
        version: String,
        key: &str,
        value: Result<SecretValue, Arc<SecretProblem>>,
    ) {
        let mut read = self.read.lock();
        let read = read.entry(place).or_insert_with(|| Read { version: version.clone(), values: AHashMap::new() });
        if read.version != version {
            *read = Read { version, values: AHashMap::new() };
        }
        read.values.insert(key.to_owned(), value);
    }

    /// The watch brought a Secret, or its end: values of another version are dropped from memory.
    pub fn notice(&self, namespace: &str, name: &str) {
        let place = (namespace.to_owned(), name.to_owned());
        if self.version(namespace, name).is_none() {
            self.note_deleted(place.clone(), timing::now());
        }
        let mut read = self.read.lock();
        if read.get(&place).is_some_and(|read| self.version(namespace, name).as_ref() != Some(&read.version)) {
            read.remove(&place);
        }
    }

    fn note_deleted(&self, place: (String, String), now: Instant) {
        let mut deleted = self.deleted.lock();
        if deleted.len().is_multiple_of(DELETED_AT_ONCE) {
            deleted.retain(|_, at| now.saturating_duration_since(*at) < DELETED_LATELY);
        }
        deleted.insert(place, now);
    }

    /// How long a Secret that was deleted a moment ago may still come back before that is news: the rest of `gap`.
    #[must_use]
    pub fn may_come_back(&self, namespace: &str, name: &str, gap: Duration) -> Option<Duration> {
        let deleted = *self.deleted.lock().get(&(namespace.to_owned(), name.to_owned()))?;
        let left = (deleted + gap).saturating_duration_since(timing::now());
        (!left.is_zero()).then_some(left)
    }

    /// The same for all Secrets: what changed while the watch was away came with no event of its own.
    pub fn notice_all(&self) {
        let is_current = |(namespace, name): &(String, String), read: &mut Read| {
            self.version(namespace, name).as_ref() == Some(&read.version)
        };
        self.read.lock().retain(is_current);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::convert::Infallible;

    use kube::{
        client::Body,
        runtime::{reflector, watcher::Event},
    };
    use secrecy::ExposeSecret;
    use serde_json::json;

    use super::*;
    use crate::k8s::secrets::MANAGED_BY;

    fn secret(version: &str) -> PartialObjectMeta<Secret> {
        let metadata = kube::api::ObjectMeta {
            namespace: Some("cc".to_owned()),
            name: Some("pin".to_owned()),
            resource_version: Some(version.to_owned()),
            ..kube::api::ObjectMeta::default()
        };
        PartialObjectMeta { metadata, ..PartialObjectMeta::default() }
    }

    /// Values of deleted and changed Secrets do not stay in memory.
    #[tokio::test]
    async fn values_are_kept_only_as_long_as_their_secret() {
        let client = Client::try_from(kube::Config::new("http://127.0.0.1:9".parse().unwrap())).unwrap();
        let (store, mut writer) = reflector::store();
        let secrets = Secrets::new(client, vec![(None, store)]);
        let problem = || {
            Err(Arc::new(SecretProblem {
                namespace: "cc".to_owned(),
                name: "pin".to_owned(),
                foreign: false,
                problem: Unusable::Missing { key: "pin".to_owned() },
            }))
        };
        let kept = || secrets.read.lock().len();
        let place = || ("cc".to_owned(), "pin".to_owned());
        for (reason, event, all, expected) in [
            ("the Secret is as it was", Event::Apply(secret("1")), false, 1),
            ("the Secret changed", Event::Apply(secret("2")), false, 0),
            ("the Secret was deleted", Event::Delete(secret("1")), false, 0),
            ("the Secret was deleted while the watch was away", Event::Delete(secret("1")), true, 0),
        ] {
            writer.apply_watcher_event(&Event::Apply(secret("1")));
            secrets.keep(place(), "1".to_owned(), "pin", problem());
            writer.apply_watcher_event(&event);
            if all {
                secrets.notice_all();
            } else {
                secrets.notice("cc", "pin");
            }
            assert_eq!(kept(), expected, "{reason}");
        }
    }

    #[tokio::test]
    async fn a_secret_that_was_deleted_a_moment_ago_may_come_back() {
        let client = Client::try_from(kube::Config::new("http://127.0.0.1:9".parse().unwrap())).unwrap();
        let (store, mut writer) = reflector::store();
        let secrets = Secrets::new(client, vec![(None, store)]);
        let left = |gap| secrets.may_come_back("cc", "pin", Duration::from_secs(gap));
        assert_eq!(left(10), None, "it was never there");
        writer.apply_watcher_event(&Event::Apply(secret("1")));
        secrets.notice("cc", "pin");
        assert_eq!(left(10), None, "it is there");
        writer.apply_watcher_event(&Event::Delete(secret("1")));
        secrets.notice("cc", "pin");
        assert!(left(10).is_some_and(|left| left > Duration::from_secs(5)));
        assert_eq!(left(0), None, "the gap is over");
        assert_eq!(secrets.may_come_back("cc", "other", Duration::from_secs(10)), None);
    }

    /// The view of a namespace with one Secret `ino-cx-token`, whose key `live` holds `EAA`.
    fn labelled(labels: &serde_json::Value) -> Secrets {
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
        let own = labelled(&json!({MANAGED_BY.0: MANAGED_BY.1}));
        for _ in 0..2 {
            let problem = own.get("meta", &reference).await.unwrap_err().to_string();
            assert!(problem.contains("is one of the operator's own") && !problem.contains("EAA"), "{problem}");
            assert!(problem.contains("kubectl -n meta create secret generic"), "{problem}");
        }
        let kept = own.get_also_own("meta", &reference).await.unwrap();
        assert_eq!(kept.value.expose_secret(), "EAA", "a generated PIN is the number's own");
        let users = labelled(&json!({})).get("meta", &reference).await.unwrap();
        assert_eq!(users.value.expose_secret(), "EAA");
    }
}
