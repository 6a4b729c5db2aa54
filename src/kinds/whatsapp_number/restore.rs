//! What the status still shows of a ledger that was lost. Pure.

use super::inputs::{Inputs, SecretRead};
use crate::{
    api::{NumberPhase, WhatsAppNumber},
    ledger::Ledger,
    messages::Reason,
};

/// The ledger, as far as the status shows it.
pub fn recalled(object: &WhatsAppNumber) -> Ledger {
    object.status.as_ref().map(Ledger::from_status).unwrap_or_default()
}

/// Counts the values that are in the Secrets now as known: a PIN that Meta refused, by the status, is not sent again, and the
/// value in the code's Secret is not taken for the code that Meta sent last.
pub fn recalled_values(object: &WhatsAppNumber, inputs: &mut Inputs) {
    let conditions = object.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let refused = conditions.iter().any(|condition| condition.reason == Reason::PINRefused.as_str());
    if let Some(pin) = inputs.pin.fingerprint().filter(|_| refused) {
        inputs.ledger.refused_pins.push(pin.to_owned());
    }
    if let Some(code) = &mut inputs.ledger.code {
        code.baseline = inputs.code.fingerprint().map(str::to_owned);
    }
    let is_unread = |read: &SecretRead| matches!(read, SecretRead::Unread | SecretRead::Away(_));
    let unread = is_unread(&inputs.pin) || is_unread(&inputs.code);
    inputs.recalled = inputs.ledger != Ledger::default() && !unread;
}

/// Whether the status shows that the number once worked, perhaps before it had a ledger.
pub fn was_enabled(object: &WhatsAppNumber) -> bool {
    let enabled = NumberPhase::Enabled;
    object.status.as_ref().is_some_and(|status| {
        status.phase.as_ref() == Some(&enabled)
            || status.history.iter().any(|transition| transition.phase == enabled.as_str())
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::kinds::whatsapp_number::{
        status,
        tests::fixtures::{
            Number, asks_to_verify, at, coded, known, made, next, number, refusal, unregistered, verified,
        },
    };
    use crate::{
        calls::{CallInput, Operation},
        ledger::CallOutcome,
    };

    /// The ledger is lost; the status is not.
    fn forgets(scene: &mut Number) {
        scene.inputs.ledger.serial = 1;
        scene.object.status = Some(status::from_spec(&scene.object, &scene.inputs));
        scene.inputs.ledger = recalled(&scene.object);
        recalled_values(&scene.object, &mut scene.inputs);
        assert_eq!(scene.inputs.ledger.serial, 0, "the ledger is not stored yet");
        assert_eq!(next(scene), "note", "the status may soon change");
        scene.inputs.recalled = false;
    }

    #[test]
    fn attempts_that_meta_counts_are_still_counted() {
        let mut scene = verified();
        for minute in -60..-55 {
            made(&mut scene, CallInput::Register, Some("004217"), refusal(133_004, Some(0)), minute);
        }
        forgets(&mut scene);
        assert_eq!(scene.inputs.ledger.recent(Operation::Register, at(0)).len(), 5);
        assert_eq!(next(&mut scene), "PINRequired False/RegistrationPaused Reconciling");
    }

    #[test]
    fn a_lock_stays_until_its_end() {
        let mut scene = verified();
        made(&mut scene, CallInput::Register, Some("004217"), refusal(133_016, Some(600)), -1);
        forgets(&mut scene);
        assert_eq!(next(&mut scene), "PINRequired False/RegistrationLocked Reconciling");
    }

    #[test]
    fn a_refused_value_is_not_sent_again() {
        let mut scene = verified();
        made(&mut scene, CallInput::Register, Some("004217"), refusal(133_005, None), -1);
        assert_eq!(next(&mut scene), "PINRequired False/PINRefused Stalled");
        forgets(&mut scene);
        assert_eq!(next(&mut scene), "PINRequired False/PINRefused Stalled");
        scene.inputs.pin = known("590218");
        assert_eq!(next(&mut scene), "send register 590218");

        for value in ["123456", "000000"] {
            let mut scene = number();
            unregistered(&mut scene, "NOT_VERIFIED");
            asks_to_verify(&mut scene);
            coded(&mut scene, CallOutcome::Done(None), -5);
            scene.inputs.code = known(value);
            if value == "123456" {
                made(&mut scene, CallInput::VerifyCode, Some(value), refusal(136_025, None), -4);
            }
            forgets(&mut scene);
            assert_eq!(next(&mut scene), "AwaitingCode False/AwaitingCode Reconciling", "{value} was there before");
            scene.inputs.code = known("654321");
            assert_eq!(next(&mut scene), "send verifyCode 654321");
        }
    }

    #[test]
    fn a_code_that_was_sent_is_not_sent_again() {
        for (minute, expected) in
            [(-5, "AwaitingCode False/AwaitingCode Reconciling"), (-600, "Unverified False/CodeExpired Stalled")]
        {
            let mut scene = number();
            unregistered(&mut scene, "NOT_VERIFIED");
            asks_to_verify(&mut scene);
            coded(&mut scene, CallOutcome::Done(None), minute);
            forgets(&mut scene);
            assert_eq!(next(&mut scene), expected, "{minute}");
        }
    }
}
