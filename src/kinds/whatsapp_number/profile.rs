//! The business profile: the operator compares the fields of the spec with what Meta shows, and writes those that differ, at
//! most once a day per field. Pure.

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    decision::{ConditionReport, Decision, Impact},
    inputs::{ProfileRead, Resolution, Step},
    number_view::NumberView,
    spelling,
};
use crate::{
    api::{Action, Profile},
    calls::{CallInput, Operation},
    controller::{plan::Requeue, summary::ConditionValue},
    graph::types,
    ledger::{Observed, Refusal},
    messages::{Reason, commands, when},
    timing::Timing,
};

/// The operator writes a field that somebody else changed again after this.
const PATIENCE: SignedDuration = SignedDuration::from_hours(24);

/// For how long Meta may show what was there before a write.
const LAG: Duration = Duration::from_mins(2);

/// Whether Meta may not show yet what was written at `written`.
pub fn may_lag(written: Timestamp, now: Timestamp, timing: &Timing) -> bool {
    Duration::try_from(now.duration_since(written)).is_ok_and(|age| age < timing.scaled(LAG))
}

/// What comes next for the profile.
pub fn profile(at: &NumberView<'_>) -> Decision<ConditionReport> {
    if at.is_observed() {
        return Decision::NotManaged;
    }
    let open = at.inputs.ledger.conflicting(Operation::WriteProfile);
    if let Some(open) = open.filter(|_| at.inputs.blocker.is_none()) {
        let Some(left) = at.inputs.foreign_call_grace.get(&open.id) else {
            return Decision::Act(Step::Resolve { id: open.id.clone(), end: Resolution::Lost });
        };
        let message = "another operator may be changing the profile right now";
        return ConditionReport::settled(ConditionValue::no(Reason::OutcomePending, message), Requeue::After(*left));
    }
    let Some(wanted) = at.object.spec.profile.as_ref() else { return Decision::NotManaged };
    if at.inputs.blocker.is_some() || at.inputs.no_writes.is_some() {
        return ConditionReport::unchanged(at.retry());
    }
    if at.is_out_of_reach() {
        return Decision::NotManaged;
    }
    if !at.connection().is_connected() {
        let message = "the operator writes the profile once the number is connected";
        return ConditionReport::new(ConditionValue::no(Reason::NotRegistered, message), Impact::Fine);
    }
    if let Some(refusal) = at.inputs.ledger.refusals.get(&Operation::WriteProfile)
        && refusal.until.is_none_or(|until| at.now() < until)
        && refusal.inputs == inputs(wanted)
    {
        return refused(at, refusal);
    }
    match &at.inputs.profile {
        ProfileRead::NotManaged => Decision::NotManaged,
        ProfileRead::Unread { next } => ConditionReport::unchanged(Requeue::After(*next)),
        ProfileRead::Due => {
            Decision::Act(Step::ReadProfile { account: at.account.to_owned(), id: at.facts.id.to_string() })
        }
        ProfileRead::Shown { profile, fresh, next } => compare(at, &fields(wanted), profile, *fresh, *next),
    }
}

fn refused(at: &NumberView<'_>, refusal: &Refusal) -> Decision<ConditionReport> {
    let retry = refusal.until.map_or_else(String::new, |until| format!(". The operator retries at {}", when(until)));
    let message = format!(
        "Meta refused the profile: {}{retry}. To correct spec.profile: {}",
        refusal.message,
        commands::with("edit", at.object)
    );
    let next = refusal.until.map_or(Requeue::Nothing, |until| at.until(until));
    ConditionReport::stalled(ConditionValue::no(Reason::ProfileRefused, message), next)
}

/// Compares the spec with what Meta shows, which is read again after `next`.
fn compare(
    at: &NumberView<'_>,
    wanted: &BTreeMap<String, Value>,
    shown: &types::Profile,
    fresh: bool,
    next: Duration,
) -> Decision<ConditionReport> {
    let (memory, values) = (&at.inputs.ledger.profile, fields_shown(shown));
    let (mut wrong, mut learnt, mut found) = (BTreeMap::new(), Vec::new(), Found::default());
    for (name, value) in wanted {
        if shown.unreadable.iter().any(|unreadable| unreadable == name) {
            found.unreadable.push(name.clone());
            continue;
        }
        let now = values.get(name).cloned().unwrap_or(Value::Null);
        let is_spelling = spelling::same(name, value, &now);
        match memory.get(name).filter(|field| field.sent == *value) {
            // Its reply was lost and Meta does not show it: it was not written.
            Some(field) if field.lost && field.shown.is_none() && fresh && !is_spelling => {
                wrong.insert(name.clone(), value.clone());
            }
            // A field that was written is read back even if it looks right: the first change by somebody else would otherwise
            // be taken for Meta's spelling.
            Some(field) if field.shown.is_none() && fresh && is_spelling => learnt.push((name.clone(), now)),
            Some(field) if field.shown.is_none() && (!fresh || may_lag(field.at, at.now(), at.timing)) => {
                found.settling = true;
            }
            _ if same(name, value, &now) => {}
            // Meta shows what was sent in its own spelling.
            Some(field) if field.shown.as_ref() == Some(&now) && is_spelling => {}
            Some(field) if at.ago(field.at) < PATIENCE => {
                let until = field.at.checked_add(PATIENCE).unwrap_or(Timestamp::MAX);
                let names = if field.shown.is_none() { &mut found.never_shown } else { &mut found.changed };
                names.push(name.clone());
                found.until = Some(found.until.map_or(until, |earlier| earlier.min(until)));
            }
            _ => {
                wrong.insert(name.clone(), value.clone());
            }
        }
    }
    if !learnt.is_empty() {
        return Decision::Act(Step::RecordObservation(Observed { shown: learnt, ..Observed::default() }));
    }
    if !wrong.is_empty() {
        return write(at, wrong);
    }
    report(at, &found, next)
}

/// What differs, and is not written now.
#[derive(Default)]
struct Found {
    /// What was written a moment ago is not read back yet.
    settling: bool,
    /// Fields of which Meta's reply does not tell what they are.
    unreadable: Vec<String>,
    /// Fields that somebody else changed.
    changed: Vec<String>,
    /// Fields that Meta has not shown as they were written.
    never_shown: Vec<String>,
    /// When the first of them is written again.
    until: Option<Timestamp>,
}

fn report(at: &NumberView<'_>, found: &Found, next: Duration) -> Decision<ConditionReport> {
    if found.settling {
        // Before any other report: the operator reads back what it wrote.
        let message = "the operator wrote the profile a moment ago, and reads it again";
        return ConditionReport::settled(
            ConditionValue::no(Reason::Settling, message),
            Requeue::After(at.timing.settle),
        );
    }
    let mut differs = Vec::new();
    if !found.changed.is_empty() {
        differs.push(format!("somebody else changed {} at Meta", found.changed.join(", ")));
    }
    if !found.never_shown.is_empty() {
        differs.push(format!("Meta accepted {}, and shows something else", found.never_shown.join(", ")));
    }
    if let Some(until) = found.until {
        let message =
            format!("{}; the operator writes a field at most once a day, next at {}", differs.join("; "), when(until));
        return ConditionReport::settled(ConditionValue::no(Reason::ProfileDiffers, message), at.until(until));
    }
    if !found.unreadable.is_empty() {
        let message = format!(
            "Meta's reply does not show {} of the profile in a form that the operator can read; the operator changes nothing there \
             until it does. To read the profile again: {}",
            found.unreadable.join(", "),
            commands::request(at.object, Action::Reconcile)
        );
        let value = ConditionValue::unknown(Reason::ProfileUnreadable, message);
        return ConditionReport::settled(value, Requeue::After(next));
    }
    let value = ConditionValue::yes(Reason::ProfileSynced, "Meta shows the fields of spec.profile as written");
    ConditionReport::settled(value, Requeue::After(next))
}

fn write(at: &NumberView<'_>, fields: BTreeMap<String, Value>) -> Decision<ConditionReport> {
    if let Some(why) = &at.inputs.held_back {
        let message = format!("the operator could not write the profile, and retries: {why}");
        return ConditionReport::settled(ConditionValue::no(Reason::HeldBack, message), at.retry());
    }
    Decision::Act(at.send(CallInput::WriteProfile { fields }, None, None))
}

/// Identifies the profile that the spec wants.
pub fn inputs(wanted: &Profile) -> String {
    // Texts only: they can always be written.
    serde_json::to_string(&fields(wanted)).unwrap_or_default()
}

/// The fields that the spec names, by Meta's names.
fn fields(wanted: &Profile) -> BTreeMap<String, Value> {
    let Profile { about, address, description, email, websites, vertical } = wanted;
    by_name([about, address, description, email, vertical], websites.as_ref())
}

/// The fields that Meta shows.
fn fields_shown(profile: &types::Profile) -> BTreeMap<String, Value> {
    let types::Profile { about, address, description, email, websites, vertical, unreadable: _ } = profile;
    by_name([about, address, description, email, vertical], Some(websites))
}

fn by_name(texts: [&Option<impl Serialize>; 5], websites: Option<impl Serialize>) -> BTreeMap<String, Value> {
    let texts = ["about", "address", "description", "email", "vertical"].into_iter().zip(texts);
    let texts = texts.filter_map(|(name, text)| Some((name.to_owned(), json!(text.as_ref()?))));
    texts.chain(websites.map(|websites| ("websites".to_owned(), json!(websites)))).collect()
}

/// An empty text or list and nothing are the same.
fn same(name: &str, wanted: &Value, shown: &Value) -> bool {
    wanted == shown || (spelling::is_empty(name, wanted) && spelling::is_empty(name, shown))
}
