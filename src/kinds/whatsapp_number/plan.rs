//! What to do next for a number, or what its status is. Pure.
//!
//! A list of decisions, in which the first that decides wins: [`decide`] for every object, [`present`] for a number that
//! Meta shows. Ready is what the first of these reports: the object's preconditions, onboarding, Meta's facts; and where that
//! is True, the first of [`TOPICS`] that keeps the number from matching its spec.

use super::{
    Numbers,
    actions::{self, ActionRequests},
    binding,
    decision::{ConditionReport, Decision, NumberReport},
    deletion,
    inputs::Step,
    number_view::NumberView,
    onboarding, pin, profile, provisioning,
    status::{self, StatusBuilder},
    webhook,
};
use crate::{
    api::{Kind, NumberPhase, READY, WhatsAppNumberStatus},
    controller::{
        account_resource::Input,
        plan::{Plan, Report, Requeue},
        preconditions::{Preconditions, preconditions},
    },
};

type Planned = Plan<WhatsAppNumberStatus, Step>;

/// The condition that a topic reports, and what decides on it.
type Topic = (&'static str, fn(&NumberView<'_>) -> Decision<ConditionReport>);

/// The conditions besides Ready that have steps of their own.
const TOPICS: [Topic; 4] = [
    ("RoutingConfigured", webhook::webhook),
    ("ProfileSynced", profile::profile),
    ("Bound", binding::binding),
    ("PINSynced", pin::pin_synced),
];

/// What to do about a number.
pub fn plan(input: &Input<'_, Numbers>) -> Planned {
    let mut requests = ActionRequests::of(input.inputs);
    let decision = decide(input, &mut requests);
    match decision {
        Decision::Act(step) => Plan::Step(step),
        Decision::Wait(need) => Plan::Open(need),
        Decision::NotManaged => Plan::Open(Requeue::Nothing),
        Decision::Report(NumberReport { status, summary, next }) => {
            let ActionRequests { ignored, waiting, .. } = requests;
            Plan::Report(Report { next, ignored, waiting, ..Report::new(status, Some(summary)) })
        }
    }
}

/// For every object.
fn decide(input: &Input<'_, Numbers>, requests: &mut ActionRequests) -> Decision<NumberReport> {
    deletion::deletion(input, requests)
        .or_else(|| actions::unrecorded(input).into())
        .or_else(|| deletion::unneeded_finalizer(input).into())
        .or_else(|| binding::unwanted(input.inputs).into())
        .or_else(|| actions::refresh_token(input, requests).into())
        .or_else(|| by_preconditions(input, requests))
}

/// What keeps the operator from judging Meta's facts; otherwise those.
fn by_preconditions(input: &Input<'_, Numbers>, requests: &mut ActionRequests) -> Decision<NumberReport> {
    let Input { object, app, inputs, .. } = input;
    let base = status::from_spec(object, inputs);
    match preconditions(input) {
        Preconditions::Open(need) => {
            requests.wait_all();
            status::nothing_known(base, need)
        }
        Preconditions::Unproven { account, id } => {
            requests.wait_all();
            Decision::Act(Step::ReadById { account: account.to_owned(), id: id.to_owned() })
        }
        Preconditions::Kept(summary) => {
            requests.wait_all();
            let phase = status::last_phase(&base);
            Decision::Report(NumberReport::new(base, phase, summary))
        }
        Preconditions::Suspended(summary) => {
            requests.ignore_all("spec.suspend is true");
            Decision::Report(NumberReport::new(base, NumberPhase::Suspended, summary))
        }
        Preconditions::Conflict(summary) => {
            requests.ignore_all("another object represents the number");
            Decision::Report(NumberReport::new(base, NumberPhase::Conflict, summary))
        }
        Preconditions::TokenExpired(why) => {
            requests.wait_all();
            Decision::Report(status::token_expired(base, why))
        }
        Preconditions::Shown { account, facts } => {
            present(&NumberView { object, inputs, account, facts, timing: input.timing }, base, requests)
        }
        // What is wrong cannot be found at Meta.
        Preconditions::NeverThere | Preconditions::Unmanaged(_)
            if let Some(mistake) = status::identity_mistake(object) =>
        {
            Decision::Report(status::absent(base, mistake, requests))
        }
        // Nor is it added to one account while another has it.
        Preconditions::NeverThere | Preconditions::Unmanaged(_)
            if let Some(mistake) = provisioning::in_another_account(object, app, &inputs.listed_in) =>
        {
            Decision::Report(status::absent(base, mistake, requests))
        }
        Preconditions::NeverThere if provisioning::adds(object) => {
            requests.wait_all();
            provisioning::provisioning(object, inputs, input.timing).map(|ready| status::pending(base, ready))
        }
        Preconditions::Unmanaged(summary) => Decision::Report(status::absent(base, summary, requests)),
        Preconditions::NeverThere if inputs.observing_app.is_some() => {
            Decision::Report(status::absent(base, provisioning::not_added(object, app), requests))
        }
        Preconditions::NeverThere => {
            Decision::Report(status::absent(base, provisioning::never_there(object, app), requests))
        }
        Preconditions::Gone { id } => {
            Decision::Report(status::absent(base, provisioning::gone(object, app, id), requests))
        }
        Preconditions::Elsewhere { facts } => {
            Decision::Report(status::absent(base, provisioning::elsewhere(object, app, &facts.id), requests))
        }
    }
}

/// For a number that Meta shows.
fn present(at: &NumberView<'_>, base: WhatsAppNumberStatus, requests: &mut ActionRequests) -> Decision<NumberReport> {
    let errors = at.object.spec_errors();
    let first = wait_for_deregistration(at).or_else(|| onboarding::bookkeeping(at).into());
    let ready = match first.or_else(|| onboarding::next_step(at, requests).unless_mistaken(at, &errors)) {
        Decision::Act(step) => return Decision::Act(step),
        Decision::Wait(need) => return Decision::Wait(need),
        Decision::Report(ready) => Some(ready),
        Decision::NotManaged => None,
    };
    let mut status = StatusBuilder::new(at, ready);
    status.report_mistakes();
    for (condition, decide) in TOPICS {
        let mistake = errors.iter().find(|error| [READY, condition].contains(&error.condition));
        match decide(at).unless_mistaken(mistake) {
            Decision::Act(step) => return Decision::Act(step),
            Decision::Wait(need) => return Decision::Wait(need),
            Decision::Report(report) => status.add(condition, report),
            Decision::NotManaged => {}
        }
    }
    status.finish(base)
}

/// What was read before the operator deregistered the number is not reported to its next object.
fn wait_for_deregistration<R>(at: &NumberView<'_>) -> Decision<R> {
    let deregistered = at.inputs.ledger.deregistered_at.is_some() && !at.inputs.evidence.fresh;
    if at.connection().is_registered() && deregistered { Decision::Wait(at.fresh()) } else { Decision::NotManaged }
}
