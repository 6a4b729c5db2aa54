//! An operator that runs in this process.

use std::{future::Future, ops::Deref, time::Duration};

use tokio::{sync::oneshot, task::JoinHandle};
use waba_operator::{
    run::{RunError, Settings, run},
    timing::Timing,
};

use crate::harness::pages::Pages;

/// An operator stops within this time, whatever it is doing.
pub const STOPS_WITHIN: Duration = Duration::from_secs(10);

/// Divides the operator's waits: an interval of ten minutes is one second.
pub const SPEEDUP: u32 = 600;

/// A running operator.
pub struct Operator {
    pages: Pages,
    stop: oneshot::Sender<()>,
    running: JoinHandle<Result<(), RunError>>,
}

/// The settings of an operator for one namespace.
pub fn settings(graph_url: &str, namespace: &str) -> Settings {
    let mut timing = Timing::new(SPEEDUP);
    // Tests advance Meta's clock by days.
    timing.largest_skew = Duration::MAX;
    Settings {
        graph_url: graph_url.parse().unwrap(),
        namespaces: vec![namespace.to_owned()],
        operator_namespace: namespace.to_owned(),
        listen: ([127, 0, 0, 1], 0).into(),
        leader_elect: false,
        object_metrics: 1000,
        timing,
    }
}

impl Deref for Operator {
    type Target = Pages;

    fn deref(&self) -> &Pages {
        &self.pages
    }
}

impl Operator {
    /// Starts one and waits until it listens.
    pub async fn start(settings: Settings, config: kube::Config) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let (listening, listens) = oneshot::channel();
        let stopped = async {
            // A failing test drops the sender, which stops the operator too.
            let _ = stopped.await;
        };
        let running = tokio::spawn(run(settings, config, stopped, Some(listening)));
        let address = listens.await.expect("the operator listens");
        Self { pages: Pages::at(&address.to_string()), stop, running }
    }

    /// Stops it in order, and waits until it has stopped.
    pub async fn stop(self) {
        let _ = self.stop.send(());
        let ended = tokio::time::timeout(STOPS_WITHIN, self.running).await;
        ended
            .expect("the operator stops in time")
            .expect("the operator does not panic")
            .expect("the operator ends without an error");
    }

    /// Waits until it ends by itself.
    pub async fn ended(self) -> Result<(), RunError> {
        in_time("the operator ends", self.running).await.expect("the operator does not panic")
    }

    /// Ends it like a crash, without any cleanup.
    pub async fn kill(self) {
        self.running.abort();
        let _ = self.running.await;
    }
}

/// How long a test waits for a fact: far more than anything takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// How often a test checks a fact that it waits for.
pub const LOOK_AGAIN: Duration = Duration::from_millis(25);

/// Waits until `so` returns true.
pub async fn until(what: &str, so: impl AsyncFn() -> bool) {
    let ask = async {
        while !so().await {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    in_time(what, ask).await;
}

/// The future's result, which must come within [`PATIENCE`].
pub async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("timed out: {what}"))
}
