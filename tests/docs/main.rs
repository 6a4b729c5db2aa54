//! The documentation says what is: every field, phase, reason, condition, action, metric and flag is there, and none that is not.
//!
//! Tables are told by the first word of their head (`Phase`, `Reason`, `Action`, `Metric`, `Flag`, `Event`). The tables of fields are generated from
//! the definitions: `UPDATE_DOCS=1 cargo test --test docs` writes them anew.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod fields;
mod names;
mod page;
mod reasons;
mod tables;
