//! `waba-operator`: runs the operator, prints its CRDs, or writes JSON schemas.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use reqwest::Url;
use tracing::{error, info, warn};
use waba_operator::{
    api,
    run::{Settings, run},
    telemetry::{self, LogFormat},
    timing::Timing,
};

/// Manages WhatsApp Business apps, numbers and message templates at Meta.
#[derive(Debug, Parser)]
#[command(name = "waba-operator", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the operator.
    Run(Box<RunArguments>),
    /// Prints the CRDs, or writes them into a folder, one file per kind.
    Crds {
        /// Where to write them.
        #[arg(long)]
        dir: Option<PathBuf>,
    },
    /// Writes JSON schemas for editors and kubeconform into a folder, one file per kind.
    Schemas {
        /// Where to write them.
        #[arg(long)]
        dir: PathBuf,
    },
}

#[derive(Debug, Parser)]
struct RunArguments {
    /// Where the Graph API answers.
    #[arg(long, env = "WABA_GRAPH_URL", default_value = "https://graph.facebook.com")]
    graph_url: Url,
    /// Namespaces to watch, by commas; by default all. With it the operator needs no cluster-wide right.
    #[arg(long, env = "WABA_NAMESPACES", value_delimiter = ',')]
    namespaces: Vec<String>,
    /// Where the operator keeps its own Secrets and its lease; by default its own namespace, outside a cluster waba-system.
    #[arg(long, env = "WABA_OPERATOR_NAMESPACE")]
    operator_namespace: Option<String>,
    /// Where /livez, /readyz and /metrics are served.
    #[arg(long, env = "WABA_LISTEN", default_value = "0.0.0.0:8080")]
    listen: SocketAddr,
    /// Where Meta reaches the webhook receiver. This version has none yet.
    #[arg(long, env = "WABA_PUBLIC_URL")]
    public_url: Option<Url>,
    /// Where people reach the login page. This version has none yet.
    #[arg(long, env = "WABA_LOGIN_URL")]
    login_url: Option<Url>,
    /// How many objects have a series `waba_object_ready` of their own, those that are not Ready first; 0 turns them off.
    #[arg(long, env = "WABA_OBJECT_METRICS", default_value_t = 1000)]
    object_metrics: usize,
    /// How log lines are written.
    #[arg(long, env = "WABA_LOG_FORMAT", value_enum, default_value_t)]
    log_format: LogFormat,
    /// Wait for a lease before doing anything, so that several can run and one works.
    #[arg(long, env = "WABA_LEADER_ELECT")]
    leader_elect: bool,
    /// Divides every wait by this number, Meta's rate limits included. For tests and demos with a simulator only.
    #[arg(long, env = "WABA_SPEEDUP", hide = true, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    speedup: u32,
}

// One thread: the operator waits for others nearly all the time, and more threads cost memory all the time.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Run(arguments) => Box::pin(operate(*arguments)).await,
        Command::Crds { dir } => crds(dir),
        Command::Schemas { dir } => schemas(&dir),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!(%error, "ended");
            eprintln!("waba-operator: {error}");
            ExitCode::FAILURE
        }
    }
}

type Failure = Box<dyn std::error::Error>;

async fn operate(arguments: RunArguments) -> Result<(), Failure> {
    telemetry::init(arguments.log_format)?;
    for (flag, given) in [("--public-url", &arguments.public_url), ("--login-url", &arguments.login_url)] {
        if given.is_some() {
            warn!(flag, "this version of the operator does not use it yet");
        }
    }
    let config = kube::Config::infer().await?;
    let inside = std::env::var_os("KUBERNETES_SERVICE_HOST").is_some();
    let own = if inside { config.default_namespace.clone() } else { "waba-system".to_owned() };
    let settings = Settings {
        graph_url: arguments.graph_url,
        namespaces: namespaces(&arguments.namespaces),
        operator_namespace: arguments.operator_namespace.unwrap_or(own),
        listen: arguments.listen,
        leader_elect: arguments.leader_elect,
        object_metrics: arguments.object_metrics,
        timing: Timing::new(arguments.speedup),
    };
    Box::pin(run(settings, config, shutdown_signal()?, None)).await?;
    info!("stopped");
    Ok(())
}

/// Each once, without the spaces that people write after commas.
fn namespaces(given: &[String]) -> Vec<String> {
    let named: BTreeSet<&str> = given.iter().map(|name| name.trim()).filter(|name| !name.is_empty()).collect();
    named.into_iter().map(str::to_owned).collect()
}

/// Resolves on SIGTERM and SIGINT.
fn shutdown_signal() -> Result<impl Future<Output = ()> + Send + 'static, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        info!("shutdown signal received");
    })
}

fn schemas(dir: &Path) -> Result<(), Failure> {
    for path in api::write_json_schemas(dir)? {
        println!("{}", path.display());
    }
    Ok(())
}

fn crds(dir: Option<PathBuf>) -> Result<(), Failure> {
    if let Some(dir) = dir {
        for path in api::write_crds(&dir)? {
            println!("{}", path.display());
        }
        return Ok(());
    }
    for crd in api::crds() {
        print!("---\n{}", api::render(&crd)?);
    }
    Ok(())
}
