use std::path::{Path, PathBuf};

use crate::Error;

/// The folder of the workspace, in which `make` runs.
pub(crate) fn workspace() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).unwrap_or(package)
}

/// The folder with the control plane's programs: `KUBEBUILDER_ASSETS` when set, else where `make control-plane` puts them.
#[must_use]
pub fn assets() -> PathBuf {
    match std::env::var_os("KUBEBUILDER_ASSETS") {
        Some(folder) if !folder.is_empty() => folder.into(),
        _ => workspace().join("target/control-plane"),
    }
}

/// The path of `etcd`, `kube-apiserver`, `kube-controller-manager`, `kubectl` or `helm`.
///
/// # Errors
/// [`Error::MissingBinary`], whose message has the command that builds it.
pub fn binary(name: &str) -> Result<PathBuf, Error> {
    let folder = assets();
    let path = folder.join(name);
    if path.is_file() { Ok(path) } else { Err(Error::MissingBinary { name: name.into(), folder }) }
}
