//! Per-object backoff: each object that fails waits for itself, and nobody else.

use std::{collections::HashMap, hash::Hash, time::Duration};

use ahash::RandomState;
use parking_lot::Mutex;

/// How long failing objects wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delays {
    /// After the first failure.
    pub base: Duration,
    /// At most.
    pub max: Duration,
}

impl Default for Delays {
    fn default() -> Self {
        Self { base: Duration::from_secs(1), max: Duration::from_mins(5) }
    }
}

impl Delays {
    /// The wait after `failures` failures in a row: doubling from `base` up to `max`, of which `portion` (0 to 1)
    /// says how much of the upper half is used, so that objects that failed together do not come back together.
    fn after(self, failures: u32, portion: f64) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let full = self.base.saturating_mul(1 << doublings).min(self.max);
        let half = full / 2;
        half + half.mul_f64(portion.clamp(0.0, 1.0))
    }
}

/// Counts failures in a row per object. Only failing objects take room.
#[derive(Debug)]
pub struct Backoff<K> {
    delays: Delays,
    failures: Mutex<HashMap<K, u32, RandomState>>,
}

impl<K: Eq + Hash + Clone> Backoff<K> {
    /// How many failing objects are remembered; one more waits the longest time, uncounted.
    const CAPACITY: usize = 100_000;

    /// Nobody has failed yet.
    #[must_use]
    pub fn new(delays: Delays) -> Self {
        Self { delays, failures: Mutex::default() }
    }

    /// The object failed once more: how long it waits.
    pub fn failed(&self, object: &K) -> Duration {
        let mut failures = self.failures.lock();
        let count = failures.get(object).map_or(1, |count| count.saturating_add(1));
        let full = failures.len() >= Self::CAPACITY && count == 1;
        let count = if full { u32::MAX } else { *failures.entry(object.clone()).insert_entry(count).get() };
        self.delays.after(count, rand::random())
    }

    /// The object succeeded, or is gone: its failures are forgotten.
    pub fn reset(&self, object: &K) {
        self.failures.lock().remove(object);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELAYS: Delays = Delays { base: Duration::from_secs(1), max: Duration::from_mins(5) };

    #[test]
    fn it_doubles_up_to_the_maximum() {
        let seconds = |failures| DELAYS.after(failures, 1.0).as_secs();
        assert_eq!([1, 2, 3, 8, 9, 10, u32::MAX].map(seconds), [1, 2, 4, 128, 256, 300, 300]);
        let huge = Delays { base: Duration::MAX, max: Duration::MAX };
        assert_eq!(huge.after(1, 0.0), Duration::MAX / 2, "no overflow");
    }

    #[test]
    fn jitter_takes_up_to_half_away() {
        assert_eq!(DELAYS.after(3, 0.0), Duration::from_secs(2));
        assert_eq!(DELAYS.after(3, 0.5), Duration::from_secs(3));
        let backoff = Backoff::new(DELAYS);
        let waits: std::collections::HashSet<_> = (0..50).map(|object| backoff.failed(&object)).collect();
        assert!(waits.len() > 25, "objects that fail together come back apart: {}", waits.len());
        assert!(waits.iter().all(|wait| (DELAYS.base / 2..=DELAYS.base).contains(wait)));
    }

    #[test]
    fn each_object_waits_for_itself_until_it_succeeds() {
        let backoff = Backoff::new(DELAYS);
        for _ in 0..9 {
            backoff.failed(&"a");
        }
        assert!(backoff.failed(&"a") >= Duration::from_secs(150));
        assert!(backoff.failed(&"b") <= Duration::from_secs(1));
        backoff.reset(&"a");
        assert!(backoff.failed(&"a") <= Duration::from_secs(1));
    }

    #[test]
    fn memory_is_bounded_and_given_back() {
        let backoff = Backoff::new(DELAYS);
        for object in 0..=Backoff::<usize>::CAPACITY {
            backoff.failed(&object);
        }
        assert_eq!(backoff.failures.lock().len(), Backoff::<usize>::CAPACITY);
        assert!(backoff.failed(&usize::MAX) >= DELAYS.max / 2, "who is not counted waits longest");
        backoff.reset(&0);
        assert!(backoff.failed(&usize::MAX) <= DELAYS.base);
    }
}
