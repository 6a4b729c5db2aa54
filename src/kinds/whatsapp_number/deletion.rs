//! What deleting the object does: by policy the operator deregisters the number, once, for the object it belongs to. Pure.

use super::{
    Numbers,
    actions::{self, ActionRequests},
    decision::{Decision, NumberReport},
    inputs::{Inputs, Resolution, Step},
    number_view::{NumberView, barred},
    recovery,
    registration::OWN_ATTEMPTS,
};
use crate::{
    api::{ManagementPolicy, NumberDeletionPolicy, NumberPhase, WhatsAppNumber},
    calls::{Budget, CallInput, Operation, WINDOW},
    controller::{
        account_resource::Input,
        app_reference::{AppReference, expired, not_ready},
        plan::Requeue,
        summary::{ConditionValue, Progress, StatusSummary},
    },
    graph::codes,
    messages::{Reason, commands, when},
    observe::Observation,
};

/// Whether the object is to wait for the number to be deregistered when it is deleted.
pub fn wants_finalizer(object: &WhatsAppNumber, registered: bool) -> bool {
    object.spec.deletion_policy == NumberDeletionPolicy::Deregister
        && object.spec.management_policy == ManagementPolicy::Full
        && registered
}

/// The finalizer of an object that no longer has to wait.
pub fn unneeded_finalizer(input: &Input<'_, Numbers>) -> Option<Step> {
    (input.inputs.has_finalizer && !wants_finalizer(input.object, true)).then_some(Step::Finalizer(false))
}

/// What comes next for an object that is being deleted.
pub fn deletion(input: &Input<'_, Numbers>, requests: &mut ActionRequests) -> Decision<NumberReport> {
    let object = input.object;
    if object.metadata.deletion_timestamp.is_none() {
        return Decision::NotManaged;
    }
    if object.spec.deletion_policy == NumberDeletionPolicy::Retain {
        return Decision::Act(Step::RemoveFinalizer(None));
    }
    if let Some(why) = lets_go(input) {
        let note = format!("the operator leaves {} at Meta unchanged: {why}", object.spec.phone_number);
        return Decision::Act(Step::RemoveFinalizer(Some(note)));
    }
    requests.ignore_all("the object is being deleted");
    actions::refresh_token(input, requests).map_or_else(|| wait_or_deregister(input), Decision::Act)
}

fn wait_or_deregister(input: &Input<'_, Numbers>) -> Decision<NumberReport> {
    let Input { object, inputs, app, namespace, link, .. } = input;
    let blocked = match link {
        AppReference::Expired(why) => Some((Reason::ExpiredToken, expired(why, app, namespace))),
        AppReference::NotReady(why) => Some((Reason::AppNotReady, not_ready(why, app, namespace))),
        _ => None,
    };
    if let Some((reason, why)) = blocked {
        let why = format!("the number has to be deregistered before this object goes: {why}");
        return report(object, reason, retain(object, &why), Progress::Stalled, Requeue::Nothing);
    }
    let Observation::Present { account, facts, .. } = &input.seen else {
        let why =
            "the number has to be deregistered before this object goes; the operator waits until it can read Meta";
        return report(
            object,
            Reason::Deregistering,
            retain(object, why),
            Progress::Reconciling,
            Requeue::AfterRead(input.timing.absence_gap / 4),
        );
    };
    let at = NumberView { object, inputs, account, facts, timing: input.timing };
    deregister(&at)
}

/// Why the operator does nothing at Meta, if it does nothing.
fn lets_go(input: &Input<'_, Numbers>) -> Option<String> {
    let Input { object, inputs, link, .. } = input;
    let why = if object.spec.suspend {
        "spec.suspend is true"
    } else if object.spec.management_policy == ManagementPolicy::Observe {
        inputs.why_observed()
    } else if input.competing_object.is_some() || input.inputs.earlier_claimant.is_some() {
        "another object represents the number"
    } else if inputs.claimed {
        "another object claims the number and takes it over"
    } else if object.recorded_id().is_none() && inputs.ledger.phone_number_id.is_none() {
        "its id was never known"
    } else {
        match (link, &input.seen) {
            (AppReference::Missing, _) => "its MetaApp is gone",
            (AppReference::NotAllowed, _) => "the MetaApp does not allow this namespace",
            (AppReference::Suspended, _) => "its MetaApp is suspended",
            (AppReference::Gone(_), _) => "the MetaApp's credentials are gone",
            (_, Observation::Unmanaged) => "the MetaApp no longer manages its account",
            (_, Observation::Absent { .. }) => "no account of the MetaApp has it",
            (_, Observation::Present { facts, .. }) => return barred(facts),
            _ => return None,
        }
    };
    Some(why.to_owned())
}

fn deregister(at: &NumberView<'_>) -> Decision<NumberReport> {
    let inputs = at.inputs;
    let waits = |reason, message: String, next| report(at.object, reason, message, Progress::Reconciling, next);
    if let Some(blocker) = &inputs.blocker {
        let again = at.retry();
        return report(at.object, blocker.reason, retain(at.object, &blocker.message), Progress::Stalled, again);
    }
    if let Some(intent) = inputs.open_onboarding_call() {
        if !intent.unknown {
            return match inputs.foreign_call_grace.get(&intent.id) {
                Some(left) => {
                    waits(Reason::OutcomePending, "an earlier call may be under way".into(), Requeue::After(*left))
                }
                None => Decision::Act(Step::Resolve { id: intent.id.clone(), end: Resolution::Lost }),
            };
        }
        let operation = intent.input.operation();
        if recovery::is_of_another(intent, at.facts) {
            return Decision::Act(Step::Resolve { id: intent.id.clone(), end: Resolution::GivenUp });
        }
        if recovery::happened(operation, at) {
            return Decision::Act(Step::Resolve { id: intent.id.clone(), end: Resolution::Happened(None) });
        }
        if !inputs.evidence.twice {
            let message = format!(
                "the request to {} got no reply; the operator first checks at Meta whether it took effect",
                recovery::words(operation)
            );
            return waits(Reason::OutcomePending, message, at.proof());
        }
        if operation == Operation::Deregister {
            return if let Some(why) = inputs.no_writes.as_ref().or(inputs.held_back.as_ref()) {
                waits(Reason::HeldBack, why.clone(), at.retry())
            } else if intent.attempt == 1 {
                Decision::Act(Step::Repeat { id: intent.id.clone(), before: at.before() })
            } else {
                report(
                    at.object,
                    Reason::OutcomeUnknown,
                    retain(at.object, "two requests to deregister the number got no reply"),
                    Progress::Stalled,
                    Requeue::Nothing,
                )
            };
        }
    }
    // Meta shows that it is done, or confirmed it a moment ago.
    if at.connection().is_off() || done(at) {
        return Decision::Act(Step::RemoveFinalizer(None));
    }
    if let Some(why) = inputs.no_writes.as_ref().or(inputs.held_back.as_ref()) {
        return waits(Reason::HeldBack, why.clone(), at.retry());
    }
    if let Some(refusal) = inputs.ledger.refusals.get(&Operation::Deregister) {
        match refusal.until {
            // Half done: repeat it.
            _ if refusal.code == codes::HALF_DEREGISTERED && refusal.times < 3 => {}
            Some(until) if at.now() < until => {
                let message = format!(
                    "Meta did not deregister the number; the operator retries at {}: {}",
                    when(until),
                    refusal.message
                );
                return waits(Reason::Deregistering, message, at.until(until));
            }
            Some(_) => {}
            None => {
                let why = format!("Meta did not deregister the number: {}", refusal.message);
                return report(
                    at.object,
                    Reason::DeregistrationRefused,
                    retain(at.object, &why),
                    Progress::Stalled,
                    Requeue::Nothing,
                );
            }
        }
    }
    if let Some(until) = inputs.ledger.blocked_until.filter(|until| at.now() < *until) {
        let message = format!("Meta locked the number; the operator continues at {}", when(until));
        return waits(Reason::RegistrationLocked, message, at.until(until));
    }
    let attempts = inputs.ledger.recent(Operation::Deregister, at.now());
    if let Some(until) = (Budget { calls: OWN_ATTEMPTS, window: WINDOW }).next(&attempts, at.now()) {
        let message = retain(
            at.object,
            &format!(
                "{OWN_ATTEMPTS} attempts failed, and Meta locks a number after ten; the operator continues at {}",
                when(until)
            ),
        );
        return waits(Reason::RegistrationPaused, message, at.until(until));
    }
    if !inputs.evidence.fresh {
        return waits(Reason::Settling, "the operator waits for a fresh read of Meta".into(), at.fresh());
    }
    Decision::Act(at.send(CallInput::Deregister, None, None))
}

/// Whether a deregistration was the last thing that happened, so that reads may not show it yet.
fn done(at: &NumberView<'_>) -> bool {
    let Inputs { ledger, evidence, .. } = at.inputs;
    let patience = at.patience();
    let last =
        |time| ledger.last_change_at.is_none_or(|last_change_at| last_change_at <= time) && at.ago(time) < patience;
    !evidence.twice && ledger.deregistered_at.is_some_and(last)
}

/// Why it waits, and the way out.
fn retain(object: &WhatsAppNumber, why: &str) -> String {
    let command = commands::patch(object, r#"{"deletionPolicy":"Retain"}"#);
    format!("{why}. Deregister it elsewhere, or leave it registered: {command}")
}

fn report(
    object: &WhatsAppNumber,
    reason: Reason,
    message: String,
    progress: Progress,
    next: Requeue,
) -> Decision<NumberReport> {
    let status = object.status.clone().unwrap_or_default();
    let phase = status.phase.clone().unwrap_or(NumberPhase::Unknown);
    let summary = StatusSummary::keeping(ConditionValue::no(reason, message), progress);
    Decision::Report(NumberReport { next, ..NumberReport::new(status, phase, summary) })
}

impl WhatsAppNumber {
    /// The ID under which Meta was last seen to have it.
    #[must_use]
    pub fn recorded_id(&self) -> Option<&str> {
        self.status.as_ref()?.phone_number_id.as_deref()
    }
}
