//! The operator as a program of its own, and what it costs.

use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv4Addr, TcpListener},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use control_plane::ControlPlane;
use tokio::time::sleep;

use crate::{Failure, estate::Estate};

/// Longer than anything here takes.
pub const PATIENCE: Duration = Duration::from_mins(10);
/// How often a fact that is waited for is looked at.
pub const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Without a write for this long an operator is at rest: counts are written 10 s after the last change.
const REST: Duration = Duration::from_secs(15);
/// Units of CPU time in /proc, per second: fixed, whatever the kernel counts in.
const TICKS: f64 = 100.0;

/// How to start an operator.
#[derive(Debug, Clone)]
pub struct Options {
    /// The namespace to watch; none is all.
    pub namespace: Option<String>,
    /// Divides its waits.
    pub speedup: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { namespace: None, speedup: 1 }
    }
}

/// A running operator; it is killed when dropped.
pub struct Operator {
    child: Child,
    url: String,
    start: Start,
}

/// Everything that it takes to start it.
pub struct Start {
    kubeconfig: PathBuf,
    graph_url: String,
    how: Options,
}

/// How many writes were sent, by what the metrics call them.
pub type Writes = BTreeMap<String, f64>;

/// Memory of a process, in MB.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// Now.
    pub resident: f64,
    /// The most that it ever was.
    pub peak: f64,
}

impl Operator {
    /// Starts one and waits until it is ready.
    pub async fn start(plane: &ControlPlane, estate: &Estate, how: &Options) -> Result<Self, Failure> {
        Start { kubeconfig: plane.kubeconfig(), graph_url: estate.url(), how: how.clone() }.again().await
    }

    /// Tells it to end, and waits until it has.
    pub async fn stop(self) -> Result<(), Failure> {
        self.stopped().await.map(drop)
    }

    /// As [`Operator::stop`]; what it takes to start it again.
    pub async fn stopped(mut self) -> Result<Start, Failure> {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status()?;
        let patience = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            in_time(patience, "the operator ends")?;
            sleep(LOOK_AGAIN).await;
        };
        if !status.success() {
            return Err(format!("the operator ended with {status}").into());
        }
        Ok(Start {
            kubeconfig: self.start.kubeconfig.clone(),
            graph_url: self.start.graph_url.clone(),
            how: self.start.how.clone(),
        })
    }

    /// How many writes it has sent to the API server.
    pub async fn writes(&self) -> Result<f64, Failure> {
        self.writes_of("").await
    }

    /// As [`Operator::writes`], for resources whose label in the metrics contains this.
    pub async fn writes_of(&self, resource: &str) -> Result<f64, Failure> {
        let writes = self.writes_by_label().await?;
        Ok(writes.iter().filter(|(label, _)| label.contains(resource)).fold(0.0, |sum, (_, writes)| sum + writes))
    }

    /// As [`Operator::writes`], by resource and verb as the metrics label them: `resource="secrets",verb="create"`.
    pub async fn writes_by_label(&self) -> Result<Writes, Failure> {
        let text = reqwest::get(format!("{}/metrics", self.url)).await?.text().await?;
        let samples = text.lines().filter_map(|line| {
            let (label, count) = line.strip_prefix("waba_api_writes_total{")?.rsplit_once("} ")?;
            Some((label.to_owned(), count.parse().ok()?))
        });
        Ok(samples.collect())
    }

    /// Waits until it writes nothing any more.
    pub async fn quiet(&self) -> Result<(), Failure> {
        let patience = Instant::now() + PATIENCE;
        let mut last = (self.writes().await?, Instant::now());
        while last.1.elapsed() < REST {
            in_time(patience, "the operator comes to rest")?;
            sleep(LOOK_AGAIN * 10).await;
            let writes = self.writes().await?;
            if writes > last.0 {
                last = (writes, Instant::now());
            }
        }
        Ok(())
    }

    /// Its memory.
    pub fn memory(&self) -> Result<Memory, Failure> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kilobytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
            kilobytes.map(|kb| kb * 1024.0 / 1e6).ok_or_else(|| Failure::from(format!("no {name} of the operator")))
        };
        Ok(Memory { resident: field("VmRSS:")?, peak: field("VmHWM:")? })
    }

    /// The CPU time that it has used.
    pub fn cpu(&self) -> Result<Duration, Failure> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The program's name, in parentheses, may hold anything; after it the 12th and 13th are user and system time.
        let fields = stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace()).ok_or("no CPU time")?;
        let ticks: f64 = fields.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
        Ok(Duration::from_secs_f64(ticks / TICKS))
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        // It has ended already: fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Start {
    /// Starts an operator and waits until it is ready.
    pub async fn again(self) -> Result<Operator, Failure> {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let child = Command::new(env!("CARGO_BIN_EXE_waba-operator"))
            .arg("run")
            .args(["--graph-url", &self.graph_url, "--operator-namespace", "default"])
            .args(["--listen", &address.to_string(), "--speedup", &self.how.speedup.to_string()])
            .args(self.how.namespace.iter().flat_map(|namespace| ["--namespaces", namespace]))
            .env("KUBECONFIG", &self.kubeconfig)
            .env("WABA_LOG", "warn")
            .stdin(Stdio::null())
            .spawn()?;
        let mut operator = Operator { child, url: format!("http://{address}"), start: self };
        let patience = Instant::now() + PATIENCE;
        let ready = format!("{}/readyz", operator.url);
        while !reqwest::get(&ready).await.is_ok_and(|answer| answer.status().is_success()) {
            if let Some(status) = operator.child.try_wait()? {
                return Err(format!("the operator ended with {status}").into());
            }
            in_time(patience, "the operator is ready")?;
            sleep(LOOK_AGAIN / 5).await;
        }
        Ok(operator)
    }
}

/// An error once `patience` has ended.
pub fn in_time(patience: Instant, what: &str) -> Result<(), Failure> {
    if Instant::now() < patience { Ok(()) } else { Err(format!("not in time: {what}").into()) }
}
