//! How an object stands, and how that becomes conditions, history and an Event: the same for every kind.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::messages::{Reason, commands, lay_out};
use crate::{
    api::{Kind, ManagedStatus, SpecError, Transition, unsupported::Later, whole_seconds},
    k8s::conditions::{self, MESSAGE_LIMIT, READY, RECONCILING, STALLED, State, condition, push_history, truncate},
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
    /// A person would have to act at Meta, on something that this object only observes.
    Observed,
    /// `spec.suspend`: nothing happens, and Ready keeps its status and reason.
    Suspended,
}

/// One finding about an object: a condition without its type's bookkeeping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionValue {
    /// Whether it is so.
    pub state: State,
    /// From the closed list.
    pub reason: Reason,
    /// What happened, what comes next, and what a person has to do, if anything.
    pub message: String,
}

impl ConditionValue {
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

/// Something that happened to what an object works with, and that neither its phase nor `Ready` tells: an entry of the
/// history and an Event, along with the status that shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// From the closed list.
    pub reason: Reason,
    /// Whether a person has to act.
    pub warns: bool,
    /// What happened, and what a person has to do, if anything.
    pub message: String,
}

/// How an object stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusSummary {
    /// Condition Ready.
    pub ready: ConditionValue,
    /// Conditions Reconciling and Stalled.
    pub progress: Progress,
    /// The kind's own conditions by type.
    pub conditions: Vec<(&'static str, ConditionValue)>,
    /// Whether facets that are not listed stay: nobody looked, so nothing is known to be otherwise. If not, they go.
    pub keeps: bool,
    /// What happened since the status that stands there.
    pub notices: Vec<Notice>,
}

/// What Ready reports under `managementPolicy: Observe`: reading is all that the spec wants, so it is True, with the reason
/// that it would have otherwise.
pub fn observed_only(ready: ConditionValue, progress: Progress) -> (ConditionValue, Progress) {
    if ready.state == State::True {
        return (ready, progress);
    }
    let progress = if progress == Progress::Stalled { Progress::Observed } else { Progress::Settled };
    (ConditionValue::yes(ready.reason, format!("observed only: {}", ready.message)), progress)
}

impl StatusSummary {
    /// Without facets.
    pub fn new(ready: ConditionValue, progress: Progress) -> Self {
        Self::of(ready, progress, Vec::new())
    }

    /// With exactly these facets.
    pub fn of(ready: ConditionValue, progress: Progress, conditions: Vec<(&'static str, ConditionValue)>) -> Self {
        Self { ready, progress, conditions, keeps: false, notices: Vec::new() }
    }

    /// With the facets as they were.
    pub fn keeping(ready: ConditionValue, progress: Progress) -> Self {
        Self { keeps: true, ..Self::new(ready, progress) }
    }

    /// Whether condition Ready waits for a person.
    pub fn ready_needs_action(&self) -> bool {
        matches!(self.progress, Progress::Stalled | Progress::Observed)
            || (self.progress != Progress::Suspended && self.ready.reason.is_for_people())
    }

    /// Whether any condition waits for a person.
    fn needs_action(&self) -> bool {
        let is_for_people =
            |(_, value): &(_, ConditionValue)| value.state != State::True && value.reason.is_for_people();
        self.ready_needs_action() || (self.progress != Progress::Suspended && self.conditions.iter().any(is_for_people))
    }

    /// A mistake in the spec makes an object not ready, where nothing else does.
    pub fn report_mistakes<K: Kind>(&mut self, object: &K) {
        if self.ready.state == State::True
            && let Some(mistake) = mistake(object)
        {
            self.ready = mistake;
            self.progress = Progress::Stalled;
        }
    }

    /// Says of every field that a person set and this version does not act on that it does not.
    pub fn add_later<S>(&mut self, later: &[&'static Later<S>]) {
        for entry in later {
            let finding = ConditionValue::no(Reason::NotYetSupported, entry.message);
            match self.conditions.iter_mut().find(|(kind, _)| *kind == entry.condition) {
                // What is so at Meta is so, whoever did it.
                Some((_, found)) if found.state == State::True => {}
                Some((_, found)) => *found = finding,
                None => self.conditions.push((entry.condition, finding)),
            }
        }
    }
}

/// The first mistake in an object's spec, for Ready.
pub fn mistake<K: Kind>(object: &K) -> Option<ConditionValue> {
    Some(correct(object, object.spec_errors().first()?))
}

/// What is wrong in a spec, and how to correct it.
pub fn correct<K: Kind>(object: &K, SpecError { field, message, .. }: &SpecError) -> ConditionValue {
    let message = format!("{field}: {message}. To correct it: {}", commands::with("edit", object));
    ConditionValue::no(Reason::InvalidSpec, message)
}

/// Writes the verdict into `status`, whose phase is already the new one. What is new since `before` (the status as it
/// was) becomes an entry of the history, which is returned for an Event.
pub fn settle<S: ManagedStatus>(
    status: &mut S,
    before: &S,
    verdict: &StatusSummary,
    generation: i64,
    now: Timestamp,
) -> Option<Transition> {
    status.set_observed_generation(generation);
    status.set_needs_action(verdict.needs_action());
    let suspended = verdict.progress == Progress::Suspended;
    // Whether it was ready is kept. Its message is what lists print, and is not what was so before.
    let kept = conditions::find(before.conditions(), READY).filter(|_| suspended).cloned();
    let mut wanted: Vec<(&str, &ConditionValue)> =
        verdict.conditions.iter().map(|(kind, finding)| (*kind, finding)).collect();
    let marker = ConditionValue { state: State::True, ..verdict.ready.clone() };
    match verdict.progress {
        Progress::Settled | Progress::Observed => {}
        Progress::Reconciling => wanted.push((RECONCILING, &marker)),
        Progress::Stalled => wanted.push((STALLED, &marker)),
        Progress::Suspended => wanted.push((SUSPENDED, &marker)),
    }
    if kept.is_none() {
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
    if let Some(kept) = kept {
        conditions::set(list, Condition { message: truncate(&lay_out(&verdict.ready.message), MESSAGE_LIMIT), ..kept });
    }
    conditions::stamp(list, generation);

    let phase = status.phase().unwrap_or_default().to_owned();
    let entry = |reason: Reason, message: &str| Transition {
        time: whole_seconds(now),
        phase: phase.clone(),
        reason: reason.as_str().to_owned(),
        message: truncate(&lay_out(message), MESSAGE_LIMIT),
    };
    for notice in &verdict.notices {
        push_history(status.history_mut(), entry(notice.reason, &notice.message));
    }
    if !is_transition(status, before, verdict) {
        return None;
    }
    let transition = entry(verdict.ready.reason, &verdict.ready.message);
    if S::BELONGS_TO_APP {
        fold(status.history_mut(), &transition);
    }
    push_history(status.history_mut(), transition.clone());
    Some(transition)
}

/// Whether phase or `Ready`'s reason are others than before. While an object is suspended, `Ready` keeps its reason, and the
/// phase tells.
pub fn is_transition<S: ManagedStatus>(status: &S, before: &S, verdict: &StatusSummary) -> bool {
    let last = conditions::find(before.conditions(), READY).map(|ready| ready.reason.as_str());
    let same =
        last == Some(verdict.ready.reason.as_str()) || (last.is_some() && verdict.progress == Progress::Suspended);
    before.phase() != status.phase() || !same
}

/// What happens to an app happens to each of its objects. Of such times an object's history keeps the last one only: they must
/// not push out what happened to the object itself.
fn fold(history: &mut Vec<Transition>, next: &Transition) {
    let of_app = |entry: &Transition| Reason::named(&entry.reason).is_some_and(Reason::is_of_app);
    match history.as_slice() {
        [.., last] if of_app(last) && of_app(next) => {
            history.pop();
        }
        [.., before, outage, after]
            if of_app(next) && of_app(outage) && (&before.phase, &before.reason) == (&after.phase, &after.reason) =>
        {
            history.truncate(history.len() - 2);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::{
        api::{MetaAppPhase, MetaAppStatus, NumberPhase, WhatsAppNumberStatus},
        k8s::conditions::{check_invariants, find},
    };

    fn at(hour: u8) -> Timestamp {
        format!("2026-11-22T{hour:02}:00:00Z").parse().unwrap()
    }

    /// The next status: this phase and verdict, an hour later than the last.
    fn next(before: &MetaAppStatus, phase: MetaAppPhase, verdict: &StatusSummary, hour: u8) -> (MetaAppStatus, bool) {
        let mut status = MetaAppStatus { phase: Some(phase), ..before.clone() };
        let transition = settle(&mut status, before, verdict, 1, at(hour));
        assert_eq!(check_invariants(&status.conditions, status.observed_generation, 1), Vec::<String>::new());
        assert_eq!(status.history.last().cloned(), transition.clone().or_else(|| before.history.last().cloned()));
        (status, transition.is_some())
    }

    fn connected() -> StatusSummary {
        let token = ("TokenValid", ConditionValue::yes(Reason::Valid, "it works"));
        StatusSummary::of(ConditionValue::yes(Reason::Connected, "all is well"), Progress::Settled, vec![token])
    }

    fn types(status: &MetaAppStatus) -> Vec<&str> {
        status.conditions.iter().map(|condition| condition.type_.as_str()).collect()
    }

    #[test]
    fn what_stays_the_same_is_not_written_again() {
        let (first, news) = next(&MetaAppStatus::default(), MetaAppPhase::Connected, &connected(), 10);
        assert!(news, "the first finding is news");
        let (second, news) = next(&first, MetaAppPhase::Connected, &connected(), 11);
        assert_eq!((second, news), (first, false));
    }

    #[test]
    fn marks_come_and_go_and_conditions_keep_their_times() {
        let (well, _) = next(&MetaAppStatus::default(), MetaAppPhase::Connected, &connected(), 10);
        let trouble = ConditionValue::no(Reason::AccountNotReadable, "give it the right");
        let conditions = connected().conditions;
        let (ill, news) =
            next(&well, MetaAppPhase::Connected, &StatusSummary::of(trouble, Progress::Stalled, conditions), 11);
        assert!(news, "another reason is news, in the same phase");
        assert_eq!(types(&ill), ["Ready", "Stalled", "TokenValid"]);
        assert_eq!(find(&ill.conditions, "Ready").unwrap().last_transition_time.0, at(11));
        assert_eq!(find(&ill.conditions, "TokenValid").unwrap().last_transition_time.0, at(10), "it did not change");
        let (again, _) = next(&ill, MetaAppPhase::Connected, &connected(), 12);
        assert_eq!(types(&again), ["Ready", "TokenValid"], "removed, not False");
    }

    #[test]
    fn what_nobody_looked_at_stays_where_the_verdict_says_so() {
        let (well, _) = next(&MetaAppStatus::default(), MetaAppPhase::Connected, &connected(), 10);
        let blind = || ConditionValue::unknown(Reason::Stale, "Meta is silent");
        let kept = StatusSummary::keeping(blind(), Progress::Settled);
        assert_eq!(types(&next(&well, MetaAppPhase::Connected, &kept, 11).0), ["Ready", "TokenValid"]);
        let gone = StatusSummary::new(blind(), Progress::Settled);
        assert_eq!(types(&next(&well, MetaAppPhase::Connected, &gone, 11).0), ["Ready"]);
    }

    #[test]
    fn suspension_keeps_whether_it_was_ready_and_says_that_it_rests() {
        let suspended = StatusSummary::new(ConditionValue::unknown(Reason::Suspended, "it rests"), Progress::Suspended);
        let (well, _) = next(&MetaAppStatus::default(), MetaAppPhase::Connected, &connected(), 10);
        let (rests, _) = next(&well, MetaAppPhase::Suspended, &suspended, 11);
        assert_eq!(types(&rests), ["Ready", "Suspended", "TokenValid"]);
        let (ready, earlier) = (find(&rests.conditions, "Ready").unwrap(), find(&well.conditions, "Ready").unwrap());
        assert_eq!(*ready, Condition { message: "it rests".to_owned(), ..earlier.clone() }, "lists print the message");
        let (new, _) = next(&MetaAppStatus::default(), MetaAppPhase::Suspended, &suspended, 10);
        assert_eq!(find(&new.conditions, "Ready").unwrap().status, "Unknown", "there is always one");
        let (back, _) = next(&rests, MetaAppPhase::Connected, &connected(), 12);
        assert_eq!(types(&back), ["Ready", "TokenValid"]);
        assert_eq!(find(&back.conditions, "Ready").unwrap().message, "all is well");
    }

    /// Of a number.
    fn next_of_number(
        before: &WhatsAppNumberStatus,
        phase: NumberPhase,
        verdict: &StatusSummary,
    ) -> WhatsAppNumberStatus {
        let mut status = WhatsAppNumberStatus { phase: Some(phase), ..before.clone() };
        settle(&mut status, before, verdict, 1, at(10));
        status
    }

    #[test]
    fn what_happens_to_an_app_does_not_push_out_an_objects_history() {
        let enabled = StatusSummary::new(ConditionValue::yes(Reason::Enabled, "it works"), Progress::Settled);
        let banned = StatusSummary::new(ConditionValue::no(Reason::Banned, "banned"), Progress::Stalled);
        let app = |reason| StatusSummary::keeping(ConditionValue::unknown(reason, "why"), Progress::Settled);
        let mut status = next_of_number(&WhatsAppNumberStatus::default(), NumberPhase::Restricted, &banned);
        for _ in 0..30 {
            status = next_of_number(&status, NumberPhase::Enabled, &enabled);
            status = next_of_number(&status, NumberPhase::Enabled, &app(Reason::AppNotReady));
            status = next_of_number(&status, NumberPhase::Enabled, &app(Reason::Stale));
        }
        let history: Vec<&str> = status.history.iter().map(|entry| entry.reason.as_str()).collect();
        assert_eq!(history, ["Banned", "Enabled", "Stale"]);
        status = next_of_number(&status, NumberPhase::Restricted, &banned);
        let history: Vec<&str> = status.history.iter().map(|entry| entry.reason.as_str()).collect();
        assert_eq!(history, ["Banned", "Enabled", "Stale", "Banned"], "what is new is not folded");
    }

    #[test]
    fn a_person_has_to_act_on_what_stalls_and_on_what_only_they_can_bring() {
        let cases = [
            (ConditionValue::yes(Reason::Enabled, "-"), Progress::Settled, None, false),
            (ConditionValue::no(Reason::Banned, "-"), Progress::Stalled, None, true),
            (ConditionValue::no(Reason::AwaitingCode, "-"), Progress::Reconciling, None, true),
            (ConditionValue::no(Reason::WrongCode, "-"), Progress::Reconciling, None, true),
            (ConditionValue::no(Reason::Registering, "-"), Progress::Reconciling, None, false),
            (ConditionValue::yes(Reason::Enabled, "-"), Progress::Settled, Some(Reason::PINDiffers), true),
            (ConditionValue::unknown(Reason::Suspended, "-"), Progress::Suspended, Some(Reason::PINDiffers), false),
            (ConditionValue::unknown(Reason::AppNotReady, "-"), Progress::Settled, None, false),
        ];
        for (ready, progress, condition, expected) in cases {
            let conditions =
                condition.map(|reason| ("PINSynced", ConditionValue::no(reason, "-"))).into_iter().collect();
            let verdict = StatusSummary::of(ready, progress, conditions);
            let status = next_of_number(&WhatsAppNumberStatus::default(), NumberPhase::Enabled, &verdict);
            assert_eq!(status.needs_action, expected, "{verdict:?}");
        }
        let rejected = ConditionValue::no(Reason::Rejected, "why");
        let (ready, progress) = observed_only(rejected, Progress::Stalled);
        let status = next_of_number(
            &WhatsAppNumberStatus::default(),
            NumberPhase::Unknown,
            &StatusSummary::new(ready, progress),
        );
        let ready = find(&status.conditions, "Ready").unwrap();
        assert_eq!((ready.status.as_str(), ready.reason.as_str(), status.needs_action), ("True", "Rejected", true));
    }

    #[test]
    fn a_notice_is_an_entry_of_the_history_and_no_transition() {
        let (well, _) = next(&MetaAppStatus::default(), MetaAppPhase::Connected, &connected(), 10);
        let message = "the one in use stays".to_owned();
        let notice = Notice { reason: Reason::TokenRejected, warns: true, message };
        let told = StatusSummary { notices: vec![notice], ..connected() };
        let mut status = well.clone();
        assert!(settle(&mut status, &well, &told, 1, at(11)).is_none(), "phase and Ready are as they were");
        let entries: Vec<_> = status.history.iter().map(|t| (t.phase.as_str(), t.reason.as_str())).collect();
        assert_eq!(entries, [("Connected", "Connected"), ("Connected", "TokenRejected")]);
        let (after, news) = next(&status, MetaAppPhase::Connected, &connected(), 12);
        assert_eq!((after, news), (status, false), "nor is the next look a transition");
    }

    #[test]
    fn history_keeps_the_last_twenty() {
        let mut status = MetaAppStatus::default();
        for hour in 0..24 {
            let reason = if hour % 2 == 0 { Reason::Connected } else { Reason::Stale };
            let verdict = StatusSummary::new(ConditionValue::unknown(reason, "so it is"), Progress::Settled);
            status = next(&status, MetaAppPhase::Connected, &verdict, hour).0;
        }
        assert_eq!((status.history.len(), status.history[0].time.0), (20, at(4)));
    }
}
