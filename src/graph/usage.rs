//! Meta's usage headers, which report how full a bucket is.

use std::collections::HashMap;
use std::time::Duration;

use serde::Deserialize;

/// How full a bucket is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    /// The fullest of Meta's several counts, in percent; more than 100 is possible.
    pub percent: u8,
    /// How long until calls are allowed again; zero while they are.
    pub regain: Duration,
}

/// One entry of either header. Meta adds other keys, and some numbers come as fractions.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Counts {
    call_count: f64,
    total_time: f64,
    total_cputime: f64,
    /// In minutes, unlike everything else that Meta measures.
    estimated_time_to_regain_access: f64,
}

impl From<Counts> for Usage {
    fn from(counts: Counts) -> Self {
        let fullest = counts.call_count.max(counts.total_time).max(counts.total_cputime);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what fits")]
        let percent = fullest.ceil().clamp(0.0, 255.0) as u8;
        let minutes = counts.estimated_time_to_regain_access.clamp(0.0, 60.0 * 24.0 * 30.0);
        Self { percent, regain: Duration::from_secs_f64(minutes * 60.0) }
    }
}

/// `X-App-Usage`.
pub(super) fn of_app(header: &str) -> Option<Usage> {
    serde_json::from_str::<Counts>(header).ok().map(Usage::from)
}

/// `X-Business-Use-Case-Usage`, as it concerns the account: entries under its own ID if there are any, else all (Meta
/// also counts per business, under the business's ID).
pub(super) fn of_account(header: &str, waba_id: &str) -> Option<Usage> {
    let mut buckets: HashMap<String, Vec<Counts>> = serde_json::from_str(header).ok()?;
    let relevant = match buckets.remove(waba_id) {
        Some(own) => own,
        None => buckets.into_values().flatten().collect(),
    };
    relevant
        .into_iter()
        .map(Usage::from)
        .reduce(|a, b| Usage { percent: a.percent.max(b.percent), regain: a.regain.max(b.regain) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(percent: u8, minutes: u64) -> Usage {
        Usage { percent, regain: Duration::from_mins(minutes) }
    }

    #[test]
    fn app_usage_is_the_fullest_count() {
        assert_eq!(of_app(r#"{"call_count":28,"total_time":25,"total_cputime":31}"#), Some(usage(31, 0)));
    }

    #[test]
    fn account_usage() {
        let cases = [
            (
                "its own entry counts, whatever its type, and the time is in minutes",
                r#"{"7":[{"type":"x","call_count":5,"total_cputime":3,"total_time":2,"estimated_time_to_regain_access":4}]}"#,
                Some(usage(5, 4)),
            ),
            (
                "another account's entry does not count beside its own",
                r#"{"7":[{"call_count":5}],"8":[{"call_count":99}]}"#,
                Some(usage(5, 0)),
            ),
            ("a business's entry counts when there is no other", r#"{"9":[{"call_count":81}]}"#, Some(usage(81, 0))),
            ("the worst of several counts", r#"{"7":[{"call_count":1},{"total_time":90.2}]}"#, Some(usage(91, 0))),
            ("over a hundred", r#"{"7":[{"call_count":400}]}"#, Some(usage(255, 0))),
            ("nothing told", "{}", None),
            ("no JSON", "oops", None),
        ];
        for (reason, header, expected) in cases {
            assert_eq!(of_account(header, "7"), expected, "{reason}");
        }
    }
}
