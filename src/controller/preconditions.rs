//! How a number or template stands before Meta's facts of it are judged: the same for both kinds. Pure.

use std::time::{Duration, Instant};

use super::{
    app_reference::{AppReference, expired},
    managed_resource::ManagedResource,
    summary::{ConditionValue, Progress, StatusSummary},
};
use crate::messages::{Reason, commands};
use crate::{
    api::{Action, AppKey, ManagedStatus, Problem},
    k8s::conditions::{self, READY},
    observe::Observation,
    timing::Timing,
};

/// What a read by id says of something that no account lists.
#[derive(Debug, Clone, PartialEq)]
pub enum Proof<T> {
    /// Meta does not have it, or does not show it to this token.
    Gone,
    /// Meta has it, and shows this.
    Elsewhere(T),
}

/// Everything a plan is made from.
pub struct Input<'a, K: ManagedResource> {
    /// The object.
    pub object: &'a K,
    /// Its namespace.
    pub namespace: &'a str,
    /// The app it refers to.
    pub app: &'a AppKey,
    /// How the app stands.
    pub link: &'a AppReference,
    /// What the app's accounts show.
    pub seen: Observation<K::Facts>,
    /// Who stands for the same thing before this object, if anybody; told only where it may be.
    pub competing_object: Option<String>,
    /// What the spec asks for and cannot be.
    pub problems: Vec<Problem>,
    /// What a read by id said, where one was made.
    pub proof: Option<Proof<K::Facts>>,
    /// What the kind looks at besides.
    pub inputs: K::Inputs,
    /// For waits.
    pub instant: Instant,
    /// Every wait.
    pub timing: &'a Timing,
}

/// What is to be done.
#[derive(Debug, PartialEq)]
pub enum Plan<S, T> {
    /// It cannot be told yet how the object stands: its status stays.
    Open(Requeue),
    /// This first; then it is planned again.
    Step(T),
    /// Write this, if it is not what stands there already.
    Report(Report<S>),
}

/// How an object stands, and what follows.
#[derive(Debug, PartialEq)]
pub struct Report<S> {
    /// With everything but its conditions and history.
    pub status: Box<S>,
    /// Those.
    pub verdict: StatusSummary,
    /// When to look again.
    pub next: Requeue,
    /// Requests that are not acted on, and why.
    pub ignored: Vec<(Action, String)>,
    /// Requests that wait.
    pub waiting: Vec<Action>,
}

impl<S> Report<S> {
    /// There is nothing more to be done.
    pub fn new(status: S, verdict: StatusSummary) -> Self {
        Self { status: Box::new(status), verdict, next: Requeue::Nothing, ignored: Vec::new(), waiting: Vec::new() }
    }
}

/// What has to come before it can be told how an object stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requeue {
    /// Whatever comes next, or nothing: all is said.
    Nothing,
    /// Time: look again after this.
    After(Duration),
    /// A new read of its account: ask for it, and look again after this.
    AfterRead(Duration),
    /// A read of its account that begins at this time or later.
    AfterReadSince(Instant),
    /// Reads of its account, so far apart, until it shows something else.
    PollUntilChanged(Duration),
    /// A read by its id.
    Proof {
        /// The account that held it.
        account: String,
        /// Its id.
        id: String,
    },
}

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
pub fn preconditions<'a, K: ManagedResource>(input: &'a Input<'_, K>) -> Preconditions<'a, K::Facts> {
    let Input { object, app, namespace, .. } = input;
    if object.suspend() {
        let message = format!(
            "spec.suspend is true: Meta is not called for this object. To go on: {}",
            commands::patch(*object, r#"{"suspend":false}"#)
        );
        let finding = ConditionValue::unknown(Reason::Suspended, message);
        return Preconditions::Suspended(StatusSummary::keeping(finding, Progress::Suspended));
    }
    if let Some(Problem { field, message }) = input.problems.first() {
        let message = format!("{field}: {message}. To correct it: {}", commands::with("edit", *object));
        let finding = ConditionValue::no(Reason::InvalidSpec, message);
        return Preconditions::Kept(StatusSummary::keeping(finding, Progress::Stalled));
    }
    // Whoever may not refer to the app is not told who else does.
    if let Some(competing_object) = input.competing_object.as_ref().filter(|_| *input.link != AppReference::NotAllowed)
    {
        let name = object.known_as();
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
fn absent<'a, K: ManagedResource>(
    input: &'a Input<'_, K>,
    since: Instant,
    read: Instant,
) -> Preconditions<'a, K::Facts> {
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
fn is_told<K: ManagedResource>(object: &K) -> bool {
    let Some(status) = object.status() else { return false };
    let reason = conditions::find(status.conditions(), READY).map(|ready| ready.reason.as_str());
    let absent = [
        (Some("NotFound"), Some(Reason::NotFound.as_str())),
        (Some("Pending"), Some(Reason::NotYetSupported.as_str())),
    ];
    object.meta().generation == Some(status.observed_generation()) && absent.contains(&(status.phase(), reason))
}
