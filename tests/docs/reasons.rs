//! Each kind's page lists, condition by condition, every reason that the condition can have, and no other.

use std::collections::{BTreeMap, BTreeSet};

use waba_operator::messages::Reason;

use crate::page::{Page, all, first_column, pages};

/// Condition by condition, the reasons it can have.
type Reasons = &'static [(&'static str, &'static [Reason])];

/// These repeat Ready's reason and message, and have no table of their own.
const MARKERS: [&str; 3] = ["Reconciling", "Stalled", "Suspended"];

/// The kinds with their pages.
const PAGES: [(&str, Reasons); 3] = [
    ("docs/metaapp.md", META_APP),
    ("docs/whatsappnumber.md", WHATSAPP_NUMBER),
    ("docs/messagetemplate.md", MESSAGE_TEMPLATE),
];

const META_APP: Reasons = &[
    (
        "Ready",
        &[
            Reason::Connected,
            Reason::Suspended,
            Reason::Conflict,
            Reason::InvalidSpec,
            Reason::NotYetSupported,
            Reason::Stale,
            Reason::MetaUnreachable,
            Reason::Throttled,
            Reason::SecretNotFound,
            Reason::SecretKeyNotFound,
            Reason::SecretValueInvalid,
            Reason::SecretUnreadable,
            Reason::SecretNameTaken,
            Reason::WrongAppID,
            Reason::WrongAppSecret,
            Reason::ExpiredToken,
            Reason::TokenOfAnotherApp,
            Reason::NoAccounts,
            Reason::Reading,
            Reason::ImportFailed,
            Reason::AccountNotReadable,
        ],
    ),
    (
        "CredentialsValid",
        &[
            Reason::Valid,
            Reason::SecretNotFound,
            Reason::SecretKeyNotFound,
            Reason::SecretValueInvalid,
            Reason::SecretUnreadable,
            Reason::WrongAppID,
            Reason::WrongAppSecret,
            Reason::MetaUnreachable,
        ],
    ),
    (
        "TokenValid",
        &[
            Reason::Valid,
            Reason::TokenExpiresSoon,
            Reason::ExchangeFailed,
            Reason::ProvingToken,
            Reason::TokenRejected,
            Reason::SecretNotFound,
            Reason::SecretKeyNotFound,
            Reason::SecretValueInvalid,
            Reason::SecretUnreadable,
            Reason::SecretNameTaken,
            Reason::ExpiredToken,
            Reason::TokenOfAnotherApp,
            Reason::MetaUnreachable,
        ],
    ),
    (
        "AccountsSynced",
        &[
            Reason::Synced,
            Reason::Reading,
            Reason::NoAccounts,
            Reason::AccountNotReadable,
            Reason::Throttled,
            Reason::MetaUnreachable,
            Reason::ImportFailed,
        ],
    ),
    ("ClockInSync", &[Reason::ClockSkewed]),
    ("GraphVersionServed", &[Reason::GraphVersionEnded]),
    (
        "BindingTokenValid",
        &[
            Reason::Configured,
            Reason::SecretNotFound,
            Reason::SecretKeyNotFound,
            Reason::SecretValueInvalid,
            Reason::SecretUnreadable,
        ],
    ),
    ("WebhookConfigured", &[Reason::NotYetSupported]),
    ("LoginConfigured", &[Reason::NotYetSupported]),
    ("Releasable", &[Reason::NotYetSupported]),
];

const WHATSAPP_NUMBER: Reasons = &[
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
            Reason::Stale,
            Reason::Reading,
            Reason::NotFound,
            // What Meta shows.
            Reason::Enabled,
            Reason::Flagged,
            Reason::RateLimited,
            Reason::Adopted,
            Reason::Observed,
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
    ("Registered", &[Reason::Registered, Reason::Registering, Reason::NotOnCloudAPI, Reason::NotRegistered]),
    (
        "PINSynced",
        &[
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
            Reason::ProfileSynced,
            Reason::ProfileDiffers,
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
            Reason::SecretNameTaken,
            Reason::SecretNotWritten,
        ],
    ),
];

const MESSAGE_TEMPLATE: Reasons = &[
    (
        "Ready",
        &[
            Reason::Suspended,
            Reason::Conflict,
            Reason::AppNotFound,
            Reason::AppNotAllowed,
            Reason::AppSuspended,
            Reason::AppNotReady,
            Reason::AccountNotManaged,
            Reason::Stale,
            Reason::NotFound,
            Reason::NotYetSupported,
            Reason::Observed,
            Reason::Approved,
            Reason::PendingReview,
            Reason::InAppeal,
            Reason::PendingDeletion,
            Reason::Paused,
            Reason::Rejected,
            Reason::Disabled,
            Reason::Archived,
            Reason::LimitExceeded,
            Reason::Deleted,
            Reason::UnknownStatus,
        ],
    ),
    (
        "Approved",
        &[
            Reason::Approved,
            Reason::PendingReview,
            Reason::InAppeal,
            Reason::PendingDeletion,
            Reason::Paused,
            Reason::Rejected,
            Reason::Disabled,
            Reason::Archived,
            Reason::LimitExceeded,
            Reason::Deleted,
            Reason::UnknownStatus,
        ],
    ),
    ("CategoryMatches", &[Reason::CategoryMatches, Reason::CategoryChanged, Reason::UnknownStatus]),
    ("Submitted", &[Reason::NotYetSupported]),
    ("Releasable", &[Reason::NotYetSupported]),
    ("InSync", &[]),
];

fn declared(reasons: Reasons) -> BTreeMap<String, BTreeSet<String>> {
    let words = |reasons: &[Reason]| reasons.iter().map(ToString::to_string).collect();
    reasons.iter().map(|(condition, reasons)| ((*condition).to_owned(), words(reasons))).collect()
}

/// What a page says: below each heading of a condition, or of several that share a table, the reasons of that table.
fn documented(page: &Page) -> BTreeMap<String, BTreeSet<String>> {
    let mut found = BTreeMap::new();
    for part in page.section("Conditions").split("\n### ").skip(1) {
        let (heading, text) = part.split_once('\n').unwrap();
        let reasons = first_column(text, "Reason");
        for condition in all("`([^`]+)`", heading) {
            if MARKERS.contains(&&*condition) {
                assert_eq!(reasons, BTreeSet::new(), "{}: {condition} has Ready's reason", page.name());
            } else {
                found.insert(condition, reasons.clone());
            }
        }
    }
    found
}

#[test]
fn reasons_of_each_condition() {
    for (page, reasons) in PAGES {
        let (documented, declared) = (documented(&Page::read(page)), declared(reasons));
        let conditions = |of: &BTreeMap<String, BTreeSet<String>>| of.keys().cloned().collect::<Vec<_>>();
        assert_eq!(conditions(&documented), conditions(&declared), "{page}");
        for (condition, reasons) in &declared {
            let documented = &documented[condition];
            let (missing, wrong): (Vec<_>, Vec<_>) =
                (reasons.difference(documented).collect(), documented.difference(reasons).collect());
            assert!(missing.is_empty(), "{page}: the table of {condition} lacks {missing:?}");
            assert!(wrong.is_empty(), "{page}: {condition} never has {wrong:?}");
        }
    }
}

/// Every reason is used by some condition, and a page names no reason outside these tables.
#[test]
fn reasons_belong_to_conditions() {
    let all_reasons: BTreeSet<_> = Reason::ALL.iter().map(ToString::to_string).collect();
    let in_code: BTreeSet<_> = PAGES.iter().flat_map(|(_, reasons)| declared(reasons)).flat_map(|(_, r)| r).collect();
    assert_eq!(in_code, all_reasons);
    let in_tables: BTreeSet<_> = pages().iter().flat_map(|page| page.table("Reason")).collect();
    assert_eq!(in_tables, all_reasons);
}
