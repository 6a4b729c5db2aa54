//! `MessageTemplate`: one message template in one language.

mod conditions;
mod content;
mod inputs;
mod plan;
mod status;
mod steps;
#[cfg(test)]
mod tests;

pub use conditions::REASONS;

use std::sync::Arc;

use kube::ResourceExt;

use self::{inputs::ReconcileSession, steps::Step};
use crate::{
    api::{AppKey, Kind, MessageTemplate, MessageTemplateStatus, SpecError, broken_rules},
    controller::{
        account_resource::{AccountResource, Observed},
        app_reference,
        context::{Context, Error},
        managed_resource::{ManagedResource, ReconcileContext, Then},
        ownership::TemplateClaim,
        plan::Plan,
        store::{Cached, Objects},
        triggers::Triggers,
    },
    graph::{self, Access, Priority, types::Template},
    observe::{Observation, TemplateKey},
    timing::Timing,
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

    fn spec_errors(&self) -> Vec<SpecError> {
        broken_rules(self)
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

impl ManagedResource for Templates {
    type Object = MessageTemplate;
    type Inputs = Observed<Self>;
    type Step = Step;
    type Session = ReconcileSession;

    fn context(&self) -> &Context {
        &self.context
    }

    async fn begin(&self, _: &MessageTemplate) -> ReconcileSession {
        ReconcileSession::default()
    }

    async fn collect(
        &self,
        at: &ReconcileContext<'_, Self>,
        session: &mut ReconcileSession,
    ) -> Result<Observed<Self>, Error> {
        Ok(inputs::collect(at, session))
    }

    fn plan(
        template: &MessageTemplate,
        observed: &Observed<Self>,
        timing: &Timing,
    ) -> Plan<MessageTemplateStatus, Step> {
        plan::plan(&observed.input(template, timing))
    }

    async fn execute(
        &self,
        at: &ReconcileContext<'_, Self>,
        _: &Observed<Self>,
        session: &mut ReconcileSession,
        step: Step,
    ) -> Result<Then, Error> {
        Ok(steps::carry_out(at, session, step).await)
    }

    fn is_read(observed: &Observed<Self>) -> bool {
        observed.is_read()
    }

    fn on_change(&self, template: &Cached<MessageTemplate>) {
        self.triggers.counts_of(template.app.clone());
    }

    fn on_delete(&self, _: &Cached<MessageTemplate>) {}
}

impl AccountResource for Templates {
    type Facts = Template;
    type Details = ();

    fn objects(&self) -> &Objects<MessageTemplate> {
        &self.context.templates
    }

    fn observe(&self, template: &MessageTemplate, app: &AppKey) -> Observation<Template> {
        let claim = template.claim();
        self.context.inventory.template(app, &claim.account, &claim.key)
    }

    async fn read_by_id(&self, access: &Access, account: &str, id: &str) -> Result<Template, graph::Error> {
        self.context.graph.read_template(access, account, id, Priority::Read).await
    }
}
