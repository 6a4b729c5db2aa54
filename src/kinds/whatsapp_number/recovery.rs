//! Calls whose outcome is not known: what reads say of them, when they are made again, and when a person is asked. Pure.

use super::{
    hints,
    inputs::{Resolution, Step},
    onboarding::{Decision, NumberView, ReadyReport, when},
    requests::Requests,
};
use crate::{
    api::NumberPhase,
    calls::{Class, Intent, Operation},
    controller::plan::Requeue,
    graph::types::{CodeVerificationStatus, PhoneNumber, PlatformType},
    messages::Reason,
};

/// How often an absorbing call is made again before a person is asked.
const ABSORBING_TRIES: u32 = 3;
/// How often an observable call is made in all.
const OBSERVABLE_TRIES: u32 = 2;

/// What a person asks for in place of a call whose outcome is not known, if that can be done. What reads can tell is found
/// out first: after a second registration, with another PIN, nobody could say any more which of the two is in force.
pub fn closing(at: &NumberView<'_>, intent: &Intent, requests: &mut Requests) -> Option<Decision> {
    let operation = intent.input.operation();
    if operation.class() == Class::Observable && !at.inputs.evidence.twice {
        return None;
    }
    let action = operation.action().filter(|_| intent.unknown)?;
    super::actions::one(at, action, requests)
}

/// A call whose outcome is not known comes before everything else.
pub fn open(at: &NumberView<'_>, intent: &Intent) -> Decision {
    let inputs = at.inputs;
    let operation = intent.input.operation();
    if !intent.unknown {
        return match inputs.foreign_call_grace.get(&intent.id) {
            Some(left) => pending(at, intent, Requeue::After(*left)),
            None => settle(intent, Resolution::Lost),
        };
    }
    if is_of_another(intent, at.facts) {
        return settle(intent, Resolution::GivenUp);
    }
    if happened(operation, at.facts) {
        let id = (operation == Operation::AddNumber).then(|| at.facts.id.to_string());
        return settle(intent, Resolution::Happened(id));
    }
    if operation == Operation::SetPin {
        // Refused once more, it is still not known what became of it before.
        let pause = inputs.ledger.refusals.get(&operation).and_then(|refusal| refusal.until);
        let more = intent.attempt < ABSORBING_TRIES;
        if let Some(until) = pause.filter(|until| more && inputs.now < *until) {
            return pending(at, intent, at.until(until));
        }
        return match (more, inputs.evidence.fresh) {
            (true, true) => again(at, intent),
            (true, false) => pending(at, intent, at.fresh()),
            (false, _) => undecided(at, intent),
        };
    }
    if !inputs.evidence.twice {
        return pending(at, intent, at.proof());
    }
    if !is_still_wanted(at, operation) {
        return settle(intent, Resolution::GivenUp);
    }
    if operation == Operation::VerifyCode {
        let alive = inputs.ledger.code.as_ref().is_some_and(|code| inputs.now < code.expires());
        return if alive && intent.attempt < OBSERVABLE_TRIES {
            again(at, intent)
        } else {
            settle(intent, Resolution::DidNot("Meta did not take the code, and did not say why".to_owned()))
        };
    }
    let paused = operation == Operation::Register && super::registration::paused(at).is_some();
    if intent.attempt < OBSERVABLE_TRIES && !paused { again(at, intent) } else { undecided(at, intent) }
}

/// Whether the line has come to another account since, under another id: what was asked of the one says nothing of the other.
pub fn is_of_another(intent: &Intent, facts: &PhoneNumber) -> bool {
    intent.phone_number_id.as_deref().is_some_and(|id| id != &*facts.id)
}

/// Whether the object still asks for what Meta does not show to have happened.
fn is_still_wanted(at: &NumberView<'_>, operation: Operation) -> bool {
    match operation {
        Operation::VerifyCode => at.object.spec.verification.is_some(),
        Operation::Register => at.object.spec.registration.is_some(),
        // The object that wanted it gone has gone itself.
        Operation::Deregister => false,
        _ => true,
    }
}

/// Whether Meta shows that it was done.
pub fn happened(operation: Operation, facts: &PhoneNumber) -> bool {
    let on_cloud = facts.platform_type == Some(PlatformType::CloudApi);
    match operation {
        Operation::AddNumber => true,
        Operation::VerifyCode => on_cloud || facts.code_verification_status == Some(CodeVerificationStatus::Verified),
        Operation::Register => on_cloud,
        Operation::Deregister => !on_cloud,
        _ => false,
    }
}

fn settle(intent: &Intent, end: Resolution) -> Decision {
    Decision::Act(Step::Resolve { id: intent.id.clone(), end })
}

fn again(at: &NumberView<'_>, intent: &Intent) -> Decision {
    Decision::Act(Step::Repeat { id: intent.id.clone(), before: at.before() })
}

fn pending(at: &NumberView<'_>, intent: &Intent, next: Requeue) -> Decision {
    let message = format!(
        "Meta was asked at {} to {}, and the answer was lost; the operator finds out from what Meta shows whether it \
         happened, and does nothing twice meanwhile",
        when(intent.time),
        words(intent.input.operation())
    );
    let phase = if intent.input.operation() == Operation::Register { NumberPhase::Registering } else { at.phase() };
    ReadyReport::waits(phase, Reason::OutcomePending, message, next)
}

fn undecided(at: &NumberView<'_>, intent: &Intent) -> Decision {
    let operation = intent.input.operation();
    let how = operation.action().map_or_else(String::new, |action| format!(": {}", hints::ask(at.object, action)));
    let refusal = at.inputs.ledger.refusals.get(&operation).filter(|refusal| refusal.inputs == intent.inputs);
    let answer = match refusal.filter(|_| operation == Operation::SetPin) {
        Some(refusal) => format!("the first answer was lost, and the last one was a refusal ({})", refusal.message),
        None => "each answer was lost".to_owned(),
    };
    let message = format!(
        "Meta was asked {} times to {} (last at {}), and {answer}; Meta does not show that it happened. Look into WhatsApp \
         Manager > Phone numbers, then ask for it anew{how}",
        intent.attempt,
        words(operation),
        when(intent.time),
    );
    ReadyReport::stalled(at.phase(), Reason::OutcomeUnknown, message)
}

/// An operation in a sentence: "Meta was asked to …".
pub fn words(operation: Operation) -> &'static str {
    match operation {
        Operation::AddNumber => "add the number",
        Operation::RequestCode => "send a code",
        Operation::VerifyCode => "verify the number by its code",
        Operation::Register => "register the number",
        Operation::RegisterAgain => "register the number under its new name",
        Operation::SetPin => "set the number's PIN",
        Operation::Deregister => "deregister the number",
        Operation::SetWebhook => "deliver the number's messages elsewhere",
        Operation::ClearWebhook => "deliver the number's messages as before",
        Operation::WriteProfile => "change the profile",
    }
}
