//! Meta's Graph API: typed calls, what each error means, and how much may be asked. Knows nothing of Kubernetes.
//!
//! A call goes through the gate of its account ([`Client::throttled_until`]), is sent by one of two HTTP clients (reads
//! may be tried again, writes never), and comes back as a typed value, as an [`Error`] whose [`Class`] decides what
//! happens next, or, where something is changed, as an [`Outcome`]. Nothing that leaves this module shows a secret.

mod accounts;
mod answer;
mod apps;
mod budget;
mod client;
mod clock;
mod config;
mod endpoint;
mod errors;
mod numbers;
mod outcome;
mod scrub;
mod transport;
mod usage;
mod version;
pub mod wire;

pub use accounts::{AccountRead, Want};
pub use apps::{App, CredentialsError, ExchangedToken};
pub use client::{BuildError, Client};
pub use config::{Access, AppCredentials, Config, Finished, Priority, Recorder, Timing};
pub use endpoint::Endpoint;
pub use errors::{Class, Error};
pub use numbers::CodeMethod;
pub use outcome::Outcome;
pub use version::VersionMismatch;
