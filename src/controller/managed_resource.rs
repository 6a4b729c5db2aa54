//! What numbers and templates have in common: each is one thing in an account of an app. The shell: gathers what a plan
//! needs, carries out what it says.

use std::{
    cmp::Ordering,
    fmt::Debug,
    future::Future,
    time::{Duration, Instant},
};

use kube::ResourceExt;
use tracing::info;

use super::{
    actions::{self, Request},
    app_reference::AppReference,
    context::{Context, Error},
    ownership::{display_name, precedes},
    preconditions::{Input, Plan, Proof, Report, Requeue},
    runner::Done,
    store::{Kind, Objects},
    summary::StatusSummary,
};
use crate::controller::status::write_status;
use crate::{
    api::{Action, AppKey, AppRef, ManagedStatus, Problem},
    graph::{self, Access},
    observe::{Inventory, Observation},
};

/// A reconcile takes no more steps than this: one that wants more goes round in a circle, and waits for its backoff.
const MOST_STEPS: usize = 24;

/// What comes after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// It is planned again.
    Plan,
    /// The object is another now: the watch brings it.
    End,
}

/// Where an object is reconciled.
pub struct ReconcileContext<'a, K: ManagedResource> {
    /// What every reconciler works with.
    pub context: &'a Context,
    /// The object.
    pub object: &'a K,
    /// Its namespace.
    pub namespace: &'a str,
    /// The app it refers to.
    pub app: &'a AppKey,
    /// How that stands.
    pub link: &'a AppReference,
    /// What the app's accounts show.
    pub seen: &'a Observation<K::Facts>,
    /// New action annotations.
    pub requests: &'a [Request],
}

/// A kind whose objects stand for one thing in an account.
pub trait ManagedResource: Kind {
    /// What Meta shows of it.
    type Facts: Clone + Debug + PartialEq + Send + Sync;
    /// What is held while it is reconciled.
    type ReconcileSession: Send;
    /// What its plan looks at, besides Meta's facts.
    type Inputs: Clone + Debug + Default + Send + Sync;
    /// What its plan may ask for.
    type Step: Debug + PartialEq + Send;

    /// Actions that are not acted on yet.
    const LATER: &'static [Action];

    /// All objects of the kind.
    fn all(context: &Context) -> &Objects<Self>;
    /// The app it refers to.
    fn app_ref(&self) -> &AppRef;
    /// The account that it names.
    fn account(&self) -> Option<&str>;
    /// What to call it in a message.
    fn known_as(&self) -> String;
    /// What the spec asks for and cannot be, as far as the API server could not see it.
    fn problems(&self) -> Vec<Problem>;
    /// The account and id under which it was last seen.
    fn recorded(&self) -> Option<(&str, &str)>;
    /// Whether what Meta shows is there, and not only listed because it was there once.
    fn is_here(facts: &Self::Facts) -> bool;
    /// What the app's accounts show of it.
    fn seen(&self, inventory: &Inventory, app: &AppKey) -> Observation<Self::Facts>;
    /// The uid of the object to which the thing belongs, where that is written down.
    fn owner(inputs: &Self::Inputs) -> Option<&str>;
    /// Takes hold of the thing, so that nobody else in this process works on it.
    fn hold(context: &Context, object: &Self) -> impl Future<Output = Self::ReconcileSession> + Send;
    /// Gathers what its plan looks at.
    fn gather(
        surroundings: &ReconcileContext<'_, Self>,
        hold: &mut Self::ReconcileSession,
    ) -> impl Future<Output = Result<Self::Inputs, Error>> + Send;
    /// Does what its plan asks for.
    fn carry_out(
        surroundings: &ReconcileContext<'_, Self>,
        hold: &mut Self::ReconcileSession,
        step: Self::Step,
    ) -> impl Future<Output = Result<Then, Error>> + Send;
    /// Reads it by its id.
    fn read(
        graph: &graph::Client,
        access: &Access,
        account: &str,
        id: &str,
    ) -> impl Future<Output = Result<Self::Facts, graph::Error>> + Send;
    /// How it stands. Pure.
    fn plan(input: &Input<'_, Self>) -> Plan<Self::Status, Self::Step>;
}

/// Brings one object up to date, and what it stands for.
pub async fn reconcile<K: ManagedResource>(context: &Context, object: &K) -> Result<Done, Error> {
    let namespace = object.namespace().unwrap_or_default();
    let mut hold = K::hold(context, object).await;
    let mut proof = None;
    let mut changed = false;
    for _ in 0..MOST_STEPS {
        context.leads()?;
        let (app, link) = context.link(object.app_ref(), &namespace);
        let seen = seen(context, object, &app, &link);
        let requests = requests(context, object);
        let at = ReconcileContext {
            context,
            object,
            namespace: &namespace,
            app: &app,
            link: &link,
            seen: &seen,
            requests: &requests,
        };
        let inputs = K::gather(&at, &mut hold).await?;
        let input = Input {
            object,
            namespace: &namespace,
            app: &app,
            link: &link,
            seen: seen.clone(),
            competing_object: competing_object(context, object, K::owner(&inputs))
                .map(|winner| display_name(&winner, &namespace)),
            problems: object.problems(),
            proof: proof.clone(),
            inputs,
            instant: Instant::now(),
            timing: &context.timing,
        };
        match K::plan(&input) {
            Plan::Step(step) => {
                changed = true;
                if K::carry_out(&at, &mut hold, step).await? == Then::End {
                    return Ok(Done { changed, requeue: None });
                }
            }
            Plan::Report(report) => {
                let requeue = look_again(context, object, &app, &report.next);
                changed |= conclude(context, object, &app, report, requests).await?;
                return Ok(Done { changed, requeue });
            }
            Plan::Open(Requeue::Proof { account, id }) => match prove::<K>(context, &app, &account, &id).await {
                Ok(found) => proof = Some(found),
                Err(wait) => return keep(context, object, &app, requests, &seen, Some(wait)).await,
            },
            Plan::Open(need) => {
                let requeue = look_again(context, object, &app, &need);
                return keep(context, object, &app, requests, &seen, requeue).await;
            }
        }
    }
    Err(Error::Circle)
}

/// Asks for the reads that are needed; when to look again.
fn look_again<K: ManagedResource>(context: &Context, object: &K, app: &AppKey, need: &Requeue) -> Option<Duration> {
    let account = object.account().or_else(|| object.recorded().map(|(account, _)| account));
    match need {
        Requeue::Nothing | Requeue::Proof { .. } => None,
        Requeue::After(wait) => Some(*wait),
        Requeue::AfterRead(wait) => {
            context.pollers.read_again(app, account, context.timing.absence_gap);
            Some(*wait)
        }
        Requeue::AfterReadSince(time) => {
            let wait = time.saturating_duration_since(Instant::now());
            if !wait.is_zero() {
                return Some(wait);
            }
            // Many objects wait for reads at a time; none of them has one to itself. And a read that shows the same as the
            // one before wakes nobody: whoever waits for it looks whether it has come.
            context.pollers.read_again(app, account, context.timing.settle);
            Some(context.timing.settle / 10)
        }
        Requeue::PollUntilChanged(gap) => {
            context.pollers.read_again(app, account, *gap);
            Some(*gap)
        }
    }
}

/// Writes how the object stands, and what became of the requests.
async fn conclude<K: ManagedResource>(
    context: &Context,
    object: &K,
    app: &AppKey,
    report: Report<K::Status>,
    mut requests: Vec<Request>,
) -> Result<bool, Error> {
    requests.retain(|request| request.verdict.is_err() || !report.waiting.contains(&request.action));
    for request in &mut requests {
        if let Some((_, why)) = report.ignored.iter().find(|(action, _)| *action == request.action)
            && request.verdict.is_ok()
        {
            request.verdict = Err(why.clone());
        }
    }
    write(context, object, app, *report.status, Some(&report.verdict), &requests).await
}

fn seen<K: ManagedResource>(context: &Context, object: &K, app: &AppKey, link: &AppReference) -> Observation<K::Facts> {
    if *link == AppReference::Ready { object.seen(&context.inventory, app) } else { Observation::Unread }
}

/// Who stands for the same thing before this object: whom it belongs to, or who goes first. A claim counts only where the
/// claimant's app sees the thing.
fn competing_object<K: ManagedResource>(context: &Context, object: &K, owner: Option<&str>) -> Option<K> {
    let mut competitors: Vec<K> =
        K::all(context).competitors(object).into_iter().filter(|other| sees(context, other)).collect();
    competitors.sort_by(|a, b| if precedes(a, b) { Ordering::Less } else { Ordering::Greater });
    if let Some(owner) = owner {
        if object.uid().as_deref() == Some(owner) {
            return if sees(context, object) { None } else { competitors.into_iter().next() };
        }
        if let Some(owned) =
            competitors.iter().position(|competing_object| competing_object.uid().as_deref() == Some(owner))
        {
            return Some(competitors.swap_remove(owned));
        }
    }
    competitors.into_iter().next().filter(|first| precedes(first, object))
}

/// Whether the object's app sees the thing: now, or, where it was not read since, when its status was written. So a claim
/// changes hands neither by a restart nor by a token that has expired.
pub fn sees<K: ManagedResource>(context: &Context, object: &K) -> bool {
    let (app, link) = context.link(object.app_ref(), &object.namespace().unwrap_or_default());
    match (&link, seen(context, object, &app, &link)) {
        (AppReference::Missing | AppReference::NotAllowed, _)
        | (_, Observation::Absent { .. } | Observation::Unmanaged) => false,
        (_, Observation::Present { facts, .. }) => K::is_here(&facts),
        (_, Observation::Unread | Observation::Unreadable) => {
            let phase = object.status().and_then(|status| status.phase());
            object.recorded().is_some() && !matches!(phase, Some("NotFound" | "Conflict"))
        }
    }
}

/// Reads the thing by its id. Where that fails for a reason that says nothing about it, the error is when to try again.
async fn prove<K: ManagedResource>(
    context: &Context,
    app: &AppKey,
    account: &str,
    id: &str,
) -> Result<Proof<K::Facts>, Duration> {
    let retry = context.timing.retry_interval;
    let access = context.pollers.access(app).ok_or(retry)?;
    match K::read(&context.graph, &access, account, id).await {
        Ok(facts) => Ok(Proof::Elsewhere(facts)),
        Err(error) if error.is_not_found() => Ok(Proof::Gone),
        Err(error) => {
            info!(kind = K::NAME, %app, id, %error, "could not read it by its id");
            Err(context.graph.pause_after(&error).unwrap_or(retry))
        }
    }
}

/// New action annotations. Those whose work comes later are not acted on, and told so.
fn requests<K: ManagedResource>(context: &Context, object: &K) -> Vec<Request> {
    let mut requests = actions::requests(object, context.graph.now());
    for request in requests.iter_mut().filter(|r| r.verdict.is_ok() && K::LATER.contains(&r.action)) {
        request.verdict = Err("this version of the operator does not support it yet".to_owned());
    }
    requests
}

/// Writes a status. Whoever writes the echo of a request acts on it, so that it is acted on once.
async fn write<K: ManagedResource>(
    context: &Context,
    object: &K,
    app: &AppKey,
    status: K::Status,
    verdict: Option<&StatusSummary>,
    requests: &[Request],
) -> Result<bool, Error> {
    let changed = write_status(context, object, status, verdict, requests).await?;
    if changed && !object.suspend() && actions::asks_to_read(requests) {
        context.pollers.poke(app, object.account());
    }
    Ok(changed)
}

/// Leaves the status as it is, but for the echo of requests that need no more knowledge. A wish to read waits for the first
/// read, where there was none: what else it stands for is decided then.
async fn keep<K: ManagedResource>(
    context: &Context,
    object: &K,
    app: &AppKey,
    mut requests: Vec<Request>,
    seen: &Observation<K::Facts>,
    requeue: Option<Duration>,
) -> Result<Done, Error> {
    let is_read = *seen != Observation::Unread;
    requests.retain(|request| request.verdict.is_err() || (is_read && request.action == Action::Reconcile));
    // An object that was never reported on has no conditions yet, and gets its echo with them.
    let status = object.status().cloned().filter(|status| !status.conditions().is_empty());
    let changed = match status {
        Some(status) => write(context, object, app, status, None, &requests).await?,
        None => false,
    };
    Ok(Done { changed, requeue })
}
