//! `MessageTemplate`: a message template of a WhatsApp Business Account, in one language.

mod content;
mod content_schema;
mod schema;
mod status;

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

pub use content::*;
pub use status::*;

use super::{AppRef, GoDuration, ManagementPolicy, open_enum::open_enum, rules, shared::is_default};

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
    selectable = ".status.needsAction",
    printcolumn(name = "TEMPLATE", type_ = "string", json_path = ".spec.templateName"),
    printcolumn(name = "READY", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
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
    ),
    printcolumn(
        name = "MESSAGE",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].message",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = rules::immutable("appRef", schema::IDENTITY),
    validation = rules::immutable("businessAccountID", schema::IDENTITY),
    validation = rules::immutable("templateName", schema::IDENTITY),
    validation = rules::immutable("language", schema::IDENTITY),
    validation = schema::category_given(),
    validation = schema::body_given(),
    validation = schema::authentication_given(),
    validation = schema::authentication_category(),
    validation = schema::authentication_alone(),
    validation = schema::marketing_only("carousel"),
    validation = schema::marketing_only("limitedTimeOffer"),
    validation = schema::offer_header(),
    validation = schema::offer_footer(),
    validation = schema::offer_body(),
    validation = schema::offer_code(),
    validation = schema::opt_out(),
    validation = schema::header_sample(),
    validation = schema::card_samples(),
    validation = schema::header_variables(),
    validation = schema::body_variables(),
    validation = schema::card_variables(),
    validation = schema::ttl("AUTHENTICATION", "30s", "15m", true),
    validation = schema::ttl("UTILITY", "30s", "12h", true),
    validation = schema::ttl("MARKETING", "12h", "720h", false)
)]
pub struct MessageTemplateSpec {
    /// The MetaApp whose credentials reach the template. Cannot be changed.
    pub app_ref: AppRef,
    /// ID of the WABA the template belongs to. Cannot be changed.
    #[serde(rename = "businessAccountID")]
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(validation = rules::id())]
    pub business_account_id: String,
    /// Name of the template at Meta: lower-case letters, digits and underscores. Cannot be changed.
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = rules::template_name())]
    pub template_name: String,
    /// Language of the template, as Meta spells it (`en_US`, `fr`). Cannot be changed.
    #[schemars(length(min = 2, max = 8))]
    #[x_kube(validation = rules::meta_language())]
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
    /// The buttons, in their order: 10 at most, of which 2 URL, 1 PHONE_NUMBER and 1 COPY_CODE. Quick replies stand together,
    /// before or after all others.
    #[schemars(length(max = 10))]
    #[x_kube(
        validation = content_schema::quick_replies_together(),
        validation = content_schema::buttons_at_most("URL", 2),
        validation = content_schema::buttons_at_most("PHONE_NUMBER", 1),
        validation = content_schema::buttons_at_most("COPY_CODE", 1)
    )]
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

open_enum! {
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
