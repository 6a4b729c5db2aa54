//! What may be believed about a call that changes something at Meta.

use super::errors::{Error, Sent};

/// How a changing call ended. Only `Done`, `Refused` and `NotSent` are knowledge.
#[derive(Debug)]
#[must_use]
pub enum Outcome<T> {
    /// Meta did it.
    Done(T),
    /// Meta said no, and changed nothing.
    Refused(Error),
    /// The call never reached Meta.
    NotSent(Error),
    /// It may or may not have happened.
    Unknown(Error),
}

/// Codes with which Meta says that something went wrong inside, not that it refused.
const UNSURE: [u32; 4] = [1, 2, 131_000, 131_016];

impl<T> Outcome<T> {
    /// The same outcome with another value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Outcome<U> {
        match self {
            Self::Done(value) => Outcome::Done(f(value)),
            Self::Refused(error) => Outcome::Refused(error),
            Self::NotSent(error) => Outcome::NotSent(error),
            Self::Unknown(error) => Outcome::Unknown(error),
        }
    }
}

impl<T> From<Result<T, Error>> for Outcome<T> {
    fn from(result: Result<T, Error>) -> Self {
        match result {
            Ok(value) => Self::Done(value),
            Err(error) => match error.sent() {
                Sent::No => Self::NotSent(error),
                Sent::NoAnswer => Self::Unknown(error),
                Sent::Answered if is_refusal(&error) => Self::Refused(error),
                Sent::Answered => Self::Unknown(error),
            },
        }
    }
}

/// A Graph error is a refusal unless its code says otherwise. One that nobody documents, with a server error's status,
/// is not taken at its word.
fn is_refusal(error: &Error) -> bool {
    match error.code() {
        // A wrong app secret is told with code 1 too; there it is an answer.
        Some(code) if UNSURE.contains(&code) => error.is_app_credentials(),
        Some(_) => error.is_documented() || error.http_status().is_some_and(|status| status < 500),
        None => false,
    }
}
