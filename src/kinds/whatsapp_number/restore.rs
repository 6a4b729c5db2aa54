//! What a status tells of the time that no ledger remembers. Pure.

use super::inputs::{Inputs, SecretRead};
use crate::{
    api::{NumberPhase, WhatsAppNumber},
    ledger::Ledger,
    messages::Reason,
};

/// What the status tells of a ledger that was lost.
pub fn recalled(object: &WhatsAppNumber) -> Ledger {
    object.status.as_ref().map(Ledger::from_status).unwrap_or_default()
}

/// What PIN and code hold now was there when the ledger was: a PIN that the status calls refused is not sent once more,
/// and a code's Secret need not hold the code that was sent last.
pub fn recalled_values(object: &WhatsAppNumber, inputs: &mut Inputs) {
    let conditions = object.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let refused = conditions.iter().any(|condition| condition.reason == Reason::PINRefused.as_str());
    if let Some(pin) = inputs.pin.fingerprint().filter(|_| refused) {
        inputs.ledger.refused_pins.push(pin.to_owned());
    }
    if let Some(code) = &mut inputs.ledger.code {
        code.baseline = inputs.code.fingerprint().map(str::to_owned);
    }
    let unread = [&inputs.pin, &inputs.code].contains(&&SecretRead::Unread);
    inputs.recalled = inputs.ledger != Ledger::default() && !unread;
}

/// Whether the status tells that the number once worked: that may have been seen before there was anything to write down.
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
            Number, asks_to_register, asks_to_verify, at, coded, known, made, next, number, refusal, unregistered,
        },
    };
    use crate::{
        calls::{CallInput, Operation},
        ledger::CallOutcome,
    };

    /// The ledger is lost, and its number's status is not.
    fn forgets(scene: &mut Number) {
        scene.inputs.ledger.serial = 1;
        scene.object.status = Some(status::from_spec(&scene.object, &scene.inputs));
        scene.inputs.ledger = recalled(&scene.object);
        recalled_values(&scene.object, &mut scene.inputs);
        assert_eq!(scene.inputs.ledger.serial, 0, "there is none yet");
        assert_eq!(next(scene), "note", "what is there now may not be there for long");
        scene.inputs.recalled = false;
    }

    fn registering() -> Number {
        let mut scene = number();
        unregistered(&mut scene, "VERIFIED");
        asks_to_register(&mut scene, "004217");
        scene
    }

    #[test]
    fn what_meta_counts_is_counted_on() {
        let mut scene = registering();
        for minute in -60..-55 {
            made(&mut scene, CallInput::Register, Some("004217"), refusal(133_004, Some(0)), minute);
        }
        forgets(&mut scene);
        assert_eq!(scene.inputs.ledger.recent(Operation::Register, at(0)).len(), 5);
        assert_eq!(next(&mut scene), "PINRequired False/RegistrationPaused Reconciling");
    }

    #[test]
    fn a_lock_stays_until_its_end() {
        let mut scene = registering();
        made(&mut scene, CallInput::Register, Some("004217"), refusal(133_016, Some(600)), -1);
        forgets(&mut scene);
        assert_eq!(next(&mut scene), "PINRequired False/RegistrationLocked Reconciling");
    }

    #[test]
    fn what_was_refused_is_not_sent_again() {
        let mut scene = registering();
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
