//! What a part of the plan decides: nothing, a step, a report, or to wait. Pure.

use super::{inputs::Step, number_view::NumberView};
use crate::{
    api::{NumberPhase, READY, SpecError, WhatsAppNumberStatus},
    controller::{
        plan::Requeue,
        summary::{ConditionValue, Progress, StatusSummary, correct},
    },
    messages::Reason,
};

/// What comes next. `R` is what this part of the plan can report.
#[derive(Debug)]
pub enum Decision<R> {
    /// This part has nothing to do and nothing to report: the next one decides.
    NotManaged,
    /// This step; then the number is planned again.
    Act(Step),
    /// Nothing more to do than to report this.
    Report(R),
    /// A step waits for this; until then the status stays as it is.
    Wait(Requeue),
}

impl<R> Decision<R> {
    /// The first part that decides wins.
    pub fn or_else(self, next: impl FnOnce() -> Self) -> Self {
        if matches!(self, Self::NotManaged) { next() } else { self }
    }

    /// Makes another report of its report.
    pub fn map<S>(self, change: impl FnOnce(R) -> S) -> Decision<S> {
        match self {
            Self::NotManaged => Decision::NotManaged,
            Self::Act(step) => Decision::Act(step),
            Self::Report(report) => Decision::Report(change(report)),
            Self::Wait(need) => Decision::Wait(need),
        }
    }
}

impl Decision<ConditionReport> {
    /// No step is taken for a field that is wrong; what was done before the mistake stays.
    pub fn unless_mistaken(self, mistake: Option<&SpecError>) -> Self {
        match (self, mistake) {
            (Self::Act(_), Some(error)) => {
                let message = format!("left as it is, because {} is wrong: {}", error.field, error.message);
                ConditionReport::new(ConditionValue::no(Reason::InvalidSpec, message), Impact::Fine)
            }
            (decision, _) => decision,
        }
    }
}

impl Decision<ReadyReport> {
    /// No call is made for a number whose identity, verification or registration is wrong in the spec.
    pub fn unless_mistaken(self, at: &NumberView<'_>, errors: &[SpecError]) -> Self {
        let concerns = |error: &&SpecError| [READY, "Verified", "PINSynced"].contains(&error.condition);
        match (self, errors.iter().find(concerns)) {
            (Self::Act(Step::Send { .. } | Step::Repeat { .. }), Some(error)) => {
                let ready = correct(at.object, error);
                ReadyReport::stalled(at.phase(), ready.reason, ready.message)
            }
            (decision, _) => decision,
        }
    }
}

impl<R> From<Option<Step>> for Decision<R> {
    fn from(step: Option<Step>) -> Self {
        step.map_or(Self::NotManaged, Self::Act)
    }
}

/// The whole status of a number.
#[derive(Debug)]
pub struct NumberReport {
    /// With everything but conditions and history.
    pub status: WhatsAppNumberStatus,
    /// The conditions.
    pub summary: StatusSummary,
    /// When to look again.
    pub next: Requeue,
}

impl NumberReport {
    /// In this phase; nothing but a change makes it look again.
    pub fn new(status: WhatsAppNumberStatus, phase: NumberPhase, summary: StatusSummary) -> Self {
        Self { status: WhatsAppNumberStatus { phase: Some(phase), ..status }, summary, next: Requeue::Nothing }
    }
}

/// Condition Ready of a number, in place of what Meta's facts alone mean.
#[derive(Debug)]
pub struct ReadyReport {
    /// The phase, where it is not the one that Meta's facts mean.
    pub phase: Option<NumberPhase>,
    /// Condition Ready.
    pub ready: ConditionValue,
    /// Who acts next.
    pub progress: Progress,
    /// When to look again.
    pub next: Requeue,
}

impl ReadyReport {
    /// The operator goes on by itself.
    pub fn waits(phase: NumberPhase, reason: Reason, message: impl Into<String>, next: Requeue) -> Decision<Self> {
        let ready = ConditionValue::no(reason, message);
        Decision::Report(Self { phase: Some(phase), ready, progress: Progress::Reconciling, next })
    }

    /// A person has to act, and that wakes the number.
    pub fn stalled(phase: NumberPhase, reason: Reason, message: impl Into<String>) -> Decision<Self> {
        Self::blocked(phase, reason, message, Requeue::Nothing)
    }

    /// A person has to act, and nothing may show that they did.
    pub fn blocked(phase: NumberPhase, reason: Reason, message: impl Into<String>, next: Requeue) -> Decision<Self> {
        let ready = ConditionValue::no(reason, message);
        Decision::Report(Self { phase: Some(phase), ready, progress: Progress::Stalled, next })
    }
}

/// A condition besides Ready.
#[derive(Debug)]
pub struct ConditionReport {
    /// Its value; `None`: the last one stays.
    pub value: Option<ConditionValue>,
    /// What it means for the number as a whole.
    pub impact: Impact,
}

/// What a condition means for Ready, and when to look at it again.
#[derive(Debug, Clone, PartialEq)]
pub enum Impact {
    /// Nothing: a change wakes the number.
    Fine,
    /// Where `Progress` is not `Settled`, the number is not ready.
    Waits(Progress, Requeue),
}

impl ConditionReport {
    /// This value, with this impact.
    pub fn new(value: ConditionValue, impact: Impact) -> Decision<Self> {
        Decision::Report(Self { value: Some(value), impact })
    }

    /// The last value stays until it is looked at again.
    pub fn unchanged(next: Requeue) -> Decision<Self> {
        Decision::Report(Self { value: None, impact: Impact::Waits(Progress::Settled, next) })
    }

    /// This value, which leaves Ready as it is, until it is looked at again.
    pub fn settled(value: ConditionValue, next: Requeue) -> Decision<Self> {
        Self::new(value, Impact::Waits(Progress::Settled, next))
    }

    /// The operator goes on by itself, and the number is not ready until then.
    pub fn waits(value: ConditionValue, next: Requeue) -> Decision<Self> {
        Self::new(value, Impact::Waits(Progress::Reconciling, next))
    }

    /// A person has to act, and the number is not ready until then.
    pub fn stalled(value: ConditionValue, next: Requeue) -> Decision<Self> {
        Self::new(value, Impact::Waits(Progress::Stalled, next))
    }
}
