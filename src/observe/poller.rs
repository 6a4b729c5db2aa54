//! One task per app and account: reads the account once per interval, puts it into the estate, wakes who is concerned.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use ahash::AHashMap;
use jiff::Timestamp;
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
};
use crate::api::AppKey;
use crate::{
    graph::{self, Access, Priority, Want},
    server::Health,
    timing::Timing,
};

/// Accounts that are read at once, over all apps.
const CONCURRENT_READS: usize = 4;

/// How an app is polled.
#[derive(Debug, Clone)]
pub struct Polling {
    /// Credentials and token.
    pub access: Access,
    /// Distinguishes one token from another without showing it: a changed token is read with at once.
    pub token: String,
    /// Between two reads of an account.
    pub interval: Duration,
}

/// Who is told of reads.
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
    health: Health,
    reads: Semaphore,
}

struct Task {
    polling: Polling,
    poke: Arc<Notify>,
    /// When the last read began.
    began: Arc<Mutex<Option<Instant>>>,
    running: AbortHandle,
}

impl Drop for Task {
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// All pollers of this process.
pub struct Pollers {
    shared: Arc<Shared>,
    tasks: Mutex<AHashMap<(AppKey, Box<str>), Task>>,
}

impl Pollers {
    /// No pollers yet.
    #[must_use]
    pub fn new(
        inventory: Arc<Inventory>,
        graph: graph::Client,
        timing: Timing,
        wake: Arc<dyn Wake>,
        health: Health,
    ) -> Self {
        let reads = Semaphore::new(CONCURRENT_READS);
        Self { shared: Arc::new(Shared { inventory, graph, timing, wake, health, reads }), tasks: Mutex::default() }
    }

    /// Polls exactly these accounts of the app, in this way; `None` polls none of them.
    pub fn set(&self, app: &AppKey, polling: Option<&Polling>, accounts: &[String]) {
        let mut tasks = self.tasks.lock();
        tasks.retain(|(key, account), task| {
            let same = |p: &Polling| p.token == task.polling.token && p.interval == task.polling.interval;
            let stays = key != app || polling.is_some_and(|p| same(p) && accounts.iter().any(|a| **a == **account));
            if !stays {
                self.shared.health.forget(&(key, account));
            }
            stays
        });
        let Some(polling) = polling else { return };
        for account in accounts {
            tasks
                .entry((app.clone(), account.as_str().into()))
                .or_insert_with_key(|(app, account)| self.start(app.clone(), account.clone(), polling.clone()));
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
            let due = task.began.lock().is_some_and(|began| began.elapsed() >= age);
            if key == app && account.is_none_or(|wanted| wanted == &**id) && due {
                task.poke.notify_one();
            }
        }
    }

    /// Reads the app's accounts (or the one named) now.
    pub fn poke(&self, app: &AppKey, account: Option<&str>) {
        for ((key, id), task) in &*self.tasks.lock() {
            if key == app && account.is_none_or(|wanted| wanted == &**id) {
                task.poke.notify_one();
            }
        }
    }

    fn start(&self, app: AppKey, account: Box<str>, polling: Polling) -> Task {
        self.shared.inventory.start_anew(&app, &account);
        let poke = Arc::new(Notify::new());
        let began = Arc::new(Mutex::default());
        // A limit that is known already is read again some time: not by everybody at once after a restart.
        let known =
            self.shared.inventory.accounts(&app).get(&account).is_some_and(|state| state.template_limit.is_some());
        let limit_wait = self.shared.timing.limits_interval.mul_f64(if known { rand::rng().random() } else { 0.0 });
        let poller = Poller {
            shared: self.shared.clone(),
            app,
            account,
            polling: polling.clone(),
            poke: poke.clone(),
            began: began.clone(),
            health_read: None,
            limit_due: Instant::now() + limit_wait,
            told_stale: false,
        };
        Task { polling, poke, began, running: tokio::spawn(poller.run()).abort_handle() }
    }
}

struct Poller {
    shared: Arc<Shared>,
    app: AppKey,
    account: Box<str>,
    polling: Polling,
    poke: Arc<Notify>,
    began: Arc<Mutex<Option<Instant>>>,
    health_read: Option<Instant>,
    limit_due: Instant,
    told_stale: bool,
}

impl Poller {
    async fn run(mut self) {
        let mut failures = 0;
        let mut due = Instant::now() + self.shared.timing.start_spread.mul_f64(rand::rng().random());
        loop {
            self.wait_until(due).await;
            *self.began.lock() = Some(Instant::now());
            let next = match self.read().await {
                Ok(()) => {
                    failures = 0;
                    self.polling.interval.mul_f64(rand::rng().random_range(0.9..1.1))
                }
                Err(throttle) => {
                    failures += 1;
                    self.after_failure(failures, throttle)
                }
            };
            due = Instant::now() + next;
            self.shared.health.due(&(&self.app, &self.account), due);
        }
    }

    /// Waits for the time, or for a poke. On the way it tells who is concerned that the account has become stale: the
    /// wait may be a long one, where Meta throttles.
    async fn wait_until(&mut self, due: Instant) {
        let stale = self.shared.inventory.stale_at(&self.app, &self.account).filter(|_| !self.told_stale);
        if let Some(stale) = stale.filter(|stale| *stale < due) {
            if timeout_at(stale.into(), self.poke.notified()).await.is_ok() {
                return;
            }
            self.told_stale = true;
            self.shared.wake.stale(&self.app, &self.account);
        }
        // A poke ends the wait early; both ways lead to a read.
        let _ = timeout_at(due.into(), self.poke.notified()).await;
    }

    /// Sooner than the next poll, but no sooner than Meta allows.
    fn after_failure(&self, failures: u32, throttle: Option<Timestamp>) -> Duration {
        let backoff = self.shared.timing.retry_interval * 2_u32.saturating_pow(failures.min(16) - 1);
        let throttle =
            throttle.and_then(|until| Duration::try_from(until.duration_since(self.shared.graph.now())).ok());
        backoff.min(self.polling.interval).max(throttle.unwrap_or_default())
    }

    /// Reads the account; the error is until when Meta wants no calls, if that is why it failed.
    async fn read(&mut self) -> Result<(), Option<Timestamp>> {
        let shared = self.shared.clone();
        let Ok(_permit) = shared.reads.acquire().await else { return Err(None) };
        let health = elapsed(self.health_read, shared.timing.health_interval);
        let want = Want { health };
        match shared.graph.read_account(&self.polling.access, &self.account, want, Priority::Poll).await {
            Ok(read) => {
                if health {
                    self.health_read = Some(Instant::now());
                }
                self.told_stale = false;
                let mut changes = shared.inventory.replace(&self.app, &self.account, read);
                changes.account |= self.read_limit().await;
                if changes != Changes::default() {
                    debug!(app = %self.app, account = &*self.account, numbers = changes.numbers.len(),
                        templates = changes.templates.len(), "account changed");
                    shared.wake.changed(&self.app, &self.account, &changes);
                }
                Ok(())
            }
            Err(error) => {
                let throttle = error.throttled_until();
                self.failed(error);
                Err(throttle)
            }
        }
    }

    fn failed(&mut self, error: graph::Error) {
        info!(app = %self.app, account = &*self.account, %error, trace = error.fbtrace_id(), "account not read");
        // A dead token concerns the app at once, however often it was told.
        let token = error.is_token();
        let failure = Failure { error, token: self.polling.token.clone(), at: Instant::now() };
        if self.shared.inventory.fail(&self.app, &self.account, failure) || token {
            self.shared.wake.failed(&self.app, &self.account);
        }
    }

    /// Reads the template limit where that is due; true if it changed. A failure waits for the next poll: nothing
    /// hangs on it.
    async fn read_limit(&mut self) -> bool {
        if Instant::now() < self.limit_due {
            return false;
        }
        match self.shared.graph.template_limit(&self.polling.access, &self.account).await {
            Ok(limit) => {
                self.limit_due = Instant::now() + self.shared.timing.limits_interval;
                limit.is_some_and(|limit| self.shared.inventory.set_template_limit(&self.app, &self.account, limit))
            }
            Err(error) => {
                debug!(app = %self.app, account = &*self.account, %error, "template limit not read");
                false
            }
        }
    }
}

fn elapsed(since: Option<Instant>, interval: Duration) -> bool {
    since.is_none_or(|since| since.elapsed() >= interval)
}
