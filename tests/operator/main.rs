//! The operator from end to end: a real API server, the Graph simulator, and the operator itself, in this process or in
//! one of its own, which can be killed and paused. Between it and the API server there may be a gate that stops a request.
//!
//! Each test has a namespace, a simulator and an operator of its own, so that tests run side by side. All waiting is for
//! facts. Every test ends with `World::finish`, which looks for what must never be: a careless call to Meta, a
//! status that breaks the rules, a secret where people can read it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod gate;
mod harness;
mod logs;
mod manifests;
mod operator;
mod pages;
mod people;
mod program;
mod rungs;
mod scan;
mod seed;
mod verdict;
mod waiting;
mod witness;

mod bad_numbers;
mod bad_secrets;
mod binding;
mod conflict;
mod copied;
mod crash;
mod credentials;
mod custody;
mod drift;
mod exchange;
mod expiry;
mod forbidden;
mod fresh_pin;
mod import;
mod ladder;
mod lag;
mod leaders;
mod ledgers;
mod lossy;
mod matrix;
mod moves;
mod outage;
mod outcomes;
mod pins;
mod process;
mod profile;
mod reference;
mod remembered;
mod renewal;
mod restored;
mod routing;
mod steady;
mod suspend;
mod throttle;
