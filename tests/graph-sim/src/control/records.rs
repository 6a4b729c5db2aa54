//! Objects moved by hand, as a person would in WhatsApp Manager: added, changed, removed, reviewed.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Answer, Refusal, read};
use crate::delivery::events;
use crate::server::Shared;
use crate::world::ladder::Ladder;
use crate::world::seed::{self, SeedError};
use crate::world::{Kind, Record, World};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Loudness {
    /// True: Meta sends no webhook.
    #[serde(default)]
    silent: bool,
}

fn kind_of(plural: &str) -> Result<Kind, Refusal> {
    Kind::from_plural(plural).ok_or_else(|| Refusal::not_found(&format!("kind {plural}")))
}

fn found(world: &World, kind: Kind, key: &str) -> Result<Record, Refusal> {
    world.estate.get(kind, key).cloned().ok_or_else(|| Refusal::not_found(&format!("{key} among {}", kind.plural())))
}

pub(super) async fn show(State(shared): State<Shared>, Path((kind, key)): Path<(String, String)>) -> Answer {
    let kind = kind_of(&kind)?;
    let record = found(&shared.world(), kind, &key)?;
    Ok(Json(seed::to_json(kind, &key, &record)))
}

pub(super) async fn add(State(shared): State<Shared>, Path(kind): Path<String>, body: Bytes) -> Answer {
    let kind = kind_of(&kind)?;
    let item: Value = read(&body)?;
    let mut world = shared.world();
    let now = world.clock.now();
    let (key, record) = seed::adopt(&world.estate, kind, kind.plural(), &item, now)?;
    refuse_twin(&world, kind, &key, &record)?;
    world.estate.put(kind, &key, record.clone(), now.as_second());
    Ok(Json(seed::to_json(kind, &key, &record)))
}

pub(super) async fn change(
    State(shared): State<Shared>,
    Path((kind, key)): Path<(String, String)>,
    Query(loudness): Query<Loudness>,
    body: Bytes,
) -> Answer {
    let kind = kind_of(&kind)?;
    let fields: Map<String, Value> = read(&body)?;
    let mut world = shared.world();
    let record = apply(&mut world, kind, &key, &fields, loudness.silent)?;
    Ok(Json(seed::to_json(kind, &key, &record)))
}

/// Sets fields and sends the webhooks Meta would send about them.
fn apply(
    world: &mut World,
    kind: Kind,
    key: &str,
    fields: &Map<String, Value>,
    silent: bool,
) -> Result<Record, Refusal> {
    let before = found(world, kind, key)?;
    let now = world.clock.now();
    let mut after = before.clone();
    for (name, value) in fields {
        if before.get(name) != Some(value) {
            seed::set(&world.estate, kind, &format!("{}/{key}", kind.plural()), &mut after, (name, value), now)?;
        }
    }
    refuse_twin(world, kind, key, &after)?;
    world.estate.put(kind, key, after.clone(), now.as_second());
    if !silent {
        for event in events::of_change(world, kind, key, &before, Some(&after)) {
            world.deliveries.send(event);
        }
    }
    if kind == Kind::Number {
        world.changed_by_hand(key, &before, &after);
    }
    found(world, kind, key)
}

/// Account, name and language are unique among templates, whoever adds them.
fn refuse_twin(world: &World, kind: Kind, key: &str, record: &Record) -> Result<(), Refusal> {
    if kind != Kind::Template {
        return Ok(());
    }
    let identity = seed::identity(record);
    let mut others = world.estate.listed_keys(kind, &identity[0]).filter(|other| ***other != *key);
    match others.find(|other| world.estate.get(kind, other).is_some_and(|other| seed::identity(other) == identity)) {
        Some(twin) => Err(SeedError::new(format!("templates: {twin} has this account, name and language")).into()),
        None => Ok(()),
    }
}

pub(super) async fn remove(
    State(shared): State<Shared>,
    Path((kind, key)): Path<(String, String)>,
    Query(loudness): Query<Loudness>,
) -> Answer {
    let kind = kind_of(&kind)?;
    let mut world = shared.world();
    let before = found(&world, kind, &key)?;
    if !loudness.silent {
        for event in events::of_change(&world, kind, &key, &before, None) {
            world.deliveries.send(event);
        }
    }
    uproot(&mut world, kind, &key);
    Ok(Json(json!({"ok": true})))
}

/// Removes an object, what it contains, and what refers to it.
fn uproot(world: &mut World, kind: Kind, key: &str) {
    let now = world.clock.unix();
    let removed = world.estate.remove(kind, key, now);
    match kind {
        Kind::Account => {
            for child in [Kind::Number, Kind::Template] {
                for id in world.estate.listed_keys(child, key).cloned().collect::<Vec<_>>() {
                    uproot(world, child, &id);
                }
            }
            forget(world, Kind::Token, "accounts", |id| id == key);
        }
        Kind::App => {
            let estate = &mut world.estate;
            let tokens = estate.all(Kind::Token).filter(|(_, node)| node.record.text("app") == Some(key));
            for token in tokens.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
                estate.remove(Kind::Token, &token, now);
            }
            forget(world, Kind::Account, "subscribed_apps", |entry| entry["app"] == key);
        }
        Kind::Business => {
            for account in world.estate.listed_keys(Kind::Account, key).cloned().collect::<Vec<_>>() {
                world.estate.edit(Kind::Account, &account, now, |record| record.set("business", Value::Null));
            }
        }
        Kind::Number => {
            if let Some(record) = removed {
                world.number_removed(key, &record);
            }
        }
        Kind::Token | Kind::Template => {}
    }
}

/// Drops the elements of list fields that are about something that has gone.
fn forget(world: &mut World, kind: Kind, field: &'static str, gone: impl Fn(&Value) -> bool) {
    let now = world.clock.unix();
    let affected: Vec<_> = world
        .estate
        .all(kind)
        .filter(|(_, node)| node.record.list(field).iter().any(&gone))
        .map(|(key, node)| (key.clone(), node.record.clone()))
        .collect();
    for (key, mut record) in affected {
        let rest: Vec<Value> = record.list(field).iter().filter(|element| !gone(element)).cloned().collect();
        record.set(field, json!(rest));
        world.estate.put(kind, &key, record, now);
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Review {
    status: String,
    reason: Option<String>,
    category: Option<String>,
}

/// Decides a review; Meta may change the category on the way.
pub(super) async fn review(State(shared): State<Shared>, Path(id): Path<String>, body: Bytes) -> Answer {
    let Review { status, reason, category } = read(&body)?;
    let mut world = shared.world();
    let before = found(&world, Kind::Template, &id)?;
    let mut fields = Map::new();
    fields.insert("status".into(), json!(status));
    fields.insert("rejected_reason".into(), json!(reason.as_deref().unwrap_or("NONE")));
    if let Some(category) = category {
        let previous = before.text("category").unwrap_or("UTILITY");
        if previous != category {
            fields.insert("previous_category".into(), json!(previous));
        }
        fields.insert("category".into(), json!(category));
    }
    let record = apply(&mut world, Kind::Template, &id, &fields, false)?;
    Ok(Json(seed::to_json(Kind::Template, &id, &record)))
}

/// Every code "sent" to a number, oldest first.
pub(super) async fn codes(State(shared): State<Shared>, Path(id): Path<String>) -> Answer {
    let world = shared.world();
    found(&world, Kind::Number, &id)?;
    Ok(Json(json!(world.ladders.look(&id).map(Ladder::codes).unwrap_or_default())))
}

/// The last of them.
pub(super) async fn last_code(State(shared): State<Shared>, Path(id): Path<String>) -> Answer {
    let world = shared.world();
    found(&world, Kind::Number, &id)?;
    Ok(Json(json!(world.ladders.look(&id).and_then(|ladder| ladder.codes().last()))))
}

pub(super) async fn counters(State(shared): State<Shared>, Path(id): Path<String>) -> Answer {
    let world = shared.world();
    let record = found(&world, Kind::Number, &id)?;
    let ladder = world.ladders.look(&id).cloned().unwrap_or_default();
    Ok(Json(ladder.counters(record.text("pin"), world.clock.unix())))
}
