//! Durations as people write them in Kubernetes: `240h`, `10m`, `1h30m`.

use std::{fmt, str::FromStr, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A length of time in Go's notation with hours, minutes and seconds (`240h`, `10m`, `1h30m`); there is no unit for days.
/// The text is kept as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GoDuration {
    text: String,
    duration: Duration,
}

/// A text that is no duration in Go's notation.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a duration: write hours, minutes and seconds, such as 240h, 10m or 1h30m")]
pub struct NotADuration(String);

impl GoDuration {
    /// What the API server accepts: whole hours, minutes and seconds in this order, at least one of them.
    pub const PATTERN: &str = "^([0-9]{1,5}h)?([0-9]{1,7}m)?([0-9]{1,9}s)?$";

    /// The duration of so many seconds, in its shortest form (`600` is `10m`).
    #[must_use]
    pub fn from_seconds(seconds: u64) -> Self {
        let parts = [(seconds / 3600, 'h'), (seconds / 60 % 60, 'm'), (seconds % 60, 's')];
        let mut text = String::new();
        for (number, unit) in parts.into_iter().filter(|(number, _)| *number > 0) {
            text.push_str(&number.to_string());
            text.push(unit);
        }
        if text.is_empty() {
            text.push_str("0s");
        }
        Self { text, duration: Duration::from_secs(seconds) }
    }

    /// Whole seconds.
    #[must_use]
    pub fn seconds(&self) -> u64 {
        self.duration.as_secs()
    }

    /// The same length for the standard library.
    #[must_use]
    pub fn to_std(&self) -> Duration {
        self.duration
    }
}

impl FromStr for GoDuration {
    type Err = NotADuration;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse::<kube::core::Duration>() {
            Ok(duration) if !text.is_empty() && !duration.is_negative() => {
                Ok(Self { text: text.to_owned(), duration: duration.into() })
            }
            _ => Err(NotADuration(text.to_owned())),
        }
    }
}

impl TryFrom<String> for GoDuration {
    type Error = NotADuration;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<GoDuration> for String {
    fn from(duration: GoDuration) -> Self {
        duration.text
    }
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl JsonSchema for GoDuration {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "GoDuration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "minLength": 2,
            "maxLength": 24,
            "x-kubernetes-validations": [{
                "rule": format!("self.matches(r'{}')", Self::PATTERN),
                "message": "write hours, minutes and seconds, such as 240h, 10m or 1h30m; there is no unit for days",
            }],
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn reads_what_people_write_and_keeps_the_text() {
        for (text, seconds) in [("240h", 864_000), ("10m", 600), ("1h30m", 5400), ("90s", 90), ("1h0m5s", 3605)] {
            let duration: GoDuration = text.parse().unwrap();
            assert_eq!((duration.seconds(), duration.to_string()), (seconds, text.to_owned()));
        }
    }

    #[test]
    fn refuses_days_numbers_without_unit_and_negative_lengths() {
        for text in ["", "1d", "10", "-1h", "abc"] {
            assert_eq!(text.parse::<GoDuration>(), Err(NotADuration(text.into())));
        }
    }

    #[test]
    fn is_written_in_its_shortest_form() {
        for (seconds, text) in [(0, "0s"), (600, "10m"), (2_592_000, "720h"), (3661, "1h1m1s")] {
            assert_eq!(GoDuration::from_seconds(seconds).to_string(), text);
        }
    }
}
