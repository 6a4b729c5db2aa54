//! The operator's view of one kind: what the watches brought, who claims the same thing, and a way to wake an object.

mod cached;

pub use cached::{Cached, Key};

use std::sync::Arc;

use ahash::AHashMap;
use futures::channel::mpsc;
use kube::{
    ResourceExt,
    runtime::{
        reflector::{ObjectRef, Store, store::Writer},
        watcher::Event,
    },
};
use parking_lot::RwLock;
use tokio::sync::watch;

use crate::api::Kind;

/// Objects of one kind in one namespace, or in all (`namespace: None`): one watch each.
struct Scope<K: Kind> {
    namespace: Option<String>,
    store: Store<Cached<K>>,
    wake: mpsc::UnboundedSender<Key<K>>,
    /// Whether the first list has come. The store's own `wait_until_ready` wakes only one of those who wait for it.
    listed: watch::Sender<bool>,
}

/// The write side of one scope, held by its watch.
pub struct ScopeFeed<K: Kind> {
    pub(crate) namespace: Option<String>,
    pub(crate) writer: Writer<Cached<K>>,
    pub(crate) woken: mpsc::UnboundedReceiver<Key<K>>,
}

struct Shared<K: Kind> {
    scopes: Vec<Scope<K>>,
    claims: RwLock<AHashMap<K::Claim, Vec<Key<K>>>>,
}

/// All objects of one kind that the operator watches. Cheap to clone.
pub struct Objects<K: Kind>(Arc<Shared<K>>);

impl<K: Kind> Clone for Objects<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K: Kind> Objects<K> {
    /// An empty view over `namespaces` (none = all), and the feeds that its watches fill.
    #[must_use]
    pub fn new(namespaces: &[String]) -> (Self, Vec<ScopeFeed<K>>) {
        let names: Vec<Option<String>> =
            if namespaces.is_empty() { vec![None] } else { namespaces.iter().cloned().map(Some).collect() };
        let (scopes, feeds) = names
            .into_iter()
            .map(|namespace| {
                let writer = Writer::<Cached<K>>::default();
                let (wake, woken) = mpsc::unbounded();
                let listed = watch::Sender::new(false);
                let scope = Scope { namespace: namespace.clone(), store: writer.as_reader(), wake, listed };
                (scope, ScopeFeed { namespace, writer, woken })
            })
            .unzip();
        (Self(Arc::new(Shared { scopes, claims: RwLock::default() })), feeds)
    }

    fn scope(&self, namespace: Option<&str>) -> Option<&Scope<K>> {
        self.0.scopes.iter().find(|s| s.namespace.is_none() || s.namespace.as_deref() == namespace)
    }

    fn get(&self, key: &Key<K>) -> Option<Arc<Cached<K>>> {
        self.scope(key.namespace.as_deref())?.store.get(key)
    }

    /// Whether there is an object of this name.
    #[must_use]
    pub fn exists(&self, key: &Key<K>) -> bool {
        self.get(key).is_some()
    }

    /// The keys of all objects that claim this thing.
    pub(crate) fn claimant_keys(&self, claim: &K::Claim) -> Vec<Key<K>> {
        self.0.claims.read().get(claim).cloned().unwrap_or_default()
    }

    /// Every other object that claims the same thing, in no particular order.
    #[must_use]
    pub fn competitors(&self, object: &K) -> Vec<K> {
        let own: Key<K> = ObjectRef::new(&object.name_any()).within(&object.namespace().unwrap_or_default());
        let others = self.claimant_keys(&object.claim()).into_iter().filter(|key| *key != own);
        others.filter_map(|key| self.get(&key)?.object()).collect()
    }

    /// Whether any object claims this thing.
    #[must_use]
    pub fn is_claimed(&self, claim: &K::Claim) -> bool {
        self.0.claims.read().contains_key(claim)
    }

    /// All objects that are not the only ones to claim their thing.
    #[must_use]
    pub fn contested(&self) -> Vec<K> {
        let claims = self.0.claims.read();
        let keys = claims.values().filter(|keys| keys.len() > 1).flatten();
        keys.filter_map(|key| self.get(key)?.object()).collect()
    }

    /// All objects for which `wanted` says yes, as they are cached. Reads the whole cache: for rare events, not for each
    /// reconcile.
    #[must_use]
    pub fn filter(&self, wanted: impl Fn(&Cached<K>) -> bool) -> Vec<Arc<Cached<K>>> {
        self.0.scopes.iter().flat_map(|s| s.store.state_filter(&wanted)).collect()
    }

    /// Reconcile this object soon.
    pub fn wake(&self, key: Key<K>) {
        if let Some(scope) = self.scope(key.namespace.as_deref()) {
            // The receiver goes only when the operator ends.
            let _ = scope.wake.unbounded_send(key);
        }
    }

    /// Reconcile every object that claims this thing.
    pub fn enqueue_claimants(&self, claim: &K::Claim) {
        self.claimant_keys(claim).into_iter().for_each(|key| self.wake(key));
    }

    /// Reconcile all objects for which `wanted` says yes.
    pub fn enqueue_where(&self, wanted: impl Fn(&Cached<K>) -> bool) {
        for object in self.filter(wanted) {
            self.wake(object.key());
        }
    }

    /// How many objects there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.scopes.iter().map(|s| s.store.len()).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Resolves when the first list of every scope has come.
    pub async fn synced(&self) {
        for scope in &self.0.scopes {
            // The sender lives in the scope: there is no error.
            let _ = scope.listed.subscribe().wait_for(|listed| *listed).await;
        }
    }

    /// Keeps the claims in step with the watch of `namespace`; call it after the store has taken the event.
    pub(crate) fn index(&self, namespace: Option<&str>, event: &Event<Cached<K>>) {
        match event {
            Event::Apply(object) => self.enter(object),
            Event::Delete(object) => self.leave(object),
            Event::InitDone => {
                self.index_again(namespace);
                if let Some(scope) = self.scope(namespace) {
                    scope.listed.send_replace(true);
                }
            }
            Event::Init | Event::InitApply(_) => {}
        }
    }

    fn enter(&self, object: &Cached<K>) {
        let key = object.key();
        let mut claims = self.0.claims.write();
        let keys = claims.entry(object.claim.clone()).or_insert_with(|| Vec::with_capacity(1));
        if !keys.contains(&key) {
            keys.push(key);
        }
    }

    fn leave(&self, object: &Cached<K>) {
        let mut claims = self.0.claims.write();
        if let Some(keys) = claims.get_mut(&object.claim) {
            let key = object.key();
            keys.retain(|k| *k != key);
            if keys.is_empty() {
                claims.remove(&object.claim);
            }
        }
    }

    /// After a fresh list: what was deleted while the watch was away came with no event.
    fn index_again(&self, namespace: Option<&str>) {
        let mut claims = self.0.claims.write();
        for keys in claims.values_mut() {
            keys.retain(|key| namespace.is_some() && key.namespace.as_deref() != namespace);
        }
        if let Some(scope) = self.scope(namespace) {
            for object in scope.store.state() {
                claims.entry(object.claim.clone()).or_insert_with(|| Vec::with_capacity(1)).push(object.key());
            }
        }
        claims.retain(|_, keys| !keys.is_empty());
    }
}

#[cfg(test)]
mod tests;
