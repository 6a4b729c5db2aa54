//! The parts of a ledger, besides its intents.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{api::CodeMethod, graph::codes};

/// How long a code can be used.
pub const CODE_LIFE: SignedDuration = SignedDuration::from_mins(10);

/// A refusal of Meta.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// Meta's code; 0 where there was none.
    pub code: u32,
    /// Meta's subcode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subcode: Option<u32>,
    /// Its class.
    pub class: String,
    /// What happened, for people.
    pub message: String,
    /// When the same call may be made again without a person; none: a person has to act.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Fingerprint of the inputs that were refused.
    pub inputs: String,
    /// How many times in a row.
    pub times: u32,
}

impl Refusal {
    /// Whether Meta refused the PIN.
    #[must_use]
    pub fn is_of_pin(&self) -> bool {
        matches!(self.code, codes::PIN_MISMATCH | codes::ACCOUNT_LOCKED)
    }
}

/// A code that was sent, or may have been.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SentCode {
    /// When it was requested, on Meta's clock.
    pub requested_at: Timestamp,
    /// A text message or a call.
    pub method: CodeMethod,
    /// Fingerprint of what the code's Secret held then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<String>,
    /// Fingerprints of the values tried since.
    #[serde(default)]
    pub tried: Vec<String>,
    /// Whether Meta confirmed that it was sent.
    pub certain: bool,
}

impl SentCode {
    /// Until when it can be used.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        self.requested_at.checked_add(CODE_LIFE).unwrap_or(Timestamp::MAX)
    }

    /// Whether a value with this fingerprint was not submitted yet.
    #[must_use]
    pub fn is_new(&self, fingerprint: &str) -> bool {
        self.baseline.as_deref() != Some(fingerprint) && !self.tried.iter().any(|tried| tried == fingerprint)
    }
}

/// Why the PIN that the operator put in force may be so no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PinDoubt {
    /// Meta registered the number and left its PIN alone.
    Kept,
    /// Somebody else registered the number.
    Registered,
    /// Somebody else deregistered the number.
    Deregistered,
    /// The number has another ID: it was moved.
    Moved,
}

/// A callback that the operator has set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// The callback.
    pub url: String,
    /// Fingerprint of callback and verify token; empty if a call about it got no reply.
    pub inputs: String,
    /// When the operator reverted changes by others.
    #[serde(default)]
    pub taken_back: Vec<Timestamp>,
}

/// A field of the profile that the operator has written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileField {
    /// What was sent.
    pub sent: serde_json::Value,
    /// What Meta showed afterwards: it may spell it in its own way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shown: Option<serde_json::Value>,
    /// When, on Meta's clock.
    pub at: Timestamp,
    /// The call got no reply: it is read before it is written again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lost: bool,
}

/// The object that owns a number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Its uid.
    pub uid: String,
    /// Its namespace, for people.
    pub namespace: String,
    /// Its name, for people.
    pub name: String,
}
