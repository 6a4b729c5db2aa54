//! Background tasks, and the signal that ends them.

use std::future::Future;

use futures::future;
use tokio::task::JoinSet;

/// Resolves when the operator shuts down.
pub(super) type Stop = future::Shared<future::BoxFuture<'static, ()>>;

/// Tasks that end with the process.
pub(super) struct Tasks {
    stop: Stop,
    running: JoinSet<()>,
}

impl Tasks {
    pub fn new(stop: Stop) -> Self {
        Self { stop, running: JoinSet::new() }
    }

    pub fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.running.spawn(async move {
            tokio::select! {
                () = task => {}
                () = stop => {}
            }
        });
    }

    pub async fn end(mut self) {
        self.running.shutdown().await;
    }
}
