//! The client: one per process, cheap to clone.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::{Url, redirect, retry};

use super::config::{Config, Recorder};
use super::errors::Error;
use super::fields::RefusedFields;
use super::rate_limit::Budget;
use super::server_time::Clock;
use super::version::{VersionMismatch, Versions};
use crate::timing::Timing;

/// The client of the whole process, so that budgets and clock are shared.
#[derive(Clone)]
pub struct Client {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub base_url: Url,
    pub reads: reqwest::Client,
    pub writes: reqwest::Client,
    pub budget: Budget,
    pub clock: Clock,
    pub versions: Versions,
    pub refused_fields: RefusedFields,
    pub recorder: Arc<dyn Recorder>,
    pub timing: Timing,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The base URL cannot have a path.
    #[error("the Graph URL must be one like https://graph.facebook.com, without query and fragment")]
    BaseUrl,
    /// The HTTP client could not be set up.
    #[error("the HTTP client could not be set up")]
    Http(#[source] reqwest::Error),
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    /// A client that reports each call to `recorder`.
    ///
    /// # Errors
    /// If the base URL cannot have a path, or TLS cannot be set up.
    pub fn new(config: Config, recorder: Arc<dyn Recorder>) -> Result<Self, BuildError> {
        let Config { base_url, user_agent, timing } = config;
        if base_url.cannot_be_a_base() || base_url.query().is_some() || base_url.fragment().is_some() {
            return Err(BuildError::BaseUrl);
        }
        let builder = || {
            reqwest::Client::builder()
                .user_agent(&user_agent)
                .timeout(timing.call_timeout)
                .connect_timeout(timing.connect_timeout)
                .redirect(redirect::Policy::none())
                .retry(retry::never())
                .referer(false)
        };
        // A write that is lost on a reused connection looks the same as one that took effect.
        let writes = builder().pool_max_idle_per_host(0);
        let inner = Inner {
            base_url,
            reads: builder().build().map_err(BuildError::Http)?,
            writes: writes.build().map_err(BuildError::Http)?,
            budget: Budget::new(timing.clone()),
            clock: Clock::default(),
            versions: Versions::default(),
            refused_fields: RefusedFields::default(),
            recorder,
            timing,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The time on Meta's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// How long to wait before the call that failed with `error` is made again, where Meta or the budget says so.
    #[must_use]
    pub fn pause_after(&self, error: &Error) -> Option<Duration> {
        let until = error.throttled_until()?;
        Some(Duration::try_from(until.duration_since(self.now())).unwrap_or_default())
    }

    /// How far Meta's clock is ahead of ours.
    #[must_use]
    pub fn clock_skew(&self) -> SignedDuration {
        self.inner.clock.skew()
    }

    /// What is left of an account's bucket (of the app's own, without an account), in percent, if Meta reported it of late.
    #[must_use]
    pub fn budget_left(&self, app_id: &str, waba_id: Option<&str>) -> Option<u8> {
        self.inner.budget.gate(app_id, waba_id).left()
    }

    /// Restores a throttle that an earlier process recorded.
    pub fn restore_throttle(&self, app_id: &str, waba_id: Option<&str>, until: Timestamp) {
        self.inner.budget.gate(app_id, waba_id).restore(until);
    }

    /// The version that Meta serves the app, if it is not the requested one: that one has ended.
    #[must_use]
    pub fn version_mismatch(&self, app_id: &str) -> Option<VersionMismatch> {
        self.inner.versions.mismatch(app_id)
    }
}
