//! The simulator against the facts of Meta's API and its own contract.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod adding;
mod callback;
mod callbacks;
mod climbing;
mod contradictions;
mod control;
mod faults;
mod fields;
mod lists;
mod names;
mod pricing;
mod profiles;
mod program;
mod registering;
mod seeds;
mod settings;
mod support;
mod time;
mod tokens;
mod usage;
mod verifying;
mod versions;
mod violations;
mod webhooks;
mod writes;
