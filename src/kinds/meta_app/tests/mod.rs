//! How an app is planned, topic by topic. [`fixtures`] has the vocabulary.

mod accounts;
mod credentials;
mod exchange;
pub mod fixtures;
mod notices;
mod plan;
mod story;
mod token;
mod usage;
