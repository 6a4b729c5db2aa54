//! What is known after a call that changes something at Meta.

use super::errors::{Error, Sent, codes};

/// How a call that changes something ended. Only `Done`, `Refused` and `NotSent` are certain.
#[derive(Debug)]
#[must_use]
pub enum Outcome<T> {
    /// Meta did it.
    Done(T),
    /// Meta refused, and changed nothing.
    Refused(Error),
    /// The call never reached Meta.
    NotSent(Error),
    /// It may or may not have taken effect.
    Unknown(Error),
}

/// Codes by which Meta reports a fault of its own, not a refusal.
const UNSURE: [u32; 4] = [codes::UNKNOWN, codes::SERVICE_DOWN, codes::INTERNAL, codes::SERVICE_UNAVAILABLE];

impl<T> Outcome<T> {
    /// What became of the call, for logs.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Done(_) => "done",
            Self::Refused(_) => "refused",
            Self::NotSent(_) => "not sent",
            Self::Unknown(_) => "unknown",
        }
    }

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
                Sent::Replied if is_refusal(&error) => Self::Refused(error),
                Sent::Replied | Sent::NoReply | Sent::Unreadable | Sent::Endless => Self::Unknown(error),
            },
        }
    }
}

/// A Graph error is a refusal, unless its code is one of `UNSURE`, or Meta does not document the code and the status is a server
/// error's. Without a code it is one where the status is a client error's, and neither the text nor the status speaks of a fault.
fn is_refusal(error: &Error) -> bool {
    match error.code() {
        // Meta also reports a wrong app secret with code 1; there it is a refusal.
        Some(code) if UNSURE.contains(&code) => error.is_app_credentials(),
        Some(_) => error.is_documented() || error.http_status().is_some_and(|status| status < 500),
        None => error.http_status().is_some_and(|status| {
            (400..500).contains(&status) && status != 408 && (status == 429 || !error.is_transient())
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::endpoint::Endpoint::{AccessToken, Account};
    use crate::graph::errors::{Class, GraphErrorBody, Kind, classify};

    fn name(error: Error) -> &'static str {
        match Outcome::<()>::from(Err(error)) {
            Outcome::Done(()) => "Done",
            Outcome::Refused(_) => "Refused",
            Outcome::NotSent(_) => "NotSent",
            Outcome::Unknown(_) => "Unknown",
        }
    }

    fn graph_error(code: u32, endpoint: crate::graph::Endpoint, http: u16) -> Error {
        let body = GraphErrorBody { code: (code != 0).then_some(code), ..GraphErrorBody::default() };
        let verdict = classify(&body, endpoint, http);
        let class = match verdict.kind {
            Kind::Is(class) => class,
            Kind::Throttled(_) => Class::Throttled { until: jiff::Timestamp::UNIX_EPOCH },
        };
        body.into_error(class, verdict, endpoint, http)
    }

    #[test]
    fn errors_of_the_graph_api() {
        let cases = [
            ("1 is not a refusal", 1, Account, 400, "Unknown"),
            ("2 is not a refusal", 2, Account, 503, "Unknown"),
            ("131000 is not a refusal", 131_000, Account, 500, "Unknown"),
            ("131016 is not a refusal", 131_016, Account, 500, "Unknown"),
            ("a wrong app secret is", 1, AccessToken, 400, "Refused"),
            ("3 is, whatever the status", 3, Account, 500, "Refused"),
            ("133000 is, whatever the status", 133_000, Account, 500, "Refused"),
            ("133004 is, whatever the status", 133_004, Account, 503, "Refused"),
            ("131045 is, whatever the status", 131_045, Account, 500, "Refused"),
            ("131057 is, whatever the status", 131_057, Account, 500, "Refused"),
            ("2494100 is, whatever the status", 2_494_100, Account, 500, "Refused"),
            ("a throttle is", 80_007, Account, 400, "Refused"),
            ("a dead token is", 190, Account, 401, "Refused"),
            ("an error without a code is, by the status", 0, Account, 400, "Refused"),
            ("so are too many calls", 0, Account, 429, "Refused"),
            ("a request that came too slowly is not", 0, Account, 408, "Unknown"),
            ("nor is a fault without a code", 0, Account, 500, "Unknown"),
            ("nor a success that is none", 0, Account, 200, "Unknown"),
            ("an unknown code with a client error's status is", 999_999, Account, 400, "Refused"),
            ("an unknown code with a server error's status is not", 999_999, Account, 500, "Unknown"),
        ];
        for (reason, code, endpoint, http, expected) in cases {
            assert_eq!(name(graph_error(code, endpoint, http)), expected, "{reason}");
        }
    }

    #[test]
    fn silence() {
        let silent = |sent| name(Error::without_reply(Account, Class::Transient, sent, "silence"));
        assert_eq!(silent(Sent::No), "NotSent");
        assert_eq!(silent(Sent::NoReply), "Unknown");
    }
}
