//! Whatever people, Meta and the network do: nothing is called that must not be, nothing twice, and it comes to an end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use jiff::SignedDuration;
use proptest::prelude::*;

use super::{
    fixtures::{Number, asks_to_register, asks_to_verify, at, known, number},
    random_events::{CHANGES, Happens, STARTS, any_row},
};
use crate::kinds::whatsapp_number::inputs::{ProfileRead, Resolution, Step};
use crate::{
    api::{Action, ManagementPolicy, NumberDeletionPolicy, Provisioning},
    calls::{CallInput, Operation},
    controller::{plan::Plan, testing::MINUTE},
    graph::types::{self, NameStatus, NumberStatus, PhoneNumber, PlatformType},
    k8s::secrets::ComparableSecret,
    ledger::{CallOutcome, Evidence, NewIntent, Refusal},
    observe::Observation,
};

/// As many steps as the shell takes before it calls it a circle.
const MOST_STEPS: usize = 24;

/// What is known of a number from outside: the calls that Meta may have heard of.
struct Play {
    scene: Number,
    ends: Vec<Option<CallOutcome>>,
    codes: usize,
    calls: usize,
    /// PINs that Meta has refused since one was in force.
    refused: Vec<String>,
}

impl Play {
    fn shown(&self) -> Option<PhoneNumber> {
        match &self.scene.seen {
            Observation::Present { facts, .. } => Some(facts.clone()),
            _ => None,
        }
    }

    fn happens(&mut self, event: Happens) {
        let scene = &mut self.scene;
        match event {
            Happens::Shows(facts) => scene.shows(*facts),
            Happens::Lacks => scene.lacks(MINUTE),
            Happens::Time(minutes) => {
                scene.inputs.now = scene.inputs.now.checked_add(SignedDuration::from_mins(minutes)).unwrap();
            }
            Happens::Reads(fresh, twice) => scene.inputs.evidence = Evidence { fresh, twice },
            Happens::Does(which) => CHANGES[which](scene),
            Happens::Ends(ends) => self.ends = ends,
        }
    }

    /// Plans and carries out until there is nothing more to do, as the shell does.
    fn reconcile(&mut self) {
        self.scene.inputs.held_back = None;
        for _ in 0..MOST_STEPS {
            match self.scene.plan() {
                Plan::Open(_) => return,
                Plan::Report(report) => {
                    let waits = report.waiting;
                    // Every status that is written keeps the rules.
                    self.scene.written = self.scene.inputs.now;
                    self.scene.reconcile();
                    self.scene.inputs.requested.retain(|action, _| waits.contains(action));
                    return;
                }
                Plan::Step(step) => {
                    self.check(&step);
                    if !self.carry_out(step) {
                        return;
                    }
                }
            }
        }
        panic!("it goes round in a circle: {:?}", self.scene.plan());
    }

    fn check(&self, step: &Step) {
        let Number { object, inputs, competing_object, .. } = &self.scene;
        let ledger = &inputs.ledger;
        let (operation, action, again) = match step {
            Step::Send { input, action, .. } => (input.operation(), *action, false),
            Step::Repeat { id, .. } => (ledger.intent(id).unwrap().input.operation(), None, true),
            Step::ReadProfile { .. } => (Operation::WriteProfile, None, true),
            _ => return,
        };
        let why = format!("{step:?} with {inputs:?}");
        let spec = &object.spec;
        let deleted = object.metadata.deletion_timestamp.is_some();
        assert!(spec.management_policy == ManagementPolicy::Full && !spec.suspend, "not ours to change: {why}");
        assert!(competing_object.is_none() && inputs.blocker.is_none(), "not ours, or not remembered: {why}");
        assert!(!deleted || spec.deletion_policy == NumberDeletionPolicy::Deregister, "left as it is: {why}");
        if matches!(step, Step::ReadProfile { .. }) {
            return;
        }
        assert!(inputs.no_writes.is_none() && inputs.held_back.is_none(), "not now: {why}");
        self.check_blocks(operation, again, &why);
        if let Some(facts) = self.shown() {
            self.check_facts(&facts, operation, action, &why);
        }
        if !operation.is_onboarding() {
            return;
        }
        if let Some(open) = inputs.open_onboarding_call() {
            let same = action.is_some() && open.input.operation().action() == action;
            let settled = deleted && inputs.evidence.twice;
            assert!(open.unknown && (again || same || settled), "another call is not settled: {why}");
        }
        if again {
            let tries = if operation == Operation::SetPin { 3 } else { 2 };
            assert!(ledger.conflicting(operation).unwrap().attempt < tries, "once more, and no more: {why}");
            assert!(inputs.evidence.twice || operation == Operation::SetPin, "no read proves it: {why}");
        }
        assert!(inputs.evidence.fresh || operation == Operation::AddNumber, "reads lag: {why}");
        if operation == Operation::RequestCode {
            assert!(action.is_some() || self.codes == 0, "a second code: {why}");
        }
    }

    /// Nothing is sent without its block.
    fn check_blocks(&self, operation: Operation, again: bool, why: &str) {
        let spec = &self.scene.object.spec;
        let asked = match operation {
            Operation::AddNumber => spec.provisioning == Provisioning::AddIfMissing,
            Operation::RequestCode | Operation::VerifyCode => spec.verification.is_some(),
            Operation::Register | Operation::RegisterAgain | Operation::SetPin => spec.registration.is_some(),
            Operation::SetWebhook => spec.incoming.is_some(),
            Operation::ClearWebhook => spec.incoming.is_none(),
            Operation::WriteProfile => spec.profile.is_some(),
            Operation::Deregister => {
                self.scene.object.metadata.deletion_timestamp.is_some() || spec.registration.is_some()
            }
        };
        assert!(asked || (again && operation != Operation::Deregister), "no block asks for it: {why}");
    }

    fn check_facts(&self, facts: &PhoneNumber, operation: Operation, action: Option<Action>, why: &str) {
        let inputs = &self.scene.inputs;
        let ledger = &inputs.ledger;
        let lost = [NumberStatus::Banned, NumberStatus::Deleted];
        let out = facts.status.as_ref().is_some_and(|status| lost.contains(status))
            || facts.platform_type == Some(PlatformType::OnPremise);
        if operation != Operation::Deregister {
            assert!(!out, "nothing can be done for it: {why}");
            assert!(!operation.is_onboarding() || facts.is_on_biz_app != Some(true), "the Business app has it: {why}");
        }
        match operation {
            Operation::Register => {
                assert!(!facts.is_registered(), "it is registered: {why}");
                let tried = ledger.recent(Operation::Register, inputs.now).len();
                assert!(tried < if action.is_some() { 10 } else { 5 }, "too often: {why}");
                assert!(ledger.blocked_until.is_none_or(|until| until <= inputs.now), "locked: {why}");
                let open = inputs.open_onboarding_call().is_some();
                let pin = inputs.pin.known().map(|known| &known.fingerprint);
                let refused = pin.is_some_and(|pin| self.refused.contains(pin));
                assert!(action.is_some() || open || !refused, "a refused PIN: {why}");
                assert!(action.is_some() || open || !inputs.was_connected() || ledger.register_wanted, "{why}");
            }
            Operation::Deregister => {
                let goes = self.scene.object.metadata.deletion_timestamp.is_some();
                assert!(goes || !facts.is_registered(), "a living object loses its number: {why}");
            }
            Operation::RegisterAgain => {
                assert!(facts.is_registered() && action == Some(Action::Register), "nobody asked: {why}");
                assert_eq!(facts.new_name_status, Some(NameStatus::Approved), "for nothing: {why}");
            }
            _ => {}
        }
    }

    /// Whether it is planned again.
    fn carry_out(&mut self, step: Step) -> bool {
        let inputs = &mut self.scene.inputs;
        match step {
            Step::Send { input, secret, id, before, action, .. } => {
                let fingerprint = match &input {
                    CallInput::SetWebhook { .. } => inputs.webhook_fingerprint.clone(),
                    CallInput::WriteProfile { .. } => {
                        crate::kinds::whatsapp_number::profile::inputs(self.scene.object.spec.profile.as_ref().unwrap())
                    }
                    input => secret.as_ref().map_or_else(
                        || crate::kinds::whatsapp_number::provisioning::inputs(input),
                        |known| known.fingerprint.clone(),
                    ),
                };
                let secret = secret.map(|known| known.value).filter(|_| !matches!(input, CallInput::SetWebhook { .. }));
                let action = action.map(|action| (action, inputs.requested[&action].clone()));
                inputs.ledger.phone_number_id = id.or(inputs.ledger.phone_number_id.take());
                self.call(input, fingerprint, before, secret, action)
            }
            Step::Repeat { id, before } => {
                let intent = inputs.ledger.intent(&id).unwrap().clone();
                let secret = inputs.ledger.secret_of(&id).cloned();
                let operation = intent.input.operation();
                let needs = operation.takes_pin() || operation == Operation::VerifyCode;
                assert_eq!(secret.is_some(), needs, "with its secret");
                self.call(intent.input, intent.inputs, before, secret, None)
            }
            Step::Resolve { id, end } => {
                let now = inputs.now;
                let ended = match end {
                    Resolution::Happened(id) => CallOutcome::Done(id),
                    Resolution::Lost => {
                        inputs.evidence = Evidence::default();
                        CallOutcome::Unknown
                    }
                    Resolution::DidNot(_) => super::fixtures::refusal(0, None),
                    Resolution::GivenUp => CallOutcome::GivenUp,
                };
                inputs.ledger.finish(&id, ended, now);
                true
            }
            Step::RecordObservation { id, connected, shown } => {
                let owner = inputs.ledger.owner.clone();
                inputs.ledger.note(owner, id, connected, shown);
                true
            }
            Step::CreatePinSecret => {
                inputs.pin = known("590218");
                true
            }
            // Nothing is learnt: the request fails.
            Step::ReadById { .. } => false,
            Step::RefreshToken(_) => inputs.requested.remove(&Action::RefreshToken).is_some(),
            Step::ReadProfile { .. } => {
                let next = Duration::from_hours(20);
                let fresh = inputs.evidence.fresh;
                inputs.profile = ProfileRead::Shown { profile: types::Profile::default(), fresh, next };
                true
            }
            Step::Finalizer(wanted) => {
                inputs.has_finalizer = wanted;
                false
            }
            Step::RemoveFinalizer(_) => {
                self.scene.object.metadata.deletion_timestamp = None;
                false
            }
            Step::WriteBinding(_) | Step::DeleteBinding => panic!("no binding is asked for"),
        }
    }

    fn call(
        &mut self,
        input: CallInput,
        fingerprint: String,
        before: String,
        secret: Option<ComparableSecret>,
        action: Option<(Action, String)>,
    ) -> bool {
        self.calls += 1;
        let inputs = &mut self.scene.inputs;
        let (id, now, operation) = (format!("call {}", self.calls), inputs.now, input.operation());
        let asked = action.as_ref().map(|(action, _)| *action);
        let named = fingerprint.clone();
        inputs.ledger.begin(NewIntent { id: id.clone(), input, inputs: fingerprint, before, secret, action, now });
        let ended = if self.ends.is_empty() { Some(CallOutcome::Unknown) } else { self.ends.remove(0) };
        self.codes += usize::from(
            operation == Operation::RequestCode
                && matches!(ended, None | Some(CallOutcome::Done(_) | CallOutcome::Unknown)),
        );
        if let Some(action) = asked.filter(|_| ended != Some(CallOutcome::NotSent)) {
            inputs.requested.remove(&action);
        }
        let Some(ended) = ended else {
            // The process dies; the next one finds an open call that it did not make.
            inputs.foreign_call_grace.insert(id, MINUTE);
            return false;
        };
        let ended = match ended {
            CallOutcome::Refused(refusal) => {
                let earlier = inputs.ledger.refusals.get(&operation.counted_as()).filter(|r| r.code == refusal.code);
                let times = earlier.map_or(1, |earlier| earlier.times + 1);
                let until = refusal.until.map(|until| now + until.duration_since(at(0)));
                if refusal.is_of_pin() && operation.counted_as() == Operation::Register {
                    self.refused.push(named.clone());
                }
                CallOutcome::Refused(Refusal { inputs: named, times, until, ..refusal })
            }
            ended => ended,
        };
        if ended == CallOutcome::Done(None) || matches!(ended, CallOutcome::Done(Some(_))) {
            let sets = matches!(operation.counted_as(), Operation::Register | Operation::SetPin);
            self.refused.retain(|_| !sets);
        }
        match &ended {
            CallOutcome::NotSent => inputs.held_back = Some("Meta could not be reached".to_owned()),
            CallOutcome::Done(_) | CallOutcome::Unknown => {
                inputs.evidence = Evidence::default();
                if let ProfileRead::Shown { fresh, .. } = &mut inputs.profile {
                    *fresh = false;
                }
            }
            CallOutcome::Refused(_) | CallOutcome::GivenUp => {}
        }
        inputs.ledger.finish(&id, ended, now);
        true
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]
    #[test]
    fn whatever_happens_nothing_is_done_that_must_not_be(start in 0..STARTS.len(), row in any_row()) {
        let mut scene = number();
        asks_to_verify(&mut scene);
        asks_to_register(&mut scene, "004217");
        scene.inputs.code = known("111111");
        STARTS[start](&mut scene);
        let mut play = Play { scene, ends: Vec::new(), codes: 0, calls: 0, refused: Vec::new() };
        for event in row {
            play.happens(event);
            play.reconcile();
        }
    }
}
