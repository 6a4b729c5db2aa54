//! What Meta's facts of a template mean: its phase and its conditions.

use crate::{
    api::{ManagementPolicy, MessageTemplate, TemplatePhase},
    controller::summary::{ConditionValue, Progress, StatusSummary, observed_only},
    graph::types::{RejectedReason, Template, TemplateStatus},
    k8s::conditions::{SENDABLE, State},
    messages::{Reason, Reasons},
};

const APPROVED: &str = "Approved";
const CATEGORY_MATCHES: &str = "CategoryMatches";

/// Phase and conditions of a template that Meta shows.
pub fn judge(object: &MessageTemplate, template: &Template) -> (TemplatePhase, StatusSummary) {
    let (phase, mut ready, mut progress) = phase_and_ready(template);
    let mut conditions = vec![(APPROVED, ready.clone()), (SENDABLE, sendable(&ready))];
    conditions.extend(category(object, template).map(|finding| (CATEGORY_MATCHES, finding)));
    if object.spec.management_policy == ManagementPolicy::Observe {
        (ready, progress) = observed_only(ready, progress);
    }
    (phase, StatusSummary::of(ready, progress, conditions))
}

/// Only an approved template can be sent.
fn sendable(approved: &ConditionValue) -> ConditionValue {
    if approved.state == State::True {
        return ConditionValue::yes(Reason::Sendable, "Meta approved the template");
    }
    ConditionValue::no(approved.reason, "Meta sends only approved templates; condition Approved has the cause")
}

fn phase_and_ready(template: &Template) -> (TemplatePhase, ConditionValue, Progress) {
    let goes_on = |phase, reason, message: &str| (phase, ConditionValue::no(reason, message), Progress::Reconciling);
    let stalled = |phase, reason, message: &str| (phase, ConditionValue::no(reason, message), Progress::Stalled);
    match &template.status {
        Some(TemplateStatus::Approved) => (
            TemplatePhase::Approved,
            ConditionValue::yes(Reason::Approved, "Meta approved the template: it can be sent"),
            Progress::Settled,
        ),
        Some(TemplateStatus::Pending) => goes_on(
            TemplatePhase::PendingReview,
            Reason::PendingReview,
            "Meta is reviewing the template, which takes up to a day; until then it cannot be sent",
        ),
        Some(TemplateStatus::InAppeal) => goes_on(
            TemplatePhase::InAppeal,
            Reason::InAppeal,
            "Meta is reviewing its decision; until it decides, the template cannot be sent",
        ),
        Some(TemplateStatus::PendingDeletion) => goes_on(
            TemplatePhase::PendingDeletion,
            Reason::PendingDeletion,
            "the template was deleted; Meta removes it when the messages under way are delivered, within 30 days",
        ),
        Some(TemplateStatus::Paused) => goes_on(
            TemplatePhase::Paused,
            Reason::Paused,
            "Meta paused the template for its quality and resumes it by itself, after 3 hours the first time and 6 the \
             second; the third time it is disabled, so check what is sent, and to whom",
        ),
        Some(TemplateStatus::Rejected) => {
            stalled(TemplatePhase::Rejected, Reason::Rejected, &rejected(template.rejected_reason.as_ref()))
        }
        Some(TemplateStatus::Disabled) => stalled(
            TemplatePhase::Disabled,
            Reason::Disabled,
            "Meta disabled the template for its quality or its content; appeal in WhatsApp Manager > Message templates, \
             or use another template",
        ),
        Some(TemplateStatus::Archived) => stalled(
            TemplatePhase::Archived,
            Reason::Archived,
            "Meta archived the template because it was not used for a year, and deletes it 28 days later; unarchive it \
             in WhatsApp Manager > Message templates, or delete this object",
        ),
        Some(TemplateStatus::LimitExceeded) => stalled(
            TemplatePhase::LimitExceeded,
            Reason::LimitExceeded,
            "the business account has as many templates as Meta allows; delete some in WhatsApp Manager > Message \
             templates, or have the business verified, which raises the limit",
        ),
        Some(TemplateStatus::Deleted) => stalled(
            TemplatePhase::NotFound,
            Reason::Deleted,
            "Meta shows the template as deleted; delete this object, or create the template again in WhatsApp Manager > \
             Message templates",
        ),
        other => {
            let word = other.as_ref().map_or("no status", TemplateStatus::as_str);
            let message = format!("Meta shows {word}, which this version of the operator does not know");
            (TemplatePhase::Unknown, ConditionValue::unknown(Reason::UnknownStatus, message), Progress::Settled)
        }
    }
}

fn rejected(reason: Option<&RejectedReason>) -> String {
    let why = match reason {
        None | Some(RejectedReason::None) => "without giving a reason".to_owned(),
        Some(RejectedReason::AbusiveContent) => "for content that abuses people or policy (ABUSIVE_CONTENT)".to_owned(),
        Some(RejectedReason::CategoryNotAvailable) => {
            "because the account may not use the category (CATEGORY_NOT_AVAILABLE)".to_owned()
        }
        Some(RejectedReason::IncorrectCategory) => {
            "because its category does not fit its content (INCORRECT_CATEGORY)".to_owned()
        }
        Some(RejectedReason::InvalidFormat) => "for its form, such as its variables (INVALID_FORMAT)".to_owned(),
        Some(RejectedReason::Promotional) => "for promotional content (PROMOTIONAL)".to_owned(),
        Some(RejectedReason::Scam) => "as a scam (SCAM)".to_owned(),
        Some(RejectedReason::TagContentMismatch) => {
            "because its content does not fit its category or language (TAG_CONTENT_MISMATCH)".to_owned()
        }
        Some(RejectedReason::Other(word)) => format!("with the reason {word}"),
    };
    format!("Meta rejected the template {why}; edit it or appeal in WhatsApp Manager > Message templates")
}

/// Whether Meta's category is the requested one. Meta may change it; the condition reports that, and Ready stays as it is.
fn category(object: &MessageTemplate, template: &Template) -> Option<ConditionValue> {
    let wanted = object.spec.category.as_ref()?.as_str();
    let Some(given) = template.category.as_ref() else {
        return Some(ConditionValue::unknown(Reason::UnknownStatus, "Meta does not show the category"));
    };
    let given = given.as_str();
    if given != wanted {
        let message = format!(
            "spec.category is {wanted}, but Meta has set {given}, and prices and limits the messages accordingly; request a \
             review in WhatsApp Manager, or set spec.category: {given}"
        );
        return Some(ConditionValue::no(Reason::CategoryChanged, message));
    }
    let announced = template.correct_category.as_ref().map(crate::graph::types::Category::as_str);
    Some(ConditionValue::yes(
        Reason::CategoryMatches,
        match announced.filter(|&next| next != given) {
            Some(next) => format!("{given}, as in spec.category; Meta has announced that it will be {next}"),
            None => format!("{given}, as in spec.category"),
        },
    ))
}

/// Condition by condition, the reasons that it can have.
pub const REASONS: Reasons = &[
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
            Reason::AccountGone,
            Reason::InvalidSpec,
            Reason::Stale,
            Reason::NotFound,
            Reason::NotYetSupported,
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
    (
        "Sendable",
        &[
            Reason::Sendable,
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
            Reason::NotFound,
            Reason::NotYetSupported,
            Reason::AccountNotManaged,
            Reason::AccountGone,
            Reason::InvalidSpec,
            Reason::ExpiredToken,
        ],
    ),
    ("CategoryMatches", &[Reason::CategoryMatches, Reason::CategoryChanged, Reason::UnknownStatus]),
    ("Submitted", &[Reason::NotYetSupported]),
    ("Releasable", &[Reason::NotYetSupported]),
    ("InSync", &[]),
];
