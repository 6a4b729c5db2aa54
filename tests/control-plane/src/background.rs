//! `make up` and `make down`: control plane, Graph simulator and operator in the background.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, ObjectMeta, Patch, PatchParams};
use kube::{Client, Config};
use serde::{Deserialize, Serialize};

use crate::assets::{assets, binary, workspace};
use crate::daemon::Daemon;
use crate::error::Context;
use crate::layout::{Layout, free_port};
use crate::{Error, identity, ready};

/// The namespace in which the operator keeps what is its own.
const OPERATOR_NAMESPACE: &str = "waba-system";

/// Meta's waits of hours become minutes, so that a person can watch them.
const SPEEDUP: &str = "30";

/// How long a program may take to end after SIGTERM, before it is killed.
const GRACE: Duration = Duration::from_secs(20);

/// The file that marks a run folder as ours, and that is locked while somebody works on it.
const PORTS: &str = "ports.json";

/// The ports of one run folder, chosen once: what is started again is found where it was.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Ports {
    etcd: u16,
    apiserver: u16,
    graph_sim: u16,
    operator: u16,
}

impl Ports {
    fn read_or_choose(file: &mut File) -> Result<Self, Error> {
        let what = || format!("reading {PORTS}");
        let mut text = String::new();
        file.read_to_string(&mut text).context(what)?;
        if !text.is_empty() {
            return serde_json::from_str(&text).map_err(std::io::Error::from).context(what);
        }
        let ports =
            Self { etcd: free_port()?, apiserver: free_port()?, graph_sim: free_port()?, operator: free_port()? };
        serde_json::to_writer(file, &ports).map_err(std::io::Error::from).context(what)?;
        Ok(ports)
    }
}

/// The programs of one run folder.
#[derive(Debug)]
struct Background {
    layout: Layout,
    ports: Ports,
    etcd: Daemon,
    apiserver: Daemon,
    controller_manager: Daemon,
    graph_sim: Daemon,
    operator: Daemon,
    _lock: File,
}

/// Starts what does not run yet and returns when all of it is ready. `folder` gets the pids, the logs, the data, and `env`
/// for a shell to source. The simulator and the operator are looked for next to the program that runs this.
///
/// # Errors
/// When something is missing or does not come up: with the end of its log. What came up stays up, for a look at it.
pub async fn up(folder: &Path) -> Result<(), Error> {
    let started = Instant::now();
    let background = Background::claim(folder)?;
    background.write_environment()?;
    background.start_control_plane().await?;
    background.install().await?;
    background.start_graph_sim().await?;
    background.start_operator().await?;
    println!("ready in {:.1} s: source {}", started.elapsed().as_secs_f32(), background.environment().display());
    Ok(())
}

/// Stops what `up` started in `folder` and removes the folder.
///
/// # Errors
/// When the folder is not one of ours, or something cannot be stopped or removed.
pub fn down(folder: &Path) -> Result<(), Error> {
    if !folder.exists() {
        println!(
            "nothing to stop: {} is not there (what was started with another RUN_DIR needs it here)",
            folder.display()
        );
        return Ok(());
    }
    let background = Background::claim(folder)?;
    for daemon in background.daemons() {
        if daemon.stop(GRACE)? {
            println!("{}: stopped", daemon.name);
        }
    }
    std::fs::remove_dir_all(&background.layout.folder).context(|| format!("removing {}", folder.display()))
}

impl Background {
    /// Makes the folder, or makes sure that it is empty or ours: `down` removes it with everything in it. Whoever else runs
    /// `up` or `down` for the same folder waits until this value is dropped.
    fn claim(folder: &Path) -> Result<Self, Error> {
        let what = || format!("using {}", folder.display());
        std::fs::create_dir_all(folder).context(what)?;
        let folder = folder.canonicalize().context(what)?;
        let path = folder.join(PORTS);
        if !path.exists() && std::fs::read_dir(&folder).context(what)?.next().is_some() {
            return Err(Error::ForeignFolder(folder));
        }
        let mut file = File::options().create(true).truncate(false).read(true).write(true).open(path).context(what)?;
        file.lock().context(what)?;
        let ports = Ports::read_or_choose(&mut file)?;

        let daemon = |name| Daemon::new(name, &folder);
        Ok(Self {
            ports,
            etcd: daemon("etcd"),
            apiserver: daemon("apiserver"),
            controller_manager: daemon("controller-manager"),
            graph_sim: daemon("graph-sim"),
            operator: daemon("operator"),
            layout: Layout { folder, etcd_port: ports.etcd, apiserver_port: ports.apiserver },
            _lock: file,
        })
    }

    /// In the order in which they are stopped: who needs another goes before it.
    fn daemons(&self) -> [&Daemon; 5] {
        [&self.operator, &self.graph_sim, &self.controller_manager, &self.apiserver, &self.etcd]
    }

    fn graph_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.graph_sim)
    }

    fn operator_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.operator)
    }

    fn environment(&self) -> PathBuf {
        self.layout.folder.join("env")
    }

    /// `env` is there before anything is started, so that a failed start can be looked into.
    fn write_environment(&self) -> Result<(), Error> {
        let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
        let path = self.environment();
        let content = format!(
            "export KUBECONFIG={}\nexport KUBECACHEDIR={}\nexport GRAPH_URL={}\nexport OPERATOR_URL={}\nexport PATH={}:\"$PATH\"\n",
            quoted(&self.layout.kubeconfig().to_string_lossy()),
            quoted(&self.kube_cache().to_string_lossy()),
            quoted(&self.graph_url()),
            quoted(&self.operator_url()),
            quoted(&assets().to_string_lossy()),
        );
        std::fs::write(&path, content).context(|| format!("writing {}", path.display()))
    }

    async fn start_control_plane(&self) -> Result<(), Error> {
        if !self.layout.kubeconfig().exists() {
            identity::write(&self.layout.folder, self.ports.apiserver)?;
        }
        let etcd_url = format!("http://127.0.0.1:{}", self.ports.etcd);
        ensure(&self.etcd, self.layout.etcd()?, async || answers(&etcd_url, "/health", &self.etcd).await).await?;

        let config = self.layout.config().await?;
        let ready = async || ready::apiserver(&config, || self.apiserver.check()).await;
        ensure(&self.apiserver, self.layout.apiserver()?, ready).await?;

        let manager = &self.controller_manager;
        let ready = async || ready::controller_manager(&config, || manager.check()).await;
        ensure(manager, self.layout.controller_manager()?, ready).await
    }

    /// Installs what the operator expects to find: its CRDs and its namespace.
    async fn install(&self) -> Result<(), Error> {
        let crds = output(Command::new(sibling("waba-operator")?).arg("crds"), &[])?;
        output(self.kubectl()?.args(["apply", "--server-side", "--filename=-"]), &crds)?;
        output(self.kubectl()?.args(["wait", "--for=condition=Established", "--timeout=60s", "--filename=-"]), &crds)?;

        let metadata = ObjectMeta { name: Some(OPERATOR_NAMESPACE.into()), ..ObjectMeta::default() };
        let namespace = Namespace { metadata, ..Namespace::default() };
        Api::<Namespace>::all(Client::try_from(self.layout.config().await?)?)
            .patch(OPERATOR_NAMESPACE, &PatchParams::apply("control-plane"), &Patch::Apply(&namespace))
            .await?;
        Ok(())
    }

    fn kube_cache(&self) -> PathBuf {
        self.layout.folder.join("kube-cache")
    }

    fn kubectl(&self) -> Result<Command, Error> {
        let mut command = Command::new(binary("kubectl")?);
        command.env("KUBECONFIG", self.layout.kubeconfig()).env("KUBECACHEDIR", self.kube_cache());
        Ok(command)
    }

    async fn start_graph_sim(&self) -> Result<(), Error> {
        let mut command = Command::new(sibling("graph-sim")?);
        command
            .arg(format!("--listen=127.0.0.1:{}", self.ports.graph_sim))
            .arg("--seed")
            .arg(workspace().join("examples/demo-seed.yaml"));
        let url = self.graph_url();
        ensure(&self.graph_sim, command, async || answers(&url, "/_sim/holds", &self.graph_sim).await).await
    }

    async fn start_operator(&self) -> Result<(), Error> {
        let mut command = Command::new(sibling("waba-operator")?);
        command
            .args(["run", "--log-format=json", "--operator-namespace", OPERATOR_NAMESPACE, "--speedup", SPEEDUP])
            .arg(format!("--graph-url={}", self.graph_url()))
            .arg(format!("--listen=127.0.0.1:{}", self.ports.operator))
            .env("KUBECONFIG", self.layout.kubeconfig());
        let url = self.operator_url();
        ensure(&self.operator, command, async || answers(&url, "/readyz", &self.operator).await).await
    }
}

/// Starts the program unless it runs, and waits until it is ready.
async fn ensure(
    daemon: &Daemon,
    mut command: Command,
    ready: impl AsyncFn() -> Result<(), Error>,
) -> Result<(), Error> {
    let mut started = daemon.ensure(&mut command)?;
    let mut outcome = ready().await;
    // One that was just killed, or is ending, looks alive until the kernel is done with it.
    if !started && matches!(outcome, Err(Error::Ended { .. })) {
        started = daemon.ensure(&mut command)?;
        outcome = ready().await;
    }
    outcome?;
    println!("{}: {}", daemon.name, if started { "started" } else { "runs already" });
    Ok(())
}

async fn answers(url: &str, path: &str, daemon: &Daemon) -> Result<(), Error> {
    let what = format!("{} answering at {url}{path}", daemon.name);
    let url = url.parse::<http::Uri>().map_err(|error| kube::Error::HttpError(error.into()))?;
    ready::http(&what, Config::new(url), path, || daemon.check()).await?;
    // Somebody else on its port may have answered.
    daemon.check().map(drop)
}

/// A program of this workspace, built into the same folder as the one that runs.
fn sibling(name: &str) -> Result<PathBuf, Error> {
    let here = std::env::current_exe().context(|| "looking for this program's folder".into())?;
    let path = here.with_file_name(name);
    if path.is_file() { Ok(path) } else { Err(Error::NotBuilt(path)) }
}

/// Runs a command to its end with `input`, and returns what it wrote.
fn output(command: &mut Command, input: &[u8]) -> Result<Vec<u8>, Error> {
    let name = command.get_program().to_string_lossy().into_owned();
    let what = || format!("running {name}");
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().context(what)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A command that ends without reading writes the reason to standard error.
        let _ = stdin.write_all(input);
    }
    let output = child.wait_with_output().context(what)?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(Error::Command { command: name, output: String::from_utf8_lossy(&output.stderr).trim().to_owned() })
    }
}
