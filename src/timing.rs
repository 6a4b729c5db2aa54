//! Every delay of the operator, in one value that tests and demos can shrink.

use std::time::{Duration, Instant};

use jiff::SignedDuration;

/// The time now, on the clock that tests can pause.
#[must_use]
pub fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// How long the operator waits, and for what. Waits that Meta or Kubernetes dictate (throttles, lease duration, the 60 s
/// between two reads that prove an absence) live here too, so that a test can run a day of them in a minute.
#[derive(Debug, Clone)]
pub struct Timing {
    /// All waits were divided by this.
    speedup: u32,
    /// `spec.pollInterval` where it is not given.
    pub default_poll_interval: Duration,
    /// How often `health_status` is read with an account: it makes Meta's answer slow.
    pub health_interval: Duration,
    /// How often a token is inspected, and credentials tested that were found wrong.
    pub inspect_interval: Duration,
    /// How often credentials are tested that were found right.
    pub credentials_interval: Duration,
    /// Wait after a failed test, inspection or discovery, before the next one.
    pub retry_interval: Duration,
    /// How often an account's template limit is read.
    pub limits_interval: Duration,
    /// How often a token exchange is tried again that brought no later expiry.
    pub exchange_retry: Duration,
    /// A read counts for a number only if it began this long after the last call that changed it.
    pub settle: Duration,
    /// A call that another process wrote down is left alone for this long: that process may still be at it.
    pub foreign_call_grace: Duration,
    /// How long a number may be on its way from registered to connected before that is worth a word.
    pub connecting: Duration,
    /// How often a profile is read.
    pub profile_interval: Duration,
    /// Two complete reads this far apart must lack a thing before it counts as gone.
    pub absence_gap: Duration,
    /// Two refusals of the live token this far apart prove that it is dead, whatever `debug_token` says.
    pub refusal_gap: Duration,
    /// After how many poll intervals without a complete read an object is `Stale`.
    pub stale_intervals: u32,
    /// Counts on a `MetaApp` are written at most this often.
    pub counts_gap: Duration,
    /// The first polls after a start are spread over this.
    pub start_spread: Duration,
    /// How often it is looked whether the API server's data went back in time.
    pub rewind_check: Duration,
    /// Longest call to the API server.
    pub api_timeout: Duration,
    /// Tokens that end within this are warned about on the condition `TokenValid`, also where nothing refreshes them.
    pub expiry_warning: Duration,
    /// Where our clock and Meta's are further apart, nothing is done that depends on the time.
    pub largest_skew: Duration,
}

impl Timing {
    /// The waits of production, divided by `speedup` (at least 1).
    #[must_use]
    pub fn new(speedup: u32) -> Self {
        let speedup = speedup.max(1);
        let seconds = |n: u64| Duration::from_secs(n) / speedup;
        Self {
            speedup,
            default_poll_interval: seconds(600),
            health_interval: seconds(3_600),
            inspect_interval: seconds(1_800),
            credentials_interval: seconds(86_400),
            retry_interval: seconds(60),
            limits_interval: seconds(86_400),
            exchange_retry: seconds(86_400),
            settle: seconds(10),
            foreign_call_grace: seconds(90),
            connecting: seconds(900),
            profile_interval: seconds(86_400),
            absence_gap: seconds(60),
            refusal_gap: seconds(30),
            stale_intervals: 3,
            counts_gap: seconds(10),
            start_spread: seconds(5),
            // However much waits are shrunk: this one costs the API server something.
            rewind_check: seconds(60).max(Duration::from_secs(1)),
            api_timeout: Duration::from_secs(30),
            // A date, not a wait: it is compared with Meta's clock and does not shrink.
            expiry_warning: Duration::from_hours(240),
            largest_skew: Duration::from_mins(5),
        }
    }

    /// Whether two clocks are so far apart that what is limited in time would be got wrong.
    #[must_use]
    pub fn is_skewed(&self, skew: SignedDuration) -> bool {
        skew.unsigned_abs() > self.largest_skew
    }

    /// A wait that a person wrote (`spec.pollInterval`), shrunk like all others.
    #[must_use]
    pub fn scaled(&self, wait: Duration) -> Duration {
        wait / self.speedup
    }

    /// The factor for the rooms that keep waits of their own.
    #[must_use]
    pub fn speedup(&self) -> u32 {
        self.speedup
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self::new(1)
    }
}
