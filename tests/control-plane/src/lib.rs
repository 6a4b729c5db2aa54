//! A real control plane (etcd, kube-apiserver and, if wanted, kube-controller-manager) for tests and demos.
//!
//! [`shared`] starts one per test binary, on first use; [`ControlPlane::start`] a private one. Both take free ports and a
//! folder of their own, and neither leaves a process or a file behind: not when a test panics, nor when it is interrupted or
//! killed. The binaries come from `make control-plane` or `KUBEBUILDER_ASSETS` (see [`binary`]).
//!
//! ```no_run
//! # async fn example() {
//! let plane = control_plane::shared().await;
//! let namespace = plane.namespace("lease").await;
//! let client = plane.client();
//! # }
//! ```
//!
//! Clients belong to the tokio runtime that made them, and every test has its own: ask for one in each test.

use std::path::PathBuf;
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, ObjectMeta, PostParams};
use kube::{Client, Config};
use tempfile::TempDir;

mod assets;
pub mod background;
mod crds;
mod daemon;
mod error;
mod guard;
mod identity;
mod layout;
mod log;
mod ready;
mod snapshot;

pub use assets::{assets, binary};
pub use error::Error;
pub use snapshot::Snapshot;

use error::Context;
use guard::Guarded;
use layout::{Layout, free_port};

/// What runs besides etcd and the API server.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// kube-controller-manager with garbage collection, namespace deletion, service accounts and aggregated cluster roles.
    pub controller_manager: bool,
}

/// A running control plane. Dropping it stops it and removes its folder.
#[derive(Debug)]
pub struct ControlPlane {
    // Dropped in this order: who depends on etcd goes first, and the folder last.
    controller_manager: Option<Guarded>,
    apiserver: Option<Guarded>,
    etcd: Guarded,
    options: Options,
    config: Config,
    layout: Layout,
    _folder: TempDir,
}

/// The control plane of this test binary, without kube-controller-manager; started on first use, gone when the binary ends.
///
/// # Panics
/// When it cannot be started, with the reason.
pub async fn shared() -> &'static ControlPlane {
    static SHARED: tokio::sync::OnceCell<Result<ControlPlane, Error>> = tokio::sync::OnceCell::const_new();
    must(SHARED.get_or_init(|| ControlPlane::start(Options::default())).await.as_ref())
}

impl ControlPlane {
    /// Starts a control plane and waits until it is ready: 2 to 3 seconds on two cores.
    ///
    /// # Errors
    /// When a binary is missing, or one of the programs does not come up: with the end of its log.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let folder = tempfile::Builder::new().prefix("control-plane-").tempdir();
        let folder = folder.context(|| "making a folder for the control plane".into())?;
        let layout = Layout { folder: folder.path().to_owned(), etcd_port: free_port()?, apiserver_port: free_port()? };
        identity::write(&layout.folder, layout.apiserver_port)?;
        let config = layout.config().await?;

        let etcd = start_etcd(&layout)?;
        let mut plane =
            Self { controller_manager: None, apiserver: None, etcd, options, config, layout, _folder: folder };
        plane.restart_apiserver().await?;
        if options.controller_manager {
            plane.start_controller_manager().await?;
        }
        Ok(plane)
    }

    /// Stops everything and removes the folder, as dropping does.
    pub fn stop(self) {
        drop(self);
    }

    /// Kills the API server at once; etcd and its data stay.
    pub fn kill_apiserver(&mut self) {
        self.apiserver = None;
    }

    /// Starts the API server again, on the same port and with the same data, and waits until it is ready.
    ///
    /// # Errors
    /// When it does not come up: with the end of its log.
    pub async fn restart_apiserver(&mut self) -> Result<(), Error> {
        self.kill_apiserver();
        let log = self.layout.log("kube-apiserver");
        let mut apiserver = Guarded::start("kube-apiserver", &self.layout.apiserver()?, log, None)?;
        ready::apiserver(&self.config, || {
            self.etcd.check()?;
            apiserver.check()?;
            Ok(apiserver.log_tail())
        })
        .await?;
        self.apiserver = Some(apiserver);
        Ok(())
    }

    async fn start_controller_manager(&mut self) -> Result<(), Error> {
        let log = self.layout.log("kube-controller-manager");
        let command = self.layout.controller_manager()?;
        let mut manager = Guarded::start("kube-controller-manager", &command, log, None)?;
        ready::controller_manager(&self.config, || {
            manager.check()?;
            Ok(manager.log_tail())
        })
        .await?;
        self.controller_manager = Some(manager);
        Ok(())
    }

    /// The administrator's access, for a client with settings of its own or for code that makes its own client.
    #[must_use]
    pub fn config(&self) -> Config {
        self.config.clone()
    }

    /// The access of somebody else: `alice`, or `system:serviceaccount:NAMESPACE:NAME` (which brings its groups along). RBAC
    /// applies as if that user had logged in; neither the user nor the account has to exist.
    #[must_use]
    pub fn config_as(&self, user: &str, groups: &[&str]) -> Config {
        let mut config = self.config();
        config.auth_info.impersonate = Some(user.to_owned());
        config.auth_info.impersonate_groups =
            (!groups.is_empty()).then(|| groups.iter().map(ToString::to_string).collect());
        config
    }

    /// A client of the administrator, for the current tokio runtime.
    ///
    /// # Panics
    /// Outside a tokio runtime, or when no TLS session can be set up.
    #[must_use]
    pub fn client(&self) -> Client {
        must(Client::try_from(self.config()))
    }

    /// A client of somebody else (see [`Self::config_as`]), for the current tokio runtime.
    ///
    /// # Panics
    /// As [`Self::client`].
    #[must_use]
    pub fn client_as(&self, user: &str, groups: &[&str]) -> Client {
        must(Client::try_from(self.config_as(user, groups)))
    }

    /// The administrator's kubeconfig, for kubectl, helm and programs under test.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.layout.kubeconfig()
    }

    /// Makes a namespace of its own for a test and returns its name, `prefix` with five random characters.
    ///
    /// # Panics
    /// When the API server refuses it.
    pub async fn namespace(&self, prefix: &str) -> String {
        let metadata = ObjectMeta { generate_name: Some(format!("{prefix}-")), ..ObjectMeta::default() };
        let namespace = Namespace { metadata, ..Namespace::default() };
        let created = Api::<Namespace>::all(self.client()).create(&PostParams::default(), &namespace).await;
        must(created).metadata.name.unwrap_or_default()
    }

    /// Applies definitions of custom resources and waits until all their versions are served. Any number of tests may do it at
    /// once, and again.
    ///
    /// # Errors
    /// When the API server refuses one or does not serve it in time; the error carries its conditions.
    pub async fn apply_crds(&self, crds: &[serde_json::Value]) -> Result<(), Error> {
        crds::apply(&self.client(), crds).await
    }
}

/// Its guard removes the folder of the whole control plane: etcd is the last to end.
fn start_etcd(layout: &Layout) -> Result<Guarded, Error> {
    Guarded::start("etcd", &layout.etcd()?, layout.log("etcd"), Some(&layout.folder))
}

/// How long any of the waits may take before it is given up; ten times what a busy machine needs.
const PATIENCE: Duration = Duration::from_mins(1);

/// Test code has nobody to hand an error to.
#[expect(clippy::panic, reason = "a test without a control plane has failed, and should say why")]
fn must<T, E: std::fmt::Display>(result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{error}"),
    }
}
