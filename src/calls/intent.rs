//! A number's call, and the intent that its ledger has of it before the call is made.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::operation::Operation;
use crate::api::CodeMethod;

/// The input of a call: with it, and the PIN or code that is kept beside it, the same call can be repeated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "operation", rename_all_fields = "camelCase")]
pub enum CallInput {
    /// [`Operation::AddNumber`].
    #[serde(rename = "addNumber")]
    AddNumber {
        /// The account.
        account: String,
        /// The name to be reviewed.
        name: String,
    },
    /// [`Operation::RequestCode`].
    #[serde(rename = "requestCode")]
    RequestCode {
        /// A text message or a call.
        method: CodeMethod,
        /// As Meta spells it.
        language: String,
        /// Fingerprint of what the code's Secret held then, if anything: that is not the code.
        baseline: Option<String>,
    },
    /// [`Operation::VerifyCode`]; the code is kept beside.
    #[serde(rename = "verifyCode")]
    VerifyCode,
    /// [`Operation::Register`]; the PIN is kept beside.
    #[serde(rename = "register")]
    Register,
    /// [`Operation::RegisterAgain`]; the PIN is kept beside.
    #[serde(rename = "registerAgain")]
    RegisterAgain,
    /// [`Operation::SetPin`]; the PIN is kept beside.
    #[serde(rename = "setPin")]
    SetPin {
        /// Whether the number is to be registered with it afterwards.
        then_register: bool,
    },
    /// [`Operation::Deregister`].
    #[serde(rename = "deregister")]
    Deregister,
    /// [`Operation::SetWebhook`].
    #[serde(rename = "setWebhook")]
    SetWebhook {
        /// The callback.
        url: String,
        /// Whether somebody else had changed a callback of ours.
        again: bool,
    },
    /// [`Operation::ClearWebhook`].
    #[serde(rename = "clearWebhook")]
    ClearWebhook,
    /// [`Operation::WriteProfile`].
    #[serde(rename = "writeProfile")]
    WriteProfile {
        /// By Meta's names.
        fields: BTreeMap<String, serde_json::Value>,
    },
}

impl CallInput {
    /// Which operation it is.
    #[must_use]
    pub fn operation(&self) -> Operation {
        match self {
            Self::AddNumber { .. } => Operation::AddNumber,
            Self::RequestCode { .. } => Operation::RequestCode,
            Self::VerifyCode => Operation::VerifyCode,
            Self::Register => Operation::Register,
            Self::RegisterAgain => Operation::RegisterAgain,
            Self::SetPin { .. } => Operation::SetPin,
            Self::Deregister => Operation::Deregister,
            Self::SetWebhook { .. } => Operation::SetWebhook,
            Self::ClearWebhook => Operation::ClearWebhook,
            Self::WriteProfile { .. } => Operation::WriteProfile,
        }
    }
}

/// A call that was about to be sent, and whose outcome is not written yet, or not known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    /// Random name of this one call.
    pub id: String,
    /// The input.
    #[serde(flatten)]
    pub input: CallInput,
    /// Fingerprint of all inputs, the secret ones too.
    pub inputs: String,
    /// What Meta showed before.
    pub before: String,
    /// Which try this is, from 1.
    pub attempt: u32,
    /// Value of the annotation that requested it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// What was handled before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handled_before: Option<String>,
    /// ID of the number that it is about, where that had one.
    #[serde(default, rename = "phoneNumberID", skip_serializing_if = "Option::is_none")]
    pub phone_number_id: Option<String>,
    /// The calls that it replaces: they are open again if this one was not sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaces: Vec<Intent>,
    /// When it was recorded, on Meta's clock.
    pub time: Timestamp,
    /// It got no reply; otherwise the call may be under way.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unknown: bool,
}
