//! A template's content.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::lenient;
use super::open_enum::{ButtonType, ComponentType, HeaderFormat, OtpType};

/// A part of a template. Which fields are there depends on its type.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Component {
    /// Which part it is.
    #[serde(default = "unknown", rename = "type", deserialize_with = "known")]
    pub kind: ComponentType,
    /// What a header holds.
    #[serde(default, deserialize_with = "lenient::word")]
    pub format: Option<HeaderFormat>,
    /// The text of a header, body or footer.
    #[serde(default, deserialize_with = "lenient::text")]
    pub text: Option<Box<str>>,
    /// Sample values, in one of Meta's several shapes.
    #[serde(default)]
    pub example: Option<Value>,
    /// Buttons, in their order.
    #[serde(default, deserialize_with = "lenient::objects")]
    pub buttons: Vec<Button>,
    /// A carousel's cards, in their order: the parts of each.
    #[serde(default, deserialize_with = "cards")]
    pub cards: Vec<Vec<Component>>,
    /// What a limited-time offer says.
    #[serde(default, deserialize_with = "lenient::object")]
    pub limited_time_offer: Option<LimitedTimeOffer>,
    /// Whether an authentication body warns not to share the code.
    #[serde(default, deserialize_with = "lenient::flag")]
    pub add_security_recommendation: Option<bool>,
    /// For how long an authentication footer says that the code is good.
    #[serde(default, deserialize_with = "lenient::count")]
    pub code_expiration_minutes: Option<u32>,
}

/// What a limited-time offer says.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct LimitedTimeOffer {
    /// Its text.
    #[serde(default, deserialize_with = "lenient::text")]
    pub text: Option<Box<str>>,
    /// Whether it shows a countdown.
    #[serde(default, deserialize_with = "lenient::flag")]
    pub has_expiration: Option<bool>,
}

/// A button. Which fields are there depends on its type.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Button {
    /// What it does.
    #[serde(default = "unknown", rename = "type", deserialize_with = "known")]
    pub kind: ButtonType,
    /// Its label.
    #[serde(default, deserialize_with = "lenient::text")]
    pub text: Option<Box<str>>,
    /// Where it leads, with at most one parameter at the end.
    #[serde(default, deserialize_with = "lenient::text")]
    pub url: Option<Box<str>>,
    /// Whom it calls; Meta adds a `+`.
    #[serde(default, deserialize_with = "lenient::text")]
    pub phone_number: Option<Box<str>>,
    /// A sample value: text, or a list of one.
    #[serde(default)]
    pub example: Option<Value>,
    /// How a one-time password gets to the app.
    #[serde(default, deserialize_with = "lenient::word")]
    pub otp_type: Option<OtpType>,
    /// The label of the one-tap button.
    #[serde(default, deserialize_with = "lenient::text")]
    pub autofill_text: Option<Box<str>>,
    /// The apps that may take the one-time password.
    #[serde(default, deserialize_with = "lenient::objects")]
    pub supported_apps: Vec<SupportedApp>,
    /// Whether the terms of zero-tap are accepted.
    #[serde(default, deserialize_with = "lenient::flag")]
    pub zero_tap_terms_accepted: Option<bool>,
    /// The flow it opens.
    #[serde(default, deserialize_with = "lenient::text")]
    pub flow_id: Option<Box<str>>,
    /// What it does with the flow.
    #[serde(default, deserialize_with = "lenient::text")]
    pub flow_action: Option<Box<str>>,
    /// The flow's first screen.
    #[serde(default, deserialize_with = "lenient::text")]
    pub navigate_screen: Option<Box<str>>,
    /// For how long it offers a call, in minutes.
    #[serde(default, deserialize_with = "lenient::count")]
    pub ttl_minutes: Option<u32>,
}

/// An app that may take a one-time password.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct SupportedApp {
    /// Its Android package.
    #[serde(default, deserialize_with = "lenient::text")]
    pub package_name: Option<Box<str>>,
    /// The hash of its signature.
    #[serde(default, deserialize_with = "lenient::text")]
    pub signature_hash: Option<Box<str>>,
}

/// A type that is not there is one that nobody knows.
fn unknown<W: From<Box<str>>>() -> W {
    W::from(Box::default())
}

fn known<'de, D: Deserializer<'de>, W: From<Box<str>>>(deserializer: D) -> Result<W, D::Error> {
    lenient::id_or_empty(deserializer).map(W::from)
}

fn cards<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Vec<Component>>, D::Error> {
    #[derive(Deserialize)]
    struct Card {
        #[serde(default, deserialize_with = "lenient::objects")]
        components: Vec<Component>,
    }
    Ok(lenient::objects(deserializer)?.into_iter().map(|card: Card| card.components).collect())
}
