//! The three kinds, one folder each, all of the same shape: `mod.rs` gathers what is known and carries out what was
//! decided, `plan.rs` decides, purely, and its neighbours say what Meta's facts mean. What they share is here.

mod actions;
#[cfg(test)]
mod advice;
mod apply;
mod cached;
mod claims;
mod commands;
mod context;
mod controller;
mod link;
mod message_template;
mod meta_app;
mod objects;
mod outlook;
mod reason;
mod secrets;
mod subject;
#[cfg(test)]
mod testing;
mod verdict;
mod wake;
mod whatsapp_number;

pub use cached::{Cached, Key};
pub use claims::NumberClaim;
pub use context::{Context, Error};
pub use controller::{CONCURRENCY, Done, Reconciler, Running, run};
pub use message_template::Templates;
pub use meta_app::Apps;
pub use objects::{Kind, Objects, ScopeFeed};
pub use reason::Reason;
pub use secrets::Secrets;
pub use wake::Wakers;
pub use whatsapp_number::{Bindings, Numbers, Profiles};
