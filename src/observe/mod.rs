//! What Meta shows: one poller per app and account reads everything the account holds, the inventory keeps the last
//! complete read of each, and a change enqueues the objects that it concerns. Decisions read the inventory, never Meta.

mod calling_codes;
pub mod digits;
mod inventory;
#[cfg(test)]
mod left_out_tests;
mod poller;
#[cfg(test)]
mod poller_tests;
mod snapshot;
#[cfg(test)]
mod tests;
mod time_zones;
mod usage;

pub use inventory::{AccountState, Allowed, AppState, AppSummary, BindingToken, Failure, Inventory, Observation};
pub use poller::{Budget, Pollers, Polling, Wake};
pub use snapshot::{Changes, Snapshot, TemplateKey};
pub use usage::{Month, Total, Usage, UsageState};
