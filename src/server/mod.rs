//! What the operator serves: health and metrics.

mod health;
mod private;

pub use health::{Health, Stage};
pub use private::{router, serve};
