//! A Kubernetes operator for WhatsApp Business apps, numbers and message templates at Meta.
//!
//! The way of the data: Meta → [`observe`] (one poller per account) → objects whose observation changed are woken →
//! [`reconcile`] (per kind a pure plan and a thin shell) → one status patch, only if something changed. What changes a
//! number at Meta goes through the door of its [`ledger`].

pub mod api;
pub mod cluster;
pub mod graph;
pub mod http;
pub mod ledger;
pub mod observe;
pub mod reconcile;
pub mod run;
pub mod telemetry;
pub mod timing;
