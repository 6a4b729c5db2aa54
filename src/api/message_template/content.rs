//! The content of a template: the same shapes in `spec` and in `status.content`, so that the one can be pasted into the other.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::content_schema;
use crate::api::{open_enum::open_enum, rules, shared::is_default};

open_enum! {
    /// How variables are written.
    pub enum ParameterFormat {
        /// `{{1}}`, `{{2}}`.
        Positional = "POSITIONAL",
        /// `{{order}}`.
        Named = "NAMED",
    }
}

open_enum! {
    /// What a header is.
    pub enum HeaderFormat {
        /// A line of text.
        Text = "TEXT",
        /// A picture.
        Image = "IMAGE",
        /// A film.
        Video = "VIDEO",
        /// A document (PDF).
        Document = "DOCUMENT",
        /// A place on the map.
        Location = "LOCATION",
    }
}

open_enum! {
    /// What a button does.
    pub enum ButtonType {
        /// Answers with its own text.
        QuickReply = "QUICK_REPLY",
        /// Opens a web page.
        Url = "URL",
        /// Calls a number.
        PhoneNumber = "PHONE_NUMBER",
        /// Copies an offer code.
        CopyCode = "COPY_CODE",
        /// Opens a flow.
        Flow = "FLOW",
        /// Opens the catalogue.
        Catalog = "CATALOG",
        /// Shows several products.
        Mpm = "MPM",
        /// Calls the business within WhatsApp.
        VoiceCall = "VOICE_CALL",
        /// Asks for the customer's contact.
        RequestContactInfo = "REQUEST_CONTACT_INFO",
    }
}

open_enum! {
    /// How a one-time password gets into the app.
    pub enum OtpType {
        /// The customer copies it.
        CopyCode = "COPY_CODE",
        /// One tap fills it in.
        OneTap = "ONE_TAP",
        /// It is filled in without a tap.
        ZeroTap = "ZERO_TAP",
    }
}

/// What stands above the text.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = content_schema::text_header_has_text(),
    validation = content_schema::other_header_has_no_text(),
    validation = content_schema::sample_only_for_media(),
    validation = content_schema::one_variable(),
    validation = content_schema::closed_braces("has(self.text)"),
    validation = content_schema::variables_have_examples("has(self.text)"),
    validation = content_schema::examples_are_used("has(self.text)")
)]
pub struct Header {
    /// TEXT, IMAGE, VIDEO, DOCUMENT or LOCATION.
    pub format: HeaderFormat,
    /// The line, 60 characters and one variable at most; only with format TEXT.
    #[schemars(length(min = 1, max = 60))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// An example for each variable of the text, by the variable's name or number. Meta requires them for its review.
    #[schemars(schema_with = "examples")]
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub examples: BTreeMap<String, String>,
    /// A sample of the picture, film or document, for Meta's review; with format IMAGE, VIDEO or DOCUMENT.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample_ref: Option<SampleRef>,
}

/// One key of a ConfigMap (`binaryData`) or Secret in the object's own namespace, 1 MiB at most.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleRef {
    /// ConfigMap or Secret.
    pub kind: SampleKind,
    /// Name of the ConfigMap or Secret.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = rules::object_name())]
    pub name: String,
    /// Key within it. Its ending gives the type of file: jpg, jpeg, png, mp4 or pdf.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = rules::data_key())]
    pub key: String,
}

/// Where a sample is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SampleKind {
    /// A ConfigMap.
    ConfigMap,
    /// A Secret.
    Secret,
}

/// The text of a template or card.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(
    validation = content_schema::closed_braces("true"),
    validation = content_schema::variables_have_examples("true"),
    validation = content_schema::examples_are_used("true"),
    validation = content_schema::variables_in_order(),
    validation = content_schema::text_around_variables(),
    validation = content_schema::text_between_variables()
)]
pub struct Body {
    /// The text, 1024 characters at most (600 with a limited-time offer, 160 in a card). Variables are `{{name}}` or `{{1}}`; they
    /// stand neither first nor last nor side by side.
    #[schemars(length(min = 1, max = 1024))]
    pub text: String,
    /// An example for each variable of the text, by the variable's name or number. Meta requires them for its review.
    #[schemars(schema_with = "examples")]
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub examples: BTreeMap<String, String>,
}

/// The line below the text.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Footer {
    /// The line, 60 characters at most, without variables.
    #[schemars(length(min = 1, max = 60))]
    #[x_kube(validation = content_schema::no_variables())]
    pub text: String,
}

/// A button.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = content_schema::button_label_given(),
    validation = content_schema::button_label_of_meta(),
    validation = content_schema::button_label_plain(),
    validation = content_schema::voice_call_label(),
    validation = content_schema::button_field("URL", "url", "the address to open"),
    validation = content_schema::button_field("PHONE_NUMBER", "phoneNumber", "the number to call"),
    validation = content_schema::button_field("FLOW", "flow", "the flow to open"),
    validation = content_schema::button_field_only("URL", "url"),
    validation = content_schema::button_field_only("PHONE_NUMBER", "phoneNumber"),
    validation = content_schema::button_field_only("FLOW", "flow"),
    validation = content_schema::button_field_only("VOICE_CALL", "ttlMinutes"),
    validation = content_schema::button_field_only("QUICK_REPLY", "optOut"),
    validation = content_schema::url_form(),
    validation = content_schema::url_variable(),
    validation = content_schema::url_example(),
    validation = content_schema::button_example_only(),
    validation = content_schema::copy_code_example()
)]
pub struct Button {
    /// QUICK_REPLY, URL, PHONE_NUMBER, COPY_CODE, FLOW, CATALOG, MPM, VOICE_CALL or REQUEST_CONTACT_INFO.
    #[serde(rename = "type")]
    pub type_: ButtonType,
    /// The label, 25 characters at most (VOICE_CALL 20), without variables. Not with COPY_CODE, whose label is Meta's.
    #[schemars(length(min = 1, max = 25))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The address, 2000 characters at most; `{{1}}` may stand at its very end. With type URL.
    #[schemars(length(min = 1, max = 2000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// URL: an example for `{{1}}`. COPY_CODE: the code, 20 characters at most (15 with a limited-time offer).
    #[schemars(length(min = 1, max = 2000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
    /// The number to call, in international form. With type PHONE_NUMBER.
    #[schemars(length(min = 3, max = 20))]
    #[x_kube(validation = rules::matches(r"^\+?[0-9]+$", "write the number in international form, in quotes and without spaces, such as \"+33123456789\""))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
    /// The flow to open. With type FLOW.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flow: Option<Flow>,
    /// How long the customer may call, in minutes, 1440 to 43200. With type VOICE_CALL.
    #[schemars(range(min = 1440, max = 43200))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_minutes: Option<i32>,
    /// True marks the quick reply by which customers opt out of MARKETING. Never sent to Meta.
    #[serde(default, skip_serializing_if = "is_default")]
    pub opt_out: bool,
}

/// A flow a button opens; it must be published at Meta.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = content_schema::flow_by_id_or_name())]
pub struct Flow {
    /// ID of the flow; this or the name.
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(validation = rules::id())]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Name of the flow; this or the ID.
    #[schemars(length(min = 1, max = 200))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `navigate` (Meta's default) or `data_exchange`.
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(validation = rules::matches("^[a-z_]+$", "write navigate or data_exchange"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// The first screen, with action navigate.
    #[schemars(length(min = 1, max = 200))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub navigate_screen: Option<String>,
    /// Icon of the button, as Meta names it (DOCUMENT, PROMOTION, REVIEW).
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(validation = rules::matches("^[A-Z_]+$", "write the icon as Meta names it, such as DOCUMENT"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icon: Option<String>,
}

/// Cards to scroll through.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carousel {
    /// The cards, 2 to 10, all of the same shape.
    #[schemars(length(min = 2, max = 10))]
    #[x_kube(
        validation = content_schema::cards_alike(
            "c.header.format == self[0].header.format",
            "write headers of the same format in every card"
        ),
        validation = content_schema::cards_alike("has(c.body) == has(self[0].body)", "write a text in every card, or in none"),
        validation = content_schema::cards_alike(
            "c.buttons.map(b, b.type) == self[0].buttons.map(b, b.type)",
            "write buttons of the same types, in the same order, in every card"
        )
    )]
    pub cards: Vec<Card>,
}

/// One card of a carousel.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = content_schema::card_header())]
pub struct Card {
    /// A picture or film.
    pub header: Header,
    /// The card's text, 160 characters at most; in every card or in none.
    #[schemars(schema_with = "content_schema::card_body")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Body>,
    /// One or two buttons of type QUICK_REPLY, URL or PHONE_NUMBER, the same types in every card.
    #[schemars(length(min = 1, max = 2))]
    #[x_kube(validation = content_schema::card_buttons())]
    pub buttons: Vec<Button>,
}

/// An offer that ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LimitedTimeOffer {
    /// What is offered, 16 characters at most.
    #[schemars(length(min = 1, max = 16))]
    pub text: String,
    /// Whether the message shows when the offer ends.
    #[serde(default, skip_serializing_if = "is_default")]
    pub has_expiration: bool,
}

/// A one-time password message. Its text is Meta's, in every language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Authentication {
    /// Adds Meta's sentence that the code is not to be shared.
    #[serde(default, skip_serializing_if = "is_default")]
    pub add_security_recommendation: bool,
    /// Adds Meta's line that the code ends after so many minutes, 1 to 90.
    #[schemars(range(min = 1, max = 90))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_expiration_minutes: Option<i32>,
    /// The one button.
    pub otp: Otp,
}

/// The button of a one-time password message.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = content_schema::otp_apps_given(),
    validation = content_schema::otp_apps_only(),
    validation = content_schema::otp_autofill_only(),
    validation = content_schema::otp_terms()
)]
pub struct Otp {
    /// COPY_CODE, ONE_TAP or ZERO_TAP.
    #[serde(rename = "type")]
    pub type_: OtpType,
    /// Label of the copy button, 25 characters at most; by default Meta's.
    #[schemars(length(min = 1, max = 25))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Label of the one-tap button, 25 characters at most; by default Meta's.
    #[schemars(length(min = 1, max = 25))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub autofill_text: Option<String>,
    /// The Android apps that may take the code, 1 to 5; with ONE_TAP and ZERO_TAP.
    #[schemars(length(max = 5))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub supported_apps: Vec<SupportedApp>,
    /// That you accept Meta's terms of zero-tap authentication; must be true with ZERO_TAP.
    #[serde(default, skip_serializing_if = "is_default")]
    pub zero_tap_terms_accepted: bool,
}

/// An Android app that may take a one-time password.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SupportedApp {
    /// The app's package, such as `com.example.app`.
    #[schemars(length(max = 224))]
    #[x_kube(
        validation = rules::matches(
            r"^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)+$",
            "write the package of an Android app, such as com.example.app"
        )
    )]
    pub package_name: String,
    /// The app's signing key hash, 11 characters.
    #[schemars(length(max = 11))]
    #[x_kube(validation = rules::matches("^[A-Za-z0-9+/=]{11}$", "write the 11 characters of the app's signing key hash"))]
    pub signature_hash: String,
}

/// The schema of examples: by variable, each up to 1024 characters.
fn examples(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "maxProperties": 30,
        "additionalProperties": {"type": "string", "minLength": 1, "maxLength": 1024},
    })
}
