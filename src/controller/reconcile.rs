//! The reconcile loop that the kinds share: collect, plan, execute one step, and again, until the plan is a report.

use std::time::{Duration, Instant};

use kube::ResourceExt;

use super::{
    actions::{self, Request},
    context::{Context, Error},
    managed_resource::{ManagedResource, ReconcileContext, Then},
    plan::{Plan, Report, Requeue},
    status::write_status,
    summary::StatusSummary,
};
use crate::api::{Action, AppKey, Kind, ManagedStatus};

/// How many steps one reconcile may take. One that wants more goes round in a circle: it fails, and backs off.
#[derive(Debug)]
pub struct StepBudget(usize);

impl Default for StepBudget {
    fn default() -> Self {
        Self(24)
    }
}

impl StepBudget {
    /// Takes one step from the budget.
    ///
    /// # Errors
    /// [`Error::Circle`] when none is left.
    pub fn take(&mut self) -> Result<(), Error> {
        self.0 = self.0.checked_sub(1).ok_or(Error::Circle)?;
        Ok(())
    }
}

/// What a reconcile came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// Whether anything was written.
    pub changed: bool,
    /// Whether a status was written: the watch brings a newer version of the object than the one that was reconciled.
    pub overtaken: bool,
    /// Reconcile again after this, if nothing else wakes the object.
    pub requeue: Option<Duration>,
}

/// Brings one object up to date, and what it stands for.
pub async fn reconcile<R: ManagedResource>(reconciler: &R, object: &R::Object) -> Result<Done, Error> {
    let context = reconciler.context();
    let namespace = object.namespace().unwrap_or_default();
    let app = object.app();
    let mut session = reconciler.begin(object).await;
    let mut changed = false;
    let mut budget = StepBudget::default();
    loop {
        budget.take()?;
        context.leads()?;
        let requests = actions::requests(object, context.graph.now());
        let at =
            ReconcileContext { reconciler, context, object, namespace: &namespace, app: &app, requests: &requests };
        let inputs = reconciler.collect(&at, &mut session).await?;
        let requeue = match R::plan(object, &inputs, &context.timing) {
            Plan::Step(step) => match reconciler.execute(&at, &inputs, &mut session, step).await? {
                Then::Plan => {
                    changed = true;
                    continue;
                }
                Then::Learnt => continue,
                Then::End => return Ok(Done { changed: true, overtaken: false, requeue: None }),
                Then::Requeue(wait) => Some(wait),
            },
            Plan::Report(mut report) => {
                let mut requeue = requeue(context, object, &app, &report.next);
                let follow_up = report.follow_up.take();
                let overtaken = conclude(context, object, &app, report, requests.clone()).await?;
                changed |= overtaken;
                if let Some(step) = follow_up {
                    changed = true;
                    let then = reconciler.execute(&at, &inputs, &mut session, step).await?;
                    requeue = if let Then::Requeue(wait) = then { Some(wait) } else { Some(Duration::ZERO) };
                }
                return Ok(Done { changed, overtaken, requeue });
            }
            Plan::Open(need) => requeue(context, object, &app, &need),
        };
        let overtaken = keep(context, object, &app, requests, R::is_read(&inputs)).await?;
        return Ok(Done { changed: changed || overtaken, overtaken, requeue });
    }
}

/// Requests the reads that are needed; when to reconcile again.
fn requeue<K: Kind>(context: &Context, object: &K, app: &AppKey, need: &Requeue) -> Option<Duration> {
    let account = object.held_by();
    match need {
        Requeue::Nothing => None,
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
async fn conclude<K: Kind, T>(
    context: &Context,
    object: &K,
    app: &AppKey,
    report: Report<K::Status, T>,
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
    write(context, object, app, *report.status, report.verdict.as_ref(), &requests).await
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

/// Leaves the status as it is, but for the echo of requests that need no more knowledge. A request to read waits for the first
/// read, where there was none: what else it stands for is decided then.
async fn keep<K: Kind>(
    context: &Context,
    object: &K,
    app: &AppKey,
    mut requests: Vec<Request>,
    is_read: bool,
) -> Result<bool, Error> {
    requests.retain(|request| request.verdict.is_err() || (is_read && request.action == Action::Reconcile));
    // An object that was never reported on has no conditions yet, and gets its echo with them.
    match object.status().cloned().filter(|status| !status.conditions().is_empty()) {
        Some(status) => write(context, object, app, status, None, &requests).await,
        None => Ok(false),
    }
}
