//! Detects that the API server's data went back in time: somebody restored a backup of the cluster.
//!
//! Watches do not report that, and writes of this process may be gone. It therefore writes the ledgers again and exits; the next
//! process reads everything.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client, api::ListParams};
use tracing::{debug, error};

use super::timeout::call;

/// How often the last read is tried, and the pause between.
const LAST_LOOKS: u32 = 5;
const PAUSE: Duration = Duration::from_secs(2);

/// Remembers the newest version of the data that was seen.
pub struct RestoreDetector {
    secrets: Api<Secret>,
    newest: AtomicU64,
}

impl RestoreDetector {
    /// Looks at Secrets in `namespace`.
    #[must_use]
    pub fn new(client: Client, namespace: &str) -> Self {
        Self { secrets: Api::namespaced(client, namespace), newest: AtomicU64::new(0) }
    }

    /// Resolves when the data are older than they were. `every` is the time between two looks, each of which is one small
    /// read.
    pub async fn happened(&self, every: Duration) {
        while self.look().await != Some(true) {
            tokio::time::sleep(every).await;
        }
    }

    /// Whether the data are older than they were, seen from the end: a lease that is lost may be one that the restored data
    /// do not have, and is looked at more often than the version.
    pub async fn has_happened(&self) -> bool {
        for _ in 0..LAST_LOOKS {
            if let Some(older) = self.look().await {
                return older;
            }
            tokio::time::sleep(PAUSE).await;
        }
        false
    }

    /// One read; `None`: it failed.
    async fn look(&self) -> Option<bool> {
        match call(self.secrets.list_metadata(&ListParams::default().limit(1))).await {
            Ok(list) => {
                // Versions of one cluster are numbers that grow (KEP-5504); what is none says nothing.
                let version = list.metadata.resource_version.and_then(|version| version.parse::<u64>().ok());
                let newest = self.newest.fetch_max(version.unwrap_or_default(), Ordering::SeqCst);
                let older = version.is_some_and(|version| version < newest);
                if older {
                    error!(version, newest, "the API server's data went back in time: was a backup restored?");
                }
                Some(older)
            }
            Err(error) => {
                debug!(%error, "the version of the API server's data is not known now");
                None
            }
        }
    }
}
