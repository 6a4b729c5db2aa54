//! The app's business accounts: which there are, and whether they can be read.

use std::ops::ControlFlow;

use super::{
    custody::Token,
    facts::Facts,
    plan::{Input, Known, Step},
};
use crate::{
    graph::{
        Class,
        wire::{AccountScope, TokenInfo},
    },
    observe::{AccountState, Failure},
    reconcile::{
        reason::Reason,
        verdict::{Finding, Progress},
    },
};

/// How many accounts a message names.
const NAMED: usize = 3;

/// The accounts under management, and how they read.
#[derive(Debug)]
pub struct Accounts {
    /// Sorted.
    pub ids: Vec<String>,
    /// Condition `AccountsSynced`.
    pub finding: Finding,
    /// Who has to act.
    pub progress: Progress,
    /// Whether Meta could not be read for so long that what is shown may be out of date.
    pub stale: bool,
    /// Whether an account was not even tried yet by this process.
    pub reading: bool,
}

/// Lists the accounts, and judges what the pollers found.
pub fn examine(input: &Input<'_>, facts: &Facts, live: &Token, info: &TokenInfo) -> Known<Accounts> {
    let ids = match (&input.app.spec.business_account_ids, info.account_scope()) {
        (Some(ids), _) => Some(ids.clone()),
        (None, AccountScope::Listed(ids)) => Some(ids.iter().map(ToString::to_string).collect()),
        (None, AccountScope::All) => {
            let timing = input.timing;
            if facts.accounts.due(&live.fingerprint, timing.inspect_interval, timing.retry_interval, input.instant) {
                return ControlFlow::Break(Step::Discover);
            }
            facts.accounts.answer(&live.fingerprint).cloned()
        }
    };
    let Some(mut ids) = ids else {
        let why = facts.accounts.failure(&live.fingerprint).map(ToString::to_string).unwrap_or_default();
        return ControlFlow::Continue(Accounts {
            ids: input.accounts.keys().map(ToString::to_string).collect(),
            finding: Finding::unknown(
                Reason::MetaUnreachable,
                format!("the business accounts could not be listed: {why}; the operator keeps trying"),
            ),
            progress: Progress::Reconciling,
            stale: false,
            reading: false,
        });
    };
    ids.sort();
    ids.dedup();
    ControlFlow::Continue(judge(input, ids))
}

fn judge(input: &Input<'_>, ids: Vec<String>) -> Accounts {
    if ids.is_empty() {
        let message = "the token does not let the operator see any business account; assign the accounts to the \
                       token's system user, or name them in spec.businessAccountIDs";
        let finding = Finding::no(Reason::NoAccounts, message);
        return Accounts { ids, finding, progress: Progress::Stalled, stale: false, reading: false };
    }
    let states: Vec<(&String, Option<&AccountState>)> =
        ids.iter().map(|id| (id, input.accounts.get(id.as_str()))).collect();
    let stale = states.iter().any(|(_, state)| state.is_some_and(|state| is_stale(state, input)));
    let failures: Vec<(&String, &Failure)> =
        states.iter().filter_map(|(id, state)| Some((*id, state.as_ref()?.failure.as_ref()?))).collect();
    let reading = states.iter().any(|(_, state)| state.is_none_or(|s| s.snapshot.is_none() && s.failure.is_none()));
    let (finding, progress) = if let Some((_, worst)) = failures.iter().max_by_key(|(_, f)| needs_person(&f.error)) {
        let person = needs_person(&worst.error);
        let shown: Vec<_> = failures.iter().filter(|(_, f)| needs_person(&f.error) == person).copied().collect();
        failed(&shown, person)
    } else if reading {
        (Finding::no(Reason::Reading, "the business accounts are being read for the first time"), Progress::Reconciling)
    } else if let Some(why) = &input.import_failure {
        (Finding::no(Reason::ImportFailed, why.clone()), Progress::Reconciling)
    } else {
        let accounts = if ids.len() == 1 {
            "the business account".to_owned()
        } else {
            format!("all {} business accounts", ids.len())
        };
        (Finding::yes(Reason::Synced, format!("{accounts} can be read")), Progress::Settled)
    };
    Accounts { ids, finding, progress, stale, reading }
}

/// What a person has to see to is told as that.
fn is_stale(state: &AccountState, input: &Input<'_>) -> bool {
    let passing = state.failure.as_ref().is_some_and(|failure| !needs_person(&failure.error));
    passing
        && state
            .unread_since()
            .is_some_and(|since| input.instant.saturating_duration_since(since) > input.stale_after())
}

fn needs_person(error: &crate::graph::Error) -> bool {
    !matches!(error.class(), Class::Transient | Class::Throttled { .. } | Class::Token)
}

fn failed(failures: &[(&String, &Failure)], person: bool) -> (Finding, Progress) {
    let listed: Vec<String> = failures.iter().take(NAMED).map(|(id, f)| format!("{id}: {}", f.error)).collect();
    let more = failures.len().saturating_sub(NAMED);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    let listed = format!("{}{more}", listed.join("; "));
    if person {
        let message = format!(
            "business accounts that the token cannot read: {listed}. Assign them to the token's system user, or take \
             them out of spec.businessAccountIDs; the last known values stay"
        );
        return (Finding::no(Reason::AccountNotReadable, message), Progress::Stalled);
    }
    let throttled = failures.iter().all(|(_, f)| f.error.throttled_until().is_some());
    let reason = if throttled { Reason::Throttled } else { Reason::MetaUnreachable };
    let message =
        format!("business accounts could not be read: {listed}. The last known values stay; the operator keeps trying");
    (Finding::no(reason, message), Progress::Reconciling)
}
