//! `control-plane up | down | run`: what `make up` and `make down` call, and a throwaway control plane in the foreground.

use std::io::Read;
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use control_plane::{ControlPlane, Error, Options, background};

#[derive(Parser)]
#[command(about = "A real Kubernetes control plane on this machine, for tests and demos")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start control plane, Graph simulator and operator in the background; what runs already is left alone
    Up(RunFolder),
    /// Stop what `up` started and remove its folder
    Down(RunFolder),
    /// Start a throwaway control plane, print its kubeconfig's path, and stop it when standard input ends
    Run {
        /// With kube-controller-manager
        #[arg(long)]
        controller_manager: bool,
    },
}

#[derive(clap::Args)]
struct RunFolder {
    /// Where pids, logs and data are kept; several can run side by side
    #[arg(long = "run-dir", env = "RUN_DIR", default_value = ".run")]
    path: PathBuf,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::process::ExitCode {
    match execute(Arguments::parse().command).await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("control plane: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}

async fn execute(command: Command) -> Result<(), Error> {
    match command {
        Command::Up(folder) => background::up(&folder.path).await,
        Command::Down(folder) => background::down(&folder.path),
        Command::Run { controller_manager } => run(Options { controller_manager }).await,
    }
}

async fn run(options: Options) -> Result<(), Error> {
    let plane = ControlPlane::start(options).await?;
    println!("{}", plane.kubeconfig().display());
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    plane.stop();
    Ok(())
}
