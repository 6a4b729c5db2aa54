//! The number's own callback: set, kept, restored when others change it, and cleared when its block is removed. Pure.

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use secrecy::ExposeSecret;

use super::{
    decision::{ConditionReport, Decision, Impact},
    inputs::{Inputs, KnownSecret, Resolution, SecretRead, Step},
    number_view::NumberView,
};
use crate::{
    api::{SecretKeyRef, WhatsAppNumber},
    calls::{CallInput, Intent, Operation},
    controller::{
        plan::Requeue,
        summary::{ConditionValue, Progress},
    },
    graph::codes,
    k8s::{fingerprint::Fingerprinter, secrets::ComparableSecret},
    ledger::{Refusal, Webhook},
    messages::{Reason, commands, when},
};

/// How many changes by others the operator reverts within a day.
const FIGHTS: usize = 2;

/// Fingerprint of a callback and its verify token.
pub fn inputs(fingerprints: &Fingerprinter, url: &str, ComparableSecret(token): &ComparableSecret) -> String {
    fingerprints.of("webhook", &format!("{url}\n{}", token.expose_secret()).into())
}

/// A call outside onboarding that another process began, or that got no reply: Meta shows its outcome, or the operator makes it
/// again.
pub fn unsettled_call(at: &NumberView<'_>) -> Option<Step> {
    let inputs = at.inputs;
    let is_over = |intent: &&Intent| {
        !intent.input.operation().is_onboarding() && !inputs.foreign_call_grace.contains_key(&intent.id)
    };
    let intent = inputs.ledger.intents.iter().find(is_over)?;
    if is_unreadable(at) {
        return None;
    }
    let shown = shown(at);
    let happened = match &intent.input {
        CallInput::SetWebhook { url, .. } => shown == url,
        CallInput::ClearWebhook => shown.is_empty(),
        _ => false,
    };
    let end = if happened { Resolution::Happened(None) } else { Resolution::Lost };
    Some(Step::Resolve { id: intent.id.clone(), end })
}

/// The number's own callback at Meta; empty where it has none.
fn shown<'a>(at: &NumberView<'a>) -> &'a str {
    at.facts.webhook_configuration.as_ref().and_then(|w| w.phone_number.as_deref()).unwrap_or_default()
}

/// Whether Meta's reply does not tell if there is a callback.
fn is_unreadable(at: &NumberView<'_>) -> bool {
    at.facts.webhook_configuration.as_ref().is_some_and(|callbacks| callbacks.is_unreadable)
}

/// What comes next for the callback.
pub fn webhook(at: &NumberView<'_>) -> Decision<ConditionReport> {
    let inputs = at.inputs;
    let shown = shown(at);
    let wanted = at.object.spec.incoming.as_ref().and_then(|incoming| incoming.webhook.as_ref());
    let ours = inputs.ledger.webhook.as_ref();
    if at.is_observed() || at.is_out_of_reach() {
        return Decision::NotManaged;
    }
    let Some(wanted) = wanted else {
        return match ours {
            Some(ours) if ours.url == shown => clear(at),
            _ => Decision::NotManaged,
        };
    };
    if is_unreadable(at) {
        let message = "Meta's reply does not show the number's callback in a form that the operator can read; the operator \
                       changes nothing until it does";
        return ConditionReport::waits(ConditionValue::no(Reason::Settling, message), at.retry());
    }
    if inputs.blocker.is_some() || inputs.no_writes.is_some() {
        return ConditionReport::unchanged(at.retry());
    }
    match &inputs.verify_token {
        SecretRead::Known(_) => {}
        SecretRead::Away(left) => return Decision::Wait(Requeue::After(*left)),
        SecretRead::Unread | SecretRead::NotNeeded => {
            let value = ConditionValue::unknown(
                Reason::SecretUnreadable,
                "the operator could not read the Secret with the verify token, and retries",
            );
            return ConditionReport::waits(value, at.retry());
        }
        SecretRead::Missing(blocker) | SecretRead::NotCreated(blocker) | SecretRead::Invalid(blocker) => {
            let value = ConditionValue::no(blocker.reason, blocker.message.clone());
            return ConditionReport::stalled(value, Requeue::Nothing);
        }
    }
    let is_ours = ours.is_some_and(|ours| ours.url == wanted.callback_url && ours.inputs == inputs.webhook_fingerprint);
    let is_shown = shown == wanted.callback_url;
    if let Some(waits) = under_way(inputs) {
        return waits;
    }
    // A callback that was there before counts as set: its verify token cannot be read.
    if is_shown && (is_ours || ours.is_none()) {
        let message = format!("Meta delivers the number's messages to {}", wanted.callback_url);
        return ConditionReport::new(ConditionValue::yes(Reason::Configured, message), Impact::Fine);
    }
    // If it was set, or may have been, one read without it is not enough.
    let may_be_set = is_ours || ours.is_some_and(is_lost);
    if !inputs.evidence.fresh || !inputs.evidence.twice && may_be_set {
        let message = if may_be_set {
            "the operator set the callback a moment ago, and Meta does not show it yet"
        } else {
            "the operator waits for a fresh read of Meta, then sets the callback"
        };
        let value = ConditionValue::no(Reason::Settling, message);
        return ConditionReport::waits(value, at.proof());
    }
    let taken = is_ours && !is_shown;
    if let Some((value, until)) = ours.filter(|_| taken).and_then(|ours| contested(at, ours, shown)) {
        return ConditionReport::stalled(value, at.until(until));
    }
    if let Some(refusal) = refusal(inputs, Operation::SetWebhook, &inputs.webhook_fingerprint) {
        return refused(at, refusal);
    }
    held_or(at, CallInput::SetWebhook { url: wanted.callback_url.clone(), again: taken }, inputs.verify_token.known())
}

/// Whether a call about it got no reply.
fn is_lost(webhook: &Webhook) -> bool {
    webhook.inputs.is_empty()
}

fn clear(at: &NumberView<'_>) -> Decision<ConditionReport> {
    if let Some(waits) = under_way(at.inputs) {
        return waits;
    }
    let Inputs { blocker, no_writes, evidence, ledger, .. } = at.inputs;
    let is_unsure = !evidence.twice && ledger.webhook.as_ref().is_some_and(is_lost);
    if blocker.is_some() || no_writes.is_some() || !evidence.fresh || is_unsure {
        let value = ConditionValue::no(
            Reason::Settling,
            "the operator waits for a fresh read of Meta, then removes the number's own callback",
        );
        return ConditionReport::waits(value, at.proof());
    }
    if let Some(refusal) = refusal(at.inputs, Operation::ClearWebhook, "") {
        return refused(at, refusal);
    }
    held_or(at, CallInput::ClearWebhook, None)
}

fn held_or(at: &NumberView<'_>, input: CallInput, secret: Option<&KnownSecret>) -> Decision<ConditionReport> {
    if let Some(why) = &at.inputs.held_back {
        let value = ConditionValue::no(
            Reason::HeldBack,
            format!("the operator could not change the callback, and retries: {why}"),
        );
        return ConditionReport::waits(value, at.retry());
    }
    Decision::Act(at.send(input, secret.cloned(), None))
}

/// The outcome of the last call is not known yet.
fn under_way(inputs: &Inputs) -> Option<Decision<ConditionReport>> {
    let intent = inputs.ledger.conflicting(Operation::SetWebhook)?;
    let left = inputs.foreign_call_grace.get(&intent.id)?;
    let value = ConditionValue::no(Reason::OutcomePending, "another operator may be changing the callback right now");
    Some(ConditionReport::waits(value, Requeue::After(*left)))
}

/// A refusal of the same inputs, before it may be retried.
fn refusal<'a>(inputs: &'a Inputs, operation: Operation, fingerprint: &str) -> Option<&'a Refusal> {
    let refusal = inputs.ledger.refusals.get(&operation)?;
    let same = fingerprint.is_empty() || refusal.inputs == fingerprint;
    (same && refusal.until.is_none_or(|until| inputs.now < until)).then_some(refusal)
}

/// The report that somebody else keeps changing it, and until when the operator does not overwrite it.
fn contested(at: &NumberView<'_>, ours: &Webhook, shown: &str) -> Option<(ConditionValue, Timestamp)> {
    let now = at.now();
    let day = SignedDuration::from_hours(24);
    let mut fights: Vec<Timestamp> = ours.taken_back.clone();
    fights.retain(|fight| now.duration_since(*fight) < day);
    (fights.len() >= FIGHTS).then(|| {
        let until = fights[fights.len() - FIGHTS].checked_add(day).unwrap_or(Timestamp::MAX);
        let now = if shown.is_empty() { "removed it".to_owned() } else { format!("set {shown}") };
        let message = format!(
            "somebody else changed the number's callback three times within a day, and last {now}. The operator will not \
             overwrite it again until {}. Find out who, or set spec.incoming.webhook to what they want: {}",
            when(until),
            commands::with("edit", at.object)
        );
        (ConditionValue::no(Reason::Contested, message), until)
    })
}

fn refused(at: &NumberView<'_>, refusal: &Refusal) -> Decision<ConditionReport> {
    let again = refusal.until.map_or(Requeue::Nothing, |until| at.until(until));
    if refusal.class == "Permission" {
        let message = format!(
            "Meta does not allow this number a callback of its own (for example because it is also in the WhatsApp Business \
             app): {}. Its messages go to status.webhook.effective. The operator retries once a day; to stop that: {}",
            refusal.message,
            commands::patch(at.object, r#"{"incoming":{"webhook":null}}"#)
        );
        let value = ConditionValue::no(Reason::NotPermitted, message);
        return ConditionReport::settled(value, again);
    }
    let webhook = at.object.spec.incoming.as_ref().and_then(|incoming| incoming.webhook.as_ref());
    let secret = webhook.map(|webhook| &webhook.verify_token_ref);
    let (reason, progress, message) = match refusal.code {
        codes::CALLBACK_NOT_VERIFIED => (
            Reason::CallbackRefused,
            Progress::Reconciling,
            format!(
                "the callback did not give the right reply to Meta's verification request; the operator retries. Make sure that \
                 Meta can reach it from the internet and that it has the token. From any host this must print 42: {}",
                secret.map_or_else(String::new, |secret| call_back(at.object, secret))
            ),
        ),
        // The app is not subscribed to the account.
        codes::INVALID_PARAMETER => (
            Reason::NotSubscribed,
            Progress::Stalled,
            format!(
                "Meta refused the callback: first subscribe the app to the business account (App Dashboard > WhatsApp > \
                 Configuration, account {}); the operator retries",
                at.account
            ),
        ),
        _ => (
            Reason::CallbackRefused,
            Progress::Reconciling,
            format!(
                "Meta refused the callback: {}; the operator retries. To change it: {}",
                refusal.message,
                commands::with("edit", at.object)
            ),
        ),
    };
    ConditionReport::new(ConditionValue::no(reason, message), Impact::Waits(progress, again))
}

/// Requests the number's callback as Meta does. The address is read from the object and not written into the command: what
/// somebody put there must not become part of a command.
fn call_back(object: &WhatsAppNumber, secret: &SecretKeyRef) -> String {
    let namespace = object.namespace().unwrap_or_default();
    commands::line(&format!(
        "kubectl -n {namespace} get secret {} -o jsonpath='{{.data.{}}}' | base64 -d | curl -sG \"$({} -o \
         jsonpath='{{.spec.incoming.webhook.callbackURL}}')\" -d hub.mode=subscribe -d hub.challenge=42 --data-urlencode \
         hub.verify_token@-",
        secret.name,
        secret.key.replace('.', "\\."),
        commands::about("get", object)
    ))
}
