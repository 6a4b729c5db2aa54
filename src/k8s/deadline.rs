//! A time until which something holds, by two clocks. The monotonic one stands still while the machine sleeps, as a virtual
//! machine does that is moved; the other may be set. What holds until then is over as soon as either says so.

use std::time::{Duration, Instant, SystemTime};

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    monotonic: Instant,
    wall: SystemTime,
}

impl Deadline {
    /// So long from now.
    #[must_use]
    pub fn after(time: Duration) -> Self {
        Self { monotonic: Instant::now() + time, wall: SystemTime::now() + time }
    }

    /// Whether more than `time` is left.
    #[must_use]
    pub fn leaves(&self, time: Duration) -> bool {
        let by_monotonic = Instant::now().checked_add(time).is_some_and(|then| then < self.monotonic);
        by_monotonic && SystemTime::now().checked_add(time).is_some_and(|then| then < self.wall)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    #[test]
    fn it_is_over_when_either_clock_says_so() {
        let now = Deadline::after(Duration::ZERO);
        let later = Deadline::after(MINUTE);
        assert!(later.leaves(MINUTE / 2) && !later.leaves(MINUTE) && !later.leaves(Duration::MAX));
        assert!(!Deadline { wall: now.wall, ..later }.leaves(Duration::ZERO), "the machine slept");
        assert!(!Deadline { monotonic: now.monotonic, ..later }.leaves(Duration::ZERO), "the wall clock was set back");
    }
}
