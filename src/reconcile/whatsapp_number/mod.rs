//! `WhatsAppNumber`: one phone number.

mod facts;
mod phase;
mod plan;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::{
    cached::Cached,
    claims::digits_of,
    context::{Context, Error},
    controller::{Done, Reconciler},
    objects::Objects,
    outlook::{Input, Plan},
    subject::{self, Subject},
    wake::Wakers,
};
use crate::{
    api::{Action, AppRef, Problem, WhatsAppNumber, WhatsAppNumberStatus, later, validate_number},
    graph::{self, Access, Priority, wire::PhoneNumber},
    observe::{AppKey, Estate, Seen},
};

/// Reconciles numbers.
pub struct Numbers {
    context: Arc<Context>,
    wake: Wakers,
}

impl Numbers {
    /// Their apps are woken by `wake`.
    #[must_use]
    pub fn new(context: Arc<Context>, wake: Wakers) -> Self {
        Self { context, wake }
    }
}

impl Reconciler<WhatsAppNumber> for Numbers {
    async fn reconcile(&self, number: Arc<WhatsAppNumber>) -> Result<Done, Error> {
        subject::reconcile(&self.context, &*number).await
    }

    fn noticed(&self, number: &Cached<WhatsAppNumber>) {
        self.wake.counts_of(number.app.clone());
    }

    fn deleted(&self, _: &Cached<WhatsAppNumber>) {}
}

impl Subject for WhatsAppNumber {
    type Facts = PhoneNumber;

    const LATER: &'static [Action] = later::WHATSAPP_NUMBER_ACTIONS;

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

    fn seen(&self, estate: &Estate, app: &AppKey) -> Seen<PhoneNumber> {
        estate.number(app, self.account(), digits_of(self))
    }

    async fn read(
        graph: &graph::Client,
        access: &Access,
        account: &str,
        id: &str,
    ) -> Result<PhoneNumber, graph::Error> {
        graph.read_number(access, account, id, Priority::Poll).await
    }

    fn plan(input: &Input<'_, Self>) -> Plan<WhatsAppNumberStatus> {
        plan::plan(input)
    }
}
