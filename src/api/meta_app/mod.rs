//! `MetaApp`: a Meta developer app, its credentials, and the WhatsApp Business Accounts (WABAs) it gives access to.

mod status;
mod usage;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use status::*;
pub use usage::*;

use super::{Direction, GoDuration, ManagementPolicy, SecretKeyRef, rules, shared::is_default};

/// What you want of a Meta app.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "waba.dev",
    version = "v1alpha1",
    kind = "MetaApp",
    plural = "metaapps",
    shortname = "mapp",
    category = "waba",
    namespaced,
    status = "MetaAppStatus",
    derive = "PartialEq",
    doc = "A Meta developer app: its credentials give the right to manage WhatsApp Business Accounts (WABAs), their numbers and their message templates.",
    selectable = ".spec.appID",
    selectable = ".status.phase",
    selectable = ".status.needsAction",
    printcolumn(
        name = "READY",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].status"
    ),
    printcolumn(name = "APP ID", type_ = "string", json_path = ".spec.appID"),
    printcolumn(name = "STATUS", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "TOKEN EXPIRES", type_ = "string", json_path = ".status.token.expires"),
    printcolumn(name = "NUMBERS", type_ = "integer", json_path = ".status.counts.numbers"),
    printcolumn(name = "ENABLED", type_ = "integer", json_path = ".status.counts.enabled"),
    printcolumn(name = "TEMPLATES", type_ = "integer", json_path = ".status.counts.templates"),
    printcolumn(name = "AGE", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "APP NAME", type_ = "string", json_path = ".status.app.name", priority = 1),
    printcolumn(name = "WEBHOOK", type_ = "string", json_path = ".status.webhook.appCallbackURL", priority = 1),
    printcolumn(
        name = "MESSAGE",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].message",
        priority = 1
    ),
    validation = rules::short_name()
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = rules::immutable("appID", "cannot be changed: write another MetaApp for another app"),
    validation = rules::required(
        ".accessTokenRef",
        "has(self.accessTokenRef) || has(self.login)",
        "write accessTokenRef (a Secret with a token), login, or both"
    )
)]
pub struct MetaAppSpec {
    /// A name for people; Meta's own name of the app is in `status.app.name`.
    #[schemars(length(min = 1, max = 128))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// ID of the app at Meta (digits, from the App Dashboard). Cannot be changed.
    #[serde(rename = "appID")]
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(validation = rules::id())]
    pub app_id: String,
    /// The app's secret (App Dashboard, App settings, Basic).
    pub app_secret_ref: SecretKeyRef,
    /// An access token of this app that may manage the WABAs, best of a system user. The Secret is read, never written.
    /// At least one of accessTokenRef and login is needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_token_ref: Option<SecretKeyRef>,
    /// Version of the Graph API to use for this app, such as `v26.0`, which is the default. v24.0 or newer.
    #[schemars(length(max = 8))]
    #[x_kube(
        validation = rules::matches("^v[1-9][0-9]{0,2}[.][0-9]{1,2}$", "write a version of the Graph API, such as v26.0"),
        validation = Rule::new("!self.matches('^v[0-9]{1,3}[.]') || int(self.substring(1, self.indexOf('.'))) >= 24")
            .message("write v24.0 or newer: the operator needs fields that older versions do not have")
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub graph_version: Option<String>,
    /// IDs of the WABAs to manage; by default every WABA the token may manage.
    #[serde(rename = "businessAccountIDs", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100), inner(length(min = 1, max = 32)))]
    #[x_kube(validation = rules::each_id(), validation = rules::each_once())]
    pub business_account_ids: Option<Vec<String>>,
    /// Which numbers and templates found at Meta get objects in the MetaApp's namespace. Without it nothing is imported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub import: Option<Import>,
    /// Exchange the token before it expires. Without it tokens are not exchanged and their expiry is only announced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_refresh: Option<TokenRefresh>,
    /// Where Meta delivers the app's webhooks. Without it webhooks are left as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<AppWebhook>,
    /// Get tokens by Facebook Login for Business, with the address in `status.login`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login: Option<Login>,
    /// Read what the messages of each account came to, and whether it has a payment method: one more call per account and
    /// hour. `{}` reads it; without the block it is not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<ReadUsage>,
    /// Namespaces whose numbers and templates may reference this app; by default its own only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_namespaces: Option<AllowedNamespaces>,
    /// A token with messaging rights only, which the binding Secrets of numbers hand out. Without it, those in the MetaApp's
    /// namespace hand out the token in use, and those in other namespaces none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binding_token_ref: Option<SecretKeyRef>,
    /// Time between two reads of Meta, such as `10m`; 1m at least. By default the operator's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::at_least("1m"))]
    pub poll_interval: Option<GoDuration>,
    /// True stops everything for this app: no call to Meta, neither for it nor for its numbers and templates.
    #[serde(default, skip_serializing_if = "is_default")]
    pub suspend: bool,
    /// Full (the default), or Observe: read and report, never write to Meta nor exchange tokens. It holds for the app's
    /// numbers and templates too: under Observe the operator changes nothing at Meta for them.
    #[serde(default, skip_serializing_if = "is_default")]
    pub management_policy: ManagementPolicy,
    /// What deleting this object does at Meta: Retain (the default) nothing, Unsubscribe removes the subscriptions the
    /// operator made.
    #[serde(default, skip_serializing_if = "is_default")]
    pub deletion_policy: AppDeletionPolicy,
}

/// Which numbers and templates found at Meta get objects. Each kind is imported only if its block is there.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(
    validation = Rule::new("has(self.numbers) || has(self.templates)")
        .message("write numbers: {}, templates: {}, or both; to import nothing leave the whole block out")
)]
pub struct Import {
    /// Create a WhatsAppNumber for every number found. `{}` imports all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub numbers: Option<ImportNumbers>,
    /// Create a MessageTemplate, with managementPolicy Observe, for every template found. `{}` imports all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub templates: Option<ImportTemplates>,
}

/// How numbers are imported.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportNumbers {
    /// Directions of the imported numbers; by default Incoming and Outgoing.
    #[schemars(length(min = 1, max = 2))]
    #[x_kube(validation = rules::each_once())]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directions: Option<Vec<Direction>>,
    /// Numbers that are not imported, each in international form (`+33612345678`).
    #[schemars(length(max = 1000), inner(length(max = 16)))]
    #[x_kube(validation = rules::each_phone_number())]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
}

/// How templates are imported.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ImportTemplates {
    /// Templates that are not imported.
    #[schemars(length(max = 1000))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<ExcludedTemplate>,
}

/// A template by name, in one language or in all.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExcludedTemplate {
    /// Name of the template at Meta.
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = rules::template_name())]
    pub name: String,
    /// Language of the template, as Meta spells it (`en_US`); by default every language.
    #[schemars(length(min = 2, max = 8))]
    #[x_kube(validation = rules::meta_language())]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

/// When tokens are exchanged.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRefresh {
    /// How long before its expiry a token is exchanged, such as `240h`; 1h to 1200h. Tokens of Meta live 60 days or for ever.
    #[x_kube(
        validation = rules::at_least("1h"),
        validation = rules::at_most("1200h", "write 1200h or less: tokens of Meta live 60 days (1440h)")
    )]
    pub before: GoDuration,
}

/// Where Meta delivers the app's webhooks.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = rules::invalid(
        ".callbackURL",
        "!has(self.receiver) || self.receiver == 'Disabled' || size(self.callbackURL) <= 200",
        "write 200 characters at most: with receiver Enabled the address becomes an override, and Meta takes no longer ones"
    )
)]
pub struct AppWebhook {
    /// Address that takes the messages; https, with a certificate the public trusts, reachable by Meta.
    #[serde(rename = "callbackURL")]
    #[schemars(length(min = 9, max = 2000))]
    #[x_kube(validation = rules::callback_url())]
    pub callback_url: String,
    /// The text by which the receiver knows that Meta calls (`hub.verify_token`).
    pub verify_token_ref: SecretKeyRef,
    /// Webhook fields to subscribe to, as Meta names them; by default `messages`.
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 64)))]
    #[x_kube(
        validation = rules::each_matches("^[a-z_]+$", "write the fields as Meta names them, such as messages"),
        validation = rules::each_once()
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields: Option<Vec<String>>,
    /// Enabled: the operator's own endpoint takes the management events, and callbackURL keeps the messages. Disabled (the
    /// default): Meta calls callbackURL only, and the operator learns of changes by polling.
    #[serde(default, skip_serializing_if = "is_default")]
    pub receiver: Receiver,
    /// A callback at Meta that is not ours is replaced only when this is true.
    #[serde(default, skip_serializing_if = "is_default")]
    pub take_over: bool,
}

/// Whether the operator receives webhooks itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Receiver {
    /// Only the user's callback is called.
    #[default]
    Disabled,
    /// The operator's endpoint takes the management events.
    Enabled,
}

/// Facebook Login for Business.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// ID of the login configuration (App Dashboard, Facebook Login for Business, Configurations).
    #[serde(rename = "configurationID")]
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(validation = rules::id())]
    pub configuration_id: String,
}

/// What is read of the usage of accounts. There is nothing to choose yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReadUsage {}

/// Who may reference this app.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[x_kube(
    validation = rules::required(
        ".selector",
        "self.from != 'Selector' || has(self.selector)",
        "write a selector for the labels of the namespaces, or from: All"
    ),
    validation = rules::forbidden(
        ".selector",
        "self.from == 'Selector' || !has(self.selector)",
        "write from: Selector, or leave the selector out"
    )
)]
pub struct AllowedNamespaces {
    /// Same: the MetaApp's own namespace. All: every namespace. Selector: the namespaces whose labels match `selector`.
    pub from: AllowedFrom,
    /// Labels of the namespaces; only with from Selector.
    #[schemars(schema_with = "super::crd::label_selector")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
}

/// Which namespaces may reference an app.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AllowedFrom {
    /// The app's own.
    #[default]
    Same,
    /// Every one.
    All,
    /// Those whose labels match.
    Selector,
}

/// What deleting a MetaApp does at Meta.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AppDeletionPolicy {
    /// Nothing.
    #[default]
    Retain,
    /// Removes the webhook subscriptions the operator made.
    Unsubscribe,
}
