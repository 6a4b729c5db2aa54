//! What users read and copy: the reasons of conditions and Events, and the commands that messages name.

pub mod commands;
mod reasons;

pub use reasons::Reason;
