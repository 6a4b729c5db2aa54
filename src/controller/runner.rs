//! Runs one kind: watches feed the cache, the cache and whoever wakes an object feed a bounded queue, the queue feeds
//! the kind's reconciler.

use std::{
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use ahash::AHashMap;
use futures::{
    FutureExt, StreamExt,
    future::{self, BoxFuture},
    stream::FuturesUnordered,
};
use kube::{
    Api, Client, Resource, ResourceExt,
    runtime::{WatchStreamExt, watcher},
};
use parking_lot::Mutex;
use tokio::time;
use tracing::{debug, error, warn};

use super::{
    context::Error,
    managed_resource::ManagedResource,
    queue::Queue,
    reconcile::{Done, reconcile},
    store::{Key, Objects, ScopeFeed, Update, Watched},
};
use crate::{
    api::Kind,
    k8s::{backoff::Backoff, timeout},
    telemetry::{Metrics, Outcome},
};

/// Objects that are reconciled at once, per kind and watched namespace. With fewer, the call that a person requests waits for
/// the writes of others; with more, an import takes more memory.
pub const CONCURRENCY: u16 = 48;
/// Objects in one page of a list: text until each is parsed, 4 kB an object. The API server spends three times the CPU on
/// pages of 50.
const PAGE: u32 = 500;

/// What the controllers of all kinds share.
#[derive(Clone)]
pub struct Running {
    /// Talks to the API server.
    pub client: Client,
    /// Counts what happens.
    pub metrics: Metrics,
    /// Resolves when the operator ends.
    pub shutdown: future::Shared<future::BoxFuture<'static, ()>>,
    /// Resolves when the first lists of all kinds have come: nothing is decided before.
    pub synced: future::Shared<future::BoxFuture<'static, ()>>,
}

/// Runs the controller of one kind over all its scopes until the shutdown.
pub async fn run<R: ManagedResource>(
    running: Running,
    objects: Objects<R::Object>,
    feeds: Vec<ScopeFeed>,
    reconciler: Arc<R>,
) {
    let scopes =
        feeds.into_iter().map(|feed| run_scope(running.clone(), objects.clone(), feed, reconciler.clone()).boxed());
    future::join_all(scopes).await;
}

async fn run_scope<R: ManagedResource>(
    running: Running,
    objects: Objects<R::Object>,
    mut feed: ScopeFeed,
    reconciler: Arc<R>,
) {
    let api: Api<Watched<R::Object>> = match &feed.namespace {
        Some(namespace) => Api::namespaced(running.client.clone(), namespace),
        None => Api::all(running.client.clone()),
    };
    let mut events = pin!(watcher::watcher(api, watcher::Config::default().page_size(PAGE)).default_backoff());
    let mut shutdown = running.shutdown.clone();
    let context = Context { running, objects, reconciler, backoff: Backoff::default(), overtaken: Mutex::default() };
    let mut queue = Queue::default();
    let mut in_flight = FuturesUnordered::new();
    loop {
        while in_flight.len() < usize::from(CONCURRENCY)
            && let Some(key) = queue.pop(time::Instant::now())
        {
            let context = &context;
            in_flight.push(async move {
                let requeue = context.reconcile(&key).await;
                (key, requeue)
            });
        }
        let due = queue.next_due();
        tokio::select! {
            () = &mut shutdown => break,
            Some((key, requeue)) = in_flight.next() => queue.done(key, requeue, time::Instant::now()),
            Some(event) = events.next() => match event {
                Ok(event) => {
                    let update = context.objects.update(&mut feed, &event);
                    context.tell(&update);
                    update.due.into_iter().for_each(|key| queue.push(key));
                }
                Err(error) => warn!(kind = R::Object::NAME, %error, "watch failed; the operator retries"),
            },
            Some(key) = feed.woken.next() => queue.push(key),
            () = until(due), if in_flight.len() < usize::from(CONCURRENCY) => {}
        }
    }
    // What is running comes to its end.
    while in_flight.next().await.is_some() {}
}

/// Resolves at this time, if there is one.
async fn until(due: Option<time::Instant>) {
    match due {
        Some(due) => time::sleep_until(due).await,
        None => future::pending().await,
    }
}

struct Context<R: ManagedResource> {
    running: Running,
    objects: Objects<R::Object>,
    reconciler: Arc<R>,
    backoff: Backoff<Key>,
    /// The versions of objects over which a status was written, until the watch brings the newer ones.
    overtaken: Mutex<AHashMap<Key, String>>,
}

impl<R: ManagedResource> Context<R> {
    /// Says what an event of the watch brought to whom it concerns.
    fn tell(&self, update: &Update<R::Object>) {
        for object in &update.changed {
            self.reconciler.on_change(object);
        }
        for object in &update.gone {
            self.backoff.reset(&object.key);
            self.overtaken.lock().remove(&object.key);
            self.reconciler.on_delete(object);
            self.reconciler.on_change(object);
            // Whoever competed with it for the same thing may have won.
            self.objects.enqueue_claimants(&object.claim);
        }
    }

    // A reconcile's future is large, and few run at a time: on the heap they do not grow the runner's own.
    fn reconcile_now(&self, object: R::Object) -> BoxFuture<'_, Result<Done, Error>> {
        async move {
            let object = self.reconciler.effective(Arc::new(object));
            reconcile(&*self.reconciler, &object).await
        }
        .boxed()
    }

    /// One reconcile: waits for the lists, catches a panic, counts the outcome, backs off after a failure. When to reconcile
    /// again, if nothing happens before.
    async fn reconcile(&self, key: &Key) -> Option<Duration> {
        let running = &self.running;
        future::select(running.synced.clone(), running.shutdown.clone()).await;
        // Without all lists the operator is ending.
        running.synced.peek()?;
        let cached = self.objects.get(key).filter(|cached| cached.usable)?;
        // What is being deleted concerns us only while it waits for us.
        let ours = |object: &R::Object| {
            object.meta().deletion_timestamp.is_none()
                || object.finalizers().iter().any(|name| Some(&**name) == R::Object::FINALIZER)
        };
        let object = cached.object().filter(ours)?;
        let version = object.resource_version().unwrap_or_default();
        if self.is_overtaken(key, &version) {
            // What was decided on it would be decided, reported and requested a second time.
            return None;
        }
        let kind = R::Object::NAME;
        let started = Instant::now();
        let result = timeout::catch(&running.metrics, self.reconcile_now(object)).await;
        let (outcome, requeue) = match result {
            Ok(Ok(done)) => {
                self.backoff.reset(key);
                if done.overtaken {
                    self.overtaken.lock().insert(key.clone(), version);
                }
                (if done.changed { Outcome::Changed } else { Outcome::Unchanged }, done.requeue)
            }
            Ok(Err(error)) if error.is_stale() => (Outcome::Unchanged, Some(self.backoff.failed(key))),
            Ok(Err(error)) => {
                let wait = self.backoff.failed(key);
                let wait_ms = wait.as_millis();
                if error.is_namespace_ending() {
                    debug!(kind, object = %key, %error, wait_ms, "reconcile failed");
                } else {
                    warn!(kind, object = %key, %error, wait_ms, "reconcile failed");
                }
                (Outcome::Error, Some(wait))
            }
            Err(panic) => {
                let wait = self.backoff.failed(key);
                error!(kind, object = %key, %panic, "reconcile panicked");
                (Outcome::Panic, Some(wait))
            }
        };
        running.metrics.reconciled(kind, outcome, started.elapsed());
        if self.objects.get(key).is_none() {
            // It was deleted during its reconcile.
            self.backoff.reset(key);
            self.overtaken.lock().remove(key);
        }
        requeue
    }

    /// Whether a status was written over this version of the object; a newer one ends the wait for it.
    fn is_overtaken(&self, key: &Key, version: &str) -> bool {
        let mut overtaken = self.overtaken.lock();
        let waits = overtaken.get(key).is_some_and(|written_over| written_over == version);
        if !waits {
            overtaken.remove(key);
        }
        waits
    }
}
