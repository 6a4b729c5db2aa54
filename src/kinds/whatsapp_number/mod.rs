//! `WhatsAppNumber`: one phone number, from bare digits to connected.
//!
//! `gather` finds out what is known, `plan` decides, and `steps` carries out what it asks for, one step at a time. The
//! rungs of the ladder are files of their own: `add`, `verify`, `register`, and `release` at the end; beside them are what
//! a number has besides: its callback (`routing`), its `profile`, and the `binding` for applications.

mod actions;
mod binding;
mod binding_cache;
mod conditions;
mod deletion;
mod events;
mod hints;
mod inputs;
mod onboarding;
mod plan;
mod profile;
mod profile_cache;
mod provisioning;
mod recovery;
mod registration;
mod requests;
mod restore;
mod status;
mod status_builder;
mod steps;
#[cfg(test)]
mod tests;
mod verification;
mod webhook;

use std::sync::Arc;

use kube::ResourceExt;

use self::inputs::{Inputs, Step, collect::ReconcileSession};
pub use self::{binding_cache::Bindings, profile_cache::Profiles};
use crate::controller::{app_reference, ownership::NumberClaim, store::Kind};
use crate::controller::{
    context::{Context, Error},
    managed_resource::{self, ManagedResource, ReconcileContext, Then},
    ownership::digits_of,
    preconditions::{Input, Plan},
    runner::{Done, Reconciler},
    store::{Cached, Objects},
    triggers::Triggers,
};
use crate::{
    api::{Action, AppKey, AppRef, Problem, SecretKeyRef, WhatsAppNumber, WhatsAppNumberStatus, validate_number},
    graph::{self, Access, Priority, types::PhoneNumber},
    observe::{Inventory, Observation},
};

impl Kind for WhatsAppNumber {
    type Claim = NumberClaim;

    fn claim(&self) -> Self::Claim {
        NumberClaim::of(digits_of(self))
    }

    fn app(&self) -> AppKey {
        app_reference::key(&self.spec.app_ref, &self.namespace().unwrap_or_default())
    }

    fn held_by(&self) -> Option<&str> {
        let found = || self.status.as_ref()?.business_account_id.as_deref();
        self.spec.business_account_id.as_deref().or_else(found)
    }

    fn secrets(&self) -> Vec<String> {
        secrets_of(self)
    }
}

/// Reconciles numbers.
pub struct Numbers {
    context: Arc<Context>,
    wake: Triggers,
}

impl Numbers {
    /// Their apps are woken by `wake`.
    #[must_use]
    pub fn new(context: Arc<Context>, wake: Triggers) -> Self {
        Self { context, wake }
    }
}

impl Reconciler<WhatsAppNumber> for Numbers {
    async fn reconcile(&self, number: Arc<WhatsAppNumber>) -> Result<Done, Error> {
        managed_resource::reconcile(&self.context, &*number).await
    }

    fn on_change(&self, number: &Cached<WhatsAppNumber>) {
        self.wake.counts_of(number.app.clone());
    }

    fn deleted(&self, number: &Cached<WhatsAppNumber>) {
        if let Some(object) = number.object() {
            self.context.profiles.forget(object.metadata.uid.as_deref().unwrap_or_default());
            let namespace = object.metadata.namespace.clone().unwrap_or_default();
            self.context.bindings.forget(&namespace, &binding::secret_name(&object));
        }
    }
}

impl ManagedResource for WhatsAppNumber {
    type Facts = PhoneNumber;
    type ReconcileSession = ReconcileSession;
    type Inputs = Inputs;
    type Step = Step;

    const LATER: &'static [Action] = &[];

    fn owner(inputs: &Inputs) -> Option<&str> {
        Some(inputs.ledger.owner.uid.as_str()).filter(|uid| !uid.is_empty())
    }

    async fn hold(context: &Context, object: &Self) -> ReconcileSession {
        inputs::collect::hold(context, object).await
    }

    async fn gather(at: &ReconcileContext<'_, Self>, hold: &mut ReconcileSession) -> Result<Inputs, Error> {
        inputs::collect::gather(at, hold).await
    }

    async fn carry_out(
        at: &ReconcileContext<'_, Self>,
        hold: &mut ReconcileSession,
        step: Step,
    ) -> Result<Then, Error> {
        steps::carry_out(at, hold, step).await
    }

    fn all(context: &Context) -> &Objects<Self> {
        &context.numbers
    }

    fn app_ref(&self) -> &AppRef {
        &self.spec.app_ref
    }

    fn account(&self) -> Option<&str> {
        self.spec.business_account_id.as_deref()
    }

    fn known_as(&self) -> String {
        self.spec.phone_number.clone()
    }

    fn problems(&self) -> Vec<Problem> {
        validate_number(&self.spec)
    }

    fn recorded(&self) -> Option<(&str, &str)> {
        let status = self.status.as_ref()?;
        Some((status.business_account_id.as_deref()?, status.phone_number_id.as_deref()?))
    }

    fn is_here(number: &PhoneNumber) -> bool {
        !number.is_gone()
    }

    fn seen(&self, inventory: &Inventory, app: &AppKey) -> Observation<PhoneNumber> {
        inventory.number(app, self.account(), digits_of(self))
    }

    async fn read(
        graph: &graph::Client,
        access: &Access,
        account: &str,
        id: &str,
    ) -> Result<PhoneNumber, graph::Error> {
        graph.read_number(access, account, id, Priority::Read).await
    }

    fn plan(input: &Input<'_, Self>) -> Plan<WhatsAppNumberStatus, Step> {
        plan::plan(input)
    }
}

/// The Secrets that a number looks at, besides its ledger: when one changes, so may what is to be done.
#[must_use]
pub fn secrets_of(number: &WhatsAppNumber) -> Vec<String> {
    let spec = &number.spec;
    let webhook = spec.incoming.as_ref().and_then(|incoming| incoming.webhook.as_ref());
    let named = |reference: SecretKeyRef| reference.name;
    let code = spec.verification.as_ref().map(|_| named(hints::code_ref(number)));
    let pin = spec.registration.as_ref().map(|_| named(hints::pin_ref(number)));
    let token = webhook.map(|webhook| webhook.verify_token_ref.name.clone());
    // Also where the spec asks for none: one that is there all the same is deleted.
    let bound = binding::secret_name(number);
    code.into_iter().chain(pin).chain(token).chain([bound]).collect()
}
