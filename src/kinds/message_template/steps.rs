//! Carries out the steps of a template's plan.

use super::{Templates, inputs::ReconcileSession};
use crate::controller::{
    account_resource::read_by_id,
    managed_resource::{ReconcileContext, Then},
};

/// What is done before the template is planned again.
#[derive(Debug, PartialEq)]
pub enum Step {
    /// Read the template by its id.
    ReadById {
        /// The account that held it.
        account: String,
        /// Its id.
        id: String,
    },
}

/// See the module.
pub async fn carry_out(at: &ReconcileContext<'_, Templates>, session: &mut ReconcileSession, step: Step) -> Then {
    match step {
        Step::ReadById { account, id } => read_by_id(at, &mut session.proof, &account, &id).await,
    }
}
