//! A Kubernetes operator for WhatsApp Business apps, numbers and message templates at Meta.
//!
//! The way of the data: Meta → [`observe`] (one poller per account) → objects whose observation changed are woken →
//! [`controller`] and [`kinds`] (per kind a pure plan and a thin shell) → one status patch, only if something changed.
//! Every write to Meta goes through [`calls`]; what a number must not forget is in its [`ledger`].

pub mod api;
pub mod calls;
pub mod controller;
pub mod graph;
pub mod k8s;
pub mod kinds;
pub mod ledger;
pub mod messages;
pub mod observe;
pub mod run;
pub mod server;
pub mod telemetry;
pub mod timing;
