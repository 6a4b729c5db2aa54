//! The replies to `/livez` and `/readyz`, and the facts behind them.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use parking_lot::Mutex;

/// The stage of an operator's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The caches have not synced yet. Not ready.
    Starting,
    /// Another operator holds the lease; this one can take over.
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
/// Liveness means that polls are made when they are due: once there are pollers ([`Health::watch_polls`]), `/livez` fails if the
/// most overdue one exceeds the limit, and the kubelet restarts the operator.
#[derive(Clone)]
pub struct Health {
    limit: Duration,
    shared: Arc<Shared>,
}

struct Shared {
    stage: Mutex<Stage>,
    ended: OnceLock<String>,
    overdue: OnceLock<Box<dyn Fn() -> Duration + Send + Sync>>,
}

impl Health {
    /// Healthy and starting; `limit` is how long a poll may be overdue before `/livez` fails.
    #[must_use]
    pub fn new(limit: Duration) -> Self {
        let shared = Shared { stage: Mutex::new(Stage::Starting), ended: OnceLock::new(), overdue: OnceLock::new() };
        Self { limit, shared: Arc::new(shared) }
    }

    /// The operator enters this stage.
    pub fn enter(&self, stage: Stage) {
        *self.shared.stage.lock() = stage;
    }

    /// A part that must not end before the process has ended: `/livez` fails from now on.
    pub fn ended(&self, what: &str) {
        // The first one counts.
        let _ = self.shared.ended.set(what.to_owned());
    }

    /// From now on, `overdue` returns for how long the most overdue poll has been due.
    pub fn watch_polls(&self, overdue: impl Fn() -> Duration + Send + Sync + 'static) {
        // Set once: a process leads once.
        let _ = self.shared.overdue.set(Box::new(overdue));
    }

    /// For how long the most overdue poll has been due; zero when all are on time.
    #[must_use]
    pub fn most_overdue(&self) -> Duration {
        self.shared.overdue.get().map_or(Duration::ZERO, |overdue| overdue())
    }

    /// Whether the process works.
    ///
    /// # Errors
    /// What is wrong, as `/livez` reports it.
    pub fn live(&self) -> Result<(), String> {
        if let Some(what) = self.shared.ended.get() {
            return Err(format!("{what} ended"));
        }
        let overdue = self.most_overdue();
        if overdue > self.limit {
            let (overdue, limit) = (overdue.as_secs(), self.limit.as_secs());
            return Err(format!("the poll of an account is overdue by {overdue} s (limit {limit} s)"));
        }
        Ok(())
    }

    /// The stage, if the operator is ready in it.
    ///
    /// # Errors
    /// The stage, if the operator is not ready in it.
    pub fn ready(&self) -> Result<Stage, Stage> {
        match *self.shared.stage.lock() {
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
    fn liveness_fails_when_a_poll_is_overdue_beyond_the_limit() {
        for (overdue, live) in [(Duration::ZERO, true), (LIMIT, true), (LIMIT + Duration::from_secs(1), false)] {
            let health = Health::new(LIMIT);
            assert_eq!(health.live(), Ok(()), "nothing is polled yet");
            health.watch_polls(move || overdue);
            assert_eq!(health.live().is_ok(), live, "{overdue:?}");
        }
        let health = Health::new(LIMIT);
        health.watch_polls(|| Duration::from_mins(15));
        assert_eq!(health.live(), Err("the poll of an account is overdue by 900 s (limit 600 s)".to_owned()));
    }

    #[test]
    fn an_ended_part_is_named_once_and_for_ever() {
        let health = Health::new(LIMIT);
        health.ended("controller MetaApp");
        health.ended("controller WhatsAppNumber");
        assert_eq!(health.live(), Err("controller MetaApp ended".to_owned()));
    }
}
