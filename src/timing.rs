//! Every delay of the operator, in one value that tests and demos can shrink.

use std::time::{Duration, Instant};

use jiff::SignedDuration;

/// The time now, on the clock that tests can pause.
#[must_use]
pub fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// How long the operator waits, and for what: one value for every part. Waits that Meta or Kubernetes dictate (throttles,
/// the lease, the 60 s between two reads that prove an absence) are in here too, so that a test can run a day of them in a
/// minute.
#[derive(Debug, Clone)]
pub struct Timing {
    /// All waits were divided by this.
    pub speedup: u32,
    /// `spec.pollInterval` where it is not given.
    pub default_poll_interval: Duration,
    /// How often `health_status` is read with an account: it makes Meta's reply slow.
    pub health_interval: Duration,
    /// How often a token is inspected, and credentials tested that were found wrong.
    pub inspect_interval: Duration,
    /// How often credentials are tested that were found right.
    pub credentials_interval: Duration,
    /// Wait after a failed test, inspection or discovery, before the next one.
    pub retry_interval: Duration,
    /// A user's Secret that is away for less than this counts as there.
    pub secret_gap: Duration,
    /// How often an account's template limit is read.
    pub limits_interval: Duration,
    /// How often an account's usage is read, where the app asks for it.
    pub usage_interval: Duration,
    /// How often a token exchange is retried that brought no later expiry.
    pub exchange_retry: Duration,
    /// A read counts for a number only if it began this long after the last call that changed it.
    pub settle: Duration,
    /// An open call of another process is left alone for this long: that process may still be sending it.
    pub foreign_call_grace: Duration,
    /// How long a number may take from registered to connected before its status reports it.
    pub connecting: Duration,
    /// How often a profile is read.
    pub profile_interval: Duration,
    /// Two complete reads this far apart must lack a thing before it counts as gone.
    pub absence_gap: Duration,
    /// Two refusals of the live token this far apart prove that it is no longer valid, even if `debug_token` shows otherwise.
    pub refusal_gap: Duration,
    /// After how many poll intervals without a complete read an object is `Stale`.
    pub stale_intervals: u32,
    /// Counts on a `MetaApp` are written at most this often.
    pub counts_gap: Duration,
    /// The first polls after a start are spread over this.
    pub start_spread: Duration,
    /// How often the operator checks whether the API server's data went back in time.
    pub rewind_check: Duration,
    /// `TokenValid` warns of tokens that expire within this, also where the operator does not refresh them.
    pub expiry_warning: Duration,
    /// Where our clock and Meta's are further apart, the operator does nothing that depends on the time.
    pub largest_skew: Duration,

    /// The time one call to Meta may take in all, body included.
    pub call_timeout: Duration,
    /// The time a connection to Meta may take to be made; a call that got no further was certainly not carried out.
    pub connect_timeout: Duration,
    /// A call is sent only with a lease that outlasts its timeout by this.
    pub fence_margin: Duration,
    /// An intent that was written longer ago than this is not sent any more: another process may have read it meanwhile.
    pub fresh_intent: Duration,
    /// How long a renewal of the lease holds.
    pub lease: Duration,
    /// How often the lease is renewed.
    pub lease_renewal: Duration,
    /// Pause between two attempts to renew or acquire the lease.
    pub lease_retry: Duration,

    /// How often a read is tried in all when Meta is unwell.
    pub read_tries: usize,
    /// The pause before a read's second try; it doubles from there, with jitter.
    pub retry_pause: Duration,
    /// The time that all calls of one read may take together: an account, or a list, in as many pages as it has. The waits for
    /// turns in the budget do not count.
    pub longest_read: Duration,
    /// The window in which Meta counts calls.
    pub budget_window: Duration,
    /// Calls per window, app and account while the account has no registered number.
    pub account_limit: u32,
    /// Calls per window, app and account once a number of the account is registered.
    pub active_account_limit: u32,
    /// Calls per window that the operator allows itself on an app's own small bucket.
    pub app_limit: u32,
    /// The first stop after a throttle for which Meta names no end; it doubles with each further one.
    pub throttle_first: Duration,
    /// The longest stop after a throttle for which Meta names no end.
    pub throttle_longest: Duration,
    /// The pause between two polls that each percent of usage above 80 adds.
    pub pace_step: Duration,
    /// How long polls rest when the bucket is all but empty, before one of them looks again.
    pub poll_rest: Duration,
    /// The longest a poll waits for its turn before it is refused unsent.
    pub longest_turn: Duration,
    /// How long Meta locks a number after too many registrations (code 133016).
    pub register_lock: Duration,
    /// The pause after other limits of a number, whose end Meta gives only in prose.
    pub number_rest: Duration,
    /// How long to try no other PIN after they came too fast (code 133009).
    pub pin_rest: Duration,
}

impl Timing {
    /// The waits of production, divided by `speedup` (at least 1). What keeps two processes apart shrinks only as far as a
    /// busy machine allows, and the relations between these waits hold at every speed.
    #[must_use]
    pub fn new(speedup: u32) -> Self {
        let speedup = speedup.max(1);
        let seconds = |n: u64| Duration::from_secs(n) / speedup;
        let call_timeout = seconds(30).max(Duration::from_secs(5));
        let fence_margin = Duration::from_secs(5);
        let fresh_intent = Duration::from_secs(5);
        // Renewed every fifth of it. What is left just before a renewal, and a little more while that is under way, must be
        // enough for a call.
        let lease = Duration::from_secs(((call_timeout + fence_margin).as_secs() * 10).div_ceil(7));
        Self {
            speedup,
            default_poll_interval: seconds(600),
            health_interval: seconds(3_600),
            inspect_interval: seconds(1_800),
            credentials_interval: seconds(86_400),
            retry_interval: seconds(60),
            secret_gap: seconds(10),
            limits_interval: seconds(86_400),
            usage_interval: seconds(3_600),
            exchange_retry: seconds(86_400),
            settle: seconds(10),
            foreign_call_grace: seconds(90).max(fresh_intent + call_timeout),
            connecting: seconds(900),
            profile_interval: seconds(86_400),
            absence_gap: seconds(60),
            refusal_gap: seconds(30),
            stale_intervals: 3,
            counts_gap: seconds(10),
            start_spread: seconds(5),
            // However much waits are shrunk: this one costs the API server something.
            rewind_check: seconds(60).max(Duration::from_secs(1)),
            // A date, not a wait: it is compared with Meta's clock and does not shrink.
            expiry_warning: Duration::from_hours(240),
            largest_skew: Duration::from_mins(5),
            call_timeout,
            connect_timeout: Duration::from_secs(10).min(call_timeout),
            fence_margin,
            fresh_intent,
            lease,
            lease_renewal: lease / 5,
            lease_retry: lease / 10,
            read_tries: 3,
            retry_pause: Duration::from_millis(500) / speedup,
            longest_read: seconds(300).max(call_timeout * 4),
            budget_window: seconds(3_600),
            account_limit: 200,
            active_account_limit: 5_000,
            app_limit: 200,
            throttle_first: seconds(300),
            throttle_longest: seconds(3_600),
            pace_step: seconds(1),
            poll_rest: seconds(300),
            longest_turn: Duration::from_secs(90),
            // Of Meta's clock, as `throttle_first`; but what Meta locks for days no demo waits for.
            register_lock: Duration::from_hours(72),
            number_rest: Duration::from_hours(1),
            pin_rest: Duration::from_mins(5),
        }
    }

    /// How long this process must still hold the lease when it sends a call.
    #[must_use]
    pub fn lead_for_a_call(&self) -> Duration {
        self.call_timeout + self.fence_margin
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
}

impl Default for Timing {
    fn default() -> Self {
        Self::new(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relations_between_waits_hold_at_every_speed() {
        for speedup in [1, 2, 6, 9, 30, 600, 1000] {
            let timing = Timing::new(speedup);
            let relations = [
                (
                    "an open call of another process is left alone until that process can neither send it nor wait for it",
                    timing.foreign_call_grace >= timing.fresh_intent + timing.call_timeout,
                ),
                (
                    "the lease outlasts the longest call, also just before it is renewed",
                    timing.lease > timing.lead_for_a_call() + timing.lease_renewal,
                ),
                ("a failed renewal is repeated before the next one is due", timing.lease_retry < timing.lease_renewal),
                ("the lease is in whole seconds", timing.lease.subsec_nanos() == 0),
                ("a connection is part of a call", timing.connect_timeout <= timing.call_timeout),
                ("a change settles before a second read can prove anything", timing.settle < timing.absence_gap),
                ("failures are retried before the next poll", timing.retry_interval < timing.default_poll_interval),
                (
                    "one call that Meta does not answer is reported as that",
                    timing.longest_read > timing.call_timeout * u32::try_from(timing.read_tries).unwrap_or(u32::MAX),
                ),
                ("stops grow", timing.throttle_first < timing.throttle_longest),
                ("polls rest for less than a window", timing.poll_rest < timing.budget_window),
                (
                    "a poll may wait for its turn in the smallest bucket",
                    timing.longest_turn >= timing.budget_window / (timing.account_limit / 4),
                ),
            ];
            for (relation, holds) in relations {
                assert!(holds, "{relation}, at speed {speedup}: {timing:?}");
            }
        }
    }

    #[test]
    fn production_and_tests_have_these_waits_between_processes() {
        for (speedup, call, lease, grace) in [(1, 30, 50, 90), (6, 5, 15, 15), (9, 5, 15, 10), (600, 5, 15, 10)] {
            let timing = Timing::new(speedup);
            let seconds = [timing.call_timeout, timing.lease, timing.foreign_call_grace].map(|wait| wait.as_secs());
            assert_eq!(seconds, [call, lease, grace], "at speed {speedup}");
        }
        let window = Timing::default().budget_window;
        assert_eq!(window, Duration::from_hours(1), "Meta counts calls per hour");
    }
}
