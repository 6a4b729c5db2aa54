//! What numbers and templates have in common: each is one thing in an account of an app. The shell: gathers what a plan
//! needs, carries out what it says.

use std::{
    fmt::Debug,
    future::Future,
    time::{Duration, Instant},
};

use kube::ResourceExt;
use tracing::info;

use super::{
    actions::{self, Request},
    apply,
    claims::{goes_before, whose},
    context::{Context, Error},
    controller::Done,
    link::Link,
    objects::{Kind, Objects},
    outlook::{Input, Need, Plan, Proof},
    verdict::Verdict,
};
use crate::{
    api::{Action, AppRef, ManagedStatus, Problem},
    graph::{self, Access},
    observe::{AppKey, Estate, Seen},
};

/// A kind whose objects stand for one thing in an account.
pub trait Subject: Kind {
    /// What Meta shows of it.
    type Facts: Clone + Debug + PartialEq + Send + Sync;

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
    fn seen(&self, estate: &Estate, app: &AppKey) -> Seen<Self::Facts>;
    /// Reads it by its id.
    fn read(
        graph: &graph::Client,
        access: &Access,
        account: &str,
        id: &str,
    ) -> impl Future<Output = Result<Self::Facts, graph::Error>> + Send;
    /// How it stands. Pure.
    fn plan(input: &Input<'_, Self>) -> Plan<Self::Status>;
}

/// Brings the status of one object up to date.
pub async fn reconcile<K: Subject>(context: &Context, object: &K) -> Result<Done, Error> {
    let namespace = object.namespace().unwrap_or_default();
    let (app, link) = context.link(object.app_ref(), &namespace);
    let requests = requests(context, object);
    let mut input = Input {
        object,
        namespace: &namespace,
        app: &app,
        link: &link,
        seen: seen(context, object, &app, &link),
        rival: rival(context, object, &namespace),
        problems: object.problems(),
        proof: None,
        instant: Instant::now(),
        timing: &context.timing,
    };
    loop {
        let need = match K::plan(&input) {
            Plan::Report(status, verdict) => {
                let changed = write(context, object, &app, *status, Some(&verdict), &requests).await?;
                return Ok(Done { changed, requeue: None });
            }
            Plan::Open(need) => need,
        };
        let wait = match need {
            Need::Nothing => None,
            Need::Time(wait) => Some(wait),
            Need::Reading(wait) => {
                context.pollers.read_again(&app, object.account(), context.timing.absence_gap);
                Some(wait)
            }
            Need::Proof { account, id } => {
                input.proof = prove::<K>(context, &app, &account, &id).await;
                if input.proof.is_some() {
                    continue;
                }
                Some(context.timing.retry_interval)
            }
        };
        return keep(context, object, &app, &requests, wait).await;
    }
}

fn seen<K: Subject>(context: &Context, object: &K, app: &AppKey, link: &Link) -> Seen<K::Facts> {
    if *link == Link::Ready { object.seen(&context.estate, app) } else { Seen::Unread }
}

/// Who stands for the same thing before this object. A claim counts only where the claimant's app sees the thing.
fn rival<K: Subject>(context: &Context, object: &K, namespace: &str) -> Option<String> {
    let rivals = K::all(context).rivals(object);
    let mut seeing = rivals.iter().filter(|other| goes_before(*other, object) && sees(context, *other));
    seeing.next().map(|winner| whose(winner, namespace))
}

/// Whether the object's app sees the thing: now, or, where it was not read since, when its status was written. So a claim
/// changes hands neither by a restart nor by a token that has expired.
fn sees<K: Subject>(context: &Context, object: &K) -> bool {
    let (app, link) = context.link(object.app_ref(), &object.namespace().unwrap_or_default());
    match (&link, seen(context, object, &app, &link)) {
        (Link::Missing | Link::NotAllowed, _) | (_, Seen::Absent { .. } | Seen::Unmanaged) => false,
        (_, Seen::Present { facts, .. }) => K::is_here(&facts),
        (_, Seen::Unread | Seen::Unreadable) => {
            let phase = object.status().and_then(|status| status.phase());
            object.recorded().is_some() && !matches!(phase, Some("NotFound" | "Conflict"))
        }
    }
}

/// Reads the thing by its id; `None` where that failed for a reason that says nothing about it.
async fn prove<K: Subject>(context: &Context, app: &AppKey, account: &str, id: &str) -> Option<Proof<K::Facts>> {
    let access = context.pollers.access(app)?;
    match K::read(&context.graph, &access, account, id).await {
        Ok(facts) => Some(Proof::Elsewhere(facts)),
        Err(error) if error.is_not_found() => Some(Proof::Gone),
        Err(error) => {
            info!(kind = K::NAME, %app, id, %error, "not read by its id");
            None
        }
    }
}

/// New action annotations. Those whose work comes later are not acted on, and told so.
fn requests<K: Subject>(context: &Context, object: &K) -> Vec<Request> {
    let mut requests = actions::requests(object, context.graph.now());
    for request in requests.iter_mut().filter(|r| r.verdict.is_ok() && K::LATER.contains(&r.action)) {
        request.verdict = Err("this version of the operator does not support it yet".to_owned());
    }
    requests
}

/// Writes a status. Whoever writes the echo of a request acts on it, so that it is acted on once.
async fn write<K: Subject>(
    context: &Context,
    object: &K,
    app: &AppKey,
    status: K::Status,
    verdict: Option<&Verdict>,
    requests: &[Request],
) -> Result<bool, Error> {
    let changed = apply::write(context, object, status, verdict, requests).await?;
    if changed && !object.suspend() && actions::asks_to_read(requests) {
        context.pollers.poke(app, object.account());
    }
    Ok(changed)
}

/// Leaves the status as it is, but for the echo of action annotations.
async fn keep<K: Subject>(
    context: &Context,
    object: &K,
    app: &AppKey,
    requests: &[Request],
    requeue: Option<Duration>,
) -> Result<Done, Error> {
    // An object that was never reported on has no conditions yet, and gets its echo with them.
    let status = object.status().cloned().filter(|status| !status.conditions().is_empty());
    let changed = match status {
        Some(status) => write(context, object, app, status, None, requests).await?,
        None => false,
    };
    Ok(Done { changed, requeue })
}
