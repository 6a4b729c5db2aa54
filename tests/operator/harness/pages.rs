//! Health, readiness and metrics of an operator, in this process or as a program.

use crate::harness::operator::until;

/// The pages of a running operator.
pub struct Pages {
    url: String,
}

impl Pages {
    /// `address` is the one that it listens on.
    pub fn at(address: &str) -> Self {
        Self { url: format!("http://{address}") }
    }

    /// Status and body of one of its pages.
    pub async fn page(&self, path: &str) -> (u16, String) {
        let answer = reqwest::get(format!("{}{path}", self.url)).await.expect("the operator replies");
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Its metrics.
    pub async fn metrics(&self) -> String {
        self.page("/metrics").await.1
    }

    /// The sum of the samples of a metric whose labels contain all of `labels`.
    pub async fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        let text = self.metrics().await;
        let samples = text.lines().filter(|line| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']))
                && labels.iter().all(|label| line.contains(label))
        });
        samples.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
    }

    /// How many writes it sent to the API server, without those of its lease.
    pub async fn writes(&self) -> f64 {
        self.metric("waba_api_writes_total", &[]).await - self.metric("waba_api_writes_total", &["\"leases\""]).await
    }

    /// Waits until its readiness page shows this stage.
    pub async fn until_ready(&self, stage: &str) {
        let is_ready = async || self.page("/readyz").await == (200, format!("{stage}\n"));
        until(&format!("the operator is {stage}"), is_ready).await;
    }
}
