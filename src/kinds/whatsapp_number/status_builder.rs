//! How a number stands, put together from what each part of its plan says. Pure.

use std::time::Duration;

use super::{
    conditions,
    inputs::Step,
    onboarding::{self, NumberView, ReadyReport},
    plan, registration,
    requests::Requests,
    status,
    webhook::Impact,
};
use crate::{
    api::{Action, ManagementPolicy, NumberPhase, WhatsAppNumberStatus},
    controller::{
        plan::{Plan, Requeue},
        summary::{ConditionValue, Progress, StatusSummary},
    },
    graph::types::{NameStatus, PhoneNumber},
    k8s::conditions::State,
    messages::Reason,
};

/// How a number stands, as it is put together.
pub struct StatusBuilder {
    /// The phase.
    pub phase: NumberPhase,
    verdict: StatusSummary,
    next: Requeue,
}

impl StatusBuilder {
    /// What Meta shows, and what the ladder says instead.
    pub fn of(at: &NumberView<'_>, told: Option<ReadyReport>) -> Self {
        let (phase, verdict) = conditions::judge(at.object, at.facts);
        let mut picture = Self { phase, verdict, next: Requeue::Nothing };
        let observes = at.object.spec.management_policy == ManagementPolicy::Observe;
        let connecting = !observes && picture.phase == NumberPhase::Registering;
        let told = told.or_else(|| connecting.then(|| registration::connecting(at)));
        let told_nothing = told.is_none();
        if let Some(ReadyReport { phase, ready, progress, next }) = told {
            picture.phase = phase.unwrap_or(picture.phase);
            picture.verdict.ready = ready;
            picture.verdict.progress = progress;
            picture.next = next;
        }
        picture.name_differs(at);
        if told_nothing && !observes && renamed(at.facts) && picture.phase == NumberPhase::Enabled {
            picture.rename(at);
        }
        picture
    }

    /// A name that was asked for when the number was added, and is another one now: told, and left to people.
    fn name_differs(&mut self, at: &NumberView<'_>) {
        let Some(wanted) = at.object.spec.requested_name.as_deref().filter(|_| plan::adds(at.object)) else { return };
        let shown = at.facts.verified_name.as_deref();
        if shown == Some(wanted) || at.facts.new_display_name.as_deref() == Some(wanted) {
            return;
        }
        let approved = self.verdict.conditions.iter_mut().find(|(kind, _)| *kind == conditions::NAME_APPROVED);
        if let (Some((_, finding)), Some(shown)) = (approved, shown) {
            finding.message = format!(
                "{}; Meta shows {shown}, and spec.requestedName asks for {wanted}, which is sent only when a number is added: \
                 change the name in WhatsApp Manager > Phone numbers",
                finding.message
            );
        }
    }

    /// The number works under its old name until it is registered again.
    fn rename(&mut self, at: &NumberView<'_>) {
        let before = status::reregister_before(at);
        let name = at.facts.new_display_name.as_deref().or(at.facts.verified_name.as_deref()).unwrap_or("the new name");
        let message = format!(
            "Meta approved the display name {name}; it comes into force when the number is registered again, before {}: {}{}",
            onboarding::when(before),
            super::hints::ask(at.object, Action::Register),
            registration::last_refusal(at)
        );
        let finding = ConditionValue::no(Reason::ReRegisterRequired, message);
        match self.verdict.conditions.iter_mut().find(|(kind, _)| *kind == conditions::NAME_APPROVED) {
            Some((_, found)) => *found = finding,
            None => self.verdict.conditions.push((conditions::NAME_APPROVED, finding)),
        }
    }

    /// One more condition, and what it means for the whole: the first trouble is told.
    pub fn add(&mut self, kind: &'static str, finding: Option<ConditionValue>, stands: Impact) {
        if let Impact::Waits(progress, next) = stands {
            self.look_again(next);
            if let Some(finding) =
                finding.as_ref().filter(|_| self.verdict.ready.state == State::True && progress != Progress::Settled)
            {
                self.verdict.ready = finding.clone();
                self.verdict.progress = progress;
            }
        }
        self.verdict.conditions.extend(finding.map(|finding| (kind, finding)));
    }

    /// A call that another process may be at is settled when that is over, whether or not the spec still asks for it.
    pub fn come_back(&mut self, left: Option<&Duration>) {
        if let Some(left) = left {
            self.look_again(Requeue::After(*left));
        }
    }

    /// The number is reconciled again at the earliest time that any topic needs. A topic that needs a read of the account
    /// goes first: such reads are requeued within half a minute.
    fn look_again(&mut self, next: Requeue) {
        match (&self.next, &next) {
            (Requeue::Nothing, _) => self.next = next,
            (Requeue::After(earlier), Requeue::After(later)) if later < earlier => self.next = next,
            (Requeue::After(_), Requeue::AfterRead(_) | Requeue::AfterReadSince(_) | Requeue::PollUntilChanged(_)) => {
                self.next = next;
            }
            _ => {}
        }
    }

    /// What is written of it.
    pub fn report(self, status: WhatsAppNumberStatus, requests: Requests) -> Plan<WhatsAppNumberStatus, Step> {
        let mut planned = plan::report(status, self.phase, self.verdict, requests);
        if let Plan::Report(report) = &mut planned {
            report.next = self.next;
        }
        planned
    }
}

/// Whether a new name was approved that is not in force yet.
fn renamed(facts: &PhoneNumber) -> bool {
    facts.new_name_status == Some(NameStatus::Approved)
}
