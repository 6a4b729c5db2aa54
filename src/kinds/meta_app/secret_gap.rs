//! Tools that write Secrets from a store delete and create them again at times. A value that is away for a moment is no news: the
//! last one counts until the gap has lasted too long.

use std::time::{Duration, Instant};

use super::{decision::CredentialError, token_secret::Credential};
use crate::messages::Reason;

/// The last value under one key, and since when it is away.
#[derive(Default)]
pub struct LastValue {
    value: Option<Credential>,
    away_since: Option<Instant>,
}

impl LastValue {
    /// What counts now, and when to look again, if the value is away and may come back.
    pub fn bridge(
        &mut self,
        read: Result<Credential, CredentialError>,
        gap: Duration,
        now: Instant,
    ) -> (Result<Credential, CredentialError>, Option<Instant>) {
        match read {
            Ok(value) => {
                *self = Self { value: Some(value.clone()), away_since: None };
                (Ok(value), None)
            }
            Err(problem) => {
                let is_away = matches!(problem.reason, Reason::SecretNotFound | Reason::SecretKeyNotFound);
                let until = *self.away_since.get_or_insert(now) + gap;
                match &self.value {
                    Some(value) if is_away && now < until => (Ok(value.clone()), Some(until)),
                    _ => {
                        // A value that is gone does not stay in memory.
                        self.value = None;
                        (Err(problem), None)
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAP: Duration = Duration::from_secs(10);

    fn value(name: &str) -> Credential {
        Credential { value: name.into(), fingerprint: name.to_owned() }
    }

    fn problem(reason: Reason) -> Result<Credential, CredentialError> {
        Err(CredentialError { reason, message: String::new(), passing: false, fingerprint: None })
    }

    #[test]
    fn a_short_gap_is_no_news_and_a_long_one_is() {
        let start = Instant::now();
        let mut last = LastValue::default();
        let mut seen = |read, seconds| {
            let now = start + Duration::from_secs(seconds);
            let (found, until) = last.bridge(read, GAP, now);
            let wait = until.map(|until| until.duration_since(now).as_secs());
            (found.map(|value| value.fingerprint).map_err(|problem| problem.reason), wait)
        };
        let gone = || problem(Reason::SecretNotFound);
        assert_eq!(seen(gone(), 0), (Err(Reason::SecretNotFound), None), "there never was one");
        assert_eq!(seen(Ok(value("a")), 1), (Ok("a".to_owned()), None));
        assert_eq!(seen(gone(), 2), (Ok("a".to_owned()), Some(10)), "away");
        assert_eq!(seen(problem(Reason::SecretKeyNotFound), 5), (Ok("a".to_owned()), Some(7)), "half of it is back");
        assert_eq!(seen(Ok(value("b")), 6), (Ok("b".to_owned()), None), "back, with another value");
        assert_eq!(seen(gone(), 20), (Ok("b".to_owned()), Some(10)), "away again: the time begins anew");
        assert_eq!(seen(gone(), 30), (Err(Reason::SecretNotFound), None), "too long");
        assert_eq!(seen(gone(), 31), (Err(Reason::SecretNotFound), None), "and stays so");
        assert_eq!(seen(Ok(value("b")), 32), (Ok("b".to_owned()), None));
        let wrong = problem(Reason::SecretValueInvalid);
        assert_eq!(seen(wrong, 33), (Err(Reason::SecretValueInvalid), None), "a wrong value is news at once");
    }
}
