//! `oauth/access_token` and `debug_token`: how tokens are made, exchanged and inspected.

use rand::distr::{Alphanumeric, SampleString};
use serde_json::{Map, Value, json};

use super::errors::{self, GraphError};
use super::tokens::{self, Viewer};
use super::{Done, Turn};
use crate::world::estate::Key;
use crate::world::lag::View;
use crate::world::{Kind, Record, World};

/// What is left of 60 days when the answer arrives.
const SIXTY_DAYS: i64 = 5_183_944;

/// `GET|POST /oauth/access_token`.
pub(crate) fn access_token(turn: &mut Turn<'_>) -> Result<Done, GraphError> {
    if !["GET", "POST"].contains(&turn.call.method.as_str()) {
        return Err(errors::unsupported_method(&turn.call.method));
    }
    turn.allow(&[
        "client_id",
        "client_secret",
        "grant_type",
        "fb_exchange_token",
        "set_token_expires_in_60_days",
        "code",
        "redirect_uri",
    ])?;
    let app = client(turn)?;
    turn.count_app(&app)?;
    match turn.params.text("grant_type").as_deref() {
        Some("client_credentials") => {
            let secret = turn.world.estate.get(Kind::App, &app).and_then(|app| app.text("secret")).unwrap_or_default();
            Ok(Done::read(json!({"access_token": tokens::opaque_app_token(&app, secret), "token_type": "bearer"})))
        }
        Some("fb_exchange_token") => exchange(turn, &app),
        None | Some("authorization_code") if turn.params.has("code") => {
            // Nobody has been given a code yet.
            Err(GraphError::new(100, "Invalid verification code format."))
        }
        None => Err(GraphError::new(1, "Missing authorization code")),
        Some(other) => Err(GraphError::new(1, format!("Unsupported grant_type: {other}"))),
    }
}

/// The app whose id and secret came along: Meta tells a wrong id (101) from a wrong secret (1).
fn client(turn: &Turn<'_>) -> Result<Key, GraphError> {
    let id = turn.params.text("client_id").ok_or_else(|| GraphError::new(101, "Missing client_id parameter."))?;
    let Some(app) = turn.world.estate.get(Kind::App, &id) else {
        return Err(GraphError::new(101, "Error validating application. Invalid application ID."));
    };
    let secret =
        turn.params.text("client_secret").ok_or_else(|| GraphError::new(1, "Missing client_secret parameter."))?;
    if app.text("secret") == Some(&secret) {
        Ok(Key::from(id))
    } else {
        Err(GraphError::new(1, "Error validating client secret."))
    }
}

fn exchange(turn: &mut Turn<'_>, app: &Key) -> Result<Done, GraphError> {
    let value = turn.params.text("fb_exchange_token").ok_or_else(|| errors::missing_parameter("fb_exchange_token"))?;
    let viewer = turn.authenticate(&value, false)?;
    let Some((name, old)) =
        viewer.token.and_then(|name| Some((name.clone(), turn.world.estate.get(Kind::Token, &name)?.clone())))
    else {
        return Err(GraphError::new(100, "(#100) Invalid fb_exchange_token: an app token cannot be exchanged"));
    };
    if viewer.app != *app {
        return Err(GraphError::new(190, "Error validating access token: The access token was issued for another app"));
    }
    let expiring = turn.params.text("set_token_expires_in_60_days").is_some_and(|flag| flag == "true" || flag == "1");
    let user = old.text("type") == Some("USER");
    let now = turn.world.clock.unix();
    match old.text("exchange").unwrap_or("new") {
        "refused" => Err(GraphError::new(10, "(#10) This token cannot be exchanged by this application").status(403)),
        // Without the flag a system user's token stays what it is.
        "new" if expiring || user => Ok(grant(turn.world, &name, old, Some(now + SIXTY_DAYS))),
        "no_later_expiry" => {
            let expiry = old.int("expires_at");
            Ok(grant(turn.world, &name, old, expiry))
        }
        _ => Ok(Done::read(token_answer(&value, old.int("expires_at"), now))),
    }
}

/// Makes the token that replaces another; the old one goes on working.
fn grant(world: &mut World, name: &str, old: Record, expires_at: Option<i64>) -> Done {
    let now = world.clock.unix();
    let value = format!("EAA{}", Alphanumeric.sample_string(&mut rand::rng(), 180));
    // `demo-2` is followed by `demo-3`.
    let stem = name.rsplit_once('-').filter(|(_, nth)| nth.parse::<u32>().is_ok()).map_or(name, |(stem, _)| stem);
    let mut names = (2..u64::MAX).map(|nth| format!("{stem}-{nth}"));
    let successor = names.find(|name| world.estate.get(Kind::Token, name).is_none()).unwrap_or_default();
    let mut token = old;
    token.set("token", json!(value));
    token.set("issued_at", json!(now));
    token.set("expires_at", json!(expires_at));
    world.estate.put(Kind::Token, &successor, token, now);
    Done::changed(token_answer(&value, expires_at, now), format!("token {name} exchanged for {successor}"))
}

fn token_answer(value: &str, expires_at: Option<i64>, now: i64) -> Value {
    let mut answer = json!({"access_token": value, "token_type": "bearer"});
    if let Some(at) = expires_at.filter(|at| *at != 0) {
        answer["expires_in"] = json!(at - now);
    }
    answer
}

/// `GET /debug_token`.
pub(crate) fn debug_token(turn: &mut Turn<'_>) -> Result<Done, GraphError> {
    if turn.call.method != "GET" {
        return Err(errors::unsupported(&turn.call.method, "debug_token"));
    }
    let Some(inspecting) = turn.token.clone() else {
        return Err(GraphError::new(
            100,
            "(#100) You must provide an app access token, or a user access token that is an owner or developer of the app",
        ));
    };
    let viewer = turn.authenticate(&inspecting, false)?;
    tokens::check_proof(turn.world, &viewer, &turn.params)?;
    turn.count_app(&viewer.app)?;
    turn.allow(&["input_token"])?;
    let input = turn.params.text("input_token").ok_or_else(|| errors::missing_parameter("input_token"))?;
    inspect(turn.world, &viewer, &input, turn.seq).map(|data| Done::read(json!({"data": data})))
}

fn inspect(world: &World, viewer: &Viewer, input: &str, turn: u64) -> Result<Value, GraphError> {
    let foreign = || GraphError::new(100, "(#100) The App_id in the input_token did not match the Viewing App");
    if input.contains('|') {
        let subject = tokens::authenticate(world, input, false);
        return match subject {
            Ok(subject) if subject.app != viewer.app => Err(foreign()),
            Ok(subject) => Ok(json!({
                "app_id": &*subject.app, "type": "APP", "application": app_name(world, &subject.app), "is_valid": true, "scopes": [],
            })),
            Err(error) => Ok(invalid(&error)),
        };
    }
    let now = world.clock.unix();
    let token = world.estate.token_named(input);
    let Some(token) = token.and_then(|name| world.estate.see(View::DebugToken, Kind::Token, name, now)) else {
        return Ok(invalid(&GraphError::new(190, "Invalid OAuth access token - Cannot parse access token")));
    };
    if token.text("app") != Some(&viewer.app) {
        return Err(foreign());
    }
    let mut data = facts(world, token, turn);
    if let Some(death) = tokens::death(world, token) {
        data["is_valid"] = json!(false);
        data["error"] = reason(&death);
    }
    Ok(data)
}

fn facts(world: &World, token: &Record, turn: u64) -> Value {
    let expires_at = token.int("expires_at").unwrap_or(0);
    let app = token.text("app").unwrap_or_default();
    let mut data = json!({
        "app_id": app,
        "type": token.text("type").unwrap_or("SYSTEM_USER"),
        "application": app_name(world, app),
        "data_access_expires_at": token.int("data_access_expires_at").unwrap_or(0),
        "expires_at": expires_at,
        "is_valid": true,
        "scopes": tokens::scopes(token),
        "granular_scopes": granular(world, token, turn),
        "user_id": token.text("user_id"),
    });
    if expires_at != 0
        && let Some(issued_at) = token.int("issued_at")
    {
        data["issued_at"] = json!(issued_at);
    }
    data
}

/// What each scope was granted for. No `target_ids` means everything; their order means nothing and changes.
fn granular(world: &World, token: &Record, turn: u64) -> Vec<Value> {
    let accounts: Vec<&str> = token.list("accounts").iter().filter_map(Value::as_str).collect();
    let businesses: Vec<&str> = accounts
        .iter()
        .filter_map(|id| world.estate.get(Kind::Account, id)?.text("business"))
        .fold(Vec::new(), |seen, id| if seen.contains(&id) { seen } else { [seen, vec![id]].concat() });
    let limited = token.get("accounts").is_some();
    tokens::scopes(token)
        .into_iter()
        .map(|scope| {
            let mut targets = if scope == "business_management" { businesses.clone() } else { accounts.clone() };
            if !targets.is_empty() {
                let by = usize::try_from(turn).unwrap_or(0) % targets.len();
                targets.rotate_left(by);
            }
            if limited { json!({"scope": scope, "target_ids": targets}) } else { json!({"scope": scope}) }
        })
        .collect()
}

fn app_name(world: &World, app: &str) -> Option<String> {
    world.estate.get(Kind::App, app)?.text("name").map(str::to_owned)
}

fn invalid(error: &GraphError) -> Value {
    json!({"error": reason(error), "is_valid": false, "scopes": []})
}

/// The short form of an error inside `data`.
fn reason(error: &GraphError) -> Value {
    let body = error.body("en_US", "");
    let mut reason = Map::new();
    reason.insert("code".into(), body["error"]["code"].clone());
    reason.insert("message".into(), body["error"]["message"].clone());
    if let Some(subcode) = body["error"].get("error_subcode") {
        reason.insert("subcode".into(), subcode.clone());
    }
    Value::Object(reason)
}
