//! How a number is planned, topic by topic. [`fixtures`] has the vocabulary.

mod absence;
mod api_server;
mod connection;
mod deletion;
pub mod fixtures;
mod messages;
mod onboarding;
mod outside;
mod pin;
mod plan;
mod profile;
mod properties;
mod provisioning;
mod random_events;
mod recovery;
mod registration;
mod secret_gap;
mod verification;
mod webhook;
