//! The estate at Meta, and what the operator asks of it.

use std::time::Instant;

use futures::{StreamExt, TryStreamExt, stream};
use graph_sim::{Control, Sim};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    Failure,
    calls::{Calls, begins_poll},
    operator::{LOOK_AGAIN, PATIENCE, in_time},
    real,
};

/// The app.
pub const APP: &str = "1234567890";
pub const APP_SECRET: &str = "0123456789abcdef0123456789abcdef";
pub const TOKEN: &str = "EAAbench0123456789abcdef0123456789abcdef";

/// The name of [`TOKEN`] in the simulator's log.
const TOKEN_NAME: &str = "main";
/// So many things are changed by hand at a time.
const HANDS: usize = 16;

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

    /// The same without templates.
    pub fn numbers_only(self) -> Self {
        Self { templates_each: 0, ..self }
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
    accounts: Value,
}

/// A number at Meta.
#[derive(Debug, Clone)]
pub struct Line {
    pub id: String,
    pub account: String,
    /// In international form.
    pub number: String,
}

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
        let mut estate = Self { control: sim.control(), sim, size, accounts: Value::Null };
        estate.become_of(size).await?;
        Ok(estate)
    }

    /// Another estate; what is in both is the same.
    pub async fn become_of(&mut self, size: Size) -> Result<(), Failure> {
        self.size = size;
        self.control.post("reset", json!({"seed": seed()})).await?;
        let Size { accounts, numbers_each, templates_each } = size;
        let load = json!({"wabas": accounts, "numbersPerWaba": numbers_each, "templatesPerWaba": templates_each});
        self.accounts = self.control.post("load", load).await?["accounts"].take();
        self.add_token(TOKEN_NAME, TOKEN).await
    }

    /// Issues a token that sees every account; the log calls it `name`.
    pub async fn add_token(&self, name: &str, token: &str) -> Result<(), Failure> {
        self.control.post("tokens", self::token(name, token, &self.accounts)).await?;
        Ok(())
    }

    /// All numbers, account by account.
    pub async fn lines(&self) -> Result<Vec<Line>, Failure> {
        let state = self.control.get("state").await?;
        let line = |number: &Value| {
            let text = |field: &str| number[field].as_str().map(str::to_owned);
            let digits = text("display_phone_number")?.chars().filter(char::is_ascii_digit).collect::<String>();
            Some(Line { id: text("id")?, account: text("account")?, number: format!("+{digits}") })
        };
        Ok(state["numbers"].as_array().into_iter().flatten().filter_map(line).collect())
    }

    /// Changes fields of numbers by hand, without a webhook.
    pub async fn change(&self, lines: &[Line], fields: &Value) -> Result<(), Failure> {
        stream::iter(lines)
            .map(|line| async move {
                self.control.patch(&format!("numbers/{}?silent=true", line.id), fields.clone()).await.map(drop)
            })
            .buffer_unordered(HANDS)
            .try_collect::<()>()
            .await?;
        Ok(())
    }

    /// A call that is as small as can be, and is not in the log.
    pub async fn greet(&self) -> Result<(), Failure> {
        self.control.get("clock").await?;
        Ok(())
    }

    /// The code that was sent to a number last.
    pub async fn code(&self, line: &Line) -> Result<String, Failure> {
        let code = self.control.get(&format!("numbers/{}/code", line.id)).await?;
        let code = code["code"].as_str().map(str::to_owned);
        code.ok_or_else(|| format!("no code was sent to {}", line.number).into())
    }

    /// How many codes were sent to numbers, in all.
    pub async fn codes_sent(&self, lines: &[Line]) -> Result<usize, Failure> {
        stream::iter(lines)
            .map(|line| async move {
                let codes = self.control.get(&format!("numbers/{}/codes", line.id)).await?;
                Ok(codes.as_array().map_or(0, Vec::len))
            })
            .buffer_unordered(HANDS)
            .try_fold(0, |sum, codes| async move { Ok(sum + codes) })
            .await
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
        Ok(Calls::new(self.control.calls(since).await?))
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

    /// Waits until every account was polled with the token of this name since then.
    pub async fn polled_with(&self, token: &str, since: u64) -> Result<(), Failure> {
        let so = |calls: &Calls| calls.first_polls_with(token).len() == self.size.accounts;
        self.until(since, "every account is polled with the new token", so).await.map(drop)
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

fn seed() -> Value {
    json!({"apps": [{
        "id": APP, "name": "Bench", "secret": APP_SECRET, "require_app_secret": true, "daily_active_users": 1000,
    }]})
}

fn token(name: &str, token: &str, accounts: &Value) -> Value {
    json!({
        "name": name, "token": token, "app": APP, "type": "SYSTEM_USER", "user_id": "12210001",
        "issued_at": "-10s", "expires_at": "+1440h", "accounts": accounts,
        "scopes": ["whatsapp_business_management", "whatsapp_business_messaging"],
    })
}
