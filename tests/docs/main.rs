//! The documentation is true: it lists every field, phase, condition, reason, action, metric and flag of the code, and no other.
//!
//! The first word of its head names a table (`Phase`, `Reason`, `Action`, `Metric`, `Flag`, `Event`). The tables of fields are generated from the
//! definitions: `UPDATE_DOCS=1 cargo test --test docs` writes them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod fields;
mod names;
mod page;
mod reasons;
mod tables;
