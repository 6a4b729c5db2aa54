//! Whoever has to act is told how: by a command to copy, or by the place at Meta. [`lacking`] looks at every status that a
//! test of a plan has written, so that a new message cannot forget it.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::k8s::conditions::{MESSAGE_LIMIT, STALLED};
use crate::messages::{Reason, is_command};

/// Every place at Meta that a message may send people to.
const PLACES: [&str; 6] = [
    "WhatsApp Manager > Phone numbers",
    "WhatsApp Manager > Account quality",
    "WhatsApp Manager > Message templates",
    "App Dashboard > WhatsApp > Configuration",
    "App Dashboard > App settings > Basic",
    "Business settings > System users",
];

/// Which conditions leave a person alone with what they say.
pub fn lacking(conditions: &[Condition]) -> Vec<String> {
    conditions.iter().filter_map(|condition| Some(format!("{} {}", condition.type_, wrong(condition)?))).collect()
}

fn wrong(Condition { type_, status, reason, message, .. }: &Condition) -> Option<String> {
    let mended = Reason::named(reason).is_some_and(Reason::is_for_people) && status != "True";
    let told = message.lines().any(is_command) || PLACES.iter().any(|words| message.contains(words));
    if (type_ == STALLED || mended) && !told {
        return Some(format!("does not say how to act: {message}"));
    }
    if message.chars().count() >= MESSAGE_LIMIT {
        return Some(format!("is cut off: {message}"));
    }
    // What follows a pipe has its namespace from what comes through it.
    let place = |rest: &&str| {
        let namespace = rest.strip_prefix("-n ").and_then(|rest| rest.split(' ').next());
        namespace.is_some_and(|namespace| !namespace.is_empty()) || rest.starts_with("apply --server-side")
    };
    if message.split("kubectl ").skip(1).any(|rest| !place(&rest)) {
        return Some(format!("has a command without a namespace: {message}"));
    }
    let mut lines = message.lines().peekable();
    while let Some(line) = lines.next() {
        let below: Vec<&str> = std::iter::from_fn(|| lines.next_if(|next| next.starts_with('('))).collect();
        if !is_command(line) && line.contains("kubectl -n ") {
            return Some(format!("has a command within a line: {message}"));
        }
        if is_command(line) && line.ends_with(['.', ',', ';', ':', ')']) && !line.ends_with("%TZ)") {
            return Some(format!("has a command with something stuck to it: {message}"));
        }
        if is_command(line) && is_edit(line) && !below.iter().any(|note| note.starts_with("(or in Git")) {
            return Some(format!("does not say that Git may have the spec: {message}"));
        }
        let open = line.split_once("YOUR_").filter(|_| is_command(line));
        if open.is_some() && !below.iter().any(|note| note.contains("YOUR_")) {
            return Some(format!("has a placeholder without a meaning: {message}"));
        }
    }
    None
}

/// Whether the command changes a spec.
fn is_edit(command: &str) -> bool {
    [" edit wan ", " edit wamt ", " edit mapp ", r#"{"spec":"#].iter().any(|words| command.contains(words))
}

/// The reasons that a page of the documentation marks as standing still.
pub fn documented(page: &str) -> BTreeSet<&str> {
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let stalled = rows.filter(|row| row.split('|').nth(2).is_some_and(|status| status.contains("Stalled")));
    stalled.flat_map(|row| row.split('|').nth(1).unwrap_or_default().split('`').skip(1).step_by(2)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::k8s::conditions::{State, condition};

    #[test]
    fn a_message_that_leaves_people_alone_is_found() {
        for (kind, reason, message, found) in [
            ("Stalled", "Banned", "Meta banned the number", "does not say how to act"),
            ("PINSynced", "PINDiffers", "it is not the one in force", "does not say how to act"),
            ("Ready", "Registering", "Meta is connecting the number", ""),
            ("Stalled", "Banned", "appeal in WhatsApp Manager > Account quality", ""),
            ("Stalled", "Banned", "appeal at Meta", "does not say how to act"),
            ("Stalled", "Conflict", "to delete it:\nkubectl -n cc delete wan support-fr", ""),
            ("Stalled", "Conflict", "to delete it:\nkubectl delete wan support-fr", "without a namespace"),
            ("Stalled", "Conflict", "to delete it:\nkubectl -n  delete wan support-fr", "without a namespace"),
            ("Ready", "Stale", "to see why: kubectl -n cc describe wan support-fr", "within a line"),
            ("Stalled", "Conflict", "to delete it:\nkubectl -n cc delete wan support-fr.", "stuck to it"),
            ("Stalled", "CodeExpired", "kubectl -n cc create … -o yaml | kubectl apply --server-side -f -", ""),
            ("Ready", "Conflict", &"kubectl -n cc get wan ".repeat(99), "is cut off"),
        ] {
            let condition = condition(kind, State::False, reason, message, 1, "2026-11-22T10:00:00Z".parse().unwrap());
            let lacking = lacking(&[condition]).join("; ");
            assert!(
                if found.is_empty() { lacking.is_empty() } else { lacking.contains(found) },
                "{message}: {lacking}"
            );
        }
    }
}
