//! `MessageTemplate`: one message template in one language.

mod conditions;
mod content;
mod plan;
mod status;
#[cfg(test)]
mod tests;

use std::{convert::Infallible, sync::Arc};

use kube::ResourceExt;

use crate::controller::{
    context::{Context, Error},
    managed_resource::{self, ManagedResource, ReconcileContext, Then},
    preconditions::{Input, Plan},
    runner::{Done, Reconciler},
    store::{Cached, Kind, Objects},
    triggers::Triggers,
};
use crate::{
    api::{Action, AppKey, AppRef, MessageTemplate, MessageTemplateStatus, Problem, unsupported},
    graph::{self, Access, Priority, types::Template},
    observe::{Inventory, Observation},
};
use crate::{
    controller::{app_reference, ownership::TemplateClaim},
    observe::TemplateKey,
};

impl Kind for MessageTemplate {
    type Claim = TemplateClaim;

    fn claim(&self) -> Self::Claim {
        let spec = &self.spec;
        TemplateClaim {
            account: spec.business_account_id.as_str().into(),
            key: TemplateKey { name: spec.template_name.as_str().into(), language: spec.language.as_str().into() },
        }
    }

    fn app(&self) -> AppKey {
        app_reference::key(&self.spec.app_ref, &self.namespace().unwrap_or_default())
    }

    fn held_by(&self) -> Option<&str> {
        Some(&self.spec.business_account_id)
    }

    fn secrets(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Reconciles templates.
pub struct Templates {
    context: Arc<Context>,
    wake: Triggers,
}

impl Templates {
    /// Their apps are woken by `wake`.
    #[must_use]
    pub fn new(context: Arc<Context>, wake: Triggers) -> Self {
        Self { context, wake }
    }
}

impl Reconciler<MessageTemplate> for Templates {
    async fn reconcile(&self, template: Arc<MessageTemplate>) -> Result<Done, Error> {
        managed_resource::reconcile(&self.context, &*template).await
    }

    fn on_change(&self, template: &Cached<MessageTemplate>) {
        self.wake.counts_of(template.app.clone());
    }

    fn deleted(&self, _: &Cached<MessageTemplate>) {}
}

impl ManagedResource for MessageTemplate {
    type Facts = Template;
    type ReconcileSession = ();
    type Inputs = ();
    type Step = Infallible;

    const LATER: &'static [Action] = unsupported::MESSAGE_TEMPLATE_ACTIONS;

    fn owner((): &()) -> Option<&str> {
        None
    }

    async fn hold(_: &Context, _: &Self) {}

    async fn gather(_: &ReconcileContext<'_, Self>, (): &mut ()) -> Result<(), Error> {
        Ok(())
    }

    async fn carry_out(_: &ReconcileContext<'_, Self>, (): &mut (), step: Infallible) -> Result<Then, Error> {
        match step {}
    }

    fn all(context: &Context) -> &Objects<Self> {
        &context.templates
    }

    fn app_ref(&self) -> &AppRef {
        &self.spec.app_ref
    }

    fn account(&self) -> Option<&str> {
        Some(&self.spec.business_account_id)
    }

    fn known_as(&self) -> String {
        format!("template {} ({})", self.spec.template_name, self.spec.language)
    }

    /// The API server sees everything.
    fn problems(&self) -> Vec<Problem> {
        Vec::new()
    }

    fn recorded(&self) -> Option<(&str, &str)> {
        Some((&self.spec.business_account_id, self.status.as_ref()?.template_id.as_deref()?))
    }

    fn is_here(_: &Template) -> bool {
        true
    }

    fn seen(&self, inventory: &Inventory, app: &AppKey) -> Observation<Template> {
        let claim = self.claim();
        inventory.template(app, &claim.account, &claim.key)
    }

    async fn read(graph: &graph::Client, access: &Access, account: &str, id: &str) -> Result<Template, graph::Error> {
        graph.read_template(access, account, id, Priority::Read).await
    }

    fn plan(input: &Input<'_, Self>) -> Plan<MessageTemplateStatus, Infallible> {
        plan::plan(input)
    }
}
