//! How much may be asked of Meta: one gate per (app, account), and one per app.
//!
//! Meta counts calls per rolling hour, says how full the bucket is with each answer, and lengthens a throttle for each
//! call made during it. So a gate listens to every answer, errors included, slows polls from 80 %, and lets nothing
//! through while throttled.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ahash::AHashMap;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use jiff::Timestamp;

use super::config::{Priority, Timing};
use super::server_time::Clock;
use super::usage::Usage;

/// From this usage on, polls slow down.
const SLOW_FROM: u8 = 80;
/// From this usage on, polls rest: what is left is for writes and people.
const REST_FROM: u8 = 95;

/// All gates of the process.
#[derive(Debug)]
pub(super) struct Budget {
    timing: Timing,
    gates: Mutex<AHashMap<Key, Arc<Gate>>>,
}

type Key = (Box<str>, Option<Box<str>>);

impl Budget {
    pub fn new(timing: Timing) -> Self {
        Self { timing, gates: Mutex::default() }
    }

    /// The gate of an account as seen by an app, or of the app itself.
    pub fn gate(&self, app_id: &str, waba_id: Option<&str>) -> Arc<Gate> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (Box::from(app_id), waba_id.map(Box::from));
        let limit = if waba_id.is_some() { self.timing.account_limit } else { self.timing.app_limit };
        gates.entry(key).or_insert_with(|| Arc::new(Gate::new(limit, self.timing.clone()))).clone()
    }
}

/// One bucket at Meta.
pub(super) struct Gate {
    timing: Timing,
    state: Mutex<State>,
}

struct State {
    /// Keeps polls within half of the limit.
    polls: DefaultDirectRateLimiter,
    limit: u32,
    usage: Option<(Usage, Instant)>,
    /// Until when Meta allows no call, on its clock.
    closed: Option<Timestamp>,
    /// Throttles in a row, for growing stops when Meta names no end.
    strikes: u32,
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate").finish_non_exhaustive()
    }
}

impl Gate {
    fn new(limit: u32, timing: Timing) -> Self {
        let state = State { polls: limiter(limit, timing.bucket), limit, usage: None, closed: None, strikes: 0 };
        Self { timing, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a turn. `Err` is the time before which none will come; then nothing may be sent.
    pub async fn pass(&self, priority: Priority, clock: &Clock) -> Result<(), Timestamp> {
        self.open(clock)?;
        // The pace is asked once, so that a full bucket delays a call and does not hold it for good.
        let mut waited = self.pause(self.pace(priority), Duration::ZERO, clock).await?;
        loop {
            match self.turn(priority, clock)? {
                Some(pause) => waited = self.pause(pause, waited, clock).await?,
                None => return Ok(()),
            }
        }
    }

    /// Whether calls are allowed at all. `Err` is the time before which they are not.
    pub fn open(&self, clock: &Clock) -> Result<(), Timestamp> {
        self.throttled_until(clock).map_or(Ok(()), Err)
    }

    /// Sleeps, unless the call would then have waited for too long in all.
    async fn pause(&self, pause: Duration, waited: Duration, clock: &Clock) -> Result<Duration, Timestamp> {
        let waited = waited + pause;
        if waited > self.timing.longest_turn {
            return Err(later(clock.now(), pause));
        }
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        Ok(waited)
    }

    /// How long a call of this priority holds back at the usage last seen.
    fn pace(&self, priority: Priority) -> Duration {
        match self.state().usage {
            Some((usage, seen)) if seen.elapsed() < self.timing.bucket => {
                pace(usage.percent, seen.elapsed(), priority, &self.timing)
            }
            _ => Duration::ZERO,
        }
    }

    /// `None` is the turn, taken; `Some` the wait until the next chance.
    fn turn(&self, priority: Priority, clock: &Clock) -> Result<Option<Duration>, Timestamp> {
        self.open(clock)?;
        if priority > Priority::Poll {
            return Ok(None);
        }
        let not_yet = self.state().polls.check().err();
        Ok(not_yet.map(|not_yet| not_yet.wait_time_from(DefaultClock::default().now())))
    }

    /// The account has a registered number: Meta's limit is the large one from now on.
    pub fn activate(&self) {
        let mut state = self.state();
        let limit = self.timing.active_account_limit;
        if state.limit != limit {
            state.limit = limit;
            state.polls = limiter(limit, self.timing.bucket);
        }
    }

    /// What a header of an answer said.
    pub fn saw(&self, usage: Usage, clock: &Clock) {
        let mut state = self.state();
        state.usage = Some((usage, Instant::now()));
        if !usage.regain.is_zero() {
            state.close(later(clock.now(), usage.regain));
        }
    }

    /// Meta refused a call for being one too many. The end is the one that its header told, or grows with each refusal.
    pub fn throttled(&self, regain: Duration, clock: &Clock) -> Timestamp {
        let mut state = self.state();
        let grown = self.timing.throttle_first * 2u32.saturating_pow(state.strikes);
        state.strikes = (state.strikes + 1).min(16);
        let stop = if regain.is_zero() { grown.min(self.timing.throttle_longest) } else { regain };
        state.close(later(clock.now(), stop))
    }

    /// Meta answered a call in full.
    pub fn answered(&self) {
        self.state().strikes = 0;
    }

    /// Closes the gate until a time on Meta's clock, learnt in an earlier life.
    pub fn restore(&self, until: Timestamp) {
        self.state().close(until);
    }

    /// Until when the gate is closed, on Meta's clock.
    pub fn throttled_until(&self, clock: &Clock) -> Option<Timestamp> {
        self.state().closed.filter(|until| clock.now() < *until)
    }

    /// What is left of the bucket in percent, if Meta told within the window.
    pub fn left(&self) -> Option<u8> {
        let (usage, _) = self.state().usage.filter(|(_, seen)| seen.elapsed() < self.timing.bucket)?;
        Some(100u8.saturating_sub(usage.percent))
    }
}

impl State {
    /// Closes until then, or leaves a longer stop alone.
    fn close(&mut self, until: Timestamp) -> Timestamp {
        *self.closed.insert(self.closed.map_or(until, |closed| closed.max(until)))
    }
}

/// How long a call holds back at a usage seen some time ago.
fn pace(percent: u8, ago: Duration, priority: Priority, timing: &Timing) -> Duration {
    match priority {
        Priority::Poll if percent >= REST_FROM => timing.rest.saturating_sub(ago),
        Priority::Poll if percent >= SLOW_FROM => timing.pace_step * u32::from(percent - SLOW_FROM + 1),
        Priority::Write if percent >= REST_FROM => timing.pace_step,
        _ => Duration::ZERO,
    }
}

/// A limiter that lets through at most half of `limit` in any window: a quarter at once, and a quarter spread over it.
fn limiter(limit: u32, window: Duration) -> DefaultDirectRateLimiter {
    let quarter = NonZeroU32::new(limit / 4).unwrap_or(NonZeroU32::MIN);
    let period = (window / quarter.get()).max(Duration::from_nanos(1));
    let quota = Quota::with_period(period).unwrap_or(Quota::per_second(quarter)).allow_burst(quarter);
    RateLimiter::direct(quota)
}

/// A moment after another, in whole seconds rounded up, as people and `status` see it.
pub(super) fn later(now: Timestamp, wait: Duration) -> Timestamp {
    let exact = now.checked_add(wait).unwrap_or(Timestamp::MAX);
    let second = if exact.subsec_nanosecond() > 0 { exact.as_second() + 1 } else { exact.as_second() };
    Timestamp::from_second(second).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
#[path = "rate_limit_tests.rs"]
mod tests;
