//! Actions: annotations by which a person asks for something once. Which of them are new, and which may still be acted on.

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use crate::{
    api::{Action, Kind, ManagedStatus, unsupported},
    messages::commands,
};

/// Older requests are not acted on: a restored backup or a reverted commit must not repeat them.
pub const LATEST: SignedDuration = SignedDuration::from_hours(1);
/// Clocks of people may be ahead by this much.
pub const EARLIEST: SignedDuration = SignedDuration::from_mins(5);

/// An annotation that has not been handled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What is asked.
    pub action: Action,
    /// The annotation's value, to be echoed.
    pub value: String,
    /// `Err` says why it is not acted on.
    pub verdict: Result<(), String>,
}

/// The annotations of `object` that its status has not echoed yet.
pub fn requests<K: Kind>(object: &K, now: Timestamp) -> Vec<Request> {
    let default = K::Status::default();
    let status = object.status().unwrap_or(&default);
    let created = object.creation_timestamp().map(|time| time.0);
    K::Status::ACTIONS
        .iter()
        .filter_map(|&action| {
            let value = object.annotations().get(action.annotation())?;
            let handled = status.handled(action);
            (handled != Some(value)).then(|| Request {
                action,
                value: value.clone(),
                verdict: judge(value, handled, created, now)
                    .map_err(|why| format!("{why}. To request it now: {}", commands::request(object, action)))
                    .and_then(|()| is_supported(action)),
            })
        })
        .collect()
}

/// Whether one of them asks to read Meta now.
pub fn asks_to_read(requests: &[Request]) -> bool {
    requests.iter().any(|request| request.action == Action::Reconcile && request.verdict.is_ok())
}

fn is_supported(action: Action) -> Result<(), String> {
    if unsupported::ACTIONS.contains(&action) {
        return Err("this version of the operator does not support it yet".to_owned());
    }
    Ok(())
}

fn judge(value: &str, handled: Option<&str>, created: Option<Timestamp>, now: Timestamp) -> Result<(), String> {
    let Ok(time) = value.parse::<Timestamp>() else {
        return Err("its value is not a time with its offset from UTC (RFC 3339)".to_owned());
    };
    if handled.and_then(|h| h.parse::<Timestamp>().ok()).is_some_and(|h| time <= h) {
        return Err("a later request was handled already".to_owned());
    }
    if created.is_some_and(|created| time.as_second() < created.as_second()) {
        return Err("it is older than the object".to_owned());
    }
    if now.duration_since(time) > LATEST {
        return Err("it is more than an hour old".to_owned());
    }
    if time.duration_since(now) > EARLIEST {
        return Err("it is more than five minutes in the future; a time with a Z is in UTC".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::api::{WhatsAppNumber, WhatsAppNumberSpec};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// Somebody who copies the command of a refusal is not refused again.
    #[test]
    fn a_refusal_of_a_value_has_a_command_that_is_acted_on() {
        let mut object = WhatsAppNumber::new("support-fr", WhatsAppNumberSpec::default());
        object.metadata.namespace = Some("cc".to_owned());
        let now = at("2026-12-01T12:00:00Z");
        for value in ["1795852800", "now", "2026-12-01T12:00:00", "2026-12-01T14:00:00Z", "2026-01-31T12:00:00Z"] {
            object.annotations_mut().insert("waba.dev/register-at".to_owned(), value.to_owned());
            let requests = requests(&object, now);
            let why = requests[0].verdict.as_ref().unwrap_err();
            assert!(why.contains("--overwrite waba.dev/register-at=$(date -u +%FT%TZ)"), "{value}: {why}");
            assert!(!why.contains("2026-01-31"), "{value}: {why}");
        }
    }

    #[test]
    fn only_fresh_requests_are_acted_on() {
        let created = Some(at("2026-05-01T10:00:00Z"));
        let now = at("2026-05-01T12:00:00Z");
        for (value, handled, acted, reason) in [
            ("2026-05-01T11:59:00Z", None, true, "a request of a minute ago"),
            ("2026-05-01T12:04:00Z", None, true, "a clock that is a little ahead"),
            ("2026-05-01T13:59:00+02:00", None, true, "another offset"),
            ("2026-05-01T12:06:00Z", None, false, "too far ahead"),
            ("2026-05-01T10:59:59Z", None, false, "older than an hour"),
            ("2026-05-01T09:59:00Z", None, false, "older than the object"),
            ("2026-05-01T11:58:00Z", Some("2026-05-01T11:59:00Z"), false, "older than what was handled"),
            ("2026-05-01T11:59:30Z", Some("2026-05-01T11:59:00Z"), true, "later than what was handled"),
            ("2026-05-01T11:59:30Z", Some("nonsense"), true, "what was handled was not a time"),
            ("yesterday", None, false, "not a time"),
        ] {
            assert_eq!(judge(value, handled, created, now).is_ok(), acted, "{reason}");
        }
    }
}
