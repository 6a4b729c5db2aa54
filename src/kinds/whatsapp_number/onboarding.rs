//! Onboarding: the next step of a number that Meta shows, or why there is none. Pure.

use kube::ResourceExt;

use super::{
    actions::{self, ActionRequests},
    decision::{Decision, ReadyReport},
    deletion,
    inputs::Step,
    number_view::{NumberView, barred},
    pin, provisioning, recovery, registration, verification, webhook,
};
use crate::{
    k8s::conditions::State,
    ledger::Observed,
    messages::{Reason, commands},
};

/// The first that decides wins.
pub fn next_step(at: &NumberView<'_>, requests: &mut ActionRequests) -> Decision<ReadyReport> {
    if at.is_observed() {
        requests.ignore_all(at.inputs.why_observed());
        return Decision::NotManaged;
    }
    let barred = barred(at.facts);
    if let Some(why) = &barred {
        requests.ignore_all(why);
    }
    ledger_unusable(at, requests)
        .or_else(|| unknown_outcome(at, barred.is_some(), requests))
        .or_else(|| match &barred {
            Some(why) => cannot_be_applied(at, why),
            None => clock_skewed(at, requests).or_else(|| next_call(at, requests)),
        })
        .or_else(|| registration::connecting(at))
}

fn ledger_unusable(at: &NumberView<'_>, requests: &mut ActionRequests) -> Decision<ReadyReport> {
    let Some(blocker) = &at.inputs.blocker else { return Decision::NotManaged };
    requests.wait_all();
    ReadyReport::blocked(at.phase(), blocker.reason, blocker.message.clone(), at.retry())
}

/// A call whose outcome is unknown is resolved before another one is made.
fn unknown_outcome(at: &NumberView<'_>, barred: bool, requests: &mut ActionRequests) -> Decision<ReadyReport> {
    let Some(intent) = at.inputs.open_onboarding_call() else { return Decision::NotManaged };
    let next = recovery::closing(at, intent, requests).or_else(|| {
        requests.wait_all();
        recovery::open(at, intent)
    });
    match next {
        Decision::Act(Step::Repeat { .. }) if barred => Decision::NotManaged,
        next => unless_held_back(at, next, requests),
    }
}

/// Blocks of the spec that cannot be applied to this number.
fn cannot_be_applied(at: &NumberView<'_>, why: &str) -> Decision<ReadyReport> {
    let (phase, summary) = at.shown();
    let wants = at.object.spec.verification.is_some() || at.object.spec.registration.is_some();
    if !wants || at.connection().is_on_cloud() || summary.ready.state != State::True {
        return Decision::NotManaged;
    }
    let message = format!(
        "spec.verification and spec.registration cannot be applied: {why}. Remove both blocks, or delete the number from that \
         platform first; then the operator continues. To remove them: {}",
        commands::patch(at.object, r#"{"verification":null,"registration":null}"#)
    );
    ReadyReport::stalled(phase, Reason::NotPermitted, message)
}

/// Comes before everything that depends on the time: with a wrong clock, the operator cannot know what has expired.
fn clock_skewed(at: &NumberView<'_>, requests: &mut ActionRequests) -> Decision<ReadyReport> {
    let spec = &at.object.spec;
    let wants_more = !at.connection().is_registered() && (spec.verification.is_some() || spec.registration.is_some());
    let Some(why) = at.inputs.no_writes.as_ref().filter(|_| wants_more) else { return Decision::NotManaged };
    requests.wait_all();
    ReadyReport::waits(at.phase(), Reason::ClockSkewed, why.clone(), at.retry())
}

/// Requests of people come before the spec.
fn next_call(at: &NumberView<'_>, requests: &mut ActionRequests) -> Decision<ReadyReport> {
    let next = actions::requested(at, requests)
        .or_else(|| verification::verification(at))
        .or_else(|| registration::registration(at));
    unless_held_back(at, next, requests)
}

/// A call is made only when it may be; otherwise the decision reports what it waits for.
fn unless_held_back(
    at: &NumberView<'_>,
    next: Decision<ReadyReport>,
    requests: &mut ActionRequests,
) -> Decision<ReadyReport> {
    let requested = match &next {
        Decision::Act(Step::Send { action, .. }) => action.is_some(),
        Decision::Act(Step::Repeat { .. }) => false,
        _ => return next,
    };
    let waits = if let Some(why) = &at.inputs.no_writes {
        ReadyReport::waits(at.phase(), Reason::ClockSkewed, why.clone(), at.retry())
    } else if let Some(why) = &at.inputs.held_back {
        let message = format!("the operator could not make the next call to Meta, and retries: {why}");
        ReadyReport::waits(at.phase(), Reason::HeldBack, message, at.retry())
    } else if at.inputs.evidence.fresh {
        return next;
    } else {
        Decision::Wait(at.fresh())
    };
    if requested {
        requests.wait_all();
    }
    waits
}

/// What has to be recorded before any other step.
pub fn bookkeeping(at: &NumberView<'_>) -> Option<Step> {
    let inputs = at.inputs;
    if at.is_observed() {
        return None;
    }
    if !inputs.has_finalizer && deletion::wants_finalizer(at.object, at.connection().is_registered()) {
        return Some(Step::Finalizer(true));
    }
    if !inputs.held || inputs.blocker.is_some() {
        return None;
    }
    if let Some(step) = webhook::unsettled_call(at) {
        return Some(step);
    }
    if registration::pin_is_lost(at) {
        return Some(Step::CreatePinSecret);
    }
    let ledger = &inputs.ledger;
    let is_mine = at.object.uid().is_some_and(|uid| uid == ledger.owner.uid);
    let connected = (at.object.spec.registration.is_some() || ledger.serial > 0)
        && at.connection().is_connected()
        && (!inputs.was_connected() || ledger.register_wanted);
    let new_id = provisioning::adds(at.object) && ledger.phone_number_id.as_deref() != Some(&*at.facts.id);
    let changes_owner = ledger.serial > 0 && !is_mine;
    let pin_doubt = pin::doubt(at).filter(|_| ledger.pin_doubt.is_none());
    (connected || new_id || changes_owner || pin_doubt.is_some() || inputs.recalled).then(|| {
        Step::RecordObservation(Observed {
            id: Some((at.facts.id.to_string(), at.account.to_owned())),
            connected,
            pin_doubt,
            shown: Vec::new(),
        })
    })
}
