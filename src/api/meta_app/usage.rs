//! What the messages of an account came to, and who pays, with `spec.usage`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::shared::is_default;

/// Who pays for an account's messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccountPayment {
    /// Whether the account has a payment method of its own (`primary_funding_id`).
    pub funded: bool,
}

/// What an account's messages came to in a calendar month, as Meta's `pricing_analytics` shows it; approximations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccountUsage {
    /// The month, such as `2026-12`, in the account's time zone.
    pub month: String,
    /// Service messages delivered, without those of free entry points.
    pub service_messages: i64,
    /// Free service messages that are left, over all numbers: each has 1,000 of its own per month.
    pub free_left: i64,
    /// All messages delivered.
    pub messages: i64,
    /// What they cost, as decimal text such as `12.5`; absent where Meta does not show it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<String>,
    /// Currency of the costs, such as `EUR`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// The same by number, for those with messages, sorted, the first 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub numbers: Vec<NumberUsage>,
    /// How many numbers the list above leaves out.
    #[serde(default, skip_serializing_if = "is_default")]
    pub numbers_omitted: i64,
}

/// What a number's messages came to in a calendar month.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NumberUsage {
    /// The number, in international form.
    pub phone_number: String,
    /// Service messages delivered, without those of free entry points.
    pub service_messages: i64,
    /// Free service messages that are left of the month's 1,000.
    pub free_left: i64,
    /// All messages delivered.
    pub messages: i64,
    /// What they cost, as decimal text in the account's currency; absent where Meta does not show it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<String>,
}
