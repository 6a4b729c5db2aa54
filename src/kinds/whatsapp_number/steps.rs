//! Carries out the steps of a number's plan.

use jiff::Timestamp;
use kube::{
    Api, Resource, ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::json;
use tracing::{info, warn};

use super::{
    Numbers, binding,
    events::event_for,
    inputs::{
        Blocker, HandledValue, KnownSecret, Resolution, Step,
        binding_secret::digest,
        collect::{ReconcileSession, unusable},
    },
    profile, provisioning, registration, webhook,
};
use crate::{
    api::{Action, MetaApp, WhatsAppNumber, labels::DEREGISTER},
    calls::{CallGateway, CallInput, Meta, Target},
    controller::{
        account_resource::read_by_id,
        context::Error,
        managed_resource::{ReconcileContext, Then},
        ownership::digits_of,
    },
    k8s::{
        events::EventType,
        secrets::{ComparableSecret, FOR_NUMBER, OwnedProblem, OwnedSecret},
        timeout::call,
    },
    ledger::{CallOutcome, CallReport, CallRequest, Ledger, NewIntent, Observed, Owner, Refusal},
    messages::Reason,
    timing,
};

type At<'a> = ReconcileContext<'a, Numbers>;

/// See the module. If the API server refuses to write a Secret, the status reports it, and the operator does not retry at once.
pub async fn carry_out(
    at: &At<'_>,
    gateway: &CallGateway<'_, impl Meta>,
    hold: &mut ReconcileSession,
    step: Step,
) -> Result<Then, Error> {
    let makes_pin = step == Step::CreatePinSecret;
    let binds = matches!(step, Step::WriteBinding(_) | Step::DeleteBinding);
    match take(at, gateway, hold, step).await {
        Err(Error::Secret(problem)) if (makes_pin || binds) && problem.is_refusal() => {
            warn!(number = at.object.spec.phone_number, %problem, "a Secret was not written");
            let blocker = Blocker::new(Reason::SecretNotWritten, problem.to_string());
            *(if binds { &mut hold.not_bound } else { &mut hold.no_pin }) = Some(blocker);
            Ok(Then::Plan)
        }
        Err(Error::Ledger(problem)) if problem.is_lasting() => {
            warn!(number = at.object.spec.phone_number, %problem, "a number's ledger was not written");
            hold.blocker = Some(unusable(&problem));
            Ok(Then::Plan)
        }
        result => result,
    }
}

async fn take(
    at: &At<'_>,
    gateway: &CallGateway<'_, impl Meta>,
    hold: &mut ReconcileSession,
    step: Step,
) -> Result<Then, Error> {
    let meta = gateway.graph;
    match step {
        Step::Send { input, secret, account, id, before, action } => {
            let inputs = inputs(at, &input, secret.as_ref());
            let value = |action: Action| {
                let request = at.requests.iter().find(|request| request.action == action);
                request.map(|request| (action, request.value.clone()))
            };
            let begin = NewIntent {
                id: fresh_id(),
                input,
                inputs,
                before,
                secret: secret.map(|known| known.value),
                action: action.and_then(value),
                now: meta.now(),
            };
            send(at, gateway, hold, begin, account, id).await
        }
        Step::Repeat { id, before } => again(at, gateway, hold, &id, before).await,
        Step::Resolve { id, end } => settle(at, meta.now(), hold, &id, end).await,
        Step::RecordObservation(seen) => note(at, hold, seen).await,
        Step::RecordHandled(values) => {
            let Some(book) = &mut hold.book else { return Ok(Then::Plan) };
            let record = |ledger: &mut Ledger| {
                for HandledValue { action, value, is_ahead } in &values {
                    ledger.record_handled(*action, value, *is_ahead);
                }
            };
            book.save(record).await?;
            Ok(Then::Plan)
        }
        Step::CreatePinSecret => make_pin(at, hold).await,
        Step::RefreshToken(value) => {
            forward(at, &value).await?;
            hold.forwarded = true;
            Ok(Then::Plan)
        }
        Step::ReadById { account, id } => Ok(read_by_id(at, &mut hold.proof, &account, &id).await),
        Step::ReadProfile { account, id } => {
            let began = timing::now();
            let profile = match at.context.pollers.access(at.app) {
                Some(access) => meta.read_profile(&access, &account, &id).await,
                None => Err(None),
            };
            let uid = at.object.uid().unwrap_or_default();
            at.reconciler.profiles.learn(&uid, profile, (began, timing::now()), &at.context.timing);
            Ok(Then::Learnt)
        }
        Step::WriteBinding(content) => bind(at, &content).await,
        Step::DeleteBinding => unbind(at).await,
        Step::Finalizer(wanted) => finalizer(at, wanted).await,
        Step::RemoveFinalizer(note) => {
            if let Some(note) = note {
                info!(number = at.object.spec.phone_number, note, "left at Meta");
                let reference = at.object.object_ref(&());
                at.context.events.publish(&reference, EventType::Warning, "LeftAtMeta", "Delete", &note);
            }
            finalizer(at, false).await
        }
    }
}

fn fresh_id() -> String {
    format!("{:016x}", rand::random::<u64>())
}

fn owner(at: &At<'_>) -> Owner {
    Owner { uid: at.object.uid().unwrap_or_default(), namespace: at.namespace.to_owned(), name: at.object.name_any() }
}

/// Fingerprint of all inputs of a call, by which the plan recognizes the same call.
fn inputs(at: &At<'_>, input: &CallInput, secret: Option<&KnownSecret>) -> String {
    match input {
        CallInput::VerifyCode | CallInput::Register | CallInput::RegisterAgain | CallInput::SetPin { .. } => {
            secret.map(|known| known.fingerprint.clone()).unwrap_or_default()
        }
        CallInput::SetWebhook { url, .. } => {
            let of = |known: &KnownSecret| webhook::inputs(&at.context.fingerprints, url, &known.value);
            secret.map(of).unwrap_or_default()
        }
        CallInput::WriteProfile { .. } => at.object.spec.profile.as_ref().map(profile::inputs).unwrap_or_default(),
        CallInput::AddNumber { .. }
        | CallInput::RequestCode { .. }
        | CallInput::Deregister
        | CallInput::ClearWebhook => provisioning::inputs(input),
    }
}

async fn send(
    at: &At<'_>,
    gateway: &CallGateway<'_, impl Meta>,
    hold: &mut ReconcileSession,
    begin: NewIntent,
    account: String,
    id: Option<String>,
) -> Result<Then, Error> {
    let context = at.context;
    let (Some(book), Some(access)) = (&mut hold.book, context.pollers.access(at.app)) else {
        hold.held_back = Some("the MetaApp's token is not in use yet".to_owned());
        return Ok(Then::Plan);
    };
    let target = Target { access, account, id: id.unwrap_or_default(), number: at.object.spec.phone_number.clone() };
    let operation = begin.input.operation();
    match book.send(gateway, CallRequest { begin, target, owner: owner(at) }).await? {
        CallReport::CallOutcome(ended, quote) => {
            if let Some((type_, reason, note)) = event_for(operation, &ended, quote.as_deref()) {
                context.events.publish(&at.object.object_ref(&()), type_, reason, "Ask", &note);
            }
        }
        CallReport::Held(why) => hold.held_back = Some(why),
    }
    Ok(Then::Plan)
}

/// Repeats the call of an open intent, with its inputs.
async fn again(
    at: &At<'_>,
    gateway: &CallGateway<'_, impl Meta>,
    hold: &mut ReconcileSession,
    id: &str,
    before: String,
) -> Result<Then, Error> {
    let Some(ledger) = hold.book.as_ref().and_then(|book| book.ledger()) else { return Ok(Then::Plan) };
    let Some(intent) = ledger.intent(id) else { return Ok(Then::Plan) };
    let secret = ledger.secret_of(id).cloned();
    let (account, number) = match &intent.input {
        CallInput::AddNumber { account, .. } => (Some(account.clone()), None),
        _ => (ledger.business_account_id.clone(), intent.phone_number_id.clone()),
    };
    let begin = NewIntent {
        id: fresh_id(),
        input: intent.input.clone(),
        inputs: intent.inputs.clone(),
        before,
        secret,
        action: None,
        now: gateway.graph.now(),
    };
    send(at, gateway, hold, begin, account.unwrap_or_default(), number).await
}

async fn settle(
    at: &At<'_>,
    now: Timestamp,
    hold: &mut ReconcileSession,
    id: &str,
    end: Resolution,
) -> Result<Then, Error> {
    let Some(book) = &mut hold.book else { return Ok(Then::Plan) };
    let ended = match end {
        Resolution::Happened(id) => CallOutcome::Done(id),
        Resolution::PinOpen => CallOutcome::PinOpen { kept: false },
        Resolution::Lost => CallOutcome::Unknown,
        Resolution::GivenUp => CallOutcome::GivenUp,
        Resolution::DidNot(message) => {
            let inputs = book.ledger().and_then(|ledger| ledger.intent(id)).map(|intent| intent.inputs.clone());
            CallOutcome::Refused(Refusal {
                code: 0,
                subcode: None,
                class: "Unknown".to_owned(),
                message,
                until: None,
                inputs: inputs.unwrap_or_default(),
                times: 1,
            })
        }
    };
    info!(number = at.object.spec.phone_number, id, ?ended, "resolved a call whose outcome was unknown");
    book.settle(id, ended, now).await?;
    Ok(Then::Plan)
}

async fn note(at: &At<'_>, hold: &mut ReconcileSession, seen: Observed) -> Result<Then, Error> {
    let Some(book) = &mut hold.book else { return Ok(Then::Plan) };
    let owner = owner(at);
    book.save(|ledger| ledger.note(owner, seen)).await?;
    Ok(Then::Plan)
}

/// Creates the Secret with the PIN; the operator uses only what it reads back.
async fn make_pin(at: &At<'_>, hold: &mut ReconcileSession) -> Result<Then, Error> {
    let client = &at.context.client;
    let reference = registration::pin_ref(at.object);
    let kept = hold.book.as_ref().and_then(|book| book.ledger()?.pin_to_keep().cloned());
    let pin =
        kept.map_or_else(|| format!("{:06}", rand::random_range(0..1_000_000)).into(), |ComparableSecret(pin)| pin);
    let number = digits_of(at.object).to_string();
    let there = OwnedSecret::read(client, at.namespace, &reference.name).await?;
    // A key that somebody removed is written again; a value that is there stays.
    let mut secret = there.unwrap_or_else(|| OwnedSecret::new(at.namespace, &reference.name, None));
    let is_free = secret.annotation(FOR_NUMBER).is_none_or(|made_for| made_for == number);
    if is_free && secret.get(&reference.key).is_none() {
        secret.set(&reference.key, &pin);
        secret.annotate(FOR_NUMBER, Some(&number));
        match secret.save(client).await {
            Ok(_) | Err(OwnedProblem::Stale(_)) => {}
            Err(problem) => return Err(problem.into()),
        }
    }
    let read = OwnedSecret::read(client, at.namespace, &reference.name).await?;
    let own = read.filter(|secret| secret.annotation(FOR_NUMBER) == Some(&number));
    hold.made_pin = own.and_then(|secret| secret.get(&reference.key));
    if hold.made_pin.is_none() {
        // Somebody was faster: the watch will show it.
        return Err(Error::Stale);
    }
    Ok(Then::Plan)
}

/// Passes a request on to the `MetaApp`, unless the `MetaApp` already has a later one.
async fn forward(at: &At<'_>, value: &str) -> Result<(), Error> {
    let key = Action::RefreshToken.annotation();
    let api = Api::<MetaApp>::namespaced(at.context.client.clone(), &at.app.namespace);
    let Some(app) = call(api.get_opt(&at.app.name)).await? else { return Ok(()) };
    let time = |text: &str| text.parse::<jiff::Timestamp>().ok();
    if app.annotations().get(key).is_some_and(|there| time(there) >= time(value)) {
        return Ok(());
    }
    let patch = json!({"metadata": {"annotations": {key: value}, "resourceVersion": app.resource_version()}});
    match call(api.patch(&at.app.name, &PatchParams::default(), &Patch::Merge(&patch))).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) if error.is_conflict() => Err(Error::Stale),
        Err(error) => Err(error.into()),
    }
}

async fn bind(at: &At<'_>, content: &[(&'static str, ComparableSecret)]) -> Result<Then, Error> {
    let (client, name) = (&at.context.client, binding::secret_name(at.object));
    let mut secret = match OwnedSecret::read(client, at.namespace, &name).await? {
        Some(secret) => secret,
        None => OwnedSecret::new(at.namespace, &name, Some(binding::TYPE)),
    };
    let keys: Vec<String> = secret.keys().map(str::to_owned).collect();
    for key in &keys {
        secret.unset(key);
    }
    for (key, ComparableSecret(value)) in content {
        secret.set(key, value);
    }
    if let Some(owner) = at.object.controller_owner_ref(&()) {
        secret.owned_by(owner);
    }
    let saved = secret.save(client).await?;
    let digest = digest(at.context, content);
    at.reconciler.bindings.remember(at.namespace, &name, saved.resource_version(), &digest);
    Ok(Then::Plan)
}

async fn unbind(at: &At<'_>) -> Result<Then, Error> {
    let (client, name) = (&at.context.client, binding::secret_name(at.object));
    at.reconciler.bindings.forget(at.namespace, &name);
    if let Some(secret) = OwnedSecret::read(client, at.namespace, &name).await? {
        secret.delete(client).await?;
        warn!(namespace = at.namespace, name, "binding Secret deleted");
    }
    Ok(Then::Plan)
}

/// Adds or removes the finalizer.
async fn finalizer(at: &At<'_>, wanted: bool) -> Result<Then, Error> {
    let api = Api::<WhatsAppNumber>::namespaced(at.context.client.clone(), at.namespace);
    let mut finalizers: Vec<&str> = at.object.finalizers().iter().map(String::as_str).collect();
    finalizers.retain(|name| *name != DEREGISTER);
    finalizers.extend(wanted.then_some(DEREGISTER));
    // A merge patch, under the version that was read: in a restored object the field may belong to another manager.
    let patch = json!({"metadata": {
        "uid": at.object.uid(), "resourceVersion": at.object.resource_version(), "finalizers": finalizers,
    }});
    match call(api.patch(&at.object.name_any(), &PatchParams::default(), &Patch::Merge(&patch))).await {
        Ok(_) => Ok(Then::End),
        Err(error) if error.is_not_found() => Ok(Then::End),
        Err(error) if error.is_conflict() => Err(Error::Stale),
        Err(error) => Err(error.into()),
    }
}
