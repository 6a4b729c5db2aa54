//! A WhatsApp Business Account.

use serde::Deserialize;

use super::health::Health;
use super::open_enum::{AccountStatus, MessagingLimit, ReviewStatus, VerificationStatus};
use super::page::{self, Item};
use super::{Page, PhoneNumber, Template, lenient, number};

/// An account, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct AccountRef {
    /// Its ID, digits.
    #[serde(default, deserialize_with = "lenient::id_or_empty")]
    pub id: Box<str>,
    /// Its name.
    #[serde(default, deserialize_with = "lenient::text")]
    pub name: Option<Box<str>>,
}

/// An account as Meta shows it. `None` is what Meta did not send.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Account {
    /// Its ID, digits.
    #[serde(deserialize_with = "lenient::id")]
    pub id: Box<str>,
    /// Its name.
    #[serde(default, deserialize_with = "lenient::text")]
    pub name: Option<Box<str>>,
    /// ISO 4217.
    #[serde(default, deserialize_with = "lenient::text")]
    pub currency: Option<Box<str>>,
    /// Meta's own number of a time zone.
    #[serde(default, deserialize_with = "lenient::text")]
    pub timezone_id: Option<Box<str>>,
    /// Its state.
    #[serde(default, deserialize_with = "lenient::word")]
    pub status: Option<AccountStatus>,
    /// Meta's review of it.
    #[serde(default, rename = "account_review_status", deserialize_with = "lenient::word")]
    pub review_status: Option<ReviewStatus>,
    /// The verification of its business.
    #[serde(default, rename = "business_verification_status", deserialize_with = "lenient::word")]
    pub business_verification: Option<VerificationStatus>,
    /// The business that owns it.
    #[serde(default, deserialize_with = "identified")]
    pub owner_business: Option<AccountRef>,
    /// How many customers the business may write to first, per day.
    #[serde(default, rename = "whatsapp_business_manager_messaging_limit", deserialize_with = "lenient::word")]
    pub messaging_limit: Option<MessagingLimit>,
    /// Its health, if requested.
    #[serde(default, rename = "health_status", deserialize_with = "number::health")]
    pub health: Option<Box<Health>>,
    /// The apps that get its events, sorted; `None` is what could not be read.
    #[serde(default = "no_apps", deserialize_with = "subscribed_apps")]
    pub subscribed_apps: Option<Vec<SubscribedApp>>,
}

/// An app that gets an account's events.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SubscribedApp {
    /// The app's ID.
    pub id: Box<str>,
    /// Where the account's messages go instead of the app's callback.
    pub override_callback_uri: Option<Box<str>>,
}

impl Account {
    /// The fields of an account to request, besides its numbers and templates.
    pub(in crate::graph) const FIELDS: &str = "id,name,currency,timezone_id,status,account_review_status,\
        business_verification_status,owner_business{id,name},whatsapp_business_manager_messaging_limit,subscribed_apps";

    /// Our app's subscription to the account's events.
    #[must_use]
    pub fn subscription_of(&self, app_id: &str) -> Option<&SubscribedApp> {
        self.subscribed_apps.iter().flatten().find(|app| &*app.id == app_id)
    }
}

/// The reply to the one call that reads an account with the first of its numbers and templates. Meta leaves out a
/// listing that is empty.
#[derive(Deserialize)]
pub(in crate::graph) struct AccountAnswer {
    #[serde(flatten)]
    pub account: Account,
    #[serde(default, deserialize_with = "page::nested")]
    pub phone_numbers: Page<PhoneNumber>,
    #[serde(default, deserialize_with = "page::nested")]
    pub message_templates: Page<Template>,
}

impl Item for AccountRef {
    fn is_identified(&self) -> bool {
        !self.id.is_empty()
    }
}

fn identified<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<AccountRef>, D::Error> {
    Ok(lenient::object(deserializer)?.filter(AccountRef::is_identified))
}

/// Meta leaves out a list that is empty.
#[expect(clippy::unnecessary_wraps, reason = "the default of a field")]
fn no_apps() -> Option<Vec<SubscribedApp>> {
    Some(Vec::new())
}

/// An app's subscription, as Meta lists it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Subscription {
    #[serde(deserialize_with = "identified")]
    whatsapp_business_api_data: Option<AccountRef>,
    #[serde(deserialize_with = "lenient::text")]
    override_callback_uri: Option<Box<str>>,
}

impl Item for Subscription {
    fn is_identified(&self) -> bool {
        self.whatsapp_business_api_data.is_some()
    }
}

fn subscribed_apps<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<SubscribedApp>>, D::Error> {
    let page::Items { items, left_out } = page::nested::<D, Subscription>(deserializer)?.data;
    if !left_out.is_empty() {
        return Ok(None);
    }
    let subscribed = items.into_iter().filter_map(|entry| {
        let id = entry.whatsapp_business_api_data?.id;
        Some(SubscribedApp { id, override_callback_uri: entry.override_callback_uri })
    });
    let mut apps: Vec<_> = subscribed.collect();
    apps.sort();
    Ok(Some(apps))
}
