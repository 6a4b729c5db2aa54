//! How an app is planned, topic by topic. [`fixtures`] has the vocabulary.

mod exchange;
pub mod fixtures;
mod plan;
mod story;
mod token;
