//! The Graph version that Meta serves: it silently forwards a version that has ended to the oldest supported one.

use std::sync::{Mutex, PoisonError};

use ahash::AHashMap;

/// Meta serves another version than the requested one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionMismatch {
    /// The version in our URLs.
    pub asked: Box<str>,
    /// The version that Meta served.
    pub served: Box<str>,
}

/// The mismatches as of the last reply, per app.
#[derive(Debug, Default)]
pub(super) struct Versions(Mutex<AHashMap<Box<str>, VersionMismatch>>);

impl Versions {
    pub fn saw(&self, app_id: &str, asked: &str, served: &str) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.eq_ignore_ascii_case(served.trim()) {
            seen.remove(app_id);
        } else if seen.get(app_id).is_none_or(|seen| *seen.asked != *asked || *seen.served != *served.trim()) {
            seen.insert(app_id.into(), VersionMismatch { asked: asked.into(), served: served.trim().into() });
        }
    }

    pub fn mismatch(&self, app_id: &str) -> Option<VersionMismatch> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(app_id).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_answer_counts() {
        let versions = Versions::default();
        versions.saw("1", "v25.0", "v25.0");
        assert_eq!(versions.mismatch("1"), None);
        versions.saw("1", "v19.0", "v24.0");
        assert_eq!(versions.mismatch("1"), Some(VersionMismatch { asked: "v19.0".into(), served: "v24.0".into() }));
        assert_eq!(versions.mismatch("2"), None, "another app");
        versions.saw("1", "v25.0", "v25.0");
        assert_eq!(versions.mismatch("1"), None, "over");
    }
}
