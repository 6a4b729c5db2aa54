//! What numbers and templates have in common: an object stands for one thing in an account of an app. Whether its app can be
//! relied on, what the app's accounts show of the thing, and which of several objects has it.

use std::{cmp::Ordering, fmt::Debug, future::Future, time::Instant};

use kube::{Resource, ResourceExt, core::object::HasStatus};
use tracing::info;

use super::{
    app_reference::AppReference,
    managed_resource::{ManagedResource, ReconcileContext, Then},
    ownership::{display_name, precedes},
    store::Objects,
};
use crate::{
    api::{AppKey, Kind, ManagedStatus},
    graph::{self, Access},
    observe::Observation,
    timing::Timing,
};

/// A kind whose objects stand for one thing in an account of an app.
pub trait AccountResource: ManagedResource<Inputs = Observed<Self>> {
    /// What Meta shows of the thing.
    type Facts: Clone + Debug + PartialEq + Send + Sync;
    /// Everything that the plan reads besides the object, its app and Meta's facts.
    type Details: Clone + Debug + Default + Send + Sync;

    /// All objects of the kind.
    fn objects(&self) -> &Objects<Self::Object>;

    /// What the app's accounts show of the thing.
    fn observe(&self, object: &Self::Object, app: &AppKey) -> Observation<Self::Facts>;

    /// Whether Meta still has what it lists.
    fn is_live(_: &Self::Facts) -> bool {
        true
    }

    /// Reads the thing at Meta by its id.
    fn read_by_id(
        &self,
        access: &Access,
        account: &str,
        id: &str,
    ) -> impl Future<Output = Result<Self::Facts, graph::Error>> + Send;
}

/// The reply to a read by id of something that no account lists.
#[derive(Debug, Clone, PartialEq)]
pub enum Proof<T> {
    /// Meta does not have it, or does not show it to this token.
    Gone,
    /// Meta has it, and shows this.
    Elsewhere(T),
}

/// What is known of an object's app and thing when it is planned.
#[derive(Debug)]
pub struct Observed<R: AccountResource> {
    /// The app it refers to.
    pub app: AppKey,
    /// How that stands.
    pub link: AppReference,
    /// What the app's accounts show.
    pub seen: Observation<R::Facts>,
    /// The object that has the thing instead of this one, if there is one; named only where it may be.
    pub competing_object: Option<String>,
    /// The reply to a read by id, where one was made.
    pub proof: Option<Proof<R::Facts>>,
    /// What the kind reads besides.
    pub details: R::Details,
    /// For waits.
    pub instant: Instant,
}

/// Everything that a plan reads.
pub struct Input<'a, R: AccountResource> {
    /// The object.
    pub object: &'a R::Object,
    /// Its namespace.
    pub namespace: &'a str,
    /// The app it refers to.
    pub app: &'a AppKey,
    /// How the app stands.
    pub link: &'a AppReference,
    /// What the app's accounts show.
    pub seen: &'a Observation<R::Facts>,
    /// The object that has the thing instead of this one, if there is one; named only where it may be.
    pub competing_object: Option<&'a str>,
    /// The reply to a read by id, where one was made.
    pub proof: Option<&'a Proof<R::Facts>>,
    /// What the kind reads besides.
    pub inputs: &'a R::Details,
    /// For waits.
    pub instant: Instant,
    /// Every wait.
    pub timing: &'a Timing,
}

impl<R: AccountResource> Observed<R> {
    /// What the plan of `object` reads.
    pub fn input<'a>(&'a self, object: &'a R::Object, timing: &'a Timing) -> Input<'a, R> {
        let Self { app, link, seen, competing_object, proof, details, instant } = self;
        Input {
            object,
            namespace: object.meta().namespace.as_deref().unwrap_or_default(),
            app,
            link,
            seen,
            competing_object: competing_object.as_deref(),
            proof: proof.as_ref(),
            inputs: details,
            instant: *instant,
            timing,
        }
    }

    /// Whether the accounts that could hold the thing were read.
    pub fn is_read(&self) -> bool {
        self.seen != Observation::Unread
    }
}

/// How the object's app stands, and what its accounts show of the thing.
pub fn observe<R: AccountResource>(reconciler: &R, object: &R::Object) -> (AppReference, Observation<R::Facts>) {
    let app = object.app();
    let link = reconciler.context().link(&app, &object.namespace().unwrap_or_default());
    if link != AppReference::Ready {
        return (link, Observation::Unread);
    }
    match reconciler.observe(object, &app) {
        // What was in an account that the app does not see any more is not absent: nobody looks there.
        Observation::Absent { .. } | Observation::Unread | Observation::Unreadable
            if object.recorded().is_some_and(|(account, _)| !reconciler.context().inventory.manages(&app, account)) =>
        {
            (link, Observation::Unmanaged)
        }
        seen => (link, seen),
    }
}

/// What to call the object that stands for the same thing before this one: the owner on record, or who goes first. A claim
/// counts only where the claimant's app sees the thing.
pub fn competing_object<R: AccountResource>(reconciler: &R, object: &R::Object, owner: Option<&str>) -> Option<String> {
    let mut competitors = reconciler.objects().competitors(object);
    competitors.retain(|other| sees(reconciler, other));
    competitors.sort_by(|a, b| if precedes(a, b) { Ordering::Less } else { Ordering::Greater });
    let is_owner = |other: &R::Object| owner.is_some() && other.uid().as_deref() == owner;
    let winner = if is_owner(object) {
        competitors.first().filter(|_| !sees(reconciler, object))
    } else {
        competitors
            .iter()
            .find(|other| is_owner(other))
            .or_else(|| competitors.first().filter(|first| precedes(*first, object)))
    };
    winner.map(|winner| display_name(winner, &object.namespace().unwrap_or_default()))
}

/// Whether the object's app sees the thing: now, or, where it was not read since, when its status was written. So a claim
/// changes hands neither by a restart nor by a token that has expired.
pub fn sees<R: AccountResource>(reconciler: &R, object: &R::Object) -> bool {
    match observe(reconciler, object) {
        (AppReference::Missing | AppReference::NotAllowed, _)
        | (_, Observation::Absent { .. } | Observation::Unmanaged) => false,
        (_, Observation::Present { facts, .. }) => R::is_live(&facts),
        (_, Observation::Unread | Observation::Unreadable) => {
            let phase = object.status().and_then(|status| status.phase());
            object.recorded().is_some() && !matches!(phase, Some("NotFound" | "Conflict"))
        }
    }
}

/// Reads the thing by its id. After an error that says nothing about the thing, the operator retries later.
pub async fn read_by_id<R: AccountResource>(
    at: &ReconcileContext<'_, R>,
    proof: &mut Option<Proof<R::Facts>>,
    account: &str,
    id: &str,
) -> Then {
    let ReconcileContext { reconciler, context, app, .. } = at;
    let retry = context.timing.retry_interval;
    let Some(access) = context.pollers.access(app) else { return Then::Requeue(retry) };
    *proof = match reconciler.read_by_id(&access, account, id).await {
        Ok(facts) => Some(Proof::Elsewhere(facts)),
        Err(error) if error.is_not_found() => Some(Proof::Gone),
        Err(error) => {
            info!(kind = R::Object::NAME, %app, id, %error, "read by id failed");
            return Then::Requeue(context.graph.pause_after(&error).unwrap_or(retry));
        }
    };
    Then::Learnt
}
