//! Collects everything that a plan of an app reads.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use kube::ResourceExt;
use secrecy::ExposeSecret;

use super::{
    Apps,
    cached_answers::AppAnswers,
    decision::{CredentialError, Inputs, Publication},
    import::{self, Created, ObjectVersion, Superseded, Wanted},
    secret_gap::LastValue,
    secret_problems::{self, both_missing, mistaken},
    token_secret::{self, Credential, TokenSecret},
};
use crate::{
    api::{
        Action, AppKey, Counts, Kind, MessageTemplate, MetaApp, MetaAppStatus, NumberPhase, SecretKeyRef,
        TemplatePhase, WhatsAppNumber,
    },
    controller::{
        actions::Request,
        app_reference::AppReference,
        context::Context,
        managed_resource::ReconcileContext,
        ownership::{NumberClaim, TemplateClaim, digits_of, display_name, is_imported, precedes},
        secret_values::{SecretKind, mistake},
        store::{Cached, Objects},
    },
    k8s::secrets::{OwnedSecret, delete_command},
    messages::Reason,
    observe::{AccountState, digits},
};

/// A Secret that was just written may not have reached the watch yet.
const SETTLED: Duration = Duration::from_secs(10);

/// What fingerprints of tokens for bindings are for.
const BINDING_TOKEN: &str = "binding-token";

/// What this process remembers of one app between two reconciles.
#[derive(Default)]
pub struct Memory {
    /// What Meta replied.
    pub answers: AppAnswers,
    /// The app secret, the token and the token for bindings, as the user's Secrets last held them.
    pub last_values: [LastValue; 3],
    /// The operator's copy of the token, as last read or written.
    pub owned: Option<OwnedSecret>,
    /// When that was last written.
    pub owned_written: Option<Instant>,
    /// The counts in the status, and when they were taken.
    pub counted: Option<(Instant, Counts)>,
    /// What an import created a moment ago.
    pub created: Created,
    /// Why the last import failed, if it did, and when.
    pub import_failure: Option<(String, Instant)>,
    /// What failed then.
    pub unimported: Wanted,
    /// How many numbers and templates an import that is under way has created so far.
    pub imported: (usize, usize),
    /// The last requests to exchange the token and to read again that were acted on.
    pub acted_on: Vec<Request>,
    /// What pollers and the app's objects work with.
    pub published: Option<Publication>,
}

impl Memory {
    /// The requests that nothing was done about yet.
    pub fn not_acted_on(&self, requests: &[Request]) -> Vec<Action> {
        let is_new = |request: &&Request| request.verdict.is_ok() && !self.acted_on.contains(request);
        requests.iter().filter(is_new).map(|request| request.action).collect()
    }

    /// A request is acted on once, whatever comes of it.
    pub fn act_on(&mut self, requests: &[Request], action: Action) {
        if let Some(request) = requests.iter().find(|request| request.action == action) {
            self.acted_on.retain(|request| request.action != action);
            self.acted_on.push(request.clone());
        }
    }
}

/// What is known now; reads of the API server happen only where a Secret is new or changed.
pub async fn collect(at: &ReconcileContext<'_, Apps>, memory: &mut Memory) -> Inputs {
    let ReconcileContext { reconciler, context, object: app, app: key, requests, .. } = *at;
    let spec = &app.spec;
    let accounts = context.inventory.accounts(key);
    let (gap, instant) = (context.timing.secret_gap, Instant::now());
    let mut gap_ends: Option<Instant> = None;
    let mut bridge = |last: &mut LastValue, read| {
        let (found, until) = last.bridge(read, gap, instant);
        gap_ends = gap_ends.into_iter().chain(until).min();
        found
    };
    let [last_secret, last_token, last_binding_token] = &mut memory.last_values;
    let read = credential(context, key, &spec.app_secret_ref, token_secret::APP_SECRET).await;
    let mut secret = bridge(last_secret, read);
    let read = optional_credential(context, key, spec.access_token_ref.as_ref(), token_secret::TOKEN).await;
    let mut user_token = read.map(|read| bridge(last_token, read));
    if let (Some(Ok(token)), Some(reference)) = (&user_token, &spec.access_token_ref)
        && secret_problems::is_same(&secret, token)
    {
        let (what, named) = ("is the same as the app secret", token.fingerprint.clone());
        user_token = Some(Err(mistaken(&key.namespace, reference, SecretKind::Token, what, named)));
    }
    let tokens = (&user_token, spec.access_token_ref.as_ref());
    both_missing(&key.namespace, (&mut secret, &spec.app_secret_ref), tokens);
    let binding_ref = spec.binding_token_ref.as_ref().filter(|_| !spec.suspend);
    let read = optional_credential(context, key, binding_ref, BINDING_TOKEN).await;
    let binding_token = read.map(|read| bridge(last_binding_token, read));
    let token_secret = if spec.suspend { Ok(TokenSecret::default()) } else { token_secret(at, memory).await };
    if let Ok(TokenSecret { live: Some(live), .. }) = &token_secret {
        memory.answers.note_refusals(&live.fingerprint, accounts.values());
    }
    memory.answers.note_refused_proofs(accounts.values());
    let claimed = Claimed { context, app: key, accounts: &accounts };
    memory.created.forget_seen(&claimed);
    let instant = Instant::now();
    let snapshots = accounts.iter().filter_map(|(id, state)| Some((&**id, &**state.snapshot.as_ref()?)));
    let mut import = import::missing(app, snapshots, &claimed, &memory.created, instant);
    import.superseded = superseded(context, app);
    // What could not be done is excluded, or gone: whatever was in its way is nobody's concern any more.
    if !import.has_any_of(&memory.unimported) {
        memory.import_failure = None;
    }
    Inputs {
        competing_object: competing_object(context, app, key),
        requested: memory.not_acted_on(requests),
        secret,
        user_token,
        binding_token,
        gap_ends,
        token_secret,
        counts: counts(reconciler, key, memory),
        holding: holding(reconciler, key, app),
        import,
        import_failure: memory.import_failure.clone(),
        has_imported: memory.imported != (0, 0),
        published: memory.published.clone(),
        answers: memory.answers.clone(),
        version: spec.graph_version.clone().unwrap_or_else(|| context.graph_version.clone()),
        served: context.graph.version_mismatch(&spec.app_id).map(|mismatch| mismatch.served.to_string()),
        skew: context.graph.clock_skew(),
        namespaced: reconciler.namespaced,
        now: context.graph.now(),
        instant,
        accounts,
    }
}

async fn credential(
    context: &Context,
    key: &AppKey,
    reference: &SecretKeyRef,
    purpose: &str,
) -> Result<Credential, CredentialError> {
    let kind = if purpose == token_secret::APP_SECRET { SecretKind::AppSecret } else { SecretKind::Token };
    let read = context.secrets.get(&key.namespace, reference).await;
    let value = read.map_err(|problem| secret_problems::unusable(&problem, kind))?.value;
    let fingerprint = context.fingerprints.of(purpose, &value);
    match mistake(kind, value.expose_secret()) {
        Some(what) => Err(mistaken(&key.namespace, reference, kind, what, fingerprint)),
        None => Ok(Credential { value, fingerprint }),
    }
}

async fn optional_credential(
    context: &Context,
    key: &AppKey,
    reference: Option<&SecretKeyRef>,
    purpose: &str,
) -> Option<Result<Credential, CredentialError>> {
    Some(credential(context, key, reference?, purpose).await)
}

/// The operator's copy of the token; read again only when the watch shows another version of it.
async fn token_secret(at: &ReconcileContext<'_, Apps>, memory: &mut Memory) -> Result<TokenSecret, CredentialError> {
    let ReconcileContext { context, object: app, app: key, .. } = *at;
    let name = token_secret::name(key);
    let seen = context.secrets.version(&key.namespace, &name);
    let held = memory.owned.as_ref().and_then(|owned| owned.resource_version().map(str::to_owned));
    if seen.is_some() && seen != held {
        let read = OwnedSecret::read(&context.client, &key.namespace, &name).await;
        memory.owned = read.map_err(|problem| secret_problems::owned(&problem))?;
    } else if seen.is_none() && held.is_some() && memory.owned_written.is_none_or(|at| at.elapsed() > SETTLED) {
        memory.owned = None;
    }
    let Some(owned) = &memory.owned else { return Ok(TokenSecret::default()) };
    match owned.annotation(token_secret::APP_ID) {
        Some(id) if id != app.spec.app_id => Err(CredentialError {
            reason: Reason::SecretNameTaken,
            message: format!(
                "Secret {}/{name} keeps the token of app {id}, and this is app {}; give this MetaApp another name, or \
                 delete the Secret: {}",
                key.namespace,
                app.spec.app_id,
                delete_command(&format!("{}/{name}", key.namespace))
            ),
            passing: false,
            fingerprint: None,
        }),
        _ => Ok(TokenSecret::read(owned, |purpose, value| context.fingerprints.of(purpose, value))),
    }
}

/// An older `MetaApp` with the same app ID.
fn competing_object(context: &Context, app: &MetaApp, key: &AppKey) -> Option<String> {
    let competitors = context.apps.competitors(app);
    let winner = competitors.iter().find(|other| precedes(*other, app))?;
    Some(display_name(winner, &key.namespace))
}

/// Counts move with every object; they are taken into the status at most once per `counts_gap`.
fn counts(apps: &Apps, key: &AppKey, memory: &mut Memory) -> Counts {
    if let Some((at, counts)) = &memory.counted
        && at.elapsed() < apps.context.timing.counts_gap
    {
        apps.triggers.counts_of(key.clone());
        return counts.clone();
    }
    let counts = count(&apps.triggers.numbers_of(key), &apps.triggers.templates_of(key));
    memory.counted = Some((Instant::now(), counts.clone()));
    counts
}

/// The accounts that hold what the app's objects stand for. Collected only where an account is gone.
fn holding(apps: &Apps, key: &AppKey, app: &MetaApp) -> BTreeSet<Box<str>> {
    let is_gone = |status: &MetaAppStatus| status.business_accounts.iter().any(|known| known.gone_since.is_some());
    if !app.status.as_ref().is_some_and(is_gone) {
        return BTreeSet::new();
    }
    let numbers = apps.triggers.numbers_of(key).into_iter().filter_map(|number| number.account.clone());
    numbers.chain(apps.triggers.templates_of(key).into_iter().filter_map(|t| t.account.clone())).collect()
}

/// Imported objects whose thing an authored object stands for now.
fn superseded(context: &Context, app: &MetaApp) -> Vec<Superseded> {
    if app.spec.import.is_none() {
        return Vec::new();
    }
    // A claim to a number counts for the account that it names.
    let sees = |number: &WhatsAppNumber| {
        let listed_in = context.inventory.accounts_of_number(&app.app(), digits_of(number), |_| false);
        number.account().is_none_or(|named| listed_in.iter().any(|account| **account == *named))
    };
    let numbers = superseded_among(context, &context.numbers, app, sees).map(Superseded::Number);
    // A claim to a template names its account.
    numbers.chain(superseded_among(context, &context.templates, app, |_| true).map(Superseded::Template)).collect()
}

/// The objects that an import of this app made, and that an authored one has replaced.
fn superseded_among<'a, K: Kind>(
    context: &'a Context,
    objects: &'a Objects<K>,
    app: &'a MetaApp,
    sees: impl Fn(&K) -> bool + 'a,
) -> impl Iterator<Item = ObjectVersion> + 'a {
    let key = app.app();
    // An import creates its objects beside the app: others are not unpacked.
    let beside = objects.contested(|object| object.app == key && object.key.namespace() == &*key.namespace);
    let made = beside.into_iter().filter(|object| import::is_untouched(object, &app.name_any()));
    made.filter(move |object| authored(context, &objects.competitors(object), app, &sees))
        .map(|object| ObjectVersion::of(&object))
}

/// Whether one of these objects was written by a person, for this app, which lets it and shows what the object stands for.
fn authored<K: Kind>(context: &Context, claimants: &[K], app: &MetaApp, sees: impl Fn(&K) -> bool) -> bool {
    let counts = |object: &K| {
        let namespace = object.namespace().unwrap_or_default();
        object.app() == app.app() && context.link(&app.app(), &namespace) == AppReference::Ready
    };
    claimants.iter().any(|object| !is_imported(object) && counts(object) && sees(object))
}

fn count(numbers: &[Arc<Cached<WhatsAppNumber>>], templates: &[Arc<Cached<MessageTemplate>>]) -> Counts {
    let template =
        |wanted: &TemplatePhase| templates.iter().filter(|t| t.phase.as_deref() == Some(wanted.as_str())).count();
    let waiting =
        numbers.iter().filter(|n| n.needs_action).count() + templates.iter().filter(|t| t.needs_action).count();
    let enabled = |n: &&Arc<Cached<WhatsAppNumber>>| {
        n.phase.as_deref() == Some(NumberPhase::Enabled.as_str()) && n.sendable != Some(false)
    };
    let whole = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    Counts {
        numbers: whole(numbers.len()),
        enabled: whole(numbers.iter().filter(enabled).count()),
        needs_action: whole(waiting),
        templates: whole(templates.len()),
        approved: whole(template(&TemplatePhase::Approved)),
        pending: whole(template(&TemplatePhase::PendingReview)),
        rejected: whole(template(&TemplatePhase::Rejected)),
    }
}

/// Who claims what, for an import.
struct Claimed<'a> {
    context: &'a Context,
    app: &'a AppKey,
    accounts: &'a BTreeMap<Box<str>, AccountState>,
}

impl import::Claims for Claimed<'_> {
    fn number(&self, claim: NumberClaim, lists: &dyn Fn(&str) -> bool) -> bool {
        let is_unread = |account: &str| self.accounts.get(account).is_some_and(|state| state.snapshot.is_none());
        // What other apps see, their own objects know.
        let counts = |object: &Cached<WhatsAppNumber>| {
            object.app != *self.app
                || object.account.as_deref().is_none_or(|account| lists(account) || is_unread(account))
                || self.has_name_of_import(object, claim)
        };
        self.context.numbers.is_claimed_by(&claim, counts)
    }

    fn template(&self, claim: &TemplateClaim) -> bool {
        self.context.templates.is_claimed(claim)
    }
}

impl Claimed<'_> {
    /// Whether the object is in the way of an import: it has the name that the import would give.
    fn has_name_of_import(&self, object: &Cached<WhatsAppNumber>, claim: NumberClaim) -> bool {
        let digits = object.key.name().strip_prefix("number-").and_then(digits::parse);
        object.key.namespace() == &*self.app.namespace && digits.map(NumberClaim::of) == Some(claim)
    }
}
