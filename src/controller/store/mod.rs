//! The operator's view of one kind: what the watches brought, who claims the same thing, and a way to wake an object.

mod cached;
mod key;
mod packed;
mod watched;

pub use cached::Cached;
pub use key::Key;
pub use watched::Watched;

use std::sync::Arc;

use ahash::{AHashMap, AHashSet};
use futures::channel::mpsc;
use kube::runtime::watcher::Event;
use parking_lot::RwLock;
use smallvec::SmallVec;
use tokio::sync::watch;
use tracing::error;

use crate::api::Kind;
use packed::Packer;
use watched::Parsed;

/// Objects of one kind in one namespace, or in all (`namespace: None`): one watch each.
struct Scope<K: Kind> {
    namespace: Option<String>,
    objects: RwLock<AHashMap<Key, Arc<Cached<K>>>>,
    wake: mpsc::UnboundedSender<Key>,
    /// Whether the first list has come.
    listed: watch::Sender<bool>,
}

/// The write side of one scope, held by its watch.
pub struct ScopeFeed {
    pub(crate) namespace: Option<String>,
    pub(crate) woken: mpsc::UnboundedReceiver<Key>,
    /// What the list that is under way has brought so far.
    listing: AHashSet<Key>,
}

struct Shared<K: Kind> {
    scopes: Vec<Scope<K>>,
    claims: RwLock<Claims<K>>,
    packer: Packer,
}

/// Keys of objects by claim; nearly always one.
struct Claims<K: Kind>(AHashMap<K::Claim, SmallVec<[Key; 1]>>);

impl<K: Kind> Claims<K> {
    fn keys(&self, claim: &K::Claim) -> &[Key] {
        self.0.get(claim).map_or(&[], SmallVec::as_slice)
    }

    fn enter(&mut self, claim: &K::Claim, key: &Key) {
        let keys = self.0.entry(claim.clone()).or_default();
        if !keys.contains(key) {
            keys.push(key.clone());
        }
    }

    fn leave(&mut self, claim: &K::Claim, key: &Key) {
        if let Some(keys) = self.0.get_mut(claim) {
            keys.retain(|claimant| claimant != key);
            if keys.is_empty() {
                self.0.remove(claim);
            }
        }
    }
}

/// All objects of one kind that the operator watches. Cheap to clone.
pub struct Objects<K: Kind>(Arc<Shared<K>>);

impl<K: Kind> Clone for Objects<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// What an event of a watch came to.
pub struct Update<K: Kind> {
    /// New objects, new versions of objects, and those of a list that are not usable.
    pub changed: Vec<Arc<Cached<K>>>,
    /// Objects that are gone.
    pub gone: Vec<Arc<Cached<K>>>,
    /// Objects to reconcile, besides those that compete with the ones that are gone.
    pub due: Vec<Key>,
}

impl<K: Kind> Default for Update<K> {
    fn default() -> Self {
        Self { changed: Vec::new(), gone: Vec::new(), due: Vec::new() }
    }
}

impl<K: Kind> Objects<K> {
    /// An empty view over `namespaces` (none = all), and the feeds that its watches fill.
    #[must_use]
    pub fn new(namespaces: &[String]) -> (Self, Vec<ScopeFeed>) {
        let names: Vec<Option<String>> =
            if namespaces.is_empty() { vec![None] } else { namespaces.iter().cloned().map(Some).collect() };
        let (scopes, feeds) = names
            .into_iter()
            .map(|namespace| {
                let (wake, woken) = mpsc::unbounded();
                let listed = watch::Sender::new(false);
                let scope = Scope { namespace: namespace.clone(), objects: RwLock::default(), wake, listed };
                (scope, ScopeFeed { namespace, woken, listing: AHashSet::new() })
            })
            .unzip();
        (
            Self(Arc::new(Shared { scopes, claims: RwLock::new(Claims(AHashMap::new())), packer: Packer::default() })),
            feeds,
        )
    }

    fn scope(&self, namespace: &str) -> Option<&Scope<K>> {
        self.0.scopes.iter().find(|scope| scope.namespace.as_deref().is_none_or(|watched| watched == namespace))
    }

    /// The object of this name, as it is cached.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<Arc<Cached<K>>> {
        self.scope(key.namespace())?.objects.read().get(key).cloned()
    }

    /// The keys of all objects that claim this thing.
    pub(crate) fn claimant_keys(&self, claim: &K::Claim) -> Vec<Key> {
        self.0.claims.read().keys(claim).to_vec()
    }

    /// Every other object that claims the same thing, in no particular order.
    #[must_use]
    pub fn competitors(&self, object: &K) -> Vec<K> {
        let own = Key::of(object);
        let others = self.claimant_keys(&object.claim()).into_iter().filter(|key| *key != own);
        others.filter_map(|key| self.get(&key)?.object()).collect()
    }

    /// Whether any object claims this thing.
    #[must_use]
    pub fn is_claimed(&self, claim: &K::Claim) -> bool {
        !self.0.claims.read().keys(claim).is_empty()
    }

    /// Whether an object claims this thing for which `counts` says yes.
    #[must_use]
    pub fn is_claimed_by(&self, claim: &K::Claim, counts: impl Fn(&Cached<K>) -> bool) -> bool {
        self.claimant_keys(claim).iter().any(|key| self.get(key).is_some_and(|object| counts(&object)))
    }

    /// The objects for which `wanted` says yes, and that are not the only ones to claim their thing.
    #[must_use]
    pub fn contested(&self, wanted: impl Fn(&Cached<K>) -> bool) -> Vec<K> {
        let claims = self.0.claims.read();
        let keys: Vec<Key> = claims.0.values().filter(|keys| keys.len() > 1).flatten().cloned().collect();
        drop(claims);
        keys.iter().filter_map(|key| self.get(key).filter(|object| object.usable && wanted(object))?.object()).collect()
    }

    /// All objects for which `wanted` says yes, as they are cached. Reads the whole cache: for rare events, not for each
    /// reconcile.
    #[must_use]
    pub fn filter(&self, wanted: impl Fn(&Cached<K>) -> bool) -> Vec<Arc<Cached<K>>> {
        let mut found = Vec::new();
        for scope in &self.0.scopes {
            found.extend(scope.objects.read().values().filter(|object| wanted(object)).cloned());
        }
        found
    }

    /// Reconcile this object soon.
    pub fn wake(&self, key: Key) {
        if let Some(scope) = self.scope(key.namespace()) {
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
        for scope in &self.0.scopes {
            for object in scope.objects.read().values().filter(|object| wanted(object)) {
                // As above.
                let _ = scope.wake.unbounded_send(object.key.clone());
            }
        }
    }

    /// How many objects there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.scopes.iter().map(|scope| scope.objects.read().len()).sum()
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

    /// Takes an event of a watch in.
    pub(crate) fn update(&self, feed: &mut ScopeFeed, event: &Event<Watched<K>>) -> Update<K> {
        match event {
            Event::Apply(object) => {
                let Some(object) = self.put(object) else { return Update::default() };
                // Whoever competes with it for the same thing may have lost, or won.
                let due = self.claimant_keys(&object.claim);
                Update { changed: vec![object], due, ..Update::default() }
            }
            Event::Delete(object) => {
                Update { gone: self.remove(&object.key()).into_iter().collect(), ..Update::default() }
            }
            Event::Init => {
                feed.listing = AHashSet::new();
                Update::default()
            }
            Event::InitApply(object) => {
                feed.listing.insert(object.key());
                let unusable = self.put(object).filter(|object| !object.usable);
                Update { changed: unusable.into_iter().collect(), ..Update::default() }
            }
            Event::InitDone => self.end_of_list(feed),
        }
    }

    /// What was deleted while the watch was away came with no event: the list lacks it. What was changed came with none
    /// either.
    fn end_of_list(&self, feed: &mut ScopeFeed) -> Update<K> {
        let listed = std::mem::take(&mut feed.listing);
        let Some(scope) = self.0.scopes.iter().find(|scope| scope.namespace == feed.namespace) else {
            return Update::default();
        };
        let due: Vec<Key> = scope.objects.read().keys().cloned().collect();
        let (due, gone): (Vec<_>, Vec<_>) = due.into_iter().partition(|key| listed.contains(key));
        let gone = gone.iter().filter_map(|key| self.remove(key)).collect();
        scope.listed.send_replace(true);
        Update { changed: Vec::new(), gone, due }
    }

    fn put(&self, watched: &Watched<K>) -> Option<Arc<Cached<K>>> {
        let key = watched.key();
        let before = self.get(&key);
        let misfit = |error: &serde_json::Error| {
            error!(
                kind = K::NAME,
                object = %key,
                %error,
                "the object does not fit this operator's API, and is left alone; upgrade the operator to the version of its CRDs"
            );
        };
        let cached = match watched.parse(|| before.as_ref()?.object()) {
            Parsed::Object(object) => Cached::new(&object, true, &self.0.packer),
            Parsed::Misfit(object, error) => {
                misfit(&error);
                Cached::new(&object?, false, &self.0.packer)
            }
        };
        let cached = Arc::new(cached.inspect_err(misfit).ok()?);
        let scope = self.scope(key.namespace())?;
        let mut claims = self.0.claims.write();
        if let Some(before) = before.filter(|before| before.claim != cached.claim) {
            claims.leave(&before.claim, &key);
        }
        claims.enter(&cached.claim, &cached.key);
        scope.objects.write().insert(cached.key.clone(), cached.clone());
        Some(cached)
    }

    fn remove(&self, key: &Key) -> Option<Arc<Cached<K>>> {
        let mut claims = self.0.claims.write();
        let object = self.scope(key.namespace())?.objects.write().remove(key)?;
        claims.leave(&object.claim, key);
        Some(object)
    }
}

#[cfg(test)]
mod tests;
