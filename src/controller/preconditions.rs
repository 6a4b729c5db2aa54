//! How a number or template stands before Meta's facts of it are judged: the same for both kinds. Pure.

use std::time::Instant;

use super::{
    app_reference::{AppReference, expired},
    managed_resource::{Input, ManagedResource},
    plan::{Proof, Requeue},
    summary::{ConditionValue, Progress, StatusSummary},
};
use crate::messages::{Reason, commands};
use crate::{
    api::{Kind, ManagedStatus, SpecError},
    k8s::conditions::{self, READY},
    observe::Observation,
};

/// How an object stands, as far as that is the same for every kind.
#[derive(Debug)]
pub enum Preconditions<'a, T> {
    /// It cannot be told yet.
    Open(Requeue),
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

/// How the object stands.
pub fn preconditions<'a, R: ManagedResource>(input: &'a Input<'_, R>) -> Preconditions<'a, R::Facts> {
    let Input { object, app, namespace, .. } = input;
    if object.suspend() {
        let message = format!(
            "spec.suspend is true: Meta is not called for this object. To go on: {}",
            commands::patch(*object, r#"{"suspend":false}"#)
        );
        let finding = ConditionValue::unknown(Reason::Suspended, message);
        return Preconditions::Suspended(StatusSummary::keeping(finding, Progress::Suspended));
    }
    if let Some(SpecError { field, message }) = object.spec_errors().first() {
        let message = format!("{field}: {message}. To correct it: {}", commands::with("edit", *object));
        let finding = ConditionValue::no(Reason::InvalidSpec, message);
        return Preconditions::Kept(StatusSummary::keeping(finding, Progress::Stalled));
    }
    // Whoever may not refer to the app is not told who else does.
    if let Some(competing_object) = input.competing_object.as_ref().filter(|_| *input.link != AppReference::NotAllowed)
    {
        let name = object.title();
        let message = format!(
            "{name} is managed by {competing_object}; delete one of the two, nothing is done for this one. To delete this one, which \
             changes nothing at Meta: {}",
            commands::with("delete", *object)
        );
        return Preconditions::Conflict(StatusSummary::new(
            ConditionValue::no(Reason::Conflict, message),
            Progress::Stalled,
        ));
    }
    if let Some(verdict) = input.link.verdict(app, namespace, &commands::with("edit", *object)) {
        return Preconditions::Kept(verdict);
    }
    match (input.link, &input.seen) {
        (AppReference::Expired(why), _) => Preconditions::TokenExpired(expired(why, app, namespace)),
        (AppReference::Waiting, _) | (_, Observation::Unread) => Preconditions::Open(Requeue::Nothing),
        (_, Observation::Unmanaged) => {
            let account = object.account().unwrap_or_default();
            let message = format!(
                "MetaApp {app} does not manage business account {account}: assign it to its token's system user (Business \
                 settings > System users); and where the MetaApp names its accounts in spec.businessAccountIDs, name it \
                 there too: {}",
                commands::with_app("edit", app)
            );
            Preconditions::Unmanaged(StatusSummary::new(
                ConditionValue::no(Reason::AccountNotManaged, message),
                Progress::Stalled,
            ))
        }
        (
            _,
            Observation::Unreadable
            | Observation::Present { stale: true, .. }
            | Observation::Absent { stale: true, .. },
        ) => {
            let message = format!(
                "Meta could not be read for a while; what is shown may be out of date, and the MetaApp says why: {}",
                commands::with_app("describe", app)
            );
            Preconditions::Kept(StatusSummary::keeping(
                ConditionValue::unknown(Reason::Stale, message),
                Progress::Settled,
            ))
        }
        (_, Observation::Present { account, facts, .. }) => Preconditions::Shown { account, facts },
        (_, Observation::Absent { since, read, .. }) => absent(input, *since, *read),
    }
}

/// Gone is what two complete reads far enough apart lack, and, where there once was an id, a read by that id too.
fn absent<'a, R: ManagedResource>(
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
    match (input.object.recorded(), &input.proof) {
        (None, _) => Preconditions::NeverThere,
        (Some((account, id)), None) => {
            Preconditions::Open(Requeue::Proof { account: account.to_owned(), id: id.to_owned() })
        }
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
