//! One number's ledger while it is worked with: nobody else in this process has it, and the Secret's version keeps other
//! processes out.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use ahash::AHashMap;
use jiff::Timestamp;
use kube::Client;
use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;
use tracing::{error, info, warn};

use super::{
    record::Ledger,
    store::{self, LedgerProblem, secret_name},
    transitions::CallOutcome,
};
use crate::calls::{Evidence, intent::Intent};
use crate::{
    k8s::secrets::OwnedSecret,
    timing::{self, Timing},
};

/// The version of a Secret that the watch last saw, by its name.
type Versions = dyn Fn(&str) -> Option<String> + Send + Sync;

/// How often, in all, writing down again is tried once more after a backup was restored, and the pause before.
const HEAL_TRIES: u32 = 20;
const HEAL_PAUSE: Duration = Duration::from_secs(1);

/// All ledgers.
pub struct Ledgers {
    /// Without retries of its own: a write that may arrive later than its answer would be worse than none.
    client: Client,
    namespace: String,
    versions: Box<Versions>,
    timing: Timing,
    slots: Mutex<AHashMap<u64, Shelf>>,
}

/// Where a ledger is kept in this process.
#[derive(Default)]
struct Shelf {
    slot: Arc<tokio::sync::Mutex<CacheEntry>>,
    /// The version of its Secret that this process knows.
    version: Option<String>,
    /// The watch has shown another one, and nobody has looked at it yet.
    news: bool,
}

/// What this process knows of one ledger.
#[derive(Default)]
pub(crate) struct CacheEntry {
    pub(crate) known: Option<(Ledger, OwnedSecret)>,
    /// When this process last wrote it: the watch may be behind.
    written: Option<Instant>,
    /// When the last call ended that changed the number, or may have.
    pub(crate) last_change_at: Option<Instant>,
    /// The same by the ledger, as it was taken over last.
    recalled: Option<Timestamp>,
    /// Start of the first read after that which counts.
    first_fresh: Option<Instant>,
    /// Since when intents of other processes are seen open.
    foreign: AHashMap<String, Instant>,
    /// Outcomes that are not written yet; they count all the same.
    pub(crate) ended: Vec<Finished>,
    /// A write failed: what is known may not be what is there.
    stale: bool,
    /// What is known of the number besides, where there is no ledger yet, or none any more.
    origin: Option<Box<Ledger>>,
}

impl CacheEntry {
    /// Whether there is nothing that the next one to work with the number could not find out.
    fn is_empty(&self) -> bool {
        let Self { known, written, last_change_at, recalled: _, first_fresh, foreign, ended, stale, origin } = self;
        let nothing_known = known.is_none() && origin.is_none() && ended.is_empty() && foreign.is_empty() && !stale;
        nothing_known && written.is_none() && last_change_at.is_none() && first_fresh.is_none()
    }
}

/// How a call ended, and when.
pub(crate) struct Finished {
    /// The intent's name.
    pub(crate) id: String,
    pub(crate) ended: CallOutcome,
    /// Meta's clock.
    pub(crate) at: Timestamp,
}

impl Ledgers {
    /// Ledgers in `namespace`; `versions` tells what the watch of its Secrets has seen.
    #[must_use]
    pub fn new(
        client: Client,
        namespace: &str,
        versions: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
        timing: Timing,
    ) -> Arc<Self> {
        let (namespace, versions) = (namespace.to_owned(), Box::new(versions));
        Arc::new(Self { client, namespace, versions, timing, slots: Mutex::default() })
    }

    /// Whether the number with these digits has a ledger, as far as is known without asking.
    #[must_use]
    pub fn exists(&self, digits: u64) -> bool {
        self.slots.lock().contains_key(&digits) || (self.versions)(&secret_name(digits)).is_some()
    }

    /// Opens the ledger of a number; waits while somebody else in this process has it.
    pub async fn open(self: &Arc<Self>, digits: u64) -> LedgerHandle {
        let slot = self.slots.lock().entry(digits).or_default().slot.clone();
        LedgerHandle { slot: slot.lock_owned().await, ledgers: self.clone(), digits, name: secret_name(digits) }
    }

    /// Writes down again what this process remembers and a restored backup of the cluster does not have. What cannot be
    /// written is told in the log.
    pub async fn heal(self: &Arc<Self>, now: Timestamp) {
        let known: Vec<u64> = self.slots.lock().keys().copied().collect();
        // An API server that has just been restored may not answer at once.
        let mut tries = HEAL_TRIES;
        for digits in known {
            let mut book = self.open(digits).await;
            loop {
                book.slot.stale = true;
                let Err(problem) = book.load(now).await else { break };
                if problem.is_lasting() || tries == 0 {
                    error!(number = digits, %problem, "what is remembered of a number is not written down again");
                    break;
                }
                tries -= 1;
                tokio::time::sleep(HEAL_PAUSE).await;
            }
        }
    }

    /// Writes, before the process ends, the outcomes that the API server has not taken so far. If it still does not take one,
    /// the next leader finds out what became of that call.
    pub async fn flush(self: &Arc<Self>, now: Timestamp) {
        let known: Vec<u64> = self.slots.lock().keys().copied().collect();
        for digits in known {
            let mut book = self.open(digits).await;
            if !book.has_unwritten_outcomes() {
                continue;
            }
            match book.load(now).await {
                Ok(_) => info!(number = digits, "the outcome of a call to Meta was recorded before the end"),
                Err(problem) => warn!(number = digits, %problem, "the outcome of a call to Meta was not recorded"),
            }
        }
    }

    /// Takes note of the version that the watch shows of a ledger; whether that is another one than this process knows. Then
    /// it is looked at, however short ago this process wrote it.
    pub fn notice(&self, digits: u64, version: Option<&str>) -> bool {
        let mut slots = self.slots.lock();
        let Some(place) = slots.get_mut(&digits) else { return version.is_some() };
        let is_news = place.version.as_deref() != version;
        place.news |= is_news;
        is_news
    }
}

/// See the module.
pub struct LedgerHandle {
    pub(crate) slot: OwnedMutexGuard<CacheEntry>,
    ledgers: Arc<Ledgers>,
    pub(super) digits: u64,
    name: String,
}

impl Drop for LedgerHandle {
    /// A number without a ledger takes no memory while nobody works with it.
    fn drop(&mut self) {
        if !self.slot.is_empty() {
            return;
        }
        let mut slots = self.ledgers.slots.lock();
        // The map's and this guard's: nobody else waits for it.
        if slots.get(&self.digits).is_some_and(|place| !place.news && Arc::strong_count(&place.slot) == 2) {
            slots.remove(&self.digits);
        }
    }
}

impl LedgerHandle {
    /// Brings the ledger up to date; `None` where there is none.
    ///
    /// # Errors
    /// As [`LedgerProblem`] says.
    pub async fn load(&mut self, now: Timestamp) -> Result<Option<&Ledger>, LedgerProblem> {
        self.slot.stale |= self.has_news();
        if !self.is_current() {
            self.read().await?;
        }
        self.recall(now);
        if !self.slot.ended.is_empty() {
            self.save(|_| {}).await?;
        }
        Ok(self.ledger())
    }

    /// Where there is no ledger, one begins with this: what a status tells of it that was lost.
    pub fn begins_with(&mut self, origin: Ledger) {
        self.slot.origin = self.slot.known.is_none().then(|| Box::new(origin));
    }

    /// Whether the API server has not yet taken the outcome of a call.
    #[must_use]
    pub fn has_unwritten_outcomes(&self) -> bool {
        !self.slot.ended.is_empty()
    }

    /// The ledger as it is known.
    #[must_use]
    pub fn ledger(&self) -> Option<&Ledger> {
        self.slot.known.as_ref().map(|(ledger, _)| ledger)
    }

    /// Whether the watch has shown what this process does not know, and has not got over it.
    fn has_news(&self) -> bool {
        let mut slots = self.ledgers.slots.lock();
        let place = slots.entry(self.digits).or_default();
        std::mem::take(&mut place.news) && place.version != (self.ledgers.versions)(&self.name)
    }

    /// Remembers what is there.
    fn keep(&mut self, known: Option<(Ledger, OwnedSecret)>) {
        let version = known.as_ref().and_then(|(_, secret)| secret.resource_version()).map(str::to_owned);
        self.ledgers.slots.lock().entry(self.digits).or_default().version = version;
        self.slot.known = known;
    }

    fn is_current(&self) -> bool {
        if self.slot.stale {
            return false;
        }
        let settle = self.ledgers.timing.settle.max(Duration::from_secs(2));
        let own = self.slot.written.is_some_and(|written| timing::now().saturating_duration_since(written) < settle);
        let seen = (self.ledgers.versions)(&self.name);
        match &self.slot.known {
            Some((_, secret)) => own || secret.resource_version() == seen.as_deref(),
            None => own || seen.is_none(),
        }
    }

    /// Reads the Secret. What is older than what this process knows comes from a backup of the cluster, and what is
    /// missing was deleted: Meta remembers, and so does the operator.
    async fn read(&mut self) -> Result<(), LedgerProblem> {
        let Ledgers { client, namespace, .. } = &*self.ledgers;
        let found = OwnedSecret::read(client, namespace, &self.name).await?;
        let path = format!("{namespace}/{}", self.name);
        let found = found.map(|secret| store::read(&secret, &path).map(|ledger| (ledger, secret))).transpose()?;
        self.slot.stale = false;
        let known = self.slot.known.take();
        self.slot.known = match (known, found) {
            (Some((known, _)), None) => {
                warn!(secret = path, "the ledger of a number is gone; it is written anew from memory");
                Some((known, OwnedSecret::new(namespace, &self.name, None)))
            }
            (Some((known, _)), Some((found, secret))) if found.serial < known.serial => {
                warn!(secret = path, "the ledger of a number went back in time; what is remembered is written over it");
                Some((known, secret))
            }
            (known, found) => {
                let version = |(_, secret): &(Ledger, OwnedSecret)| secret.resource_version().map(str::to_owned);
                if let Some(found) = found.as_ref().filter(|found| known.as_ref().and_then(version) != version(found)) {
                    // Somebody else wrote it. What this process began and is not there was settled by them, or will never
                    // be there, under a version that is no more: in either case its end is nothing to write down.
                    self.slot.ended.retain(|finished| found.0.intent(&finished.id).is_some());
                }
                self.slot.written = None;
                self.keep(found);
                self.apply();
                return Ok(());
            }
        };
        self.save(|_| {}).await
    }

    /// Has what has ended count, before it is written.
    pub(crate) fn apply(&mut self) {
        let CacheEntry { known, ended, .. } = &mut *self.slot;
        if let Some((ledger, _)) = known {
            for Finished { id, ended, at } in ended {
                ledger.finish(id, ended.clone(), *at);
            }
        }
    }

    /// Takes over what a ledger of another process says of the time.
    fn recall(&mut self, now: Timestamp) {
        let slot = &mut *self.slot;
        let Some((ledger, _)) = &slot.known else { return };
        if slot.recalled != ledger.last_change_at {
            slot.recalled = ledger.last_change_at;
            // The clock of whoever wrote it may be a little ahead of this one: then it was just now.
            let ago = |at: Timestamp| Duration::try_from(now.duration_since(at)).unwrap_or_default();
            let last_change_at = ledger.last_change_at.and_then(|at| timing::now().checked_sub(ago(at)));
            if last_change_at > slot.last_change_at {
                slot.last_change_at = last_change_at;
                slot.first_fresh = None;
            }
        }
        let open = |id: &str| ledger.intent(id).is_some_and(|intent| !intent.unknown);
        slot.foreign.retain(|id, _| open(id));
        for intent in ledger.intents.iter().filter(|intent| !intent.unknown) {
            slot.foreign.entry(intent.id.clone()).or_insert_with(timing::now);
        }
    }

    /// Changes the ledger and writes it, under the version that was read. What has ended meanwhile is written along.
    ///
    /// # Errors
    /// As [`LedgerProblem`] says; then the ledger is to be loaded again.
    pub async fn save(&mut self, change: impl FnOnce(&mut Ledger)) -> Result<(), LedgerProblem> {
        self.apply();
        let Ledgers { client, namespace, .. } = &*self.ledgers;
        let (mut ledger, mut secret) = self.slot.known.clone().unwrap_or_else(|| {
            let origin = self.slot.origin.as_deref().cloned().unwrap_or_default();
            (origin, OwnedSecret::new(namespace, &self.name, None))
        });
        change(&mut ledger);
        ledger.serial += 1;
        store::write(&ledger, &mut secret);
        match secret.save(client).await {
            Ok(saved) => {
                self.slot.ended.clear();
                self.keep(Some((ledger, saved)));
                self.slot.written = Some(timing::now());
                Ok(())
            }
            Err(problem) => {
                // It may have been written all the same, or by somebody else: look before the next step.
                self.slot.written = None;
                self.slot.stale = true;
                Err(problem.into())
            }
        }
    }

    /// Writes down what became of a call, as it was found out afterwards.
    ///
    /// # Errors
    /// As [`LedgerHandle::save`].
    pub async fn settle(&mut self, id: &str, ended: CallOutcome, now: Timestamp) -> Result<(), LedgerProblem> {
        self.save(|ledger| ledger.finish(id, ended, now)).await
    }

    /// Notes that a call has just ended which changed the number, or may have.
    pub(crate) fn touch(&mut self) {
        self.slot.last_change_at = Some(timing::now());
        self.slot.first_fresh = None;
    }

    /// What a read that began then says; `None`: nothing was read yet.
    pub fn evidence(&mut self, read: Option<Instant>) -> Evidence {
        let timing = &self.ledgers.timing;
        let (settle, gap) = (timing.settle, timing.absence_gap);
        let slot = &mut *self.slot;
        let Some(last_change_at) = slot.last_change_at else { return Evidence::FULL };
        let Some(read) = read.filter(|read| *read >= last_change_at + settle) else { return Evidence::default() };
        let first = *slot.first_fresh.get_or_insert(read);
        Evidence { fresh: true, twice: read >= first + gap }
    }

    /// From when on a read counts that is asked for now.
    #[must_use]
    pub fn counts_from(&self) -> Option<Instant> {
        self.slot.last_change_at.map(|last_change_at| last_change_at + self.ledgers.timing.settle)
    }

    /// How long an intent that this process did not write, or lost sight of, is to be left alone: whoever wrote it may
    /// still be at it. `None` once that is over.
    #[must_use]
    pub fn foreign_call_grace(&self, intent: &Intent) -> Option<Duration> {
        if intent.unknown {
            return None;
        }
        let first = self.slot.foreign.get(&intent.id).copied().unwrap_or_else(timing::now);
        let left = (first + self.ledgers.timing.foreign_call_grace).saturating_duration_since(timing::now());
        (!left.is_zero()).then_some(left)
    }
}

#[cfg(test)]
#[path = "handle_tests.rs"]
mod tests;
