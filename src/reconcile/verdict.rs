//! How an object stands, and how that becomes conditions, history and an Event: the same for every kind.

use jiff::Timestamp;

use super::reason::Reason;
use crate::{
    api::{ManagedStatus, Transition, later::Later, whole_seconds},
    cluster::conditions::{self, READY, RECONCILING, STALLED, State, condition, push_history},
};

/// Condition that is there while `spec.suspend` is true.
const SUSPENDED: &str = "Suspended";

/// Who has to act next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Nobody, or somebody on another object.
    Settled,
    /// Work goes on without a person.
    Reconciling,
    /// A person must act.
    Stalled,
    /// `spec.suspend`: nothing happens, and Ready keeps what it said.
    Suspended,
}

/// One finding about an object: a condition without its type's bookkeeping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether it is so.
    pub state: State,
    /// From the closed list.
    pub reason: Reason,
    /// What happened, what comes next, and what a person has to do, if anything.
    pub message: String,
}

impl Finding {
    /// It is so.
    pub fn yes(reason: Reason, message: impl Into<String>) -> Self {
        Self { state: State::True, reason, message: message.into() }
    }

    /// It is not so.
    pub fn no(reason: Reason, message: impl Into<String>) -> Self {
        Self { state: State::False, reason, message: message.into() }
    }

    /// It cannot be told.
    pub fn unknown(reason: Reason, message: impl Into<String>) -> Self {
        Self { state: State::Unknown, reason, message: message.into() }
    }
}

/// How an object stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Condition Ready.
    pub ready: Finding,
    /// Conditions Reconciling and Stalled.
    pub progress: Progress,
    /// The kind's own conditions by type.
    pub facets: Vec<(&'static str, Finding)>,
    /// Whether facets that are not listed stay: nobody looked, so nothing is known to be otherwise. If not, they go.
    pub keeps: bool,
}

impl Verdict {
    /// Without facets.
    pub fn new(ready: Finding, progress: Progress) -> Self {
        Self::of(ready, progress, Vec::new())
    }

    /// With exactly these facets.
    pub fn of(ready: Finding, progress: Progress, facets: Vec<(&'static str, Finding)>) -> Self {
        Self { ready, progress, facets, keeps: false }
    }

    /// With the facets as they were.
    pub fn keeping(ready: Finding, progress: Progress) -> Self {
        Self { keeps: true, ..Self::new(ready, progress) }
    }

    /// Says of every field that a person set and this version does not act on that it does not.
    pub fn add_later<S>(&mut self, later: &[&'static Later<S>]) {
        for entry in later {
            let finding = Finding::no(Reason::NotYetSupported, entry.message);
            match self.facets.iter_mut().find(|(kind, _)| *kind == entry.condition) {
                // What is so at Meta is so, whoever did it.
                Some((_, found)) if found.state == State::True => {}
                Some((_, found)) => *found = finding,
                None => self.facets.push((entry.condition, finding)),
            }
        }
    }
}

/// Writes the verdict into `status`, whose phase is already the new one. What is new since `before` (the status as it
/// was) becomes an entry of the history, which is returned for an Event.
pub fn settle<S: ManagedStatus>(
    status: &mut S,
    before: &S,
    verdict: &Verdict,
    generation: i64,
    now: Timestamp,
) -> Option<Transition> {
    status.set_observed_generation(generation);
    let suspended = verdict.progress == Progress::Suspended;
    let keeps_ready = suspended && conditions::get(before.conditions(), READY).is_some();
    let mut wanted: Vec<(&str, &Finding)> = verdict.facets.iter().map(|(kind, finding)| (*kind, finding)).collect();
    let marker = Finding { state: State::True, ..verdict.ready.clone() };
    match verdict.progress {
        Progress::Settled => {}
        Progress::Reconciling => wanted.push((RECONCILING, &marker)),
        Progress::Stalled => wanted.push((STALLED, &marker)),
        Progress::Suspended => wanted.push((SUSPENDED, &marker)),
    }
    if !keeps_ready {
        wanted.push((READY, &verdict.ready));
    }
    let list = status.conditions_mut();
    list.retain(|c| {
        let marks = [RECONCILING, STALLED, SUSPENDED].contains(&c.type_.as_str());
        ((suspended || verdict.keeps) && !marks) || wanted.iter().any(|(kind, _)| *kind == c.type_)
    });
    for (kind, f) in wanted {
        conditions::set(list, condition(kind, f.state, f.reason.as_str(), &f.message, generation, now));
    }
    conditions::stamp(list, generation);

    let reason = verdict.ready.reason.as_str();
    let newest = before.history().last();
    let same = before.phase() == status.phase() && newest.is_some_and(|t| t.reason == reason);
    if same {
        return None;
    }
    let transition = Transition {
        time: whole_seconds(now),
        phase: status.phase().unwrap_or_default().to_owned(),
        reason: reason.to_owned(),
        message: verdict.ready.message.clone(),
    };
    push_history(status.history_mut(), transition.clone());
    Some(transition)
}
