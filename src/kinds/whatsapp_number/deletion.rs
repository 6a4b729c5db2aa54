//! What deleting the object does: by policy the number is deregistered, once, by whom it belongs to. Pure.

use super::{
    Numbers,
    inputs::{Inputs, Resolution, Step},
    onboarding::{self, Decision, NumberView, when},
    recovery,
    registration::OWN_ATTEMPTS,
    requests::Requests,
};
use jiff::Timestamp;

use crate::{
    api::{ManagedStatus, ManagementPolicy, NumberDeletionPolicy, NumberPhase, WhatsAppNumber, WhatsAppNumberStatus},
    calls::{CallInput, Operation},
    controller::{
        app_reference::{AppReference, expired, not_ready},
        managed_resource::Input,
        plan::{Plan, Report, Requeue},
        summary::{ConditionValue, Progress, StatusSummary},
    },
    ledger::{HALF_DEREGISTERED, WINDOW},
    messages::{Reason, commands},
    observe::Observation,
};

type Planned = Plan<WhatsAppNumberStatus, Step>;

/// Whether the object is to wait for the number to be deregistered when it is deleted.
pub fn wants_finalizer(object: &WhatsAppNumber, registered: bool) -> bool {
    object.spec.deletion_policy == NumberDeletionPolicy::Deregister
        && object.spec.management_policy == ManagementPolicy::Full
        && registered
}

/// What comes next for an object that is being deleted.
pub fn release(input: &Input<'_, Numbers>) -> Planned {
    let Input { object, inputs, .. } = input;
    if object.spec.deletion_policy == NumberDeletionPolicy::Retain {
        return Plan::Step(Step::RemoveFinalizer(None));
    }
    if let Some(why) = lets_go(input) {
        let note = format!("{} is left at Meta as it is: {why}", object.spec.phone_number);
        return Plan::Step(Step::RemoveFinalizer(Some(note)));
    }
    let mut requests = Requests::of(&inputs.asked);
    requests.ignore_all("the object is being deleted");
    if let Some(step) = super::plan::refresh_token(input, &mut requests) {
        return Plan::Step(step);
    }
    let mut planned = wait_or_deregister(input);
    if let Plan::Report(report) = &mut planned {
        report.ignored = requests.ignored;
    }
    planned
}

fn wait_or_deregister(input: &Input<'_, Numbers>) -> Planned {
    let Input { object, inputs, app, namespace, link, .. } = input;
    let blocked = match link {
        AppReference::Expired(why) => Some((Reason::ExpiredToken, expired(why, app, namespace))),
        AppReference::NotReady(why) => Some((Reason::AppNotReady, not_ready(why, app, namespace))),
        _ => None,
    };
    if let Some((reason, why)) = blocked {
        let why = format!("the number has to be deregistered before this object goes: {why}");
        return told(object, reason, retain(object, &why), Progress::Stalled, Requeue::Nothing);
    }
    let Observation::Present { account, facts, .. } = &input.seen else {
        let why =
            "the number has to be deregistered before this object goes; the operator waits until it can read Meta";
        return told(
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

/// Why nothing is done at Meta, if nothing is.
fn lets_go(input: &Input<'_, Numbers>) -> Option<String> {
    let Input { object, inputs, link, .. } = input;
    let why = if object.spec.suspend {
        "spec.suspend is true"
    } else if object.spec.management_policy == ManagementPolicy::Observe {
        "spec.managementPolicy is Observe"
    } else if input.competing_object.is_some() || input.inputs.earlier_claimant.is_some() {
        "another object stands for the number"
    } else if inputs.claimed {
        "another object claims the number, and takes it over"
    } else if object.recorded_id().is_none() && inputs.ledger.phone_number_id.is_none() {
        "its id was never known"
    } else {
        match (link, &input.seen) {
            (AppReference::Missing, _) => "its MetaApp is gone",
            (AppReference::NotAllowed, _) => "the MetaApp does not let this namespace in",
            (AppReference::Suspended, _) => "its MetaApp is suspended",
            (AppReference::Gone(_), _) => "the MetaApp's credentials are gone",
            (_, Observation::Unmanaged) => "the MetaApp does not manage its account any more",
            (_, Observation::Absent { .. }) => "no account of the MetaApp has it any more",
            (_, Observation::Present { facts, .. }) => return onboarding::barred(facts),
            _ => return None,
        }
    };
    Some(why.to_owned())
}

fn deregister(at: &NumberView<'_>) -> Planned {
    let inputs = at.inputs;
    let waits = |reason, message: String, next| told(at.object, reason, message, Progress::Reconciling, next);
    if let Some(blocker) = &inputs.blocker {
        let again = Requeue::After(at.timing.retry_interval);
        return told(at.object, blocker.reason, retain(at.object, &blocker.message), Progress::Stalled, again);
    }
    if let Some(intent) = inputs.open_rung() {
        if !intent.unknown {
            return match inputs.foreign_call_grace.get(&intent.id) {
                Some(left) => {
                    waits(Reason::OutcomePending, "an earlier call may be under way".into(), Requeue::After(*left))
                }
                None => Plan::Step(Step::Resolve { id: intent.id.clone(), end: Resolution::Lost }),
            };
        }
        let operation = intent.input.operation();
        if recovery::is_of_another(intent, at.facts) {
            return Plan::Step(Step::Resolve { id: intent.id.clone(), end: Resolution::GivenUp });
        }
        if recovery::happened(operation, at.facts) {
            return Plan::Step(Step::Resolve { id: intent.id.clone(), end: Resolution::Happened(None) });
        }
        if !inputs.evidence.twice {
            let message = format!("whether Meta did {} is found out first", recovery::words(operation));
            return waits(Reason::OutcomePending, message, at.proof());
        }
        if operation == Operation::Deregister {
            return if let Some(why) = inputs.no_writes.as_ref().or(inputs.held_back.as_ref()) {
                waits(Reason::HeldBack, why.clone(), Requeue::After(at.timing.retry_interval))
            } else if intent.attempt == 1 {
                Plan::Step(Step::Repeat { id: intent.id.clone(), before: at.before() })
            } else {
                told(
                    at.object,
                    Reason::OutcomeUnknown,
                    retain(at.object, "two answers of Meta were lost"),
                    Progress::Stalled,
                    Requeue::Nothing,
                )
            };
        }
    }
    // Meta shows that it is done, or has just said so.
    if !at.facts.is_registered() || done(at) {
        return Plan::Step(Step::RemoveFinalizer(None));
    }
    if let Some(why) = inputs.no_writes.as_ref().or(inputs.held_back.as_ref()) {
        return waits(Reason::HeldBack, why.clone(), Requeue::After(at.timing.retry_interval));
    }
    if let Some(refusal) = inputs.ledger.refusals.get(&Operation::Deregister) {
        match refusal.until {
            // Half done: once more.
            _ if refusal.code == HALF_DEREGISTERED && refusal.times < 3 => {}
            Some(until) if at.now() < until => {
                let message = format!(
                    "Meta did not deregister the number, and is asked again at {}: {}",
                    when(until),
                    refusal.message
                );
                return waits(Reason::Deregistering, message, at.until(until));
            }
            Some(_) => {}
            None => {
                let why = format!("Meta did not deregister the number: {}", refusal.message);
                return told(
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
        let message = format!("Meta has locked the number; the operator goes on at {}", when(until));
        return waits(Reason::RegistrationLocked, message, at.until(until));
    }
    let attempts = inputs.ledger.recent(Operation::Deregister, at.now());
    if attempts.len() >= OWN_ATTEMPTS {
        let until = attempts[attempts.len() - OWN_ATTEMPTS].checked_add(WINDOW).unwrap_or(Timestamp::MAX);
        let message = retain(
            at.object,
            &format!(
                "Meta locks a number after ten tries, and {OWN_ATTEMPTS} failed; the operator goes on at {}",
                when(until)
            ),
        );
        return waits(Reason::RegistrationPaused, message, at.until(until));
    }
    if !inputs.evidence.fresh {
        return waits(Reason::Settling, "the operator waits for a fresh read of Meta".into(), at.fresh());
    }
    match at.send(CallInput::Deregister, None, None) {
        Decision::Act(step) => Plan::Step(step),
        _ => waits(Reason::Deregistering, "the number is deregistered".into(), Requeue::Nothing),
    }
}

/// Whether a deregistration was the last thing that happened, so that reads may not show it yet.
fn done(at: &NumberView<'_>) -> bool {
    let Inputs { ledger, evidence, .. } = at.inputs;
    let patience = jiff::SignedDuration::try_from(at.timing.connecting).unwrap_or_default();
    let last =
        |time| ledger.last_change_at.is_none_or(|last_change_at| last_change_at <= time) && at.ago(time) < patience;
    !evidence.twice && ledger.deregistered_at.is_some_and(last)
}

/// The way out, whatever is in the way.
fn retain(object: &WhatsAppNumber, why: &str) -> String {
    let command = commands::patch(object, r#"{"deletionPolicy":"Retain"}"#);
    format!("{why}. Deregister it elsewhere, or leave it registered: {command}")
}

fn told(object: &WhatsAppNumber, reason: Reason, message: String, progress: Progress, next: Requeue) -> Planned {
    let mut status = object.status.clone().unwrap_or_default();
    if status.phase().is_none() {
        status.phase = Some(NumberPhase::Unknown);
    }
    let verdict = StatusSummary::keeping(ConditionValue::no(reason, message), progress);
    Plan::Report(Report { next, ..Report::new(status, verdict) })
}

impl WhatsAppNumber {
    /// The ID under which Meta was last seen to have it.
    #[must_use]
    pub fn recorded_id(&self) -> Option<&str> {
        self.status.as_ref()?.phone_number_id.as_deref()
    }
}
