//! The Graph client against the simulator: what it asks, how often, and what it makes of the answers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod budget;
mod faults;
mod numbers;
mod reading;
mod secrets;
mod support;
mod tokens;
