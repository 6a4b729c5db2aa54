//! The operator from end to end: a real API server, the Graph simulator, and the operator itself, in this process or as
//! a program that can be killed and paused. A gate between operator and API server can stop a request. The vocabulary
//! of the tests is introduced in [`harness`].
//!
//! Each test has a namespace, a simulator and an operator of its own, so that tests run in parallel. Tests wait for
//! facts, never for time. Every test ends with `World::finish`, which checks that there was no careless call to Meta,
//! no status that breaks a rule, and no secret where people can read it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod harness;

mod app_credentials;
mod app_reference;
mod binding_secret;
mod business_profile;
mod call_outcomes;
mod clock_skew;
mod conflicting_objects;
mod crash_points;
mod credential_rotation;
mod drift_detection;
mod etcd_restore;
mod forbidden_secret_writes;
mod generated_pins;
mod import;
mod invalid_secrets;
mod kill_matrix;
mod lagging_reads;
mod ledger_loss;
mod lost_replies;
mod message_commands;
mod meta_outage;
mod number_ownership;
mod number_webhook;
mod odd_replies;
mod onboarding;
mod paused_leader;
mod process_lifecycle;
mod rate_limits;
mod registration_pins;
mod restore_from_status;
mod steady_state;
mod suspend_and_observe;
mod token_exchange;
mod token_expiry;
mod token_renewal;
mod token_secret;
mod unparsable_objects;
mod unusable_numbers;
mod usage;
