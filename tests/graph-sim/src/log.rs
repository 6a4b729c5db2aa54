//! How calls are written to the log: complete, but for secrets, which are replaced by their names.

use serde_json::{Map, Value, json};

use crate::meta::request::{Body, Call};
use crate::meta::tokens;
use crate::world::World;
use crate::world::estate::Estate;
use crate::world::journal::CallEntry;

/// Longer bodies are cut, so that the log stays small.
const BODY_KEPT: usize = 4_096;
/// Parameters that carry secrets even when the simulator does not know the value.
const SECRETS: [&str; 8] = [
    "access_token",
    "input_token",
    "fb_exchange_token",
    "client_secret",
    "revoke_token",
    "verify_token",
    "code",
    "pin",
];

/// The log's entry for a call that has just arrived.
pub(crate) fn entry(world: &World, call: &Call) -> CallEntry {
    let estate = &world.estate;
    let query = call.query.iter().map(|(name, value)| (name.clone(), named(estate, name, value)));
    CallEntry {
        seq: 0,
        time: world.clock.now().to_string(),
        client: call.header("user-agent").map(str::to_owned),
        connection: call.connection,
        method: call.method.clone(),
        path: call.path.clone(),
        query: Value::Object(query.collect()),
        headers: headers(estate, call),
        body: body(estate, call),
        status: None,
        code: None,
        effect: None,
    }
}

fn headers(estate: &Estate, call: &Call) -> Value {
    let shown = call.headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        let value = match (name.as_str(), value.split_once(' ')) {
            ("authorization", Some((scheme, token))) => format!("{scheme} {}", secret_name(estate, token.trim())),
            ("authorization", None) => secret_name(estate, &value),
            _ => value,
        };
        (name.to_string(), Value::String(value))
    });
    Value::Object(shown.collect())
}

fn body(estate: &Estate, call: &Call) -> Value {
    let value = match call.body() {
        Body::None => return Value::Null,
        Body::Form(form) => form.iter().map(|(name, value)| (name.clone(), named(estate, name, value))).collect(),
        Body::Json(json) => Value::Object(scrub(estate, json)),
        Body::Other => return json!(format!("{} bytes", call.body.len())),
    };
    let text = value.to_string();
    if text.len() <= BODY_KEPT {
        return value;
    }
    let end = (0..=BODY_KEPT).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    json!(format!("{}…", &text[..end]))
}

fn scrub(estate: &Estate, map: Map<String, Value>) -> Map<String, Value> {
    map.into_iter()
        .map(|(name, value)| {
            let value = scrub_value(estate, &name, value);
            (name, value)
        })
        .collect()
}

fn scrub_value(estate: &Estate, name: &str, value: Value) -> Value {
    match value {
        Value::String(text) => named(estate, name, &text),
        Value::Object(inner) => Value::Object(scrub(estate, inner)),
        Value::Array(list) => list.into_iter().map(|item| scrub_value(estate, name, item)).collect(),
        // A PIN that was sent as a number is refused, and a PIN all the same.
        Value::Number(number) if SECRETS.contains(&name) => json!(tokens::stranger(&number.to_string())),
        other => other,
    }
}

fn named(estate: &Estate, parameter: &str, value: &str) -> Value {
    // Forms carry objects as text.
    if let Ok(inner @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str::<Value>(value) {
        return json!(scrub_value(estate, parameter, inner).to_string());
    }
    let name = tokens::name_of(estate, value);
    let name = name.or_else(|| SECRETS.contains(&parameter).then(|| tokens::stranger(value)));
    json!(name.as_deref().unwrap_or(value))
}

fn secret_name(estate: &Estate, value: &str) -> String {
    tokens::name_of(estate, value).unwrap_or_else(|| tokens::stranger(value))
}
