//! How often an operation may be tried: Meta counts some calls within a window, and locks who makes too many.

use jiff::{SignedDuration, Timestamp};

/// So many calls within a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// How many.
    pub calls: usize,
    /// Within which time.
    pub window: SignedDuration,
}

impl Budget {
    /// When the next call fits, given the calls that were made; `None`: now.
    #[must_use]
    pub fn next(self, made: &[Timestamp], now: Timestamp) -> Option<Timestamp> {
        let mut recent = recent(made, self.window, now);
        recent.sort_unstable();
        let oldest = recent.len().checked_sub(self.calls)?;
        let until = recent.get(oldest).map(|time| time.checked_add(self.window).unwrap_or(Timestamp::MAX));
        // A budget of no calls at all never has room.
        Some(until.unwrap_or(Timestamp::MAX))
    }
}

/// The calls that still count.
#[must_use]
pub fn recent(made: &[Timestamp], window: SignedDuration, now: Timestamp) -> Vec<Timestamp> {
    made.iter().filter(|time| now.duration_since(**time) < window).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)
    }

    #[test]
    fn the_next_call_fits_once_the_oldest_of_the_last_ones_no_longer_counts() {
        let day = Budget { calls: 1, window: SignedDuration::from_hours(24) };
        let month = Budget { calls: 3, window: SignedDuration::from_hours(30 * 24) };
        for (made, now, of_day, of_month) in [
            (vec![], 0, None, None),
            (vec![0], 1, Some(24), None),
            (vec![0], 24, None, None),
            (vec![0, 24, 48], 50, Some(72), Some(720)),
            (vec![0, 24, 48, 72], 96, None, Some(744)),
            (vec![0, 24, 48], 720, None, None),
        ] {
            let made: Vec<_> = made.into_iter().map(at).collect();
            assert_eq!(day.next(&made, at(now)), of_day.map(at), "{made:?}, one a day");
            assert_eq!(month.next(&made, at(now)), of_month.map(at), "{made:?}, three in 30 days");
        }
    }
}
