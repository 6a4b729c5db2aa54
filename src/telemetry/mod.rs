//! Logs, and the scrubbing of what others wrote.
//!
//! No secret may reach a log line in the first place: secrets are `SecretString`, which has no readable `Debug`.
//! [`scrub`] is for foreign text (Meta's error messages, an HTTP library's errors) before a person sees it.

mod metrics;
#[cfg(test)]
mod metrics_tests;
mod object_series;
mod usage_series;

pub use metrics::{Metrics, ObjectCounts, Outcome};
pub use object_series::{ObjectLabels, ObjectSeries};
pub use usage_series::{NumberSeries, PaymentSeries, UsageGauges, UsageLabels};

use std::sync::LazyLock;

use regex::Regex;
use tracing_subscriber::{
    filter::{LevelFilter, ParseError, Targets},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// One JSON object per line, for machines.
    #[default]
    Json,
    /// One line of text, for people.
    Text,
}

/// Why logging could not be started.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The filter in the environment is not understood.
    #[error("{variable} is not a log filter (such as `info` or `info,waba_operator=debug`): {reason}")]
    Filter {
        /// The environment variable it came from.
        variable: &'static str,
        /// The parser's error.
        reason: String,
    },
    /// A subscriber is already installed in this process.
    #[error("logging was already started in this process")]
    AlreadyStarted,
}

/// Starts logging to stderr for the whole process; call it once, from `main`.
///
/// The filter is `WABA_LOG`, else `RUST_LOG`, else `info`. A panic is logged with its place only: its payload is text
/// that nobody checked for secrets.
///
/// # Errors
/// When the filter cannot be parsed, or logging was already started.
pub fn init(format: LogFormat) -> Result<(), InitError> {
    let registry = tracing_subscriber::registry().with(filter()?);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match format {
        LogFormat::Json => {
            registry.with(lines.json().flatten_event(true).with_current_span(false).with_span_list(false)).try_init()
        }
        LogFormat::Text => registry.with(lines).try_init(),
    }
    .map_err(|_| InitError::AlreadyStarted)?;
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, "panic");
    }));
    Ok(())
}

fn filter() -> Result<Targets, InitError> {
    for variable in ["WABA_LOG", "RUST_LOG"] {
        if let Ok(directives) = std::env::var(variable) {
            return directives
                .parse()
                .map_err(|error: ParseError| InitError::Filter { variable, reason: error.to_string() });
        }
    }
    Ok(Targets::new().with_default(LevelFilter::INFO))
}

/// What replaces a secret.
const MASK: &str = "***";

/// What is shown should the rules ever fail to compile: nothing.
const WITHHELD: &str = "(text withheld)";

/// Pattern and replacement, applied in this order.
const RULES: [(&str, &str); 7] = [
    // Named values in query strings, forms, JSON, JSON inside JSON, and percent-encoded: the name and the separator
    // stay, the value goes, up to its closing quote or to what cannot be part of an unquoted one.
    (
        concat!(
            r"(?i)((?:access_token|input_token|fb_exchange_token|refresh_token|client_secret|app_secret",
            r#"|appsecret_proof|verify_token)(?:\\*["']|%22)?\s*(?:=|:|%3D|%3A)\s*)"#,
            r#"(?:"(?:\\.|[^"\\])*"?|\\+"[^"]*"?|'[^']*'?|[^\s&"',;<>)}\]]+)"#,
        ),
        "${1}***",
    ),
    (r#"(?i)((?:\b|_|%22)pin(?:\\*["']|%22)?\s*(?:=|:|%3D|%3A)\s*(?:\\*["']|%22)?)[0-9]+"#, "${1}***"),
    // The code of a login; Meta's short numeric error codes stay.
    (r#"(?i)\b(code=)[^\s&"']{20,}"#, "${1}***"),
    (r"(?i)\b(bearer\s+)\S+", "${1}***"),
    // App tokens: the app's ID is public, what follows it is the secret.
    (r"([0-9]+(?:\||%7C))[0-9A-Za-z_\-]+", "${1}***"),
    // User, system user and business tokens.
    (r"EAA[0-9A-Za-z_\-]{4,}", MASK),
    // App secrets (32 hex digits) and proofs (64), with whatever name or none.
    (r"\b[0-9a-fA-F]{32,}\b", MASK),
];

static COMPILED: LazyLock<Option<Vec<(Regex, &str)>>> =
    LazyLock::new(|| RULES.iter().map(|(pattern, mask)| Some((Regex::new(pattern).ok()?, *mask))).collect());

/// The text without anything that looks like a credential of Meta's: tokens, app tokens, app secrets, proofs, PINs,
/// verify tokens and login codes, in query, form and JSON shapes. Text without any is returned as it is.
#[must_use]
pub fn scrub(text: &str) -> String {
    let Some(rules) = COMPILED.as_ref() else {
        return WITHHELD.to_owned();
    };
    rules.iter().fold(text.to_owned(), |text, (pattern, mask)| match pattern.replace_all(&text, *mask) {
        std::borrow::Cow::Borrowed(_) => text,
        std::borrow::Cow::Owned(scrubbed) => scrubbed,
    })
}

#[cfg(test)]
mod tests;
