//! What Meta's facts of a number mean: its phase and its conditions. First match wins, in the order of the API.

use super::connection::{Connection, is_at_work, unclear};
use crate::{
    api::{ManagementPolicy, NumberPhase, WhatsAppNumber},
    controller::summary::{ConditionValue, Progress, StatusSummary, observed_only},
    graph::types::{CodeVerificationStatus, MayMessage, NameStatus, NumberStatus, PhoneNumber},
    k8s::conditions::SENDABLE,
    messages::{Reason, Reasons, commands},
};

/// The app's token reaches the number.
pub const TOKEN_VALID: &str = "TokenValid";
const VERIFIED: &str = "Verified";
/// The display name is in force.
pub const NAME_APPROVED: &str = "NameApproved";
const REGISTERED: &str = "Registered";

/// Phase and conditions of a number that Meta shows.
pub fn phase_and_conditions(
    object: &WhatsAppNumber,
    number: &PhoneNumber,
    connection: Connection,
) -> (NumberPhase, StatusSummary) {
    let (phase, mut ready, mut progress) = phase_and_ready(object, number, connection);
    let observes = object.spec.management_policy == ManagementPolicy::Observe;
    if phase == NumberPhase::Enabled && is_blocked(number) {
        let message = format!(
            "connected, but Meta's health check reports that it cannot send. The operator reads the check once an hour, and \
             on waba.dev/reconcile-at. status.health.errors has the cause and the remedy: {}",
            commands::line(&format!("{} -o jsonpath='{{.status.health.errors}}'", commands::about("get", object)))
        );
        ready = ConditionValue::no(Reason::HealthBlocked, message);
        progress = Progress::Stalled;
    }
    if observes {
        (ready, progress) = observed_only(ready, progress);
    }
    let conditions = vec![
        (SENDABLE, sendable_condition(number, &phase)),
        (TOKEN_VALID, ConditionValue::yes(Reason::Valid, "the MetaApp's token reads this number")),
        (VERIFIED, verified_condition(number)),
        (NAME_APPROVED, name_condition(number)),
        (REGISTERED, connection.condition(number)),
    ];
    (phase, StatusSummary { conditions, ..StatusSummary::new(ready, progress) })
}

fn phase_and_ready(
    object: &WhatsAppNumber,
    number: &PhoneNumber,
    connection: Connection,
) -> (NumberPhase, ConditionValue, Progress) {
    let stalled = |phase, reason, message: String| (phase, ConditionValue::no(reason, message), Progress::Stalled);
    let adopted = |phase, message: &str| (phase, ConditionValue::yes(Reason::Adopted, message), Progress::Settled);
    let verified = number.code_verification_status == Some(CodeVerificationStatus::Verified);
    match &number.status {
        Some(NumberStatus::Deleted) => stalled(
            NumberPhase::NotFound,
            Reason::Deleted,
            format!(
                "Meta shows the number as deleted; delete this object, or add the number again in WhatsApp Manager > Phone \
                 numbers. To delete the object: {}",
                commands::with("delete", object)
            ),
        ),
        Some(NumberStatus::Migrated) => stalled(
            NumberPhase::NotFound,
            Reason::Migrated,
            format!(
                "the number was moved to another business account; set spec.appRef to the MetaApp that manages that account: {} \
                 (if spec.businessAccountID is set, which is immutable, delete this object and create a new one)",
                commands::with("edit", object)
            ),
        ),
        Some(NumberStatus::Banned) => stalled(
            NumberPhase::Restricted,
            Reason::Banned,
            "Meta banned the number; appeal in WhatsApp Manager > Account quality. The operator notices the end by itself"
                .to_owned(),
        ),
        Some(NumberStatus::Restricted) => stalled(
            NumberPhase::Restricted,
            Reason::Restricted,
            "Meta restricted the number; see WhatsApp Manager > Account quality for the cause and the end. The operator \
             notices the end by itself"
                .to_owned(),
        ),
        _ => match connection {
            Connection::Connected => connected(number),
            Connection::Connecting => (
                NumberPhase::Registering,
                ConditionValue::no(
                    Reason::Registering,
                    "Meta is connecting the number to the Cloud API; this takes some minutes",
                ),
                Progress::Reconciling,
            ),
            Connection::OnPremises if is_at_work(number) => {
                adopted(NumberPhase::Unknown, "connected, but not through the Cloud API; the operator changes nothing")
            }
            Connection::Unclear => adopted(NumberPhase::Unknown, &unclear(number)),
            _ if is_unverified(number) && connection == Connection::Disconnected => adopted(
                NumberPhase::Unverified,
                "somebody deregistered the number, and its verification no longer counts. Add spec.verification and \
                 spec.registration to have it registered again",
            ),
            _ if is_unverified(number) => {
                adopted(NumberPhase::Unverified, "not verified. Add spec.verification to have a code sent")
            }
            Connection::Disconnected if verified => adopted(
                NumberPhase::PinRequired,
                "verified, but not registered any more: somebody deregistered it. Add spec.registration to register it again",
            ),
            _ if verified => {
                adopted(NumberPhase::PinRequired, "verified, but not registered. Add spec.registration to register it")
            }
            _ => adopted(NumberPhase::Unknown, &unclear(number)),
        },
    }
}

fn connected(number: &PhoneNumber) -> (NumberPhase, ConditionValue, Progress) {
    let (reason, message) = match &number.status {
        Some(NumberStatus::Flagged) => (
            Reason::Flagged,
            "connected, and flagged by Meta for low quality; improve the messages, or Meta lowers the limit",
        ),
        Some(NumberStatus::RateLimited) => (
            Reason::RateLimited,
            "connected, and has reached its messaging limit; it sends again when the 24-hour window moves on",
        ),
        _ => (Reason::Enabled, "connected to the Cloud API: it can send and receive"),
    };
    (NumberPhase::Enabled, ConditionValue::yes(reason, message), Progress::Settled)
}

/// Verification counts only until a number is registered.
fn is_unverified(number: &PhoneNumber) -> bool {
    let status = number.status.as_ref();
    let code = number.code_verification_status.as_ref();
    status == Some(&NumberStatus::Unverified)
        || (matches!(code, Some(CodeVerificationStatus::NotVerified | CodeVerificationStatus::Expired))
            && matches!(
                status,
                Some(NumberStatus::Pending | NumberStatus::Disconnected | NumberStatus::Unknown) | None
            ))
}

fn is_blocked(number: &PhoneNumber) -> bool {
    number.health.as_ref().is_some_and(|health| health.can_send_message == Some(MayMessage::Blocked))
}

/// Whether the number can send now, whatever the spec wants.
fn sendable_condition(number: &PhoneNumber, phase: &NumberPhase) -> ConditionValue {
    match &number.status {
        Some(NumberStatus::Banned) => ConditionValue::no(Reason::Banned, "Meta banned the number"),
        Some(NumberStatus::Restricted) => ConditionValue::no(Reason::Restricted, "Meta restricted the number"),
        _ if *phase != NumberPhase::Enabled => {
            ConditionValue::no(Reason::NotRegistered, "the number is not connected to the Cloud API")
        }
        _ if is_blocked(number) => {
            ConditionValue::no(Reason::HealthBlocked, "Meta's health check reports that the number cannot send")
        }
        Some(NumberStatus::RateLimited) => ConditionValue::yes(
            Reason::RateLimited,
            "the number can reply; it has reached its messaging limit for new conversations",
        ),
        _ => {
            ConditionValue::yes(Reason::Sendable, "the number is connected, and Meta's health check does not block it")
        }
    }
}

fn verified_condition(number: &PhoneNumber) -> ConditionValue {
    match &number.code_verification_status {
        Some(CodeVerificationStatus::Verified) => ConditionValue::yes(Reason::Verified, "verified by a code"),
        Some(CodeVerificationStatus::Expired) => ConditionValue::no(
            Reason::VerificationExpired,
            "the verification expired; that matters only when the number is registered (again)",
        ),
        Some(CodeVerificationStatus::NotVerified) => ConditionValue::no(
            Reason::NotVerified,
            "not verified by a code; that matters only when the number is registered (again)",
        ),
        Some(CodeVerificationStatus::Other(word)) => {
            ConditionValue::unknown(Reason::UnknownStatus, format!("Meta shows the verification as {word}"))
        }
        None => ConditionValue::unknown(Reason::UnknownStatus, "Meta does not show whether the number is verified"),
    }
}

fn name_condition(number: &PhoneNumber) -> ConditionValue {
    if number.new_name_status == Some(NameStatus::PendingReview) {
        let name = number.new_display_name.as_deref().unwrap_or("a new one");
        return ConditionValue::no(Reason::NameInReview, format!("Meta reviews the display name {name}"));
    }
    match &number.name_status {
        Some(NameStatus::Approved | NameStatus::AvailableWithoutReview) => {
            ConditionValue::yes(Reason::NameApproved, "the display name is approved")
        }
        Some(NameStatus::PendingReview) => ConditionValue::no(Reason::NameInReview, "Meta reviews the display name"),
        Some(NameStatus::Declined) => ConditionValue::no(
            Reason::NameDeclined,
            "Meta declined the display name; choose another one in WhatsApp Manager > Phone numbers",
        ),
        Some(NameStatus::Expired) => ConditionValue::no(
            Reason::NameExpired,
            "the approval of the display name expired; request it again in WhatsApp Manager > Phone numbers",
        ),
        Some(NameStatus::None | NameStatus::NonExists) | None => {
            ConditionValue::unknown(Reason::NameNotReviewed, "Meta shows no review of the display name")
        }
        Some(NameStatus::Other(word)) => {
            ConditionValue::unknown(Reason::UnknownStatus, format!("Meta shows the display name as {word}"))
        }
    }
}

/// Condition by condition, the reasons that it can have.
pub const REASONS: Reasons = &[
    (
        "Ready",
        &[
            // Before Meta's facts are judged.
            Reason::Suspended,
            Reason::InvalidSpec,
            Reason::Conflict,
            Reason::AppNotFound,
            Reason::AppNotAllowed,
            Reason::AppSuspended,
            Reason::AppNotReady,
            Reason::ExpiredToken,
            Reason::AccountNotManaged,
            Reason::AccountGone,
            Reason::Stale,
            Reason::Reading,
            Reason::NotFound,
            // What Meta shows.
            Reason::Enabled,
            Reason::Flagged,
            Reason::RateLimited,
            Reason::Adopted,
            Reason::HealthBlocked,
            Reason::Restricted,
            Reason::Banned,
            Reason::Deleted,
            Reason::Migrated,
            Reason::Registering,
            // From bare digits to Enabled.
            Reason::Adding,
            Reason::AddRefused,
            Reason::NotVerified,
            Reason::VerificationExpired,
            Reason::CodeNotSent,
            Reason::AwaitingCode,
            Reason::WrongCode,
            Reason::CodeExpired,
            Reason::RegistrationRefused,
            Reason::RegistrationPaused,
            Reason::RegistrationLocked,
            Reason::Disconnected,
            Reason::NotPermitted,
            Reason::PINUnknown,
            Reason::PINRefused,
            Reason::SecretNotFound,
            Reason::SecretKeyNotFound,
            Reason::SecretValueInvalid,
            Reason::SecretUnreadable,
            Reason::SecretNameTaken,
            Reason::SecretNotWritten,
            Reason::LedgerUnusable,
            Reason::OutcomePending,
            Reason::OutcomeUnknown,
            Reason::HeldBack,
            Reason::Settling,
            Reason::ClockSkewed,
            Reason::Deregistering,
            Reason::DeregistrationRefused,
            // From RoutingConfigured and ProfileSynced.
            Reason::CallbackRefused,
            Reason::Contested,
            Reason::NotSubscribed,
            Reason::ProfileRefused,
        ],
    ),
    (
        "Sendable",
        &[
            Reason::Sendable,
            Reason::RateLimited,
            Reason::HealthBlocked,
            Reason::Banned,
            Reason::Restricted,
            Reason::NotRegistered,
            Reason::NotFound,
            Reason::ExpiredToken,
        ],
    ),
    ("TokenValid", &[Reason::Valid, Reason::ExpiredToken]),
    ("Verified", &[Reason::Verified, Reason::NotVerified, Reason::VerificationExpired, Reason::UnknownStatus]),
    (
        "NameApproved",
        &[
            Reason::NameApproved,
            Reason::NameInReview,
            Reason::NameDeclined,
            Reason::NameExpired,
            Reason::NameNotReviewed,
            Reason::ReRegisterRequired,
            Reason::UnknownStatus,
        ],
    ),
    (
        "Registered",
        &[
            Reason::Registered,
            Reason::Registering,
            Reason::NotOnCloudAPI,
            Reason::NotRegistered,
            Reason::Disconnected,
            Reason::UnknownStatus,
        ],
    ),
    (
        "PINSynced",
        &[
            Reason::InvalidSpec,
            Reason::PINSynced,
            Reason::PINDiffers,
            Reason::PINRefused,
            Reason::PINUnknown,
            Reason::SecretNotFound,
            Reason::SecretKeyNotFound,
            Reason::SecretValueInvalid,
            Reason::SecretNameTaken,
            Reason::SecretNotWritten,
        ],
    ),
    (
        "RoutingConfigured",
        &[
            Reason::InvalidSpec,
            Reason::Configured,
            Reason::Settling,
            Reason::CallbackRefused,
            Reason::NotSubscribed,
            Reason::NotPermitted,
            Reason::Contested,
            Reason::SecretNotFound,
            Reason::SecretKeyNotFound,
            Reason::SecretValueInvalid,
            Reason::SecretUnreadable,
            Reason::OutcomePending,
            Reason::HeldBack,
        ],
    ),
    (
        "ProfileSynced",
        &[
            Reason::InvalidSpec,
            Reason::ProfileSynced,
            Reason::ProfileDiffers,
            Reason::ProfileUnreadable,
            Reason::ProfileRefused,
            Reason::NotRegistered,
            Reason::Settling,
            Reason::OutcomePending,
            Reason::HeldBack,
        ],
    ),
    (
        "Bound",
        &[
            Reason::Bound,
            Reason::BoundWithoutToken,
            Reason::NotBound,
            Reason::InvalidSpec,
            Reason::SecretNameTaken,
            Reason::SecretNotWritten,
        ],
    ),
];
