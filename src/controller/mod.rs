//! The engine that all kinds share: watches feed the store, triggers feed the queue, each object is reconciled until its
//! status says what is true. It imports no kind.

pub(crate) mod account_resource;
pub(crate) mod actions;
pub(crate) mod app_reference;
pub(crate) mod context;
pub(crate) mod managed_resource;
pub(crate) mod ownership;
pub(crate) mod plan;
pub(crate) mod preconditions;
pub(crate) mod queue;
pub(crate) mod reconcile;
pub(crate) mod runner;
pub(crate) mod secret_values;
pub(crate) mod status;
pub(crate) mod store;
pub(crate) mod summary;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod triggers;
pub(crate) mod user_secrets;

pub use context::{Context, Error};
pub use managed_resource::ManagedResource;
pub use ownership::NumberClaim;
pub use runner::{CONCURRENCY, Running, run};
pub use store::{Cached, Key, Objects, ScopeFeed};
pub use triggers::Triggers;
pub use user_secrets::Secrets;
