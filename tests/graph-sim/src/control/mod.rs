//! The control interface under `/_sim`: how tests, demos and people move the world and see what callers did to it.

pub(crate) mod faults;
pub(crate) mod holds;
mod records;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post};
use axum::{Json, Router};
use jiff::SignedDuration;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::delivery::{self, Weather};
use crate::server::Shared;
use crate::world::lag::View;
use crate::world::load::Load;
use crate::world::seed::{self, SeedError};
use crate::world::{Clock, World};

/// A refused control call.
pub(crate) struct Refusal(StatusCode, String);

impl From<SeedError> for Refusal {
    fn from(error: SeedError) -> Self {
        Self(StatusCode::BAD_REQUEST, error.to_string())
    }
}

impl Refusal {
    fn not_found(what: &str) -> Self {
        Self(StatusCode::NOT_FOUND, format!("there is no {what}"))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({"error": self.1}))).into_response()
    }
}

type Answer = Result<Json<Value>, Refusal>;

pub(crate) fn router() -> Router<Shared> {
    let calls = Router::new()
        .route("/reset", post(reset))
        .route("/state", get(state).put(put_state))
        .route("/calls", get(calls).delete(forget_calls))
        .route("/violations", get(violations).delete(forget_violations))
        .route("/faults", get(show_faults).post(add_faults).delete(clear_faults))
        .route("/holds", get(show_holds).post(add_holds))
        .route("/holds/{name}/release", post(release_hold))
        .route("/lag", post(lag))
        .route("/webhooks", get(show_webhooks).post(webhooks))
        .route("/messages", get(show_messages).post(messages))
        .route("/clock", get(show_clock).post(clock))
        .route("/load", post(load))
        .route("/numbers/{id}/codes", get(records::codes))
        .route("/numbers/{id}/code", get(records::last_code))
        .route("/numbers/{id}/counters", get(records::counters))
        .route("/templates/{id}/review", post(records::review))
        .route("/{kind}", post(records::add))
        .route("/{kind}/{key}", patch(records::change).get(records::show).delete(records::remove))
        .fallback(unknown)
        .layer(DefaultBodyLimit::disable());
    Router::new().nest("/_sim", calls)
}

/// Reads a JSON body, whatever the content type says; none is `null`.
fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Refusal> {
    let bytes: &[u8] = if body.is_empty() { b"null" } else { body };
    serde_json::from_slice(bytes).map_err(|error| SeedError::new(format!("body: {error}")).into())
}

async fn unknown() -> Refusal {
    Refusal::not_found("such call")
}

async fn reset(State(shared): State<Shared>, body: Bytes) -> Answer {
    let text = str::from_utf8(&body).map_err(|error| SeedError::new(format!("body: {error}")))?;
    let body = seed::parse(text)?;
    let seed = match body.get("seed").cloned() {
        Some(Value::String(text)) => seed::parse(&text)?,
        Some(seed) => seed,
        None if body.is_null() => json!({}),
        None => body,
    };
    let mut world = shared.world();
    // What is dropped with the old world lets go of the calls it held.
    let mut fresh = World { clock: world.clock.clone(), ..World::default() };
    fresh.plant(&seed)?;
    fresh.journal.number_on_from(&world.journal);
    fresh.deliveries.succeed(&world.deliveries);
    fresh.ladders = world.ladders.succeeded_by(fresh.ladders);
    *world = fresh;
    Ok(Json(json!({"ok": true})))
}

async fn state(State(shared): State<Shared>) -> Json<Value> {
    Json(shared.world().to_seed())
}

async fn put_state(State(shared): State<Shared>, body: Bytes) -> Answer {
    let seed: Value = read(&body)?;
    shared.world().plant(&seed)?;
    Ok(Json(json!({"ok": true})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Since {
    #[serde(default)]
    since: u64,
}

async fn calls(State(shared): State<Shared>, Query(Since { since }): Query<Since>) -> Json<Value> {
    let calls = shared.world().journal.calls(since);
    Json(json!(calls))
}

async fn forget_calls(State(shared): State<Shared>) -> Json<Value> {
    shared.world().journal.forget_calls();
    Json(json!({"ok": true}))
}

async fn violations(State(shared): State<Shared>) -> Json<Value> {
    Json(json!(shared.world().journal.violations().collect::<Vec<_>>()))
}

async fn forget_violations(State(shared): State<Shared>) -> Json<Value> {
    shared.world().journal.forget_violations();
    Json(json!({"ok": true}))
}

async fn show_faults(State(shared): State<Shared>) -> Json<Value> {
    Json(json!(shared.world().faults.orders().collect::<Vec<_>>()))
}

async fn add_faults(State(shared): State<Shared>, body: Bytes) -> Answer {
    shared.world().faults.add(read(&body)?)?;
    Ok(Json(json!({"ok": true})))
}

async fn clear_faults(State(shared): State<Shared>) -> Json<Value> {
    shared.world().faults.clear();
    Json(json!({"ok": true}))
}

async fn show_holds(State(shared): State<Shared>) -> Json<Value> {
    Json(json!(shared.world().holds.shown()))
}

async fn add_holds(State(shared): State<Shared>, body: Bytes) -> Answer {
    shared.world().holds.add(read(&body)?)?;
    Ok(Json(json!({"ok": true})))
}

async fn release_hold(State(shared): State<Shared>, Path(name): Path<String>) -> Answer {
    let found = shared.world().holds.release(&name);
    if found { Ok(Json(json!({"ok": true}))) } else { Err(Refusal::not_found(&format!("hold {name}"))) }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetLag {
    view: View,
    seconds: u32,
}

async fn lag(State(shared): State<Shared>, body: Bytes) -> Answer {
    let SetLag { view, seconds } = read(&body)?;
    shared.world().estate.lag.set(view, i64::from(seconds));
    Ok(Json(json!({"ok": true})))
}

async fn show_webhooks(State(shared): State<Shared>) -> Json<Value> {
    Json(json!(shared.world().deliveries.shown()))
}

async fn webhooks(State(shared): State<Shared>, body: Bytes) -> Answer {
    let weather: Weather = read(&body)?;
    shared.world().deliveries.weather = weather;
    Ok(Json(json!({"ok": true})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Messages {
    /// A phone number's id.
    to: String,
    count: u32,
}

async fn messages(State(shared): State<Shared>, body: Bytes) -> Answer {
    let Messages { to, count } = read(&body)?;
    let ids = delivery::messages::write(&mut shared.world(), &to, count);
    ids.map(|ids| Json(json!({"messages": ids}))).ok_or_else(|| Refusal::not_found(&format!("number {to}")))
}

async fn show_messages(State(shared): State<Shared>) -> Json<Value> {
    Json(json!(shared.world().deliveries.messages()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct MoveClock {
    advance_seconds: Option<f64>,
    set: Option<Value>,
}

async fn show_clock(State(shared): State<Shared>) -> Json<Value> {
    Json(clock_json(&shared.world().clock))
}

async fn clock(State(shared): State<Shared>, body: Bytes) -> Answer {
    let order: MoveClock = read(&body)?;
    let clock = shared.world().clock.clone();
    match order {
        MoveClock { advance_seconds: Some(seconds), set: None } => {
            let by = SignedDuration::try_from_secs_f64(seconds)
                .map_err(|error| SeedError::new(format!("advanceSeconds: {error}")))?;
            clock.advance(by);
        }
        MoveClock { advance_seconds: None, set: Some(to) } => clock.set(seed::parse_instant(&to, &clock)?),
        MoveClock { .. } => return Err(SeedError::new("clock: one of advanceSeconds, set is expected").into()),
    }
    Ok(Json(clock_json(&clock)))
}

fn clock_json(clock: &Clock) -> Value {
    json!({"now": clock.now().to_string()})
}

async fn load(State(shared): State<Shared>, body: Bytes) -> Answer {
    let order: Load = read(&body)?;
    let accounts = shared.world().load(&order)?;
    Ok(Json(json!({"accounts": accounts})))
}
