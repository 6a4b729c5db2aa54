//! `MessageTemplate`: a message template of a WhatsApp Business Account, in one language.

mod content;
mod status;

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

pub use content::*;
pub use status::*;

use super::{AppRef, GoDuration, ManagementPolicy, shared::is_default, vocabulary::vocabulary};

/// What you want of a template.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "waba.dev",
    version = "v1alpha1",
    kind = "MessageTemplate",
    plural = "messagetemplates",
    shortname = "wamt",
    category = "waba",
    namespaced,
    status = "MessageTemplateStatus",
    derive = "PartialEq",
    doc = "A message template of a WhatsApp Business Account, in one language. Meta reviews it before it can be sent.",
    selectable = ".spec.templateName",
    selectable = ".spec.businessAccountID",
    selectable = ".status.phase",
    printcolumn(name = "TEMPLATE", type_ = "string", json_path = ".spec.templateName"),
    printcolumn(name = "LANGUAGE", type_ = "string", json_path = ".spec.language"),
    printcolumn(name = "CATEGORY", type_ = "string", json_path = ".status.category"),
    printcolumn(name = "STATUS", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "QUALITY", type_ = "string", json_path = ".status.qualityScore"),
    printcolumn(name = "AGE", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "ACCOUNT ID", type_ = "string", json_path = ".spec.businessAccountID", priority = 1),
    printcolumn(name = "TEMPLATE ID", type_ = "string", json_path = ".status.templateID", priority = 1),
    printcolumn(
        name = "REASON",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].reason",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
pub struct MessageTemplateSpec {
    /// The MetaApp whose credentials reach the template. Cannot be changed.
    pub app_ref: AppRef,
    /// ID of the WABA the template belongs to. Cannot be changed.
    #[serde(rename = "businessAccountID")]
    #[schemars(length(min = 1, max = 32), regex(pattern = r"^[0-9]+$"))]
    pub business_account_id: String,
    /// Name of the template at Meta: lower-case letters, digits and underscores. Cannot be changed.
    #[schemars(length(min = 1, max = 512), regex(pattern = r"^[a-z0-9_]+$"))]
    pub template_name: String,
    /// Language of the template, as Meta spells it (`en_US`, `fr`). Cannot be changed.
    #[schemars(length(min = 2, max = 8), regex(pattern = r"^[a-z]{2,3}(_[A-Z]{2})?$"))]
    pub language: String,
    /// MARKETING, UTILITY or AUTHENTICATION. Needed unless managementPolicy is Observe. Meta may move the template to another
    /// one; that is reported, not undone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
    /// How variables are written: POSITIONAL (`{{1}}`, the default) or NAMED (`{{order}}`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter_format: Option<ParameterFormat>,
    /// What stands above the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<Header>,
    /// The text. Needed unless managementPolicy is Observe or category is AUTHENTICATION.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<Body>,
    /// The line below the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub footer: Option<Footer>,
    /// The buttons, in their order: 10 at most, of which 2 URL, 1 `PHONE_NUMBER` and 1 `COPY_CODE`. Quick replies stand together,
    /// before or after all others.
    #[schemars(length(max = 10))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<Button>,
    /// Cards to scroll through, below the text; only with category MARKETING.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carousel: Option<Carousel>,
    /// An offer that ends; only with category MARKETING.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limited_time_offer: Option<LimitedTimeOffer>,
    /// A one-time password message, whose text is Meta's; only with category AUTHENTICATION, and needed there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authentication: Option<Authentication>,
    /// How people opt out, for a MARKETING template that carries no opt-out button: one sentence for those who review it.
    /// Never sent.
    #[schemars(length(min = 1, max = 512))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opt_out_handled_by: Option<String>,
    /// How long Meta tries to deliver a message: AUTHENTICATION 30s to 15m, UTILITY 30s to 12h, or 720h (30 days) for both;
    /// MARKETING 12h to 720h. By default Meta's.
    #[serde(rename = "messageSendTTL", skip_serializing_if = "Option::is_none")]
    pub message_send_ttl: Option<GoDuration>,
    /// True stops everything for this template: no call to Meta.
    #[serde(default, skip_serializing_if = "is_default")]
    pub suspend: bool,
    /// Full (the default), or Observe: read and report, never write to Meta; then the identity is enough.
    #[serde(default, skip_serializing_if = "is_default")]
    pub management_policy: ManagementPolicy,
    /// What deleting this object does at Meta: Retain (the default) nothing, Delete deletes the template in this language.
    #[serde(default, skip_serializing_if = "is_default")]
    pub deletion_policy: TemplateDeletionPolicy,
}

vocabulary! {
    /// Meta's category of a template.
    pub enum Category {
        /// Anything that sells.
        Marketing = "MARKETING",
        /// About something the customer did.
        Utility = "UTILITY",
        /// One-time passwords.
        Authentication = "AUTHENTICATION",
    }
}

/// What deleting a MessageTemplate does at Meta.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum TemplateDeletionPolicy {
    /// Nothing.
    #[default]
    Retain,
    /// Deletes the template in this language.
    Delete,
}
