//! Conditions and history: pure helpers, and the rules every status keeps.

use std::cmp::Ordering;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::messages::lay_out;
use crate::{
    api::{HISTORY_LIMIT, whole_seconds},
    telemetry::scrub,
};

pub use crate::api::READY;

/// Work goes on without a person.
pub const RECONCILING: &str = "Reconciling";
/// A person must act.
pub const STALLED: &str = "Stalled";

/// Whether messages can be sent now.
pub const SENDABLE: &str = "Sendable";

/// How many characters a message may have.
pub const MESSAGE_LIMIT: usize = 1024;

/// The value of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is so.
    True,
    /// It is not so.
    False,
    /// It is not known.
    Unknown,
}

impl State {
    /// As Kubernetes spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }

    /// From Kubernetes' spelling; what is neither True nor False is unknown.
    #[must_use]
    pub fn named(word: &str) -> Self {
        match word {
            "True" => Self::True,
            "False" => Self::False,
            _ => Self::Unknown,
        }
    }
}

/// A condition as found now, its message cut to [`MESSAGE_LIMIT`]; [`set`] keeps the time of an older transition.
#[must_use]
pub fn condition(
    type_: &str,
    state: State,
    reason: &str,
    message: &str,
    observed_generation: i64,
    now: Timestamp,
) -> Condition {
    Condition {
        type_: type_.to_owned(),
        status: state.as_str().to_owned(),
        reason: reason.to_owned(),
        message: truncate(&lay_out(message), MESSAGE_LIMIT),
        observed_generation: Some(observed_generation),
        last_transition_time: whole_seconds(now),
    }
}

/// Adds or replaces a condition. The transition time stays while the status does. The list stays in order.
pub fn set(conditions: &mut Vec<Condition>, mut new: Condition) {
    match conditions.iter_mut().find(|old| old.type_ == new.type_) {
        Some(old) => {
            if old.status == new.status {
                new.last_transition_time = old.last_transition_time.clone();
            }
            *old = new;
        }
        None => conditions.push(new),
    }
    conditions.sort_by(|a, b| order(&a.type_, &b.type_));
}

/// The condition of this type.
#[must_use]
pub fn find<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == type_)
}

/// Whether the condition of this type is there and `True`.
#[must_use]
pub fn is_true(conditions: &[Condition], type_: &str) -> bool {
    find(conditions, type_).is_some_and(|condition| condition.status == "True")
}

/// Stamps the generation on every condition: those that keep their last value were judged anew, too.
pub fn stamp(conditions: &mut [Condition], observed_generation: i64) {
    for condition in conditions {
        condition.observed_generation = Some(observed_generation);
    }
}

/// Ready, Reconciling, Stalled, then the others by name.
fn order(a: &str, b: &str) -> Ordering {
    let rank = |type_: &str| [READY, RECONCILING, STALLED].iter().position(|first| *first == type_).unwrap_or(3);
    rank(a).cmp(&rank(b)).then_with(|| a.cmp(b))
}

/// The text in at most `limit` characters; where it is cut, it ends with how many are left out.
#[must_use]
pub fn truncate(text: &str, limit: usize) -> String {
    let length = text.chars().count();
    if length <= limit {
        return text.to_owned();
    }
    // Room for the longest suffix: the count of what is left out has no more digits than the length.
    let kept = limit.saturating_sub(format!("… ({length} more characters)").chars().count());
    let head: String = text.chars().take(kept).collect();
    format!("{head}… ({} more characters)", length - kept)
}

/// Appends an entry, newest last, and drops the oldest beyond [`HISTORY_LIMIT`].
pub fn push_history<T>(history: &mut Vec<T>, entry: T) {
    history.push(entry);
    history.drain(..history.len().saturating_sub(HISTORY_LIMIT));
}

/// What is wrong with a status, one sentence each; empty when it keeps the rules. For tests: every status that can be
/// produced must pass.
#[must_use]
pub fn check_invariants(conditions: &[Condition], observed_generation: i64, generation: i64) -> Vec<String> {
    let mut broken: Vec<String> = conditions.iter().flat_map(|c| check_one(c, observed_generation)).collect();
    let mut rule = |kept: bool, sentence: &str| {
        if !kept {
            broken.push(sentence.to_owned());
        }
    };
    let (ready, reconciling, stalled) =
        (find(conditions, READY), find(conditions, RECONCILING), find(conditions, STALLED));
    rule(observed_generation == generation, "observedGeneration is not the object's generation");
    rule(ready.is_some(), "Ready is missing");
    rule(reconciling.is_none() || stalled.is_none(), "Reconciling and Stalled are both there");
    rule(reconciling.is_none_or(|c| c.status == "True"), "Reconciling is there but not True: remove it");
    rule(stalled.is_none_or(|c| c.status == "True"), "Stalled is there but not True: remove it");
    let ready_true = is_true(conditions, READY);
    rule(!ready_true || stalled.is_none(), "Ready is True while Stalled");
    rule(!ready_true || reconciling.is_none(), "Ready is True while Reconciling");
    rule(
        conditions.is_sorted_by(|a, b| order(&a.type_, &b.type_) == Ordering::Less),
        "conditions are not in order, or a type is there twice",
    );
    broken
}

fn check_one(condition: &Condition, observed_generation: i64) -> Vec<String> {
    let Condition { type_, status, reason, message, observed_generation: observed, .. } = condition;
    let rules = [
        (is_camel_case(type_), "its type is not CamelCase"),
        (matches!(status.as_str(), "True" | "False" | "Unknown"), "its status is not True, False or Unknown"),
        (is_camel_case(reason), "its reason is not CamelCase"),
        (*observed == Some(observed_generation), "its observedGeneration differs from the status'"),
        (!message.trim().is_empty(), "its message is empty"),
        (message.chars().count() <= MESSAGE_LIMIT, "its message is too long"),
        (scrub(message) == *message, "its message holds something like a credential"),
    ];
    rules.iter().filter(|(kept, _)| !kept).map(|(_, sentence)| format!("{type_}: {sentence}")).collect()
}

fn is_camel_case(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase()) && name.chars().all(|c| c.is_ascii_alphanumeric())
}

#[cfg(test)]
#[path = "conditions_tests.rs"]
mod tests;
