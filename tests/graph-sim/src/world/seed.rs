//! Seeds: how a world is written down, read back, and checked on the way in.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::estate::{Estate, meta_time};
use super::habits::Habits;
use super::ladder::Ladders;
use super::record::Record;
use super::schema::{Field, Kind, Type};
use super::usage::Usage;
use super::{Clock, World};
use crate::meta::pricing;

/// How often a dead token may be tried again, unless a seed says otherwise.
const PROBE_SECONDS: u64 = 60;

/// What `fb_exchange_token` can do with a token.
const EXCHANGES: [&str; 4] = ["new", "same", "no_later_expiry", "refused"];

/// A seed, or a change to an object, that cannot be; the text names the object and the field.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SeedError(String);

impl SeedError {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// Parses a seed from YAML or JSON text.
///
/// # Errors
/// When the text is neither.
pub fn parse(text: &str) -> Result<Value, SeedError> {
    // YAML does not read everything that JSON does: an emoji escaped as a pair of surrogates, as Meta writes it, is an error.
    if let Ok(seed) = serde_json::from_str(text) {
        return Ok(seed);
    }
    serde_yaml::from_str(text).map_err(|error| SeedError(format!("seed: {error}")))
}

impl World {
    /// Replaces the estate, the clock and the budgets by a seed's; on an error nothing has changed.
    pub(crate) fn plant(&mut self, seed: &Value) -> Result<(), SeedError> {
        let seed = seed.as_object().ok_or_else(|| SeedError::new("seed: an object is expected"))?;
        let known = |name: &str| {
            Kind::from_plural(name).is_some()
                || Habits::knows(name)
                || ["now", "latency_ms", "probe_seconds", "usage", "ladders"].contains(&name)
        };
        if let Some(unknown) = seed.keys().find(|name| !known(name)) {
            return Err(SeedError(format!("seed: unknown field {unknown}")));
        }
        let now = seed.get("now").map(|value| instant("seed.now", value, Timestamp::now())).transpose()?;
        let at = now.unwrap_or_else(Timestamp::now);
        let count = |name: &str, usual: u64| match seed.get(name) {
            None => Ok(usual),
            Some(value) => value.as_u64().ok_or_else(|| SeedError(format!("seed.{name}: a whole number is expected"))),
        };
        let (latency_ms, probe_seconds) = (count("latency_ms", 0)?, count("probe_seconds", PROBE_SECONDS)?);
        let (usage, ladders): (Usage, Ladders) = (saved(seed, "usage")?, saved(seed, "ladders")?);
        let habits = Habits::of_seed(seed)?;
        let mut estate = Estate::default();
        for kind in Kind::ALL {
            plant_kind(&mut estate, kind, seed.get(kind.plural()), at)?;
        }
        estate.lag = self.estate.lag;
        (self.estate, self.usage, self.latency_ms) = (estate, usage, latency_ms);
        self.habits = habits;
        self.ladders.replace(ladders);
        self.probe_seconds = i64::try_from(probe_seconds).unwrap_or(i64::MAX);
        match now {
            Some(now) => self.clock.set(now),
            None => self.clock.reset(),
        }
        Ok(())
    }

    /// The world as a seed that brings it back.
    pub(crate) fn to_seed(&self) -> Value {
        let mut seed = Map::new();
        seed.insert("now".into(), json!(self.clock.now().to_string()));
        seed.insert("latency_ms".into(), json!(self.latency_ms));
        seed.insert("probe_seconds".into(), json!(self.probe_seconds));
        seed.insert("usage".into(), json!(self.usage));
        seed.insert("ladders".into(), json!(self.ladders));
        if let Value::Object(habits) = json!(self.habits) {
            seed.extend(habits);
        }
        for kind in Kind::ALL {
            let mut nodes: Vec<_> = self.estate.all(kind).collect();
            nodes.sort_by_key(|(_, node)| node.serial);
            let list = nodes.into_iter().map(|(key, node)| to_json(kind, key, &node.record)).collect();
            seed.insert(kind.plural().into(), Value::Array(list));
        }
        Value::Object(seed)
    }
}

/// What only a saved state has: nothing, unless it is there.
fn saved<T: DeserializeOwned + Default>(seed: &Map<String, Value>, field: &str) -> Result<T, SeedError> {
    let Some(value) = seed.get(field) else { return Ok(T::default()) };
    serde_json::from_value(value.clone()).map_err(|error| SeedError(format!("seed.{field}: {error}")))
}

fn plant_kind(estate: &mut Estate, kind: Kind, list: Option<&Value>, now: Timestamp) -> Result<(), SeedError> {
    let Some(list) = list else { return Ok(()) };
    let list = list.as_array().ok_or_else(|| SeedError(format!("seed.{}: a list is expected", kind.plural())))?;
    let mut identities = BTreeSet::new();
    for (index, item) in list.iter().enumerate() {
        let place = format!("{}[{index}]", kind.plural());
        let (key, record) = adopt(estate, kind, &place, item, now)?;
        if kind == Kind::Template && !identities.insert(identity(&record)) {
            return Err(SeedError(format!("{place}: its account has a template of this name and language already")));
        }
        estate.put(kind, &key, record, now.as_second());
    }
    Ok(())
}

/// What Meta keeps unique among templates: account, name, language.
pub(crate) fn identity(record: &Record) -> [String; 3] {
    ["account", "name", "language"].map(|field| record.text(field).unwrap_or("en_US").to_owned())
}

/// An object as the control interface shows it: its key and every field that is set.
pub(crate) fn to_json(kind: Kind, key: &str, record: &Record) -> Value {
    let mut map = record.to_map();
    map.insert(kind.key().into(), json!(key));
    Value::Object(map)
}

/// Checks a new object and returns its key and record; `place` names it in errors.
pub(crate) fn adopt(
    estate: &Estate,
    kind: Kind,
    place: &str,
    item: &Value,
    now: Timestamp,
) -> Result<(String, Record), SeedError> {
    let item = item.as_object().ok_or_else(|| SeedError(format!("{place}: an object is expected")))?;
    let is_token = kind == Kind::Token;
    let key = match item.get(kind.key()) {
        Some(value) => key_text(value).ok_or_else(|| SeedError(format!("{place}.{}: text is expected", kind.key())))?,
        None if is_token => return Err(SeedError(format!("{place}: field name is missing"))),
        None => estate.fresh_id(kind),
    };
    let taken = if is_token { estate.get(kind, &key).is_some() } else { estate.kind_of(&key).is_some() };
    if taken {
        return Err(SeedError(format!("{place}: {} {key} exists already", kind.key())));
    }
    if let Some(missing) = kind.required().iter().find(|field| !item.contains_key(**field)) {
        return Err(SeedError(format!("{place}: field {missing} is missing")));
    }
    let mut record = Record::default();
    // A template's `name` and a token's are different things: only the token's is its key.
    for (name, value) in item.iter().filter(|(name, _)| *name != kind.key()) {
        set(estate, kind, place, &mut record, (name, value), now)?;
    }
    if is_token && record.get("user_id").is_none() {
        record.set("user_id", json!(estate.fresh_id(kind)));
    }
    Ok((key, record))
}

/// Checks one field's new value and sets it; `null` removes the field.
pub(crate) fn set(
    estate: &Estate,
    kind: Kind,
    place: &str,
    record: &mut Record,
    (name, value): (&str, &Value),
    now: Timestamp,
) -> Result<(), SeedError> {
    let field = kind.field(name).ok_or_else(|| SeedError(format!("{place}: unknown field {name}")))?;
    if value.is_null() && kind.required().contains(&name) {
        return Err(SeedError(format!("{place}.{name}: cannot be without a value")));
    }
    let place = format!("{place}.{name}");
    let value = if value.is_null() { Value::Null } else { shape(estate, field, &place, value, now)? };
    check_meaning(estate, kind, name, &place, &value)?;
    record.set(field.name, value);
    Ok(())
}

fn shape(estate: &Estate, field: &Field, place: &str, value: &Value, now: Timestamp) -> Result<Value, SeedError> {
    let expected = |what: &str| SeedError(format!("{place}: {what} is expected"));
    match field.ty {
        Type::Text => value.as_str().map(|text| json!(text)).ok_or_else(|| expected("text")),
        Type::Id => key_text(value).map(Value::String).ok_or_else(|| expected("an id")),
        Type::Flag => value.as_bool().map(Value::Bool).ok_or_else(|| expected("true or false")),
        Type::Int => value.as_i64().map(|number| json!(number)).ok_or_else(|| expected("a whole number")),
        Type::Time => instant(place, value, now).map(|time| json!(time.as_second())),
        Type::Stamp => instant(place, value, now).map(|time| json!(meta_time(time.as_second()))),
        Type::Object => value.is_object().then(|| value.clone()).ok_or_else(|| expected("an object")),
        Type::List => value.is_array().then(|| value.clone()).ok_or_else(|| expected("a list")),
        Type::Ref(kind) => reference(estate, kind, place, value),
        Type::Refs(kind) => {
            let list = value.as_array().ok_or_else(|| expected("a list"))?;
            list.iter().map(|value| reference(estate, kind, place, value)).collect()
        }
    }
}

fn reference(estate: &Estate, kind: Kind, place: &str, value: &Value) -> Result<Value, SeedError> {
    let key = key_text(value).ok_or_else(|| SeedError(format!("{place}: an id is expected")))?;
    match estate.get(kind, &key) {
        Some(_) => Ok(Value::String(key)),
        None => Err(SeedError(format!("{place}: {} has no {key}", kind.plural()))),
    }
}

/// Values that are well-formed and still impossible.
fn check_meaning(estate: &Estate, kind: Kind, name: &str, place: &str, value: &Value) -> Result<(), SeedError> {
    match (kind, name) {
        (Kind::Token, "exchange") if value.as_str().is_some_and(|text| !EXCHANGES.contains(&text)) => {
            return Err(SeedError(format!("{place}: one of {} is expected", EXCHANGES.join(", "))));
        }
        (Kind::Token, "token")
            if value.as_str().is_some_and(|text| text.is_empty() || estate.token_named(text).is_some()) =>
        {
            return Err(SeedError(format!("{place}: empty, or the value of another token")));
        }
        (Kind::Account, "subscribed_apps") => {
            for entry in value.as_array().into_iter().flatten() {
                reference(estate, Kind::App, place, &entry["app"])?;
                known_keys(place, entry, &["app", "override_callback_uri", "verify_token"])?;
            }
        }
        (Kind::Account, pricing::FIELD) => {
            for point in value.as_array().into_iter().flatten() {
                known_keys(place, point, &pricing::KEYS)?;
                if let Some(mistake) = pricing::mistake(point) {
                    return Err(SeedError(format!("{place}: {mistake}")));
                }
            }
        }
        (Kind::App, "webhook") => {
            known_keys(place, value, &["callback_url", "verify_token", "fields", "active", "include_values"])?;
        }
        (Kind::Number, "webhook_configuration") => {
            known_keys(place, value, &["override_callback_uri", "verify_token"])?;
        }
        _ => {}
    }
    Ok(())
}

fn known_keys(place: &str, value: &Value, known: &[&str]) -> Result<(), SeedError> {
    let keys = value.as_object().into_iter().flat_map(Map::keys);
    match keys.into_iter().find(|key| !known.contains(&key.as_str())) {
        Some(unknown) => Err(SeedError(format!("{place}: unknown field {unknown}"))),
        None => Ok(()),
    }
}

/// Ids may be written as numbers, as Meta itself does in webhooks.
fn key_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => number.as_u64().map(|number| number.to_string()),
        _ => None,
    }
}

/// Unix seconds, RFC 3339, or a duration with a sign, relative to `now`.
fn instant(place: &str, value: &Value, now: Timestamp) -> Result<Timestamp, SeedError> {
    let parsed = match value {
        Value::Number(number) => number.as_i64().and_then(|second| Timestamp::from_second(second).ok()),
        Value::String(text) if text.starts_with(['+', '-']) => {
            text.parse::<SignedDuration>().ok().and_then(|duration| now.checked_add(duration).ok())
        }
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    parsed.ok_or_else(|| {
        SeedError(format!("{place}: unix seconds, an RFC 3339 time, or a duration like +1440h or -5m is expected"))
    })
}

/// Reads an instant of the control interface.
pub(crate) fn parse_instant(value: &Value, clock: &Clock) -> Result<Timestamp, SeedError> {
    instant("set", value, clock.now())
}
