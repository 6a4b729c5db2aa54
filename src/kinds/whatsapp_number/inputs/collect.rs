//! Gathers everything that a plan of a number is made from.

use std::{sync::Arc, time::Instant};

use jiff::Timestamp;
use kube::ResourceExt;
use secrecy::{ExposeSecret, SecretString};

use super::{Binding, Custody, HandedOut, Known, ProfileRead, Trouble, Value};
use crate::kinds::whatsapp_number::{
    binding, hints, plan,
    profile_cache::Look,
    restore::{recalled, recalled_values, was_enabled},
};
use crate::{
    api::{Action, ManagementPolicy, SecretKeyRef, WhatsAppNumber},
    controller::{
        app_reference::Link,
        context::{Context, Error},
        managed_resource::{Surroundings, sees},
        ownership::{NumberClaim, digits_of, goes_before, whose},
    },
    graph::types::PhoneNumber,
    k8s::secrets::{
        Hidden, OwnedProblem, OwnedSecret, SecretProblem, SecretValue, Unusable, YOUR_VALUE, delete_command,
    },
    ledger::{Book, LedgerProblem},
    messages::Reason,
    observe::{BindingToken, Seen},
};

/// What is held of a number while it is reconciled, and what this reconcile has found out on the way.
#[derive(Default)]
pub struct Hold {
    /// The ledger, where the object has to do with one.
    pub book: Option<Book>,
    /// Why the last call was not made.
    pub held_back: Option<String>,
    /// Why the ledger could not be written.
    pub trouble: Option<Trouble>,
    /// Why the Secret with the PIN could not be created.
    pub no_pin: Option<Trouble>,
    /// Why the binding Secret could not be written or deleted.
    pub not_bound: Option<Trouble>,
    /// A PIN that was just created.
    pub made_pin: Option<SecretString>,
    /// A request that was just passed on.
    pub forwarded: bool,
}

/// Takes hold of the number's ledger, if the object has anything to do with one.
pub async fn hold(context: &Context, object: &WhatsAppNumber) -> Hold {
    let digits = ledger_digits(object);
    let deleted = object.metadata.deletion_timestamp.is_some();
    let book = if deleted || plan::needs_ledger(object) || context.ledgers.exists(digits) {
        Some(context.ledgers.open(digits).await)
    } else {
        None
    };
    Hold { book, ..Hold::default() }
}

/// The digits under which a number's ledger is kept: the same for all spellings of the line.
pub fn ledger_digits(object: &WhatsAppNumber) -> u64 {
    NumberClaim::of(digits_of(object)).digits()
}

/// See the module.
pub async fn gather(at: &Surroundings<'_, WhatsAppNumber>, hold: &mut Hold) -> Result<Custody, Error> {
    let Surroundings { context, object, .. } = at;
    let now = context.graph.now();
    let mut custody = Custody {
        held_back: hold.held_back.clone(),
        no_writes: context.timing.is_skewed(context.graph.clock_skew()).then(|| hints::clock(at.app)),
        has_finalizer: object.finalizers().iter().any(|name| name == crate::api::labels::DEREGISTER),
        now,
        ..Custody::default()
    };
    if let Some(book) = &mut hold.book {
        custody.held = true;
        remember(&mut custody, book, at.seen.read(), now).await?;
        custody.trouble = custody.trouble.or_else(|| hold.trouble.clone());
        if custody.ledger.serial == 0 {
            custody.ledger = recalled(object);
        }
    }
    custody.was_enabled = was_enabled(object);
    claimants(&mut custody, at);
    custody.asked = asked(at, &custody, hold.forwarded);
    if object.spec.management_policy == ManagementPolicy::Full && !object.spec.suspend {
        values(&mut custody, at, hold).await;
        custody.profile = profile(&custody, at);
    }
    if let Some(book) = hold.book.as_mut().filter(|_| custody.ledger.serial == 0) {
        recalled_values(object, &mut custody);
        book.begins_with(custody.ledger.clone());
    }
    custody.binding = match &hold.not_bound {
        Some(trouble) => Binding::Refused(trouble.clone()),
        None => self::binding(at).await,
    };
    Ok(custody)
}

async fn remember(custody: &mut Custody, book: &mut Book, read: Option<Instant>, now: Timestamp) -> Result<(), Error> {
    match book.load(now).await {
        Ok(ledger) => custody.ledger = ledger.cloned().unwrap_or_default(),
        Err(problem) if problem.is_lasting() => {
            // What is known stays known.
            custody.ledger = book.ledger().cloned().unwrap_or_default();
            custody.trouble = Some(unusable(&problem));
        }
        Err(problem) => return Err(problem.into()),
    }
    custody.unwritten = book.is_unwritten();
    custody.evidence = book.evidence(read);
    custody.counts_from = book.counts_from();
    let open = custody.ledger.intents.iter();
    custody.quarantine = open.filter_map(|intent| Some((intent.id.clone(), book.quarantine(intent)?))).collect();
    Ok(())
}

/// What a ledger that cannot be used means for the number.
pub fn unusable(problem: &LedgerProblem) -> Trouble {
    let reason = if problem.is_taken() { Reason::SecretNameTaken } else { Reason::LedgerUnusable };
    Trouble::new(reason, problem.to_string())
}

/// Who else claims the number.
fn claimants(custody: &mut Custody, at: &Surroundings<'_, WhatsAppNumber>) {
    let context = at.context;
    let mut rivals = context.numbers.rivals(at.object);
    rivals.retain(|rival| rival.metadata.deletion_timestamp.is_none());
    // Whoever takes the number over may not be let in yet: it is not deregistered meanwhile.
    custody.claimed = !rivals.is_empty();
    let owner = Some(custody.ledger.owner.uid.as_str()).filter(|uid| !uid.is_empty());
    if owner.is_some() && at.object.uid().as_deref() == owner {
        return;
    }
    let owns = |rival: &&WhatsAppNumber| owner.is_some() && rival.uid().as_deref() == owner;
    // A claim is free to make: none keeps a number from being added that cannot have it itself.
    let link = |rival: &WhatsAppNumber| context.link(&rival.spec.app_ref, &rival.namespace().unwrap_or_default()).1;
    let may_add = |rival: &WhatsAppNumber| plan::adds(rival) && matches!(link(rival), Link::Ready | Link::Waiting);
    let goes_first =
        |rival: &&WhatsAppNumber| goes_before(*rival, at.object) && (may_add(rival) || sees(context, *rival));
    let elder = rivals.iter().find(owns).or_else(|| rivals.iter().find(goes_first));
    custody.elder = elder.map(|elder| whose(elder, at.namespace));
}

/// Requests that are to be acted on, and have not been.
fn asked(
    at: &Surroundings<'_, WhatsAppNumber>,
    custody: &Custody,
    forwarded: bool,
) -> std::collections::BTreeMap<Action, String> {
    let is_done = |action: Action, value: &str| {
        if action == Action::RefreshToken {
            return forwarded;
        }
        let time = |text: &str| text.parse::<Timestamp>().ok();
        custody.ledger.handled(action).is_some_and(|handled| handled == value || time(value) <= time(handled))
    };
    let requests = at.requests.iter().filter(|request| request.verdict.is_ok());
    let open = requests.filter(|request| !is_done(request.action, &request.value));
    open.map(|request| (request.action, request.value.clone())).collect()
}

/// PIN, code and verify token, where they matter.
async fn values(custody: &mut Custody, at: &Surroundings<'_, WhatsAppNumber>, hold: &Hold) {
    let Surroundings { context, object, namespace, .. } = at;
    if object.spec.registration.is_some() {
        let reference = hints::pin_ref(object);
        let given = hints::given_pin_ref(object).is_some();
        let read = context.secrets.get(namespace, &reference).await;
        let foreign = match &read {
            Ok(SecretValue { ours, number, .. }) => {
                !ours || number.as_ref().is_some_and(|number| *number != digits_of(object).to_string())
            }
            Err(problem) => problem.foreign,
        };
        custody.pin_taken = !given && foreign;
        custody.pin = value((context, namespace), &read.map(|read| read.value), "pin", &reference, six_digits);
        if let (Value::Missing(_), Some(made)) = (&custody.pin, &hold.made_pin) {
            custody.pin = known(context, "pin", made.clone());
        }
        if let (Value::Missing(_), Some(trouble)) = (&custody.pin, &hold.no_pin) {
            custody.pin = Value::NotMade(trouble.clone());
        }
    }
    let registered = matches!(at.seen, Seen::Present { facts, .. } if facts.is_registered());
    if object.spec.verification.is_some() && !registered {
        let reference = hints::code_ref(object);
        let read = context.secrets.get(namespace, &reference).await.map(|read| read.value);
        custody.code = value((context, namespace), &read, "code", &reference, |text| six_digits(&plain(text)));
    }
    if let Some(webhook) = object.spec.incoming.as_ref().and_then(|incoming| incoming.webhook.as_ref()) {
        let reference = &webhook.verify_token_ref;
        let read = context.secrets.get(namespace, reference).await.map(|read| read.value);
        custody.verify_token =
            value((context, namespace), &read, "verify-token", reference, |text| Ok(text.to_owned()));
        if let Some(Known { value: Hidden(token), .. }) = custody.verify_token.known() {
            let both = SecretString::from(format!("{}\n{}", webhook.callback_url, token.expose_secret()));
            custody.webhook_inputs = context.fingerprints.of("webhook", &both);
        }
    }
}

/// Codes are told with spaces or a hyphen.
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

fn known(context: &Context, purpose: &str, value: SecretString) -> Value {
    let fingerprint = context.fingerprints.of(purpose, &value);
    Value::Known(Known { value: Hidden(value), fingerprint })
}

fn value(
    (context, namespace): (&Context, &str),
    read: &Result<SecretString, Arc<SecretProblem>>,
    purpose: &str,
    reference: &SecretKeyRef,
    clean: impl Fn(&str) -> Result<String, &'static str>,
) -> Value {
    let placeholder = format!("YOUR_{}", purpose.to_uppercase().replace('-', "_"));
    match read {
        Ok(text) => match clean(text.expose_secret()) {
            Ok(text) => known(context, purpose, text.into()),
            Err(why) => {
                let fingerprint = context.fingerprints.of(purpose, text);
                Value::Bad(Trouble::invalid(namespace, reference, (why, &placeholder), fingerprint))
            }
        },
        Err(problem) => {
            let trouble = |reason| Trouble::new(reason, problem.to_string().replace(YOUR_VALUE, &placeholder));
            match problem.problem {
                Unusable::Missing { .. } => Value::Missing(trouble(Reason::SecretNotFound)),
                Unusable::KeyMissing { .. } => Value::Missing(trouble(Reason::SecretKeyNotFound)),
                Unusable::Empty { .. } | Unusable::NotText { .. } => Value::Bad(trouble(Reason::SecretValueInvalid)),
                Unusable::Unreadable(_) => Value::Unread,
            }
        }
    }
}

fn profile(custody: &Custody, at: &Surroundings<'_, WhatsAppNumber>) -> ProfileRead {
    if at.object.spec.profile.is_none() || !matches!(at.seen, Seen::Present { facts, .. } if facts.is_registered()) {
        return ProfileRead::Unread;
    }
    let unsettled = custody.ledger.profile.values().any(|field| field.shown.is_none());
    let status = at.object.status.as_ref();
    let look = Look {
        uid: at.object.uid().unwrap_or_default(),
        counts_from: custody.counts_from,
        unsettled,
        is_new: status.is_none_or(|status| {
            Some(status.observed_generation) != at.object.metadata.generation
                || crate::k8s::conditions::find(&status.conditions, "ProfileSynced")
                    .is_none_or(|told| told.reason == Reason::NotRegistered.as_str())
        }),
        asked: at.requests.iter().any(|request| request.action == Action::Reconcile && request.verdict.is_ok()),
    };
    at.context.profiles.look(&look, &at.context.timing)
}

/// How the binding Secret stands.
async fn binding(at: &Surroundings<'_, WhatsAppNumber>) -> Binding {
    let Surroundings { context, object, namespace, .. } = at;
    let name = binding::secret_name(object);
    let was_bound = object.status.as_ref().is_some_and(|status| status.binding.is_some());
    if object.spec.binding.is_none() || *at.link == Link::NotAllowed {
        return if was_bound && is_ours(context, namespace, &name, object).await {
            Binding::Unwanted
        } else {
            Binding::Unasked
        };
    }
    if object.spec.suspend || *at.link != Link::Ready {
        return Binding::Waits(
            "the MetaApp cannot be relied on just now; a binding Secret that is there stays as it is",
        );
    }
    let (Seen::Present { account, facts, .. }, Some(access)) = (at.seen, context.pollers.access(at.app)) else {
        return Binding::Waits("Meta has not shown the number yet");
    };
    let view = context.estate.app(at.app).unwrap_or_default();
    let kept;
    let (token, handed_out) = match &view.binding_token {
        BindingToken::InUse if *at.app.namespace == **namespace => (Some(&access.token), HandedOut::Given),
        BindingToken::InUse => (None, HandedOut::NotNamed),
        BindingToken::Named(Hidden(token)) => (Some(token), HandedOut::Given),
        // A Secret that went away by mistake must not take the token from every application at once.
        BindingToken::Missing => match OwnedSecret::read(&context.client, namespace, &name).await {
            Ok(secret) => {
                let ours = secret.filter(|secret| secret.owner() == object.uid().as_deref());
                kept = ours.and_then(|secret| secret.get(binding::TOKEN));
                (kept.as_ref(), if kept.is_some() { HandedOut::Kept } else { HandedOut::Missing })
            }
            Err(problem) => return unread(&problem),
        },
        BindingToken::Unread => {
            return Binding::Waits(
                "the token for bindings could not be read; a binding Secret that is there stays as it is",
            );
        }
    };
    let wanted = wanted(at, account, facts, &access.version, token);
    let digest = digest(context, &wanted);
    if context.bindings.is_current(context, namespace, &name, &digest) {
        return Binding::Current(handed_out);
    }
    match OwnedSecret::read(&context.client, namespace, &name).await {
        Ok(Some(secret)) if is_same(&secret, &wanted, object) => {
            context.bindings.remember(namespace, &name, secret.resource_version(), &digest);
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
            "Secret {path} is not the operator's, and is left alone: rename or delete it, and the binding Secret is written: {}",
            delete_command(path)
        )),
        _ => Binding::Waits("the binding Secret could not be read, and is looked at again"),
    }
}

fn wanted(
    at: &Surroundings<'_, WhatsAppNumber>,
    account: &str,
    facts: &PhoneNumber,
    version: &str,
    token: Option<&SecretString>,
) -> Vec<(&'static str, Hidden)> {
    let access = binding::Access { api_url: &at.context.graph_url, api_version: version, token };
    binding::content(at.object, account, facts, &access)
}

/// Names what is in a binding.
pub fn digest(context: &Context, entries: &[(&'static str, Hidden)]) -> String {
    let text = entries
        .iter()
        .fold(String::new(), |text, (key, Hidden(value))| text + key + "=" + value.expose_secret() + "\n");
    context.fingerprints.of("binding", &text.into())
}

fn is_same(secret: &OwnedSecret, wanted: &[(&'static str, Hidden)], object: &WhatsAppNumber) -> bool {
    let mut keys: Vec<&str> = wanted.iter().map(|(key, _)| *key).collect();
    keys.sort_unstable();
    secret.keys().eq(keys)
        && secret.owner() == object.uid().as_deref()
        && wanted.iter().all(|(key, value)| secret.get(key).map(Hidden).as_ref() == Some(value))
}

async fn is_ours(context: &Context, namespace: &str, name: &str, object: &WhatsAppNumber) -> bool {
    if context.secrets.version(namespace, name).is_none() {
        return false;
    }
    let read = OwnedSecret::read(&context.client, namespace, name).await;
    read.is_ok_and(|secret| secret.is_some_and(|secret| secret.owner() == object.uid().as_deref()))
}
