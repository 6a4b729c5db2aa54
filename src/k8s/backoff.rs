//! Per-object backoff: an object that fails delays no other.

use std::{collections::HashMap, hash::Hash, time::Duration};

use ahash::RandomState;
use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use parking_lot::Mutex;

/// The longest wait.
const LONGEST: Duration = Duration::from_mins(5);

/// The waits of objects that failed. Only they take room, until they succeed or are deleted.
#[derive(Debug)]
pub struct Backoff<K>(Mutex<HashMap<K, ExponentialBackoff, RandomState>>);

impl<K> Default for Backoff<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash + Clone> Backoff<K> {
    /// The object failed once more: how long it waits. From half a second to a second after the first failure, and twice as
    /// long after each further one; at most five minutes.
    pub fn failed(&self, object: &K) -> Duration {
        let mut waits = self.0.lock();
        let waits = waits.entry(object.clone()).or_insert_with(|| {
            // Jitter adds up to as much again, so that objects that failed together do not come back together.
            ExponentialBuilder::default()
                .with_min_delay(Duration::from_millis(500))
                .with_max_delay(LONGEST / 2)
                .without_max_times()
                .with_jitter()
                .build()
        });
        waits.next().unwrap_or(LONGEST)
    }

    /// The object succeeded, or is gone: its failures are forgotten.
    pub fn reset(&self, object: &K) {
        self.0.lock().remove(object);
    }

    /// Whether no object has failed lately.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_five_minutes_with_half_of_them_random() {
        let backoff = Backoff::default();
        for longest in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300] {
            let (wait, longest) = (backoff.failed(&"a"), Duration::from_secs(longest));
            assert!((longest / 2..=longest).contains(&wait), "{wait:?} of {longest:?}");
        }
        for _ in 0..1000 {
            assert!(backoff.failed(&"a") <= LONGEST, "it never gives up");
        }
        let backoff = Backoff::default();
        let waits: std::collections::HashSet<_> = (0..50).map(|object| backoff.failed(&object)).collect();
        assert!(waits.len() > 25, "objects that fail together come back apart: {}", waits.len());
    }

    #[test]
    fn each_object_waits_for_itself_until_it_succeeds_or_is_gone() {
        let backoff = Backoff::default();
        for _ in 0..9 {
            backoff.failed(&"a");
        }
        assert!(backoff.failed(&"a") >= LONGEST / 2);
        assert!(backoff.failed(&"b") <= Duration::from_secs(1));
        backoff.reset(&"a");
        assert!(backoff.failed(&"a") <= Duration::from_secs(1));
        backoff.reset(&"a");
        backoff.reset(&"b");
        assert!(backoff.is_empty());
    }
}
