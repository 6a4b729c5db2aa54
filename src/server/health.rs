//! What `/livez` and `/readyz` answer, and the facts they answer from.

use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    sync::Arc,
    time::{Duration, Instant},
};

use ahash::RandomState;
use parking_lot::Mutex;

/// Where an operator is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The lists from the API server have not all come yet. Not ready.
    Starting,
    /// Another operator holds the lease; this one is ready to take over.
    Standby,
    /// Caches have synced and controllers run.
    Running,
    /// Shutting down. Not ready.
    Stopping,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::Standby => "standby",
            Self::Running => "running",
            Self::Stopping => "stopping",
        })
    }
}

/// The health of one operator; clones share it.
///
/// Liveness is not "a thread answers" but "work that is due gets done": every object says when it is next due
/// ([`Health::due`]), and an operator whose most overdue object waits longer than the limit is to be restarted.
#[derive(Clone, Debug)]
pub struct Health {
    limit: Duration,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug)]
struct Shared {
    stage: Stage,
    ended: Option<String>,
    /// Hash of the object's key → when it is due; 10,000 objects cost some 300 kB.
    due: HashMap<u64, Instant, RandomState>,
}

impl Health {
    /// Healthy and starting; `limit` is how long an object may be overdue before `/livez` fails.
    #[must_use]
    pub fn new(limit: Duration) -> Self {
        let shared = Shared { stage: Stage::Starting, ended: None, due: HashMap::default() };
        Self { limit, shared: Arc::new(Mutex::new(shared)) }
    }

    /// The operator enters a stage of its life.
    pub fn enter(&self, stage: Stage) {
        self.shared.lock().stage = stage;
    }

    /// Something that must run as long as the process does has ended: `/livez` fails from now on.
    pub fn ended(&self, what: &str) {
        self.shared.lock().ended.get_or_insert_with(|| what.to_owned());
    }

    /// The object is to be reconciled at `at`; replaces what was said about it before.
    pub fn due<K: Hash>(&self, object: &K, at: Instant) {
        let mut shared = self.shared.lock();
        let key = shared.due.hasher().hash_one(object);
        shared.due.insert(key, at);
    }

    /// Nothing is due for this object any more: it was deleted, or only an event can wake it.
    pub fn forget<K: Hash>(&self, object: &K) {
        let mut shared = self.shared.lock();
        let key = shared.due.hasher().hash_one(object);
        shared.due.remove(&key);
    }

    /// Nothing is due at all: this operator no longer leads.
    pub fn forget_all(&self) {
        self.shared.lock().due.clear();
    }

    /// For how long the most overdue object has been due; zero when all are on time.
    #[must_use]
    pub fn most_overdue(&self) -> Duration {
        let now = Instant::now();
        self.shared.lock().due.values().min().map_or(Duration::ZERO, |due| now.saturating_duration_since(*due))
    }

    /// Whether the process works, else what is wrong.
    ///
    /// # Errors
    /// The sentence to show.
    pub fn live(&self) -> Result<(), String> {
        if let Some(what) = &self.shared.lock().ended {
            return Err(format!("{what} ended"));
        }
        let overdue = self.most_overdue();
        if overdue > self.limit {
            return Err(format!("an object is overdue by {} s (limit {} s)", overdue.as_secs(), self.limit.as_secs()));
        }
        Ok(())
    }

    /// Whether the operator is ready, and in which stage it is.
    ///
    /// # Errors
    /// The stage that is not a ready one.
    pub fn ready(&self) -> Result<Stage, Stage> {
        match self.shared.lock().stage {
            stage @ (Stage::Standby | Stage::Running) => Ok(stage),
            stage @ (Stage::Starting | Stage::Stopping) => Err(stage),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    const LIMIT: Duration = Duration::from_mins(10);

    fn ago(seconds: u64) -> Instant {
        Instant::now().checked_sub(Duration::from_secs(seconds)).unwrap()
    }

    #[test]
    fn readiness_follows_the_stage() {
        let health = Health::new(LIMIT);
        for (stage, ready) in
            [(Stage::Starting, false), (Stage::Standby, true), (Stage::Running, true), (Stage::Stopping, false)]
        {
            health.enter(stage);
            assert_eq!(health.ready().is_ok(), ready, "{stage}");
        }
    }

    #[test]
    fn the_most_overdue_object_decides() {
        let health = Health::new(LIMIT);
        health.due(&("MetaApp", "a"), ago(30));
        health.due(&("MetaApp", "b"), ago(900));
        assert!(health.most_overdue() >= Duration::from_mins(15));
        assert!(health.live().unwrap_err().contains("overdue"));
        health.due(&("MetaApp", "b"), Instant::now() + LIMIT);
        assert_eq!(health.live(), Ok(()), "a reconcile moves what is due");
        assert!(health.most_overdue() >= Duration::from_secs(30));
        health.forget(&("MetaApp", "a"));
        assert_eq!(health.most_overdue(), Duration::ZERO, "an object due later is not overdue");
    }

    #[test]
    fn losing_the_lead_clears_what_is_due() {
        let health = Health::new(LIMIT);
        health.due(&"a", ago(900));
        health.forget_all();
        assert_eq!(health.live(), Ok(()));
    }

    #[test]
    fn an_ended_part_is_named_once_and_for_ever() {
        let health = Health::new(LIMIT);
        health.ended("controller MetaApp");
        health.ended("controller WhatsAppNumber");
        assert_eq!(health.live(), Err("controller MetaApp ended".to_owned()));
    }
}
