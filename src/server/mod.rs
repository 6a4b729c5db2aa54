//! What the operator serves: health, metrics.

mod health;
mod metrics;
mod server;

pub use health::{Health, Stage};
pub use metrics::{Metrics, Outcome};
pub use server::{router, serve};
