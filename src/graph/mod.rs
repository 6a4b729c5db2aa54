//! Meta's Graph API: typed calls, what each error means, and how much may be asked. Knows nothing of Kubernetes.
//!
//! A call goes through the gate of its account ([`Client::pass`]), is sent by one of two HTTP clients (reads
//! may be tried again, writes never), and comes back as a typed value, as an [`Error`] whose [`Class`] decides what
//! happens next, or, where something is changed, as an [`Outcome`]. Nothing that leaves this module shows a secret.

mod accounts;
mod apps;
mod client;
mod config;
mod effort;
mod endpoint;
mod errors;
mod fields;
mod listing;
mod outcome;
mod phone_numbers;
mod pricing;
mod rate_limit;
mod refused_field;
mod response;
mod scrub;
mod server_time;
mod transport;
pub mod types;
mod usage;
mod version;

pub use accounts::{AccountRead, LeftOut, Want};
pub use apps::{App, CredentialsError, ExchangedToken};
pub use client::{BuildError, Client};
pub use config::{Access, AppCredentials, Config, Finished, Priority, Recorder};
pub use endpoint::Endpoint;
pub use errors::{Class, Error, codes};
pub use outcome::Outcome;
pub use phone_numbers::PinAfter;
pub use pricing::{Pricing, PricingPoint};
pub use version::VersionMismatch;
