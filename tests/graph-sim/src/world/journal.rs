//! What callers did: the log of calls, and what a careful client would not have done.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::Serialize;
use serde_json::Value;

use super::usage::IN_FLIGHT;

/// Entries kept; older ones are forgotten, so that a long run does not eat the machine.
const CALLS_KEPT: usize = 20_000;
const VIOLATIONS_KEPT: usize = 10_000;
/// Numbers of one account read one by one, within [`PER_NUMBER_WINDOW`] seconds, that still look like chance.
const NUMBERS_ONE_BY_ONE: usize = 5;
const PER_NUMBER_WINDOW: i64 = 60;

/// One call, as `/_sim/calls` shows it. `status` and `code` are null while it runs and when the answer was lost.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CallEntry {
    pub(crate) seq: u64,
    pub(crate) time: String,
    pub(crate) client: Option<String>,
    pub(crate) connection: u64,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Value,
    pub(crate) headers: Value,
    pub(crate) body: Value,
    pub(crate) status: Option<u16>,
    pub(crate) code: Option<i64>,
    pub(crate) effect: Option<String>,
}

/// One thing a careful client never does.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Violation {
    /// The call's number in the log.
    pub(crate) seq: u64,
    pub(crate) rule: &'static str,
    pub(crate) detail: String,
}

/// The log and the violations.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    calls: VecDeque<CallEntry>,
    violations: VecDeque<Violation>,
    last: u64,
    /// Calls up to this one were made to a world that is gone.
    before: u64,
    refused_tokens: BTreeMap<String, i64>,
    one_by_one: BTreeMap<String, (i64, BTreeSet<String>)>,
}

impl Journal {
    /// Logs the arrival of a call and returns its number.
    pub(crate) fn begin(&mut self, mut entry: CallEntry) -> u64 {
        self.last += 1;
        entry.seq = self.last;
        if self.calls.len() == CALLS_KEPT {
            self.calls.pop_front();
        }
        self.calls.push_back(entry);
        self.last
    }

    /// Continues another journal's numbers, so that calls still running cannot be taken for new ones.
    pub(crate) const fn number_on_from(&mut self, old: &Self) {
        (self.last, self.before) = (old.last, old.last);
    }

    /// Whether a call was made to this world, and not to the one before.
    pub(crate) const fn is_ours(&self, seq: u64) -> bool {
        seq > self.before
    }

    fn entry(&mut self, seq: u64) -> Option<&mut CallEntry> {
        let index = self.calls.binary_search_by_key(&seq, |entry| entry.seq).ok()?;
        self.calls.get_mut(index)
    }

    /// Logs what a call changed.
    pub(crate) fn effect(&mut self, seq: u64, effect: Option<String>) {
        if let Some(entry) = self.entry(seq) {
            entry.effect = effect;
        }
    }

    /// Logs the answer that left for the caller.
    pub(crate) fn answered(&mut self, seq: u64, status: u16, code: Option<i64>) {
        if let Some(entry) = self.entry(seq) {
            (entry.status, entry.code) = (Some(status), code);
        }
    }

    pub(crate) fn calls(&self, since: u64) -> Vec<CallEntry> {
        self.calls.iter().filter(|entry| entry.seq > since).cloned().collect()
    }

    /// Empties the log; numbers go on from where they are.
    pub(crate) fn forget_calls(&mut self) {
        self.calls.clear();
    }

    pub(crate) fn violations(&self) -> impl Iterator<Item = &Violation> {
        self.violations.iter()
    }

    pub(crate) fn forget_violations(&mut self) {
        self.violations.clear();
    }

    pub(crate) fn violation(&mut self, seq: u64, rule: &'static str, detail: String) {
        if self.violations.len() == VIOLATIONS_KEPT {
            self.violations.pop_front();
        }
        self.violations.push_back(Violation { seq, rule, detail });
    }

    /// Notes that a token works: whatever was refused before is over.
    pub(crate) fn token_accepted(&mut self, token: &str) {
        self.refused_tokens.remove(token);
    }

    /// Notes that a token was refused as dead; more than one probe in `probe` seconds is a violation.
    pub(crate) fn token_refused(&mut self, seq: u64, token: &str, now: i64, probe: i64) {
        match self.refused_tokens.get(token).copied() {
            Some(since) if now < since + probe => {
                if now > since + IN_FLIGHT {
                    self.violation(
                        seq,
                        "dead-token",
                        format!("token {token} again, {} s after it was refused", now - since),
                    );
                }
            }
            _ => {
                self.refused_tokens.insert(token.to_owned(), now);
            }
        }
    }

    /// Notes a read of one number by its id; many numbers of one account in a row are a violation.
    pub(crate) fn number_read(&mut self, seq: u64, account: &str, number: &str, now: i64) {
        let (since, numbers) = self.one_by_one.entry(account.to_owned()).or_insert_with(|| (now, BTreeSet::new()));
        if now >= *since + PER_NUMBER_WINDOW {
            (*since, *numbers) = (now, BTreeSet::new());
        }
        let grew = numbers.insert(number.to_owned());
        if grew && numbers.len() == NUMBERS_ONE_BY_ONE + 1 {
            let detail = format!("{} numbers of account {account} read one by one within a minute", numbers.len());
            self.violation(seq, "get-per-number", detail);
        }
    }
}
