//! The reconcile loop that the kinds share: collect, plan, execute one step, and again, until the plan is a report.

use std::{
    cmp::Ordering,
    time::{Duration, Instant},
};

use kube::{ResourceExt, core::object::HasStatus};
use tracing::info;

use super::{
    actions::{self, Request},
    app_reference::AppReference,
    context::{Context, Error},
    managed_resource::{Input, ManagedResource, ReconcileContext, Then},
    ownership::{display_name, precedes},
    plan::{Plan, Proof, Report, Requeue},
    runner::Done,
    status::write_status,
    summary::StatusSummary,
};
use crate::{
    api::{Action, AppKey, Kind, ManagedStatus},
    observe::Observation,
};

/// A reconcile takes no more steps than this: one that wants more goes round in a circle, and waits for its backoff.
const MOST_STEPS: usize = 24;

/// Brings one object up to date, and what it stands for.
pub async fn reconcile<R: ManagedResource>(reconciler: &R, object: &R::Object) -> Result<Done, Error> {
    let context = reconciler.context();
    let namespace = object.namespace().unwrap_or_default();
    let app = object.app();
    let mut session = reconciler.begin(object).await;
    let mut proof = None;
    let mut changed = false;
    for _ in 0..MOST_STEPS {
        context.leads()?;
        let link = context.link(&app, &namespace);
        let seen = seen(reconciler, object, &app, &link);
        let requests = actions::requests(object, context.graph.now());
        let at = ReconcileContext {
            reconciler,
            context,
            object,
            namespace: &namespace,
            app: &app,
            link: &link,
            seen: &seen,
            requests: &requests,
        };
        let inputs = reconciler.collect(&at, &mut session).await?;
        let input = Input {
            object,
            namespace: &namespace,
            app: &app,
            link: &link,
            seen: seen.clone(),
            competing_object: competing_object(reconciler, object, R::owner(&inputs))
                .map(|winner| display_name(&winner, &namespace)),
            proof: proof.clone(),
            inputs,
            instant: Instant::now(),
            timing: &context.timing,
        };
        match R::plan(&input) {
            Plan::Step(step) => {
                changed = true;
                if reconciler.execute(&at, &mut session, step).await? == Then::End {
                    return Ok(Done { changed, requeue: None });
                }
            }
            Plan::Report(report) => {
                let requeue = requeue(context, object, &app, &report.next);
                changed |= conclude(context, object, &app, report, requests).await?;
                return Ok(Done { changed, requeue });
            }
            Plan::Open(Requeue::Proof { account, id }) => match read_by_id(reconciler, &app, &account, &id).await {
                Ok(found) => proof = Some(found),
                Err(wait) => return keep(context, object, &app, requests, &seen, Some(wait)).await,
            },
            Plan::Open(need) => {
                let requeue = requeue(context, object, &app, &need);
                return keep(context, object, &app, requests, &seen, requeue).await;
            }
        }
    }
    Err(Error::Circle)
}

/// Requests the reads that are needed; when to reconcile again.
fn requeue<K: Kind>(context: &Context, object: &K, app: &AppKey, need: &Requeue) -> Option<Duration> {
    let account = object.held_by();
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
async fn conclude<K: Kind>(
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

fn seen<R: ManagedResource>(
    reconciler: &R,
    object: &R::Object,
    app: &AppKey,
    link: &AppReference,
) -> Observation<R::Facts> {
    if *link == AppReference::Ready { reconciler.observe(object, app) } else { Observation::Unread }
}

/// Who stands for the same thing before this object: whom it belongs to, or who goes first. A claim counts only where the
/// claimant's app sees the thing.
fn competing_object<R: ManagedResource>(reconciler: &R, object: &R::Object, owner: Option<&str>) -> Option<R::Object> {
    let mut competitors = reconciler.objects().competitors(object);
    competitors.retain(|other| sees(reconciler, other));
    competitors.sort_by(|a, b| if precedes(a, b) { Ordering::Less } else { Ordering::Greater });
    if let Some(owner) = owner {
        if object.uid().as_deref() == Some(owner) {
            return if sees(reconciler, object) { None } else { competitors.into_iter().next() };
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
pub fn sees<R: ManagedResource>(reconciler: &R, object: &R::Object) -> bool {
    let app = object.app();
    let link = reconciler.context().link(&app, &object.namespace().unwrap_or_default());
    match (&link, seen(reconciler, object, &app, &link)) {
        (AppReference::Missing | AppReference::NotAllowed, _)
        | (_, Observation::Absent { .. } | Observation::Unmanaged) => false,
        (_, Observation::Present { facts, .. }) => R::is_live(&facts),
        (_, Observation::Unread | Observation::Unreadable) => {
            let phase = object.status().and_then(|status| status.phase());
            object.recorded().is_some() && !matches!(phase, Some("NotFound" | "Conflict"))
        }
    }
}

/// Reads the thing by its id. An error that says nothing about the thing becomes the time after which to try again.
async fn read_by_id<R: ManagedResource>(
    reconciler: &R,
    app: &AppKey,
    account: &str,
    id: &str,
) -> Result<Proof<R::Facts>, Duration> {
    let context = reconciler.context();
    let retry = context.timing.retry_interval;
    let access = context.pollers.access(app).ok_or(retry)?;
    match reconciler.read_by_id(&access, account, id).await {
        Ok(facts) => Ok(Proof::Elsewhere(facts)),
        Err(error) if error.is_not_found() => Ok(Proof::Gone),
        Err(error) => {
            info!(kind = R::Object::NAME, %app, id, %error, "read by id failed");
            Err(context.graph.pause_after(&error).unwrap_or(retry))
        }
    }
}

/// Writes a status. Whoever writes the echo of a request acts on it, so that it is acted on once.
async fn write<K: Kind>(
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
async fn keep<K: Kind, F: PartialEq>(
    context: &Context,
    object: &K,
    app: &AppKey,
    mut requests: Vec<Request>,
    seen: &Observation<F>,
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
