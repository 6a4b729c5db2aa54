//! Registration: once, with the right PIN, and far from Meta's limits. Pure.

use jiff::Timestamp;
use kube::ResourceExt;

use super::{
    hints,
    inputs::{KnownSecret, SecretRead, Step},
    onboarding::{self, Decision, NumberView, ReadyReport, when},
};
use crate::{
    api::{Action, NumberPhase, WhatsAppNumber},
    calls::{CallInput, Operation},
    controller::{
        plan::Requeue,
        summary::{ConditionValue, Progress},
    },
    k8s::secrets::delete_command,
    ledger::{HALF_DEREGISTERED, Refusal, WINDOW},
    messages::{Reason, commands},
};

/// So many attempts in 72 hours the operator makes by itself; Meta locks a number after ten.
pub const OWN_ATTEMPTS: usize = 5;
/// So many it makes when a person asks.
pub const MOST_ATTEMPTS: usize = 10;

/// Meta's codes for PINs that were tried too often, or too fast.
const GUESSED: [i64; 2] = [133_008, 133_009];
/// Meta's code for a number whose verification has lapsed, whatever it shows.
const UNVERIFIED: i64 = 133_006;

/// Whether Meta refused to register the number for not being verified.
pub fn is_lapsed(at: &NumberView<'_>) -> bool {
    at.inputs.ledger.refusals.get(&Operation::Register).is_some_and(|refusal| refusal.code == UNVERIFIED)
}

/// What comes next for a number that is verified and not registered; `None` where registration is not in the way.
pub fn register(at: &NumberView<'_>) -> Option<Decision> {
    at.object.spec.registration.as_ref()?;
    if at.facts.is_registered() {
        return None;
    }
    if is_under_way(at) {
        return Some(if at.inputs.evidence.fresh { not_shown(at) } else { registering(at) });
    }
    if !at.verified() {
        return None;
    }
    let ledger = &at.inputs.ledger;
    if at.inputs.was_connected() && !ledger.register_wanted {
        let message = format!(
            "the number was connected once and is not any more: somebody deregistered it. It is registered again only on \
             request: {}",
            hints::ask(at.object, Action::Register)
        );
        return Some(ReadyReport::stalled(NumberPhase::PinRequired, Reason::Disconnected, message));
    }
    if let Some(paused) = paused(at) {
        return Some(paused);
    }
    let pin = match pin(at) {
        Ok(pin) => pin,
        Err(rung) => return Some(*rung),
    };
    if ledger.refused_pins.contains(&pin.fingerprint) {
        return Some(pin_refused(at));
    }
    if let Some(refusal) = ledger.refusals.get(&Operation::Register)
        && let Some(rung) = refused(at, refusal)
    {
        return Some(rung);
    }
    if !at.inputs.evidence.fresh && ledger.verified_at.is_some() && ledger.verified_at == ledger.last_change_at {
        return Some(registering(at));
    }
    Some(at.send(CallInput::Register, Some(pin), None))
}

/// From an accepted code on until the first read that counts after the registration: one thing to people, and told once.
fn registering(at: &NumberView<'_>) -> Decision {
    let message = "the number is verified and is being registered; the operator waits until Meta shows it";
    ReadyReport::waits(NumberPhase::Registering, Reason::Registering, message, at.fresh())
}

fn not_shown(at: &NumberView<'_>) -> Decision {
    let message = "Meta has registered the number and does not show it yet";
    ReadyReport::waits(
        NumberPhase::Registering,
        Reason::Registering,
        message,
        Requeue::PollUntilChanged(at.timing.settle * 2),
    )
}

/// Meta accepted a registration and does not show it yet.
pub fn is_under_way(at: &NumberView<'_>) -> bool {
    let patience = jiff::SignedDuration::try_from(at.timing.connecting).unwrap_or_default();
    let lately = |time: Timestamp| at.is_unseen(time) || at.ago(time) < patience;
    !at.facts.is_registered() && at.inputs.ledger.registered_at.is_some_and(lately)
}

/// Why no attempt is made for now, whatever the PIN.
pub fn paused(at: &NumberView<'_>) -> Option<Decision> {
    let ledger = &at.inputs.ledger;
    if let Some(until) = ledger.blocked_until.filter(|until| at.now() < *until) {
        let message =
            format!("Meta has locked the number after too many registrations; the operator goes on at {}", when(until));
        return Some(ReadyReport::waits(
            NumberPhase::PinRequired,
            Reason::RegistrationLocked,
            message,
            at.until(until),
        ));
    }
    let attempts = ledger.recent(Operation::Register, at.now());
    if attempts.len() < OWN_ATTEMPTS {
        return None;
    }
    let until = attempts[attempts.len() - OWN_ATTEMPTS].checked_add(WINDOW).unwrap_or(Timestamp::MAX);
    let message = format!(
        "{OWN_ATTEMPTS} registrations failed within 72 hours, and Meta locks a number after ten; the operator goes on at \
         {}. To try before then: {}",
        when(until),
        hints::ask(at.object, Action::Register)
    );
    Some(ReadyReport::waits(NumberPhase::PinRequired, Reason::RegistrationPaused, message, at.until(until)))
}

/// The PIN in the Secret was refused before, whatever others were tried since.
fn pin_refused(at: &NumberView<'_>) -> Decision {
    let secret = hints::pin_ref(at.object);
    let refusal = at.inputs.ledger.refusals.get(&Operation::Register).filter(|refusal| refusal.is_of_pin());
    let why = refusal.map_or("Meta has refused the PIN", |refusal| refusal.message.as_str());
    let message = format!(
        "{why} (Secret {}, key {}); it is not tried again. Put the number's PIN there: {}; or set this one at Meta: {}; or \
         have it tried once more: {}",
        secret.name,
        secret.key,
        hints::set(at.object, &secret, "YOUR_PIN"),
        hints::ask(at.object, Action::ResetPin),
        hints::ask(at.object, Action::Register)
    );
    ReadyReport::stalled(NumberPhase::PinRequired, Reason::PINRefused, message + &not_set(at))
}

fn refused(at: &NumberView<'_>, refusal: &Refusal) -> Option<Decision> {
    let phase = NumberPhase::PinRequired;
    if refusal.is_of_pin() {
        // Of another PIN than the one that is there now.
        return None;
    }
    // Deregistered anew, it may be registered again: that says its `until`.
    let halfway = refusal.code == HALF_DEREGISTERED && refusal.times == 1 && refusal.until.is_none();
    let deregistration = at.inputs.ledger.refusals.get(&Operation::Deregister).filter(|_| halfway);
    if halfway && deregistration.is_none_or(|refusal| refusal.until.is_some_and(|until| until <= at.now())) {
        return Some(at.send(CallInput::Deregister, None, None));
    }
    let refusal = deregistration.unwrap_or(refusal);
    match refusal.until {
        Some(until) if at.now() < until => {
            let guessed = GUESSED.contains(&refusal.code);
            let message = format!(
                "Meta did not register the number, and is asked again at {}: {}{}. To have it tried at once: {}",
                when(until),
                refusal.message,
                if guessed { ". The PIN in the Secret may be corrected meanwhile" } else { "" },
                hints::ask(at.object, Action::Register)
            );
            Some(ReadyReport::waits(phase, Reason::RegistrationRefused, message, at.until(until)))
        }
        Some(_) => None,
        None => {
            let message = format!(
                "Meta did not register the number: {}. See {}; when that is settled: {}",
                refusal.message,
                hints::place(refusal),
                hints::ask(at.object, Action::Register)
            );
            Some(ReadyReport::stalled(phase, Reason::RegistrationRefused, message))
        }
    }
}

/// What Meta said to the last attempt at a number that works on under its old name.
pub fn last_refusal(at: &NumberView<'_>) -> String {
    let Some(refusal) = at.inputs.ledger.refusals.get(&Operation::Register) else { return String::new() };
    let until = refusal.until.filter(|until| at.now() < *until);
    let until = until.map_or_else(String::new, |until| format!(", and wants no other before {}", when(until)));
    format!(". Meta refused the last attempt{until}: {}", refusal.message)
}

/// The PIN to register with, or what is in the way of one.
fn pin(at: &NumberView<'_>) -> Result<KnownSecret, Box<Decision>> {
    let phase = NumberPhase::PinRequired;
    if at.inputs.pin_taken {
        return Err(Box::new(ReadyReport::stalled(phase, Reason::SecretNameTaken, taken(at.object))));
    }
    match &at.inputs.pin {
        SecretRead::Known(known) => Ok(known.clone()),
        SecretRead::Missing(blocker) if hints::given_pin_ref(at.object).is_some() => {
            Err(Box::new(ReadyReport::stalled(phase, blocker.reason, blocker.message.clone())))
        }
        SecretRead::Missing(_) if pin_is_known(at) => Err(Box::new(Decision::Act(Step::CreatePinSecret))),
        SecretRead::Missing(_) => Err(Box::new(ReadyReport::stalled(phase, Reason::PINUnknown, unknown_pin(at)))),
        SecretRead::Invalid(blocker) => {
            Err(Box::new(ReadyReport::stalled(phase, blocker.reason, blocker.message.clone())))
        }
        SecretRead::NotCreated(blocker) => {
            let next = Requeue::After(at.timing.retry_interval);
            Err(Box::new(ReadyReport::troubled(phase, blocker.reason, blocker.message.clone(), next)))
        }
        SecretRead::NotNeeded | SecretRead::Unread => {
            let message = "the Secret with the PIN could not be read, and is tried again";
            let next = Requeue::After(at.timing.retry_interval);
            Err(Box::new(ReadyReport::waits(phase, Reason::SecretUnreadable, message, next)))
        }
    }
}

/// Whether a Secret with a PIN can be created: the ledger has it, or Meta has none, so that any will do.
pub fn pin_is_known(at: &NumberView<'_>) -> bool {
    at.inputs.ledger.pin_to_keep().is_some() || at.facts.is_pin_enabled != Some(true)
}

/// Whether the Secret that the operator had created is gone or emptied, and the ledger has what was in it.
pub fn pin_is_lost(at: &NumberView<'_>) -> bool {
    at.object.spec.registration.is_some()
        && hints::given_pin_ref(at.object).is_none()
        && !at.inputs.pin_taken
        && matches!(&at.inputs.pin, SecretRead::Missing(_))
        && at.inputs.ledger.pin_to_keep().is_some()
}

/// What to do about a PIN at Meta that nobody has told.
pub fn unknown_pin(at: &NumberView<'_>) -> String {
    let object = at.object;
    let secret = crate::api::SecretKeyRef { name: format!("{}-own-pin", object.name_any()), key: "pin".to_owned() };
    format!(
        "the number has a two-step PIN at Meta that the operator does not know. Put it into a Secret ({}) and name it in \
         spec.registration.pinRef; or have a new PIN set at Meta: {}{}",
        hints::put(object, &secret, "YOUR_PIN"),
        hints::ask(object, Action::ResetPin),
        not_set(at)
    )
}

/// What Meta said when the PIN in the Secret was to be set, if it said no.
fn not_set(at: &NumberView<'_>) -> String {
    let refusal = at.inputs.ledger.refusals.get(&Operation::SetPin);
    let refusal = refusal.filter(|refusal| at.inputs.pin.known().is_none_or(|pin| pin.fingerprint == refusal.inputs));
    refusal.map_or_else(String::new, |refusal| format!(". Meta refused to set it the last time: {}", refusal.message))
}

/// What to do about somebody else's Secret under the name that a PIN would have.
pub fn taken(object: &WhatsAppNumber) -> String {
    let name = hints::pin_ref(object).name;
    let named = format!(r#"{{"registration":{{"pinRef":{{"name":"{name}","key":"pin"}}}}}}"#);
    format!(
        "Secret {name} is not the operator's, and is left alone: to use the PIN in it, name it in \
         spec.registration.pinRef: {}; to have a PIN created, rename or delete it: {}",
        commands::patch(object, &named),
        delete_command(&format!("{}/{name}", object.namespace().unwrap_or_default()))
    )
}

/// Condition `PINSynced`: whether the PIN in the Secret is the one in force.
pub fn pin_synced(at: &NumberView<'_>) -> Option<ConditionValue> {
    at.object.spec.registration.as_ref()?;
    let secret = hints::pin_ref(at.object);
    let place = format!("Secret {}, key {}", secret.name, secret.key);
    if at.inputs.pin_taken {
        return Some(ConditionValue::no(Reason::SecretNameTaken, taken(at.object)));
    }
    if matches!(at.inputs.pin, SecretRead::Missing(_)) && hints::given_pin_ref(at.object).is_none() {
        // Before it is registered, one is created if any will do.
        let missed = onboarding::barred(at.facts).is_none() && (at.facts.is_registered() || !pin_is_known(at));
        return missed.then(|| ConditionValue::unknown(Reason::PINUnknown, unknown_pin(at)));
    }
    if let Some(blocker) = at.inputs.pin.blocker() {
        let kept =
            if at.inputs.ledger.pin.is_some() { "; the PIN in force is kept in the number's ledger" } else { "" };
        return Some(ConditionValue::no(blocker.reason, format!("{}{kept}", blocker.message)));
    }
    let known = at.inputs.pin.known()?;
    if let Some(open) = at.inputs.open_rung().filter(|open| open.unknown && open.input.operation() == Operation::SetPin)
    {
        let message = format!(
            "Meta was asked at {} to set a PIN, and the answer was lost: whether it is in force is not known. The PINs that \
             may be are kept in the number's ledger. To put the one in {place} in force, whatever is: {}",
            when(open.time),
            hints::ask(at.object, Action::ResetPin)
        );
        return Some(ConditionValue::unknown(Reason::PINUnknown, message));
    }
    let refused = at.inputs.ledger.refused_pins.contains(&known.fingerprint);
    Some(match &at.inputs.ledger.pin {
        Some(in_force) if *in_force == known.value => {
            ConditionValue::yes(Reason::PINSynced, format!("the PIN in {place} is the one in force at Meta"))
        }
        Some(_) => ConditionValue::no(
            Reason::PINDiffers,
            format!(
                "the PIN in {place} is not the one in force, which is kept in the number's ledger; nothing is sent to Meta. \
                 Put the old PIN back, or set this one at Meta: {}{}",
                hints::ask(at.object, Action::ResetPin),
                not_set(at)
            ),
        ),
        None if refused => ConditionValue::no(
            Reason::PINRefused,
            format!(
                "Meta refused the PIN in {place}. Put the number's PIN there: {}; or set this one at Meta: {}{}",
                hints::set(at.object, &secret, "YOUR_PIN"),
                hints::ask(at.object, Action::ResetPin),
                not_set(at)
            ),
        ),
        None => ConditionValue::unknown(
            Reason::PINUnknown,
            format!(
                "Meta does not show PINs, and the one in {place} was never used: it may be another one. To put it in force, \
                 whatever is: {}{}",
                hints::ask(at.object, Action::ResetPin),
                not_set(at)
            ),
        ),
    })
}

/// What is said of a registered number that Meta is still connecting, whoever registered it.
pub fn connecting(at: &NumberView<'_>) -> ReadyReport {
    let shown = at.facts.last_onboarded_time;
    let since = shown.or_else(|| told_since(at.object)).unwrap_or_else(|| at.now());
    let patience = jiff::SignedDuration::try_from(at.timing.connecting).unwrap_or_default();
    let is_usual = at.ago(since) < patience;
    let message = if is_usual {
        "Meta is connecting the number to the Cloud API; this takes some minutes"
    } else {
        "Meta has been connecting the number for longer than usual; the operator keeps looking. If it stays so, ask Meta's \
         support: business.facebook.com/direct-support"
    };
    // Only for a number of the operator's own the account is read more often.
    let next = match (at.inputs.held && shown.is_some(), is_usual) {
        (true, _) => Requeue::PollUntilChanged(at.timing.settle * 2),
        (false, true) => at.until(since.checked_add(patience).unwrap_or(Timestamp::MAX)),
        (false, false) => Requeue::Nothing,
    };
    let ready = ConditionValue::no(Reason::Registering, message);
    ReadyReport { phase: None, ready, progress: Progress::Reconciling, next }
}

/// Since when the status tells of nothing else.
fn told_since(object: &WhatsAppNumber) -> Option<Timestamp> {
    let told = object.status.as_ref()?.history.iter().rev();
    let unbroken = told.take_while(|transition| transition.phase == NumberPhase::Registering.as_str());
    unbroken.last().map(|transition| transition.time.0)
}
