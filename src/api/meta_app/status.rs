//! The status of a `MetaApp`.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AccountPayment, AccountUsage};
use crate::api::{
    Transition,
    action::handled,
    kind::managed_status,
    open_enum::open_enum,
    shared::{is_default, never_observed},
};

open_enum! {
    /// Summary of a MetaApp for people.
    pub enum MetaAppPhase {
        /// Nothing is known yet.
        Pending = "Pending",
        /// The credentials and the token work.
        Connected = "Connected",
        /// A person has to log in.
        AwaitingLogin = "AwaitingLogin",
        /// App ID or app secret are wrong.
        CredentialsInvalid = "CredentialsInvalid",
        /// No token is valid.
        ExpiredToken = "ExpiredToken",
        /// An older MetaApp has the same app ID.
        Conflict = "Conflict",
        /// `spec.suspend` is true.
        Suspended = "Suspended",
        /// Meta cannot be reached, and the last report about the app has expired.
        Unknown = "Unknown",
    }
}

open_enum! {
    /// Where the token in use comes from.
    pub enum TokenSource {
        /// The user's Secret.
        Secret = "Secret",
        /// An exchange by the operator.
        Refreshed = "Refreshed",
        /// A login by a person.
        Login = "Login",
    }
}

handled! {
    /// The values of action annotations that were handled last.
    pub struct MetaAppHandled {
        /// `waba.dev/reconcile-at`.
        reconcile_at: Reconcile,
        /// `waba.dev/refresh-token-at`.
        refresh_token_at: RefreshToken,
        /// `waba.dev/login-at`.
        login_at: Login,
    }
}

/// What is true of a Meta app.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MetaAppStatus {
    /// The generation of the spec that this status is about; -1 until the operator has reconciled the object.
    #[serde(default = "never_observed")]
    pub observed_generation: i64,
    /// Summary for people: Pending, Connected, AwaitingLogin, CredentialsInvalid, ExpiredToken, Conflict, Suspended or Unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<MetaAppPhase>,
    /// Whether a person has to act: on this object or, where it is only observed, at Meta.
    #[serde(default)]
    pub needs_action: bool,
    /// The app as Meta knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<AppIdentity>,
    /// Version of the Graph API in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub graph_version: Option<String>,
    /// Time between two reads of Meta.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poll_interval: Option<String>,
    /// The token in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenStatus>,
    /// The WABAs under management, sorted by ID, the first 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub business_accounts: Vec<BusinessAccount>,
    /// How many WABAs the list above leaves out.
    #[serde(default, skip_serializing_if = "is_default")]
    pub business_accounts_omitted: i64,
    /// Numbers and templates of this app, counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counts: Option<Counts>,
    /// The app's webhook at Meta.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<AppWebhookStatus>,
    /// Login of people, with `spec.login`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login: Option<LoginStatus>,
    /// Throttles of Meta that last longer than five minutes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub throttles: Vec<Throttle>,
    /// Ready, Reconciling, Stalled, Suspended, CredentialsValid, TokenValid, AccountsSynced, WebhookConfigured,
    /// BindingTokenValid, PaymentReady.
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// The last 20 transitions, newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Transition>,
    /// The values of action annotations that were handled last.
    #[serde(default, skip_serializing_if = "is_default")]
    pub handled: MetaAppHandled,
}

managed_status!(MetaAppStatus, MetaAppHandled, belongs_to_app: false);

/// An app as Meta knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AppIdentity {
    /// The app's ID.
    pub id: String,
    /// The app's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// HMAC-SHA256 of the app secret in use, under a key of the operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_use_hash: Option<String>,
    /// HMAC-SHA256 of the value in your Secret that condition CredentialsValid is about, under a key of the operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_hash: Option<String>,
}

/// The token in use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenStatus {
    /// Where it comes from: Secret, Refreshed or Login.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<TokenSource>,
    /// Its type as Meta names it, such as SYSTEM_USER.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<String>,
    /// When it ends, for people: `Never`, the earlier of the two dates below, or `Invalid` for a token that Meta does not
    /// accept although neither has come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// When it expires; absent when never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
    /// When the access to the data of the person behind it ends, who then has to log in again; of tokens of persons only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_access_expires_at: Option<Time>,
    /// HMAC-SHA256 of the token in use, under a key of the operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_use_hash: Option<String>,
    /// HMAC-SHA256 of the value in your Secret that condition TokenValid is about, under a key of the operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_hash: Option<String>,
    /// What it may do, as Meta names it, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// What it seems not to be allowed and the operator would use. A warning: what counts is whether the WABA can be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing_scopes: Vec<String>,
}

impl TokenStatus {
    /// The same token where Meta does not accept it although its end has not come.
    #[must_use]
    pub fn invalid(self) -> Self {
        Self { expires: Some("Invalid".to_owned()), expires_at: None, data_access_expires_at: None, ..self }
    }

    /// When the token ends, for metrics: in 1970 where it is dead before; `None` where it never does.
    #[must_use]
    pub fn end(&self) -> Option<Timestamp> {
        if self.expires.as_deref() == Some("Invalid") {
            return Some(Timestamp::UNIX_EPOCH);
        }
        self.expires_at.iter().chain(&self.data_access_expires_at).map(|time| time.0).min()
    }
}

/// A WABA under management.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BusinessAccount {
    /// ID of the WABA.
    pub id: String,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Currency it is billed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// Time zone of its figures (Meta's number or an IANA name).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// Meta's review of the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review_status: Option<String>,
    /// Meta's verification of the business behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub business_verification: Option<String>,
    /// How many customers may be written to in 24 h, as Meta names the tier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messaging_limit: Option<String>,
    /// How many numbers the business may have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number_limit: Option<i64>,
    /// Whether the account may send messages: AVAILABLE, LIMITED or BLOCKED.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_send_message: Option<String>,
    /// Numbers it has at Meta.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub numbers: Option<i64>,
    /// Templates it has at Meta.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub templates: Option<i64>,
    /// Templates it may have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template_limit: Option<i64>,
    /// Whether the app is subscribed to its webhooks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscribed: Option<bool>,
    /// Source of the token that reads it: Secret, Refreshed or Login.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// When the account was last read as a whole, to the minute. Written only along with another change: how old the values are
    /// now, the metric `waba_account_read_age_seconds` shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_read_time: Option<Time>,
    /// Since when the token does not show the account any more. The entry stays for a day, and for as long as an object stands
    /// for a number or template that the account held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gone_since: Option<Time>,
    /// Who pays, with `spec.usage`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment: Option<AccountPayment>,
    /// What its messages came to in the current month, with `spec.usage`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<AccountUsage>,
}

/// Numbers and templates of an app, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// WhatsAppNumbers.
    pub numbers: i64,
    /// WhatsAppNumbers in phase Enabled that can send: a number that Meta's health check blocks is not among them.
    pub enabled: i64,
    /// WhatsAppNumbers and MessageTemplates with `status.needsAction`.
    pub needs_action: i64,
    /// MessageTemplates.
    pub templates: i64,
    /// MessageTemplates in phase Approved.
    pub approved: i64,
    /// MessageTemplates that Meta reviews.
    pub pending: i64,
    /// MessageTemplates in phase Rejected.
    pub rejected: i64,
}

/// The app's webhook at Meta.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AppWebhookStatus {
    /// The callback Meta has for the app.
    #[serde(rename = "appCallbackURL", skip_serializing_if = "Option::is_none")]
    pub app_callback_url: Option<String>,
    /// Whether Meta calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// The fields Meta delivers, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
    /// The operator's own endpoint, with receiver Enabled.
    #[serde(rename = "receiverURL", skip_serializing_if = "Option::is_none")]
    pub receiver_url: Option<String>,
    /// HMAC-SHA256 of the verify token last sent, under a key of the operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verify_token_hash: Option<String>,
}

/// Login of people by Facebook Login for Business.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoginStatus {
    /// The address to allow in the App Dashboard as a valid OAuth redirect.
    #[serde(rename = "redirectURI", skip_serializing_if = "Option::is_none")]
    pub redirect_uri: Option<String>,
    /// The login under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<LoginSession>,
    /// The businesses that logged in, sorted by ID.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub businesses: Vec<LoginBusiness>,
}

/// A login under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoginSession {
    /// The address a person opens.
    #[serde(rename = "openURL")]
    pub open_url: String,
    /// Until when.
    pub expires_at: Time,
}

/// A business that logged in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoginBusiness {
    /// ID of the business.
    pub id: String,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// When its token expires, for people: `Never` or a date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// When its token expires; absent when never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
}

/// A throttle of Meta.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Throttle {
    /// ID of the WABA whose calls must wait; absent for the app's own calls.
    #[serde(rename = "businessAccountID", skip_serializing_if = "Option::is_none")]
    pub business_account_id: Option<String>,
    /// Until when.
    pub until: Time,
}
