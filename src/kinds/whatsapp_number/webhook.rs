//! The number's own callback: set, kept, taken back from others, and cleared when its block goes. Pure.

use jiff::{SignedDuration, Timestamp};

use super::{
    hints,
    inputs::{Inputs, KnownSecret, Resolution, SecretRead, Step},
    onboarding::{Decision, NumberView, when},
};
use crate::{
    calls::{CallInput, Intent, Operation},
    controller::{
        plan::Requeue,
        summary::{ConditionValue, Progress},
    },
    ledger::{Refusal, Webhook},
    messages::{Reason, commands},
};

/// So many changes of others are taken back within a day; then they are left alone.
const FIGHTS: usize = 2;
/// Meta's code for an app that does not listen to the account yet.
const NOT_SUBSCRIBED: i64 = 100;
/// Meta's code for a callback that did not answer as it should.
const CALLBACK_FAILED: i64 = 2200;

/// How the callback stands.
#[derive(Debug)]
pub enum Routing {
    /// It is none of ours.
    NotManaged,
    /// This first.
    Step(Step),
    /// So.
    ReadyReport(ConditionValue, Impact),
}

/// What a finding means for the number as a whole.
#[derive(Debug, Clone, PartialEq)]
pub enum Impact {
    /// Nothing.
    Fine,
    /// It is not ready.
    Waits(Progress, Requeue),
}

/// A call beside the ladder that another process has begun, or this one lost sight of: its outcome is seen, or it is done
/// again as if it had never been.
pub fn open(at: &NumberView<'_>) -> Option<Step> {
    let inputs = at.inputs;
    let is_over = |intent: &&Intent| {
        !intent.input.operation().is_onboarding() && !inputs.foreign_call_grace.contains_key(&intent.id)
    };
    let intent = inputs.ledger.intents.iter().find(is_over)?;
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

/// What comes next for the callback.
pub fn routing(at: &NumberView<'_>) -> Routing {
    let inputs = at.inputs;
    let shown = shown(at);
    let wanted = at.object.spec.incoming.as_ref().and_then(|incoming| incoming.webhook.as_ref());
    let ours = inputs.ledger.webhook.as_ref();
    if at.is_out_of_reach() {
        return Routing::NotManaged;
    }
    let Some(wanted) = wanted else {
        return match ours {
            Some(ours) if ours.url == shown => clear(at),
            _ => Routing::NotManaged,
        };
    };
    if inputs.blocker.is_some() || inputs.no_writes.is_some() {
        return Routing::NotManaged;
    }
    match &inputs.verify_token {
        SecretRead::Known(_) => {}
        SecretRead::Unread | SecretRead::NotNeeded => {
            let finding =
                ConditionValue::unknown(Reason::SecretUnreadable, "the Secret with the verify token could not be read");
            return Routing::ReadyReport(
                finding,
                Impact::Waits(Progress::Reconciling, Requeue::After(at.timing.retry_interval)),
            );
        }
        SecretRead::Missing(blocker) | SecretRead::NotCreated(blocker) | SecretRead::Invalid(blocker) => {
            let finding = ConditionValue::no(blocker.reason, blocker.message.clone());
            return Routing::ReadyReport(finding, Impact::Waits(Progress::Stalled, Requeue::Nothing));
        }
    }
    let told_so = ours.is_some_and(|ours| ours.url == wanted.callback_url && ours.inputs == inputs.webhook_inputs);
    let is_shown = shown == wanted.callback_url;
    if let Some(waits) = under_way(inputs) {
        return waits;
    }
    // A callback that was there before us is taken for what is wanted; its verify token nobody can read.
    if is_shown && (told_so || ours.is_none()) {
        let message = format!("Meta delivers the number's messages to {}", wanted.callback_url);
        return Routing::ReadyReport(ConditionValue::yes(Reason::Configured, message), Impact::Fine);
    }
    // That it is not there, although it was set, or may have been, takes more than one read to be so.
    let may_be_set = told_so || ours.is_some_and(is_lost);
    if !inputs.evidence.fresh || !inputs.evidence.twice && may_be_set {
        let message = if may_be_set {
            "the callback was set a moment ago, and Meta does not show it yet"
        } else {
            "the callback is set in a moment; the operator waits for a fresh read of Meta"
        };
        let finding = ConditionValue::no(Reason::Settling, message);
        return Routing::ReadyReport(finding, Impact::Waits(Progress::Reconciling, at.proof()));
    }
    let taken = told_so && !is_shown;
    if let Some((finding, until)) = ours.filter(|_| taken).and_then(|ours| contested(at, ours, shown)) {
        return Routing::ReadyReport(finding, Impact::Waits(Progress::Stalled, at.until(until)));
    }
    if let Some(refusal) = refusal(inputs, Operation::SetWebhook, &inputs.webhook_inputs) {
        return refused(at, refusal);
    }
    held_or(at, CallInput::SetWebhook { url: wanted.callback_url.clone(), again: taken }, inputs.verify_token.known())
}

/// Whether an answer about it was lost.
fn is_lost(webhook: &Webhook) -> bool {
    webhook.inputs.is_empty()
}

fn clear(at: &NumberView<'_>) -> Routing {
    if let Some(waits) = under_way(at.inputs) {
        return waits;
    }
    let Inputs { blocker, no_writes, evidence, ledger, .. } = at.inputs;
    let is_unsure = !evidence.twice && ledger.webhook.as_ref().is_some_and(is_lost);
    if blocker.is_some() || no_writes.is_some() || !evidence.fresh || is_unsure {
        let finding = ConditionValue::no(Reason::Settling, "the number's own callback is removed in a moment");
        return Routing::ReadyReport(finding, Impact::Waits(Progress::Reconciling, at.proof()));
    }
    if let Some(refusal) = refusal(at.inputs, Operation::ClearWebhook, "") {
        return refused(at, refusal);
    }
    held_or(at, CallInput::ClearWebhook, None)
}

fn held_or(at: &NumberView<'_>, input: CallInput, secret: Option<&KnownSecret>) -> Routing {
    if let Some(why) = &at.inputs.held_back {
        let finding =
            ConditionValue::no(Reason::HeldBack, format!("Meta could not be asked, and is asked again: {why}"));
        return Routing::ReadyReport(
            finding,
            Impact::Waits(Progress::Reconciling, Requeue::After(at.timing.retry_interval)),
        );
    }
    match at.send(input, secret.cloned(), None) {
        Decision::Act(step) => Routing::Step(step),
        _ => Routing::NotManaged,
    }
}

/// What became of the last call is not known yet.
fn under_way(inputs: &Inputs) -> Option<Routing> {
    let intent = inputs.ledger.conflicting(Operation::SetWebhook)?;
    let left = inputs.foreign_call_grace.get(&intent.id)?;
    let finding = ConditionValue::no(Reason::OutcomePending, "another operator may be changing the callback right now");
    Some(Routing::ReadyReport(finding, Impact::Waits(Progress::Reconciling, Requeue::After(*left))))
}

/// A refusal that still holds: of these very inputs, and not yet to be tried again.
fn refusal<'a>(inputs: &'a Inputs, operation: Operation, fingerprint: &str) -> Option<&'a Refusal> {
    let refusal = inputs.ledger.refusals.get(&operation)?;
    let same = fingerprint.is_empty() || refusal.inputs == fingerprint;
    (same && refusal.until.is_none_or(|until| inputs.now < until)).then_some(refusal)
}

/// What to say of a fight, and until when it is left alone.
fn contested(at: &NumberView<'_>, ours: &Webhook, shown: &str) -> Option<(ConditionValue, Timestamp)> {
    let now = at.now();
    let day = SignedDuration::from_hours(24);
    let mut fights: Vec<Timestamp> = ours.taken_back.clone();
    fights.retain(|fight| now.duration_since(*fight) < day);
    (fights.len() >= FIGHTS).then(|| {
        let until = fights[fights.len() - FIGHTS].checked_add(day).unwrap_or(Timestamp::MAX);
        let now = if shown.is_empty() { "removed it".to_owned() } else { format!("set {shown}") };
        let message = format!(
            "somebody else has changed the number's callback three times within a day, and last {now}; it is left so for a \
             day, until {}. Find out who, or write what they want into spec.incoming.webhook: {}",
            when(until),
            commands::with("edit", at.object)
        );
        (ConditionValue::no(Reason::Contested, message), until)
    })
}

fn refused(at: &NumberView<'_>, refusal: &Refusal) -> Routing {
    let again = refusal.until.map_or(Requeue::Nothing, |until| at.until(until));
    if refusal.class == "Permission" {
        let message = format!(
            "Meta does not let this number have a callback of its own (numbers that are also used in the WhatsApp Business \
             app cannot): {}. Messages go where status.webhook.effective says; it is tried again once a day, until the \
             block goes: {}",
            refusal.message,
            commands::patch(at.object, r#"{"incoming":{"webhook":null}}"#)
        );
        let finding = ConditionValue::no(Reason::NotPermitted, message);
        return Routing::ReadyReport(finding, Impact::Waits(Progress::Settled, again));
    }
    let webhook = at.object.spec.incoming.as_ref().and_then(|incoming| incoming.webhook.as_ref());
    let secret = webhook.map(|webhook| &webhook.verify_token_ref);
    let (reason, progress, message) = match refusal.code {
        CALLBACK_FAILED => (
            Reason::CallbackRefused,
            Progress::Reconciling,
            format!(
                "Meta asked the callback for its verify token, and did not get the right answer: see that it is reachable \
                 from the internet and knows the token; it is tried again. Anywhere in the internet this has to print 42: {}",
                secret.map_or_else(String::new, |secret| hints::call_back(at.object, secret))
            ),
        ),
        NOT_SUBSCRIBED => (
            Reason::NotSubscribed,
            Progress::Stalled,
            format!(
                "Meta refused the callback: the app has to be subscribed to the business account first (App Dashboard > \
                 WhatsApp > Configuration, account {}); it is tried again",
                at.account
            ),
        ),
        _ => (
            Reason::CallbackRefused,
            Progress::Reconciling,
            format!(
                "Meta refused the callback: {}; it is tried again. To change it: {}",
                refusal.message,
                commands::with("edit", at.object)
            ),
        ),
    };
    Routing::ReadyReport(ConditionValue::no(reason, message), Impact::Waits(progress, again))
}
