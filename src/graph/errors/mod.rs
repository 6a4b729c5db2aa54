//! Errors by class. The class decides what happens next; Meta's texts never do, because Meta translates them.

pub mod codes;
mod table;

#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use super::endpoint::Endpoint;
use super::refused_field::RefusedField;
pub(super) use table::{Classification, Kind, Scope, classify};

/// What an error means for what happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Meta, or the network, has a fault: retry later.
    Transient,
    /// Too many calls: none before `until`, on Meta's clock.
    Throttled {
        /// When calls may start again.
        until: Timestamp,
    },
    /// The access token is not valid or belongs to another app: stop using it until its Secret changes.
    Token,
    /// The app's ID or secret is wrong.
    AppCredentials,
    /// The token may not do this.
    Permission,
    /// Not there, or not visible with this token; see [`Error::proves_absence`].
    NotFound,
    /// The request itself is wrong: a retry cannot succeed.
    BadRequest,
    /// Something else has to be done first.
    Precondition,
    /// The state at Meta does not allow it.
    Conflict,
    /// Meta forbids it; a person has to talk to Meta.
    Policy,
}

impl Class {
    /// The label in metrics, logs and `status`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "Transient",
            Self::Throttled { .. } => "Throttled",
            Self::Token => "Token",
            Self::AppCredentials => "AppCredentials",
            Self::Permission => "Permission",
            Self::NotFound => "NotFound",
            Self::BadRequest => "BadRequest",
            Self::Precondition => "Precondition",
            Self::Conflict => "Conflict",
            Self::Policy => "Policy",
        }
    }
}

/// How far a failed call got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// It did not reach Meta.
    No,
    /// It may have reached Meta, and there is no reply, or not all of one.
    NoReply,
    /// There is a reply, and it is none of the Graph API's.
    Unreadable,
    /// Each call had its reply, and there was no end to the calls.
    Endless,
    /// Meta replied with an error of the Graph API.
    Replied,
}

/// A call that failed. Displays as a stable English sentence without secrets, ids of requests or texts of Meta.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Error(Box<ErrorDetails>);

/// What is known of a failed call.
#[derive(Clone, Debug)]
pub(super) struct ErrorDetails {
    pub class: Class,
    pub endpoint: Endpoint,
    pub sent: Sent,
    pub documented: bool,
    pub detail: &'static str,
    pub code: Option<u32>,
    pub subcode: Option<u32>,
    pub http: Option<u16>,
    /// The parameters that Meta blames, by Meta's own names, which it does not translate.
    pub blamed: Option<Box<str>>,
    pub refused_field: Option<RefusedField>,
    pub quote: Option<Box<str>>,
    pub fbtrace_id: Option<Box<str>>,
}

impl fmt::Display for ErrorDetails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.detail)?;
        let other = self.refused_field.as_ref().and_then(|field| field.other_than_account(self.endpoint));
        if let Some(blamed) = self.blamed.as_ref().filter(|_| other.is_none()) {
            write!(f, ": {blamed}")?;
        }
        match (self.code, self.subcode, self.http) {
            (Some(code), Some(subcode), _) => write!(f, " (Meta code {code}/{subcode})"),
            (Some(code), None, _) => write!(f, " (Meta code {code})"),
            (None, _, Some(http)) => write!(f, " (HTTP status {http})"),
            (None, _, None) => Ok(()),
        }
    }
}

impl Error {
    /// A call that failed without an error of the Graph API.
    pub(super) fn without_reply(endpoint: Endpoint, class: Class, sent: Sent, detail: &'static str) -> Self {
        Self(Box::new(ErrorDetails {
            class,
            endpoint,
            sent,
            documented: false,
            detail,
            code: None,
            subcode: None,
            http: None,
            blamed: None,
            refused_field: None,
            quote: None,
            fbtrace_id: None,
        }))
    }

    /// The same, with the HTTP status that came with it.
    pub(super) fn with_http(mut self, status: u16) -> Self {
        self.0.http = Some(status);
        self
    }

    /// The same, with a foreign text that is already free of secrets.
    pub(super) fn with_quote(mut self, quote: Option<Box<str>>) -> Self {
        self.0.quote = quote;
        self
    }

    /// What it means for what happens next.
    #[must_use]
    pub fn class(&self) -> Class {
        self.0.class
    }

    /// Which endpoint failed.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        self.0.endpoint
    }

    /// Meta's code.
    #[must_use]
    pub fn code(&self) -> Option<u32> {
        self.0.code
    }

    /// Meta's subcode, where sent.
    #[must_use]
    pub fn subcode(&self) -> Option<u32> {
        self.0.subcode
    }

    /// The HTTP status, if there was a reply.
    #[must_use]
    pub fn http_status(&self) -> Option<u16> {
        self.0.http
    }

    /// Our own sentence for it, the same each time: fit for a condition's message.
    #[must_use]
    pub fn detail(&self) -> &'static str {
        self.0.detail
    }

    /// Meta's own text, in its language, without secrets and URLs, shortened: for an Event or a log, not for a condition, because
    /// it may differ from one call to the next.
    #[must_use]
    pub fn quote(&self) -> Option<&str> {
        self.0.quote.as_deref()
    }

    /// Meta's id of this call, for its support; for the log only.
    #[must_use]
    pub fn fbtrace_id(&self) -> Option<&str> {
        self.0.fbtrace_id.as_deref()
    }

    /// Until when no call may be made, if Meta throttled it.
    #[must_use]
    pub fn throttled_until(&self) -> Option<Timestamp> {
        match self.0.class {
            Class::Throttled { until } => Some(until),
            _ => None,
        }
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.0.class == Class::Transient
    }

    /// The access token is not valid.
    #[must_use]
    pub fn is_token(&self) -> bool {
        self.0.class == Class::Token
    }

    /// The app's ID or secret is wrong.
    #[must_use]
    pub fn is_app_credentials(&self) -> bool {
        self.0.class == Class::AppCredentials
    }

    /// Whether there was a whole reply that makes no sense, though the server that sent it was well.
    #[must_use]
    pub fn is_unreadable(&self) -> bool {
        self.0.sent == Sent::Unreadable && self.0.http.is_some_and(|status| status < 500)
    }

    /// Whether a listing went on beyond every limit: the next try costs as much, and ends no better soon.
    #[must_use]
    pub fn is_endless(&self) -> bool {
        self.0.sent == Sent::Endless
    }

    /// Whether Meta does not know a field that was requested.
    #[must_use]
    pub fn is_refused_field(&self) -> bool {
        self.0.refused_field.is_some()
    }

    /// Whether an account was requested, and the ID is that of something else.
    #[must_use]
    pub fn is_no_account(&self) -> bool {
        self.0.refused_field.as_ref().is_some_and(|field| field.other_than_account(self.0.endpoint).is_some())
    }

    pub(super) fn refused_field(&self) -> Option<&RefusedField> {
        self.0.refused_field.as_ref()
    }

    /// The object is not there or not visible.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.0.class == Class::NotFound
    }

    /// The listing changed while it was read: start again.
    #[must_use]
    pub fn is_stale_cursor(&self) -> bool {
        self.0.code == Some(codes::LISTING_CHANGED)
    }

    /// Whether Meta reports that the object is gone for good. Code 100/33 does not: Meta also sends it for an object that the token
    /// cannot see.
    #[must_use]
    pub fn proves_absence(&self) -> bool {
        self.0.code == Some(codes::NUMBER_DELETED)
    }

    /// Whether the call reached Meta, or may have.
    #[must_use]
    pub fn was_sent(&self) -> bool {
        self.0.sent != Sent::No
    }

    pub(super) fn sent(&self) -> Sent {
        self.0.sent
    }

    pub(super) fn is_documented(&self) -> bool {
        self.0.documented
    }
}

#[cfg(test)]
impl Error {
    /// The error of a read of an account with this code, for tests; a throttle lasts until `until`.
    pub(crate) fn for_test(code: u32, until: Timestamp) -> Self {
        let (body, endpoint) = (GraphErrorBody { code: Some(code), ..GraphErrorBody::default() }, Endpoint::Account);
        let verdict = classify(&body, endpoint, 400);
        let class = match verdict.kind {
            Kind::Is(class) => class,
            Kind::Throttled(_) => Class::Throttled { until },
        };
        body.into_error(class, verdict, endpoint, 400)
    }

    /// The error of a reply that makes no sense, for tests.
    pub(crate) fn unreadable_for_test() -> Self {
        let detail = "Meta's reply cannot be parsed";
        Self::without_reply(Endpoint::AccessToken, Class::Transient, Sent::Unreadable, detail).with_http(200)
    }
}

/// An error of the Graph API as it came, texts already scrubbed.
#[derive(Clone, Debug, Default)]
pub(super) struct GraphErrorBody {
    pub code: Option<u32>,
    pub subcode: Option<u32>,
    pub is_transient: bool,
    pub proof_refused: bool,
    /// Its `type` is `GraphMethodException`: the object does not take this call from this token.
    pub method_refused: bool,
    pub blamed: Option<Box<str>>,
    pub refused_field: Option<RefusedField>,
    pub quote: Option<Box<str>>,
    pub fbtrace_id: Option<Box<str>>,
}

impl GraphErrorBody {
    /// The error that people and callers get.
    pub(super) fn into_error(self, class: Class, verdict: Classification, endpoint: Endpoint, http: u16) -> Error {
        Error(Box::new(ErrorDetails {
            class,
            endpoint,
            sent: Sent::Replied,
            documented: verdict.documented,
            detail: verdict.text,
            code: self.code,
            subcode: self.subcode,
            http: Some(http),
            blamed: self.blamed,
            refused_field: self.refused_field,
            quote: self.quote,
            fbtrace_id: self.fbtrace_id,
        }))
    }
}

/// The end of a throttle that concerns one number or template only, which no gate keeps.
pub(super) fn subject_wait(code: Option<u32>, timing: &crate::timing::Timing) -> Duration {
    match code {
        Some(codes::REGISTRATION_LOCKED) => timing.register_lock,
        Some(codes::PINS_TOO_FAST) => timing.pin_rest,
        _ => timing.number_rest,
    }
}
