//! The whole memory of a control plane, copied and put back: what a cluster is after its backup was restored.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::error::Context;
use crate::{ControlPlane, Error, start_etcd};

/// A copy of etcd's data. It is kept in the folder of the control plane that it was taken of, and goes with it.
#[derive(Debug)]
pub struct Snapshot {
    folder: TempDir,
}

impl ControlPlane {
    /// Copies everything that the control plane remembers. It does not answer meanwhile, and goes on when this returns.
    ///
    /// # Errors
    /// When the data cannot be copied, or one of the programs does not come up again: with the end of its log.
    pub async fn snapshot(&mut self) -> Result<Snapshot, Error> {
        let folder = tempfile::Builder::new().prefix("snapshot-").tempdir_in(&self.layout.folder);
        let folder = folder.context(|| "making a folder for a snapshot".into())?;
        self.end_all();
        copy(&self.layout.data(), &folder.path().join("etcd"))?;
        self.start_all().await?;
        Ok(Snapshot { folder })
    }

    /// Puts a snapshot back, in place of all that is there now: everything that happened since has not happened, and versions
    /// that were given out are given out again, to other things. The ports stay as they are. As with a real cluster, nobody
    /// tells those who watch: what watched before may go on with what it remembers until it is started anew.
    ///
    /// # Errors
    /// As [`Self::snapshot`].
    pub async fn restore(&mut self, snapshot: &Snapshot) -> Result<(), Error> {
        self.end_all();
        let data = self.layout.data();
        fs::remove_dir_all(&data).context(|| format!("removing {}", data.display()))?;
        copy(&snapshot.folder.path().join("etcd"), &data)?;
        self.start_all().await
    }

    /// Kills everything; what etcd has answered for is in its files.
    fn end_all(&mut self) {
        self.controller_manager = None;
        self.kill_apiserver();
        self.etcd.end();
    }

    async fn start_all(&mut self) -> Result<(), Error> {
        self.etcd = start_etcd(&self.layout)?;
        self.restart_apiserver().await?;
        if self.options.controller_manager {
            self.start_controller_manager().await?;
        }
        Ok(())
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    let what = || format!("copying {}", from.display());
    fs::create_dir(to).context(what)?;
    for entry in fs::read_dir(from).context(what)? {
        let entry = entry.context(what)?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy(&source, &target)?;
        } else {
            fs::copy(&source, &target).context(|| format!("copying {}", source.display()))?;
        }
    }
    Ok(())
}
