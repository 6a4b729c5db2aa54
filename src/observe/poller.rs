//! One task per app and account: reads the account once per interval, puts it into the inventory, wakes who is concerned.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use ahash::AHashMap;
use parking_lot::Mutex;
use rand::RngExt;
use tokio::{
    sync::{Notify, Semaphore},
    task::AbortHandle,
    time::timeout_at,
};
use tracing::{debug, info};

use super::{
    inventory::{Failure, Inventory},
    snapshot::Changes,
    usage::{Month, Usage},
};
use crate::api::AppKey;
use crate::{
    graph::{self, Access, Priority, Want},
    timing::{Timing, now},
};

/// Accounts of one app that are read at once: what they show is held in memory twice until the read is complete. Per app,
/// because a read keeps its place while it waits for its app's budget.
const CONCURRENT_READS: usize = 4;

/// The places of an app for reads. Accounts that take long have places of their own, so that the others do not wait for them.
struct Places {
    regular: Semaphore,
    slow: Semaphore,
}

impl Default for Places {
    fn default() -> Self {
        Self { regular: Semaphore::new(CONCURRENT_READS), slow: Semaphore::new(CONCURRENT_READS) }
    }
}

/// How an app is polled.
#[derive(Debug, Clone)]
pub struct Polling {
    /// Credentials and token.
    pub access: Access,
    /// Distinguishes one token from another without showing it: a changed token is read with at once.
    pub token: String,
    /// Between two reads of an account.
    pub interval: Duration,
    /// Whether the usage of accounts is read, too.
    pub usage: bool,
}

/// The token's name stands for the access.
impl PartialEq for Polling {
    fn eq(&self, other: &Self) -> bool {
        self.token == other.token && self.interval == other.interval && self.usage == other.usage
    }
}

/// What is left of Meta's call budget of an app at an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// The app's ID at Meta.
    pub app_id: String,
    /// The account.
    pub account: Box<str>,
    /// In percent.
    pub left: u8,
}

/// Who learns of reads.
pub trait Wake: Send + Sync + 'static {
    /// An account was read, and something differs from the read before.
    fn changed(&self, app: &AppKey, account: &str, changes: &Changes);
    /// An account could not be read for the first time, or for another reason than before.
    fn failed(&self, app: &AppKey, account: &str);
    /// An account has not been read for so long that what it showed is stale.
    fn stale(&self, app: &AppKey, account: &str);
}

struct Shared {
    inventory: Arc<Inventory>,
    graph: graph::Client,
    timing: Timing,
    wake: Arc<dyn Wake>,
}

struct Task {
    polling: Polling,
    poke: Arc<Notify>,
    /// Whether somebody wants the next read to bring the health, too.
    wants_health: Arc<AtomicBool>,
    progress: Arc<Mutex<Progress>>,
    places: Arc<Places>,
    running: AbortHandle,
}

/// How far a poller has got.
struct Progress {
    /// When the last read began.
    began: Option<Instant>,
    at: Stage,
}

enum Stage {
    /// Waits until the next read is due.
    Waiting(Instant),
    /// Waits for a place. How long that takes depends on the reads before it, and so on Meta.
    Queued,
    /// Reads; when it last got any further, be it by an error or a timeout.
    Reading(Instant),
}

impl Progress {
    fn overdue(&self) -> Duration {
        match self.at {
            Stage::Waiting(due) => now().saturating_duration_since(due),
            Stage::Queued => Duration::ZERO,
            Stage::Reading(last) => now().saturating_duration_since(last),
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.running.abort();
    }
}

type Tasks = Mutex<AHashMap<(AppKey, Box<str>), Task>>;

/// All pollers of this process.
pub struct Pollers {
    shared: Arc<Shared>,
    tasks: Arc<Tasks>,
}

impl Pollers {
    /// No pollers yet.
    #[must_use]
    pub fn new(inventory: Arc<Inventory>, graph: graph::Client, timing: Timing, wake: Arc<dyn Wake>) -> Self {
        Self { shared: Arc::new(Shared { inventory, graph, timing, wake }), tasks: Arc::default() }
    }

    /// Tells for how long the poller that is furthest behind has done nothing although its read was due or under way. A
    /// poller that waits for a place or for Meta's reply is not behind: that Meta hangs is no reason to restart.
    pub fn overdue(&self) -> impl Fn() -> Duration + Send + Sync + 'static {
        let tasks: Weak<Tasks> = Arc::downgrade(&self.tasks);
        move || {
            let Some(tasks) = tasks.upgrade() else { return Duration::ZERO };
            tasks.lock().values().map(|task| task.progress.lock().overdue()).max().unwrap_or_default()
        }
    }

    /// Tells what is left of the budgets of all accounts that are polled, where Meta reported it of late.
    pub fn budgets(&self) -> impl Fn() -> Vec<Budget> + Send + Sync + 'static {
        let (tasks, graph) = (Arc::downgrade(&self.tasks), self.shared.graph.clone());
        move || {
            let Some(tasks) = tasks.upgrade() else { return Vec::new() };
            let tasks = tasks.lock();
            let budget = |((_, account), task): (&(AppKey, Box<str>), &Task)| {
                let app_id = task.polling.access.app.app_id.clone();
                let left = graph.budget_left(&app_id, Some(account))?;
                Some(Budget { app_id, account: account.clone(), left })
            };
            tasks.iter().filter_map(budget).collect()
        }
    }

    /// Polls exactly these accounts of the app, in this way; `None` polls none of them.
    pub fn set(&self, app: &AppKey, polling: Option<&Polling>, accounts: &[String]) {
        let mut tasks = self.tasks.lock();
        tasks.retain(|(key, account), task| {
            key != app
                || polling.is_some_and(|polling| *polling == task.polling && accounts.iter().any(|a| **a == **account))
        });
        let Some(polling) = polling else { return };
        let places = tasks.iter().find(|((key, _), _)| key == app).map(|(_, task)| task.places.clone());
        let places = places.unwrap_or_default();
        for account in accounts {
            tasks.entry((app.clone(), account.as_str().into())).or_insert_with_key(|(app, account)| {
                self.start(app.clone(), account.clone(), polling.clone(), places.clone())
            });
        }
    }

    /// How the app's accounts are called, while they are polled.
    #[must_use]
    pub fn access(&self, app: &AppKey) -> Option<Access> {
        self.tasks.lock().iter().find(|((key, _), _)| key == app).map(|(_, task)| task.polling.access.clone())
    }

    /// Reads those of the app's accounts (or the one named) again that were not tried within `age`: so many objects may
    /// wait for the same read.
    pub fn read_again(&self, app: &AppKey, account: Option<&str>, age: Duration) {
        for ((key, id), task) in &*self.tasks.lock() {
            let due = task.progress.lock().began.is_some_and(|began| elapsed(Some(began), age));
            if key == app && account.is_none_or(|wanted| wanted == &**id) && due {
                task.poke.notify_one();
            }
        }
    }

    /// Reads the app's accounts (or the one named) now, with the health of their numbers: a person asks for it.
    pub fn poke(&self, app: &AppKey, account: Option<&str>) {
        for ((key, id), task) in &*self.tasks.lock() {
            if key == app && account.is_none_or(|wanted| wanted == &**id) {
                task.wants_health.store(true, Ordering::Relaxed);
                task.poke.notify_one();
            }
        }
    }

    fn start(&self, app: AppKey, account: Box<str>, polling: Polling, places: Arc<Places>) -> Task {
        self.shared.inventory.start_anew(&app, &account);
        let (poke, wants_health) = (Arc::new(Notify::new()), Arc::<AtomicBool>::default());
        let progress = Arc::new(Mutex::new(Progress { began: None, at: Stage::Waiting(now()) }));
        // A limit that is known already is read again some time: not by everybody at once after a restart.
        let known =
            self.shared.inventory.accounts(&app).get(&account).is_some_and(|state| state.template_limit.is_some());
        let limit_wait = self.shared.timing.limits_interval.mul_f64(if known { rand::rng().random() } else { 0.0 });
        let usage_due = self.usage_due(&app, &account, polling.usage);
        let poller = Poller {
            shared: self.shared.clone(),
            app,
            account,
            polling: polling.clone(),
            poke: poke.clone(),
            wants_health: wants_health.clone(),
            progress: progress.clone(),
            places: places.clone(),
            health_read: None,
            limit_due: now() + limit_wait,
            usage_due,
            reported_stale: false,
            is_slow: false,
        };
        let running = tokio::spawn(poller.run()).abort_handle();
        Task { polling, poke, wants_health, progress, places, running }
    }
}

impl Pollers {
    /// When the usage of an account is to be read next: another way to read the account is no reason to do it sooner.
    fn usage_due(&self, app: &AppKey, account: &str, wanted: bool) -> Instant {
        if !wanted {
            self.shared.inventory.forget_usage(app, account);
        }
        let known = self.shared.inventory.accounts(app).get(account).and_then(|state| state.usage.usage.clone());
        known.map_or_else(now, |usage| usage.read + self.shared.timing.usage_interval)
    }
}

struct Poller {
    shared: Arc<Shared>,
    app: AppKey,
    account: Box<str>,
    polling: Polling,
    poke: Arc<Notify>,
    wants_health: Arc<AtomicBool>,
    progress: Arc<Mutex<Progress>>,
    places: Arc<Places>,
    health_read: Option<Instant>,
    limit_due: Instant,
    usage_due: Instant,
    reported_stale: bool,
    /// Whether the last read took longer than the interval, or found no end.
    is_slow: bool,
}

impl Poller {
    async fn run(mut self) {
        let mut failures = 0;
        let mut due = now() + self.shared.timing.start_spread.mul_f64(rand::rng().random());
        loop {
            self.progress.lock().at = Stage::Waiting(due);
            self.wait_until(due).await;
            let next = match self.poll().await {
                Ok(()) => {
                    failures = 0;
                    self.polling.interval.mul_f64(rand::rng().random_range(0.9..1.1))
                }
                Err(pause) => {
                    failures += 1;
                    self.after_failure(failures, pause)
                }
            };
            due = now() + next;
        }
    }

    /// Waits for the time, or for a poke. On the way it reports that the account has become stale: where Meta throttles, the
    /// wait may be long.
    async fn wait_until(&mut self, due: Instant) {
        let stale = self.stale_at();
        if let Some(stale) = stale.filter(|stale| *stale < due) {
            if timeout_at(stale.into(), self.poke.notified()).await.is_ok() {
                return;
            }
            self.reported_stale = true;
            self.shared.wake.stale(&self.app, &self.account);
        }
        // A poke ends the wait early; both ways lead to a read.
        let _ = timeout_at(due.into(), self.poke.notified()).await;
    }

    /// Sooner than the next poll, but no sooner than Meta or the budget allows.
    fn after_failure(&self, failures: u32, pause: Option<Duration>) -> Duration {
        let backoff = self.shared.timing.retry_interval * 2_u32.saturating_pow(failures.min(16) - 1);
        backoff.min(self.polling.interval).max(pause.unwrap_or_default())
    }

    /// When to report that the account has become stale, unless that was reported.
    fn stale_at(&self) -> Option<Instant> {
        self.shared.inventory.stale_at(&self.app, &self.account).filter(|_| !self.reported_stale)
    }

    /// Reads the account; if it becomes stale meanwhile, that is reported at once.
    async fn poll(&mut self) -> Result<(), Option<Duration>> {
        let Some(stale) = self.stale_at() else { return self.take_place_and_read().await };
        let (shared, app, account) = (self.shared.clone(), self.app.clone(), self.account.clone());
        let result = {
            let mut read = pin!(self.take_place_and_read());
            if let Ok(result) = timeout_at(stale.into(), &mut read).await {
                return result;
            }
            shared.wake.stale(&app, &account);
            read.await
        };
        self.reported_stale = result.is_err();
        result
    }

    async fn take_place_and_read(&mut self) -> Result<(), Option<Duration>> {
        let (places, progress) = (self.places.clone(), self.progress.clone());
        progress.lock().at = Stage::Queued;
        let lane = if self.is_slow { &places.slow } else { &places.regular };
        let Ok(_place) = lane.acquire().await else { return Err(None) };
        let began = now();
        progress.lock().began = Some(began);
        self.is_slow = false;
        let result = {
            let mut read = pin!(self.read());
            poll_fn(|context| {
                progress.lock().at = Stage::Reading(now());
                read.as_mut().poll(context)
            })
            .await
        };
        self.is_slow |= now().saturating_duration_since(began) > self.polling.interval;
        result
    }

    /// Reads the account; the error is the pause that Meta or the budget requires, if any.
    async fn read(&mut self) -> Result<(), Option<Duration>> {
        let shared = self.shared.clone();
        let wanted = self.wants_health.swap(false, Ordering::Relaxed);
        let health = wanted || elapsed(self.health_read, shared.timing.health_interval);
        let want = Want { health };
        match shared.graph.read_account(&self.polling.access, &self.account, want, Priority::Poll).await {
            Ok(read) => {
                if health {
                    self.health_read = Some(now());
                }
                self.reported_stale = false;
                let mut changes = shared.inventory.replace(&self.app, &self.account, read);
                changes.account |= self.read_limit().await;
                changes.account |= self.read_usage(wanted).await;
                if changes != Changes::default() {
                    debug!(app = %self.app, account = &*self.account, numbers = changes.numbers.len(),
                        templates = changes.templates.len(), "account changed");
                    shared.wake.changed(&self.app, &self.account, &changes);
                }
                Ok(())
            }
            Err(error) => {
                if wanted {
                    self.wants_health.store(true, Ordering::Relaxed);
                }
                self.is_slow = error.is_endless();
                // A list without an end costs many calls each time.
                let pause = shared.graph.pause_after(&error).max(self.is_slow.then_some(self.polling.interval));
                self.failed(error);
                Err(pause)
            }
        }
    }

    fn failed(&mut self, error: graph::Error) {
        info!(app = %self.app, account = &*self.account, %error, trace = error.fbtrace_id(), "could not read the account");
        // A refused token concerns the app at once, even if Meta has refused it before.
        let token = error.is_token();
        let failure = Failure { error, token: self.polling.token.clone(), at: now() };
        if self.shared.inventory.fail(&self.app, &self.account, failure) || token {
            self.shared.wake.failed(&self.app, &self.account);
        }
    }

    /// Reads the template limit where that is due; true if it changed. A failure waits for the next poll: nothing
    /// hangs on it.
    async fn read_limit(&mut self) -> bool {
        if now() < self.limit_due {
            return false;
        }
        match self.shared.graph.template_limit(&self.polling.access, &self.account).await {
            Ok(limit) => {
                self.limit_due = now() + self.shared.timing.limits_interval;
                limit.is_some_and(|limit| self.shared.inventory.set_template_limit(&self.app, &self.account, limit))
            }
            Err(error) => {
                // Where Meta does not have it, the next poll would ask in vain as well.
                if error.is_refused_field() {
                    self.limit_due = now() + self.shared.timing.limits_interval;
                }
                debug!(app = %self.app, account = &*self.account, %error, "could not read the template limit");
                false
            }
        }
    }

    /// Reads the usage of the account where the app asks for it, once per interval or because a person requests a read; true if
    /// anything changed. A failure waits for the next time: nothing hangs on it.
    async fn read_usage(&mut self, requested: bool) -> bool {
        if !self.polling.usage || (!requested && now() < self.usage_due) {
            return false;
        }
        let Shared { inventory, graph, timing, .. } = &*self.shared;
        self.usage_due = now() + timing.usage_interval;
        let accounts = inventory.accounts(&self.app);
        let snapshot = accounts.get(&self.account).and_then(|state| state.snapshot.as_ref());
        let zone = snapshot.and_then(|snapshot| snapshot.account.timezone_id.clone());
        let end = graph.now();
        let month = Month::of(zone.as_deref(), end);
        let read = graph.read_pricing(&self.polling.access, &self.account, month.start, end).await;
        let usage = read.map(|pricing| Usage::new(&pricing, month, now())).map_err(|error| {
            info!(app = %self.app, account = &*self.account, %error, "could not read the usage of the account");
            error.to_string()
        });
        inventory.set_usage(&self.app, &self.account, usage)
    }
}

fn elapsed(since: Option<Instant>, interval: Duration) -> bool {
    since.is_none_or(|since| now().saturating_duration_since(since) >= interval)
}
