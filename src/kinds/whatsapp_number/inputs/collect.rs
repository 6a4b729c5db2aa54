//! Collects everything that a number's plan reads.

use std::{sync::Arc, time::Instant};

use jiff::Timestamp;
use kube::ResourceExt;
use secrecy::{ExposeSecret, SecretString};

use super::{Binding, Blocker, Inputs, KnownSecret, ProfileRead, SecretRead, binding_secret::read_binding};
use crate::kinds::whatsapp_number::{
    Numbers,
    connection::Connection,
    deletion, profile,
    profile_cache::Look,
    provisioning, registration,
    restore::{recalled, recalled_values, was_enabled},
    verification, webhook,
};
use crate::{
    api::{Action, AppKey, Kind, ManagementPolicy, Provisioning, SecretKeyRef, WhatsAppNumber},
    controller::{
        account_resource::{Observed, Proof, competing_object, observe, sees},
        app_reference::AppReference,
        context::{Context, Error},
        managed_resource::ReconcileContext,
        ownership::{NumberClaim, digits_of, display_name, precedes},
        secret_values::{SecretKind, mistake},
    },
    graph::types::PhoneNumber,
    k8s::secrets::{ComparableSecret, SecretProblem, SecretValue, Unusable, YOUR_VALUE},
    ledger::{LedgerHandle, LedgerProblem},
    messages::{Reason, commands},
    observe::Observation,
    timing,
};

/// What one reconcile of a number keeps from step to step.
#[derive(Default)]
pub struct ReconcileSession {
    /// The ledger, if the object needs one.
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

/// Opens the number's ledger, if the object needs one.
pub async fn open_session(context: &Context, object: &WhatsAppNumber) -> ReconcileSession {
    let digits = ledger_digits(object);
    let deleted = object.metadata.deletion_timestamp.is_some();
    let book = if deleted || needs_ledger(object) || context.ledgers.exists(digits) {
        Some(context.ledgers.open(digits).await)
    } else {
        None
    };
    ReconcileSession { book, ..ReconcileSession::default() }
}

/// Whether the object needs a ledger, even if none exists yet.
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
    now: Timestamp,
    session: &mut ReconcileSession,
) -> Result<Observed<Numbers>, Error> {
    let (link, seen) = observe(at.reconciler, at.object);
    let details = details(at, &link, &seen, now, session).await?;
    let owner = Some(details.ledger.owner.uid.as_str()).filter(|uid| !uid.is_empty());
    Ok(Observed {
        app: at.app.clone(),
        competing_object: competing_object(at.reconciler, at.object, owner),
        link,
        seen,
        proof: session.proof.clone(),
        details,
        instant: timing::now(),
    })
}

/// What a plan of a number reads besides its app and Meta's facts.
pub async fn details(
    at: &ReconcileContext<'_, Numbers>,
    link: &AppReference,
    seen: &Observation<PhoneNumber>,
    now: Timestamp,
    session: &mut ReconcileSession,
) -> Result<Inputs, Error> {
    let ReconcileContext { context, object, .. } = at;
    let mut inputs = Inputs {
        held_back: session.held_back.clone(),
        observing_app: observes(context, at.app).then(|| at.app.clone()),
        no_writes: context.timing.is_skewed(context.graph.clock_skew()).then(|| commands::synchronise_clock(at.app)),
        has_finalizer: object.finalizers().iter().any(|name| name == crate::api::labels::DEREGISTER),
        now,
        ..Inputs::default()
    };
    if let Some(book) = &mut session.book {
        inputs.held = true;
        remember(&mut inputs, book, seen.read(), now).await?;
        inputs.blocker = inputs.blocker.or_else(|| session.blocker.clone());
        if inputs.ledger.serial == 0 {
            inputs.ledger = recalled(object);
        }
    }
    inputs.was_enabled = was_enabled(object);
    let listed = object.status.as_ref().map(|status| status.business_accounts.as_slice()).unwrap_or_default();
    let was_listed = |account: &str| listed.iter().any(|known| known.id == account);
    inputs.listed_in = context.inventory.accounts_of_number(at.app, digits_of(object), was_listed);
    claimants(&mut inputs, at);
    inputs.requested = requested(at, &inputs, session.forwarded);
    if object.spec.management_policy == ManagementPolicy::Full && !object.spec.suspend {
        let registered = matches!(seen, Observation::Present { facts, .. }
            if !Connection::of(facts, inputs.was_connected()).is_off());
        values(&mut inputs, at, registered, session).await;
        inputs.profile = profile(&inputs, at, registered);
    }
    if let Some(book) = session.book.as_mut().filter(|_| inputs.ledger.serial == 0) {
        recalled_values(object, &mut inputs);
        book.begins_with(inputs.ledger.clone());
    }
    inputs.binding = match &session.not_bound {
        Some(blocker) => Binding::Refused(blocker.clone()),
        None => read_binding(at, link, seen).await?,
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
    // The object that takes the number over may not be allowed yet: the number is not deregistered meanwhile.
    inputs.claimed = !competitors.is_empty();
    let owner = Some(inputs.ledger.owner.uid.as_str()).filter(|uid| !uid.is_empty());
    if owner.is_some() && at.object.uid().as_deref() == owner {
        return;
    }
    let owns = |competing_object: &&WhatsAppNumber| owner.is_some() && competing_object.uid().as_deref() == owner;
    // Any object can claim a number: a claim by one that could not add it must not prevent another from adding it.
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

/// Requests that have not been acted on.
fn requested(
    at: &ReconcileContext<'_, Numbers>,
    inputs: &Inputs,
    forwarded: bool,
) -> std::collections::BTreeMap<Action, String> {
    let is_done = |action: Action, value: &str| {
        if action == Action::RefreshToken {
            return forwarded;
        }
        inputs.ledger.has_handled(action, value)
    };
    let requests = at.requests.iter().filter(|request| request.verdict.is_ok());
    let open = requests.filter(|request| !is_done(request.action, &request.value));
    open.map(|request| (request.action, request.value.clone())).collect()
}

/// PIN, code and verify token, where they matter.
async fn values(inputs: &mut Inputs, at: &ReconcileContext<'_, Numbers>, registered: bool, session: &ReconcileSession) {
    let ReconcileContext { context, object, namespace, .. } = at;
    if object.spec.registration.is_some() {
        let reference = registration::pin_ref(object);
        let given = registration::given_pin_ref(object).is_some();
        // The only Secret of the operator that a number may read is the one with its own PIN.
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
        // One that the operator creates is created again at once.
        if given {
            inputs.pin = bridged((context, namespace), inputs.pin.clone(), &reference);
        }
        if let (SecretRead::Missing(_), Some(made)) = (&inputs.pin, &session.made_pin) {
            inputs.pin = known(context, "pin", made.clone());
        }
        if let (SecretRead::Missing(_), Some(blocker)) = (&inputs.pin, &session.no_pin) {
            inputs.pin = SecretRead::NotCreated(blocker.clone());
        }
    }
    if object.spec.verification.is_some() && !registered {
        let reference = verification::code_ref(object);
        let read = context.secrets.get(namespace, &reference).await.map(|read| read.value);
        let code = value((context, namespace), &read, "code", &reference, |text| six_digits(&plain(text)));
        inputs.code = bridged((context, namespace), code, &reference);
    }
    if let Some(webhook) = object.spec.incoming.as_ref().and_then(|incoming| incoming.webhook.as_ref()) {
        let reference = &webhook.verify_token_ref;
        let read = context.secrets.get(namespace, reference).await.map(|read| read.value);
        let token = value((context, namespace), &read, "verify-token", reference, verify_token);
        inputs.verify_token = bridged((context, namespace), token, reference);
        if let Some(KnownSecret { value: token, .. }) = inputs.verify_token.known() {
            inputs.webhook_fingerprint = webhook::inputs(&context.fingerprints, &webhook.callback_url, token);
        }
    }
}

/// A Secret that was deleted a moment ago may be created again: until then nothing is known to be missing.
fn bridged((context, namespace): (&Context, &str), read: SecretRead, reference: &SecretKeyRef) -> SecretRead {
    let gap = context.timing.secret_gap;
    let away = || context.secrets.may_come_back(namespace, &reference.name, gap);
    match read {
        SecretRead::Missing(blocker) => away().map_or(SecretRead::Missing(blocker), SecretRead::Away),
        read => read,
    }
}

/// Meta writes codes with a space or a hyphen.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && *c != '-').collect()
}

fn verify_token(text: &str) -> Result<String, &'static str> {
    mistake(SecretKind::VerifyToken, text).map_or_else(|| Ok(text.to_owned()), Err)
}

fn six_digits(text: &str) -> Result<String, &'static str> {
    if let Some(what) = mistake(SecretKind::SixDigits, text) {
        return Err(what);
    }
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
    let mut unsettled = inputs.ledger.profile.values().filter(|field| field.shown.is_none()).peekable();
    let (unsettled, may_lag) =
        (unsettled.peek().is_some(), unsettled.any(|field| profile::may_lag(field.at, inputs.now, &at.context.timing)));
    let status = at.object.status.as_ref();
    let look = Look {
        uid: at.object.uid().unwrap_or_default(),
        counts_from: inputs.counts_from,
        unsettled,
        may_lag,
        is_new: status.is_none_or(|status| {
            Some(status.observed_generation) != at.object.metadata.generation
                || crate::k8s::conditions::find(&status.conditions, "ProfileSynced")
                    .is_none_or(|synced| synced.reason == Reason::NotRegistered.as_str())
        }),
        requested: at.requests.iter().any(|request| request.action == Action::Reconcile && request.verdict.is_ok()),
    };
    at.reconciler.profiles.look(&look, timing::now(), &at.context.timing)
}
