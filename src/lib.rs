//! The operator as a library.

pub mod api;
pub mod cluster;
pub mod graph;
pub mod http;
pub mod telemetry;
