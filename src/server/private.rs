//! The server of `--listen`.

use std::{future::Future, io, time::Duration};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
    routing::get,
};
use futures::FutureExt as _;
use tokio::net::TcpListener;

use super::Health;
use crate::telemetry::Metrics;

/// How long requests under way may take to end once the server stops.
const DRAIN: Duration = Duration::from_secs(5);

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Routes of `/livez`, `/readyz` and `/metrics`.
pub fn router(health: Health, metrics: Metrics) -> Router {
    Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(exposition))
        .with_state((health, metrics))
}

/// Serves until `stop` resolves; then takes no more connections, and ends when the open ones have, or after 5 s.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let stop = stop.shared();
    let served = axum::serve(listener, router).with_graceful_shutdown(stop.clone());
    tokio::select! {
        ended = served.into_future() => ended,
        () = stop.then(|()| tokio::time::sleep(DRAIN)) => Ok(()),
    }
}

async fn livez(State((health, _)): State<(Health, Metrics)>) -> (StatusCode, String) {
    match health.live() {
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, why + "\n"),
    }
}

async fn readyz(State((health, _)): State<(Health, Metrics)>) -> (StatusCode, String) {
    match health.ready() {
        Ok(stage) => (StatusCode::OK, format!("{stage}\n")),
        Err(stage) => (StatusCode::SERVICE_UNAVAILABLE, format!("{stage}\n")),
    }
}

async fn exposition(State((health, metrics)): State<(Health, Metrics)>) -> impl IntoResponse {
    metrics.overdue(health.most_overdue());
    ([(CONTENT_TYPE, OPEN_METRICS)], metrics.encode())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use tokio::sync::oneshot;

    use super::*;
    use crate::server::Stage;

    struct Running {
        url: String,
        health: Health,
        metrics: Metrics,
        stop: oneshot::Sender<()>,
        server: tokio::task::JoinHandle<io::Result<()>>,
    }

    async fn start() -> Running {
        let (health, metrics) = (Health::new(Duration::from_mins(1)), Metrics::new());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel();
        let router = router(health.clone(), metrics.clone());
        let server = tokio::spawn(serve(listener, router, async {
            stopped.await.ok();
        }));
        Running { url, health, metrics, stop, server }
    }

    async fn get(url: &str, path: &str) -> (u16, String) {
        let reply = reqwest::get(format!("{url}{path}")).await.unwrap();
        (reply.status().as_u16(), reply.text().await.unwrap())
    }

    #[tokio::test]
    async fn probes_report_stage_and_health() {
        let running = start().await;
        assert_eq!(get(&running.url, "/readyz").await, (503, "starting\n".to_owned()));
        running.health.enter(Stage::Standby);
        assert_eq!(get(&running.url, "/readyz").await, (200, "standby\n".to_owned()));
        assert_eq!(get(&running.url, "/livez").await, (200, "ok\n".to_owned()));
        running.health.ended("controller MetaApp");
        assert_eq!(get(&running.url, "/livez").await, (503, "controller MetaApp ended\n".to_owned()));
        assert_eq!(get(&running.url, "/nothing").await.0, 404);
    }

    #[tokio::test]
    async fn metrics_are_open_metrics_and_include_the_most_overdue_poll() {
        let running = start().await;
        running.metrics.leader(true);
        running.health.watch_polls(|| Duration::from_secs(30));
        let reply = reqwest::get(format!("{}/metrics", running.url)).await.unwrap();
        assert_eq!(reply.headers()["content-type"], OPEN_METRICS);
        let text = reply.text().await.unwrap();
        assert!(text.contains("waba_leader 1\n"), "{text}");
        assert!(text.contains("waba_most_overdue_poll_seconds 30.0\n"), "{text}");
    }

    #[tokio::test]
    async fn it_stops_on_request_even_with_an_idle_connection_open() {
        let running = start().await;
        let client = reqwest::Client::new();
        client.get(format!("{}/livez", running.url)).send().await.unwrap();
        running.stop.send(()).unwrap();
        let ended = tokio::time::timeout(DRAIN / 2, running.server).await.expect("ends without the drain limit");
        ended.unwrap().unwrap();
        assert!(client.get(format!("{}/livez", running.url)).send().await.is_err(), "nothing listens any more");
    }
}
