//! The closed list of reasons that conditions, history and Events use. Documentation and metrics rely on it.

macro_rules! reasons {
    ($($(#[$meta:meta])* $reason:ident,)+) => {
        /// Why a condition has the status it has.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason { $($(#[$meta])* $reason,)+ }

        impl Reason {
            /// Every reason, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$reason,)+];

            /// As written in conditions.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$reason => stringify!($reason),)+ }
            }
        }
    };
}

reasons! {
    /// The app's credentials and token work.
    Connected,
    /// The number can be used on the Cloud API.
    Enabled,
    /// Messages can be sent now.
    Sendable,
    /// The number works, but its quality is so low that Meta flagged it.
    Flagged,
    /// The number works, but Meta limits how much it may send.
    RateLimited,
    /// The template can be sent.
    Approved,
    /// Read and reported; the spec requests nothing more.
    Adopted,
    /// `spec.suspend` is true.
    Suspended,
    /// Another object represents the same number or template at Meta.
    Conflict,
    /// The spec contains something impossible.
    InvalidSpec,
    /// This version of the operator does not act on the field yet.
    NotYetSupported,
    /// There is no such `MetaApp`.
    AppNotFound,
    /// The `MetaApp` does not allow this namespace to refer to it.
    AppNotAllowed,
    /// The `MetaApp` is suspended.
    AppSuspended,
    /// The `MetaApp` cannot read Meta; its own conditions give the cause.
    AppNotReady,
    /// Meta could not be read for so long that what is shown may be out of date.
    Stale,
    /// Meta could not be reached, or replied with a server error.
    MetaUnreachable,
    /// Meta has throttled the calls.
    Throttled,
    /// Tested and found good.
    Valid,
    /// A Secret is missing.
    SecretNotFound,
    /// A Secret lacks the key.
    SecretKeyNotFound,
    /// The value in the Secret is empty or not text.
    SecretValueInvalid,
    /// A Secret could not be read or written.
    SecretUnreadable,
    /// Somebody else's Secret has the name that the operator needs.
    SecretNameTaken,
    /// The API server does not let the operator write one of its own Secrets.
    SecretNotWritten,
    /// Meta does not know the app ID.
    WrongAppID,
    /// The app secret does not belong to the app ID.
    WrongAppSecret,
    /// The token is not valid (any more).
    ExpiredToken,
    /// The token belongs to another app.
    TokenOfAnotherApp,
    /// A new app secret is in use.
    AppSecretTakenUp,
    /// The operator tests a new app secret; the one before stays in use.
    ProvingAppSecret,
    /// A new token of a person's is in use.
    TokenTakenUp,
    /// Meta exchanged the token, and the new one is in use.
    TokenExchanged,
    /// A new token was refused; the one before stays in use.
    TokenRejected,
    /// The operator tests a new token.
    ProvingToken,
    /// The token expires soon.
    TokenExpiresSoon,
    /// The token expires soon and could not be exchanged.
    ExchangeFailed,
    /// The token does not let the operator see any account.
    NoAccounts,
    /// All accounts were read.
    Synced,
    /// The accounts are being read for the first time.
    Reading,
    /// Objects could not be created for what was found.
    ImportFailed,
    /// An account cannot be read with the token.
    AccountNotReadable,
    /// An account that the app managed is not there any more.
    AccountGone,
    /// The token shows an account that it did not show before.
    AccountFound,
    /// The app does not manage the account that the object names.
    AccountNotManaged,
    /// The accounts have a payment method.
    PaymentMethodSet,
    /// An account has no payment method: Meta delivers the free messages only.
    NoPaymentMethod,
    /// Payment and usage of an account could not be read.
    UsageNotReadable,
    /// The local clock and Meta's are too far apart.
    ClockSkewed,
    /// Meta serves another Graph version than the requested one.
    GraphVersionEnded,
    /// The number is verified at Meta.
    Verified,
    /// The number is not verified at Meta.
    NotVerified,
    /// The verification at Meta lapsed.
    VerificationExpired,
    /// Registered with the Cloud API.
    Registered,
    /// Not registered with the Cloud API.
    NotRegistered,
    /// Meta is registering the number.
    Registering,
    /// Meta restricted the number.
    Restricted,
    /// Meta banned the number.
    Banned,
    /// The number or template is not at Meta (any more).
    NotFound,
    /// The number was moved to another account.
    Migrated,
    /// The number is deleted at Meta.
    Deleted,
    /// Meta's health check reports that it cannot send.
    HealthBlocked,
    /// The number is connected, but not through the Cloud API.
    NotOnCloudAPI,
    /// Meta shows a status that this version does not know.
    UnknownStatus,
    /// The display name is approved.
    NameApproved,
    /// Meta reviews the display name.
    NameInReview,
    /// Meta declined the display name.
    NameDeclined,
    /// The approval of the display name lapsed.
    NameExpired,
    /// There is no display name to review.
    NameNotReviewed,
    /// A new display name was approved, and comes into force with the next registration.
    ReRegisterRequired,
    /// The number is being added to its account.
    Adding,
    /// Meta did not add the number.
    AddRefused,
    /// A code was sent; a person has to put it into its Secret.
    AwaitingCode,
    /// Meta did not accept the code in the Secret.
    WrongCode,
    /// The code that was sent is no longer valid.
    CodeExpired,
    /// Meta sent no code.
    CodeNotSent,
    /// Meta did not register the number.
    RegistrationRefused,
    /// The operator pauses before it reaches Meta's limit of registrations.
    RegistrationPaused,
    /// Meta locked the number after too many registrations.
    RegistrationLocked,
    /// The number was connected once, and the operator registers it again only on request.
    Disconnected,
    /// The PIN in the Secret is the one in force.
    PINSynced,
    /// The PIN in the Secret is not the one in force.
    PINDiffers,
    /// Meta refused the PIN.
    PINRefused,
    /// The operator does not know the PIN in force.
    PINUnknown,
    /// The number is being deregistered, because its object is deleted.
    Deregistering,
    /// Meta did not deregister the number.
    DeregistrationRefused,
    /// A request got no reply; the operator is checking whether it took effect.
    OutcomePending,
    /// Requests got no reply; a person has to check whether they took effect.
    OutcomeUnknown,
    /// The operator could not make a call to Meta, and retries.
    HeldBack,
    /// The next step waits for a fresh read of Meta.
    Settling,
    /// The number's ledger cannot be used.
    LedgerUnusable,
    /// Set as the spec requests.
    Configured,
    /// Somebody else keeps changing a value that the operator set.
    Contested,
    /// Meta could not verify the callback.
    CallbackRefused,
    /// The app is not subscribed to the account.
    NotSubscribed,
    /// Meta does not allow it for this number.
    NotPermitted,
    /// Meta shows the profile as the spec has it.
    ProfileSynced,
    /// Meta shows another profile than was written.
    ProfileDiffers,
    /// Meta's reply does not show the profile in a form that can be read.
    ProfileUnreadable,
    /// Meta refused the profile.
    ProfileRefused,
    /// The binding Secret is up to date.
    Bound,
    /// The binding Secret is up to date, and has no token.
    BoundWithoutToken,
    /// The binding Secret is not written yet.
    NotBound,
    /// Meta reviews the template.
    PendingReview,
    /// Meta rejected the template.
    Rejected,
    /// Meta paused the template for low quality.
    Paused,
    /// Meta disabled the template.
    Disabled,
    /// An appeal against Meta's decision is under way.
    InAppeal,
    /// Meta archived the template.
    Archived,
    /// Meta is deleting the template.
    PendingDeletion,
    /// The account has as many templates as Meta allows.
    LimitExceeded,
    /// Meta's category is the requested one.
    CategoryMatches,
    /// Meta moved the template to another category.
    CategoryChanged,
}

/// Reasons of notices only: what they name is in no condition.
pub const OF_NOTICES: &[Reason] =
    &[Reason::AppSecretTakenUp, Reason::AccountFound, Reason::TokenTakenUp, Reason::TokenExchanged];

/// Condition by condition, the reasons that it can have.
pub type Reasons = &'static [(&'static str, &'static [Reason])];

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Reason {
    /// The reason with this name.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|reason| reason.as_str() == word).copied()
    }

    /// Whether it only reports that the operator waits for Meta to show what Meta has accepted.
    #[must_use]
    pub fn is_passing(self) -> bool {
        matches!(self, Self::Registering | Self::Settling)
    }

    /// Whether its cause is the app's and not the object's: the app has an Event for it, and its objects have none.
    #[must_use]
    pub fn is_of_app(self) -> bool {
        matches!(self, Self::AccountGone | Self::AppNotReady | Self::AppSuspended | Self::ExpiredToken | Self::Stale)
    }

    /// Whether a person has to act on it, in any condition, even if the object is not Stalled.
    #[must_use]
    pub fn is_for_people(self) -> bool {
        matches!(
            self,
            Self::AppNotAllowed
                | Self::AppNotFound
                | Self::AwaitingCode
                | Self::CallbackRefused
                | Self::ClockSkewed
                | Self::Contested
                | Self::ExchangeFailed
                | Self::NameDeclined
                | Self::NameExpired
                | Self::NoPaymentMethod
                | Self::NotSubscribed
                | Self::PINDiffers
                | Self::PINRefused
                | Self::PINUnknown
                | Self::ProfileRefused
                | Self::ReRegisterRequired
                | Self::SecretKeyNotFound
                | Self::SecretNameTaken
                | Self::SecretNotFound
                | Self::SecretNotWritten
                | Self::SecretValueInvalid
                | Self::TokenRejected
                | Self::WrongAppSecret
                | Self::WrongCode
        )
    }
}
