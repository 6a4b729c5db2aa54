//! What Meta replied about an app, and when each request is due again. Nothing here outlives the process: a new leader sends
//! each request once more.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crate::{
    graph::{self, types::TokenInfo},
    observe::AccountState,
};

/// An answer of Meta about one subject (a token, a pair of app ID and secret), and why the last request for a newer one failed.
#[derive(Debug, Clone)]
pub struct CachedAnswer<T> {
    answer: Option<Dated<T>>,
    failure: Option<Dated<graph::Error>>,
    /// Since when requests about the failure's subject have failed.
    failing_since: Option<Instant>,
    doubted: bool,
}

#[derive(Debug, Clone)]
struct Dated<T> {
    subject: String,
    value: T,
    at: Instant,
}

impl<T> Default for CachedAnswer<T> {
    fn default() -> Self {
        Self { answer: None, failure: None, failing_since: None, doubted: false }
    }
}

impl<T> CachedAnswer<T> {
    /// The last answer about `subject`, however old.
    pub fn answer(&self, subject: &str) -> Option<&T> {
        self.answer.as_ref().filter(|a| a.subject == subject).map(|a| &a.value)
    }

    /// Why the last request about `subject` failed, if it did.
    pub fn failure(&self, subject: &str) -> Option<&graph::Error> {
        self.failure.as_ref().filter(|f| f.subject == subject).map(|f| &f.value)
    }

    /// The same as text; empty where the last request did not fail.
    pub fn failure_text(&self, subject: &str) -> String {
        self.failure(subject).map(ToString::to_string).unwrap_or_default()
    }

    /// Since when requests about `subject` have failed, if the last one did.
    pub fn failing_since(&self, subject: &str) -> Option<Instant> {
        self.failure(subject).and(self.failing_since)
    }

    /// When the last request ended, about whatever subject.
    fn looked_at(&self) -> Option<Instant> {
        self.answer.as_ref().map(|answer| answer.at).max(self.failure.as_ref().map(|failure| failure.at))
    }

    /// When the next request about `subject` is due: `every` after an answer, `retry` after a failure; `None`: now.
    pub fn next(&self, subject: &str, every: Duration, retry: Duration) -> Option<Instant> {
        if self.doubted {
            return None;
        }
        if let Some(failure) = self.failure.as_ref().filter(|f| f.subject == subject) {
            // A list without an end costs many calls each time.
            return Some(failure.at + if failure.value.is_endless() { every } else { retry });
        }
        self.answer.as_ref().filter(|a| a.subject == subject).map(|answer| answer.at + every)
    }

    /// Whether the next request is due.
    pub fn due(&self, subject: &str, every: Duration, retry: Duration, now: Instant) -> bool {
        self.next(subject, every, retry).is_none_or(|next| next <= now)
    }

    /// Takes in what came of a request about `subject`.
    pub fn record(&mut self, subject: &str, found: Result<T, graph::Error>, at: Instant) {
        match found {
            Ok(value) => self.learn(subject, value, at),
            Err(error) => self.fail(subject, error, at),
        }
    }

    /// Takes an answer in.
    fn learn(&mut self, subject: &str, value: T, at: Instant) {
        self.answer = Some(Dated { subject: subject.to_owned(), value, at });
        self.failure = None;
        self.failing_since = None;
        self.doubted = false;
    }

    /// Takes a failure in; the last answer stays.
    fn fail(&mut self, subject: &str, error: graph::Error, at: Instant) {
        self.failing_since = self.failing_since(subject).or(Some(at));
        self.failure = Some(Dated { subject: subject.to_owned(), value: error, at });
        self.doubted = false;
    }

    /// Makes it due; the answer stands until there is a new one.
    pub fn read_again(&mut self) {
        self.doubted = true;
    }
}

/// Whether app ID and app secret belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// They do; the app's name.
    Valid(String),
    /// Meta knows no app with this ID.
    WrongAppID,
    /// The secret is not this app's.
    WrongAppSecret,
}

/// What an exchange came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exchanged {
    /// A new token was stored; it still has to be proven.
    Stored,
    /// Meta gave nothing better: the same token, or one that does not last longer.
    NothingBetter,
    /// Meta refused; the sentence says why.
    Refused(String),
}

/// Everything found out about one app.
#[derive(Debug, Clone, Default)]
pub struct AppAnswers {
    /// By the fingerprint of app ID and secret.
    pub credentials: CachedAnswer<Credentials>,
    /// The same of an app secret that is not in use yet.
    pub offered_secret: CachedAnswer<Credentials>,
    /// When the app secret in use could not be stored last.
    pub not_kept: Option<Instant>,
    /// By the live token's fingerprint; `None`: it was issued by another app.
    pub live: CachedAnswer<Option<TokenInfo>>,
    /// By the candidate's fingerprint; `None`: it was issued by another app.
    pub candidate: CachedAnswer<Option<TokenInfo>>,
    /// Whether the candidate may read an account: by account, about the candidate's fingerprint.
    pub probes: BTreeMap<Box<str>, CachedAnswer<bool>>,
    /// The accounts that the live token sees, by its fingerprint.
    pub accounts: CachedAnswer<Vec<String>>,
    /// The last exchange, by what the live token stems from: what an exchange brought is not exchanged again at once.
    pub exchange: CachedAnswer<Exchanged>,
    /// When a poll was first told that the live token is dead, with the token's fingerprint.
    pub refused: Option<(String, Instant)>,
}

impl AppAnswers {
    /// Everything is due: a person requests it.
    pub fn read_again(&mut self) {
        self.credentials.read_again();
        self.offered_secret.read_again();
        self.live.read_again();
        self.candidate.read_again();
        self.accounts.read_again();
        self.probes.values_mut().for_each(CachedAnswer::read_again);
    }

    /// What was found out about the candidate holds for the live token that it has become.
    pub fn promote(&mut self, live: &str) {
        if self.candidate.answer(live).is_some() {
            self.live = std::mem::take(&mut self.candidate);
        }
    }

    /// What was found out about an app secret holds now that it is in use.
    pub fn promote_secret(&mut self, subject: &str) {
        if self.offered_secret.answer(subject).is_some() {
            self.credentials = std::mem::take(&mut self.offered_secret);
        }
    }

    /// A poll that Meta refused because of the app secret casts doubt on an answer that is older.
    pub fn note_refused_proofs<'a>(&mut self, accounts: impl IntoIterator<Item = &'a AccountState>) {
        let refusals = accounts.into_iter().filter_map(|account| account.failure.as_ref());
        let last = refusals.filter(|failure| failure.error.is_app_credentials()).map(|failure| failure.at).max();
        if last > self.credentials.looked_at() {
            self.credentials.read_again();
        }
    }

    /// When to look at the candidate again.
    pub fn next_of_candidate(&self, candidate: &str, every: Duration, retry: Duration) -> Option<Instant> {
        let probes = self.probes.values().filter_map(|probe| probe.next(candidate, every, retry));
        probes.chain(self.candidate.next(candidate, every, retry)).min()
    }

    /// Remembers when a poll was first told that the live token is dead.
    pub fn note_refusals<'a>(&mut self, live: &str, accounts: impl IntoIterator<Item = &'a AccountState>) {
        let first = accounts.into_iter().filter_map(|account| account.failure.as_ref()?.refuses(live)).min();
        let known = self.refused.as_ref().is_some_and(|(token, _)| token == live);
        match (first, known) {
            (Some(first), false) => {
                self.refused = Some((live.to_owned(), first));
                // debug_token knows for sure, and says why.
                self.live.read_again();
            }
            (None, _) => self.refused = None,
            (Some(_), true) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn an_answer_is_requested_again_in_time_and_after_a_failure_sooner() {
        let (every, retry) = (Duration::from_secs(100), Duration::from_secs(10));
        let start = Instant::now();
        let mut fact = CachedAnswer::<u8>::default();
        assert!(fact.due("a", every, retry, start), "nothing is known");
        fact.learn("a", 1, start);
        assert!(!fact.due("a", every, retry, start + Duration::from_secs(99)), "still fresh");
        assert!(fact.due("a", every, retry, start + every), "too old");
        assert!(fact.due("b", every, retry, start), "another subject");
        fact.fail("a", graph::Error::for_test(2, jiff::Timestamp::UNIX_EPOCH), start + every);
        assert_eq!(fact.answer("a"), Some(&1), "a failure keeps the answer");
        assert!(!fact.due("a", every, retry, start + every), "just failed");
        assert!(fact.due("a", every, retry, start + every + retry), "time to retry");
        fact.learn("a", 2, start + every + retry);
        assert!(fact.failure("a").is_none(), "an answer ends the failure");
    }
}
