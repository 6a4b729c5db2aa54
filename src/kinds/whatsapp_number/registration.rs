//! Registration: once, with the right PIN, and within Meta's limits. Pure.

use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;

use super::{
    connection::Connection,
    decision::{Decision, ReadyReport},
    inputs::{Blocker, KnownSecret, SecretRead, Step},
    number_view::NumberView,
};
use crate::{
    api::{Action, NumberPhase, SecretKeyRef, WhatsAppNumber},
    calls::{Budget, CallInput, Operation, WINDOW},
    controller::{
        plan::Requeue,
        summary::{ConditionValue, Progress},
    },
    graph::codes,
    k8s::secrets::{delete_command, set_command},
    ledger::Refusal,
    messages::{Reason, commands, when},
};

/// How many attempts the operator makes by itself within 72 hours; Meta locks a number after ten.
pub const OWN_ATTEMPTS: usize = 5;
/// How many it makes when a person requests them.
pub const MOST_ATTEMPTS: usize = 10;

/// What comes next for a number that is verified and not registered.
pub fn registration(at: &NumberView<'_>) -> Decision<ReadyReport> {
    if at.object.spec.registration.is_none() || !at.connection().is_off() {
        return Decision::NotManaged;
    }
    if at.is_being_registered() {
        return if at.inputs.evidence.fresh { not_shown(at) } else { registering(at) };
    }
    if !at.verified() {
        return Decision::NotManaged;
    }
    let ledger = &at.inputs.ledger;
    if at.connection() == Connection::Disconnected && !ledger.register_wanted {
        let message = format!(
            "the number was connected once and no longer is: {}. The operator registers it again only on request: {}",
            at.who_deregistered(),
            commands::request(at.object, Action::Register)
        );
        return ReadyReport::stalled(NumberPhase::PinRequired, Reason::Disconnected, message);
    }
    if let Some(paused) = paused(at) {
        return paused;
    }
    let phase = NumberPhase::PinRequired;
    let pin = match pin_to_use(at, pin_is_known(at)) {
        PinToUse::Known(pin) => pin,
        PinToUse::ToCreate => return Decision::Act(Step::CreatePinSecret),
        PinToUse::Blocked(blocker) => return ReadyReport::stalled(phase, blocker.reason, blocker.message),
        PinToUse::NotCreated(blocker) => {
            return ReadyReport::blocked(phase, blocker.reason, blocker.message, at.retry());
        }
        PinToUse::Away(left) => return Decision::Wait(Requeue::After(left)),
        PinToUse::Unread => {
            let message = "the operator could not read the Secret with the PIN, and retries";
            return ReadyReport::waits(phase, Reason::SecretUnreadable, message, at.retry());
        }
    };
    if ledger.refused_pins.contains(&pin.fingerprint) {
        return pin_refused(at);
    }
    if let Some(refusal) = ledger.refusals.get(&Operation::Register)
        && let Some(decision) = refused(at, refusal)
    {
        return decision;
    }
    if !at.inputs.evidence.fresh && ledger.verified_at.is_some() && ledger.verified_at == ledger.last_change_at {
        return registering(at);
    }
    Decision::Act(at.send(CallInput::Register, Some(pin), None))
}

/// From an accepted code on until the first read that counts after the registration: one status, written once.
fn registering(at: &NumberView<'_>) -> Decision<ReadyReport> {
    let message = "the number is verified and is being registered; the operator waits until a read of Meta shows it";
    ReadyReport::waits(NumberPhase::Registering, Reason::Registering, message, at.fresh())
}

fn not_shown(at: &NumberView<'_>) -> Decision<ReadyReport> {
    let message = "Meta registered the number, but does not show it yet";
    ReadyReport::waits(
        NumberPhase::Registering,
        Reason::Registering,
        message,
        Requeue::PollUntilChanged(at.timing.settle * 2),
    )
}

/// Why no attempt is made for now, with any PIN.
pub fn paused(at: &NumberView<'_>) -> Option<Decision<ReadyReport>> {
    let ledger = &at.inputs.ledger;
    if let Some(until) = ledger.blocked_until.filter(|until| at.now() < *until) {
        let message =
            format!("Meta locked the number after too many registrations; the operator continues at {}", when(until));
        return Some(ReadyReport::waits(
            NumberPhase::PinRequired,
            Reason::RegistrationLocked,
            message,
            at.until(until),
        ));
    }
    let attempts = ledger.recent(Operation::Register, at.now());
    let until = Budget { calls: OWN_ATTEMPTS, window: WINDOW }.next(&attempts, at.now())?;
    let message = format!(
        "{OWN_ATTEMPTS} registrations failed within 72 hours, and Meta locks a number after ten; the operator continues at \
         {}. To retry before then: {}",
        when(until),
        commands::request(at.object, Action::Register)
    );
    Some(ReadyReport::waits(NumberPhase::PinRequired, Reason::RegistrationPaused, message, at.until(until)))
}

/// Meta refused the PIN in the Secret before, even if it has refused others since.
fn pin_refused(at: &NumberView<'_>) -> Decision<ReadyReport> {
    let secret = pin_ref(at.object);
    let refusal = at.inputs.ledger.refusals.get(&Operation::Register).filter(|refusal| refusal.is_of_pin());
    let why = refusal.map_or("Meta has refused the PIN", |refusal| refusal.message.as_str());
    let message = format!(
        "{why} (Secret {}, key {}); the operator does not try it again. Put the number's PIN there: {}; or set this one at Meta: {}; or \
         try it once more: {}",
        secret.name,
        secret.key,
        set_pin(at.object),
        commands::request(at.object, Action::ResetPin),
        commands::request(at.object, Action::Register)
    );
    ReadyReport::stalled(NumberPhase::PinRequired, Reason::PINRefused, message + &not_set(at))
}

fn refused(at: &NumberView<'_>, refusal: &Refusal) -> Option<Decision<ReadyReport>> {
    let phase = NumberPhase::PinRequired;
    if refusal.is_of_pin() {
        // Meta refused another PIN than the one in the Secret now.
        return None;
    }
    // After a second deregistration it may be registered again, at its `until`.
    let halfway = refusal.code == codes::HALF_DEREGISTERED && refusal.times == 1 && refusal.until.is_none();
    let deregistration = at.inputs.ledger.refusals.get(&Operation::Deregister).filter(|_| halfway);
    if halfway && deregistration.is_none_or(|refusal| refusal.until.is_some_and(|until| until <= at.now())) {
        return Some(Decision::Act(at.send(CallInput::Deregister, None, None)));
    }
    let refusal = deregistration.unwrap_or(refusal);
    match refusal.until {
        Some(until) if at.now() < until => {
            let guessed = matches!(refusal.code, codes::TOO_MANY_PINS | codes::PINS_TOO_FAST);
            let message = format!(
                "Meta did not register the number; the operator retries at {}: {}{}. To retry at once: {}",
                when(until),
                refusal.message,
                if guessed { ". You may correct the PIN in the Secret meanwhile" } else { "" },
                commands::request(at.object, Action::Register)
            );
            Some(ReadyReport::waits(phase, Reason::RegistrationRefused, message, at.until(until)))
        }
        Some(_) => None,
        None => {
            let message = format!(
                "Meta did not register the number: {}. Fix the cause in {}, then retry: {}",
                refusal.message,
                place(refusal),
                commands::request(at.object, Action::Register)
            );
            Some(ReadyReport::stalled(phase, Reason::RegistrationRefused, message))
        }
    }
}

/// Meta's refusal of the last attempt, for a number that works on under its old name.
pub fn last_refusal(at: &NumberView<'_>) -> String {
    let Some(refusal) = at.inputs.ledger.refusals.get(&Operation::Register) else { return String::new() };
    let until = refusal.until.filter(|until| at.now() < *until);
    let until =
        until.map_or_else(String::new, |until| format!(", and allows no further attempt before {}", when(until)));
    format!(". Meta refused the last attempt{until}: {}", refusal.message)
}

/// The PIN for a call, or what is in the way of one.
pub enum PinToUse {
    /// This one.
    Known(KnownSecret),
    /// The operator creates its Secret first.
    ToCreate,
    /// A person has to act on the Secret.
    Blocked(Blocker),
    /// The API server did not let the operator create the Secret.
    NotCreated(Blocker),
    /// A tool deleted the Secret a moment ago and may create it again.
    Away(Duration),
    /// The Secret could not be read.
    Unread,
}

/// `any_fits`: whether any PIN will do that the number does not have already.
pub fn pin_to_use(at: &NumberView<'_>, any_fits: bool) -> PinToUse {
    if at.inputs.pin_taken {
        return PinToUse::Blocked(Blocker::new(Reason::SecretNameTaken, taken(at.object)));
    }
    match &at.inputs.pin {
        SecretRead::Known(known) => PinToUse::Known(known.clone()),
        SecretRead::Missing(blocker) if given_pin_ref(at.object).is_some() => PinToUse::Blocked(blocker.clone()),
        SecretRead::Missing(_) if any_fits => PinToUse::ToCreate,
        SecretRead::Missing(_) => PinToUse::Blocked(Blocker::new(Reason::PINUnknown, unknown_pin(at))),
        SecretRead::Invalid(blocker) => PinToUse::Blocked(blocker.clone()),
        SecretRead::NotCreated(blocker) => PinToUse::NotCreated(blocker.clone()),
        SecretRead::Away(left) => PinToUse::Away(*left),
        SecretRead::NotNeeded | SecretRead::Unread => PinToUse::Unread,
    }
}

/// Whether a Secret with a PIN can be created: the ledger has it, or Meta has none, so that any will do.
pub fn pin_is_known(at: &NumberView<'_>) -> bool {
    at.inputs.ledger.pin_to_keep().is_some() || at.facts.is_pin_enabled != Some(true)
}

/// Whether the Secret that the operator created is gone or empty, and the ledger still has its PIN.
pub fn pin_is_lost(at: &NumberView<'_>) -> bool {
    at.object.spec.registration.is_some()
        && given_pin_ref(at.object).is_none()
        && !at.inputs.pin_taken
        && matches!(&at.inputs.pin, SecretRead::Missing(_))
        && at.inputs.ledger.pin_to_keep().is_some()
}

/// What to do about a PIN at Meta that the operator does not have.
pub fn unknown_pin(at: &NumberView<'_>) -> String {
    let object = at.object;
    let secret = SecretKeyRef { name: format!("{}-own-pin", object.name_any()), key: "pin".to_owned() };
    format!(
        "the number has a two-step PIN at Meta that the operator does not know. Put it into a Secret ({}) and name that in \
         spec.registration.pinRef; or set a new PIN at Meta: {}{}",
        commands::put_secret(&object.namespace().unwrap_or_default(), &secret, "YOUR_PIN"),
        commands::request(object, Action::ResetPin),
        not_set(at)
    )
}

/// Meta's refusal of the last attempt to set the PIN in the Secret, if it refused.
pub fn not_set(at: &NumberView<'_>) -> String {
    let refusal = at.inputs.ledger.refusals.get(&Operation::SetPin);
    let refusal = refusal.filter(|refusal| at.inputs.pin.known().is_none_or(|pin| pin.fingerprint == refusal.inputs));
    refusal
        .map_or_else(String::new, |refusal| format!(". Meta refused the last attempt to set it: {}", refusal.message))
}

/// What to do about somebody else's Secret under the name that a PIN would have.
pub fn taken(object: &WhatsAppNumber) -> String {
    let name = pin_ref(object).name;
    let named = format!(r#"{{"registration":{{"pinRef":{{"name":"{name}","key":"pin"}}}}}}"#);
    format!(
        "Secret {name} is not the operator's, so the operator does not touch it. To use the PIN in it, name it in \
         spec.registration.pinRef: {}; to have a PIN created, rename or delete it: {}",
        commands::patch(object, &named),
        delete_command(&format!("{}/{name}", object.namespace().unwrap_or_default()))
    )
}

/// A registered number that Meta is still connecting, even if the operator did not register it.
pub fn connecting(at: &NumberView<'_>) -> Decision<ReadyReport> {
    if at.phase() != NumberPhase::Registering {
        return Decision::NotManaged;
    }
    let shown = at.facts.last_onboarded_time;
    let since = shown.or_else(|| shown_since(at.object)).unwrap_or_else(|| at.now());
    let patience = at.patience();
    let is_usual = at.ago(since) < patience;
    let message = if is_usual {
        "Meta is connecting the number to the Cloud API; this takes some minutes"
    } else {
        "Meta has been connecting the number for longer than usual; the operator keeps checking. If this does not change, contact \
         Meta's support: business.facebook.com/direct-support"
    };
    // The account is read more often only for a number that the operator registered.
    let next = match (at.inputs.held && shown.is_some(), is_usual) {
        (true, _) => Requeue::PollUntilChanged(at.timing.settle * 2),
        (false, true) => at.until(since.checked_add(patience).unwrap_or(Timestamp::MAX)),
        (false, false) => Requeue::Nothing,
    };
    let ready = ConditionValue::no(Reason::Registering, message);
    Decision::Report(ReadyReport { phase: None, ready, progress: Progress::Reconciling, next })
}

/// Since when the status reports nothing else.
fn shown_since(object: &WhatsAppNumber) -> Option<Timestamp> {
    let reported = object.status.as_ref()?.history.iter().rev();
    let unbroken = reported.take_while(|transition| transition.phase == NumberPhase::Registering.as_str());
    unbroken.last().map(|transition| transition.time.0)
}

/// The Secret and key that hold the PIN.
pub fn pin_ref(object: &WhatsAppNumber) -> SecretKeyRef {
    given_pin_ref(object).cloned().unwrap_or_else(|| generated_pin_ref(object))
}

/// The Secret and key that hold a PIN that the operator generates.
pub fn generated_pin_ref(object: &WhatsAppNumber) -> SecretKeyRef {
    object.default_secret("pin")
}

/// The Secret and key that a person named for the PIN.
pub fn given_pin_ref(object: &WhatsAppNumber) -> Option<&SecretKeyRef> {
    object.spec.registration.as_ref()?.pin_ref.as_ref()
}

/// Sets the PIN in its Secret; the other keys stay.
pub fn set_pin(object: &WhatsAppNumber) -> String {
    let secret = pin_ref(object);
    set_command(&object.namespace().unwrap_or_default(), &secret.name, &secret.key, "YOUR_PIN")
}

/// The place at Meta that explains a refusal.
fn place(refusal: &Refusal) -> &'static str {
    if refusal.class == "Policy" { "WhatsApp Manager > Account quality" } else { "WhatsApp Manager > Phone numbers" }
}
