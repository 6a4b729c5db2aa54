//! Condition `PINSynced`: whether the PIN in the Secret is the one in force at Meta, as far as anybody can know. Pure.

use jiff::SignedDuration;

use super::{
    decision::{ConditionReport, Decision, Impact},
    inputs::SecretRead,
    number_view::{NumberView, barred},
    registration::{given_pin_ref, not_set, pin_is_known, pin_ref, set_pin, taken, unknown_pin},
};
use crate::{
    api::{Action, NumberPhase},
    calls::Operation,
    controller::{plan::Requeue, summary::ConditionValue},
    ledger::PinDoubt,
    messages::{Reason, commands, when},
};

/// Meta's stamp of a registration is not later than its reply; whole seconds and two clocks leave this much.
const SAME_MOMENT: SignedDuration = SignedDuration::from_secs(5);

/// Condition `PINSynced`: whether the PIN in the Secret is the one in force.
pub fn pin_synced(at: &NumberView<'_>) -> Decision<ConditionReport> {
    if at.is_observed() || at.object.spec.registration.is_none() {
        return Decision::NotManaged;
    }
    if let SecretRead::Away(left) = at.inputs.pin {
        return Decision::Wait(Requeue::After(left));
    }
    if at.inputs.pin == SecretRead::Unread {
        return ConditionReport::unchanged(at.retry());
    }
    let Some(value) = compared(at) else { return Decision::NotManaged };
    if matches!(at.inputs.pin, SecretRead::NotCreated(_)) {
        ConditionReport::settled(value, at.retry())
    } else {
        ConditionReport::new(value, Impact::Fine)
    }
}

/// The PIN in the Secret and the one in force.
fn compared(at: &NumberView<'_>) -> Option<ConditionValue> {
    let secret = pin_ref(at.object);
    let place = format!("Secret {}, key {}", secret.name, secret.key);
    if at.inputs.pin_taken {
        return Some(ConditionValue::no(Reason::SecretNameTaken, taken(at.object)));
    }
    if matches!(at.inputs.pin, SecretRead::Missing(_)) && given_pin_ref(at.object).is_none() {
        // Before it is registered, one is created if any will do.
        let missed = barred(at.facts).is_none() && (!at.connection().is_off() || !pin_is_known(at));
        return missed.then(|| ConditionValue::unknown(Reason::PINUnknown, unknown_pin(at)));
    }
    if let Some(blocker) = at.inputs.pin.blocker() {
        let kept = if at.inputs.ledger.pin.is_some() { "; the number's ledger keeps the PIN in force" } else { "" };
        return Some(ConditionValue::no(blocker.reason, format!("{}{kept}", blocker.message)));
    }
    let known = at.inputs.pin.known()?;
    let refused = at.inputs.ledger.refused_pins.contains(&known.fingerprint);
    let open = at.inputs.open_onboarding_call();
    let open = open.filter(|open| open.unknown && open.input.operation() == Operation::SetPin);
    let possible = at.inputs.ledger.possible_pins.last().filter(|_| !refused).map(|pin| pin.time);
    if let Some(time) = open.map(|open| open.time).or(possible) {
        let message = format!(
            "the request of {} to set a PIN got no reply, so the operator does not know which PIN is in force. The number's \
             ledger keeps those that may be. To put the one in {place} in force: {}",
            when(time),
            commands::request(at.object, Action::ResetPin)
        );
        return Some(ConditionValue::unknown(Reason::PINUnknown, message));
    }
    if let Some(doubt) = doubt(at) {
        let message = format!(
            "{}; Meta does not show PINs, so another one than that in {place} may be in force. To put this one in force: {}{}",
            why_open(doubt),
            commands::request(at.object, Action::ResetPin),
            not_set(at)
        );
        return Some(ConditionValue::unknown(Reason::PINUnknown, message));
    }
    Some(match &at.inputs.ledger.pin {
        Some(in_force) if *in_force == known.value => {
            ConditionValue::yes(Reason::PINSynced, format!("the PIN in {place} is the one in force at Meta"))
        }
        Some(_) => ConditionValue::no(
            Reason::PINDiffers,
            format!(
                "the PIN in {place} is not the one in force, which the number's ledger keeps; the operator sends nothing to Meta. \
                 Put the old PIN back, or set this one at Meta: {}{}",
                commands::request(at.object, Action::ResetPin),
                not_set(at)
            ),
        ),
        None if refused => ConditionValue::no(
            Reason::PINRefused,
            format!(
                "Meta refused the PIN in {place}. Put the number's PIN there: {}; or set this one at Meta: {}{}",
                set_pin(at.object),
                commands::request(at.object, Action::ResetPin),
                not_set(at)
            ),
        ),
        None => ConditionValue::unknown(
            Reason::PINUnknown,
            format!(
                "Meta does not show PINs, and the operator never used the one in {place}: another one may be in force. To put this \
                 one in force: {}{}",
                commands::request(at.object, Action::ResetPin),
                not_set(at)
            ),
        ),
    })
}

/// What happened since the operator put its PIN in force.
fn why_open(doubt: PinDoubt) -> &'static str {
    match doubt {
        PinDoubt::Kept => {
            "the number was registered already when the operator registered it, and Meta left its PIN alone"
        }
        PinDoubt::Registered => "somebody else has registered the number since the operator put its PIN in force",
        PinDoubt::Deregistered => "somebody else has deregistered the number since the operator put its PIN in force",
        PinDoubt::Moved => "the number has been moved to another account since the operator put its PIN in force",
    }
}

/// Why the PIN that the ledger has may no longer be in force: what Meta shows tells that others were there since.
pub fn doubt(at: &NumberView<'_>) -> Option<PinDoubt> {
    let ledger = &at.inputs.ledger;
    if ledger.pin.is_none() {
        return ledger.pin_doubt;
    }
    let moved = || ledger.pin_number.as_deref().is_some_and(|id| id != &*at.facts.id);
    let deregistered = || {
        let is_off = at.connection().is_off() && at.inputs.evidence.fresh && !at.is_being_registered();
        is_off && ledger.deregistered_at.is_none() && was_connected_with_pin(at)
    };
    ledger
        .pin_doubt
        .or_else(|| moved().then_some(PinDoubt::Moved))
        .or_else(|| registered_by_others(at).then_some(PinDoubt::Registered))
        .or_else(|| deregistered().then_some(PinDoubt::Deregistered))
}

/// Whether the number was connected at some time since the operator put the PIN in force.
fn was_connected_with_pin(at: &NumberView<'_>) -> bool {
    let ledger = &at.inputs.ledger;
    let phase = at.object.status.as_ref().and_then(|status| status.phase.as_ref());
    phase == Some(&NumberPhase::Enabled) || ledger.pin_at.is_some_and(|time| at.was_enabled_since(time))
}

/// Whether the last registration that Meta shows is later than the one with which the operator put the PIN in force. Meta may
/// stamp that one only when the number is connected.
fn registered_by_others(at: &NumberView<'_>) -> bool {
    let ledger = &at.inputs.ledger;
    let (Some(shown), Some(last)) = (at.facts.last_onboarded_time, ledger.pin_at.max(ledger.registered_at)) else {
        return false;
    };
    if shown.duration_since(last) <= SAME_MOMENT {
        return false;
    }
    let own = ledger.registered_at.filter(|registered| shown.duration_since(*registered) <= at.patience());
    let Some(registered) = own else { return true };
    // The status has shown the operator's own stamp already: this is another one.
    let seen = at.object.status.as_ref().and_then(|status| status.last_onboarded_time.as_ref()).map(|time| time.0);
    seen.is_some_and(|seen| seen != shown && registered.duration_since(seen) <= SAME_MOMENT)
}
