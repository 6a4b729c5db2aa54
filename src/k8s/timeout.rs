//! Guards around futures: a limit on every API call, and a net under every reconcile.

use std::{future::Future, panic::AssertUnwindSafe, time::Duration};

use futures::FutureExt as _;

use crate::telemetry::Metrics;

/// How long one call to the API server may take.
pub const API_TIMEOUT: Duration = Duration::from_secs(15);

/// Why a call to the API server brought no result.
///
/// `Display` shows the server's own sentence only: transport and decoding errors may quote what was sent or received.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// No reply in time; whether a write took effect is not known.
    #[error("the API server did not reply within {} s", .0.as_secs_f64())]
    Timeout(Duration),
    /// The call failed.
    #[error("{}", describe(.0))]
    Kube(#[source] kube::Error),
}

impl ApiError {
    /// The object was changed, or is not the one that was meant (409, other than "already exists").
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        self.status().is_some_and(kube::core::Status::is_conflict)
    }

    /// The object exists already.
    #[must_use]
    pub fn is_already_exists(&self) -> bool {
        self.status().is_some_and(kube::core::Status::is_already_exists)
    }

    /// The object (or its namespace) does not exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.status().is_some_and(kube::core::Status::is_not_found)
    }

    /// The operator lacks a right.
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        self.status().is_some_and(kube::core::Status::is_forbidden)
    }

    /// Whether asking again changes nothing: a person has to set something right first.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.status().is_some_and(|status| matches!(status.code, 400 | 401 | 403 | 404 | 413 | 422))
    }

    /// The name of the `ResourceQuota` that has no room for what was to be created. Nothing but the sentence tells.
    #[must_use]
    pub fn exceeded_quota(&self) -> Option<&str> {
        let status = self.status().filter(|status| status.code == 403)?;
        let (_, quota) = status.message.split_once("exceeded quota: ")?;
        quota.split([',', ' ']).next().filter(|name| !name.is_empty())
    }

    /// The namespace is being deleted, so nothing can be created in it any more: no news for anybody.
    #[must_use]
    pub fn is_namespace_ending(&self) -> bool {
        let causes = self.status().and_then(|status| status.details.as_ref()).map(|details| &details.causes);
        causes.is_some_and(|causes| causes.iter().any(|cause| cause.reason == "NamespaceTerminating"))
    }

    fn status(&self) -> Option<&kube::core::Status> {
        match self {
            Self::Kube(kube::Error::Api(status)) => Some(status),
            _ => None,
        }
    }
}

fn describe(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if status.message.is_empty() => format!("the API server replied {}", status.code),
        kube::Error::Api(status) => status.message.clone(),
        kube::Error::SerdeError(_) | kube::Error::FromUtf8(_) => {
            "the API server's reply could not be parsed".to_owned()
        }
        kube::Error::Auth(_) => "the operator could not authenticate to the API server".to_owned(),
        _ => "the API server could not be reached".to_owned(),
    }
}

/// Runs one call to the API server for at most [`API_TIMEOUT`].
///
/// # Errors
/// See [`ApiError`].
pub async fn call<T>(call: impl Future<Output = kube::Result<T>>) -> Result<T, ApiError> {
    call_within(API_TIMEOUT, call).await
}

/// Runs one call to the API server for at most `limit`.
///
/// # Errors
/// See [`ApiError`].
pub async fn call_within<T>(limit: Duration, call: impl Future<Output = kube::Result<T>>) -> Result<T, ApiError> {
    match tokio::time::timeout(limit, call).await {
        Ok(result) => result.map_err(ApiError::Kube),
        Err(_) => Err(ApiError::Timeout(limit)),
    }
}

/// A future panicked. The payload is dropped, because it may hold secrets; the log has the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a defect in the operator interrupted this reconcile, and the operator retries; the log has the details")]
pub struct Panicked;

/// Runs a future and turns a panic into an error, counted in the metrics.
///
/// The future's captured state is dropped by the unwinding; what it shares with others must bear an interruption at
/// any await point, which cancellation demands anyway.
///
/// # Errors
/// [`Panicked`].
pub async fn catch<T>(metrics: &Metrics, work: impl Future<Output = T>) -> Result<T, Panicked> {
    AssertUnwindSafe(work).catch_unwind().await.map_err(|_| {
        metrics.panicked();
        Panicked
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error_without_its_payload() {
        let metrics = Metrics::new();
        let caught = catch(&metrics, async { panic!("EAAsecret") }).await;
        let error: Panicked = caught.map(|(): ()| ()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("EAA"));
        assert!(metrics.encode().contains("waba_panics_total 1"));
        assert_eq!(catch(&metrics, async { 7 }).await, Ok(7));
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_hangs_ends() {
        let error = call(std::future::pending::<kube::Result<()>>()).await.unwrap_err();
        assert!(matches!(error, ApiError::Timeout(limit) if limit == API_TIMEOUT), "{error}");
    }

    #[test]
    fn what_came_over_the_wire_is_not_quoted() {
        let bad = serde_json::from_str::<u8>(r#""c2VjcmV0""#).unwrap_err();
        assert!(bad.to_string().contains("c2VjcmV0"), "otherwise this test proves nothing");
        let error = ApiError::Kube(kube::Error::SerdeError(bad));
        assert!(!error.to_string().contains("c2VjcmV0"), "{error}");
    }

    #[test]
    fn answers_are_told_apart() {
        use kube::core::{Status, response::reason};
        let api = |reason: &str, code| {
            ApiError::Kube(kube::Error::Api(Status::failure("message", reason).with_code(code).boxed()))
        };
        assert!(api(reason::CONFLICT, 409).is_conflict());
        let exists = api(reason::ALREADY_EXISTS, 409);
        assert!(exists.is_already_exists() && !exists.is_conflict());
        assert!(api(reason::NOT_FOUND, 404).is_not_found());
        assert!(api(reason::FORBIDDEN, 403).is_forbidden());
        assert_eq!(api(reason::CONFLICT, 409).to_string(), "message");
        assert!(!ApiError::Timeout(API_TIMEOUT).is_conflict());
        let ending: Status = serde_json::from_value(serde_json::json!({
            "status": "Failure", "reason": "Forbidden", "code": 403, "message": "because it is being terminated",
            "details": {"causes": [{"reason": "NamespaceTerminating", "message": "namespace cc is being terminated"}]},
        }))
        .unwrap();
        assert!(ApiError::Kube(kube::Error::Api(ending.boxed())).is_namespace_ending());
        assert!(!api(reason::FORBIDDEN, 403).is_namespace_ending());
    }
}
