//! Gathers everything a plan of an app is made from.

use std::{sync::Arc, time::Instant};

use kube::ResourceExt;

use super::token_secret_name;
use super::{
    Apps, Memory,
    decision::{Credential, CredentialError, Input},
    import,
    import::{ObjectVersion, Superseded},
    token_secret::{self, TokenSecret},
};
use crate::{
    api::{
        Action, AppKey, Counts, Kind, MessageTemplate, MetaApp, MetaAppSpec, NumberPhase, SecretKeyRef, TemplatePhase,
        WhatsAppNumber,
    },
    controller::{
        actions::Request,
        app_reference::AppReference,
        context::Context,
        ownership::{NumberClaim, TemplateClaim, display_name, is_imported, precedes},
        store::{Cached, Objects},
    },
    k8s::secrets::{OwnedProblem, OwnedSecret, SecretProblem, Unusable, delete_command},
    messages::Reason,
};

impl Apps {
    /// What is known now; reads of the API server happen only where a Secret is new or changed.
    pub(super) async fn gather<'a>(
        &'a self,
        app: &'a MetaApp,
        key: &AppKey,
        memory: &mut Memory,
        requests: &[Request],
    ) -> Input<'a> {
        let context = &*self.context;
        let spec = &app.spec;
        let accounts = context.inventory.accounts(key);
        let secret = self.credential(key, &spec.app_secret_ref, "app-secret").await;
        let user_token = match &spec.access_token_ref {
            Some(reference) => Some(self.credential(key, reference, "token").await),
            None => None,
        };
        let token_secret_content =
            if spec.suspend { Ok(TokenSecret::default()) } else { self.token_secret_content(key, spec, memory).await };
        let now = Instant::now();
        if let Some(live) =
            token_secret_content.as_ref().ok().and_then(|token_secret_content| token_secret_content.live.as_ref())
        {
            memory.facts.note_refusals(&live.fingerprint, accounts.values());
        }
        let asked = requests.iter().find(|r| r.action == Action::RefreshToken && r.verdict.is_ok());
        memory.facts.created.forget_seen(&Claimed(context));
        let mut import = import::missing(
            app,
            accounts.iter().filter_map(|(id, state)| Some((&**id, &**state.snapshot.as_ref()?))),
            &Claimed(context),
            &memory.facts.created,
            now,
        );
        import.superseded = self.superseded(app);
        Input {
            app,
            competing_object: self.competing_object(app, key),
            exchange_asked: asked.is_some_and(|r| memory.exchanged_for.as_ref() != Some(&r.value)),
            secret,
            user_token,
            token_secret_content,
            counts: self.counts(app, key, memory),
            import,
            import_failure: memory.facts.import_failure.clone(),
            version: spec.graph_version.clone().unwrap_or_else(|| context.graph_version.clone()),
            served: context.graph.version_mismatch(&spec.app_id).map(|mismatch| mismatch.served.to_string()),
            skew: context.graph.clock_skew(),
            namespaced: self.namespaced,
            now: context.graph.now(),
            instant: now,
            timing: &context.timing,
            accounts,
        }
    }

    async fn credential(
        &self,
        key: &AppKey,
        reference: &SecretKeyRef,
        purpose: &str,
    ) -> Result<Credential, CredentialError> {
        let value = self.context.secrets.get(&key.namespace, reference).await.map_err(|problem| unusable(&problem))?;
        let fingerprint = self.context.fingerprints.of(purpose, &value.value);
        Ok(Credential { value: value.value, fingerprint })
    }

    /// The operator's copy of the token; read again only when the watch shows another version of it.
    async fn token_secret_content(
        &self,
        key: &AppKey,
        spec: &MetaAppSpec,
        memory: &mut Memory,
    ) -> Result<TokenSecret, CredentialError> {
        let name = token_secret_name(key);
        let seen = self.context.secrets.version(&key.namespace, &name);
        let held = memory.owned.as_ref().and_then(|owned| owned.resource_version().map(str::to_owned));
        if seen.is_some() && seen != held {
            let read = OwnedSecret::read(&self.context.client, &key.namespace, &name).await;
            memory.owned = read.map_err(|problem| owned_problem(&problem))?;
        } else if seen.is_none() && held.is_some() && memory.owned_is_settled() {
            memory.owned = None;
        }
        let Some(owned) = &memory.owned else { return Ok(TokenSecret::default()) };
        match owned.annotation(token_secret::APP_ID) {
            Some(id) if id != spec.app_id => Err(CredentialError {
                reason: Reason::SecretNameTaken,
                message: format!(
                    "Secret {}/{name} keeps the token of app {id}, and this is app {}; give this MetaApp another name, or \
                     delete the Secret: {}",
                    key.namespace,
                    spec.app_id,
                    delete_command(&format!("{}/{name}", key.namespace))
                ),
                passing: false,
            }),
            _ => Ok(TokenSecret::read(owned, |value| self.context.fingerprints.of("token", value))),
        }
    }

    /// An older `MetaApp` with the same app ID.
    fn competing_object(&self, app: &MetaApp, key: &AppKey) -> Option<String> {
        let competitors = self.context.apps.competitors(app);
        let winner = competitors.iter().find(|other| precedes(*other, app))?;
        Some(display_name(winner, &key.namespace))
    }

    /// Counts move with every object; they are taken into the status at most once per `counts_gap`.
    fn counts(&self, app: &MetaApp, key: &AppKey, memory: &mut Memory) -> Counts {
        let gap = self.context.timing.counts_gap;
        let last = app.status.as_ref().and_then(|status| status.counts.clone());
        if let (Some(last), Some(at)) = (last, memory.counted)
            && at.elapsed() < gap
        {
            self.wake.counts_of(key.clone());
            return last;
        }
        memory.counted = Some(Instant::now());
        count(&self.wake.numbers_of(key), &self.wake.templates_of(key))
    }

    /// Imported objects whose thing an authored object stands for now.
    fn superseded(&self, app: &MetaApp) -> Vec<Superseded> {
        if app.spec.import.is_none() {
            return Vec::new();
        }
        let context = &*self.context;
        let numbers = superseded_among(context, &context.numbers, app).map(Superseded::Number);
        numbers.chain(superseded_among(context, &context.templates, app).map(Superseded::Template)).collect()
    }
}

/// The objects that an import of this app made, and that an authored one has replaced.
fn superseded_among<'a, K: Kind>(
    context: &'a Context,
    objects: &'a Objects<K>,
    app: &'a MetaApp,
) -> impl Iterator<Item = ObjectVersion> + 'a {
    let key = app.app();
    // An import creates its objects beside the app: others are not unpacked.
    let beside = objects.contested(|object| object.app == key && object.key.namespace() == &*key.namespace);
    let made = beside.into_iter().filter(|object| import::is_untouched(object, &app.name_any()));
    made.filter(|object| authored(context, &objects.competitors(object), app)).map(|object| ObjectVersion::of(&object))
}

/// Whether one of these objects was written by a person, for this app, which lets it.
fn authored<K: Kind>(context: &Context, claimants: &[K], app: &MetaApp) -> bool {
    let counts = |object: &K| {
        let namespace = object.namespace().unwrap_or_default();
        object.app() == app.app() && context.link(&app.app(), &namespace) == AppReference::Ready
    };
    claimants.iter().any(|object| !is_imported(object) && counts(object))
}

fn count(numbers: &[Arc<Cached<WhatsAppNumber>>], templates: &[Arc<Cached<MessageTemplate>>]) -> Counts {
    let number = |wanted: &NumberPhase| numbers.iter().filter(|n| n.phase.as_deref() == Some(wanted.as_str())).count();
    let template =
        |wanted: &TemplatePhase| templates.iter().filter(|t| t.phase.as_deref() == Some(wanted.as_str())).count();
    let stalled = numbers.iter().filter(|n| n.stalled).count() + templates.iter().filter(|t| t.stalled).count();
    let whole = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    Counts {
        numbers: whole(numbers.len()),
        enabled: whole(number(&NumberPhase::Enabled)),
        needs_action: whole(stalled),
        templates: whole(templates.len()),
        approved: whole(template(&TemplatePhase::Approved)),
        pending: whole(template(&TemplatePhase::PendingReview)),
        rejected: whole(template(&TemplatePhase::Rejected)),
    }
}

pub(super) fn unusable(problem: &SecretProblem) -> CredentialError {
    let reason = match problem.problem {
        Unusable::Missing { .. } => Reason::SecretNotFound,
        Unusable::KeyMissing { .. } => Reason::SecretKeyNotFound,
        Unusable::Empty { .. } | Unusable::NotText { .. } | Unusable::Reserved { .. } => Reason::SecretValueInvalid,
        Unusable::Unreadable(_) => Reason::SecretUnreadable,
    };
    CredentialError { reason, message: problem.to_string(), passing: reason == Reason::SecretUnreadable }
}

fn owned_problem(problem: &OwnedProblem) -> CredentialError {
    let taken = matches!(problem, OwnedProblem::Taken(_));
    let reason = if taken { Reason::SecretNameTaken } else { Reason::SecretUnreadable };
    CredentialError { reason, message: problem.to_string(), passing: !taken }
}

/// Who claims what, for an import.
struct Claimed<'a>(&'a Context);

impl import::Claims for Claimed<'_> {
    fn number(&self, claim: NumberClaim) -> bool {
        self.0.numbers.is_claimed(&claim)
    }

    fn template(&self, claim: &TemplateClaim) -> bool {
        self.0.templates.is_claimed(claim)
    }
}
