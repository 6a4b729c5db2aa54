//! What users read and copy: the reasons of conditions and Events, and the commands that messages name.

pub mod commands;
mod layout;
mod reasons;

pub use layout::{is_command, lay_out};
pub use reasons::{OF_NOTICES, Reason, Reasons};

/// A time in a message: whole seconds.
#[must_use]
pub fn when(time: jiff::Timestamp) -> String {
    jiff::Timestamp::from_second(time.as_second()).unwrap_or(time).to_string()
}
