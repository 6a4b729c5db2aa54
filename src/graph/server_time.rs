//! Meta's clock: ours, corrected by the median of the last few `Date` headers.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use jiff::fmt::rfc2822::DateTimeParser;
use jiff::{SignedDuration, Timestamp};

/// How many headers the median is taken from: one odd proxy in between does not move it.
const SAMPLES: usize = 5;

/// How far Meta's clock is from ours, as last seen.
#[derive(Debug, Default)]
pub(super) struct Clock {
    seen: Mutex<VecDeque<SignedDuration>>,
}

impl Clock {
    /// Takes note of a `Date` header that came at `local`. What is not a date is ignored.
    pub fn saw(&self, date: &str, local: Timestamp) {
        let Ok(theirs) = DateTimeParser::new().parse_timestamp(date) else { return };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() == SAMPLES {
            seen.pop_front();
        }
        seen.push_back(theirs.duration_since(local));
    }

    /// What has to be added to our time to get Meta's; zero while nothing is known.
    pub fn skew(&self) -> SignedDuration {
        let mut seen: Vec<_> = self.seen.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect();
        seen.sort_unstable();
        seen.get(seen.len() / 2).copied().unwrap_or(SignedDuration::ZERO)
    }

    /// Meta's time.
    pub fn now(&self) -> Timestamp {
        let local = Timestamp::now();
        local.checked_add(self.skew()).unwrap_or(local)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const LOCAL: &str = "2026-11-22T12:00:00Z";

    fn clock(dates: &[&str]) -> Clock {
        let clock = Clock::default();
        for date in dates {
            clock.saw(date, LOCAL.parse().unwrap());
        }
        clock
    }

    #[test]
    fn starts_with_our_own_time() {
        assert_eq!(clock(&[]).skew(), SignedDuration::ZERO);
    }

    #[test]
    fn follows_the_header() {
        assert_eq!(clock(&["Sun, 22 Nov 2026 12:10:00 GMT"]).skew(), SignedDuration::from_mins(10));
        assert_eq!(clock(&["Sun, 22 Nov 2026 11:50:00 GMT"]).skew(), SignedDuration::from_mins(-10));
    }

    #[test]
    fn one_odd_header_does_not_count() {
        let good = "Sun, 22 Nov 2026 12:00:01 GMT";
        let odd = "Sat, 22 Nov 2036 12:00:00 GMT";
        assert_eq!(clock(&[good, odd, good]).skew(), SignedDuration::from_secs(1));
    }

    #[test]
    fn old_headers_are_forgotten() {
        let mut dates = vec!["Sun, 22 Nov 2026 10:00:00 GMT"; 5];
        dates.extend(["Sun, 22 Nov 2026 12:00:00 GMT"; 5]);
        assert_eq!(clock(&dates).skew(), SignedDuration::ZERO);
    }

    #[test]
    fn garbage_is_ignored() {
        assert_eq!(clock(&["yesterday", ""]).skew(), SignedDuration::ZERO);
    }
}
