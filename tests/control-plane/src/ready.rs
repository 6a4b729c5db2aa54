//! Waiting for facts.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::Api;
use kube::{Client, Config};

use crate::{Error, PATIENCE};

/// Repeats `check` until it succeeds. Between two checks `alive` may give up with an error; what it returns
/// otherwise (the end of a log, say) goes into the error when time is up.
pub(crate) async fn until(
    what: &str,
    mut alive: impl FnMut() -> Result<String, Error>,
    mut check: impl AsyncFnMut() -> bool,
) -> Result<(), Error> {
    let started = Instant::now();
    // A check that hangs (a server that accepts and never answers) is repeated, too.
    while !tokio::time::timeout(Duration::from_secs(5), check()).await.unwrap_or(false) {
        let detail = alive()?;
        if started.elapsed() > PATIENCE {
            return Err(Error::TimedOut { what: what.into(), seconds: PATIENCE.as_secs(), detail });
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    Ok(())
}

/// Waits until `path` is answered with 200.
pub(crate) async fn http(
    what: &str,
    mut config: Config,
    path: &str,
    alive: impl FnMut() -> Result<String, Error>,
) -> Result<(), Error> {
    // 503 is the answer we wait through; the client's own backoff would make that seconds.
    config.default_retry = false;
    let client = Client::try_from(config)?;
    until(what, alive, async || answered(&client, path).await).await
}

/// Whether a GET of `path` succeeds now.
pub(crate) async fn answered(client: &Client, path: &str) -> bool {
    let Ok(request) = http::Request::get(path).body(Vec::new()) else { return false };
    client.request_text(request).await.is_ok()
}

pub(crate) async fn apiserver(config: &Config, alive: impl FnMut() -> Result<String, Error>) -> Result<(), Error> {
    http("the API server's /readyz", config.clone(), "/readyz", alive).await
}

/// kube-controller-manager works when it has made the first thing that only it makes.
pub(crate) async fn controller_manager(
    config: &Config,
    alive: impl FnMut() -> Result<String, Error>,
) -> Result<(), Error> {
    let accounts = Api::<ServiceAccount>::namespaced(Client::try_from(config.clone())?, "default");
    until("the ServiceAccount default/default", alive, async || accounts.get("default").await.is_ok()).await
}
