//! What exists at Meta: the kinds of objects and every field they have.
//!
//! One table per kind serves the seed, the control interface and the reads alike, so that a field is known everywhere or nowhere.

/// The kinds of objects the simulator keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    App,
    Business,
    Account,
    Token,
    Number,
    Template,
}

/// The shape of a field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Text,
    /// Digits; a JSON number is accepted and kept as text.
    Id,
    Flag,
    Int,
    /// Unix seconds; also accepted: RFC 3339, or a Go-style duration with a sign, relative to the clock.
    Time,
    /// The same instants, kept as Meta prints some of them: `2023-08-31T19:05:53+0000`.
    Stamp,
    Object,
    List,
    /// The key of another object, which has to exist.
    Ref(Kind),
    /// Keys of other objects, which have to exist.
    Refs(Kind),
}

/// When a read shows a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Also when the caller names no fields.
    Default,
    OnRequest,
    /// The simulator's own knowledge; for callers the field does not exist.
    Never,
}

/// What an absent field reads as.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Absent {
    Omitted,
    Text(&'static str),
    Flag(bool),
}

/// One field of a kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) ty: Type,
    pub(crate) shown: Shown,
    pub(crate) absent: Absent,
    /// The first Graph version (major) that knows the field.
    pub(crate) since: u32,
}

const fn on_request(name: &'static str, ty: Type) -> Field {
    Field { name, ty, shown: Shown::OnRequest, absent: Absent::Omitted, since: 0 }
}

const fn by_default(name: &'static str, ty: Type) -> Field {
    Field { shown: Shown::Default, ..on_request(name, ty) }
}

const fn internal(name: &'static str, ty: Type) -> Field {
    Field { shown: Shown::Never, ..on_request(name, ty) }
}

impl Field {
    const fn or(self, text: &'static str) -> Self {
        Self { absent: Absent::Text(text), ..self }
    }

    const fn or_flag(self, flag: bool) -> Self {
        Self { absent: Absent::Flag(flag), ..self }
    }

    const fn since(self, version: u32) -> Self {
        Self { since: version, ..self }
    }
}

impl Kind {
    /// In the order in which references between them can be resolved.
    pub(crate) const ALL: [Self; 6] =
        [Self::App, Self::Business, Self::Account, Self::Token, Self::Number, Self::Template];

    /// The name of the list in a seed and of the folder under `/_sim`.
    pub(crate) const fn plural(self) -> &'static str {
        match self {
            Self::App => "apps",
            Self::Business => "businesses",
            Self::Account => "accounts",
            Self::Token => "tokens",
            Self::Number => "numbers",
            Self::Template => "templates",
        }
    }

    pub(crate) fn from_plural(plural: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.plural() == plural)
    }

    /// The field that identifies an object of this kind.
    pub(crate) const fn key(self) -> &'static str {
        if matches!(self, Self::Token) { "name" } else { "id" }
    }

    /// The type's name in Meta's error messages.
    pub(crate) const fn node_type(self) -> &'static str {
        match self {
            Self::App => "Application",
            Self::Business => "Business",
            Self::Account => "WhatsAppBusinessAccount",
            Self::Token => "SystemUser",
            Self::Number => "WhatsAppBusinessPhoneNumber",
            Self::Template => "WhatsAppBusinessHSM",
        }
    }

    /// The field that names the object this one is listed under, if it is listed at all.
    pub(crate) const fn parent(self) -> Option<(&'static str, Self)> {
        match self {
            Self::Account => Some(("business", Self::Business)),
            Self::Number | Self::Template => Some(("account", Self::Account)),
            Self::App | Self::Business | Self::Token => None,
        }
    }

    /// Whether Meta answers a dead token with 401 here.
    pub(crate) const fn is_whatsapp(self) -> bool {
        matches!(self, Self::Account | Self::Number | Self::Template)
    }

    pub(crate) const fn fields(self) -> &'static [Field] {
        match self {
            Self::App => APP,
            Self::Business => BUSINESS,
            Self::Account => ACCOUNT,
            Self::Token => TOKEN,
            Self::Number => NUMBER,
            Self::Template => TEMPLATE,
        }
    }

    /// The fields an object cannot be without, its key aside.
    pub(crate) const fn required(self) -> &'static [&'static str] {
        match self {
            Self::App => &["secret", "name"],
            Self::Business => &["name"],
            Self::Account => &[],
            Self::Token => &["token", "app"],
            Self::Number => &["account", "display_phone_number"],
            Self::Template => &["account", "name"],
        }
    }

    pub(crate) fn field(self, name: &str) -> Option<&'static Field> {
        self.fields().iter().find(|field| field.name == name)
    }
}

const APP: &[Field] = &[
    by_default("name", Type::Text),
    by_default("category", Type::Text).or("Business and pages"),
    by_default("link", Type::Text),
    on_request("app_name", Type::Text),
    on_request("app_type", Type::Int),
    on_request("app_domains", Type::List),
    on_request("company", Type::Text),
    on_request("contact_email", Type::Text),
    on_request("created_time", Type::Stamp),
    on_request("namespace", Type::Text),
    on_request("privacy_policy_url", Type::Text),
    on_request("terms_of_service_url", Type::Text),
    internal("secret", Type::Text),
    internal("live", Type::Flag).or_flag(true),
    internal("require_app_secret", Type::Flag).or_flag(false),
    // {callback_url, verify_token, fields: [..], active, include_values}: what the app subscribed to; `fields` absent means all.
    internal("webhook", Type::Object),
    // Whether it may take part in coexistence, and subscribe to its fields.
    internal("coexistence", Type::Flag).or_flag(false),
    // The platform bucket is 200 calls an hour for each of these.
    internal("daily_active_users", Type::Int),
    // The oldest Graph version this app may call; calls to older and dead ones are served by it.
    internal("oldest_version", Type::Text),
];

const BUSINESS: &[Field] = &[
    by_default("name", Type::Text),
    on_request("verification_status", Type::Text),
    on_request("whatsapp_business_manager_messaging_limit", Type::Text).since(24),
    internal("verified", Type::Flag).or_flag(false),
    // Numbers it may have, instead of Meta's 2 or 20.
    internal("number_limit", Type::Int),
];

const ACCOUNT: &[Field] = &[
    by_default("name", Type::Text),
    by_default("currency", Type::Text).or("USD"),
    by_default("timezone_id", Type::Id).or("1"),
    by_default("message_template_namespace", Type::Text).or("ba30dd89_2ebd_41e4_b805_f2c05ae04cc9"),
    on_request("account_review_status", Type::Text).or("APPROVED"),
    on_request("auth_international_rate_eligibility", Type::Object),
    on_request("business_verification_status", Type::Text),
    on_request("country", Type::Text),
    on_request("creation_time", Type::Time),
    on_request("disable_marketing_messages_on_cloud_api", Type::Flag),
    on_request("health_status", Type::Object),
    on_request("is_enabled_for_insights", Type::Flag).or_flag(false),
    on_request("is_shared_with_partners", Type::Flag),
    on_request("linked_commerce_account", Type::Object),
    on_request("marketing_messages_lite_api_status", Type::Text),
    on_request("marketing_messages_onboarding_status", Type::Text),
    on_request("on_behalf_of_business_info", Type::Object),
    on_request("owner_business", Type::Object),
    on_request("owner_business_info", Type::Object),
    on_request("ownership_type", Type::Text).or("SELF"),
    // [{start?, phone_number, country, pricing_category, pricing_type, tier, volume, cost?}]: messages that were delivered.
    on_request("pricing_analytics", Type::List),
    on_request("primary_business_location", Type::Text),
    on_request("primary_funding_id", Type::Id),
    on_request("purchase_order_number", Type::Text),
    on_request("status", Type::Text).or("ACTIVE"),
    on_request("template_auto_archival_enabled", Type::Flag),
    on_request("whatsapp_business_manager_messaging_limit", Type::Text).since(24),
    internal("business", Type::Ref(Kind::Business)),
    // [{app, override_callback_uri?, verify_token?}]: the apps that take this account's webhooks.
    internal("subscribed_apps", Type::List),
    // Calls an hour per app, instead of Meta's 200 or 5,000.
    internal("rate_limit", Type::Int),
    // Instead of Meta's 250 or 6,000.
    internal("template_limit", Type::Int),
];

const TOKEN: &[Field] = &[
    internal("token", Type::Text),
    internal("app", Type::Ref(Kind::App)),
    internal("type", Type::Text).or("SYSTEM_USER"),
    // Absent or 0: never.
    internal("expires_at", Type::Time),
    internal("data_access_expires_at", Type::Time),
    internal("issued_at", Type::Time),
    internal("is_valid", Type::Flag).or_flag(true),
    // The 190 subcode of a token that is not valid for another reason than its expiry.
    internal("invalid_subcode", Type::Int),
    internal("scopes", Type::List),
    // Absent: every account.
    internal("accounts", Type::Refs(Kind::Account)),
    internal("user_id", Type::Id),
    internal("client_business_id", Type::Id),
    // What fb_exchange_token does with it: new, same, no_later_expiry, refused.
    internal("exchange", Type::Text).or("new"),
    // The language of the user behind it, in which Meta writes error titles.
    internal("locale", Type::Text).or("en_US"),
];

const NUMBER: &[Field] = &[
    by_default("verified_name", Type::Text),
    by_default("code_verification_status", Type::Text).or("VERIFIED"),
    by_default("display_phone_number", Type::Text),
    by_default("quality_rating", Type::Text).or("GREEN"),
    by_default("platform_type", Type::Text).or("CLOUD_API"),
    by_default("throughput", Type::Object),
    by_default("webhook_configuration", Type::Object),
    by_default("last_onboarded_time", Type::Stamp),
    on_request("account_mode", Type::Text).or("LIVE"),
    on_request("certificate", Type::Text),
    on_request("conversational_automation", Type::Object),
    on_request("country_code", Type::Text),
    on_request("country_dial_code", Type::Text),
    on_request("eligibility_for_api_business_global_search", Type::Text),
    on_request("health_status", Type::Object),
    on_request("is_official_business_account", Type::Flag).or_flag(false),
    on_request("is_on_biz_app", Type::Flag).or_flag(false),
    on_request("is_pin_enabled", Type::Flag),
    on_request("is_preverified_number", Type::Flag).or_flag(false),
    on_request("messaging_limit_tier", Type::Text),
    on_request("name_status", Type::Text).or("APPROVED"),
    on_request("new_certificate", Type::Text),
    on_request("new_display_name", Type::Text),
    on_request("new_name_status", Type::Text).or("NONE"),
    on_request("quality_score", Type::Object),
    on_request("search_visibility", Type::Text),
    on_request("status", Type::Text).or("CONNECTED"),
    on_request("whatsapp_business_manager_messaging_limit", Type::Text).since(24),
    internal("account", Type::Ref(Kind::Account)),
    internal("pin", Type::Text),
    internal("profile", Type::Object),
    // {calling?, user_identity_change?, payload_encryption?, storage_configuration?}
    internal("settings", Type::Object),
    // The methods by which no code reaches it: SMS, VOICE.
    internal("undeliverable", Type::List),
    // How many codes its owner means to be sent; one more is a violation.
    internal("expected_codes", Type::Int),
    internal("expected_registrations", Type::Int),
    // How long it is PENDING after its registration, in seconds; absent: as all numbers.
    internal("pending_seconds", Type::Int),
    // How many of its deregistrations will stop half way, and whether one has.
    internal("incomplete_deregistrations", Type::Int),
    internal("half_deregistered", Type::Flag),
];

const TEMPLATE: &[Field] = &[
    by_default("name", Type::Text),
    by_default("parameter_format", Type::Text).or("POSITIONAL"),
    by_default("components", Type::List),
    by_default("language", Type::Text).or("en_US"),
    by_default("status", Type::Text).or("APPROVED"),
    by_default("category", Type::Text).or("UTILITY"),
    by_default("previous_category", Type::Text),
    by_default("sub_category", Type::Text),
    by_default("library_template_name", Type::Text),
    by_default("message_send_ttl_seconds", Type::Int),
    on_request("ad_account_id", Type::Id),
    on_request("ad_adset_id", Type::Id),
    on_request("ad_campaign_id", Type::Id),
    on_request("ad_id", Type::Id),
    on_request("bid_spec", Type::Object),
    on_request("correct_category", Type::Text),
    on_request("cta_url_link_tracking_opted_out", Type::Flag),
    on_request("degrees_of_freedom_spec", Type::List),
    on_request("disable_ios_autofill", Type::Flag),
    on_request("display_format", Type::Text),
    on_request("health_status", Type::Object),
    on_request("is_primary_device_delivery_only", Type::Flag).or_flag(false),
    on_request("is_sms_fallback_enabled", Type::Flag),
    on_request("last_updated_time", Type::Time),
    on_request("quality_score", Type::Object),
    on_request("rejected_reason", Type::Text).or("NONE"),
    on_request("source", Type::Text).or("manual"),
    internal("account", Type::Ref(Kind::Account)),
];
