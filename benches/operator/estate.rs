//! The estate at Meta, and what the operator asks of it.

use std::{collections::BTreeMap, time::Instant};

use graph_sim::{Control, Sim};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    Failure,
    operator::{LOOK_AGAIN, PATIENCE, in_time},
    real,
};

/// The app.
pub const APP: &str = "1234567890";
pub const APP_SECRET: &str = "0123456789abcdef0123456789abcdef";
pub const TOKEN: &str = "EAAbench0123456789abcdef0123456789abcdef";

/// How many there are of what.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    accounts: usize,
    numbers_each: usize,
    templates_each: usize,
}

impl Size {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some thousands")]
    pub fn scaled(accounts: usize, numbers_each: f64, templates_each: f64, scale: f64) -> Self {
        let scaled = |count: f64| (count * scale).round().max(1.0) as usize;
        Self { accounts, numbers_each: scaled(numbers_each), templates_each: scaled(templates_each) }
    }

    pub fn numbers(self) -> usize {
        self.accounts * self.numbers_each
    }

    pub fn templates(self) -> usize {
        self.accounts * self.templates_each
    }

    /// Meta gives a hundred of each per call.
    pub fn calls_per_account(self) -> usize {
        self.numbers_each.div_ceil(100) + self.templates_each.div_ceil(100)
    }

    pub fn calls_per_poll(self) -> usize {
        self.accounts * self.calls_per_account()
    }
}

/// The simulator with the estate in it.
pub struct Estate {
    sim: Sim,
    control: Control,
    size: Size,
}

/// Calls to Meta.
pub struct Calls(Vec<Value>);

/// What was seen of a number of polls.
pub struct Polls {
    /// The most calls for one account between the beginnings of two of its polls.
    pub most_calls: usize,
    /// How often everything was polled, on average over the accounts.
    pub rounds: f64,
}

impl Estate {
    /// An app, a token that sees every account, and as many accounts, numbers and templates as `size` says.
    pub async fn of(size: Size) -> Result<Self, Failure> {
        let sim = Sim::start(seed()).await?;
        let mut estate = Self { control: sim.control(), sim, size };
        estate.become_of(size).await?;
        Ok(estate)
    }

    /// Another estate; what is in both is the same.
    pub async fn become_of(&mut self, size: Size) -> Result<(), Failure> {
        self.size = size;
        self.control.post("reset", json!({"seed": seed()})).await?;
        let Size { accounts, numbers_each, templates_each } = size;
        let load = json!({"wabas": accounts, "numbersPerWaba": numbers_each, "templatesPerWaba": templates_each});
        let loaded = self.control.post("load", load).await?;
        self.control.post("tokens", token(&loaded["accounts"])).await?;
        Ok(())
    }

    pub fn size(&self) -> Size {
        self.size
    }

    /// Where it answers.
    pub fn url(&self) -> String {
        self.sim.url()
    }

    /// The number of the last call so far.
    pub async fn last_call(&self) -> Result<u64, Failure> {
        let calls = self.control.calls(0).await?;
        Ok(calls.last().and_then(|call| call["seq"].as_u64()).unwrap_or_default())
    }

    /// What was called since then.
    pub async fn calls(&self, since: u64) -> Result<Calls, Failure> {
        Ok(Calls(self.control.calls(since).await?))
    }

    /// What a careful client would not have done.
    pub async fn violations(&self) -> Result<Vec<Value>, Failure> {
        Ok(self.control.violations().await?)
    }

    /// Waits until every account was read completely since then; when that was.
    pub async fn polled(&self, since: u64) -> Result<Instant, Failure> {
        // The first call for an account brings the first page of both.
        let pages = self.size.calls_per_account() - 1;
        self.until(since, "every account is read", |calls| {
            let by_account = calls.by_account();
            by_account.len() == self.size.accounts && by_account.values().all(|calls| calls.len() >= pages)
        })
        .await?;
        Ok(Instant::now())
    }

    /// Waits until every account was polled so many times since then.
    pub async fn polls(&self, since: u64, times: usize) -> Result<Polls, Failure> {
        let begun = |calls: &[&Value], id: &str| calls.iter().filter(|call| begins_poll(call, id)).count();
        let calls = self
            .until(since, "every account is polled", |calls| {
                let by_account = calls.by_account();
                by_account.len() == self.size.accounts && by_account.iter().all(|(id, calls)| begun(calls, id) > times)
            })
            .await?;
        let by_account = calls.by_account();
        let begins: usize = by_account.iter().map(|(id, calls)| begun(calls, id)).sum();
        let most = |(id, calls): (&String, &Vec<&Value>)| {
            let polls = calls.split(|call| begins_poll(call, id));
            // Whole polls only: not what went before the first one, nor what there is of the last one.
            polls.skip(1).take(begun(calls, id) - 1).map(|rest| rest.len() + 1).max()
        };
        Ok(Polls {
            most_calls: by_account.iter().filter_map(most).max().unwrap_or_default(),
            rounds: real(begins) / real(self.size.accounts),
        })
    }

    async fn until(&self, since: u64, what: &str, so: impl Fn(&Calls) -> bool) -> Result<Calls, Failure> {
        let patience = Instant::now() + PATIENCE;
        loop {
            let calls = self.calls(since).await?;
            if so(&calls) {
                return Ok(calls);
            }
            in_time(patience, what)?;
            sleep(LOOK_AGAIN).await;
        }
    }
}

impl Calls {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Those about an account, under its id: answered ones only.
    fn by_account(&self) -> BTreeMap<String, Vec<&Value>> {
        let mut found = BTreeMap::<String, Vec<&Value>>::new();
        for call in self.0.iter().filter(|call| call["status"] == 200 && !is_limit(call)) {
            if let Some(account) = path(call).get(1).filter(|segment| segment.starts_with(ACCOUNT_PREFIX)) {
                found.entry((*account).to_owned()).or_default().push(call);
            }
        }
        found
    }

    /// How often what was called by whom.
    pub fn print(&self, title: &str) {
        let mut counts = BTreeMap::<String, usize>::new();
        for call in &self.0 {
            let shown = path(call).into_iter().skip(1);
            let shown: Vec<&str> =
                shown.map(|part| if part.starts_with(ACCOUNT_PREFIX) { "{account}" } else { part }).collect();
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

/// How the ids of accounts begin that the simulator makes up.
const ACCOUNT_PREFIX: &str = "9000";

/// The path of a call: version first.
fn path(call: &Value) -> Vec<&str> {
    call["path"].as_str().unwrap_or_default().split('/').filter(|part| !part.is_empty()).collect()
}

/// The first call of a poll reads the account itself, and with it the first pages.
fn begins_poll(call: &Value, account: &str) -> bool {
    path(call).get(1..).is_some_and(|rest| rest == [account])
}

/// Asks how many templates the account may have, once a day.
fn is_limit(call: &Value) -> bool {
    call["query"].to_string().contains("message_template_limit")
}

fn seed() -> Value {
    json!({"apps": [{
        "id": APP, "name": "Bench", "secret": APP_SECRET, "require_app_secret": true, "daily_active_users": 1000,
    }]})
}

fn token(accounts: &Value) -> Value {
    json!({
        "name": "main", "token": TOKEN, "app": APP, "type": "SYSTEM_USER", "user_id": "12210001",
        "issued_at": "-10s", "expires_at": "+1440h", "accounts": accounts,
        "scopes": ["whatsapp_business_management", "whatsapp_business_messaging"],
    })
}
