//! The simulator as a program: `graph-sim --listen 127.0.0.1:8090 --seed FILE`.

use std::error::Error;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;
use graph_sim::Sim;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// A strict, stateful stand-in for Meta's Graph API.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// The address to listen on; port 0 takes a free one, which is printed.
    #[arg(long, default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// The world to start with, YAML or JSON; without one it is empty.
    #[arg(long)]
    seed: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_env_filter(EnvFilter::from_default_env()).with_writer(std::io::stderr).init();
    let args = Args::parse();
    let seed = match &args.seed {
        Some(path) => graph_sim::parse_seed(&std::fs::read_to_string(path)?)?,
        None => serde_json::json!({}),
    };
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let sim = Sim::listen(args.listen, &seed).await?;
    writeln!(std::io::stdout(), "listening on {}", sim.url())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
