//! One operator in this process.

use std::{future::Future, ops::Deref, time::Duration};

use tokio::{sync::oneshot, task::JoinHandle};
use waba_operator::{
    run::{RunError, Settings, run},
    timing::Timing,
};

use crate::harness::pages::Pages;

/// An operator that is told to stop ends within this, whatever it is doing.
pub const STOPS_WITHIN: Duration = Duration::from_secs(10);

/// By how much the tests are faster than the world: an interval of ten minutes is one second.
pub const SPEEDUP: u32 = 600;

/// A running operator.
pub struct Operator {
    pages: Pages,
    stop: oneshot::Sender<()>,
    running: JoinHandle<Result<(), RunError>>,
}

/// What an operator for one namespace is told.
pub fn settings(graph_url: &str, namespace: &str) -> Settings {
    let mut timing = Timing::new(SPEEDUP);
    // Tests move Meta's clock by days.
    timing.largest_skew = Duration::MAX;
    Settings {
        graph_url: graph_url.parse().unwrap(),
        namespaces: vec![namespace.to_owned()],
        operator_namespace: namespace.to_owned(),
        listen: ([127, 0, 0, 1], 0).into(),
        leader_elect: false,
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
            // A test that fails drops the sender: then the operator ends too.
            let _ = stopped.await;
        };
        let running = tokio::spawn(run(settings, config, stopped, Some(listening)));
        let address = listens.await.expect("the operator listens");
        Self { pages: Pages::at(&address.to_string()), stop, running }
    }

    /// Tells it to stop, and waits until it has.
    pub async fn stop(self) {
        let _ = self.stop.send(());
        let ended = tokio::time::timeout(STOPS_WITHIN, self.running).await;
        ended.expect("the operator stops in time").expect("the operator does not panic").expect("it ends well");
    }

    /// Waits until it ends by itself.
    pub async fn ended(self) -> Result<(), RunError> {
        in_time("the operator ends", self.running).await.expect("the operator does not panic")
    }

    /// Ends it as a crash does: at once, with nothing put in order.
    pub async fn kill(self) {
        self.running.abort();
        let _ = self.running.await;
    }
}

/// Far more than anything here takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// How often a fact that is waited for is looked at.
pub const LOOK_AGAIN: Duration = Duration::from_millis(25);

/// Asks until it is so.
pub async fn until(what: &str, so: impl AsyncFn() -> bool) {
    let ask = async {
        while !so().await {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    in_time(what, ask).await;
}

/// The future's result, which comes soon.
pub async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("not in time: {what}"))
}
