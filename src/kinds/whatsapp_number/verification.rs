//! Verification: one code, sent once; each new value that a person brings is tried once. Pure.

use super::{
    hints,
    inputs::{Blocker, SecretRead},
    onboarding::{Decision, NumberView, ReadyReport, when},
};
use crate::{
    api::{Action, CodeMethod, NumberPhase},
    calls::{CallInput, Operation},
    controller::plan::Requeue,
    graph::types::CodeVerificationStatus,
    ledger::{Refusal, SentCode},
    messages::{Reason, commands},
};

/// The language of a code's message where none is given.
const LANGUAGE: &str = "en_US";

/// What comes next for a number that is not verified; `None` where verification is not in the way.
pub fn verify(at: &NumberView<'_>) -> Option<Decision> {
    if at.facts.is_registered() || super::registration::is_under_way(at) {
        return None;
    }
    if at.verified() {
        let unseen = at.facts.code_verification_status != Some(CodeVerificationStatus::Verified);
        let message = "Meta accepted the code; the operator waits until reads show it";
        return (unseen && !at.inputs.evidence.fresh && at.object.spec.registration.is_none())
            .then(|| ReadyReport::waits(NumberPhase::PinRequired, Reason::Settling, message, at.fresh()));
    }
    let lapsed = match at.facts.code_verification_status {
        Some(CodeVerificationStatus::Expired) => true,
        _ if super::registration::is_lapsed(at) => true,
        Some(CodeVerificationStatus::NotVerified) => false,
        // A word of tomorrow, or none: not ours to act on.
        _ => return None,
    };
    if at.object.spec.verification.is_none() {
        return at.object.spec.registration.as_ref().map(|_| {
            let message = format!(
                "spec.registration asks to register the number, which is not verified: verify it in WhatsApp Manager > \
                 Phone numbers, or add spec.verification, which has a code sent: {}",
                commands::patch(at.object, r#"{"verification":{}}"#)
            );
            ReadyReport::stalled(NumberPhase::Unverified, Reason::NotVerified, message)
        });
    }
    let refusal = at.inputs.ledger.refusals.get(&Operation::RequestCode);
    // A refusal is of a later request than the last code's, which may still be good.
    if let Some(code) = &at.inputs.ledger.code
        && (refusal.is_none() || at.now() < code.expires())
    {
        return Some(awaiting(at, code));
    }
    if let Some(refusal) = refusal {
        return Some(not_sent(at, refusal, at.inputs.ledger.code.is_some()));
    }
    if lapsed {
        let message = format!(
            "the verification lapsed; no code is sent by itself. To have one sent: {}",
            hints::ask(at.object, Action::RequestCode)
        );
        return Some(ReadyReport::stalled(NumberPhase::Unverified, Reason::VerificationExpired, message));
    }
    Some(if at.inputs.code == SecretRead::Unread { unread(at) } else { at.send(request(at), None, None) })
}

/// The call that has a code sent. What the code's Secret holds now is not the code.
pub fn request(at: &NumberView<'_>) -> CallInput {
    let verification = at.object.spec.verification.clone().unwrap_or_default();
    let method = match verification.method {
        CodeMethod::Sms => "SMS",
        CodeMethod::Voice => "Voice",
    };
    let baseline = at.inputs.code.fingerprint().map(str::to_owned);
    CallInput::RequestCode {
        method: method.to_owned(),
        language: verification.language.unwrap_or_else(|| LANGUAGE.to_owned()),
        baseline,
    }
}

/// No code was sent; only the first one is asked for again by itself.
fn not_sent(at: &NumberView<'_>, refusal: &Refusal, another: bool) -> Decision {
    match refusal.until {
        Some(until) if another => {
            let message = format!(
                "Meta sent no other code: {}. None is sent by itself; to ask once more, not before {}: {}",
                refusal.message,
                when(until),
                hints::ask(at.object, Action::RequestCode)
            );
            ReadyReport::stalled(NumberPhase::Unverified, Reason::CodeNotSent, message)
        }
        Some(until) if at.now() < until => {
            let message = format!("Meta sent no code, and is asked again at {}: {}", when(until), refusal.message);
            ReadyReport::waits(NumberPhase::Unverified, Reason::CodeNotSent, message, at.until(until))
        }
        Some(_) => at.send(request(at), None, None),
        None => {
            let other = match at.object.spec.verification.as_ref().map(|verification| verification.method) {
                Some(CodeMethod::Voice) => "SMS",
                _ => "Voice",
            };
            let message = format!(
                "{}. See that the number can be reached, or choose the other method: {}; then: {}",
                refusal.message,
                commands::patch(at.object, &format!(r#"{{"verification":{{"method":"{other}"}}}}"#)),
                hints::ask(at.object, Action::RequestCode)
            );
            ReadyReport::stalled(NumberPhase::Unverified, Reason::CodeNotSent, message)
        }
    }
}

/// A code was sent: the value that a person brings is tried.
fn awaiting(at: &NumberView<'_>, code: &SentCode) -> Decision {
    let secret = hints::code_ref(at.object);
    let place = format!("Secret {}, key {}", secret.name, secret.key);
    if at.now() >= code.expires() {
        let message = format!(
            "the code that was sent at {} is no longer valid; no other is sent by itself. To have one sent: {}",
            when(code.requested_at),
            hints::ask(at.object, Action::RequestCode)
        );
        return ReadyReport::stalled(NumberPhase::Unverified, Reason::CodeExpired, message);
    }
    let refusal = at.inputs.ledger.refusals.get(&Operation::VerifyCode);
    if let Some(until) = refusal.and_then(|refusal| refusal.until).filter(|until| at.now() < *until) {
        let message = format!("Meta could not check the code, and is asked again at {}", when(until));
        return ReadyReport::waits(NumberPhase::AwaitingCode, Reason::AwaitingCode, message, at.until(until));
    }
    match &at.inputs.code {
        SecretRead::Known(known) if code.is_new(&known.fingerprint) => {
            return at.send(CallInput::VerifyCode, Some(known.clone()), None);
        }
        SecretRead::Unread => return unread(at),
        SecretRead::Invalid(Blocker { message, fingerprint, .. })
            if fingerprint.as_ref().is_none_or(|fingerprint| code.is_new(fingerprint)) =>
        {
            let message = message.clone();
            return ReadyReport::waits(
                NumberPhase::AwaitingCode,
                Reason::SecretValueInvalid,
                message,
                at.until(code.expires()),
            );
        }
        _ => {}
    }
    // A code that was put under another key would be waited for in vain.
    let lacking = match &at.inputs.code {
        SecretRead::Missing(blocker) if blocker.reason == Reason::SecretKeyNotFound => {
            format!(". So far {}", blocker.message)
        }
        _ => String::new(),
    };
    let how = hints::put_code(at.object, &at.inputs.code) + &lacking;
    let another = hints::ask(at.object, Action::RequestCode);
    let (reason, message) = if code.tried.is_empty() {
        let sent = match (code.certain, code.method.as_str()) {
            (true, "Voice") => "a code was told by a call",
            (true, _) => "a code was sent by SMS",
            (false, _) => "a code was asked for, Meta's answer was lost, and it was probably sent",
        };
        let time = when(code.requested_at);
        let otherwise = if code.certain { String::new() } else { format!(". If none comes: {another}") };
        (Reason::AwaitingCode, format!("{sent} at {time}; put it into {place}, within 10 minutes: {how}{otherwise}"))
    } else {
        let until = when(code.expires());
        let message = format!("Meta did not accept the code in {place}; put the right one there before {until}: {how}");
        (Reason::WrongCode, format!("{message}. To have another one sent: {another}"))
    };
    ReadyReport::waits(NumberPhase::AwaitingCode, reason, message, at.until(code.expires()))
}

fn unread(at: &NumberView<'_>) -> Decision {
    let message = "the Secret with the code could not be read, and is tried again";
    ReadyReport::waits(at.phase(), Reason::SecretUnreadable, message, Requeue::After(at.timing.retry_interval))
}
