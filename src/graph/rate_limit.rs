//! The budget of calls to Meta: one gate per (app, account), and one per app.
//!
//! Meta counts calls per rolling hour, says how full the bucket is with each reply, and lengthens a throttle for each
//! call made during it. So a gate listens to every reply, errors included, slows polls from 80 %, and lets nothing
//! through while throttled. Only pollers wait at a gate. A reconcile holds one of a few slots: its call gets its turn at
//! once, or learns when to come back.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ahash::AHashMap;
use governor::clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use jiff::Timestamp;

use super::config::Priority;
use super::server_time::Clock;
use super::usage::Usage;
use crate::timing::{Timing, now};

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
    /// Keeps polls and reads within half of the limit.
    polls: Limiter,
    limit: u32,
    usage: Option<(Usage, Instant)>,
    /// When the last poll or read got its turn.
    read: Option<Instant>,
    /// When the last write got its turn.
    wrote: Option<Instant>,
    /// Pollers that wait for their turn: reads of reconciles let them go first.
    waiting: u32,
    /// When the read that was refused last may come back. The next one is sent away for longer, so that they do not all
    /// come back at once.
    promised: Option<Instant>,
    /// Until when Meta allows no call, on its clock.
    closed: Option<Timestamp>,
    /// Throttles in a row, for growing stops when Meta names no end.
    strikes: u32,
}

/// Why a call gets no turn yet.
enum NotYet {
    /// Meta allows no call before this time on its clock.
    Throttled(Timestamp),
    /// The budget has room again in so long.
    In(Duration),
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate").finish_non_exhaustive()
    }
}

impl Gate {
    fn new(limit: u32, timing: Timing) -> Self {
        let polls = limiter(limit, timing.budget_window);
        let state = State {
            polls,
            limit,
            usage: None,
            read: None,
            wrote: None,
            waiting: 0,
            promised: None,
            closed: None,
            strikes: 0,
        };
        Self { timing, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a turn; a poll waits for it. `Err` is the time before which none will come; then nothing may be sent.
    pub async fn pass(&self, priority: Priority, clock: &Clock) -> Result<(), Timestamp> {
        if priority == Priority::Poll { self.wait(clock).await } else { self.try_pass(priority, clock) }
    }

    /// Takes a turn if there is one now. `Err` is when to come back.
    fn try_pass(&self, priority: Priority, clock: &Clock) -> Result<(), Timestamp> {
        match self.turn(priority, clock) {
            Ok(()) => Ok(()),
            Err(NotYet::Throttled(until)) => Err(until),
            Err(NotYet::In(pause)) => {
                let pause = if priority == Priority::Read { self.put_off(pause) } else { pause };
                Err(later(clock.now(), pause))
            }
        }
    }

    /// Waits for a turn, unless that would take too long.
    async fn wait(&self, clock: &Clock) -> Result<(), Timestamp> {
        let started = now();
        let _waiting = Waiting::at(self);
        loop {
            match self.turn(Priority::Poll, clock) {
                Ok(()) => return Ok(()),
                Err(NotYet::Throttled(until)) => return Err(until),
                Err(NotYet::In(pause)) if since(started) + pause > self.timing.longest_turn => {
                    return Err(later(clock.now(), pause));
                }
                Err(NotYet::In(pause)) => tokio::time::sleep(pause).await,
            }
        }
    }

    /// Whether calls are allowed at all. `Err` is the time before which they are not.
    pub fn open(&self, clock: &Clock) -> Result<(), Timestamp> {
        self.throttled_until(clock).map_or(Ok(()), Err)
    }

    fn turn(&self, priority: Priority, clock: &Clock) -> Result<(), NotYet> {
        self.open(clock).map_err(NotYet::Throttled)?;
        let mut state = self.state();
        let pause = state.pace(priority, &self.timing);
        if !pause.is_zero() {
            return Err(NotYet::In(pause));
        }
        if priority <= Priority::Poll {
            if priority == Priority::Read && state.waiting > 0 {
                return Err(NotYet::In(self.period(state.limit)));
            }
            state.polls.check().map_err(|not_yet| NotYet::In(not_yet.wait_time_from(now())))?;
            state.read = Some(now());
        } else if priority == Priority::Write {
            state.wrote = Some(now());
        }
        Ok(())
    }

    /// How long a refused read stays away: until there is room, and longer than the one that was refused before it.
    fn put_off(&self, pause: Duration) -> Duration {
        let mut state = self.state();
        let period = self.period(state.limit);
        let turn = state.promised.map_or(Duration::ZERO, |promised| promised.saturating_duration_since(now()) + period);
        let pause = pause.max(turn).min(self.timing.budget_window.max(pause));
        state.promised = Some(now() + pause);
        pause
    }

    /// The time between two polls that keeps them within a quarter of the limit.
    fn period(&self, limit: u32) -> Duration {
        self.timing.budget_window / quarter(limit).get()
    }

    /// The account has a registered number: Meta's limit is the large one from now on.
    pub fn activate(&self) {
        let mut state = self.state();
        let limit = self.timing.active_account_limit;
        if state.limit != limit {
            state.limit = limit;
            state.polls = limiter(limit, self.timing.budget_window);
        }
    }

    /// What a header of an answer said.
    pub fn saw(&self, usage: Usage, clock: &Clock) {
        let mut state = self.state();
        state.usage = Some((usage, now()));
        if !usage.regain.is_zero() {
            state.close(later(clock.now(), usage.regain));
        }
    }

    /// Meta refused a call for being one too many. The end is the one that its header named, or grows with each refusal.
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

    /// What is left of the bucket in percent, if Meta reported it within the window.
    pub fn left(&self) -> Option<u8> {
        let (usage, _) = self.state().usage.filter(|(_, seen)| since(*seen) < self.timing.budget_window)?;
        Some(100u8.saturating_sub(usage.percent))
    }
}

impl State {
    /// How long a call of this priority has to wait at the usage last seen.
    fn pace(&self, priority: Priority, timing: &Timing) -> Duration {
        let Some((usage, seen)) = self.usage.filter(|(_, seen)| since(*seen) < timing.budget_window) else {
            return Duration::ZERO;
        };
        let last = if priority <= Priority::Poll { self.read } else { self.wrote };
        pace(usage.percent, since(seen), last.map(since), priority, timing)
    }

    /// Closes until then, or leaves a longer stop alone.
    fn close(&mut self, until: Timestamp) -> Timestamp {
        *self.closed.insert(self.closed.map_or(until, |closed| closed.max(until)))
    }
}

/// A poller that waits at a gate; it no longer does when this is dropped.
struct Waiting<'a>(&'a Gate);

impl<'a> Waiting<'a> {
    fn at(gate: &'a Gate) -> Self {
        gate.state().waiting += 1;
        Self(gate)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.state().waiting -= 1;
    }
}

/// How long a call has to wait at a usage seen `seen` ago, `last` after the call of its kind before it.
fn pace(percent: u8, seen: Duration, last: Option<Duration>, priority: Priority, timing: &Timing) -> Duration {
    let gap = match priority {
        Priority::Poll | Priority::Read if percent >= REST_FROM => return timing.poll_rest.saturating_sub(seen),
        Priority::Poll | Priority::Read if percent >= SLOW_FROM => {
            timing.pace_step * u32::from(percent - SLOW_FROM + 1)
        }
        Priority::Write if percent >= REST_FROM => timing.pace_step,
        _ => Duration::ZERO,
    };
    last.map_or(Duration::ZERO, |last| gap.saturating_sub(last))
}

type Limiter = RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Instant>>;

/// A limiter that lets through at most half of `limit` in any window: a quarter at once, and a quarter spread over it.
fn limiter(limit: u32, window: Duration) -> Limiter {
    let quarter = quarter(limit);
    let period = (window / quarter.get()).max(Duration::from_nanos(1));
    let quota = Quota::with_period(period).unwrap_or(Quota::per_second(quarter)).allow_burst(quarter);
    RateLimiter::direct_with_clock(quota, TokioClock)
}

fn quarter(limit: u32) -> NonZeroU32 {
    NonZeroU32::new(limit / 4).unwrap_or(NonZeroU32::MIN)
}

/// The clock that tests can pause.
#[derive(Clone, Debug, Default)]
struct TokioClock;

impl clock::Clock for TokioClock {
    type Instant = Instant;

    fn now(&self) -> Instant {
        now()
    }
}

fn since(time: Instant) -> Duration {
    now().saturating_duration_since(time)
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
