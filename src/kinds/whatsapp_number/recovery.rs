//! Calls whose outcome is unknown: what reads of Meta show, when the operator repeats a call, and when a person decides. Pure.

use super::{
    actions::{self, ActionRequests},
    connection::Connection,
    decision::{Decision, ReadyReport},
    inputs::{Resolution, Step},
    number_view::NumberView,
};
use crate::{
    api::NumberPhase,
    calls::{Class, Intent, Operation, Recovery, Shown, recovery},
    controller::plan::Requeue,
    graph::types::{CodeVerificationStatus, PhoneNumber},
    messages::{Reason, commands, when},
};

/// The action by which a person replaces a call whose outcome is unknown, if the operator can act on it. Reads come first:
/// after a second registration with another PIN, it would be unknown which of the two is in force.
pub fn closing(at: &NumberView<'_>, intent: &Intent, requests: &mut ActionRequests) -> Decision<ReadyReport> {
    let operation = intent.input.operation();
    if operation.class() == Class::Observable && !at.inputs.evidence.twice {
        return Decision::NotManaged;
    }
    let action = operation.action().filter(|_| intent.unknown);
    action.map_or(Decision::NotManaged, |action| actions::one(at, action, requests))
}

/// What to do about a call whose outcome is unknown, before anything else.
pub fn open(at: &NumberView<'_>, intent: &Intent) -> Decision<ReadyReport> {
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
    let shown = if happened(operation, at) { Shown::Done } else { Shown::NotDone };
    let next = recovery::next(operation.class(), shown, inputs.evidence, intent.attempt);
    if operation == Operation::SetPin && next != Recovery::AskPerson {
        // Meta refused the repeated call; what became of the first one is still unknown.
        let pause = inputs.ledger.refusals.get(&operation).and_then(|refusal| refusal.until);
        if let Some(until) = pause.filter(|until| inputs.now < *until) {
            return pending(at, intent, at.until(until));
        }
    }
    match next {
        Recovery::Adopt => {
            if operation == Operation::Register && inputs.listed_in.len() > 1 {
                return settle(intent, Resolution::PinOpen);
            }
            let id = (operation == Operation::AddNumber).then(|| at.facts.id.to_string());
            settle(intent, Resolution::Happened(id))
        }
        Recovery::AwaitRead => pending(at, intent, at.fresh()),
        Recovery::AwaitProof => pending(at, intent, at.proof()),
        _ if !is_still_wanted(at, operation) => settle(intent, Resolution::GivenUp),
        Recovery::Repeat if is_possible(at, operation) => again(at, intent),
        _ if operation == Operation::VerifyCode => {
            settle(intent, Resolution::DidNot("Meta did not accept the code, and gave no reason".to_owned()))
        }
        _ => undecided(at, intent),
    }
}

/// Whether the same call can be made again now.
fn is_possible(at: &NumberView<'_>, operation: Operation) -> bool {
    match operation {
        Operation::VerifyCode => at.inputs.ledger.code.as_ref().is_some_and(|code| at.now() < code.expires()),
        Operation::Register => super::registration::paused(at).is_none(),
        _ => true,
    }
}

/// Whether the call was about another id: since then the number has moved to another account.
pub fn is_of_another(intent: &Intent, facts: &PhoneNumber) -> bool {
    intent.phone_number_id.as_deref().is_some_and(|id| id != &*facts.id)
}

/// Whether the object still requires the call.
fn is_still_wanted(at: &NumberView<'_>, operation: Operation) -> bool {
    match operation {
        Operation::VerifyCode => at.object.spec.verification.is_some(),
        Operation::Register => at.object.spec.registration.is_some(),
        // The deleted object that required it is gone.
        Operation::Deregister => false,
        _ => true,
    }
}

/// Whether Meta shows that the call took effect.
pub fn happened(operation: Operation, at: &NumberView<'_>) -> bool {
    let connection = at.connection();
    match operation {
        Operation::AddNumber => true,
        Operation::VerifyCode => {
            connection.is_on_cloud() || at.facts.code_verification_status == Some(CodeVerificationStatus::Verified)
        }
        Operation::Register => connection.is_on_cloud(),
        Operation::Deregister => !connection.is_on_cloud() && connection != Connection::Unclear,
        _ => false,
    }
}

fn settle(intent: &Intent, end: Resolution) -> Decision<ReadyReport> {
    Decision::Act(Step::Resolve { id: intent.id.clone(), end })
}

fn again(at: &NumberView<'_>, intent: &Intent) -> Decision<ReadyReport> {
    Decision::Act(Step::Repeat { id: intent.id.clone(), before: at.before() })
}

fn pending(at: &NumberView<'_>, intent: &Intent, next: Requeue) -> Decision<ReadyReport> {
    let message = format!(
        "the request of {} to {} got no reply. The operator is checking at Meta whether it took effect, and does not repeat it \
         before that is known",
        when(intent.time),
        words(intent.input.operation())
    );
    let phase = if intent.input.operation() == Operation::Register { NumberPhase::Registering } else { at.phase() };
    ReadyReport::waits(phase, Reason::OutcomePending, message, next)
}

fn undecided(at: &NumberView<'_>, intent: &Intent) -> Decision<ReadyReport> {
    let operation = intent.input.operation();
    let how =
        operation.action().map_or_else(String::new, |action| format!(": {}", commands::request(at.object, action)));
    let refusal = at.inputs.ledger.refusals.get(&operation).filter(|refusal| refusal.inputs == intent.inputs);
    let outcome = match refusal.filter(|_| operation == Operation::SetPin) {
        Some(refusal) => format!("got no reply to the first, and a refusal to the last ({})", refusal.message),
        None => "got no reply".to_owned(),
    };
    let message = format!(
        "the operator sent {} requests to {} (last at {}), and {outcome}; Meta does not show that it took effect. Check WhatsApp \
         Manager > Phone numbers, then request it again{how}",
        intent.attempt,
        words(operation),
        when(intent.time),
    );
    ReadyReport::stalled(at.phase(), Reason::OutcomeUnknown, message)
}

/// An operation in a sentence: "the request to …", "Meta did not …".
pub fn words(operation: Operation) -> &'static str {
    match operation {
        Operation::AddNumber => "add the number",
        Operation::RequestCode => "send a code",
        Operation::VerifyCode => "verify the number",
        Operation::Register => "register the number",
        Operation::RegisterAgain => "register the number under its new name",
        Operation::SetPin => "set the number's PIN",
        Operation::Deregister => "deregister the number",
        Operation::SetWebhook => "set the number's callback",
        Operation::ClearWebhook => "remove the number's callback",
        Operation::WriteProfile => "change the profile",
    }
}
