//! Which binding Secrets are known to be up to date, so that none is read again that has not changed.

use std::time::{Duration, Instant};

use ahash::AHashMap;
use parking_lot::Mutex;

use crate::controller::context::Context;

/// A Secret that was just written may not have reached the watch yet.
const SETTLING: Duration = Duration::from_secs(10);

struct CachedBinding {
    version: Option<String>,
    digest: String,
    at: Instant,
}

/// See the module.
#[derive(Default)]
pub struct Bindings(Mutex<AHashMap<(String, String), CachedBinding>>);

impl Bindings {
    /// Whether the Secret is known to hold what the digest names.
    pub fn is_current(&self, context: &Context, namespace: &str, name: &str, digest: &str) -> bool {
        let known = self.0.lock();
        let Some(known) = known.get(&(namespace.to_owned(), name.to_owned())) else { return false };
        let seen = context.secrets.version(namespace, name);
        known.digest == digest && (seen == known.version || (seen.is_none() && known.at.elapsed() < SETTLING))
    }

    /// The Secret holds what the digest names, at this version.
    pub fn remember(&self, namespace: &str, name: &str, version: Option<&str>, digest: &str) {
        let known =
            CachedBinding { version: version.map(str::to_owned), digest: digest.to_owned(), at: Instant::now() };
        self.0.lock().insert((namespace.to_owned(), name.to_owned()), known);
    }

    /// Forgets a Secret.
    pub fn forget(&self, namespace: &str, name: &str) {
        self.0.lock().remove(&(namespace.to_owned(), name.to_owned()));
    }
}
