use std::path::PathBuf;

/// Why a control plane could not be started, stopped or called. The messages name the remedy.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program of this workspace has not been built.
    #[error("{} is not there: build it with cargo build --workspace", .0.display())]
    NotBuilt(PathBuf),
    /// One of the binaries has not been built, or is not in `KUBEBUILDER_ASSETS`.
    #[error("{name} is not in {}: run make control-plane (or correct KUBEBUILDER_ASSETS)", folder.display())]
    MissingBinary {
        /// The program that is missing.
        name: String,
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// A program ended although it should have kept running.
    #[error("{name} ended ({status}); the end of its log:\n{log}")]
    Ended {
        /// The program.
        name: &'static str,
        /// How it ended, as far as that is known.
        status: String,
        /// The last lines it wrote.
        log: String,
    },
    /// A program runs, but what was waited for did not come true in time.
    #[error("{what} did not come true within {seconds} s; {detail}")]
    TimedOut {
        /// What was waited for.
        what: String,
        /// For how long.
        seconds: u64,
        /// What was seen last: the end of a log, or an object's conditions.
        detail: String,
    },
    /// A helper command (kubectl, the operator's `crds`) failed.
    #[error("{command} failed: {output}")]
    Command {
        /// The command, without its arguments.
        command: String,
        /// What it wrote to standard error.
        output: String,
    },
    /// `RUN_DIR` names a folder with other people's files, which `down` would remove.
    #[error("{} was not made by make up: nothing is started or removed there; choose a new or empty RUN_DIR", .0.display())]
    ForeignFolder(PathBuf),
    /// A file or a process could not be handled.
    #[error("{what}: {source}")]
    Io {
        /// What was tried, with the path or program.
        what: String,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// No key or certificate could be made.
    #[error("making the control plane's keys: {0}")]
    Keys(#[from] rcgen::Error),
    /// The kubeconfig could not be used.
    #[error("reading the control plane's kubeconfig: {0}")]
    Kubeconfig(#[from] kube::config::KubeconfigError),
    /// The API server refused something or could not be reached.
    #[error("asking the API server: {0}")]
    Kube(#[from] kube::Error),
    /// What was given is not a `CustomResourceDefinition`.
    #[error("not a CustomResourceDefinition: {0}")]
    NotACrd(#[from] serde_json::Error),
}

/// Says what was tried when the operating system refuses it.
pub(crate) trait Context<T> {
    fn context(self, what: impl FnOnce() -> String) -> Result<T, Error>;
}

impl<T> Context<T> for std::io::Result<T> {
    fn context(self, what: impl FnOnce() -> String) -> Result<T, Error> {
        self.map_err(|source| Error::Io { what: what(), source })
    }
}
