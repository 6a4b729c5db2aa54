//! Notices that the API server's data went back in time: somebody restored a backup of the cluster.
//!
//! Watches that go on from before say nothing then, and what this process takes for written is not there. So it puts right
//! what it must (the ledgers), ends, and the next one reads everything anew.

use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client, api::ListParams};
use tracing::{debug, error};

use super::guard::call;

/// Resolves when the data are older than they were. `every` is the time between two looks, each of which is one small
/// read.
pub async fn rewound(client: &Client, namespace: &str, every: Duration) {
    let secrets = Api::<Secret>::namespaced(client.clone(), namespace);
    let params = ListParams::default().limit(1);
    let mut newest = 0;
    loop {
        match call(secrets.list_metadata(&params)).await {
            Ok(list) => {
                // Versions of one cluster are numbers that grow (KEP-5504); what is none says nothing.
                let version = list.metadata.resource_version.and_then(|version| version.parse::<u64>().ok());
                if version.is_some_and(|version| version < newest) {
                    error!(version, newest, "the API server's data went back in time: was a backup restored?");
                    return;
                }
                newest = newest.max(version.unwrap_or_default());
            }
            Err(error) => debug!(%error, "the version of the API server's data is not known now"),
        }
        tokio::time::sleep(every).await;
    }
}
