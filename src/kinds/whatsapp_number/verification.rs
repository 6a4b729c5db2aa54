//! Verification: one code, requested once; each new value that a person puts into the Secret is submitted once. Pure.

use kube::ResourceExt;

use super::{
    decision::{Decision, ReadyReport},
    inputs::{Blocker, SecretRead},
    number_view::NumberView,
};
use crate::{
    api::{Action, CodeMethod, NumberPhase, SecretKeyRef, WhatsAppNumber},
    calls::{CallInput, Operation},
    controller::plan::Requeue,
    graph::{codes, types::CodeVerificationStatus},
    k8s::secrets::set_command,
    ledger::{Refusal, SentCode},
    messages::{Reason, commands, when},
};

/// The language of a code's message where none is given.
const LANGUAGE: &str = "en_US";

/// What comes next for a number that is not verified.
pub fn verification(at: &NumberView<'_>) -> Decision<ReadyReport> {
    if !at.connection().is_off() || at.is_being_registered() {
        return Decision::NotManaged;
    }
    if at.verified() {
        return if is_read_awaited(at) {
            let message = "Meta accepted the code; the operator waits until a read of Meta shows it";
            ReadyReport::waits(NumberPhase::PinRequired, Reason::Settling, message, at.fresh())
        } else {
            Decision::NotManaged
        };
    }
    let expired = match at.facts.code_verification_status {
        Some(CodeVerificationStatus::Expired) => true,
        _ if at.is_verification_expired() => true,
        Some(CodeVerificationStatus::NotVerified) => false,
        // No status, or one that this version does not know: nothing to act on.
        _ => return Decision::NotManaged,
    };
    if let SecretRead::Away(left) = at.inputs.code {
        return Decision::Wait(Requeue::After(left));
    }
    if at.object.spec.verification.is_none() {
        return if at.object.spec.registration.is_some() { not_verified(at) } else { Decision::NotManaged };
    }
    let refusal = at.inputs.ledger.refusals.get(&Operation::RequestCode);
    // A refusal is newer than the last code, which may still be valid.
    if let Some(code) = &at.inputs.ledger.code
        && (refusal.is_none() || at.now() < code.expires())
    {
        return awaiting(at, code);
    }
    if let Some(refusal) = refusal {
        return not_sent(at, refusal, at.inputs.ledger.code.is_some());
    }
    if expired {
        let message = format!(
            "the verification expired. The operator does not request a code by itself. To request one: {}",
            commands::request(at.object, Action::RequestCode)
        );
        return ReadyReport::stalled(NumberPhase::Unverified, Reason::VerificationExpired, message);
    }
    if at.inputs.was_connected() {
        let message = format!(
            "the number was connected once and no longer is, nor is it verified: {}. The operator does not request a code by \
             itself. To request one: {}",
            at.who_deregistered(),
            commands::request(at.object, Action::RequestCode)
        );
        return ReadyReport::stalled(NumberPhase::Unverified, Reason::Disconnected, message);
    }
    if at.inputs.code == SecretRead::Unread { unread(at) } else { Decision::Act(at.send(code_request(at), None, None)) }
}

/// Whether nothing is left to do but to wait until Meta shows the number as verified.
fn is_read_awaited(at: &NumberView<'_>) -> bool {
    let unseen = at.facts.code_verification_status != Some(CodeVerificationStatus::Verified);
    unseen && !at.inputs.evidence.fresh && at.object.spec.registration.is_none()
}

/// `spec.registration` is set, and `spec.verification` is not.
fn not_verified(at: &NumberView<'_>) -> Decision<ReadyReport> {
    let deregistered = at.inputs.ledger.deregistered_at.is_some();
    let cause = if deregistered { format!(" any more ({})", at.who_deregistered()) } else { String::new() };
    let message = format!(
        "spec.registration is set, but the number is not verified{cause}: verify it in WhatsApp Manager > Phone numbers, or add \
         spec.verification to have a code sent: {}",
        commands::patch(at.object, r#"{"verification":{}}"#)
    );
    ReadyReport::stalled(NumberPhase::Unverified, Reason::NotVerified, message)
}

/// The Secret and key that hold the code.
pub fn code_ref(object: &WhatsAppNumber) -> SecretKeyRef {
    let given = object.spec.verification.as_ref().and_then(|verification| verification.code_ref.clone());
    given.unwrap_or_else(|| object.default_secret("code"))
}

/// Puts the code into its Secret. Where a person named a Secret that exists, its other keys stay.
fn put_code(object: &WhatsAppNumber, held: &SecretRead) -> String {
    let (namespace, secret, what) = (object.namespace().unwrap_or_default(), code_ref(object), "YOUR_CODE");
    let given = object.spec.verification.as_ref().is_some_and(|verification| verification.code_ref.is_some());
    let exists = !matches!(held, SecretRead::Missing(blocker) if blocker.reason == Reason::SecretNotFound);
    if given && exists {
        set_command(&namespace, &secret.name, &secret.key, what)
    } else {
        commands::put_secret(&namespace, &secret, what)
    }
}

/// The call that requests a code. The value in the code's Secret now is not that code.
pub fn code_request(at: &NumberView<'_>) -> CallInput {
    let verification = at.object.spec.verification.clone().unwrap_or_default();
    let baseline = at.inputs.code.fingerprint().map(str::to_owned);
    CallInput::RequestCode {
        method: verification.method,
        language: verification.language.unwrap_or_else(|| LANGUAGE.to_owned()),
        baseline,
    }
}

/// Meta sent no code; the operator requests only the first one again by itself.
fn not_sent(at: &NumberView<'_>, refusal: &Refusal, another: bool) -> Decision<ReadyReport> {
    match refusal.until {
        Some(until) if another => {
            let message = format!(
                "Meta did not send another code: {}. The operator does not request one by itself. To request one (not before {}): {}",
                refusal.message,
                when(until),
                commands::request(at.object, Action::RequestCode)
            );
            ReadyReport::stalled(NumberPhase::Unverified, Reason::CodeNotSent, message)
        }
        Some(until) if at.now() < until => {
            let message = format!(
                "Meta did not send a code; the operator requests it again at {}: {}",
                when(until),
                refusal.message
            );
            ReadyReport::waits(NumberPhase::Unverified, Reason::CodeNotSent, message, at.until(until))
        }
        Some(_) => Decision::Act(at.send(code_request(at), None, None)),
        None => {
            let other = match at.object.spec.verification.as_ref().map(|verification| verification.method) {
                Some(CodeMethod::Voice) => CodeMethod::Sms.as_str(),
                _ => CodeMethod::Voice.as_str(),
            };
            let message = format!(
                "{}. Make sure that the number can receive the code, or choose the other method: {}; then request a code: {}",
                refusal.message,
                commands::patch(at.object, &format!(r#"{{"verification":{{"method":"{other}"}}}}"#)),
                commands::request(at.object, Action::RequestCode)
            );
            ReadyReport::stalled(NumberPhase::Unverified, Reason::CodeNotSent, message)
        }
    }
}

/// Meta sent a code: the value that a person puts into the Secret is submitted.
fn awaiting(at: &NumberView<'_>, code: &SentCode) -> Decision<ReadyReport> {
    let secret = code_ref(at.object);
    let place = format!("Secret {}, key {}", secret.name, secret.key);
    if at.now() >= code.expires() {
        let message = format!(
            "the code that Meta sent at {} has expired. The operator does not request another one by itself. To request one: {}",
            when(code.requested_at),
            commands::request(at.object, Action::RequestCode)
        );
        return ReadyReport::stalled(NumberPhase::Unverified, Reason::CodeExpired, message);
    }
    let refusal = at.inputs.ledger.refusals.get(&Operation::VerifyCode);
    if refusal.is_some_and(|refusal| refusal.subcode == Some(codes::NO_CODE_PENDING)) {
        let message = format!(
            "the code that Meta sent at {} is no longer valid: Meta is waiting for none. The operator does not request another one \
             by itself. To request one: {}",
            when(code.requested_at),
            commands::request(at.object, Action::RequestCode)
        );
        return ReadyReport::stalled(NumberPhase::Unverified, Reason::CodeExpired, message);
    }
    if let Some(until) = refusal.and_then(|refusal| refusal.until).filter(|until| at.now() < *until) {
        let why = refusal.map(|refusal| refusal.message.as_str()).unwrap_or_default();
        let message = format!("Meta did not check the code; the operator submits it again at {}: {why}", when(until));
        return ReadyReport::waits(NumberPhase::AwaitingCode, Reason::HeldBack, message, at.until(until));
    }
    match &at.inputs.code {
        SecretRead::Known(known) if code.is_new(&known.fingerprint) => {
            return Decision::Act(at.send(CallInput::VerifyCode, Some(known.clone()), None));
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
    // The operator would never find a code under another key.
    let lacking = match &at.inputs.code {
        SecretRead::Missing(blocker) if blocker.reason == Reason::SecretKeyNotFound => {
            format!(". Note: {}", blocker.message)
        }
        _ => String::new(),
    };
    let how = put_code(at.object, &at.inputs.code) + &lacking;
    let another = commands::request(at.object, Action::RequestCode);
    let (reason, message) = if code.tried.is_empty() {
        let sent = match (code.certain, code.method) {
            (true, CodeMethod::Voice) => "Meta gave a code by voice call",
            (true, CodeMethod::Sms) => "Meta sent a code by SMS",
            (false, _) => "Meta probably sent a code (its reply was lost)",
        };
        let time = when(code.requested_at);
        let otherwise = if code.certain { String::new() } else { format!(". If none comes: {another}") };
        (Reason::AwaitingCode, format!("{sent} at {time}; put it into {place}, within 10 minutes: {how}{otherwise}"))
    } else {
        let until = when(code.expires());
        let message = format!("Meta did not accept the code in {place}; put the right one there before {until}: {how}");
        (Reason::WrongCode, format!("{message}. To request another code: {another}"))
    };
    ReadyReport::waits(NumberPhase::AwaitingCode, reason, message, at.until(code.expires()))
}

fn unread(at: &NumberView<'_>) -> Decision<ReadyReport> {
    let message = "the operator could not read the Secret with the code, and retries";
    ReadyReport::waits(at.phase(), Reason::SecretUnreadable, message, at.retry())
}
