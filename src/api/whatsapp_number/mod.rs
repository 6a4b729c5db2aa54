//! `WhatsAppNumber`: a phone number of a WhatsApp Business Account.

mod status;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use status::*;

use super::{AppRef, Direction, GoDuration, ManagementPolicy, SecretKeyRef, rules, shared::is_default};

/// Desired state of a number.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "waba.dev",
    version = "v1alpha1",
    kind = "WhatsAppNumber",
    plural = "whatsappnumbers",
    shortname = "wan",
    category = "waba",
    namespaced,
    status = "WhatsAppNumberStatus",
    derive = "PartialEq",
    doc = "A phone number of a WhatsApp Business Account, for incoming messages, outgoing messages or both.",
    selectable = ".spec.phoneNumber",
    selectable = ".spec.appRef.name",
    selectable = ".spec.businessAccountID",
    selectable = ".status.phase",
    selectable = ".status.direction",
    selectable = ".status.needsAction",
    printcolumn(name = "NUMBER", type_ = "string", json_path = ".spec.phoneNumber"),
    printcolumn(
        name = "READY",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].status"
    ),
    printcolumn(name = "VERIFIED NAME", type_ = "string", json_path = ".status.verifiedName"),
    printcolumn(name = "DIRECTION", type_ = "string", json_path = ".status.direction"),
    printcolumn(name = "STATUS", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "QUALITY", type_ = "string", json_path = ".status.qualityRating"),
    printcolumn(name = "AGE", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "PROVIDER", type_ = "string", json_path = ".status.provider", priority = 1),
    printcolumn(name = "TIME ZONE", type_ = "string", json_path = ".spec.timeZone", priority = 1),
    printcolumn(name = "LANGUAGE", type_ = "string", json_path = ".spec.language", priority = 1),
    printcolumn(name = "ACCOUNT ID", type_ = "string", json_path = ".status.businessAccountID", priority = 1),
    printcolumn(name = "SESSION TIME", type_ = "string", json_path = ".status.sessionTime", priority = 1),
    printcolumn(name = "SMART ROUTING", type_ = "string", json_path = ".spec.incoming.smartRouting", priority = 1),
    printcolumn(
        name = "END ROUTING",
        type_ = "string",
        json_path = ".spec.incoming.endOfInteractionSmartRouting",
        priority = 1
    ),
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
    validation = rules::immutable("phoneNumber", "cannot be changed: write another WhatsAppNumber for another number"),
    validation = rules::immutable_once_set(
        "businessAccountID",
        "cannot be changed or removed once it is set: delete this object (Meta is left as it is) and write another one"
    ),
    validation = rules::required(
        ".businessAccountID",
        "!has(self.provisioning) || self.provisioning != 'AddIfMissing' || has(self.businessAccountID)",
        "write the ID of the WABA to add the number to, or provisioning: Adopt"
    ),
    validation = rules::required(
        ".requestedName",
        "!has(self.provisioning) || self.provisioning != 'AddIfMissing' || has(self.requestedName)",
        "write the name customers shall see, which Meta requires when a number is added, or provisioning: Adopt"
    ),
    validation = rules::forbidden(
        ".incoming",
        "!has(self.incoming) || 'Incoming' in self.directions",
        "write Incoming into directions, or leave the block out"
    )
)]
pub struct WhatsAppNumberSpec {
    /// The MetaApp whose credentials reach the number.
    pub app_ref: AppRef,
    /// The number in international form (E.164), such as `+33612345678`. Cannot be changed.
    #[schemars(length(max = 64))]
    #[x_kube(validation = rules::phone_number())]
    pub phone_number: String,
    /// ID of the WABA the number belongs to. Cannot be changed once set. Needed with provisioning AddIfMissing.
    #[serde(rename = "businessAccountID", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(validation = rules::id())]
    pub business_account_id: Option<String>,
    /// Adopt (the default): the number is at Meta already. AddIfMissing: the operator adds it to its WABA if the WABA does
    /// not have it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub provisioning: Provisioning,
    /// The name that customers see, requested when the operator adds the number (2 to 75 characters). Needed with
    /// provisioning AddIfMissing. The operator does not send later changes.
    #[schemars(length(min = 2, max = 75))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested_name: Option<String>,
    /// Incoming: customers write to the number. Outgoing: the business writes from it.
    #[schemars(length(min = 1, max = 2))]
    #[x_kube(validation = rules::each_once())]
    pub directions: Vec<Direction>,
    /// Time zone of the people who answer, by its IANA name (`Europe/Paris`).
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(
        validation = rules::matches(
            "^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$",
            "write the IANA name of a time zone, such as Europe/Paris"
        )
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Language of the people who answer, as a BCP 47 tag (`fr`, `pt-BR`).
    #[schemars(length(min = 2, max = 35))]
    #[x_kube(
        validation = rules::matches("^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$", "write a BCP 47 tag with '-', such as fr or pt-BR")
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// How incoming messages are handled; only with direction Incoming.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incoming: Option<Incoming>,
    /// Verify the number by a code. Without this block the operator never requests a code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verification: Option<Verification>,
    /// Register the number on the Cloud API. Without this block the operator never registers it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registration: Option<Registration>,
    /// The business profile that customers see. The operator changes only the fields that are set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    /// Write the Secret `<name>-binding` with what an application needs to send messages (Service Binding). `{}` enables it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binding: Option<Binding>,
    /// True stops everything for this number: the operator makes no call to Meta.
    #[serde(default, skip_serializing_if = "is_default")]
    pub suspend: bool,
    /// Full (the default), or Observe: read and report, never write to Meta.
    #[serde(default, skip_serializing_if = "is_default")]
    pub management_policy: ManagementPolicy,
    /// What deleting this object does at Meta: Retain (the default) nothing; Deregister takes the number off the Cloud API,
    /// which disconnects it for every partner on it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub deletion_policy: NumberDeletionPolicy,
}

/// Whether the operator adds a number that Meta does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Provisioning {
    /// The number is at Meta already.
    #[default]
    Adopt,
    /// The operator adds it to its WABA.
    AddIfMissing,
}

/// How incoming messages are handled.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Incoming {
    /// How long an interaction stays open without a message, such as `24h`; the value in force is in `status.sessionTime`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::at_least("1m"))]
    pub session_time: Option<GoDuration>,
    /// Name of the routing that takes new interactions.
    #[schemars(length(min = 1, max = 253))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smart_routing: Option<String>,
    /// Name of the routing that takes over at the end of an interaction.
    #[schemars(length(min = 1, max = 253))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_of_interaction_smart_routing: Option<String>,
    /// Deliver this number's messages to its own address instead of the app's (Meta's override).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<NumberWebhook>,
}

/// Where a number's messages are delivered.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NumberWebhook {
    /// HTTPS address that receives the messages, with a publicly trusted certificate and reachable by Meta.
    #[serde(rename = "callbackURL")]
    #[schemars(length(min = 9, max = 200))]
    #[x_kube(validation = rules::callback_url())]
    pub callback_url: String,
    /// The text that proves to the receiver that Meta calls (`hub.verify_token`).
    pub verify_token_ref: SecretKeyRef,
}

/// How a number is verified.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// How Meta sends the code: SMS (the default) or Voice, a call.
    #[serde(default, skip_serializing_if = "is_default")]
    pub method: CodeMethod,
    /// Language of the message with the code, as Meta spells it (`fr_FR`); by default `en_US`.
    #[schemars(length(min = 2, max = 8))]
    #[x_kube(validation = rules::meta_language())]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Where a person puts the code; by default key `code` of the Secret `<name>-code`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_ref: Option<SecretKeyRef>,
}

/// How a verification code is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CodeMethod {
    /// A text message.
    #[default]
    #[serde(rename = "SMS")]
    Sms,
    /// A call.
    Voice,
}

impl CodeMethod {
    /// As spec and status spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sms => "SMS",
            Self::Voice => "Voice",
        }
    }

    /// The method with this name; a status from another version may have a name that this one does not know.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Sms, Self::Voice].into_iter().find(|method| method.as_str() == name)
    }
}

/// How a number is registered on the Cloud API.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Registration {
    /// The number's two-step verification PIN, six digits. If given, the operator waits for the Secret; by default it creates
    /// a random PIN under key `pin` of the Secret `<name>-pin`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pin_ref: Option<SecretKeyRef>,
}

/// The business profile that customers see. Limits are Meta's.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// The line below the name, 1 to 139 characters. Meta does not accept an empty one.
    #[schemars(length(min = 1, max = 139))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// Postal address, 256 characters at most.
    #[schemars(length(max = 256))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What the business does, 512 characters at most.
    #[schemars(length(max = 512))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// E-mail address, 128 characters at most.
    #[schemars(length(max = 128))]
    #[x_kube(validation = rules::matches(r"^([^@\s]+@[^@\s]+)?$", "write an e-mail address, such as support@example.com"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Addresses of web sites with `https://` or `http://`, two at most.
    #[schemars(length(max = 2), inner(length(max = 256)))]
    #[x_kube(validation = rules::each_matches(r"^https?://\S+$", "write each address with https:// or http://"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub websites: Option<Vec<String>>,
    /// Line of business, as Meta names it: ALCOHOL, APPAREL, AUTO, BEAUTY, EDU, ENTERTAIN, EVENT_PLAN, FINANCE, GOVT, GROCERY,
    /// HEALTH, HOTEL, NONPROFIT, ONLINE_GAMBLING, OTC_DRUGS, OTHER, PHYSICAL_GAMBLING, PROF_SERVICES, RESTAURANT, RETAIL or
    /// TRAVEL. Meta may add more.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = rules::matches("^[A-Z][A-Z_]*$", "write the word as Meta spells it, such as RETAIL or PROF_SERVICES"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vertical: Option<String>,
}

/// A binding Secret for applications; it has no settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Binding {}

/// What deleting a WhatsAppNumber does at Meta.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum NumberDeletionPolicy {
    /// Nothing.
    #[default]
    Retain,
    /// The operator takes the number off the Cloud API, which disconnects it for every partner on it.
    Deregister,
}
