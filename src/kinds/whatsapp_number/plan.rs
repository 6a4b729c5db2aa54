//! What to do next for a number, or how it stands. Pure.

use kube::ResourceExt;

use super::{
    Numbers, binding, conditions, deletion,
    inputs::{SecretRead, Step},
    onboarding::{self, Decision, NumberView, ReadyReport},
    profile::{self, Standing},
    provisioning, registration,
    requests::Requests,
    status,
    status_builder::StatusBuilder,
    webhook::{self, Impact, Routing},
};
use crate::{
    api::{Action, ManagementPolicy, NumberPhase, Provisioning, WhatsAppNumber, WhatsAppNumberStatus},
    controller::{
        app_reference::AppReference,
        managed_resource::Input,
        plan::{Plan, Report, Requeue},
        preconditions::{Preconditions, not_found, preconditions},
        summary::{ConditionValue, Progress, StatusSummary},
    },
    graph::types::NumberStatus,
    k8s::conditions::{READY, State, find},
    messages::{Reason, commands},
};

const ROUTING_CONFIGURED: &str = "RoutingConfigured";
const PROFILE_SYNCED: &str = "ProfileSynced";
const PIN_SYNCED: &str = "PINSynced";
const BOUND: &str = "Bound";

type Planned = Plan<WhatsAppNumberStatus, Step>;

/// What to do about a number. What has ended is written down, unless a read that is awaited may lead to the next call.
pub fn plan(input: &Input<'_, Numbers>) -> Planned {
    let planned = decide(input);
    let is_last = match &planned {
        Plan::Step(_) => false,
        Plan::Open(need) => !matches!(need, Requeue::AfterReadSince(_)),
        Plan::Report(report) => !matches!(report.next, Requeue::AfterReadSince(_)),
    };
    if is_last && input.inputs.unwritten && input.inputs.blocker.is_none() {
        return Plan::Step(Step::FlushLedger);
    }
    planned
}

fn decide(input: &Input<'_, Numbers>) -> Planned {
    let Input { object, app, inputs, .. } = input;
    if object.metadata.deletion_timestamp.is_some() {
        return deletion::release(input);
    }
    if inputs.has_finalizer && !deletion::wants_finalizer(object, true) {
        return Plan::Step(Step::Finalizer(false));
    }
    if let Some(step) = binding::unwanted(inputs) {
        return Plan::Step(step);
    }
    let mut requests = Requests::of(&inputs.asked);
    // Whoever began what was asked for may still say that it was not sent: then it is yet to be acted on.
    let begun = inputs.ledger.intents.iter().filter(|intent| inputs.foreign_call_grace.contains_key(&intent.id));
    requests
        .waiting
        .extend(begun.filter_map(|intent| intent.input.operation().action().filter(|_| intent.action.is_some())));
    if let Some(step) = refresh_token(input, &mut requests) {
        return Plan::Step(step);
    }
    let base = status::from_spec(object, inputs);
    let number = &object.spec.phone_number;
    match preconditions(input) {
        Preconditions::Open(need) => open(base, need, requests),
        Preconditions::Kept(verdict) => {
            requests.wait_all();
            let phase = last_phase(&base);
            report(base, phase, verdict, requests)
        }
        Preconditions::Suspended(verdict) => {
            requests.ignore_all("spec.suspend is true");
            report(base, NumberPhase::Suspended, verdict, requests)
        }
        Preconditions::Conflict(verdict) => {
            requests.ignore_all("another object stands for the number");
            report(base, NumberPhase::Conflict, verdict, requests)
        }
        Preconditions::TokenExpired(why) => {
            requests.wait_all();
            report(base, NumberPhase::ExpiredToken, token_expired(why), requests)
        }
        Preconditions::Unmanaged(verdict) => absent(base, verdict, requests),
        Preconditions::Shown { account, facts } => {
            let at = NumberView { object, inputs, account, facts, timing: input.timing };
            shown(&at, base, requests)
        }
        Preconditions::NeverThere if adds(object) => match provisioning::add(object, inputs, input.timing) {
            Decision::Act(step) => Plan::Step(step),
            Decision::Report(told) => said(base, told, requests),
            Decision::Wait(need) => Plan::Open(need),
            Decision::NotManaged => Plan::Open(Requeue::Nothing),
        },
        Preconditions::NeverThere => absent(
            base,
            not_found(format!(
                "no business account of MetaApp {app} has {number}; add it in WhatsApp Manager > Phone numbers, or write \
                 spec.provisioning: AddIfMissing: {}. A wrong spec.phoneNumber or spec.businessAccountID takes a new object",
                commands::with("edit", *object)
            )),
            requests,
        ),
        Preconditions::Gone { id } => absent(
            base,
            not_found(format!(
                "{number} (id {id}) is gone from Meta, or no longer visible to MetaApp {app}; delete this object, or add \
                 the number again in WhatsApp Manager > Phone numbers. To delete the object: {}",
                commands::with("delete", *object)
            )),
            requests,
        ),
        Preconditions::Elsewhere { facts: shown } => absent(
            base,
            not_found(format!(
                "{number} (id {}) is at Meta, but in no business account of MetaApp {app}. Assign its account to the token's \
                 system user (Business settings > System users) and, where the MetaApp has spec.businessAccountIDs, add it \
                 there ({}); or correct spec.appRef: {}",
                shown.id,
                commands::with_app("edit", app),
                commands::with("edit", *object)
            )),
            requests,
        ),
    }
}

/// A request for a new token is passed on to the app, by whoever may refer to it.
pub fn refresh_token(input: &Input<'_, Numbers>, requests: &mut Requests) -> Option<Step> {
    let Input { object, inputs, link, .. } = input;
    let value = inputs.asked.get(&Action::RefreshToken)?;
    let why = match link {
        AppReference::Missing => "there is no such MetaApp",
        AppReference::NotAllowed => "the MetaApp does not let this namespace refer to it",
        _ if object.spec.suspend => "spec.suspend is true",
        _ if object.spec.management_policy == ManagementPolicy::Observe => "spec.managementPolicy is Observe",
        _ if input.competing_object.is_some() => "another object stands for the number",
        _ => return Some(Step::RefreshToken(value.clone())),
    };
    requests.ignore(Action::RefreshToken, why);
    None
}

/// Whether the number is to be added where it is lacking.
pub fn adds(object: &WhatsAppNumber) -> bool {
    object.spec.provisioning == Provisioning::AddIfMissing && object.spec.management_policy == ManagementPolicy::Full
}

/// Nothing can be told yet; an object of which nothing was ever told says at least that.
fn open(base: WhatsAppNumberStatus, need: Requeue, requests: Requests) -> Planned {
    let ready = find(&base.conditions, READY).map(|ready| ready.reason.as_str());
    let untold = base.phase.is_none() || ready == Some(Reason::Reading.as_str());
    if !untold || !matches!(need, Requeue::After(_) | Requeue::AfterRead(_)) {
        return Plan::Open(need);
    }
    let message = "no business account of the MetaApp lists the number; the operator looks again, a minute apart, before it \
                   takes that for so";
    let ready = ConditionValue::no(Reason::Reading, message);
    said(base, ReadyReport { phase: None, ready, progress: Progress::Reconciling, next: need }, requests)
}

/// A number that Meta shows.
fn shown(at: &NumberView<'_>, base: WhatsAppNumberStatus, mut requests: Requests) -> Planned {
    if at.facts.is_registered() && at.inputs.ledger.deregistered_at.is_some() && !at.inputs.evidence.fresh {
        // What was read before the operator deregistered it is not told to its next object.
        return Plan::Open(at.fresh());
    }
    let full = at.object.spec.management_policy == ManagementPolicy::Full;
    if !full {
        requests.ignore_all("spec.managementPolicy is Observe");
    }
    let rung = if full {
        if let Some(step) = bookkeeping(at) {
            return Plan::Step(step);
        }
        onboarding::next_step(at, &mut requests)
    } else {
        Decision::NotManaged
    };
    let told = match rung {
        Decision::Act(step) => return Plan::Step(step),
        Decision::Wait(need) => return Plan::Open(need),
        Decision::Report(told) => Some(told),
        Decision::NotManaged => None,
    };
    let mut picture = StatusBuilder::of(at, told);
    if full {
        match webhook::routing(at) {
            Routing::Step(step) => return Plan::Step(step),
            Routing::ReadyReport(finding, stands) => picture.add(ROUTING_CONFIGURED, Some(finding), stands),
            Routing::NotManaged => {}
        }
        match profile::profile(at) {
            Standing::Step(step) => return Plan::Step(step),
            Standing::ReadyReport(finding, stands) => {
                let last = finding.or_else(|| last_finding(at.object, PROFILE_SYNCED));
                picture.add(PROFILE_SYNCED, last, stands);
            }
            Standing::NotManaged => {}
        }
    }
    match binding::binding(at) {
        binding::Bound::Step(step) => return Plan::Step(step),
        binding::Bound::ReadyReport(finding, stands) => picture.add(BOUND, Some(finding), stands),
        binding::Bound::NotManaged => {}
    }
    if let Some(finding) = registration::pin_synced(at).filter(|_| full) {
        let not_made = matches!(at.inputs.pin, SecretRead::NotCreated(_));
        let again = Impact::Waits(Progress::Settled, Requeue::After(at.timing.retry_interval));
        picture.add(PIN_SYNCED, Some(finding), if not_made { again } else { Impact::Fine });
    }
    picture.come_back(at.inputs.foreign_call_grace.values().min());
    let said = at.object.status.as_ref().and_then(|status| status.phase.as_ref()) == Some(&picture.phase);
    if said && picture.phase == NumberPhase::Registering && !at.inputs.evidence.fresh {
        // Told already; the first read that counts may show it connected, and is told instead of all between.
        return Plan::Open(at.fresh());
    }
    let mut status = status::observed(base, at.account, at.facts);
    status::renamed(&mut status, at);
    picture.report(status, requests)
}

/// What has to be on record before anything is done.
fn bookkeeping(at: &NumberView<'_>) -> Option<Step> {
    let (inputs, object) = (at.inputs, at.object);
    let registered = at.facts.is_registered();
    if !inputs.has_finalizer && deletion::wants_finalizer(object, registered) {
        return Some(Step::Finalizer(true));
    }
    if !inputs.held || inputs.blocker.is_some() {
        return None;
    }
    if let Some(step) = webhook::open(at) {
        return Some(step);
    }
    if registration::pin_is_lost(at) {
        return Some(Step::CreatePinSecret);
    }
    let ledger = &inputs.ledger;
    let is_mine = object.uid().is_some_and(|uid| uid == ledger.owner.uid);
    let connected = (object.spec.registration.is_some() || ledger.serial > 0)
        && at.facts.status == Some(NumberStatus::Connected)
        && registered
        && (!inputs.was_connected() || ledger.register_wanted);
    let known = adds(object) && ledger.phone_number_id.as_deref() != Some(&*at.facts.id);
    let passes_on = ledger.serial > 0 && !is_mine;
    (connected || known || passes_on || inputs.recalled).then(|| Step::RecordObservation {
        id: Some((at.facts.id.to_string(), at.account.to_owned())),
        connected,
        shown: Vec::new(),
    })
}

/// What was said the last time nobody looked.
fn last_finding(object: &WhatsAppNumber, kind: &str) -> Option<ConditionValue> {
    let condition = find(&object.status.as_ref()?.conditions, kind)?;
    let reason = Reason::named(&condition.reason)?;
    let state = match condition.status.as_str() {
        "True" => State::True,
        "False" => State::False,
        _ => State::Unknown,
    };
    Some(ConditionValue { state, reason, message: condition.message.clone() })
}

/// The phase that stays where nothing new is known; those that only told of the object itself are over.
fn last_phase(status: &WhatsAppNumberStatus) -> NumberPhase {
    match &status.phase {
        None => NumberPhase::Pending,
        Some(NumberPhase::Suspended | NumberPhase::Conflict) => NumberPhase::Unknown,
        Some(phase) => phase.clone(),
    }
}

fn said(base: WhatsAppNumberStatus, told: ReadyReport, mut requests: Requests) -> Planned {
    requests.wait_all();
    let phase = told.phase.unwrap_or(NumberPhase::Pending);
    let mut planned = report(base, phase, StatusSummary::new(told.ready, told.progress), requests);
    if let Plan::Report(report) = &mut planned {
        report.next = told.next;
    }
    planned
}

/// A status with its phase, and what became of requests.
pub fn report(
    mut status: WhatsAppNumberStatus,
    phase: NumberPhase,
    verdict: StatusSummary,
    requests: Requests,
) -> Planned {
    status.phase = Some(phase);
    let Requests { ignored, waiting, .. } = requests;
    Plan::Report(Report { ignored, waiting, ..Report::new(status, verdict) })
}

fn token_expired(why: String) -> StatusSummary {
    let finding = ConditionValue::no(Reason::ExpiredToken, why);
    let conditions = vec![(conditions::TOKEN_VALID, finding.clone())];
    StatusSummary { conditions, ..StatusSummary::keeping(finding, Progress::Stalled) }
}

fn absent(base: WhatsAppNumberStatus, verdict: StatusSummary, mut requests: Requests) -> Planned {
    requests.ignore_all("Meta does not have the number");
    report(base, NumberPhase::NotFound, verdict, requests)
}

/// Whether the object has anything to do with a ledger, besides one that is there already.
pub fn needs_ledger(object: &WhatsAppNumber) -> bool {
    let spec = &object.spec;
    spec.management_policy == ManagementPolicy::Full
        && !spec.suspend
        && (spec.provisioning == Provisioning::AddIfMissing
            || spec.verification.is_some()
            || spec.registration.is_some()
            || spec.profile.is_some()
            || spec.incoming.as_ref().is_some_and(|incoming| incoming.webhook.is_some())
            || deletion::wants_finalizer(object, true))
}
