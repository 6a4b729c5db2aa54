//! Meta's side: one call in, one answer out, refused wherever Meta would refuse.

pub(crate) mod accounts;
pub(crate) mod callbacks;
pub(crate) mod errors;
pub(crate) mod fields;
pub(crate) mod health;
pub(crate) mod ladder;
pub(crate) mod legacy;
pub(crate) mod numbers;
pub(crate) mod oauth;
pub(crate) mod objects;
pub(crate) mod paging;
pub(crate) mod pricing;
pub(crate) mod read;
pub(crate) mod request;
pub(crate) mod subscribed_apps;
pub(crate) mod subscriptions;
pub(crate) mod templates;
pub(crate) mod tokens;
pub(crate) mod versions;

use axum::http::StatusCode;
use rand::distr::{Alphanumeric, SampleString};
use serde_json::{Value, json};

use crate::world::estate::Key;
use crate::world::usage::{ACCOUNT_LIMIT, ACTIVE_ACCOUNT_LIMIT, APP_LIMIT_PER_USER, Verdict};
use crate::world::{Kind, World};
use callbacks::Callback;
use errors::GraphError;
use request::{Call, Params};
use tokens::Viewer;
use versions::Served;

/// Parameters that are understood, or ignored, on every path.
const EVERYWHERE: [&str; 6] = ["access_token", "appsecret_proof", "locale", "pretty", "debug", "metadata"];

/// An answer, ready to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Value,
    /// The Graph error code, if it is a refusal.
    pub(crate) code: Option<i64>,
    /// What the call changed.
    pub(crate) effect: Option<String>,
}

/// What a call comes to.
pub(crate) enum Reply {
    Answer(Answer),
    Question(Question),
}

/// A call that waits for the callback's reply to Meta's verification request.
pub(crate) struct Question {
    callback: Callback,
    change: Change,
    token: Option<String>,
    headers: Vec<(&'static str, String)>,
}

/// What is changed once a callback has proven itself; returns what that was.
pub(crate) type Change = Box<dyn FnOnce(&mut World) -> String + Send>;

impl Question {
    pub(crate) const fn callback(&self) -> &Callback {
        &self.callback
    }

    /// The answer, now that the callback has spoken.
    pub(crate) fn settle(self, world: &mut World, outcome: Result<(), String>) -> Answer {
        match outcome {
            Ok(()) => {
                let effect = Some((self.change)(world));
                Answer { status: StatusCode::OK, headers: self.headers, body: success(), code: None, effect }
            }
            Err(reason) => refuse(world, &errors::callback_failed(&reason), self.token.as_deref(), self.headers),
        }
    }
}

/// What a served call answers and changed.
pub(crate) enum Done {
    Now { body: Value, effect: Option<String> },
    AfterHandshake(Callback, Change),
}

impl Done {
    pub(crate) const fn read(body: Value) -> Self {
        Self::Now { body, effect: None }
    }

    pub(crate) const fn changed(body: Value, effect: String) -> Self {
        Self::Now { body, effect: Some(effect) }
    }

    /// Meta's usual answer to a write.
    pub(crate) fn success(effect: Option<String>) -> Self {
        Self::Now { body: success(), effect }
    }
}

fn success() -> Value {
    json!({"success": true})
}

/// One call being served.
pub(crate) struct Turn<'a> {
    pub(crate) world: &'a mut World,
    pub(crate) call: &'a Call,
    pub(crate) params: Params,
    pub(crate) seq: u64,
    /// The access token the call carries.
    pub(crate) token: Option<String>,
    pub(crate) served: Served,
    usage: Vec<(&'static str, String)>,
}

/// Serves one call.
pub(crate) fn answer(world: &mut World, seq: u64, call: &Call) -> Reply {
    let params = call.params();
    let token = tokens::presented(call, &params);
    let now = world.clock.now();
    let floor = token.as_deref().and_then(|token| floor(world, token)).unwrap_or(0);
    let Some((served, rest)) = versions::route(&call.path, floor, now) else {
        return Reply::Answer(refuse(world, &errors::unknown_path(&call.path), token.as_deref(), Vec::new()));
    };
    let mut turn = Turn { world, call, params, seq, token, served, usage: Vec::new() };
    let outcome = dispatch(&mut turn, rest);
    let Turn { world, token, usage, .. } = turn;
    let mut headers = usage;
    headers.push(("facebook-api-version", format!("v{}.0", served.version)));
    if let Some(asked) = served.forwarded_from {
        let text =
            format!("The call has been auto-upgraded to v{}.0 as v{asked}.0 has been deprecated.", served.version);
        headers.push(("x-ad-api-version-warning", text));
        if versions::has_ended(asked, now) {
            let detail = format!("v{asked}.0 has ended, v{}.0 serves {}", served.version, call.path);
            world.journal.violation(seq, "dead-version", detail);
        }
    }
    Reply::Answer(match outcome {
        Ok(Done::Now { body, effect }) => Answer { status: StatusCode::OK, headers, body, code: None, effect },
        Ok(Done::AfterHandshake(callback, change)) => {
            return Reply::Question(Question { callback, change, token, headers });
        }
        Err(error) => refuse(world, &error, token.as_deref(), headers),
    })
}

/// The oldest version the app behind a token may use.
fn floor(world: &World, token: &str) -> Option<u32> {
    let app = tokens::claimed_app(&world.estate, token)?;
    versions::parse(world.estate.get(Kind::App, app)?.text("oldest_version")?)
}

/// The answer to a call that was made to a world that is gone, and must not change the one that came after it.
pub(crate) fn too_late(world: &World) -> Answer {
    let error = GraphError::new(2, "(#2) Service temporarily unavailable").status(503).transient();
    refuse(world, &error, None, Vec::new())
}

fn refuse(world: &World, error: &GraphError, token: Option<&str>, mut headers: Vec<(&'static str, String)>) -> Answer {
    let record = token.and_then(|token| world.estate.get(Kind::Token, world.estate.token_named(token)?));
    let locale = record.and_then(|record| record.text("locale")).unwrap_or("en_US");
    if error.code == 190 {
        headers.push(("www-authenticate", r#"OAuth "Facebook Platform" "invalid_token""#.to_owned()));
    }
    let trace = format!("A{}", Alphanumeric.sample_string(&mut rand::rng(), 22));
    let body = error.body(locale, &trace);
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
    let effect = error.effect().map(str::to_owned);
    Answer { status, headers, body, code: Some(error.code), effect }
}

fn dispatch(turn: &mut Turn<'_>, path: &str) -> Result<Done, GraphError> {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    turn.note_removed_features();
    legacy::refuse(turn, segments.is_empty())?;
    match segments[..] {
        ["oauth", "access_token"] => oauth::access_token(turn),
        ["debug_token"] => oauth::debug_token(turn),
        [] => Err(errors::unsupported(&turn.call.method, "")),
        [id] => objects::serve(turn, id, None),
        [id, edge] => objects::serve(turn, id, Some(edge)),
        [_, _, ..] => Err(errors::unknown_path(&turn.call.path)),
    }
}

impl Turn<'_> {
    /// Refuses parameters that the path does not have.
    pub(crate) fn allow(&self, known: &[&str]) -> Result<(), GraphError> {
        match self.params.names().find(|name| !known.contains(name) && !EVERYWHERE.contains(name)) {
            Some(unknown) => Err(errors::invalid_parameter(format!("Unexpected parameter: {unknown}"))),
            None => Ok(()),
        }
    }

    /// Finds out whose token this is; notes a dead one.
    pub(crate) fn authenticate(&mut self, value: &str, whatsapp: bool) -> Result<Viewer, GraphError> {
        let result = tokens::authenticate(self.world, value, whatsapp);
        let name = tokens::name_of(&self.world.estate, value).unwrap_or_else(|| tokens::stranger(value));
        let (now, probe) = (self.world.clock.unix(), self.world.probe_seconds);
        match &result {
            Ok(_) => self.world.journal.token_accepted(&name),
            Err(_) => self.world.journal.token_refused(self.seq, &name, now, probe),
        }
        result
    }

    /// Counts the call against the app's own budget.
    pub(crate) fn count_app(&mut self, app: &Key) -> Result<(), GraphError> {
        let verdict = self.world.usage.count(app.to_string(), app_limit(self.world, app), self.world.clock.unix());
        self.show_app_usage(verdict.percent);
        self.judge(verdict, &format!("app {app}"), || {
            GraphError::new(4, "(#4) Application request limit reached").transient()
        })
    }

    /// Counts the call against the budget of the app and an account.
    pub(crate) fn count_account(&mut self, app: &Key, account: &str) -> Result<(), GraphError> {
        let limit = account_limit(self.world, account);
        let verdict = self.world.usage.count(format!("{app}/{account}"), limit, self.world.clock.unix());
        let percent = verdict.percent;
        let usage = json!({account: [{
            "type": "whatsapp_business_management",
            "call_count": percent,
            "total_cputime": percent / 4,
            "total_time": percent / 2,
            "estimated_time_to_regain_access": verdict.regain_minutes,
        }]});
        self.usage.push(("x-business-use-case-usage", usage.to_string()));
        self.show_app_usage(self.world.usage.percent(app, app_limit(self.world, app)));
        self.judge(verdict, &format!("account {account}"), || {
            let text =
                "(#80007) There have been too many calls to this WhatsApp Business Account. Wait a bit and try again.";
            GraphError::new(80007, text).titled(&errors::RATE_LIMITED)
        })
    }

    fn show_app_usage(&mut self, percent: i64) {
        let usage = json!({"call_count": percent, "total_time": percent / 2, "total_cputime": percent / 4});
        self.usage.push(("x-app-usage", usage.to_string()));
    }

    fn judge(&mut self, verdict: Verdict, whose: &str, refusal: impl Fn() -> GraphError) -> Result<(), GraphError> {
        if verdict.knowingly {
            let detail = format!("{whose} called while throttled for {} more min", verdict.regain_minutes);
            self.world.journal.violation(self.seq, "throttled-call", detail);
        }
        if verdict.throttled { Err(refusal()) } else { Ok(()) }
    }

    /// Notes a feature that Meta has taken away from every version.
    fn note_removed(&mut self, feature: &str) {
        self.world.journal.violation(self.seq, "removed-feature", format!("{feature} on {}", self.call.path));
    }

    /// Notes what is ignored since October 2026, and links that carry the token.
    fn note_removed_features(&mut self) {
        if self.call.header("if-none-match").is_some() {
            self.note_removed("If-None-Match");
        }
        // `pretty=0` is how the links that Meta makes can be distinguished from the caller's own.
        let link = self.params.text("pretty").as_deref() == Some("0") && self.params.has("access_token");
        if link && (self.params.has("after") || self.params.has("before")) {
            self.world.journal.violation(
                self.seq,
                "paging-next",
                format!("a paging link was followed on {}", self.call.path),
            );
        }
    }
}

fn app_limit(world: &World, app: &str) -> i64 {
    let users = world.estate.get(Kind::App, app).and_then(|app| app.int("daily_active_users"));
    users.unwrap_or(1) * APP_LIMIT_PER_USER
}

fn account_limit(world: &World, account: &str) -> i64 {
    let set = world.estate.get(Kind::Account, account).and_then(|account| account.int("rate_limit"));
    set.unwrap_or_else(|| {
        let keys = world.estate.listed_keys(Kind::Number, account);
        let mut all = keys.filter_map(|key| world.estate.get(Kind::Number, key));
        if all.any(numbers::registered) { ACTIVE_ACCOUNT_LIMIT } else { ACCOUNT_LIMIT }
    })
}
