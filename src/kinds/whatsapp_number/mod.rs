//! `WhatsAppNumber`: one phone number, from bare digits to connected.
//!
//! `inputs` collects what is known, `plan` decides, and `steps` carries out one step at a time. Each topic has a file with
//! the name of its block in the spec: `provisioning`, `verification`, `registration`, `profile`, `webhook`, `binding`, and
//! `deletion` for `deletionPolicy`. They decide on a [`number_view`] and answer with a [`decision`]; `onboarding` orders
//! those that lead from bare digits to connected, and `status` puts the report together.

mod actions;
mod binding;
mod binding_cache;
mod conditions;
mod connection;
mod decision;
mod deletion;
mod events;
mod inputs;
mod number_view;
mod onboarding;
mod pin;
mod plan;
mod profile;
mod profile_cache;
mod provisioning;
mod recovery;
mod registration;
mod restore;
mod spec_errors;
mod spelling;
mod status;
mod steps;
#[cfg(test)]
mod tests;
mod verification;
mod webhook;

pub use conditions::REASONS;

use std::sync::Arc;

use kube::ResourceExt;

use self::inputs::{Inputs, Step, collect::ReconcileSession};
pub use self::{binding_cache::Bindings, profile_cache::Profiles};
use crate::{
    api::{
        AppKey, Kind, ManagementPolicy, SecretKeyRef, SpecError, WhatsAppNumber, WhatsAppNumberStatus,
        labels::DEREGISTER,
    },
    calls::CallGateway,
    controller::{
        account_resource::{AccountResource, Observed},
        app_reference,
        context::{Context, Error},
        managed_resource::{ManagedResource, ReconcileContext, Then},
        ownership::{NumberClaim, digits_of},
        plan::Plan,
        store::{Cached, Objects},
        triggers::Triggers,
    },
    graph::{self, Access, Priority, types::PhoneNumber},
    observe::{AppSummary, Observation},
    timing::Timing,
};

impl Kind for WhatsAppNumber {
    type Claim = NumberClaim;

    const NAME: &'static str = "WhatsAppNumber";
    const SHORT: &'static str = "wan";
    const FINALIZER: Option<&'static str> = Some(DEREGISTER);

    fn claim(&self) -> NumberClaim {
        NumberClaim::of(digits_of(self))
    }

    fn title(&self) -> String {
        self.spec.phone_number.clone()
    }

    fn app(&self) -> AppKey {
        app_reference::key(&self.spec.app_ref, &self.namespace().unwrap_or_default())
    }

    fn account(&self) -> Option<&str> {
        self.spec.business_account_id.as_deref()
    }

    fn held_by(&self) -> Option<&str> {
        let found = || self.status.as_ref()?.business_account_id.as_deref();
        self.account().or_else(found)
    }

    fn recorded(&self) -> Option<(&str, &str)> {
        let status = self.status.as_ref()?;
        Some((status.business_account_id.as_deref()?, status.phone_number_id.as_deref()?))
    }

    fn meta_status(&self) -> Option<&str> {
        self.status.as_ref()?.meta_status.as_deref()
    }

    fn secrets(&self) -> Vec<String> {
        let spec = &self.spec;
        let webhook = spec.incoming.as_ref().and_then(|incoming| incoming.webhook.as_ref());
        let named = |reference: SecretKeyRef| reference.name;
        let code = spec.verification.as_ref().map(|_| named(verification::code_ref(self)));
        let pin = spec.registration.as_ref().map(|_| named(registration::pin_ref(self)));
        let token = webhook.map(|webhook| webhook.verify_token_ref.name.clone());
        // Also where the spec asks for none: one that is there all the same is deleted.
        let bound = binding::secret_name(self);
        code.into_iter().chain(pin).chain(token).chain([bound]).collect()
    }

    fn spec_errors(&self) -> Vec<SpecError> {
        spec_errors::spec_errors(self)
    }

    fn suspend(&self) -> bool {
        self.spec.suspend
    }
}

impl WhatsAppNumber {
    /// The Secret and key that hold a value where the spec names none.
    fn default_secret(&self, what: &str) -> SecretKeyRef {
        SecretKeyRef { name: format!("{}-{what}", self.name_any()), key: what.to_owned() }
    }
}

/// Reconciles numbers.
pub struct Numbers {
    context: Arc<Context>,
    triggers: Triggers,
    profiles: Profiles,
    bindings: Arc<Bindings>,
}

impl Numbers {
    /// Their apps are woken by `triggers`.
    #[must_use]
    pub fn new(context: Arc<Context>, triggers: Triggers, bindings: Arc<Bindings>) -> Self {
        Self { context, triggers, profiles: Profiles::default(), bindings }
    }
}

/// The number as it is reconciled. An app that is only observed lends its token to no change at Meta, so its numbers are
/// only observed, too, whatever they ask for.
fn under_policy_of(number: Arc<WhatsAppNumber>, app: Option<&AppSummary>) -> Arc<WhatsAppNumber> {
    if !app.is_some_and(|app| app.observes) || number.spec.management_policy == ManagementPolicy::Observe {
        return number;
    }
    let mut number = Arc::unwrap_or_clone(number);
    number.spec.management_policy = ManagementPolicy::Observe;
    Arc::new(number)
}

impl ManagedResource for Numbers {
    type Object = WhatsAppNumber;
    type Inputs = Observed<Self>;
    type Step = Step;
    type Session = ReconcileSession;

    fn context(&self) -> &Context {
        &self.context
    }

    fn effective(&self, number: Arc<WhatsAppNumber>) -> Arc<WhatsAppNumber> {
        let app = self.context.inventory.app(&number.app());
        under_policy_of(number, app.as_ref())
    }

    async fn begin(&self, number: &WhatsAppNumber) -> ReconcileSession {
        inputs::collect::open_session(&self.context, number).await
    }

    async fn collect(
        &self,
        at: &ReconcileContext<'_, Self>,
        session: &mut ReconcileSession,
    ) -> Result<Observed<Self>, Error> {
        inputs::collect::collect(at, self.context.graph.now(), session).await
    }

    fn plan(number: &WhatsAppNumber, observed: &Observed<Self>, timing: &Timing) -> Plan<WhatsAppNumberStatus, Step> {
        plan::plan(&observed.input(number, timing))
    }

    async fn execute(
        &self,
        at: &ReconcileContext<'_, Self>,
        _: &Observed<Self>,
        session: &mut ReconcileSession,
        step: Step,
    ) -> Result<Then, Error> {
        let Context { graph, fence, timing, .. } = &*self.context;
        steps::carry_out(at, &CallGateway { graph, fence, timing }, session, step).await
    }

    fn is_read(observed: &Observed<Self>) -> bool {
        observed.is_read()
    }

    fn on_change(&self, number: &Cached<WhatsAppNumber>) {
        self.triggers.counts_of(number.app.clone());
    }

    fn on_delete(&self, number: &Cached<WhatsAppNumber>) {
        if let Some(object) = number.object() {
            self.profiles.forget(object.metadata.uid.as_deref().unwrap_or_default());
            let namespace = object.metadata.namespace.clone().unwrap_or_default();
            self.bindings.forget(&namespace, &binding::secret_name(&object));
        }
    }
}

impl AccountResource for Numbers {
    type Facts = PhoneNumber;
    type Details = Inputs;

    fn objects(&self) -> &Objects<WhatsAppNumber> {
        &self.context.numbers
    }

    fn observe(&self, number: &WhatsAppNumber, app: &AppKey) -> Observation<PhoneNumber> {
        self.context.inventory.number(app, number.account(), digits_of(number))
    }

    fn is_live(facts: &PhoneNumber) -> bool {
        !facts.is_gone()
    }

    async fn read_by_id(&self, access: &Access, account: &str, id: &str) -> Result<PhoneNumber, graph::Error> {
        self.context.graph.read_number(access, account, id, Priority::Read).await
    }
}
