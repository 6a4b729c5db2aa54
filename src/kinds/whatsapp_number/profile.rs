//! The business profile: what the spec names is compared with what Meta shows, and set right, at most once a day per
//! field. Pure.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    inputs::{ProfileRead, Resolution, Step},
    onboarding::{Decision, NumberView},
    webhook::Impact,
};
use crate::{
    api::Profile,
    calls::{CallInput, Operation},
    controller::{
        plan::Requeue,
        summary::{ConditionValue, Progress},
    },
    graph::types,
    messages::{Reason, commands},
};

/// A field that somebody else changes is set right again after this.
const PATIENCE: SignedDuration = SignedDuration::from_hours(24);

/// How the profile stands.
#[derive(Debug)]
pub enum Standing {
    /// It is none of ours.
    NotManaged,
    /// This first.
    Step(Step),
    /// So; `None`: what was said stays.
    ReadyReport(Option<ConditionValue>, Impact),
}

/// What comes next for the profile.
pub fn profile(at: &NumberView<'_>) -> Standing {
    if let Some(open) = at.inputs.ledger.conflicting(Operation::WriteProfile).filter(|_| at.inputs.blocker.is_none()) {
        let Some(left) = at.inputs.foreign_call_grace.get(&open.id) else {
            return Standing::Step(Step::Resolve { id: open.id.clone(), end: Resolution::Lost });
        };
        let finding =
            ConditionValue::no(Reason::OutcomePending, "another operator may be changing the profile right now");
        return Standing::ReadyReport(Some(finding), Impact::Waits(Progress::Settled, Requeue::After(*left)));
    }
    let Some(wanted) = at.object.spec.profile.as_ref() else { return Standing::NotManaged };
    if at.inputs.blocker.is_some() || at.inputs.no_writes.is_some() {
        let again = Requeue::After(at.timing.retry_interval);
        return Standing::ReadyReport(None, Impact::Waits(Progress::Settled, again));
    }
    if at.is_out_of_reach() {
        return Standing::NotManaged;
    }
    if !at.facts.is_registered() {
        let message = "the profile is set once the number is registered";
        return Standing::ReadyReport(Some(ConditionValue::no(Reason::NotRegistered, message)), Impact::Fine);
    }
    if let Some(refusal) = at.inputs.ledger.refusals.get(&Operation::WriteProfile)
        && refusal.until.is_none_or(|until| at.now() < until)
        && refusal.inputs == inputs(wanted)
    {
        let message = format!(
            "Meta refused the profile: {}; correct spec.profile, or it is tried again. To correct it: {}",
            refusal.message,
            commands::with("edit", at.object)
        );
        let next = refusal.until.map_or(Requeue::Nothing, |until| at.until(until));
        return Standing::ReadyReport(
            Some(ConditionValue::no(Reason::ProfileRefused, message)),
            Impact::Waits(Progress::Stalled, next),
        );
    }
    let (shown, fresh, next) = match &at.inputs.profile {
        ProfileRead::NotManaged => return Standing::NotManaged,
        ProfileRead::Unread { next } => {
            return Standing::ReadyReport(None, Impact::Waits(Progress::Settled, Requeue::After(*next)));
        }
        ProfileRead::Due => {
            return Standing::Step(Step::ReadProfile { account: at.account.to_owned(), id: at.facts.id.to_string() });
        }
        ProfileRead::Shown { profile, fresh, next } => (fields_shown(profile), *fresh, *next),
    };
    match compare(at, &fields(wanted), &shown, fresh) {
        Standing::ReadyReport(finding, Impact::Fine) => {
            Standing::ReadyReport(finding, Impact::Waits(Progress::Settled, Requeue::After(next)))
        }
        other => other,
    }
}

fn compare(
    at: &NumberView<'_>,
    wanted: &BTreeMap<String, Value>,
    shown: &BTreeMap<String, Value>,
    fresh: bool,
) -> Standing {
    let memory = &at.inputs.ledger.profile;
    let (mut wrong, mut learnt, mut later, mut settling) = (BTreeMap::new(), Vec::new(), Vec::new(), false);
    for (name, value) in wanted {
        let now = shown.get(name).cloned().unwrap_or(Value::Null);
        match memory.get(name).filter(|field| field.sent == *value) {
            // Not there, it was not written.
            Some(field) if field.lost && field.shown.is_none() && fresh && !same(name, value, &now) => {
                wrong.insert(name.clone(), value.clone());
            }
            // What was written is read once more even so, or somebody else's first change would be taken for Meta's way.
            Some(field) if field.shown.is_none() && fresh => learnt.push((name.clone(), now)),
            Some(field) if field.shown.is_none() => settling = true,
            _ if same(name, value, &now) => {}
            // Meta shows what was sent in its own way.
            Some(field) if field.shown.as_ref() == Some(&now) => {}
            Some(field) if at.ago(field.at) < PATIENCE => {
                later.push((name.clone(), field.at.checked_add(PATIENCE).unwrap_or(Timestamp::MAX)));
            }
            _ => {
                wrong.insert(name.clone(), value.clone());
            }
        }
    }
    if !learnt.is_empty() {
        return Standing::Step(Step::RecordObservation { id: None, connected: false, shown: learnt });
    }
    if !wrong.is_empty() {
        return write(at, wrong);
    }
    if settling {
        // Whatever else there is to say: what was written has to be read back before long.
        let finding = ConditionValue::no(Reason::Settling, "the profile was written a moment ago, and is read again");
        return Standing::ReadyReport(
            Some(finding),
            Impact::Waits(Progress::Settled, Requeue::After(at.timing.settle)),
        );
    }
    let Some((_, next)) = later.iter().min_by_key(|(_, time)| *time) else {
        let finding = ConditionValue::yes(Reason::ProfileSynced, "the fields of spec.profile are as written");
        return Standing::ReadyReport(Some(finding), Impact::Fine);
    };
    let names: Vec<&str> = later.iter().map(|(name, _)| name.as_str()).collect();
    let message = format!(
        "somebody else has changed {} at Meta; a field is set right once a day at most, next at {}",
        names.join(", "),
        super::onboarding::when(*next)
    );
    Standing::ReadyReport(
        Some(ConditionValue::no(Reason::ProfileDiffers, message)),
        Impact::Waits(Progress::Settled, at.until(*next)),
    )
}

fn write(at: &NumberView<'_>, fields: BTreeMap<String, Value>) -> Standing {
    let settled = |reason, message: String, next| {
        Standing::ReadyReport(Some(ConditionValue::no(reason, message)), Impact::Waits(Progress::Settled, next))
    };
    if let Some(why) = &at.inputs.held_back {
        let message = format!("Meta could not be asked, and is asked again: {why}");
        return settled(Reason::HeldBack, message, Requeue::After(at.timing.retry_interval));
    }
    match at.send(CallInput::WriteProfile { fields }, None, None) {
        Decision::Act(step) => Standing::Step(step),
        _ => Standing::NotManaged,
    }
}

/// Names what the spec wants.
pub fn inputs(wanted: &Profile) -> String {
    // Texts only: they can always be written.
    serde_json::to_string(&fields(wanted)).unwrap_or_default()
}

/// The fields that the spec names, by Meta's names.
fn fields(wanted: &Profile) -> BTreeMap<String, Value> {
    let Profile { about, address, description, email, websites, vertical } = wanted;
    let texts = [
        ("about", about),
        ("address", address),
        ("description", description),
        ("email", email),
        ("vertical", vertical),
    ];
    let texts = texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), json!(text.as_ref()?))));
    let websites = websites.as_ref().map(|websites| ("websites".to_owned(), json!(websites)));
    texts.chain(websites).collect()
}

fn fields_shown(profile: &types::Profile) -> BTreeMap<String, Value> {
    let types::Profile { about, address, description, email, websites, vertical } = profile;
    let texts = [
        ("about", about),
        ("address", address),
        ("description", description),
        ("email", email),
        ("vertical", vertical),
    ];
    let texts = texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), json!(text.as_ref()?))));
    let websites = (!websites.is_empty()).then(|| ("websites".to_owned(), json!(websites)));
    texts.chain(websites).collect()
}

/// An empty text or list and nothing are the same.
fn same(name: &str, wanted: &Value, shown: &Value) -> bool {
    let empty = |value: &Value| match value {
        Value::Null => true,
        Value::String(text) => text.is_empty() || (name == "vertical" && text == "UNDEFINED"),
        Value::Array(items) => items.is_empty(),
        _ => false,
    };
    wanted == shown || (empty(wanted) && empty(shown))
}
