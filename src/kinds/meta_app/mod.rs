//! `MetaApp`: a Meta app, its credentials and its business accounts. The shell: gathers what the plan needs, carries
//! out what it says.

mod accounts;
mod cached_answers;
mod conditions;
mod credentials;
mod decision;
mod import;
mod inputs;
mod plan;
mod status;
mod steps;
#[cfg(test)]
mod tests;
mod token;
mod token_secret;

pub use conditions::REASONS;

use std::{
    ops::ControlFlow,
    sync::Arc,
    time::{Duration, Instant},
};

use ahash::AHashMap;
use kube::ResourceExt;
use parking_lot::Mutex;

use self::{cached_answers::AppAnswers, decision::Report, plan::plan};
use crate::controller::status::write_status;
use crate::{
    api::{Action, AppKey, Kind, ManagementPolicy, MetaApp},
    k8s::secrets::{ComparableSecret, OwnedSecret, Unusable},
    observe::{AppState, AppSummary, BindingToken, Polling},
};
use crate::{
    controller::{
        actions::{self, Request},
        context::{Context, Error},
        reconcile::StepBudget,
        runner::{Done, Reconciler},
        store::Cached,
        summary::ConditionValue,
        triggers::Triggers,
    },
    messages::Reason,
};

const BINDING_TOKEN_VALID: &str = "BindingTokenValid";

/// What this process remembers of one app between two reconciles.
struct Memory {
    facts: AppAnswers,
    /// The operator's copy of the token, as last read or written.
    owned: Option<OwnedSecret>,
    /// When counts were last taken into the status.
    counted: Option<Instant>,
    /// What an import that is under way has created so far.
    imported: (usize, usize),
    /// The last request to exchange the token that was acted on.
    exchanged_for: Option<String>,
}

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
        named.chain([format!("{}-token", self.name_any())]).collect()
    }

    fn suspend(&self) -> bool {
        self.spec.suspend
    }
}

/// Reconciles apps.
pub struct Apps {
    context: Arc<Context>,
    wake: Triggers,
    /// Whether some namespaces only are watched.
    namespaced: bool,
    memory: Mutex<AHashMap<AppKey, Arc<tokio::sync::Mutex<Memory>>>>,
}

impl Reconciler<MetaApp> for Apps {
    async fn reconcile(&self, app: Arc<MetaApp>) -> Result<Done, Error> {
        let key = AppKey::new(&app.namespace().unwrap_or_default(), &app.name_any());
        let kept = self.memory_of(&key, &app);
        let mut memory = kept.lock().await;
        let mut requests = actions::requests(&*app, self.context.graph.now());
        let mut budget = StepBudget::default();
        let mut report = loop {
            budget.take()?;
            self.context.leads()?;
            let input = self.gather(&app, &key, &mut memory, &requests).await;
            match plan(&input, &memory.facts) {
                ControlFlow::Break(step) => self.carry_out(&app, &key, &mut memory, &input, step).await?,
                ControlFlow::Continue(report) => break report,
            }
        };
        if !self.memory.lock().get(&key).is_some_and(|current| Arc::ptr_eq(current, &kept)) {
            // Deleted while Meta was asked: what was learnt concerns nobody any more.
            return Ok(Done { changed: false, requeue: None });
        }
        let binding_token = self.binding_token(&app, &key, &mut report).await;
        refuse_exchange(&mut requests, &app, &report, memory.exchanged_for.as_deref());
        self.conclude(&app, &key, &mut memory, report, binding_token, &requests).await
    }

    /// An app that cannot be read is as one that is gone, until it can be read again: nothing is asked of Meta for it.
    fn on_change(&self, app: &Cached<MetaApp>) {
        if !app.usable {
            self.deleted(app);
        }
    }

    fn deleted(&self, app: &Cached<MetaApp>) {
        let key = &app.app;
        self.memory.lock().remove(key);
        self.context.pollers.set(key, None, &[]);
        self.context.inventory.remove_app(key);
        self.context.metrics.token_expires(&key.namespace, &key.name, None);
        self.wake.objects_of(key);
    }
}

impl Apps {
    /// No app is known yet.
    #[must_use]
    pub fn new(context: Arc<Context>, wake: Triggers, namespaced: bool) -> Self {
        Self { context, wake, namespaced, memory: Mutex::default() }
    }

    fn memory_of(&self, key: &AppKey, app: &MetaApp) -> Arc<tokio::sync::Mutex<Memory>> {
        let mut memories = self.memory.lock();
        let memory = memories.entry(key.clone()).or_insert_with(|| {
            // A throttle that the last leader learnt of holds for this one too.
            for throttle in app.status.iter().flat_map(|status| &status.throttles) {
                let account = throttle.business_account_id.as_deref();
                self.context.graph.restore_throttle(&app.spec.app_id, account, throttle.until.0);
            }
            Arc::new(tokio::sync::Mutex::new(Memory {
                facts: AppAnswers::default(),
                owned: None,
                counted: None,
                imported: (0, 0),
                exchanged_for: None,
            }))
        });
        memory.clone()
    }

    /// The token that bindings may hand out; whether it can be read is a condition of its own.
    async fn binding_token(&self, app: &MetaApp, key: &AppKey, report: &mut Report) -> BindingToken {
        let Some(reference) = app.spec.binding_token_ref.as_ref().filter(|_| !app.spec.suspend) else {
            return BindingToken::InUse;
        };
        let (finding, token) = match self.context.secrets.get(&key.namespace, reference).await {
            Ok(read) => {
                let message = "bindings hand out the token that spec.bindingTokenRef names";
                (ConditionValue::yes(Reason::Configured, message), BindingToken::Named(ComparableSecret(read.value)))
            }
            Err(problem) => {
                let unread = matches!(problem.problem, Unusable::Unreadable(_));
                let problem = inputs::unusable(&problem);
                let token = if unread { BindingToken::Unread } else { BindingToken::Missing };
                (ConditionValue::no(problem.reason, problem.message), token)
            }
        };
        report.verdict.conditions.push((BINDING_TOKEN_VALID, finding));
        token
    }

    /// Tells everybody how the app stands, and writes it.
    async fn conclude(
        &self,
        app: &MetaApp,
        key: &AppKey,
        memory: &mut Memory,
        report: Report,
        binding_token: BindingToken,
        requests: &[Request],
    ) -> Result<Done, Error> {
        let context = &*self.context;
        let view = AppSummary {
            standing: report.standing.clone(),
            allowed: report.allowed.clone(),
            observes: app.spec.management_policy == ManagementPolicy::Observe,
            stale_after: report.interval * context.timing.stale_intervals,
            token: report.access.as_ref().map(|(_, token)| token.clone()).unwrap_or_default(),
            binding_token,
        };
        let news = context.inventory.set_app(key, view, &report.accounts);
        for account in &report.status.business_accounts {
            if let Some(limit) = account.template_limit.and_then(|limit| u32::try_from(limit).ok()) {
                context.inventory.recall_template_limit(key, &account.id, limit);
            }
        }
        let polling = report.access.map(|(access, token)| Polling { access, token, interval: report.interval });
        context.pollers.set(key, polling.as_ref(), &report.accounts);
        if news {
            self.wake.objects_of(key);
        }
        let expires = report.status.token.as_ref().and_then(|t| t.expires_at.as_ref()).map(|time| time.0);
        context.metrics.token_expires(&key.namespace, &key.name, expires);

        let (status, verdict) = if report.hold {
            (app.status.clone().unwrap_or_default(), None)
        } else {
            (report.status, Some(&report.verdict))
        };
        let mut changed = write_status(context, app, status, verdict, requests).await?;
        let mut requeue = report.wait;
        // Whoever writes the echo of a request acts on it, so that it is acted on once.
        if changed && !app.spec.suspend && actions::asks_to_read(requests) {
            memory.facts.ask_again();
            context.pollers.poke(key, None);
            requeue = Some(Duration::ZERO);
        }
        if !report.import.is_empty() {
            changed |= self.import(app, memory, report.import).await;
            requeue = Some(if memory.facts.import_failure.is_none() {
                Duration::ZERO
            } else {
                context.timing.retry_interval
            });
        } else if memory.imported != (0, 0) {
            self.announce_import(app, memory);
        }
        Ok(Done { changed, requeue })
    }
}

impl Memory {
    /// A Secret that was just written may not have reached the watch yet.
    fn owned_is_settled(&self) -> bool {
        self.facts.owned_written.is_none_or(|at| at.elapsed() > Duration::from_secs(10))
    }
}

/// A request to exchange the token that cannot be acted on is told so, unless it was acted on.
fn refuse_exchange(requests: &mut [Request], app: &MetaApp, report: &Report, done: Option<&str>) {
    let forever = report.status.token.as_ref().is_some_and(|token| token.expires_at.is_none());
    let why = if app.spec.management_policy == ManagementPolicy::Observe {
        "spec.managementPolicy is Observe"
    } else if report.standing != AppState::Ready {
        "no token works that could be exchanged"
    } else if forever {
        "the token in use does not expire"
    } else {
        return;
    };
    let refused = |r: &&mut Request| r.action == Action::RefreshToken && r.verdict.is_ok() && done != Some(&r.value);
    for request in requests.iter_mut().filter(refused) {
        request.verdict = Err(why.to_owned());
    }
}

/// The Secret of the operator's copy of the token.
fn token_secret_name(key: &AppKey) -> String {
    format!("{}-token", key.name)
}
