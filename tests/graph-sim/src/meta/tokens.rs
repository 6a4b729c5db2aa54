//! Who calls: access tokens, proofs, and what they open.

use std::sync::LazyLock;

use hmac::{Hmac, KeyInit, Mac};
use jiff::tz::Offset;
use serde_json::{Value, json};
use sha2::Sha256;

use super::errors::{self, GraphError};
use super::request::{Call, Params};
use crate::world::estate::{Estate, Key};
use crate::world::{Kind, Record, World};

/// The app and, unless an app token was used, the token behind a call.
#[derive(Clone, Debug)]
pub(crate) struct Viewer {
    pub(crate) app: Key,
    pub(crate) token: Option<Key>,
    /// The access token itself, as Meta puts it into links.
    pub(crate) value: String,
}

/// What a token gets when its seed names no scopes.
const USUAL_SCOPES: [&str; 2] = ["whatsapp_business_management", "whatsapp_business_messaging"];

/// The access token a call carries, in its header or as a parameter.
pub(crate) fn presented(call: &Call, params: &Params) -> Option<String> {
    let header = call.header("authorization").and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        ["bearer", "oauth"].contains(&scheme.to_lowercase().as_str()).then(|| token.trim().to_owned())
    });
    params.text("access_token").or(header).filter(|token| !token.is_empty())
}

/// The app a token claims to belong to, genuine or not.
pub(crate) fn claimed_app<'a>(estate: &'a Estate, value: &'a str) -> Option<&'a str> {
    let name = estate.token_named(value);
    match name.and_then(|name| estate.get(Kind::Token, name)) {
        Some(token) => token.text("app"),
        None => value.split_once('|').map(|(app, _)| app).filter(|app| estate.get(Kind::App, app).is_some()),
    }
}

/// Finds out whose token this is. `whatsapp`: on WhatsApp's objects Meta answers a dead token with 401, elsewhere with 400.
pub(crate) fn authenticate(world: &World, value: &str, whatsapp: bool) -> Result<Viewer, GraphError> {
    let status = if whatsapp { 401 } else { 400 };
    if let Some((id, proof)) = value.split_once('|') {
        let app = world.estate.get(Kind::App, id);
        return match app.and_then(|app| app.text("secret")) {
            Some(secret) if proof == secret || value == opaque_app_token(id, secret) => {
                Ok(Viewer { app: Key::from(id), token: None, value: value.to_owned() })
            }
            _ => Err(GraphError::new(190, "Invalid OAuth access token signature.").status(status)),
        };
    }
    let found = world.estate.token_named(value).and_then(|name| Some((name, world.estate.get(Kind::Token, name)?)));
    let Some((name, token)) = found else {
        return Err(GraphError::new(190, "Invalid OAuth access token - Cannot parse access token").status(status));
    };
    if let Some(death) = death(world, token) {
        return Err(death.status(status));
    }
    let app = token.text("app").map(Key::from).unwrap_or_default();
    Ok(Viewer { app, token: Some(name.clone()), value: value.to_owned() })
}

/// Why a token is dead, if it is.
pub(crate) fn death(world: &World, token: &Record) -> Option<GraphError> {
    let now = world.clock.unix();
    if let Some(expired) = token.int("expires_at").filter(|at| *at != 0 && *at <= now) {
        let text = format!(
            "Error validating access token: Session has expired on {}. The current time is {}.",
            session_time(expired),
            session_time(now)
        );
        return Some(GraphError::new(190, text).subcode(463));
    }
    // A person has to log in every 90 days.
    let login_ended = token.int("data_access_expires_at").is_some_and(|at| at != 0 && at <= now);
    if token.text("type") == Some("USER") && login_ended {
        return Some(GraphError::new(190, "Error validating access token: Session has expired").subcode(493));
    }
    if token.flag("is_valid") == Some(false) {
        let text = "Error validating access token: The session has been invalidated because the user changed their \
                    password or Facebook has changed the session for security reasons.";
        return Some(GraphError::new(190, text).subcode(token.int("invalid_subcode").unwrap_or(460)));
    }
    None
}

/// Session times are printed in California's.
fn session_time(second: i64) -> String {
    let pacific = Offset::constant(-8);
    jiff::Timestamp::from_second(second).map_or_else(
        |_| String::new(),
        |time| pacific.to_datetime(time).strftime("%A, %d-%b-%y %H:%M:%S PST").to_string(),
    )
}

/// The app token that `client_credentials` hands out; it dies with the secret.
pub(crate) fn opaque_app_token(app: &str, secret: &str) -> String {
    let mac = hmac_hex(secret, b"app token");
    format!("{app}|{}", &mac[..27])
}

/// Checks `appsecret_proof` when it is sent, and demands it where the app does.
pub(crate) fn check_proof(world: &World, viewer: &Viewer, params: &Params) -> Result<(), GraphError> {
    let app = world.estate.get(Kind::App, &viewer.app);
    match params.text("appsecret_proof") {
        None if app.and_then(|app| app.flag("require_app_secret")) == Some(true) => Err(errors::missing_proof()),
        None => Ok(()),
        Some(proof) => {
            let secret = app.and_then(|app| app.text("secret")).unwrap_or_default();
            if proof == hmac_hex(secret, viewer.value.as_bytes()) { Ok(()) } else { Err(errors::invalid_proof()) }
        }
    }
}

/// Lower-case hex of HMAC-SHA256.
pub(crate) fn hmac_hex(key: &str, message: &[u8]) -> String {
    // An HMAC takes keys of any length; the error of the signature cannot happen.
    Hmac::<Sha256>::new_from_slice(key.as_bytes())
        .map(|mac| hex::encode(mac.chain_update(message).finalize().into_bytes()))
        .unwrap_or_default()
}

/// The scopes a token was granted.
pub(crate) fn scopes(token: &Record) -> Vec<&str> {
    match token.get("scopes").and_then(Value::as_array) {
        Some(list) => list.iter().filter_map(Value::as_str).collect(),
        None => USUAL_SCOPES.to_vec(),
    }
}

/// Whether a token was given an account; tokens without a list were given every one.
pub(crate) fn sees_account(token: &Record, account: &str) -> bool {
    token.get("accounts").is_none_or(|_| token.list("accounts").iter().any(|id| id == account))
}

/// The right to an account and what is in it: 100/33 when it is not the token's, 200 when the scope is missing.
pub(crate) fn check_account(
    world: &World,
    viewer: &Viewer,
    account: &str,
    method: &str,
    id: &str,
) -> Result<(), GraphError> {
    let token = viewer.token.as_ref().and_then(|name| world.estate.get(Kind::Token, name));
    let token = token.filter(|token| sees_account(token, account)).ok_or_else(|| errors::unsupported(method, id))?;
    // Tokens of Embedded Signup list the second one instead of the first and work just the same.
    let enough = ["whatsapp_business_management", "whatsapp_business_manage_events"];
    if scopes(token).iter().any(|scope| enough.contains(scope)) {
        Ok(())
    } else {
        Err(errors::missing_permission("whatsapp_business_management"))
    }
}

/// A right that a token needs beyond the one to manage the account.
pub(crate) fn check_scope(world: &World, viewer: &Viewer, scope: &str) -> Result<(), GraphError> {
    let token = viewer.token.as_ref().and_then(|name| world.estate.get(Kind::Token, name));
    let granted = token.is_some_and(|token| scopes(token).contains(&scope));
    if granted { Ok(()) } else { Err(errors::missing_permission(scope)) }
}

/// `GET /me/permissions`.
pub(crate) fn permissions(token: &Record) -> Value {
    let granted = scopes(token).into_iter().map(|scope| json!({"permission": scope, "status": "granted"}));
    json!({"data": granted.collect::<Vec<_>>()})
}

/// What the log calls a secret value: the token's name, the app whose token or secret it is, or a short digest.
pub(crate) fn name_of(estate: &Estate, value: &str) -> Option<String> {
    if let Some(name) = estate.token_named(value) {
        return Some(name.to_string());
    }
    if let Some((app, proof)) = value.split_once('|')
        && let Some(secret) = estate.get(Kind::App, app).and_then(|record| record.text("secret"))
        && (proof == secret || value == opaque_app_token(app, secret))
    {
        return Some(format!("app:{app}"));
    }
    let (app, _) = estate.all(Kind::App).find(|(_, node)| node.record.text("secret") == Some(value))?;
    Some(format!("secret-of:{app}"))
}

/// Makes the names of strangers this process's own: six digits could be guessed from a plain digest.
static STRANGERS: LazyLock<String> = LazyLock::new(|| rand::random::<u128>().to_string());

/// What the log calls a value that should be a secret and is not one of ours: the same each time, and no way back.
pub(crate) fn stranger(value: &str) -> String {
    format!("unknown:{}", &hmac_hex(&STRANGERS, value.as_bytes())[..8])
}
