//! How a number or template stands before Meta's facts of it are judged: the same for both kinds. Pure.

use std::time::Instant;

use super::{
    account_resource::{AccountResource, Input, Proof},
    app_reference::{AppReference, expired},
    plan::Requeue,
    summary::{ConditionValue, Progress, StatusSummary},
};
use crate::messages::{Reason, commands};
use crate::{
    api::{Kind, ManagedStatus},
    k8s::conditions::{self, READY},
    observe::Observation,
};

/// How an object stands, as far as that is the same for every kind.
#[derive(Debug)]
pub enum Preconditions<'a, T> {
    /// It cannot be told yet.
    Open(Requeue),
    /// No account lists it any more. Whether Meta still has it, a read by its id shows.
    Unproven {
        /// The account that held it.
        account: &'a str,
        /// Its id.
        id: &'a str,
    },
    /// The last phase and values stay.
    Kept(StatusSummary),
    /// `spec.suspend`.
    Suspended(StatusSummary),
    /// Another object goes before it.
    Conflict(StatusSummary),
    /// The app's token is dead; what to say.
    TokenExpired(String),
    /// Its account is none of the app's.
    Unmanaged(StatusSummary),
    /// An account shows it.
    Shown {
        /// The account's id.
        account: &'a str,
        /// What it shows.
        facts: &'a T,
    },
    /// No account has it, and none is known to have had it.
    NeverThere,
    /// It was there under this id, and is not any more.
    Gone {
        /// Its id.
        id: &'a str,
    },
    /// No account lists it any more, but Meta still shows it under its id.
    Elsewhere {
        /// What Meta shows.
        facts: &'a T,
    },
}

/// How the object stands: the first check that says something decides.
pub fn preconditions<'a, R: AccountResource>(input: &'a Input<'_, R>) -> Preconditions<'a, R::Facts> {
    suspended(input)
        .or_else(|| conflict(input))
        .or_else(|| app_not_ready(input))
        .or_else(|| token_expired(input))
        .or_else(|| account_not_managed(input))
        .or_else(|| stale(input))
        .unwrap_or_else(|| observed(input))
}

type Checked<'a, R> = Option<Preconditions<'a, <R as AccountResource>::Facts>>;

fn suspended<'a, R: AccountResource>(input: &'a Input<'_, R>) -> Checked<'a, R> {
    input.object.suspend().then(|| {
        let message = format!(
            "spec.suspend is true, so the operator does not call Meta for this object. To resume: {}",
            commands::patch(input.object, r#"{"suspend":false}"#)
        );
        let finding = ConditionValue::unknown(Reason::Suspended, message);
        Preconditions::Suspended(StatusSummary::keeping(finding, Progress::Suspended))
    })
}

/// Whoever has no app that may be referred to does not learn what others manage.
fn conflict<'a, R: AccountResource>(input: &'a Input<'_, R>) -> Checked<'a, R> {
    let has_app = !matches!(input.link, AppReference::Missing | AppReference::NotAllowed);
    let competing_object = input.competing_object.filter(|_| has_app)?;
    let message = format!(
        "{} is managed by {competing_object}, so the operator does nothing for this object. Delete one of the two. To delete \
         this one, which changes nothing at Meta: {}",
        input.object.title(),
        commands::with("delete", input.object)
    );
    let finding = ConditionValue::no(Reason::Conflict, message);
    Some(Preconditions::Conflict(StatusSummary::new(finding, Progress::Stalled)))
}

fn app_not_ready<'a, R: AccountResource>(input: &'a Input<'_, R>) -> Checked<'a, R> {
    let edit = commands::with("edit", input.object);
    input.link.verdict(input.app, input.namespace, &edit).map(Preconditions::Kept)
}

fn token_expired<'a, R: AccountResource>(input: &'a Input<'_, R>) -> Checked<'a, R> {
    match input.link {
        AppReference::Expired(why) => Some(Preconditions::TokenExpired(expired(why, input.app, input.namespace))),
        AppReference::Waiting => Some(Preconditions::Open(Requeue::Nothing)),
        _ => None,
    }
}

fn account_not_managed<'a, R: AccountResource>(input: &'a Input<'_, R>) -> Checked<'a, R> {
    let Input { object, app, .. } = input;
    if *input.seen == Observation::Unmanaged
        && let Some((account, _)) = object.recorded()
        && object.account().is_none_or(|named| named == account)
    {
        let message = format!(
            "MetaApp {app} does not manage business account {account} any more, where {} was. The last known values stay. To see \
             the cause in condition AccountsSynced of the MetaApp: {}",
            object.title(),
            commands::with_app("describe", app)
        );
        let finding = ConditionValue::no(Reason::AccountGone, message);
        return Some(Preconditions::Unmanaged(StatusSummary::new(finding, Progress::Settled)));
    }
    matches!(input.seen, Observation::Unmanaged).then(|| {
        let message = format!(
            "MetaApp {app} does not manage business account {}: assign it to its token's system user (Business settings > \
             System users); and where the MetaApp names its accounts in spec.businessAccountIDs, name it there too: {}",
            object.account().unwrap_or_default(),
            commands::with_app("edit", app)
        );
        let finding = ConditionValue::no(Reason::AccountNotManaged, message);
        Preconditions::Unmanaged(StatusSummary::new(finding, Progress::Stalled))
    })
}

fn stale<'a, R: AccountResource>(input: &'a Input<'_, R>) -> Checked<'a, R> {
    let is_stale = matches!(
        input.seen,
        Observation::Unreadable | Observation::Present { stale: true, .. } | Observation::Absent { stale: true, .. }
    );
    is_stale.then(|| {
        let message = format!(
            "Meta could not be read for a while; what is shown may be out of date, and the MetaApp says why: {}",
            commands::with_app("describe", input.app)
        );
        let finding = ConditionValue::unknown(Reason::Stale, message);
        Preconditions::Kept(StatusSummary::keeping(finding, Progress::Settled))
    })
}

fn observed<'a, R: AccountResource>(input: &'a Input<'_, R>) -> Preconditions<'a, R::Facts> {
    match input.seen {
        Observation::Present { account, facts, .. } => Preconditions::Shown { account, facts },
        Observation::Absent { since, read, .. } => absent(input, *since, *read),
        Observation::Unread | Observation::Unmanaged | Observation::Unreadable => Preconditions::Open(Requeue::Nothing),
    }
}

/// Gone is what two complete reads far enough apart lack, and, where there once was an id, a read by that id too.
fn absent<'a, R: AccountResource>(
    input: &'a Input<'_, R>,
    since: Instant,
    read: Instant,
) -> Preconditions<'a, R::Facts> {
    if is_told(input.object) {
        // Said once it stays said, also by the next process: nobody knows it better without new reads.
        return Preconditions::Open(Requeue::Nothing);
    }
    let gap = input.timing.absence_gap;
    if read.saturating_duration_since(since) < gap {
        let due = (since + gap).saturating_duration_since(input.instant);
        return Preconditions::Open(if due.is_zero() { Requeue::AfterRead(gap / 10) } else { Requeue::After(due) });
    }
    match (input.object.recorded(), input.proof) {
        (None, _) => Preconditions::NeverThere,
        (Some((account, id)), None) => Preconditions::Unproven { account, id },
        (Some((_, id)), Some(Proof::Gone)) => Preconditions::Gone { id },
        (Some(_), Some(Proof::Elsewhere(facts))) => Preconditions::Elsewhere { facts },
    }
}

/// What is said of a thing that is not there.
pub fn not_found(message: String) -> StatusSummary {
    StatusSummary::new(ConditionValue::no(Reason::NotFound, message), Progress::Stalled)
}

/// Whether the status says already, of this very spec, that the thing is not there.
fn is_told<K: Kind>(object: &K) -> bool {
    let Some(status) = object.status() else { return false };
    let reason = conditions::find(status.conditions(), READY).map(|ready| ready.reason.as_str());
    let absent = [
        (Some("NotFound"), Some(Reason::NotFound.as_str())),
        (Some("Pending"), Some(Reason::NotYetSupported.as_str())),
    ];
    object.meta().generation == Some(status.observed_generation()) && absent.contains(&(status.phase(), reason))
}
