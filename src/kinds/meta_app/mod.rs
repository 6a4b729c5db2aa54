//! `MetaApp`: a Meta app, its credentials and its business accounts.

mod accounts;
mod cached_answers;
mod candidate;
mod conditions;
mod credentials;
mod decision;
mod import;
mod import_steps;
mod inputs;
mod notices;
mod plan;
mod publication;
mod secret_gap;
mod secret_problems;
mod status;
mod steps;
#[cfg(test)]
mod tests;
mod token;
mod token_finding;
mod token_secret;
mod usage;

pub use conditions::REASONS;

use std::sync::Arc;

use ahash::AHashMap;
use kube::ResourceExt;
use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;

use self::{
    decision::{Input, Inputs, Step},
    inputs::Memory,
};
use crate::{
    api::{AppKey, Kind, MetaApp, MetaAppStatus, SpecError, broken_rules},
    controller::{
        context::{Context, Error},
        managed_resource::{ManagedResource, ReconcileContext, Then},
        plan::Plan,
        store::Cached,
        triggers::Triggers,
    },
    timing::Timing,
};

/// An app, by its ID at Meta.
impl Kind for MetaApp {
    type Claim = Box<str>;

    const NAME: &'static str = "MetaApp";
    const SHORT: &'static str = "mapp";

    fn claim(&self) -> Self::Claim {
        self.spec.app_id.as_str().into()
    }

    fn app(&self) -> AppKey {
        AppKey::new(&self.namespace().unwrap_or_default(), &self.name_any())
    }

    fn title(&self) -> String {
        format!("app {}", self.spec.app_id)
    }

    fn secrets(&self) -> Vec<String> {
        let spec = &self.spec;
        let references = [Some(&spec.app_secret_ref), spec.access_token_ref.as_ref(), spec.binding_token_ref.as_ref()];
        let named = references.into_iter().flatten().map(|reference| reference.name.clone());
        named.chain([token_secret::name(&self.app())]).collect()
    }

    fn spec_errors(&self) -> Vec<SpecError> {
        broken_rules(self)
    }

    fn suspend(&self) -> bool {
        self.spec.suspend
    }
}

/// Reconciles apps.
pub struct Apps {
    context: Arc<Context>,
    triggers: Triggers,
    /// Whether some namespaces only are watched.
    namespaced: bool,
    memories: Mutex<AHashMap<AppKey, Arc<AppMemory>>>,
}

type AppMemory = tokio::sync::Mutex<Memory>;

impl Apps {
    /// No app is known yet.
    #[must_use]
    pub fn new(context: Arc<Context>, triggers: Triggers, namespaced: bool) -> Self {
        Self { context, triggers, namespaced, memories: Mutex::default() }
    }

    fn memory_of(&self, app: &MetaApp) -> Arc<AppMemory> {
        let mut memories = self.memories.lock();
        let memory = memories.entry(app.app()).or_insert_with(|| {
            // A throttle that the last leader learnt of holds for this one too.
            for throttle in app.status.iter().flat_map(|status| &status.throttles) {
                let account = throttle.business_account_id.as_deref();
                self.context.graph.restore_throttle(&app.spec.app_id, account, throttle.until.0);
            }
            Arc::default()
        });
        memory.clone()
    }

    fn forget(&self, key: &AppKey) {
        self.memories.lock().remove(key);
        self.context.pollers.set(key, None, &[]);
        self.context.inventory.remove_app(key);
        self.context.metrics.token_expires(&key.namespace, &key.name, None);
        self.context.metrics.app_conditions(&key.namespace, &key.name, std::iter::empty());
        self.triggers.objects_of(key);
    }
}

impl ManagedResource for Apps {
    type Object = MetaApp;
    type Inputs = Inputs;
    type Step = Step;
    type Session = OwnedMutexGuard<Memory>;

    fn context(&self) -> &Context {
        &self.context
    }

    async fn begin(&self, app: &MetaApp) -> OwnedMutexGuard<Memory> {
        self.memory_of(app).lock_owned().await
    }

    async fn collect(
        &self,
        at: &ReconcileContext<'_, Self>,
        memory: &mut OwnedMutexGuard<Memory>,
    ) -> Result<Inputs, Error> {
        Ok(inputs::collect(at, memory).await)
    }

    fn plan(app: &MetaApp, inputs: &Inputs, timing: &Timing) -> Plan<MetaAppStatus, Step> {
        plan::plan(Input { app, inputs, timing })
    }

    async fn execute(
        &self,
        at: &ReconcileContext<'_, Self>,
        inputs: &Inputs,
        memory: &mut OwnedMutexGuard<Memory>,
        step: Step,
    ) -> Result<Then, Error> {
        // An app that was deleted meanwhile, or cannot be read any more, gets no new memory, no pollers and no objects.
        if !self.memories.lock().get(at.app).is_some_and(|current| Arc::ptr_eq(current, OwnedMutexGuard::mutex(memory)))
        {
            return Err(Error::Stale);
        }
        match step {
            Step::Publish(publication) => publication::publish(at, memory, publication),
            Step::Import(batch) => {
                import_steps::import(at, memory, batch).await;
                return Ok(Then::Plan);
            }
            step => {
                let input = Input { app: at.object, inputs, timing: &self.context.timing };
                return steps::carry_out(&*self.context, memory, input, at.requests, step).await;
            }
        }
        Ok(Then::Learnt)
    }

    /// An app that cannot be read is as one that is gone, until it can be read again: nothing is requested of Meta for it.
    fn on_change(&self, app: &Cached<MetaApp>) {
        if !app.usable {
            self.forget(&app.app);
        }
    }

    fn on_delete(&self, app: &Cached<MetaApp>) {
        self.forget(&app.app);
    }
}
