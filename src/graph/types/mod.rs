//! Meta's objects as it sends them: enums are open, scalars are parsed loosely, unknown keys are ignored.
//!
//! These values stay in memory by the ten thousand and are compared from one read to the next, so they are small and
//! hold nothing that changes by itself.

mod account;
mod components;
mod health;
pub(super) mod lenient;
mod number;
mod open_enum;
mod page;
mod profile;
mod template;
mod token;

pub use account::{Account, AccountRef, SubscribedApp};
pub use components::{Button, Component, LimitedTimeOffer, SupportedApp};
pub use health::{Health, HealthEntity, HealthError};
pub use number::{PhoneNumber, WebhookConfiguration};
pub use open_enum::{
    AccountMode, AccountStatus, ButtonType, Category, CodeVerificationStatus, ComponentType, HeaderFormat, MayMessage,
    MessagingLimit, NameStatus, NumberStatus, OtpType, ParameterFormat, PlatformType, Quality, RejectedReason,
    ReviewStatus, TemplateSource, TemplateStatus, Throughput, TokenKind, VerificationStatus,
};
pub use profile::Profile;
pub use template::Template;
pub use token::{AccountScope, Expiry, GranularScope, InvalidReason, TokenInfo};

pub(super) use account::AccountAnswer;
pub(super) use page::{Item, Items, Next, Node, Page};
pub(super) use profile::ProfileAnswer;
pub(super) use token::{DebugAnswer, TokenAnswer};

#[cfg(test)]
mod odd_tests;
#[cfg(test)]
mod tests;
