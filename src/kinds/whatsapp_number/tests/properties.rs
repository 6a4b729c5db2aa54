//! Whatever people, Meta and the network do: nothing is called that must not be, nothing twice, and it comes to an end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::{Duration, Instant};

use kube::ResourceExt;
use proptest::prelude::*;
use secrecy::ExposeSecret;
use tokio::time::advance;

use super::{
    fixtures::{Number, number},
    outside::{Fate, Heard, Outside, Process},
    random_events::{CHANGES, Happens, STARTS, any_row, registers, usual_fate, verifies},
};
use crate::kinds::whatsapp_number::connection::Connection;
use crate::kinds::whatsapp_number::{
    inputs::{
        Inputs, Resolution, Step,
        collect::{details, open_session},
    },
    steps,
};
use crate::{
    api::{Action, ManagementPolicy, NumberDeletionPolicy, Provisioning, WhatsAppNumberStatus},
    calls::{CallGateway, Meta, Operation},
    controller::{
        actions::{self, Request},
        context::Error,
        managed_resource::{ReconcileContext, Then},
        plan::{Plan, Report},
        testing::{MINUTE, NAMESPACE},
    },
    graph::{
        codes,
        types::{NameStatus, NumberStatus, PhoneNumber, PlatformType},
    },
    kinds::Numbers,
    observe::Observation,
    timing::{self, Timing},
};

/// As many steps as a reconcile may take.
const MOST_STEPS: usize = 24;

/// A number and all that is outside of the process, as a reconcile of production works with them.
struct Play {
    scene: Number,
    outside: Outside,
    process: Process,
    /// The last report: a status that is written again need not be checked again.
    reported: Option<Report<WhatsAppNumberStatus, Step>>,
    /// The last call that Meta may have carried out, as long as nothing shows whether it did.
    lost: Option<Operation>,
    /// When Meta last carried out a call that reads show, or may have.
    changed: Option<Instant>,
    /// How often the last call was repeated without a person.
    repeats: usize,
    /// PINs that Meta has refused since one was in force, as far as the operator could know.
    refused: Vec<String>,
}

impl Play {
    async fn new(start: usize, usual: Fate) -> Self {
        let (mut scene, outside) = (number(), Outside::new(usual));
        verifies(&mut scene, &outside.api);
        registers(&mut scene, &outside.api, "004217");
        STARTS[start](&mut scene, &outside.api);
        outside.api.apply(&mut scene.object);
        let process = Process::start(&outside);
        if scene.inputs.ledger != number().inputs.ledger {
            process.put_ledger(&scene.inputs.ledger).await;
        }
        Self { scene, outside, process, reported: None, lost: None, changed: None, repeats: 0, refused: Vec::new() }
    }

    fn shown(&self) -> Option<PhoneNumber> {
        match &self.scene.seen {
            Observation::Present { facts, .. } => Some(facts.clone()),
            _ => None,
        }
    }

    async fn happens(&mut self, event: Happens) {
        let (scene, outside) = (&mut self.scene, &self.outside);
        scene.inputs.now = outside.now();
        scene.instant = timing::now();
        match event {
            Happens::Shows(facts) => scene.shows(*facts),
            Happens::Lacks => {
                scene.lacks(MINUTE);
                advance(MINUTE).await;
            }
            Happens::Time(minutes) => advance(MINUTE * minutes).await,
            Happens::Reads(fresh, twice) => self.reads(fresh, twice).await,
            Happens::Does(which) => CHANGES[which](scene, &outside.api),
            Happens::Fates(fates) => outside.set_fates(fates),
            Happens::Writes(writes) => outside.api.set_writes(writes),
        }
        // No two requests have the same time.
        advance(Duration::from_secs(1)).await;
    }

    /// Reads show what they showed before.
    async fn reads(&mut self, fresh: bool, twice: bool) {
        let Timing { settle, absence_gap, .. } = Timing::default();
        for (nth, wait) in [settle, absence_gap].into_iter().take(1 + usize::from(twice)).enumerate() {
            if nth == 1 {
                self.reconcile().await;
            }
            if fresh {
                advance(wait).await;
            }
            if let Observation::Present { read, .. } | Observation::Absent { read, .. } = &mut self.scene.seen {
                *read = timing::now();
            }
        }
    }

    /// Reconciles until there is nothing more to do, an error, or the process dies.
    async fn reconcile(&mut self) {
        self.steps().await;
        if self.outside.death.has_come() {
            self.process = Process::start(&self.outside);
        }
    }

    async fn steps(&mut self) {
        let process = self.process.clone();
        process.watch();
        self.outside.api.refresh(&mut self.scene.object);
        let (fence, timing) = (&process.context().fence, &process.context().timing);
        let mut session = open_session(process.context(), &self.scene.object).await;
        for _ in 0..MOST_STEPS {
            let requests = actions::requests(&self.scene.object, self.outside.now());
            let Some(inputs) = self
                .lives(details(
                    &self.at(&process, &requests),
                    &self.scene.link,
                    &self.scene.seen,
                    self.outside.now(),
                    &mut session,
                ))
                .await
            else {
                return;
            };
            self.scene.inputs = Inputs { no_writes: self.scene.inputs.no_writes.take(), ..inputs };
            self.scene.instant = timing::now();
            self.check_record();
            match self.scene.plan() {
                // What a read by id shows is not played here.
                Plan::Open(_) | Plan::Step(Step::ReadById { .. }) => return,
                Plan::Report(report) => {
                    // Every status that is written keeps the rules.
                    if self.reported.as_ref() != Some(&report) {
                        self.scene.written = self.scene.inputs.now;
                        self.scene.reconcile();
                    }
                    for Request { action, verdict, .. } in &requests {
                        if verdict.is_err() || !report.waiting.contains(action) {
                            self.scene.object.annotations_mut().remove(action.annotation());
                        }
                    }
                    self.reported = Some(report);
                    return;
                }
                Plan::Step(step) => {
                    self.check(&step);
                    let heard = self.outside.heard().len();
                    let gateway = CallGateway { graph: &self.outside, fence, timing };
                    let at = self.at(&process, &requests);
                    let then = Box::pin(self.lives(steps::carry_out(&at, &gateway, &mut session, step.clone()))).await;
                    self.learn(&step, self.outside.heard().get(heard));
                    match then {
                        Some(Then::Plan | Then::Learnt) => {}
                        Some(Then::End) => return self.applies_again(),
                        Some(Then::Requeue(_)) | None => return,
                    }
                }
            }
        }
        panic!("it goes round in a circle: {:?}", self.scene.plan());
    }

    fn at<'a>(&'a self, process: &'a Process, requests: &'a [Request]) -> ReconcileContext<'a, Numbers> {
        let Number { object, app, .. } = &self.scene;
        let (reconciler, context) = (process.numbers(), process.context());
        ReconcileContext { reconciler, context, object, namespace: NAMESPACE, app, requests }
    }

    /// What comes of a part of a reconcile, unless it fails because the API server does, or the process dies meanwhile.
    async fn lives<T>(&self, part: impl Future<Output = Result<T, Error>>) -> Option<T> {
        let mut part = Box::pin(part);
        tokio::select! {
            biased;
            result = &mut part => result.inspect_err(|error| assert!(self.outside.api.has_failed(), "{error}")).ok(),
            () = self.outside.death.watch() => None,
        }
    }

    /// A deleted object that need not wait any more is gone; a new one of the same name is applied.
    fn applies_again(&mut self) {
        let object = &mut self.scene.object;
        if object.metadata.deletion_timestamp.take().is_some() {
            object.metadata.uid = Some(format!("uid of {}", self.outside.now()));
            object.metadata.finalizers = None;
            object.status = None;
            self.reported = None;
            self.outside.api.apply(object);
        }
    }

    /// What a step has shown of calls to Meta, from outside.
    fn learn(&mut self, step: &Step, heard: Option<&Heard>) {
        let is_of_pin =
            |operation: Operation| matches!(operation.counted_as(), Operation::Register | Operation::SetPin);
        match step {
            Step::Resolve { end, id } if *end != Resolution::Lost => {
                let operation = self.scene.inputs.ledger.intent(id).unwrap().input.operation();
                self.lost.take_if(|lost| *lost == operation);
                if matches!(end, Resolution::Happened(_)) && is_of_pin(operation) {
                    self.refused.clear();
                }
            }
            Step::Send { input, .. } if input.operation().is_onboarding() => self.repeats = 0,
            Step::Repeat { .. } => self.repeats += usize::from(heard.is_some()),
            _ => {}
        }
        let Some(Heard { operation, instant, secret, fate, id, .. }) =
            heard.filter(|heard| heard.operation.is_onboarding())
        else {
            return;
        };
        if operation.is_seen() && !matches!(fate, Fate::Refused(..)) {
            self.changed = Some(*instant);
        }
        let on_record =
            self.outside.api.ledger().is_some_and(|ledger| ledger.intent(id).is_none_or(|intent| intent.unknown));
        match fate {
            Fate::Refused(code, _) if on_record => {
                self.lost.take_if(|_| *operation != Operation::SetPin);
                if operation.counted_as() == Operation::Register
                    && [codes::PIN_MISMATCH, codes::ACCOUNT_LOCKED].contains(code)
                {
                    self.refused.extend(secret.clone());
                }
            }
            Fate::Done if on_record => {
                self.lost = None;
                if is_of_pin(*operation) {
                    self.refused.clear();
                }
            }
            _ => self.lost = Some(*operation).filter(|operation| operation.is_settled_later()),
        }
    }

    /// What Meta has heard of is on record.
    fn check_record(&self) {
        let Inputs { held, blocker, ledger, now, .. } = &self.scene.inputs;
        if !held || blocker.is_some() {
            return;
        }
        for operation in [Operation::RequestCode, Operation::Register, Operation::Deregister] {
            let (made, counted) = (ledger.recent(operation, *now).len(), self.outside.counted(operation));
            assert!(made >= counted, "Meta counts {counted} × {operation}: {ledger:?}");
        }
        // Without a code it is what reads have shown.
        for (operation, refusal) in ledger.refusals.iter().filter(|(_, refusal)| refusal.code != 0) {
            let said = |heard: &Heard| {
                heard.operation.counted_as() == *operation
                    && matches!(heard.fate, Fate::Refused(code, _) if code == refusal.code)
            };
            assert!(self.outside.heard().iter().any(said), "Meta did not refuse it: {operation} {refusal:?}");
        }
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
        let open = inputs.open_onboarding_call();
        assert!(open.is_some() || self.lost.is_none(), "nothing shows what became of {:?}: {why}", self.lost);
        if let Some(open) = open {
            let same = action.is_some() && open.input.operation().action() == action;
            let settled = deleted && inputs.evidence.twice;
            assert!(open.unknown && (again || same || settled), "another call is not settled: {why}");
        }
        if again {
            let tries = if operation == Operation::SetPin { 3 } else { 2 };
            assert!(ledger.conflicting(operation).unwrap().attempt < tries, "once more, and no more: {why}");
            assert!(self.repeats + 1 < tries as usize, "once more, and no more: {why}");
            assert!(inputs.evidence.twice || operation == Operation::SetPin, "no read proves it: {why}");
        }
        let counts_from = self.changed.map(|changed| changed + Timing::default().settle);
        let fresh = inputs.evidence.fresh && self.scene.seen.read() >= counts_from;
        assert!(fresh || operation == Operation::AddNumber, "reads lag: {why}");
        if operation == Operation::RequestCode {
            let sent = |heard: &Heard| heard.operation == operation && !matches!(heard.fate, Fate::Refused(..));
            assert!(action.is_some() || !self.outside.heard().iter().any(sent), "a second code: {why}");
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
        let registered = Connection::of(facts, false).is_registered();
        let lost = [NumberStatus::Banned, NumberStatus::Deleted];
        let out = facts.status.as_ref().is_some_and(|status| lost.contains(status))
            || facts.platform_type == Some(PlatformType::OnPremise);
        if operation != Operation::Deregister {
            assert!(!out, "nothing can be done for it: {why}");
            assert!(!operation.is_onboarding() || facts.is_on_biz_app != Some(true), "the Business app has it: {why}");
        }
        match operation {
            Operation::Register => {
                assert!(!registered, "it is registered: {why}");
                let tried = ledger.recent(Operation::Register, inputs.now).len();
                assert!(tried < if action.is_some() { 10 } else { 5 }, "too often: {why}");
                assert!(ledger.blocked_until.is_none_or(|until| until <= inputs.now), "locked: {why}");
                let open = inputs.open_onboarding_call().is_some();
                let pin = inputs.pin.known().map(|known| known.value.0.expose_secret().to_owned());
                let refused = pin.is_some_and(|pin| self.refused.contains(&pin));
                assert!(action.is_some() || open || !refused, "a refused PIN: {why}");
                assert!(action.is_some() || open || !inputs.was_connected() || ledger.register_wanted, "{why}");
            }
            Operation::Deregister => {
                let goes = self.scene.object.metadata.deletion_timestamp.is_some();
                assert!(goes || !registered, "a living object loses its number: {why}");
            }
            Operation::RegisterAgain => {
                assert!(registered && action == Some(Action::Register), "nobody asked: {why}");
                assert_eq!(facts.new_name_status, Some(NameStatus::Approved), "for nothing: {why}");
            }
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]
    #[test]
    fn whatever_happens_nothing_is_done_that_must_not_be(start in 0..STARTS.len(),
        usual in usual_fate(),
        row in any_row(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut play = Play::new(start, usual).await;
            for events in row {
                for event in events {
                    play.happens(event).await;
                }
                play.reconcile().await;
            }
        });
    }
}
