//! What this process has read of profiles, and when each is due again. A profile is read number by number, so that is done
//! once a day, at a time of its own, and only where it is managed.

use std::time::{Duration, Instant};

use ahash::AHashMap;
use parking_lot::Mutex;
use rand::RngExt;

use super::inputs::ProfileRead;
use crate::{graph::types::Profile, timing::Timing};

struct CachedProfile {
    profile: Option<Profile>,
    /// When the read of it began.
    began: Instant,
    /// When it was last tried to be read, if ever.
    tried: Option<Instant>,
    next: Instant,
}

/// See the module.
#[derive(Default)]
pub struct Profiles(Mutex<AHashMap<String, CachedProfile>>);

/// Whose profile is asked for, and why.
pub struct Look {
    /// Of the object.
    pub uid: String,
    /// From when on a read counts.
    pub counts_from: Option<Instant>,
    /// Whether something was written that was not read back yet.
    pub unsettled: bool,
    /// Whether nobody has looked at this spec yet.
    pub is_new: bool,
    /// Whether a person wants to know.
    pub asked: bool,
}

impl Profiles {
    /// What is known of a profile, or that it is to be read.
    pub fn look(&self, look: &Look, timing: &Timing) -> ProfileRead {
        let now = Instant::now();
        let mut reads = self.0.lock();
        let read = reads.entry(look.uid.clone()).or_insert_with(|| {
            // After a restart what is known already is read again some time in the day, not all of it at once.
            let wait = if look.is_new { 0.0 } else { rand::rng().random_range(0.0..1.0) };
            CachedProfile { profile: None, began: now, tried: None, next: now + timing.profile_interval.mul_f64(wait) }
        });
        let counts = look.counts_from.is_none_or(|from| read.began >= from);
        let settles = look.unsettled && !counts && look.counts_from.is_some_and(|from| from <= now);
        let pause = |wait: Duration| read.tried.is_none_or(|tried| now >= tried + wait);
        // It stays new until the status says something else, and that is later than this reconcile's next look.
        let is_new = look.is_new && pause(timing.settle.max(Duration::from_secs(1)));
        if now >= read.next || is_new || ((settles || look.asked) && pause(timing.settle)) {
            return ProfileRead::Due;
        }
        match &read.profile {
            Some(profile) => ProfileRead::Shown {
                profile: profile.clone(),
                fresh: counts,
                next: read.next.saturating_duration_since(now),
            },
            None => ProfileRead::Unread,
        }
    }

    /// Takes a read in; `None` where it failed, which is tried again before long.
    pub fn learn(&self, uid: &str, profile: Option<Profile>, began: Instant, timing: &Timing) {
        let day = timing.profile_interval.mul_f64(rand::rng().random_range(0.9..1.1));
        let wait: Duration = if profile.is_some() { day } else { timing.retry_interval * 10 };
        let mut reads = self.0.lock();
        // What was not read is as old as it was.
        let kept = reads.remove(uid).filter(|_| profile.is_none());
        let (profile, read) = kept.map_or((profile, began), |kept| (kept.profile, kept.began));
        reads.insert(
            uid.to_owned(),
            CachedProfile { profile, began: read, tried: Some(began), next: Instant::now() + wait },
        );
    }

    /// Forgets a number that is gone.
    pub fn forget(&self, uid: &str) {
        self.0.lock().remove(uid);
    }
}
