//! Where a control plane lives, on which ports, and with which command lines it is started.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use kube::config::{Config, KubeConfigOptions, Kubeconfig};

use crate::error::Context;
use crate::{Error, assets};

/// The folder of one control plane and the ports it keeps for its whole life.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) folder: PathBuf,
    pub(crate) etcd_port: u16,
    pub(crate) apiserver_port: u16,
}

impl Layout {
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.log"))
    }

    /// Everything that the control plane remembers.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("etcd")
    }

    /// The administrator's access. A proxy from the environment does not concern a server on this machine.
    pub(crate) async fn config(&self) -> Result<Config, Error> {
        let kubeconfig = Kubeconfig::read_from(self.kubeconfig())?;
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        config.proxy_url = None;
        Ok(config)
    }

    pub(crate) fn etcd(&self) -> Result<Command, Error> {
        let url = format!("http://127.0.0.1:{}", self.etcd_port);
        let mut command = Command::new(assets::binary("etcd")?);
        command
            .arg(flag("data-dir", &self.data()))
            .arg(format!("--listen-client-urls={url}"))
            .arg(format!("--advertise-client-urls={url}"))
            // One member: nobody else has to find it.
            .args(["--listen-peer-urls=http://127.0.0.1:0", "--initial-advertise-peer-urls=http://127.0.0.1:0"])
            .args(["--initial-cluster=default=http://127.0.0.1:0", "--unsafe-no-fsync", "--log-level=warn"]);
        Ok(command)
    }

    pub(crate) fn apiserver(&self) -> Result<Command, Error> {
        let mut command = Command::new(assets::binary("kube-apiserver")?);
        command
            .arg(format!("--etcd-servers=http://127.0.0.1:{}", self.etcd_port))
            .args(["--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none"])
            .arg(format!("--secure-port={}", self.apiserver_port))
            .arg(flag("tls-cert-file", &self.folder.join("apiserver.crt")))
            .arg(flag("tls-private-key-file", &self.folder.join("apiserver.key")))
            .args(["--authorization-mode=RBAC", "--service-cluster-ip-range=10.0.0.0/24"])
            .arg(flag("token-auth-file", &self.folder.join("tokens.csv")))
            .arg("--service-account-issuer=https://kubernetes.default.svc")
            .arg(flag("service-account-key-file", &self.folder.join("service-account.pub")))
            .arg(flag("service-account-signing-key-file", &self.folder.join("service-account.key")));
        Ok(command)
    }

    /// Only the controllers that tests and demo look at; none of them needs nodes.
    pub(crate) fn controller_manager(&self) -> Result<Command, Error> {
        let mut command = Command::new(assets::binary("kube-controller-manager")?);
        command
            .arg(flag("kubeconfig", &self.kubeconfig()))
            .arg(flag("service-account-private-key-file", &self.folder.join("service-account.key")))
            .arg(flag("root-ca-file", &self.folder.join("ca.crt")))
            .args(["--leader-elect=false", "--secure-port=0"])
            .arg(
                "--controllers=garbagecollector,namespace,serviceaccount,serviceaccount-token,clusterrole-aggregation",
            );
        Ok(command)
    }
}

fn flag(name: &str, path: &Path) -> String {
    format!("--{name}={}", path.display())
}

/// A port that is free now and was not handed out by this process before. Taken from below the range that the kernel uses
/// for outgoing connections, so that it stays free until it is bound, and while a killed server is down.
pub(crate) fn free_port() -> Result<u16, Error> {
    static HANDED_OUT: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut handed_out = HANDED_OUT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut last = None;
    for _ in 0..100 {
        let port = rand::random_range(20_000..32_000);
        if handed_out.contains(&port) {
            continue;
        }
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => {
                handed_out.insert(port);
                return Ok(port);
            }
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| std::io::ErrorKind::AddrInUse.into())).context(|| "looking for a free port".into())
}
