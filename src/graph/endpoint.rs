//! The endpoints in use: a closed set, for metrics and for errors whose meaning depends on where they occur.

/// An endpoint of the Graph API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `GET /{app}`, with the app's own token.
    App,
    /// `GET /debug_token`, with the app's own token.
    DebugToken,
    /// `GET /oauth/access_token`, with the app's ID and secret.
    AccessToken,
    /// `GET /me/assigned_whatsapp_business_accounts`.
    AssignedAccounts,
    /// `GET /{waba}`.
    Account,
    /// `GET /{waba}` for its payment method and `pricing_analytics`.
    Pricing,
    /// `GET /{waba}/phone_numbers`.
    PhoneNumbers,
    /// `GET /{waba}/message_templates`.
    MessageTemplates,
    /// `GET /{phone number}`.
    PhoneNumber,
    /// `GET /{template}`.
    MessageTemplate,
    /// `POST /{waba}/phone_numbers`.
    AddNumber,
    /// `POST /{phone number}/request_code`.
    RequestCode,
    /// `POST /{phone number}/verify_code`.
    VerifyCode,
    /// `POST /{phone number}/register`.
    Register,
    /// `POST /{phone number}/deregister`.
    Deregister,
    /// `POST /{phone number}` with a PIN.
    SetPin,
    /// `POST /{phone number}` with a callback.
    SetWebhook,
    /// `/{phone number}/whatsapp_business_profile`.
    Profile,
}

impl Endpoint {
    /// The label in metrics, logs and errors.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::DebugToken => "debug_token",
            Self::AccessToken => "oauth_access_token",
            Self::AssignedAccounts => "assigned_accounts",
            Self::Account => "account",
            Self::Pricing => "pricing",
            Self::PhoneNumbers => "phone_numbers",
            Self::MessageTemplates => "message_templates",
            Self::PhoneNumber => "phone_number",
            Self::MessageTemplate => "message_template",
            Self::AddNumber => "add_number",
            Self::RequestCode => "request_code",
            Self::VerifyCode => "verify_code",
            Self::Register => "register",
            Self::Deregister => "deregister",
            Self::SetPin => "set_pin",
            Self::SetWebhook => "set_webhook",
            Self::Profile => "profile",
        }
    }

    /// Whether calls to it change a number or an account.
    pub(super) fn changes_something(self) -> bool {
        match self {
            Self::AddNumber
            | Self::RequestCode
            | Self::VerifyCode
            | Self::Register
            | Self::Deregister
            | Self::SetPin
            | Self::SetWebhook
            | Self::Profile => true,
            Self::App
            | Self::DebugToken
            | Self::AccessToken
            | Self::AssignedAccounts
            | Self::Account
            | Self::Pricing
            | Self::PhoneNumbers
            | Self::MessageTemplates
            | Self::PhoneNumber
            | Self::MessageTemplate => false,
        }
    }

    /// Whether the call carries the app's own token: Meta's errors about "the token" are then about the app's secret.
    pub(super) fn takes_app_token(self) -> bool {
        matches!(self, Self::App | Self::DebugToken)
    }
}
