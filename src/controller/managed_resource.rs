//! What a kind brings to the shared reconcile loop.

use std::{fmt::Debug, future::Future, time::Instant};

use super::{
    actions::Request,
    app_reference::AppReference,
    context::{Context, Error},
    plan::{Plan, Proof},
    store::Objects,
};
use crate::{
    api::{AppKey, Kind},
    graph::{self, Access},
    observe::Observation,
    timing::Timing,
};
use kube::core::object::HasStatus;

/// The status of a kind's objects.
pub type StatusOf<R> = <<R as ManagedResource>::Object as HasStatus>::Status;

/// The reconciler of a kind whose objects stand for one thing in an account of an app. The loop in
/// [`reconcile`](super::reconcile) collects the inputs, plans, and executes one step, until the plan is a report.
pub trait ManagedResource: Send + Sync + Sized + 'static {
    /// The kind.
    type Object: Kind;
    /// What Meta shows of the thing.
    type Facts: Clone + Debug + PartialEq + Send + Sync;
    /// Everything that the plan reads besides the object, its app and Meta's facts.
    type Inputs: Clone + Debug + Default + Send + Sync;
    /// What the plan may ask for.
    type Step: Debug + PartialEq + Send;
    /// What is kept from step to step of one reconcile.
    type Session: Send;

    /// What the reconcilers of all kinds share.
    fn context(&self) -> &Context;

    /// All objects of the kind.
    fn objects(&self) -> &Objects<Self::Object>;

    /// What the app's accounts show of the thing.
    fn observe(&self, object: &Self::Object, app: &AppKey) -> Observation<Self::Facts>;

    /// Whether Meta still has what it lists.
    fn is_live(_: &Self::Facts) -> bool {
        true
    }

    /// The uid of the object to which the thing belongs, where that is on record.
    fn owner(_: &Self::Inputs) -> Option<&str> {
        None
    }

    /// Begins a reconcile; the session may hold a lock on the thing.
    fn begin(&self, object: &Self::Object) -> impl Future<Output = Self::Session> + Send;

    /// Collects what the plan reads.
    fn collect(
        &self,
        at: &ReconcileContext<'_, Self>,
        session: &mut Self::Session,
    ) -> impl Future<Output = Result<Self::Inputs, Error>> + Send;

    /// Decides. Pure.
    fn plan(input: &Input<'_, Self>) -> Plan<StatusOf<Self>, Self::Step>;

    /// Carries one step out.
    fn execute(
        &self,
        at: &ReconcileContext<'_, Self>,
        session: &mut Self::Session,
        step: Self::Step,
    ) -> impl Future<Output = Result<Then, Error>> + Send;

    /// Reads the thing at Meta by its id.
    fn read_by_id(
        &self,
        access: &Access,
        account: &str,
        id: &str,
    ) -> impl Future<Output = Result<Self::Facts, graph::Error>> + Send;
}

/// What comes after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Plan again.
    Plan,
    /// The object was modified: stop and wait for the watch event.
    End,
}

/// One object that is being reconciled.
pub struct ReconcileContext<'a, R: ManagedResource> {
    /// The kind's reconciler.
    pub reconciler: &'a R,
    /// What the reconcilers of all kinds share.
    pub context: &'a Context,
    /// The object.
    pub object: &'a R::Object,
    /// Its namespace.
    pub namespace: &'a str,
    /// The app it refers to.
    pub app: &'a AppKey,
    /// How that stands.
    pub link: &'a AppReference,
    /// What the app's accounts show.
    pub seen: &'a Observation<R::Facts>,
    /// New action annotations.
    pub requests: &'a [Request],
}

/// Everything that a plan reads.
pub struct Input<'a, R: ManagedResource> {
    /// The object.
    pub object: &'a R::Object,
    /// Its namespace.
    pub namespace: &'a str,
    /// The app it refers to.
    pub app: &'a AppKey,
    /// How the app stands.
    pub link: &'a AppReference,
    /// What the app's accounts show.
    pub seen: Observation<R::Facts>,
    /// The object that has the thing instead of this one, if there is one; named only where it may be.
    pub competing_object: Option<String>,
    /// The reply to a read by id, where one was made.
    pub proof: Option<Proof<R::Facts>>,
    /// What the kind reads besides.
    pub inputs: R::Inputs,
    /// For waits.
    pub instant: Instant,
    /// Every wait.
    pub timing: &'a Timing,
}
