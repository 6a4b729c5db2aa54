//! The status of a `MessageTemplate`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Authentication, Body, Button, Carousel, Category, Footer, Header, LimitedTimeOffer, ParameterFormat};
use crate::api::{
    GoDuration, Transition,
    action::handled,
    kind::managed_status,
    open_enum::open_enum,
    shared::{is_default, never_observed},
};

open_enum! {
    /// Summary of a template for people.
    pub enum TemplatePhase {
        /// It has not been sent.
        Pending = "Pending",
        /// Meta reviews it.
        PendingReview = "PendingReview",
        /// It can be sent to customers.
        Approved = "Approved",
        /// Meta has refused it.
        Rejected = "Rejected",
        /// Meta has paused it for its quality.
        Paused = "Paused",
        /// Meta has disabled it.
        Disabled = "Disabled",
        /// Meta reviews a rejection again.
        InAppeal = "InAppeal",
        /// Meta has archived it.
        Archived = "Archived",
        /// Meta is deleting it.
        PendingDeletion = "PendingDeletion",
        /// A deleted template still holds the name.
        NameLocked = "NameLocked",
        /// The WABA has as many templates as it may have.
        LimitExceeded = "LimitExceeded",
        /// Meta does not have it.
        NotFound = "NotFound",
        /// The template belongs to another object.
        Conflict = "Conflict",
        /// `spec.suspend` is true.
        Suspended = "Suspended",
        /// None of these.
        Unknown = "Unknown",
    }
}

handled! {
    /// The values of action annotations that were handled last.
    pub struct MessageTemplateHandled {
        /// `waba.dev/reconcile-at`.
        reconcile_at: Reconcile,
        /// `waba.dev/submit-at`.
        submit_at: Submit,
    }
}

/// What is true of a template.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageTemplateStatus {
    /// The generation of the spec that this status is about; -1 until the operator has reconciled the object.
    #[serde(default = "never_observed")]
    pub observed_generation: i64,
    /// Summary for people: Pending, PendingReview, Approved, Rejected, Paused, Disabled, InAppeal, Archived, PendingDeletion,
    /// NameLocked, LimitExceeded, NotFound, Conflict, Suspended or Unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<TemplatePhase>,
    /// Whether a person has to act: on this object or, where it is only observed, at Meta.
    #[serde(default)]
    pub needs_action: bool,
    /// ID of the template at Meta.
    #[serde(rename = "templateID", skip_serializing_if = "Option::is_none")]
    pub template_id: Option<String>,
    /// The category Meta has given it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
    /// The requested category.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested_category: Option<Category>,
    /// Quality as Meta rates it: GREEN, YELLOW, RED, UNKNOWN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quality_score: Option<String>,
    /// Why Meta refused it, as Meta names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected_reason: Option<String>,
    /// Meta's explanation of a rejection; only webhooks bring it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejection_info: Option<RejectionInfo>,
    /// Hash of what was last sent to Meta.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub submitted_hash: Option<String>,
    /// The generation of the spec that was last sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub submitted_generation: Option<i64>,
    /// The edits that count against Meta's budget (1 in 24 h, 10 in 30 days, once approved).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<Edit>,
    /// Paths of the spec that differ from what Meta has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<String>,
    /// Whether messages can be sent with it now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sendable: Option<bool>,
    /// What Meta has, in the words of the spec; with managementPolicy Observe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<ObservedContent>,
    /// Ready, Reconciling, Stalled, Suspended, Sendable, Submitted, Approved, CategoryMatches, InSync.
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// The last 20 transitions, newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Transition>,
    /// The values of action annotations that were handled last.
    #[serde(default, skip_serializing_if = "is_default")]
    pub handled: MessageTemplateHandled,
}

managed_status!(MessageTemplateStatus, MessageTemplateHandled);

/// Meta's explanation of a refusal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RejectionInfo {
    /// What is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What Meta suggests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recommendation: Option<String>,
}

/// An edit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Edit {
    /// When it was sent.
    pub time: Time,
}

/// The content of a template at Meta, in the words of the spec: to be pasted there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObservedContent {
    /// How variables are written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter_format: Option<ParameterFormat>,
    /// What stands above the text. Media come without their sample.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<Header>,
    /// The text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<Body>,
    /// The line below the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub footer: Option<Footer>,
    /// The buttons, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<Button>,
    /// Cards to scroll through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carousel: Option<Carousel>,
    /// An offer that ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limited_time_offer: Option<LimitedTimeOffer>,
    /// A one-time password message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authentication: Option<Authentication>,
    /// How long Meta tries to deliver a message.
    #[serde(rename = "messageSendTTL", skip_serializing_if = "Option::is_none")]
    pub message_send_ttl: Option<GoDuration>,
    /// How many components, buttons and other facts (sub-category, previous category, library template, degrees of freedom)
    /// these fields cannot express.
    #[serde(default, skip_serializing_if = "is_default")]
    pub omitted: i64,
}
