//! Meta's call budgets: rolling hours per app and per account, and the throttle that follows when one is used up.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

/// Calls an hour per app and account while the account has no registered number.
pub(crate) const ACCOUNT_LIMIT: i64 = 200;
/// Calls an hour per app and account once it has one.
pub(crate) const ACTIVE_ACCOUNT_LIMIT: i64 = 5_000;
/// Calls an hour per daily active user of an app.
pub(crate) const APP_LIMIT_PER_USER: i64 = 200;

/// By how much each call made while throttled prolongs the throttle, in seconds.
const PROLONGED_BY: i64 = 60;
/// Calls on their way when the first refusal was answered are nobody's fault, for this many seconds.
pub(crate) const IN_FLIGHT: i64 = 2;

/// One rolling hour: calls per minute, and until when the caller is refused.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Window {
    minutes: VecDeque<(i64, i64)>,
    throttled_until: Option<i64>,
    refused_since: Option<i64>,
}

/// What counting one call found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) percent: i64,
    pub(crate) throttled: bool,
    /// Throttled, and the caller must have known.
    pub(crate) knowingly: bool,
    pub(crate) regain_minutes: i64,
}

/// All budgets, by `app` or `app/account`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Usage(BTreeMap<String, Window>);

impl Usage {
    /// Counts one call against a budget of `limit` an hour.
    pub(crate) fn count(&mut self, bucket: String, limit: i64, now: i64) -> Verdict {
        self.0.entry(bucket).or_default().count(limit, now)
    }

    /// How much of a budget is used, as of the last call counted against it.
    pub(crate) fn percent(&self, bucket: &str, limit: i64) -> i64 {
        self.0.get(bucket).map_or(0, |window| window.percent(limit))
    }
}

impl Window {
    fn count(&mut self, limit: i64, now: i64) -> Verdict {
        let minute = now.div_euclid(60);
        while self.minutes.front().is_some_and(|(then, _)| then + 60 <= minute) {
            self.minutes.pop_front();
        }
        if let Some(until) = self.throttled_until.filter(|until| *until > now) {
            self.throttled_until = Some(until + PROLONGED_BY);
        } else if self.total() >= limit {
            self.throttled_until = Some(self.free_again(limit, now));
            self.refused_since = Some(now);
        } else {
            self.throttled_until = None;
            match self.minutes.back_mut().filter(|(then, _)| *then == minute) {
                Some((_, calls)) => *calls += 1,
                None => self.minutes.push_back((minute, 1)),
            }
        }
        let knowingly =
            self.throttled_until.is_some() && self.refused_since.is_some_and(|since| now > since + IN_FLIGHT);
        Verdict {
            percent: self.percent(limit),
            throttled: self.throttled_until.is_some(),
            knowingly,
            regain_minutes: self.throttled_until.map_or(0, |until| (until - now + 59).div_euclid(60)),
        }
    }

    fn total(&self) -> i64 {
        self.minutes.iter().map(|(_, calls)| calls).sum()
    }

    fn percent(&self, limit: i64) -> i64 {
        let used = self.total().saturating_mul(100).checked_div(limit).unwrap_or(100);
        if self.throttled_until.is_some() { used.max(100) } else { used }
    }

    /// When enough calls have left the window for one more to fit.
    fn free_again(&self, limit: i64, now: i64) -> i64 {
        let mut left = self.total();
        for (minute, calls) in &self.minutes {
            left -= calls;
            if left < limit {
                return (minute + 60) * 60;
            }
        }
        now + 3_600
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_refuses_at_its_limit_and_frees_itself_after_an_hour() {
        let mut window = Window::default();
        for second in 0..3 {
            assert!(!window.count(3, second).throttled);
        }
        let refused = window.count(3, 10);
        assert_eq!((refused.throttled, refused.knowingly, refused.regain_minutes), (true, false, 60));
        assert!(!window.count(3, 3_600).throttled, "the three calls have left the window");
    }

    #[test]
    fn calls_while_throttled_prolong_it() {
        let mut window = Window::default();
        window.count(1, 0);
        assert_eq!(window.count(1, 1).regain_minutes, 60);
        let again = window.count(1, 30);
        assert_eq!((again.knowingly, again.regain_minutes), (true, 61));
        assert!(window.count(1, 3_601).throttled, "an hour is no longer enough");
    }
}
