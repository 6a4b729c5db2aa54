//! What was asked of Meta, out of the simulator's log.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

/// How the ids of accounts and numbers begin that the simulator makes up.
const ACCOUNT_PREFIX: &str = "9000";
const NUMBER_PREFIX: &str = "91";

/// Calls to Meta, in their order.
pub struct Calls(Vec<Value>);

impl Calls {
    pub fn new(calls: Vec<Value>) -> Self {
        Self(calls)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Those before the first that is not answered yet.
    pub fn answered(mut self) -> Self {
        let first_open = self.0.iter().position(|call| call["status"].is_null());
        self.0.truncate(first_open.unwrap_or(self.0.len()));
        self
    }

    /// The number of the last one.
    pub fn last(&self) -> Option<u64> {
        self.0.last()?["seq"].as_u64()
    }

    /// Those about an account, under its id: answered ones only.
    pub fn by_account(&self) -> BTreeMap<String, Vec<&Value>> {
        let mut found = BTreeMap::<String, Vec<&Value>>::new();
        for call in self.0.iter().filter(|call| call["status"] == 200 && !is_limit(call)) {
            if let Some(account) = path(call).get(1).filter(|segment| segment.starts_with(ACCOUNT_PREFIX)) {
                found.entry((*account).to_owned()).or_default().push(call);
            }
        }
        found
    }

    /// How many were to change something.
    pub fn changing(&self) -> usize {
        self.0.iter().filter(|call| call["method"] != "GET").count()
    }

    /// How many began a read of one of these accounts.
    pub fn account_reads(&self, accounts: &BTreeSet<&str>) -> usize {
        let begins =
            |call: &&Value| accounts.iter().any(|account| call["method"] == "GET" && begins_poll(call, account));
        self.0.iter().filter(begins).count()
    }

    /// How many read a single number.
    pub fn number_reads(&self) -> usize {
        let about = |call: &Value| path(call).get(1).is_some_and(|id| id.starts_with(NUMBER_PREFIX));
        self.0.iter().filter(|call| call["method"] == "GET" && about(call)).count()
    }

    /// The ids of the numbers for which this operation was carried out, and when it arrived.
    pub fn carried_out(&self, operation: &str) -> BTreeMap<String, Timestamp> {
        let done = self.0.iter().filter(|call| call["method"] == "POST" && call["status"] == 200);
        done.filter_map(|call| match path(call).get(1..)? {
            [id, last] if *last == operation => Some(((*id).to_owned(), time(call)?)),
            _ => None,
        })
        .collect()
    }

    /// When the first call for each account arrived that was made with the token of this name.
    pub fn first_with(&self, token: &str) -> BTreeMap<String, Timestamp> {
        self.first(token, |_, _| true)
    }

    /// When the first poll of each account arrived that was made with the token of this name.
    pub fn first_polls_with(&self, token: &str) -> BTreeMap<String, Timestamp> {
        self.first(token, begins_poll)
    }

    fn first(&self, token: &str, so: impl Fn(&Value, &str) -> bool) -> BTreeMap<String, Timestamp> {
        let bearer = format!("Bearer {token}");
        let by_account = self.by_account().into_iter();
        by_account
            .filter_map(|(account, calls)| {
                let first =
                    calls.into_iter().find(|call| call["headers"]["authorization"] == bearer && so(call, &account));
                Some((account, time(first?)?))
            })
            .collect()
    }

    /// How often what was called by whom.
    pub fn print(&self, title: &str) {
        let mut counts = BTreeMap::<String, usize>::new();
        for call in &self.0 {
            let shown: Vec<&str> = path(call).into_iter().skip(1).map(nameless).collect();
            let (client, method) = (call["client"].as_str().unwrap_or("?"), call["method"].as_str().unwrap_or("?"));
            let limit = if is_limit(call) { " (limit)" } else { "" };
            *counts.entry(format!("{client}: {method} {}{limit}", shown.join("/"))).or_default() += 1;
        }
        eprintln!("bench: {title}: {}", self.len());
        for (call, count) in &counts {
            eprintln!("bench:   {count:>5} × {call}");
        }
    }
}

/// A part of a path, whichever account or number it is about.
fn nameless(part: &str) -> &str {
    match part {
        account if account.starts_with(ACCOUNT_PREFIX) => "{account}",
        number if number.starts_with(NUMBER_PREFIX) => "{number}",
        other => other,
    }
}

/// The path of a call: version first.
fn path(call: &Value) -> Vec<&str> {
    call["path"].as_str().unwrap_or_default().split('/').filter(|part| !part.is_empty()).collect()
}

/// When a call arrived, on Meta's clock, which is this machine's.
fn time(call: &Value) -> Option<Timestamp> {
    call["time"].as_str()?.parse().ok()
}

/// The first call of a poll reads the account itself, and with it the first pages.
pub fn begins_poll(call: &Value, account: &str) -> bool {
    path(call).get(1..).is_some_and(|rest| rest == [account])
}

/// Asks how many templates the account may have, once a day.
fn is_limit(call: &Value) -> bool {
    call["query"].to_string().contains("message_template_limit")
}
