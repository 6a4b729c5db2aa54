//! Puts the parts together and runs them until the end.

mod gauges;
mod tasks;
mod watches;

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use futures::{FutureExt, future};
use kube::Client;
use tokio::{net::TcpListener, task::JoinSet};
use tracing::{error, info, warn};

use self::tasks::{Stop, Tasks};
use crate::{
    api::Kind,
    controller::{self, Context, ManagedResource, Objects, Running, ScopeFeed, Secrets, Triggers},
    graph::{self, Finished},
    k8s::{
        client::{counting, counting_without_retries},
        events::Events,
        fingerprint::Fingerprinter,
        lease::{Fence, Lease, LeaseConfig},
        restore_detector::RestoreDetector,
    },
    kinds::{Apps, Bindings, Numbers, Templates},
    ledger::Ledgers,
    observe::{Inventory, Pollers},
    server::{self, Health, Stage},
    telemetry::Metrics,
    timing::Timing,
};

/// Name of the operator: of its lease, as the source of its Events, and as `User-Agent`.
const NAME: &str = "waba-operator";
/// The Graph version for apps that name none.
pub const GRAPH_VERSION: &str = "v26.0";
/// A poll that is overdue by more than this is a reason to restart the process.
const OVERDUE_LIMIT: Duration = Duration::from_mins(30);
/// Pause between two tries of something that the operator cannot begin without.
const START_RETRY: Duration = Duration::from_secs(2);

/// The operator's settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Address of the Graph API.
    pub graph_url: reqwest::Url,
    /// Namespaces to watch; none is all.
    pub namespaces: Vec<String>,
    /// Namespace of the operator's lease, ledgers and keys.
    pub operator_namespace: String,
    /// Address of health and metrics.
    pub listen: SocketAddr,
    /// Whether another operator may run at the same time.
    pub leader_elect: bool,
    /// How many objects have a metric of their own.
    pub object_metrics: usize,
    /// Every wait.
    pub timing: Timing,
}

/// Why the operator ended other than by a shutdown.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Health and metrics cannot be served.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, #[source] std::io::Error),
    /// `--speedup` with the real Meta.
    #[error(
        "--speedup={0} would divide Meta's rate limits too; the operator refuses it for {1}: remove it, or set --graph-url to a simulator"
    )]
    Speedup(u32, String),
    /// No client for the API server.
    #[error("no client for the API server: {0}")]
    Client(#[from] kube::Error),
    /// No client for Meta.
    #[error("no client for Meta: {0}")]
    Graph(#[from] graph::BuildError),
    /// Another operator leads now.
    #[error("the lease was lost; another operator may lead now")]
    LeaseLost,
    /// A backup of the cluster was restored.
    #[error("the API server's data went back in time; the operator restarts to read everything again")]
    Rewound,
    /// A part that must not end before the process has ended.
    #[error("{0} ended")]
    Ended(&'static str),
}

/// Receives the operator's address as soon as it listens.
pub type Listening = tokio::sync::oneshot::Sender<SocketAddr>;

/// Runs the operator until `stop` resolves.
///
/// # Errors
/// See [`RunError`]; the process has to be restarted.
pub async fn run(
    settings: Settings,
    config: kube::Config,
    stop: impl Future<Output = ()> + Send + 'static,
    listening: Option<Listening>,
) -> Result<(), RunError> {
    refuse_speedup(&settings)?;
    let stop = stop.boxed().shared();
    let metrics = Metrics::new();
    let health = Health::new(OVERDUE_LIMIT);
    let listener = TcpListener::bind(settings.listen).await.map_err(|e| RunError::Listen(settings.listen, e))?;
    let address = listener.local_addr().map_err(|e| RunError::Listen(settings.listen, e))?;
    info!(%address, version = env!("CARGO_PKG_VERSION"), "listening");
    if let Some(listening) = listening {
        // The receiver may be gone; that does no harm.
        let _ = listening.send(address);
    }
    let router = server::router(health.clone(), metrics.clone());
    let (closing, closed) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(server::serve(listener, router, closed.map(|_| ())));

    let result = lead(settings, config, stop, &health, &metrics).await;
    health.enter(Stage::Stopping);
    let _ = closing.send(());
    if let Ok(Err(error)) = server.await {
        warn!(%error, "server");
    }
    result
}

/// `--speedup` also shrinks the window in which Meta counts calls, so the operator refuses it for the real Meta.
fn refuse_speedup(settings: &Settings) -> Result<(), RunError> {
    let (speedup, host) = (settings.timing.speedup, settings.graph_url.host_str().unwrap_or_default());
    let host = host.trim_end_matches('.');
    if speedup > 1 && (host == "facebook.com" || host.ends_with(".facebook.com")) {
        return Err(RunError::Speedup(speedup, host.to_owned()));
    }
    Ok(())
}

/// Waits for the lease if leader election is on, and works until the shutdown or until the lease is lost.
async fn lead(
    settings: Settings,
    config: kube::Config,
    stop: Stop,
    health: &Health,
    metrics: &Metrics,
) -> Result<(), RunError> {
    let clients =
        Clients { all: counting(config.clone(), metrics)?, certain: counting_without_retries(config, metrics)? };
    if !settings.leader_elect {
        metrics.leader(true);
        return work(settings, clients, stop, Fence::always(), &|| false, health, metrics).await;
    }
    let lease_config = LeaseConfig {
        namespace: settings.operator_namespace.clone(),
        name: NAME.to_owned(),
        identity: instance(),
        duration: settings.timing.lease,
        renew_every: settings.timing.lease_renewal,
        retry_every: settings.timing.lease_retry,
    };
    health.enter(Stage::Standby);
    let acquire = Lease::acquire(clients.certain.clone(), lease_config);
    let lease = tokio::select! {
        lease = acquire => lease,
        () = stop.clone() => return Ok(()),
    };
    info!("leading");
    metrics.leader(true);
    let lost = lease.lost().boxed().shared();
    // A lost lease ends the work like a shutdown: outcomes of calls are still recorded. The fence prevents further calls.
    let ends = future::select(stop, lost.clone()).map(drop).boxed().shared();
    let is_lost = || lost.peek().is_some();
    let result = work(settings, clients, ends, lease.fence(), &is_lost, health, metrics).await;
    metrics.leader(false);
    if is_lost() {
        return Err(if matches!(result, Err(RunError::Rewound)) { RunError::Rewound } else { RunError::LeaseLost });
    }
    lease.release().await;
    result
}

/// The name of this process in the lease and in Events: the pod's name.
fn instance() -> String {
    std::env::var("HOSTNAME").unwrap_or_else(|_| format!("pid-{}", std::process::id()))
}

/// Clients for the API server.
struct Clients {
    /// For nearly everything.
    all: Client,
    /// For writes that must not arrive after the caller has given up: without retries.
    certain: Client,
}

/// Everything that only the leader does; `is_lost`: whether it ends because the lease was lost.
async fn work(
    settings: Settings,
    Clients { all: client, certain }: Clients,
    stop: Stop,
    fence: Fence,
    is_lost: &(dyn Fn() -> bool + Send + Sync),
    health: &Health,
    metrics: &Metrics,
) -> Result<(), RunError> {
    let rewind = Arc::new(RestoreDetector::new(client.clone(), &settings.operator_namespace));
    let rewound = {
        let (rewind, every) = (rewind.clone(), settings.timing.rewind_check);
        async move { rewind.happened(every).await }.boxed().shared()
    };
    let stop = future::select(stop, rewound.clone()).map(drop).boxed().shared();
    let Some(fingerprints) = fingerprints(&client, &settings.operator_namespace, stop.clone()).await else {
        return Ok(());
    };
    let graph = graph_client(&settings, metrics)?;
    let (apps, app_feeds) = Objects::new(&settings.namespaces);
    let (numbers, number_feeds) = Objects::new(&settings.namespaces);
    let (templates, template_feeds) = Objects::new(&settings.namespaces);
    let wake = Triggers::new(apps.clone(), numbers.clone(), templates.clone());
    let mut tasks = Tasks::new(stop.clone());
    let (secrets, changed) =
        watches::secrets(&client, &settings.namespaces, &settings.operator_namespace, &wake, &mut tasks);
    let namespaces = settings.namespaces.is_empty().then(|| watches::namespaces(&client, &wake, &mut tasks));
    let (events, sending) = Events::new(client.clone(), NAME, &instance(), metrics);
    let sending = tokio::spawn(sending);

    let inventory = Arc::new(Inventory::default());
    let pollers = Pollers::new(inventory.clone(), graph.clone(), settings.timing.clone(), Arc::new(wake.clone()));
    health.watch_polls(pollers.overdue());
    let budgets = pollers.budgets();
    let synced = watches::synced(&apps, &numbers, &templates, &secrets, namespaces.clone());
    let secrets = Arc::new(Secrets::new(client.clone(), secrets));
    let ledgers = ledgers(certain, &settings, secrets.clone());
    let bindings = Arc::new(Bindings::default());
    changed.knows(ledgers.clone(), bindings.clone(), secrets.clone());
    let context = Arc::new(Context {
        client: client.clone(),
        graph,
        inventory,
        pollers,
        apps: apps.clone(),
        numbers: numbers.clone(),
        templates: templates.clone(),
        namespaces,
        secrets,
        ledgers,
        fingerprints,
        fence,
        events,
        metrics: metrics.clone(),
        timing: settings.timing.clone(),
        graph_version: GRAPH_VERSION.to_owned(),
        graph_url: settings.graph_url.as_str().trim_end_matches('/').to_owned(),
    });
    let running = Running { client, metrics: metrics.clone(), shutdown: stop.clone(), synced: synced.clone() };
    let some_only = !settings.namespaces.is_empty();
    let mut controllers = Controllers { running, ended: JoinSet::new() };
    controllers.start(apps.clone(), app_feeds, Apps::new(context.clone(), wake.clone(), some_only));
    controllers.start(numbers.clone(), number_feeds, Numbers::new(context.clone(), wake.clone(), bindings));
    controllers.start(templates.clone(), template_feeds, Templates::new(context.clone(), wake.clone()));
    tasks.spawn(wake.clone().batch_counts(settings.timing.counts_gap));
    if settings.object_metrics > 0 {
        let (objects, most) = (wake.clone(), settings.object_metrics);
        metrics.show_objects(move || gauges::object_series(&objects, most));
    }
    tasks.spawn(gauges::keep_current(
        metrics.clone(),
        wake.clone(),
        context.inventory.clone(),
        budgets,
        settings.timing.counts_gap,
    ));
    tasks.spawn({
        let health = health.clone();
        async move {
            synced.await;
            info!("caches are in sync");
            health.enter(Stage::Running);
            future::pending::<()>().await;
        }
    });
    let (ledgers, graph) = (context.ledgers.clone(), context.graph.clone());
    drop(context);

    let result = controllers.until_the_end(&stop, health).await;
    tasks.end().await;
    // Queued Events are still sent, and ledgers written.
    let _ = tokio::time::timeout(Duration::from_secs(5), sending).await;
    let _ = tokio::time::timeout(Duration::from_secs(5), ledgers.flush(graph.now())).await;
    if rewound.peek().is_some() || (is_lost() && rewind.has_happened().await) {
        ledgers.heal(graph.now()).await;
        return Err(RunError::Rewound);
    }
    result
}

/// The ledgers in the operator's namespace, whose Secrets are watched like all others.
fn ledgers(client: Client, settings: &Settings, secrets: Arc<Secrets>) -> Arc<Ledgers> {
    let namespace = settings.operator_namespace.clone();
    let versions = move |name: &str| secrets.version(&namespace, name);
    Ledgers::new(client, &settings.operator_namespace, versions, settings.timing.clone())
}

/// The controllers of the three kinds. If one ends before the shutdown, the process ends too.
struct Controllers {
    running: Running,
    ended: JoinSet<&'static str>,
}

impl Controllers {
    fn start<R: ManagedResource>(&mut self, objects: Objects<R::Object>, feeds: Vec<ScopeFeed>, reconciler: R) {
        let controller = controller::run(self.running.clone(), objects, feeds, Arc::new(reconciler));
        self.ended.spawn(controller.map(|()| R::Object::NAME));
    }

    async fn until_the_end(mut self, stop: &Stop, health: &Health) -> Result<(), RunError> {
        let first = self.ended.join_next().await;
        if stop.peek().is_none() {
            let kind = first.and_then(Result::ok).unwrap_or("a controller");
            error!(kind, "controller ended");
            health.ended(kind);
            return Err(RunError::Ended(kind));
        }
        // The others finish their reconciles.
        while self.ended.join_next().await.is_some() {}
        Ok(())
    }
}

/// The key under which secrets are compared; retried until there is one or the operator shuts down.
async fn fingerprints(client: &Client, namespace: &str, stop: Stop) -> Option<Fingerprinter> {
    let load = async {
        loop {
            match Fingerprinter::load(client, namespace).await {
                Ok(fingerprints) => return fingerprints,
                Err(error) => {
                    error!(%error, namespace, "could not load the operator's own key; retrying");
                    tokio::time::sleep(START_RETRY).await;
                }
            }
        }
    };
    tokio::select! {
        fingerprints = load => Some(fingerprints),
        () = stop => None,
    }
}

fn graph_client(settings: &Settings, metrics: &Metrics) -> Result<graph::Client, RunError> {
    let user_agent = format!("{NAME}/{}", env!("CARGO_PKG_VERSION"));
    let config = graph::Config { base_url: settings.graph_url.clone(), user_agent, timing: settings.timing.clone() };
    let metrics = metrics.clone();
    let recorder = move |call: &Finished<'_>| {
        metrics.called(call.endpoint, call.outcome, call.duration);
        metrics.left_out(call.endpoint, call.odd);
    };
    Ok(graph::Client::new(config, Arc::new(recorder))?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_speedup_is_refused_for_the_real_meta() {
        for (url, speedup, refused) in [
            ("https://graph.facebook.com", 1, false),
            ("https://graph.facebook.com", 2, true),
            ("https://GRAPH.facebook.com./", 600, true),
            ("https://graph.beta.facebook.com:443/x", 2, true),
            ("http://127.0.0.1:8080", 600, false),
            ("http://graph.facebook.com.sim.local", 600, false),
        ] {
            let settings = Settings {
                graph_url: url.parse().unwrap(),
                namespaces: Vec::new(),
                operator_namespace: "waba-system".to_owned(),
                listen: ([127, 0, 0, 1], 0).into(),
                leader_elect: false,
                object_metrics: 0,
                timing: Timing::new(speedup),
            };
            assert_eq!(refuse_speedup(&settings).is_err(), refused, "{url} at speed {speedup}");
        }
    }
}
