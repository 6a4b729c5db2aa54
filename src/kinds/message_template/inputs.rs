//! Collects everything that a plan of a template reads.

use std::time::Instant;

use super::Templates;
use crate::{
    controller::{
        account_resource::{Observed, Proof, competing_object, observe},
        managed_resource::ReconcileContext,
    },
    graph::types::Template,
};

/// What one reconcile has found out on the way.
#[derive(Default)]
pub struct ReconcileSession {
    /// The reply to a read by id.
    pub proof: Option<Proof<Template>>,
}

/// See the module.
pub fn collect(at: &ReconcileContext<'_, Templates>, session: &ReconcileSession) -> Observed<Templates> {
    let (link, seen) = observe(at.reconciler, at.object);
    Observed {
        app: at.app.clone(),
        competing_object: competing_object(at.reconciler, at.object, None),
        link,
        seen,
        proof: session.proof.clone(),
        details: (),
        instant: Instant::now(),
    }
}
