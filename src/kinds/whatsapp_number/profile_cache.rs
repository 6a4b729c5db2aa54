//! What this process has read of profiles, and when each is due again. A profile is read number by number: once a day, at
//! a random time, and only where the spec manages it.

use std::time::{Duration, Instant};

use ahash::AHashMap;
use parking_lot::Mutex;
use rand::RngExt;

use super::inputs::ProfileRead;
use crate::{graph::types::Profile, timing::Timing};

struct CachedProfile {
    /// The last profile that Meta returned.
    read: Option<DatedProfile>,
    /// The last attempt to read it.
    attempt: Option<Attempt>,
    /// When it is read again, at the latest.
    next: Instant,
}

struct DatedProfile {
    profile: Profile,
    /// When the read of it started.
    began: Instant,
}

struct Attempt {
    ended: Instant,
    /// The shortest pause before the next one.
    pause: Duration,
}

/// See the module.
#[derive(Default)]
pub struct Profiles(Mutex<AHashMap<String, CachedProfile>>);

/// Whose profile the plan needs, and why.
#[expect(clippy::struct_excessive_bools, reason = "each is one circumstance")]
pub struct Look {
    /// Of the object.
    pub uid: String,
    /// From when on a read counts.
    pub counts_from: Option<Instant>,
    /// Whether something was written that was not read back yet.
    pub unsettled: bool,
    /// Whether Meta may not show yet what was written.
    pub may_lag: bool,
    /// Whether the operator has not reported on this spec yet.
    pub is_new: bool,
    /// Whether a person requested a read.
    pub requested: bool,
}

impl CachedProfile {
    /// When it is to be read (again).
    fn due(&self, look: &Look, now: Instant) -> Instant {
        let unsettled =
            look.unsettled && (look.may_lag || !self.counts(look)) && look.counts_from.is_none_or(|from| from <= now);
        if !(look.is_new || look.requested || unsettled) {
            return self.next;
        }
        let Some(Attempt { ended, pause }) = self.attempt else { return now };
        // A spec stays new until the status is written, which is after this reconcile's next look, however short waits are.
        let new_only = look.is_new && !look.requested && !unsettled;
        let pause = if new_only { pause.max(Duration::from_secs(1)) } else { pause };
        self.next.min(ended + pause)
    }

    fn counts(&self, look: &Look) -> bool {
        self.read.as_ref().is_some_and(|read| look.counts_from.is_none_or(|from| read.began >= from))
    }
}

impl Profiles {
    /// What this process knows of a profile, and when it is to be read (again).
    pub fn look(&self, look: &Look, now: Instant, timing: &Timing) -> ProfileRead {
        let mut profiles = self.0.lock();
        let cached = profiles.entry(look.uid.clone()).or_insert_with(|| {
            // After a restart, profiles that are not new are read at random times of the day, not all of them at once.
            let wait = if look.is_new { 0.0 } else { rand::rng().random_range(0.0..1.0) };
            CachedProfile { read: None, attempt: None, next: now + timing.profile_interval.mul_f64(wait) }
        });
        let due = cached.due(look, now);
        if due <= now {
            return ProfileRead::Due;
        }
        match &cached.read {
            Some(DatedProfile { profile, .. }) => ProfileRead::Shown {
                profile: profile.clone(),
                fresh: cached.counts(look),
                next: cached.next.saturating_duration_since(now),
            },
            None => ProfileRead::Unread { next: due.saturating_duration_since(now) },
        }
    }

    /// Records a read that lasted from `began` to `ended`. The operator retries a failed read sooner than in a day, but after
    /// the pause that Meta or the budget requires.
    pub fn learn(
        &self,
        uid: &str,
        read: Result<Profile, Option<Duration>>,
        (began, ended): (Instant, Instant),
        timing: &Timing,
    ) {
        let day = timing.profile_interval.mul_f64(rand::rng().random_range(0.9..1.1));
        let (pause, wait) = match &read {
            Ok(_) => (timing.settle, day),
            Err(Some(pause)) => (*pause, *pause),
            Err(None) => (timing.retry_interval, timing.retry_interval * 10),
        };
        let mut profiles = self.0.lock();
        // A failed read leaves what the last one returned, and its age.
        let read = read.ok().map(|profile| DatedProfile { profile, began });
        let read = read.or_else(|| profiles.remove(uid)?.read);
        let attempt = Some(Attempt { ended, pause });
        profiles.insert(uid.to_owned(), CachedProfile { read, attempt, next: ended + wait });
    }

    /// Forgets a number that is gone.
    pub fn forget(&self, uid: &str) {
        self.0.lock().remove(uid);
    }
}
