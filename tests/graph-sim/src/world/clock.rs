//! Meta's clock: real time plus an offset that the control interface moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

/// The only source of time for everything Meta would date: expiries, quotas, reviews, retries, headers.
#[derive(Clone, Debug)]
pub struct Clock {
    offset_nanos: Arc<AtomicI64>,
    moved: watch::Sender<()>,
}

impl Default for Clock {
    fn default() -> Self {
        Self { offset_nanos: Arc::default(), moved: watch::Sender::new(()) }
    }
}

impl Clock {
    /// The instant Meta believes it is.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let offset = SignedDuration::from_nanos(self.offset_nanos.load(Ordering::Relaxed));
        let real = Timestamp::now();
        real.checked_add(offset).unwrap_or(real)
    }

    /// The same, in whole unix seconds.
    #[must_use]
    pub fn unix(&self) -> i64 {
        self.now().as_second()
    }

    /// Moves the clock; negative durations move it back.
    pub fn advance(&self, by: SignedDuration) {
        // Three centuries either way are enough.
        let nanos = i64::try_from(by.as_nanos()).unwrap_or(i64::MAX);
        self.offset_nanos.fetch_add(nanos, Ordering::Relaxed);
        self.moved.send_replace(());
    }

    /// Sets the clock; it goes on at the pace of real time from there.
    pub fn set(&self, to: Timestamp) {
        self.advance(to.duration_since(self.now()));
    }

    /// Back to real time.
    pub fn reset(&self) {
        self.offset_nanos.store(0, Ordering::Relaxed);
        self.moved.send_replace(());
    }

    /// Waits until the clock shows `due`, however it gets there: by real time or by being moved.
    pub async fn sleep_until(&self, due: Timestamp) {
        let mut moved = self.moved.subscribe();
        loop {
            let left = due.duration_since(self.now());
            if left <= SignedDuration::ZERO {
                return;
            }
            let left = Duration::try_from(left).unwrap_or(Duration::ZERO).max(Duration::from_millis(1));
            tokio::select! {
                () = tokio::time::sleep(left) => {}
                _ = moved.changed() => {}
            }
        }
    }
}
