//! Callback URLs as callers give them, before Meta verifies them.

use reqwest::Url;

use super::errors::{self, GraphError};

/// Longest override.
const LONGEST: usize = 200;

/// A callback and the token it has to know.
#[derive(Clone, Debug)]
pub(crate) struct Callback {
    pub(crate) url: String,
    pub(crate) verify_token: String,
}

impl Callback {
    /// Checks a URL as far as that goes without asking it. Meta wants TLS; on this machine alone plain HTTP will do. A plus in
    /// the path becomes a space.
    pub(crate) fn new(parameter: &str, url: &str, verify_token: String) -> Result<Self, GraphError> {
        let refused = || errors::invalid_parameter(format!("{parameter} should represent a valid URL with https"));
        let mut parsed = Url::parse(url).map_err(|_| refused())?;
        let here = parsed.host_str().is_some_and(|host| ["localhost", "127.0.0.1", "[::1]"].contains(&host));
        if parsed.scheme() != "https" && !(parsed.scheme() == "http" && here) {
            return Err(refused());
        }
        if !parsed.path().contains('+') {
            return Ok(Self { url: url.to_owned(), verify_token });
        }
        let path = parsed.path().replace('+', "%20");
        parsed.set_path(&path);
        Ok(Self { url: parsed.into(), verify_token })
    }

    /// The same for an override, which has to be short.
    pub(crate) fn overriding(url: &str, verify_token: Option<String>) -> Result<Self, GraphError> {
        let verify_token = verify_token.filter(|token| !token.is_empty());
        let verify_token = verify_token.ok_or_else(|| errors::missing_parameter("verify_token"))?;
        if url.chars().count() > LONGEST {
            return Err(errors::invalid_parameter(format!(
                "override_callback_uri is longer than {LONGEST} characters"
            )));
        }
        Self::new("override_callback_uri", url, verify_token)
    }
}

/// An override where the app does not listen yet.
pub(crate) fn not_subscribed() -> GraphError {
    GraphError::new(
        100,
        "(#100) Before override the current callback uri, your app must be subscribed to receive messages for WhatsApp \
         Business Account",
    )
}
