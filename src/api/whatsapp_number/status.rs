//! The status of a `WhatsAppNumber`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Direction;
use crate::api::{
    Transition,
    action::handled,
    kind::managed_status,
    open_enum::open_enum,
    shared::{is_default, never_observed},
};

open_enum! {
    /// Summary of a number for people.
    pub enum NumberPhase {
        /// `spec.suspend` is true.
        Suspended = "Suspended",
        /// The number belongs to another object.
        Conflict = "Conflict",
        /// Nothing has been read yet.
        Pending = "Pending",
        /// The token that reaches it is no longer valid.
        ExpiredToken = "ExpiredToken",
        /// Meta does not have it.
        NotFound = "NotFound",
        /// Meta has banned or restricted it.
        Restricted = "Restricted",
        /// It is connected to the Cloud API.
        Enabled = "Enabled",
        /// Meta sent a code; a person has to put it into the Secret.
        AwaitingCode = "AwaitingCode",
        /// It is not verified.
        Unverified = "Unverified",
        /// It is being registered.
        Registering = "Registering",
        /// Verified; registration needs a PIN the operator does not have.
        PinRequired = "PINRequired",
        /// None of these.
        Unknown = "Unknown",
    }
}

open_enum! {
    /// The directions of a number in one word, for columns and selection.
    pub enum DirectionSummary {
        /// Incoming only.
        Incoming = "Incoming",
        /// Outgoing only.
        Outgoing = "Outgoing",
        /// Incoming and outgoing.
        Both = "Both",
    }
}

impl DirectionSummary {
    /// The one word for a list of directions; none for an empty list.
    #[must_use]
    pub fn of(directions: &[Direction]) -> Option<Self> {
        match (directions.contains(&Direction::Incoming), directions.contains(&Direction::Outgoing)) {
            (true, true) => Some(Self::Both),
            (true, false) => Some(Self::Incoming),
            (false, true) => Some(Self::Outgoing),
            (false, false) => None,
        }
    }
}

handled! {
    /// The values of action annotations that were handled last.
    pub struct WhatsAppNumberHandled {
        /// `waba.dev/reconcile-at`.
        reconcile_at: Reconcile,
        /// `waba.dev/request-code-at`.
        request_code_at: RequestCode,
        /// `waba.dev/register-at`.
        register_at: Register,
        /// `waba.dev/reset-pin-at`.
        reset_pin_at: ResetPin,
        /// `waba.dev/refresh-token-at`.
        refresh_token_at: RefreshToken,
    }
}

/// A WABA that lists a number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListingAccount {
    /// ID of the WABA.
    pub id: String,
}

/// Observed state of a number.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WhatsAppNumberStatus {
    /// Generation of the spec that this status describes; -1 until the operator has reconciled it.
    #[serde(default = "never_observed")]
    pub observed_generation: i64,
    /// Summary for people: Suspended, Conflict, Pending, ExpiredToken, NotFound, Restricted, Enabled, AwaitingCode, Unverified,
    /// Registering, PINRequired or Unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<NumberPhase>,
    /// Whether a person has to act: on this object or, where it is only observed, at Meta.
    #[serde(default)]
    pub needs_action: bool,
    /// ID of the number at Meta.
    #[serde(rename = "phoneNumberID", skip_serializing_if = "Option::is_none")]
    pub phone_number_id: Option<String>,
    /// ID of the WABA that has the number.
    #[serde(rename = "businessAccountID", skip_serializing_if = "Option::is_none")]
    pub business_account_id: Option<String>,
    /// Every WABA of the MetaApp that lists the number, sorted by ID. Several partners may have one number.
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["id"]))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub business_accounts: Vec<ListingAccount>,
    /// The status that Meta last showed, as Meta spells it: CONNECTED, RESTRICTED, BANNED and others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta_status: Option<String>,
    /// The number as Meta displays it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_phone_number: Option<String>,
    /// Incoming, Outgoing or Both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<DirectionSummary>,
    /// The name that customers see.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified_name: Option<String>,
    /// Meta's review of that name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_status: Option<String>,
    /// Who carries the number, such as `Meta Cloud API`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Quality of the messages sent, as Meta rates it: GREEN, YELLOW, RED, NA.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quality_rating: Option<String>,
    /// How many customers the number may write to in 24 h, as Meta names the tier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messaging_limit: Option<String>,
    /// Messages per second, as Meta names the level.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throughput: Option<String>,
    /// LIVE or SANDBOX.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_mode: Option<String>,
    /// Whether the number has the official badge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_official_business_account: Option<bool>,
    /// When the number was last registered with the Cloud API, by anybody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_onboarded_time: Option<Time>,
    /// Meta's health check: whether the number can send.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// How long an interaction stays open without a message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_time: Option<String>,
    /// Where Meta delivers the number's messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<NumberWebhookStatus>,
    /// The verification by code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verification: Option<VerificationStatus>,
    /// The registration on the Cloud API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registration: Option<RegistrationStatus>,
    /// The last refusal of Meta that still matters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<LastError>,
    /// The binding Secret, as Service Binding requires it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binding: Option<BindingStatus>,
    /// Ready, Reconciling, Stalled, Suspended, Sendable, Verified, NameApproved, Registered, PINSynced, TokenValid, RoutingConfigured,
    /// ProfileSynced, Bound.
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// The last 20 transitions, newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Transition>,
    /// The values of action annotations that were handled last.
    #[serde(default, skip_serializing_if = "is_default")]
    pub handled: WhatsAppNumberHandled,
}

managed_status!(WhatsAppNumberStatus, WhatsAppNumberHandled);

/// Meta's health check: whether a number can send.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// AVAILABLE, LIMITED or BLOCKED.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_send_message: Option<String>,
    /// Why it is not available.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<HealthError>,
}

/// One reason why a number cannot send.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HealthError {
    /// What has the problem: PHONE_NUMBER, WABA, BUSINESS, APP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entity: Option<String>,
    /// Meta's error code.
    pub code: i64,
    /// Meta's description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What Meta suggests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub solution: Option<String>,
}

/// Where Meta delivers a number's messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NumberWebhookStatus {
    /// The address in force: the number's, else the account's, else the app's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effective: Option<String>,
    /// The number's own address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// The WABA's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The app's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// HMAC-SHA256 of the address and the verify token last sent, under a key of the operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verify_token_hash: Option<String>,
}

/// The verification by code.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VerificationStatus {
    /// When the operator requested the last code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested_at: Option<Time>,
    /// How Meta sent it: SMS or Voice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// How many values the operator submitted since.
    #[serde(default, skip_serializing_if = "is_default")]
    pub attempts: i32,
}

/// The registration on the Cloud API.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RegistrationStatus {
    /// When the operator last tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_attempt_at: Option<Time>,
    /// The attempts of the last 72 h, which Meta counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Time>,
    /// Until when the operator makes no attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocked_until: Option<Time>,
    /// Deadline for registering an approved display name; after it the approval is void.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub re_register_before: Option<Time>,
}

/// A refusal of Meta.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LastError {
    /// Meta's error code.
    pub code: i64,
    /// Meta's subcode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subcode: Option<i64>,
    /// The operator's class of the error.
    pub class: String,
    /// What happened, for people.
    pub message: String,
}

/// The binding Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BindingStatus {
    /// Name of the Secret.
    pub name: String,
}
