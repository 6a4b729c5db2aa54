//! Runs one kind: watches feed the cache, the cache and whoever wakes an object feed a bounded queue, the queue feeds
//! the kind's reconciler.

use std::{
    convert::Infallible,
    fmt::Display,
    future::Future,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{FutureExt, Stream, StreamExt, future, stream};
use kube::{
    Api, Client, ResourceExt,
    core::{DeserializeGuard, ObjectMeta},
    runtime::{
        WatchStreamExt,
        controller::{self, Action},
        reflector::store::Writer,
        watcher::{self, Event},
    },
};
use tracing::{debug, error, warn};

use super::store::{Cached, Key, Objects, ScopeFeed};
use crate::{
    api::Kind,
    k8s::{
        backoff::{Backoff, Delays},
        timeout,
    },
    telemetry::{Metrics, Outcome},
};

/// Objects that are reconciled at once, per kind and watched namespace. Import speed hangs on it; the API server's
/// priority levels give one client about this many seats.
pub const CONCURRENCY: u16 = 16;

/// What a reconcile came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// Whether anything was written.
    pub changed: bool,
    /// Reconcile again after this, if nothing else wakes the object.
    pub requeue: Option<Duration>,
}

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

/// What a kind brings: its reconciler, and what to do when an object is gone.
pub trait Reconciler<K: Kind>: Send + Sync + 'static {
    /// Brings one object's status, and what it stands for, up to date.
    fn reconcile(&self, object: Arc<K>) -> impl Future<Output = Result<Done, super::Error>> + Send;

    /// The watch brought the object, a newer version of it, or its end: who counts or lacks such objects may look again.
    fn on_change(&self, object: &Cached<K>);

    /// The object is gone from the API server.
    fn deleted(&self, object: &Cached<K>);
}

/// Runs the controller of one kind over all its scopes until the shutdown.
pub async fn run<K: Kind, R: Reconciler<K>>(
    running: Running,
    objects: Objects<K>,
    feeds: Vec<ScopeFeed<K>>,
    reconciler: Arc<R>,
) {
    let scopes =
        feeds.into_iter().map(|feed| run_scope(running.clone(), objects.clone(), feed, reconciler.clone()).boxed());
    future::join_all(scopes).await;
}

async fn run_scope<K: Kind, R: Reconciler<K>>(
    running: Running,
    objects: Objects<K>,
    feed: ScopeFeed<K>,
    reconciler: Arc<R>,
) {
    let ScopeFeed { namespace, writer, woken } = feed;
    let store = writer.as_reader();
    let api: Api<DeserializeGuard<K>> = match &namespace {
        Some(namespace) => Api::namespaced(running.client.clone(), namespace),
        None => Api::all(running.client.clone()),
    };
    // Small pages: a page is held in memory twice, as bytes and as objects.
    let events = watcher::watcher(api, watcher::Config::default().page_size(50)).default_backoff();
    let touched = feed_cache(events, objects, namespace, writer, reconciler.clone());
    let queue = stream::select(touched, woken.map(Ok::<_, watcher::Error>)).take_until(running.shutdown.clone());

    let backoff = Backoff::new(Delays::default());
    let context = Arc::new(Context { running, reconciler, backoff });
    let results = controller::applier(
        |object, context: Arc<Context<K, R>>| guarded(object, context).boxed(),
        |_, error: &Infallible, _| match *error {},
        context,
        store,
        queue,
        controller::Config::default().concurrency(CONCURRENCY),
    );
    let mut results = pin!(results);
    while let Some(result) = results.next().await {
        if let Err(error) = result {
            // An object that went while it was queued, or a watch that reconnects.
            debug!(%error, "queue");
        }
    }
}

struct Context<K: Kind, R> {
    running: Running,
    reconciler: Arc<R>,
    backoff: Backoff<Key<K>>,
}

/// One reconcile: waits for the lists, catches a panic, counts the outcome, backs off after a failure.
async fn guarded<K: Kind, R: Reconciler<K>>(
    cached: Arc<Cached<K>>,
    context: Arc<Context<K, R>>,
) -> Result<Action, Infallible> {
    let running = &context.running;
    future::select(running.synced.clone(), running.shutdown.clone()).await;
    if running.synced.peek().is_none() {
        // The operator ends before it knew everything.
        return Ok(Action::await_change());
    }
    // What is being deleted concerns us only while it waits for us.
    let ours = |object: &K| {
        object.meta().deletion_timestamp.is_none()
            || object.finalizers().iter().any(|name| Some(&**name) == K::FINALIZER)
    };
    let Some(object) = cached.object().filter(ours) else { return Ok(Action::await_change()) };
    let kind = K::NAME;
    let key = cached.key();
    let started = Instant::now();
    let result = timeout::catch(&context.running.metrics, context.reconciler.reconcile(Arc::new(object))).await;
    let (outcome, action) = match result {
        Ok(Ok(done)) => {
            context.backoff.reset(&key);
            let outcome = if done.changed { Outcome::Changed } else { Outcome::Unchanged };
            (outcome, done.requeue.map_or_else(Action::await_change, Action::requeue))
        }
        Ok(Err(error)) if error.is_stale() => (Outcome::Unchanged, Action::requeue(context.backoff.failed(&key))),
        Ok(Err(error)) => {
            let wait = context.backoff.failed(&key);
            warn!(kind, object = %key, %error, wait_ms = wait.as_millis(), "reconcile failed");
            (Outcome::Error, Action::requeue(wait))
        }
        Err(panic) => {
            let wait = context.backoff.failed(&key);
            error!(kind, object = %key, %panic, "reconcile panicked");
            (Outcome::Panic, Action::requeue(wait))
        }
    };
    context.running.metrics.reconciled(kind, outcome, started.elapsed());
    Ok(action)
}

/// Writes the watch into the cache and yields the objects to reconcile.
fn feed_cache<K: Kind, R: Reconciler<K>>(
    events: impl Stream<Item = Result<Event<DeserializeGuard<K>>, watcher::Error>>,
    objects: Objects<K>,
    namespace: Option<String>,
    mut writer: Writer<Cached<K>>,
    reconciler: Arc<R>,
) -> impl Stream<Item = Result<Key<K>, watcher::Error>> {
    events.flat_map(move |event| {
        let event = match event.map(parsed) {
            Ok(Some(event)) => event,
            Ok(None) => return stream::iter(Vec::new()),
            Err(error) => {
                warn!(kind = K::NAME, %error, "watch failed; trying again");
                return stream::iter(Vec::new());
            }
        };
        // What went while the watch was away is missing from the fresh list, and no event tells of it.
        let before = if matches!(event, Event::InitDone) { writer.as_reader().state() } else { Vec::new() };
        writer.apply_watcher_event(&event);
        objects.index(namespace.as_deref(), &event);
        let gone = |object: &Cached<K>| {
            reconciler.deleted(object);
            reconciler.on_change(object);
            // Whoever competed with it for the same thing may have won.
            objects.enqueue_claimants(&object.claim);
        };
        let touched = match &event {
            // Whoever competes with it for the same thing may have lost, or won.
            Event::Apply(object) => {
                reconciler.on_change(object);
                objects.claimant_keys(&object.claim).into_iter().map(Ok).collect()
            }
            Event::InitDone => {
                let store = writer.as_reader();
                before.iter().filter(|object| store.get(&object.key()).is_none()).for_each(|object| gone(object));
                store.state().iter().map(|object| Ok(object.key())).collect()
            }
            Event::Delete(object) => {
                gone(object);
                Vec::new()
            }
            Event::Init | Event::InitApply(_) => Vec::new(),
        };
        stream::iter(touched)
    })
}

/// The event with an object for the cache, trimmed of what nobody reads. An object that cannot be parsed (its CRD is newer
/// or older than this operator) is left alone, and said so.
fn parsed<K: Kind>(event: Event<DeserializeGuard<K>>) -> Option<Event<Cached<K>>> {
    let misfit = |meta: &ObjectMeta, error: &dyn Display| {
        error!(
            kind = K::NAME,
            name = meta.name,
            namespace = meta.namespace,
            %error,
            "object does not fit this operator's API; is the CRD of another version?"
        );
    };
    let parse = |guarded: DeserializeGuard<K>| match guarded.0 {
        Ok(mut object) => {
            object.meta_mut().managed_fields = None;
            object.annotations_mut().remove("kubectl.kubernetes.io/last-applied-configuration");
            Cached::new(&object).inspect_err(|error| misfit(object.meta(), error)).ok()
        }
        Err(invalid) => {
            misfit(&invalid.metadata, &invalid.error);
            None
        }
    };
    Some(match event {
        Event::Apply(object) => Event::Apply(parse(object)?),
        Event::Delete(object) => Event::Delete(parse(object)?),
        Event::InitApply(object) => Event::InitApply(parse(object)?),
        Event::Init => Event::Init,
        Event::InitDone => Event::InitDone,
    })
}
