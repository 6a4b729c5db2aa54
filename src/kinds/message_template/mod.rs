//! `MessageTemplate`: one message template in one language.

mod conditions;
mod content;
mod plan;
mod status;
#[cfg(test)]
mod tests;

pub use conditions::REASONS;

use std::{convert::Infallible, sync::Arc};

use kube::ResourceExt;

use crate::{
    api::{AppKey, Kind, MessageTemplate, MessageTemplateStatus},
    controller::{
        app_reference,
        context::{Context, Error},
        managed_resource::{Input, ManagedResource, ReconcileContext, Then},
        ownership::TemplateClaim,
        plan::Plan,
        reconcile,
        runner::{Done, Reconciler},
        store::{Cached, Objects},
        triggers::Triggers,
    },
    graph::{self, Access, Priority, types::Template},
    observe::{Observation, TemplateKey},
};

impl Kind for MessageTemplate {
    type Claim = TemplateClaim;

    const NAME: &'static str = "MessageTemplate";
    const SHORT: &'static str = "wamt";

    fn claim(&self) -> TemplateClaim {
        let spec = &self.spec;
        TemplateClaim {
            account: spec.business_account_id.as_str().into(),
            key: TemplateKey { name: spec.template_name.as_str().into(), language: spec.language.as_str().into() },
        }
    }

    fn title(&self) -> String {
        format!("template {} ({})", self.spec.template_name, self.spec.language)
    }

    fn app(&self) -> AppKey {
        app_reference::key(&self.spec.app_ref, &self.namespace().unwrap_or_default())
    }

    fn account(&self) -> Option<&str> {
        Some(&self.spec.business_account_id)
    }

    fn recorded(&self) -> Option<(&str, &str)> {
        Some((&self.spec.business_account_id, self.status.as_ref()?.template_id.as_deref()?))
    }

    fn suspend(&self) -> bool {
        self.spec.suspend
    }
}

/// Reconciles templates.
pub struct Templates {
    context: Arc<Context>,
    triggers: Triggers,
}

impl Templates {
    /// Their apps are woken by `triggers`.
    #[must_use]
    pub fn new(context: Arc<Context>, triggers: Triggers) -> Self {
        Self { context, triggers }
    }
}

impl Reconciler<MessageTemplate> for Templates {
    async fn reconcile(&self, template: Arc<MessageTemplate>) -> Result<Done, Error> {
        reconcile::reconcile(self, &*template).await
    }

    fn on_change(&self, template: &Cached<MessageTemplate>) {
        self.triggers.counts_of(template.app.clone());
    }

    fn deleted(&self, _: &Cached<MessageTemplate>) {}
}

impl ManagedResource for Templates {
    type Object = MessageTemplate;
    type Facts = Template;
    type Inputs = ();
    type Step = Infallible;
    type Session = ();

    fn context(&self) -> &Context {
        &self.context
    }

    fn objects(&self) -> &Objects<MessageTemplate> {
        &self.context.templates
    }

    fn observe(&self, template: &MessageTemplate, app: &AppKey) -> Observation<Template> {
        let claim = template.claim();
        self.context.inventory.template(app, &claim.account, &claim.key)
    }

    async fn begin(&self, _: &MessageTemplate) {}

    async fn collect(&self, _: &ReconcileContext<'_, Self>, (): &mut ()) -> Result<(), Error> {
        Ok(())
    }

    fn plan(input: &Input<'_, Self>) -> Plan<MessageTemplateStatus, Infallible> {
        plan::plan(input)
    }

    async fn execute(&self, _: &ReconcileContext<'_, Self>, (): &mut (), step: Infallible) -> Result<Then, Error> {
        match step {}
    }

    async fn read_by_id(&self, access: &Access, account: &str, id: &str) -> Result<Template, graph::Error> {
        self.context.graph.read_template(access, account, id, Priority::Read).await
    }
}
