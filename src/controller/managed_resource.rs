//! What a kind brings to the shared reconcile loop.

use std::{fmt::Debug, future::Future, sync::Arc, time::Duration};

use kube::core::object::HasStatus;

use super::{
    actions::Request,
    context::{Context, Error},
    plan::Plan,
    store::Cached,
};
use crate::{
    api::{AppKey, Kind},
    timing::Timing,
};

/// The status of a kind's objects.
pub type StatusOf<R> = <<R as ManagedResource>::Object as HasStatus>::Status;

/// The reconciler of a kind. The loop in [`reconcile`](super::reconcile) collects the inputs, plans, and executes one step,
/// until the plan is a report.
pub trait ManagedResource: Send + Sync + Sized + 'static {
    /// The kind.
    type Object: Kind;
    /// Everything that the plan reads besides the object.
    type Inputs: Send + Sync;
    /// What the plan may ask for.
    type Step: Debug + Send;
    /// What is kept from step to step of one reconcile.
    type Session: Send;

    /// What the reconcilers of all kinds share.
    fn context(&self) -> &Context;

    /// The object as it is reconciled: as it was written, unless something outside it restricts what it may do.
    fn effective(&self, object: Arc<Self::Object>) -> Arc<Self::Object> {
        object
    }

    /// Begins a reconcile; the session may hold a lock on what the object stands for.
    fn begin(&self, object: &Self::Object) -> impl Future<Output = Self::Session> + Send;

    /// Collects what the plan reads.
    fn collect(
        &self,
        at: &ReconcileContext<'_, Self>,
        session: &mut Self::Session,
    ) -> impl Future<Output = Result<Self::Inputs, Error>> + Send;

    /// Decides. Pure.
    fn plan(object: &Self::Object, inputs: &Self::Inputs, timing: &Timing) -> Plan<StatusOf<Self>, Self::Step>;

    /// Carries one step out.
    fn execute(
        &self,
        at: &ReconcileContext<'_, Self>,
        inputs: &Self::Inputs,
        session: &mut Self::Session,
        step: Self::Step,
    ) -> impl Future<Output = Result<Then, Error>> + Send;

    /// Whether Meta was read for the object. A request to read waits for the first read.
    #[must_use]
    fn is_read(_: &Self::Inputs) -> bool {
        true
    }

    /// The watch brought the object, a newer version of it, or its end: whoever counts such objects, or lacks one, is
    /// reconciled again.
    fn on_change(&self, object: &Cached<Self::Object>);

    /// The object is gone from the API server.
    fn on_delete(&self, object: &Cached<Self::Object>);
}

/// What comes after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Plan again: something was written, or requested at Meta.
    Plan,
    /// Plan again with what was read.
    Learnt,
    /// The object was modified: stop and wait for the watch event.
    End,
    /// Nothing was learnt: leave the status as it is, and reconcile again after this time.
    Requeue(Duration),
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
    /// The app it refers to, or is.
    pub app: &'a AppKey,
    /// New action annotations.
    pub requests: &'a [Request],
}
