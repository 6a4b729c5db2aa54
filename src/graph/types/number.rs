//! A business phone number.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::health::Health;
use super::lenient::{self, Shape};
use super::open_enum::{
    AccountMode, CodeVerificationStatus, MessagingLimit, NameStatus, NumberStatus, PlatformType, Quality, Throughput,
};
use super::page::Item;

/// A phone number as Meta shows it. `None` is what Meta did not send.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct PhoneNumber {
    /// Its ID, digits.
    #[serde(default, deserialize_with = "lenient::id_or_empty")]
    pub id: Box<str>,
    /// The number in one of Meta's several formats; see [`PhoneNumber::digits`].
    #[serde(default, deserialize_with = "lenient::text")]
    pub display_phone_number: Option<Box<str>>,
    /// The display name, approved or not.
    #[serde(default, deserialize_with = "lenient::text")]
    pub verified_name: Option<Box<str>>,
    /// Its state.
    #[serde(default, deserialize_with = "lenient::decisive_word")]
    pub status: Option<NumberStatus>,
    /// Whether it was verified by a code.
    #[serde(default, deserialize_with = "lenient::word")]
    pub code_verification_status: Option<CodeVerificationStatus>,
    /// The review of the display name.
    #[serde(default, deserialize_with = "lenient::word")]
    pub name_status: Option<NameStatus>,
    /// The review of a new display name.
    #[serde(default, deserialize_with = "lenient::word")]
    pub new_name_status: Option<NameStatus>,
    /// A new display name under review.
    #[serde(default, deserialize_with = "lenient::text")]
    pub new_display_name: Option<Box<str>>,
    /// Where it is registered.
    #[serde(default, deserialize_with = "lenient::decisive_word")]
    pub platform_type: Option<PlatformType>,
    /// For real or for trying.
    #[serde(default, deserialize_with = "lenient::word")]
    pub account_mode: Option<AccountMode>,
    /// What customers think of its messages.
    #[serde(default, deserialize_with = "lenient::word")]
    pub quality_rating: Option<Quality>,
    /// How fast it may send.
    #[serde(default, deserialize_with = "throughput")]
    pub throughput: Option<Throughput>,
    /// How many customers its business may write to first, per day.
    #[serde(default, rename = "whatsapp_business_manager_messaging_limit", deserialize_with = "lenient::word")]
    pub messaging_limit: Option<MessagingLimit>,
    /// Whether it wears the official badge.
    #[serde(default, deserialize_with = "lenient::flag")]
    pub is_official_business_account: Option<bool>,
    /// Whether a two-step PIN is set; true, too, where that cannot be read: any other PIN would be a guess.
    #[serde(default, deserialize_with = "lenient::set_unless_known")]
    pub is_pin_enabled: Option<bool>,
    /// Whether it is also used in the WhatsApp Business app.
    #[serde(default, deserialize_with = "lenient::flag")]
    pub is_on_biz_app: Option<bool>,
    /// When it was last registered.
    #[serde(default, deserialize_with = "lenient::time")]
    pub last_onboarded_time: Option<Timestamp>,
    /// Which callbacks are in force for it.
    #[serde(default, deserialize_with = "webhook_configuration")]
    pub webhook_configuration: Option<Box<WebhookConfiguration>>,
    /// Its health, if requested.
    #[serde(default, rename = "health_status", deserialize_with = "health")]
    pub health: Option<Box<Health>>,
}

/// The callbacks of a number, its account and its app; the first that is there gets the messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Map<String, Value>")]
pub struct WebhookConfiguration {
    /// The number's own.
    pub phone_number: Option<Box<str>>,
    /// The account's.
    pub whatsapp_business_account: Option<Box<str>>,
    /// The app's.
    pub application: Option<Box<str>>,
    /// Meta sent something that cannot be read: that there is no callback is not known.
    pub is_unreadable: bool,
}

impl From<Map<String, Value>> for WebhookConfiguration {
    fn from(mut callbacks: Map<String, Value>) -> Self {
        let mut is_unreadable = false;
        let mut callback = |name: &str| match callbacks.remove(name)? {
            Value::String(url) => Some(url.into_boxed_str()).filter(|url| !url.trim().is_empty()),
            other => {
                is_unreadable |= !other.is_null();
                None
            }
        };
        let (phone_number, application) = (callback("phone_number"), callback("application"));
        let whatsapp_business_account = callback("whatsapp_business_account");
        // The callback may be inside of what nobody knows.
        is_unreadable |= callbacks.values().any(|value| value.is_object() || value.is_array());
        if is_unreadable {
            lenient::odd();
        }
        Self { phone_number, whatsapp_business_account, application, is_unreadable }
    }
}

impl Item for PhoneNumber {
    fn is_identified(&self) -> bool {
        !self.id.is_empty()
    }
}

impl PhoneNumber {
    /// Whether it is listed only because it was here once: deleted, or moved to another account.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(self.status, Some(NumberStatus::Migrated | NumberStatus::Deleted))
    }

    /// The fields of a number to request.
    pub(in crate::graph) const FIELDS: &str = "id,display_phone_number,verified_name,status,code_verification_status,\
        name_status,new_name_status,new_display_name,platform_type,account_mode,quality_rating,throughput,\
        whatsapp_business_manager_messaging_limit,is_official_business_account,is_pin_enabled,is_on_biz_app,\
        last_onboarded_time,webhook_configuration";

    /// Whether Meta names a platform for it, which makes its account an active one. Whether it is connected is another question.
    #[must_use]
    pub fn has_platform(&self) -> bool {
        matches!(self.platform_type, Some(PlatformType::CloudApi | PlatformType::OnPremise))
    }
}

fn throughput<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Throughput>, D::Error> {
    #[derive(Deserialize)]
    struct Level {
        #[serde(default, deserialize_with = "lenient::word")]
        level: Option<Throughput>,
    }
    Ok(lenient::object(deserializer)?.and_then(|throughput: Level| throughput.level))
}

fn webhook_configuration<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Box<WebhookConfiguration>>, D::Error> {
    Ok(match Shape::deserialize(deserializer)? {
        Shape::Object(configuration) => Some(Box::new(configuration)),
        Shape::Null => None,
        Shape::Odd => Some(Box::new(WebhookConfiguration { is_unreadable: true, ..WebhookConfiguration::default() })),
    })
}

pub(super) fn health<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Box<Health>>, D::Error> {
    let mut health = lenient::object(deserializer)?.map(Box::<Health>::new);
    if let Some(health) = &mut health {
        health.trim();
    }
    Ok(health)
}
