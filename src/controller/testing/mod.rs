//! For tests of plans: one object in circumstances that the test chooses, reconciled as the shell would.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod advice;

use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{Resource, core::object::HasStatus};
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{
    account_resource::{AccountResource, Observed, Proof},
    app_reference::AppReference,
    managed_resource::StatusOf,
    plan::{Plan, Requeue},
    summary::{StatusSummary, settle},
};
use crate::{
    api::{AppKey, Kind, ManagedStatus},
    k8s::conditions::{READY, RECONCILING, STALLED, check_invariants, find},
    kinds::reasons,
    observe::Observation,
    timing::Timing,
};

/// Namespace of the object and its app.
pub const NAMESPACE: &str = "cc";
/// The account that shows it.
pub const ACCOUNT: &str = "102290129340398";

/// What an app says of itself; its own tests see to it that it says what to do.
pub const WHY: &str = "why: \nkubectl -n cc describe mapp ino-cx\n";

/// As far apart as two reads must be that prove an absence.
pub const MINUTE: Duration = Duration::from_mins(1);

/// An object, and all that a plan looks at.
pub struct Scene<R: AccountResource> {
    pub object: R::Object,
    pub app: AppKey,
    pub link: AppReference,
    pub seen: Observation<R::Facts>,
    pub competing_object: Option<String>,
    pub proof: Option<Proof<R::Facts>>,
    pub inputs: R::Details,
    pub instant: Instant,
    /// When what is told is written.
    pub written: Timestamp,
}

impl<R: AccountResource> Scene<R> {
    /// A new object whose app is ready and has read nothing.
    pub fn new(mut object: R::Object) -> Self {
        object.meta_mut().generation = Some(1);
        object.meta_mut().namespace = Some(NAMESPACE.to_owned());
        let app = AppKey::new(NAMESPACE, "ino-cx");
        let instant = Instant::now();
        let inputs = R::Details::default();
        let written = "2026-11-22T10:00:00Z".parse().unwrap();
        Self {
            object,
            app,
            link: AppReference::Ready,
            seen: Observation::Unread,
            competing_object: None,
            proof: None,
            inputs,
            instant,
            written,
        }
    }

    /// The account shows this.
    pub fn shows(&mut self, facts: R::Facts) {
        self.seen = Observation::Present { account: ACCOUNT.into(), facts, read: self.instant, stale: false };
    }

    /// Complete reads lack the thing, the first and the last so far apart.
    pub fn lacks(&mut self, apart: Duration) {
        let (since, read) = (self.instant, self.instant + apart);
        self.instant = read;
        self.seen = Observation::Absent { since, read, stale: false };
    }

    /// What is read does not change any more and is old.
    pub fn goes_stale(&mut self) {
        if let Observation::Present { stale, .. } | Observation::Absent { stale, .. } = &mut self.seen {
            *stale = true;
        }
    }

    /// A person changed the spec.
    pub fn edit(&mut self, change: impl FnOnce(&mut R::Object)) {
        change(&mut self.object);
        let generation = self.object.meta().generation.unwrap_or_default();
        self.object.meta_mut().generation = Some(generation + 1);
    }

    /// What is to be done.
    pub fn plan(&self) -> Plan<StatusOf<R>, R::Step> {
        let observed = Observed {
            app: self.app.clone(),
            link: self.link.clone(),
            seen: self.seen.clone(),
            competing_object: self.competing_object.clone(),
            proof: self.proof.clone(),
            details: self.inputs.clone(),
            instant: self.instant,
        };
        R::plan(&self.object, &observed, &Timing::default())
    }

    fn settled(&self, mut status: StatusOf<R>, verdict: &StatusSummary, now: Timestamp) -> StatusOf<R> {
        let before = self.object.status().cloned().unwrap_or_default();
        let generation = self.object.meta().generation.unwrap_or_default();
        settle(&mut status, &before, verdict, generation, now);
        status
    }

    /// Reconciles once: the status is written, keeps the rules, and the next reconcile writes nothing; or it is left
    /// as it is, for what has to come first.
    pub fn reconcile(&mut self) -> Option<Requeue> {
        let report = match self.plan() {
            Plan::Open(need) => return Some(need),
            Plan::Step(step) => panic!("a step where a report was expected: {step:?}"),
            Plan::Report(report) => report,
        };
        let status = self.settled(*report.status, &report.verdict.unwrap(), self.written);
        let generation = self.object.meta().generation.unwrap_or_default();
        let broken = check_invariants(status.conditions(), status.observed_generation(), generation);
        assert!(broken.is_empty(), "{broken:?} in {status:?}");
        let lacking = advice::lacking(status.conditions());
        assert!(lacking.is_empty(), "{lacking:?}");
        let undeclared = undeclared(R::Object::NAME, status.conditions());
        assert!(undeclared.is_empty(), "REASONS lacks {undeclared:?}");
        *self.object.status_mut() = Some(status.clone());
        match self.plan() {
            // Said it stays said.
            Plan::Open(Requeue::Nothing | Requeue::AfterReadSince(_)) => {}
            Plan::Open(need) => panic!("what was just said is open again: {need:?}"),
            Plan::Step(step) => panic!("what was just said leads to a step: {step:?}"),
            Plan::Report(again) => {
                let again =
                    self.settled(*again.status, &again.verdict.unwrap(), self.written + Duration::from_hours(1));
                assert_eq!(again, status, "the same plan writes again");
            }
        }
        None
    }

    /// Phase, Ready and who has to act: `Enabled True/Enabled`, `Rejected False/Rejected Stalled`.
    pub fn told(&self) -> String {
        let Some(status) = self.object.status() else { return "nothing".to_owned() };
        let ready = self.condition(READY).unwrap_or_default();
        let mut told = vec![status.phase().unwrap_or("no phase"), &ready];
        told.extend([RECONCILING, STALLED, "Suspended"].into_iter().filter(|mark| self.condition(mark).is_some()));
        told.join(" ")
    }

    /// Status and reason of a condition: `True/Verified`.
    pub fn condition(&self, kind: &str) -> Option<String> {
        let condition = find(self.object.status()?.conditions(), kind)?;
        Some(format!("{}/{}", condition.status, condition.reason))
    }

    /// The message of a condition.
    pub fn message(&self, kind: &str) -> String {
        let conditions = self.object.status().map(ManagedStatus::conditions).unwrap_or_default();
        find(conditions, kind).map(|condition| condition.message.clone()).unwrap_or_default()
    }
}

/// A case of a table: why it is so, what is so, and what [`Scene::told`] says then.
pub type Case<R> = (&'static str, fn(&mut Scene<R>), &'static str);

/// Reconciles once for each case.
pub fn table<R: AccountResource>(scene: fn() -> Scene<R>, cases: &[Case<R>]) {
    for (reason, change, expected) in cases {
        let mut scene = scene();
        change(&mut scene);
        scene.reconcile();
        assert_eq!(scene.told(), *expected, "{reason}");
    }
}

/// What Meta sends: `usual`, but for what is given.
pub fn sent<T: DeserializeOwned>(mut usual: Value, given: &Value) -> T {
    usual.as_object_mut().unwrap().extend(given.as_object().unwrap().clone());
    serde_json::from_value(usual).unwrap()
}

/// Something that happens between two reconciles.
#[derive(Debug, Clone)]
pub enum Event<T> {
    Shows(T),
    Lacks(u64),
    GoesStale,
    Unmanaged,
    ByItsId(Proof<T>),
    AppReference(AppReference),
    Rival(Option<String>),
    /// Which of the kind's own edits of the spec.
    Edit(usize),
}

/// Any row of events, with any facts of these and this many kinds of edits.
pub fn events<T: Clone + std::fmt::Debug + 'static>(
    facts: impl Strategy<Value = T> + Clone,
    edits: usize,
) -> impl Strategy<Value = Vec<Event<T>>> {
    let troubles = vec![
        AppReference::Missing,
        AppReference::NotAllowed,
        AppReference::Waiting,
        AppReference::Suspended,
        AppReference::NotReady(WHY.to_owned()),
        AppReference::Gone(WHY.to_owned()),
        AppReference::Expired(WHY.to_owned()),
    ];
    let event = prop_oneof![
        4 => facts.clone().prop_map(Event::Shows),
        2 => (0_u64..90).prop_map(Event::Lacks),
        1 => Just(Event::GoesStale),
        1 => Just(Event::Unmanaged),
        1 => Just(Event::ByItsId(Proof::Gone)),
        1 => facts.prop_map(|facts| Event::ByItsId(Proof::Elsewhere(facts))),
        2 => Just(Event::AppReference(AppReference::Ready)),
        2 => prop::sample::select(troubles).prop_map(Event::AppReference),
        1 => prop::sample::select(vec![None, Some("other".to_owned())]).prop_map(Event::Rival),
        3 => (0..edits).prop_map(Event::Edit),
    ];
    prop::collection::vec(event, 1..16)
}

/// Any of Meta's words, of which the empty one stands for none.
pub fn word(words: &'static [&'static str]) -> impl Strategy<Value = Value> + Clone {
    prop::sample::select(words).prop_map(|word| if word.is_empty() { Value::Null } else { json!(word) })
}

impl<R: AccountResource> Scene<R> {
    /// Reconciles after each event; [`Scene::reconcile`] checks every status. The phase tells of suspension as long as it
    /// lasts, and no longer.
    pub fn play(&mut self, events: Vec<Event<R::Facts>>, edits: &[fn(&mut R::Object)]) {
        for event in events {
            match event {
                Event::Shows(facts) => self.shows(facts),
                Event::Lacks(seconds) => self.lacks(Duration::from_secs(seconds)),
                Event::GoesStale => self.goes_stale(),
                Event::Unmanaged => self.seen = Observation::Unmanaged,
                Event::ByItsId(proof) => self.proof = Some(proof),
                Event::AppReference(link) => self.link = link,
                Event::Rival(competing_object) => self.competing_object = competing_object,
                Event::Edit(which) => self.edit(edits[which]),
            }
            // What a step leads to is not played here.
            if !matches!(self.plan(), Plan::Step(_)) && self.reconcile().is_none() {
                let phase = self.object.status().and_then(ManagedStatus::phase);
                assert_eq!(phase == Some("Suspended"), self.object.suspend(), "{phase:?}");
            }
        }
    }
}

/// The conditions whose reason the kind's table does not have. The markers repeat the reason of Ready.
pub fn undeclared(kind: &str, conditions: &[Condition]) -> Vec<String> {
    let declared = reasons(kind);
    let is_declared = |condition: &&Condition| {
        let marker = [RECONCILING, STALLED, "Suspended"].contains(&condition.type_.as_str());
        let type_ = if marker { READY } else { &condition.type_ };
        let mut rows = declared.iter().filter(|(name, _)| *name == type_);
        rows.any(|(_, reasons)| reasons.iter().any(|reason| reason.as_str() == condition.reason))
    };
    let strange = conditions.iter().filter(|condition| !is_declared(condition));
    strange.map(|condition| format!("{} {}", condition.type_, condition.reason)).collect()
}
