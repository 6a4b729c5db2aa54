//! Gathers everything that a plan of a number is made from.

use std::{sync::Arc, time::Instant};

use jiff::Timestamp;
use kube::ResourceExt;
use secrecy::{ExposeSecret, SecretString};

use super::{Binding, Blocker, HandedOut, Inputs, KnownSecret, ProfileRead, SecretRead};
use crate::kinds::whatsapp_number::{
    Numbers, binding, deletion,
    profile_cache::Look,
    provisioning, registration,
    restore::{recalled, recalled_values, was_enabled},
    verification,
};
use crate::{
    api::{Action, AppKey, Kind, ManagementPolicy, Provisioning, SecretKeyRef, WhatsAppNumber},
    controller::{
        account_resource::{Observed, Proof, competing_object, observe, sees},
        app_reference::AppReference,
        context::{Context, Error},
        managed_resource::ReconcileContext,
        ownership::{NumberClaim, digits_of, display_name, precedes},
    },
    graph::types::PhoneNumber,
    k8s::secrets::{
        ComparableSecret, OwnedProblem, OwnedSecret, SecretProblem, SecretValue, Unusable, YOUR_VALUE, delete_command,
    },
    ledger::{LedgerHandle, LedgerProblem},
    messages::{Reason, commands},
    observe::{BindingToken, Observation},
};

/// What is held of a number while it is reconciled, and what this reconcile has found out on the way.
#[derive(Default)]
pub struct ReconcileSession {
    /// The ledger, where the object has to do with one.
    pub book: Option<LedgerHandle>,
    /// Why the last call was not made.
    pub held_back: Option<String>,
    /// Why the ledger could not be written.
    pub blocker: Option<Blocker>,
    /// Why the Secret with the PIN could not be created.
    pub no_pin: Option<Blocker>,
    /// Why the binding Secret could not be written or deleted.
    pub not_bound: Option<Blocker>,
    /// A PIN that was just created.
    pub made_pin: Option<SecretString>,
    /// A request that was just passed on.
    pub forwarded: bool,
    /// The reply to a read by id.
    pub proof: Option<Proof<PhoneNumber>>,
}

/// Takes hold of the number's ledger, if the object has anything to do with one.
pub async fn hold(context: &Context, object: &WhatsAppNumber) -> ReconcileSession {
    let digits = ledger_digits(object);
    let deleted = object.metadata.deletion_timestamp.is_some();
    let book = if deleted || needs_ledger(object) || context.ledgers.exists(digits) {
        Some(context.ledgers.open(digits).await)
    } else {
        None
    };
    ReconcileSession { book, ..ReconcileSession::default() }
}

/// Whether the object has anything to do with a ledger, besides one that exists already.
fn needs_ledger(object: &WhatsAppNumber) -> bool {
    let spec = &object.spec;
    spec.management_policy == ManagementPolicy::Full
        && !spec.suspend
        && (spec.provisioning == Provisioning::AddIfMissing
            || spec.verification.is_some()
            || spec.registration.is_some()
            || spec.profile.is_some()
            || spec.incoming.as_ref().is_some_and(|incoming| incoming.webhook.is_some())
            || deletion::wants_finalizer(object, true))
}

/// The digits under which a number's ledger is kept: the same for all spellings of the line.
pub fn ledger_digits(object: &WhatsAppNumber) -> u64 {
    NumberClaim::of(digits_of(object)).digits()
}

/// See the module.
pub async fn collect(
    at: &ReconcileContext<'_, Numbers>,
    session: &mut ReconcileSession,
) -> Result<Observed<Numbers>, Error> {
    let (link, seen) = observe(at.reconciler, at.object);
    let details = gather(at, &link, &seen, session).await?;
    let owner = Some(details.ledger.owner.uid.as_str()).filter(|uid| !uid.is_empty());
    Ok(Observed {
        app: at.app.clone(),
        competing_object: competing_object(at.reconciler, at.object, owner),
        link,
        seen,
        proof: session.proof.clone(),
        details,
        instant: Instant::now(),
    })
}

async fn gather(
    at: &ReconcileContext<'_, Numbers>,
    link: &AppReference,
    seen: &Observation<PhoneNumber>,
    hold: &mut ReconcileSession,
) -> Result<Inputs, Error> {
    let ReconcileContext { context, object, .. } = at;
    let now = context.graph.now();
    let mut inputs = Inputs {
        held_back: hold.held_back.clone(),
        observing_app: observes(context, at.app).then(|| at.app.clone()),
        no_writes: context.timing.is_skewed(context.graph.clock_skew()).then(|| commands::synchronise_clock(at.app)),
        has_finalizer: object.finalizers().iter().any(|name| name == crate::api::labels::DEREGISTER),
        now,
        ..Inputs::default()
    };
    if let Some(book) = &mut hold.book {
        inputs.held = true;
        remember(&mut inputs, book, seen.read(), now).await?;
        inputs.blocker = inputs.blocker.or_else(|| hold.blocker.clone());
        if inputs.ledger.serial == 0 {
            inputs.ledger = recalled(object);
        }
    }
    inputs.was_enabled = was_enabled(object);
    claimants(&mut inputs, at);
    inputs.requested = requested(at, &inputs, hold.forwarded);
    if object.spec.management_policy == ManagementPolicy::Full && !object.spec.suspend {
        let registered = matches!(seen, Observation::Present { facts, .. } if facts.is_registered());
        values(&mut inputs, at, registered, hold).await;
        inputs.profile = profile(&inputs, at, registered);
    }
    if let Some(book) = hold.book.as_mut().filter(|_| inputs.ledger.serial == 0) {
        recalled_values(object, &mut inputs);
        book.begins_with(inputs.ledger.clone());
    }
    inputs.binding = match &hold.not_bound {
        Some(blocker) => Binding::Refused(blocker.clone()),
        None => self::binding(at, link, seen).await?,
    };
    Ok(inputs)
}

async fn remember(
    inputs: &mut Inputs,
    book: &mut LedgerHandle,
    read: Option<Instant>,
    now: Timestamp,
) -> Result<(), Error> {
    match book.load(now).await {
        Ok(ledger) => inputs.ledger = ledger.cloned().unwrap_or_default(),
        Err(problem) if problem.is_lasting() => {
            // What is known stays known.
            inputs.ledger = book.ledger().cloned().unwrap_or_default();
            inputs.blocker = Some(unusable(&problem));
        }
        Err(problem) => return Err(problem.into()),
    }
    inputs.evidence = book.evidence(read);
    inputs.counts_from = book.counts_from();
    let open = inputs.ledger.intents.iter();
    inputs.foreign_call_grace =
        open.filter_map(|intent| Some((intent.id.clone(), book.foreign_call_grace(intent)?))).collect();
    Ok(())
}

/// What a ledger that cannot be used means for the number.
pub fn unusable(problem: &LedgerProblem) -> Blocker {
    let reason = if problem.is_taken() { Reason::SecretNameTaken } else { Reason::LedgerUnusable };
    Blocker::new(reason, problem.to_string())
}

/// Whether the operator changes nothing at Meta with the app's token.
fn observes(context: &Context, app: &AppKey) -> bool {
    context.inventory.app(app).is_some_and(|app| app.observes)
}

/// Who else claims the number.
fn claimants(inputs: &mut Inputs, at: &ReconcileContext<'_, Numbers>) {
    let context = at.context;
    let mut competitors = context.numbers.competitors(at.object);
    competitors.retain(|competing_object| competing_object.metadata.deletion_timestamp.is_none());
    // Whoever takes the number over may not be let in yet: it is not deregistered meanwhile.
    inputs.claimed = !competitors.is_empty();
    let owner = Some(inputs.ledger.owner.uid.as_str()).filter(|uid| !uid.is_empty());
    if owner.is_some() && at.object.uid().as_deref() == owner {
        return;
    }
    let owns = |competing_object: &&WhatsAppNumber| owner.is_some() && competing_object.uid().as_deref() == owner;
    // A claim is free to make: none keeps a number from being added that cannot have it itself.
    let link = |competing_object: &WhatsAppNumber| {
        context.link(&competing_object.app(), &competing_object.namespace().unwrap_or_default())
    };
    let may_add = |competing_object: &WhatsAppNumber| {
        provisioning::adds(competing_object)
            && !observes(context, &competing_object.app())
            && matches!(link(competing_object), AppReference::Ready | AppReference::Waiting)
    };
    let goes_first = |competing_object: &&WhatsAppNumber| {
        precedes(*competing_object, at.object) && (may_add(competing_object) || sees(at.reconciler, *competing_object))
    };
    let earlier_claimant = competitors.iter().find(owns).or_else(|| competitors.iter().find(goes_first));
    inputs.earlier_claimant = earlier_claimant.map(|earlier_claimant| display_name(earlier_claimant, at.namespace));
}

/// Requests that are to be acted on, and have not been.
fn requested(
    at: &ReconcileContext<'_, Numbers>,
    inputs: &Inputs,
    forwarded: bool,
) -> std::collections::BTreeMap<Action, String> {
    let is_done = |action: Action, value: &str| {
        if action == Action::RefreshToken {
            return forwarded;
        }
        let time = |text: &str| text.parse::<Timestamp>().ok();
        inputs.ledger.handled(action).is_some_and(|handled| handled == value || time(value) <= time(handled))
    };
    let requests = at.requests.iter().filter(|request| request.verdict.is_ok());
    let open = requests.filter(|request| !is_done(request.action, &request.value));
    open.map(|request| (request.action, request.value.clone())).collect()
}

/// PIN, code and verify token, where they matter.
async fn values(inputs: &mut Inputs, at: &ReconcileContext<'_, Numbers>, registered: bool, hold: &ReconcileSession) {
    let ReconcileContext { context, object, namespace, .. } = at;
    if object.spec.registration.is_some() {
        let reference = registration::pin_ref(object);
        let given = registration::given_pin_ref(object).is_some();
        // Of the operator's own Secrets a number reads none but that with its own PIN.
        let read = if reference.name == registration::generated_pin_ref(object).name {
            context.secrets.get_also_own(namespace, &reference).await
        } else {
            context.secrets.get(namespace, &reference).await
        };
        let foreign = match &read {
            Ok(SecretValue { ours, number, .. }) => {
                !ours || number.as_ref().is_some_and(|number| *number != digits_of(object).to_string())
            }
            Err(problem) => problem.foreign,
        };
        inputs.pin_taken = !given && foreign;
        inputs.pin = value((context, namespace), &read.map(|read| read.value), "pin", &reference, six_digits);
        if let (SecretRead::Missing(_), Some(made)) = (&inputs.pin, &hold.made_pin) {
            inputs.pin = known(context, "pin", made.clone());
        }
        if let (SecretRead::Missing(_), Some(blocker)) = (&inputs.pin, &hold.no_pin) {
            inputs.pin = SecretRead::NotCreated(blocker.clone());
        }
    }
    if object.spec.verification.is_some() && !registered {
        let reference = verification::code_ref(object);
        let read = context.secrets.get(namespace, &reference).await.map(|read| read.value);
        inputs.code = value((context, namespace), &read, "code", &reference, |text| six_digits(&plain(text)));
    }
    if let Some(webhook) = object.spec.incoming.as_ref().and_then(|incoming| incoming.webhook.as_ref()) {
        let reference = &webhook.verify_token_ref;
        let read = context.secrets.get(namespace, reference).await.map(|read| read.value);
        inputs.verify_token = value((context, namespace), &read, "verify-token", reference, |text| Ok(text.to_owned()));
        if let Some(KnownSecret { value: ComparableSecret(token), .. }) = inputs.verify_token.known() {
            let both = SecretString::from(format!("{}\n{}", webhook.callback_url, token.expose_secret()));
            inputs.webhook_fingerprint = context.fingerprints.of("webhook", &both);
        }
    }
}

/// Meta writes codes with a space or a hyphen.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && *c != '-').collect()
}

fn six_digits(text: &str) -> Result<String, &'static str> {
    if text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(text.to_owned())
    } else {
        Err("is not six digits: put six digits there, as text, leading zeros too")
    }
}

fn known(context: &Context, purpose: &str, value: SecretString) -> SecretRead {
    let fingerprint = context.fingerprints.of(purpose, &value);
    SecretRead::Known(KnownSecret { value: ComparableSecret(value), fingerprint })
}

fn value(
    (context, namespace): (&Context, &str),
    read: &Result<SecretString, Arc<SecretProblem>>,
    purpose: &str,
    reference: &SecretKeyRef,
    clean: impl Fn(&str) -> Result<String, &'static str>,
) -> SecretRead {
    let placeholder = format!("YOUR_{}", purpose.to_uppercase().replace('-', "_"));
    match read {
        Ok(text) => match clean(text.expose_secret()) {
            Ok(text) => known(context, purpose, text.into()),
            Err(why) => {
                let fingerprint = context.fingerprints.of(purpose, text);
                SecretRead::Invalid(Blocker::invalid(namespace, reference, (why, &placeholder), fingerprint))
            }
        },
        Err(problem) => {
            let blocker = |reason| Blocker::new(reason, problem.to_string().replace(YOUR_VALUE, &placeholder));
            match problem.problem {
                Unusable::Missing { .. } => SecretRead::Missing(blocker(Reason::SecretNotFound)),
                Unusable::KeyMissing { .. } => SecretRead::Missing(blocker(Reason::SecretKeyNotFound)),
                Unusable::Empty { .. } | Unusable::NotText { .. } | Unusable::Reserved { .. } => {
                    SecretRead::Invalid(blocker(Reason::SecretValueInvalid))
                }
                Unusable::Unreadable(_) => SecretRead::Unread,
            }
        }
    }
}

fn profile(inputs: &Inputs, at: &ReconcileContext<'_, Numbers>, registered: bool) -> ProfileRead {
    if at.object.spec.profile.is_none() || !registered {
        return ProfileRead::NotManaged;
    }
    let unsettled = inputs.ledger.profile.values().any(|field| field.shown.is_none());
    let status = at.object.status.as_ref();
    let look = Look {
        uid: at.object.uid().unwrap_or_default(),
        counts_from: inputs.counts_from,
        unsettled,
        is_new: status.is_none_or(|status| {
            Some(status.observed_generation) != at.object.metadata.generation
                || crate::k8s::conditions::find(&status.conditions, "ProfileSynced")
                    .is_none_or(|synced| synced.reason == Reason::NotRegistered.as_str())
        }),
        requested: at.requests.iter().any(|request| request.action == Action::Reconcile && request.verdict.is_ok()),
    };
    at.reconciler.profiles.look(&look, Instant::now(), &at.context.timing)
}

/// In place of a digest: the Secret is not the object's.
const NOT_OURS: &str = "not ours";

/// How the binding Secret stands.
async fn binding(
    at: &ReconcileContext<'_, Numbers>,
    link: &AppReference,
    seen: &Observation<PhoneNumber>,
) -> Result<Binding, Error> {
    let object = at.object;
    let name = binding::secret_name(object);
    if object.spec.binding.is_none() || *link == AppReference::NotAllowed {
        let there = is_ours(at, &name).await?;
        return Ok(if there { Binding::Unwanted } else { Binding::NotManaged });
    }
    if object.spec.suspend || *link != AppReference::Ready {
        return Ok(Binding::Waits("the MetaApp is not ready; an existing binding Secret stays as it is"));
    }
    Ok(wanted_binding(at, seen, &name).await)
}

/// How the binding Secret of an object that wants one stands.
async fn wanted_binding(at: &ReconcileContext<'_, Numbers>, seen: &Observation<PhoneNumber>, name: &str) -> Binding {
    let ReconcileContext { context, object, namespace, .. } = at;
    let (Observation::Present { account, facts, .. }, Some(access)) = (seen, context.pollers.access(at.app)) else {
        return Binding::Waits("Meta has not shown the number yet");
    };
    let view = context.inventory.app(at.app).unwrap_or_default();
    let kept;
    let (token, handed_out) = match &view.binding_token {
        BindingToken::InUse if *at.app.namespace == **namespace => (Some(&access.token), HandedOut::Given),
        BindingToken::InUse => (None, HandedOut::NotNamed),
        BindingToken::Named(ComparableSecret(token)) => (Some(token), HandedOut::Given),
        // A Secret that went away by mistake must not take the token from every application at once.
        BindingToken::Missing => match OwnedSecret::read(&context.client, namespace, name).await {
            Ok(secret) => {
                let ours = secret.filter(|secret| secret.owner() == object.uid().as_deref());
                kept = ours.and_then(|secret| secret.get(binding::TOKEN));
                (kept.as_ref(), if kept.is_some() { HandedOut::Kept } else { HandedOut::Missing })
            }
            Err(problem) => return unread(&problem),
        },
        BindingToken::Unread => {
            return Binding::Waits(
                "the operator could not read the token for bindings; an existing binding Secret stays as it is",
            );
        }
    };
    let wanted = wanted(at, account, facts, &access.version, token);
    let digest = digest(context, &wanted);
    if at.reconciler.bindings.is_current(context, namespace, name, &digest) {
        return Binding::Current(handed_out);
    }
    match OwnedSecret::read(&context.client, namespace, name).await {
        Ok(Some(secret)) if is_same(&secret, &wanted, object) => {
            at.reconciler.bindings.remember(namespace, name, secret.resource_version(), &digest);
            Binding::Current(handed_out)
        }
        Ok(_) => Binding::Behind(wanted),
        Err(problem) => unread(&problem),
    }
}

/// A binding Secret that is somebody else's, or could not be read.
fn unread(problem: &OwnedProblem) -> Binding {
    match problem {
        OwnedProblem::Taken(path) => Binding::Taken(format!(
            "Secret {path} is not the operator's, so the operator does not touch it. To have the binding Secret written, rename or delete it: {}",
            delete_command(path)
        )),
        _ => Binding::Waits("the operator could not read the binding Secret, and retries"),
    }
}

fn wanted(
    at: &ReconcileContext<'_, Numbers>,
    account: &str,
    facts: &PhoneNumber,
    version: &str,
    token: Option<&SecretString>,
) -> Vec<(&'static str, ComparableSecret)> {
    let access = binding::Access { api_url: &at.context.graph_url, api_version: version, token };
    binding::content(at.object, account, facts, &access)
}

/// Names what is in a binding.
pub fn digest(context: &Context, entries: &[(&'static str, ComparableSecret)]) -> String {
    let text = entries
        .iter()
        .fold(String::new(), |text, (key, ComparableSecret(value))| text + key + "=" + value.expose_secret() + "\n");
    context.fingerprints.of("binding", &text.into())
}

fn is_same(secret: &OwnedSecret, wanted: &[(&'static str, ComparableSecret)], object: &WhatsAppNumber) -> bool {
    let mut keys: Vec<&str> = wanted.iter().map(|(key, _)| *key).collect();
    keys.sort_unstable();
    secret.keys().eq(keys)
        && secret.owner() == object.uid().as_deref()
        && wanted.iter().all(|(key, value)| secret.get(key).map(ComparableSecret).as_ref() == Some(value))
}

/// Whether the Secret is there and the object owns it. A status may be lost, so the watch is what knows that it is there; one
/// that is not the object's is read once per version.
async fn is_ours(at: &ReconcileContext<'_, Numbers>, name: &str) -> Result<bool, Error> {
    let ReconcileContext { context, object, namespace, .. } = at;
    let Some(version) = context.secrets.version(namespace, name) else { return Ok(false) };
    if at.reconciler.bindings.is_current(context, namespace, name, NOT_OURS) {
        return Ok(false);
    }
    match OwnedSecret::read(&context.client, namespace, name).await {
        Ok(Some(secret)) if secret.owner() == object.uid().as_deref() => return Ok(true),
        Ok(Some(_)) | Err(OwnedProblem::Taken(_)) => {}
        Ok(None) => return Ok(false),
        Err(problem) => return Err(problem.into()),
    }
    at.reconciler.bindings.remember(namespace, name, Some(&version), NOT_OURS);
    Ok(false)
}
