//! The Graph client against the simulator: which calls it sends, how often, and how it reads the replies.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod budget;
mod faults;
mod numbers;
mod reading;
mod secrets;
mod support;
mod tokens;
