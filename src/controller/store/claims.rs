//! Which objects claim the same thing.

use std::slice;

use ahash::AHashMap;

use super::Key;
use crate::api::Kind;

/// Keys of objects by claim.
pub struct Claims<K: Kind>(AHashMap<K::Claim, Claimants>);

/// Nearly always one.
enum Claimants {
    One(Key),
    Several(Vec<Key>),
}

impl<K: Kind> Default for Claims<K> {
    fn default() -> Self {
        Self(AHashMap::new())
    }
}

impl<K: Kind> Claims<K> {
    /// Who claims this.
    pub fn keys(&self, claim: &K::Claim) -> &[Key] {
        self.0.get(claim).map_or(&[], Claimants::keys)
    }

    /// Who is not the only one with its claim.
    pub fn contested(&self) -> Vec<Key> {
        self.0.values().map(Claimants::keys).filter(|keys| keys.len() > 1).flatten().cloned().collect()
    }

    /// An object claims this.
    pub fn enter(&mut self, claim: &K::Claim, key: &Key) {
        match self.0.get_mut(claim) {
            None => {
                self.0.insert(claim.clone(), Claimants::One(key.clone()));
            }
            Some(claimants) if claimants.keys().contains(key) => {}
            Some(Claimants::Several(keys)) => keys.push(key.clone()),
            Some(claimants) => {
                let keys = claimants.keys().iter().chain([key]).cloned().collect();
                *claimants = Claimants::Several(keys);
            }
        }
    }

    /// An object does not claim this any more.
    pub fn leave(&mut self, claim: &K::Claim, key: &Key) {
        let Some(claimants) = self.0.get_mut(claim) else { return };
        let mut keys = claimants.keys().to_vec();
        keys.retain(|claimant| claimant != key);
        match keys.pop() {
            None => {
                self.0.remove(claim);
            }
            Some(last) if keys.is_empty() => *claimants = Claimants::One(last),
            Some(last) => {
                keys.push(last);
                *claimants = Claimants::Several(keys);
            }
        }
    }
}

impl Claimants {
    fn keys(&self) -> &[Key] {
        match self {
            Self::One(key) => slice::from_ref(key),
            Self::Several(keys) => keys,
        }
    }
}
