//! `POST /{number}`: its PIN, its callback, its next name; several at once are done together or not at all.

use serde_json::{Map, Value, json};

use super::{Number, check_name, check_pin, refusals, usable};
use crate::delivery::events;
use crate::meta::callbacks::{self, Callback};
use crate::meta::errors::{self, GraphError};
use crate::meta::tokens::Viewer;
use crate::meta::{Done, Turn, subscribed_apps};
use crate::world::agenda::Change;
use crate::world::{Kind, World};

/// What the call changes.
struct Update {
    number: String,
    seq: u64,
    pin: Option<String>,
    name: Option<String>,
    webhook: Webhook,
}

enum Webhook {
    Kept,
    Removed,
    Set(Callback),
}

pub(super) fn update(turn: &mut Turn<'_>, viewer: &Viewer, number: &Number<'_>) -> Result<Done, GraphError> {
    turn.allow(&["pin", "webhook_configuration", "new_display_name"])?;
    let pin = turn.params.string("pin")?;
    pin.as_deref().map(check_pin).transpose()?;
    let name = turn.params.string("new_display_name")?;
    name.as_deref().map(|name| check_name("new_display_name", name)).transpose()?;
    let webhook = match turn.params.object("webhook_configuration")? {
        None => Webhook::Kept,
        Some(configuration) => self::webhook(&configuration)?,
    };
    if pin.is_none() && name.is_none() && matches!(webhook, Webhook::Kept) {
        return Err(errors::invalid_parameter("There is nothing to be changed"));
    }
    usable(turn, number)?;
    check_webhook(turn, viewer, number, &webhook)?;
    if name.is_some() {
        check_rename(turn, number)?;
    }
    let update = Update { number: number.id.to_owned(), seq: turn.seq, pin, name, webhook };
    match &update.webhook {
        Webhook::Set(callback) => {
            let callback = callback.clone();
            Ok(Done::AfterHandshake(callback, Box::new(move |world| update.apply(world))))
        }
        _ => Ok(Done::success(Some(update.apply(turn.world)))),
    }
}

/// An empty URL removes the override.
fn webhook(configuration: &Map<String, Value>) -> Result<Webhook, GraphError> {
    let known = ["override_callback_uri", "verify_token"];
    if let Some(unknown) = configuration.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(errors::invalid_parameter(format!("Unexpected parameter: webhook_configuration[{unknown}]")));
    }
    let text = |name: &str| match configuration.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(errors::wrong_parameter(&format!("webhook_configuration[{name}]"), "a string")),
    };
    let url = text("override_callback_uri")?
        .ok_or_else(|| errors::missing_parameter("webhook_configuration[override_callback_uri]"))?;
    let verify_token = text("verify_token")?;
    if url.is_empty() {
        return Ok(Webhook::Removed);
    }
    Callback::overriding(&url, verify_token).map(Webhook::Set)
}

/// Numbers on the Business app, in accounts that belong to a client, have no override of their own; others only where the app
/// listens already.
fn check_webhook(turn: &Turn<'_>, viewer: &Viewer, number: &Number<'_>, webhook: &Webhook) -> Result<(), GraphError> {
    if matches!(webhook, Webhook::Kept) {
        return Ok(());
    }
    let account = number.text("account");
    let ownership = turn.world.estate.get(Kind::Account, account).and_then(|account| account.text("ownership_type"));
    if number.on_app() && ownership.unwrap_or("SELF") != "SELF" {
        return Err(GraphError::new(200, "(#200) Permissions error").status(403));
    }
    let listens = subscribed_apps::subscription(turn.world, account, &viewer.app).is_some();
    if listens || matches!(webhook, Webhook::Removed) { Ok(()) } else { Err(callbacks::not_subscribed()) }
}

/// Ten names in thirty days; official business accounts have to ask people.
fn check_rename(turn: &mut Turn<'_>, number: &Number<'_>) -> Result<(), GraphError> {
    if number.record.flag("is_official_business_account") == Some(true) {
        return Err(errors::invalid_parameter("The name of an official business account is changed by Meta's support"));
    }
    let now = turn.world.clock.unix();
    if turn.world.ladders.of(number.id).name(now) { Ok(()) } else { Err(refusals::too_many_names()) }
}

impl Update {
    fn apply(self, world: &mut World) -> String {
        let Self { number, seq, pin, name, webhook } = self;
        let mut done = Vec::new();
        if let Some(pin) = pin {
            world.set_pin(&number, Some(&pin), Some(seq));
            done.push("PIN set");
        }
        if let Some(name) = name {
            submit_name(world, &number, &name);
            done.push("name submitted");
        }
        let configuration = match webhook {
            Webhook::Kept => None,
            Webhook::Removed => Some(("override removed", Value::Null)),
            Webhook::Set(Callback { url, verify_token }) => {
                Some(("override set", json!({"override_callback_uri": url, "verify_token": verify_token})))
            }
        };
        if let Some((what, configuration)) = configuration {
            let now = world.clock.unix();
            world.estate.edit(Kind::Number, &number, now, |record| record.set("webhook_configuration", configuration));
            done.push(what);
        }
        format!("number {number}: {}", done.join(", "))
    }
}

/// The name goes to review; what it replaces stays in force.
fn submit_name(world: &mut World, number: &str, name: &str) {
    let now = world.clock.unix();
    let Some(before) = world.estate.get(Kind::Number, number).cloned() else { return };
    let mut after = before.clone();
    after.set("new_display_name", json!(name.trim()));
    after.set("new_name_status", json!("PENDING_REVIEW"));
    world.estate.put(Kind::Number, number, after.clone(), now);
    for event in events::of_change(world, Kind::Number, number, &before, Some(&after)) {
        world.deliveries.send(event);
    }
    world.ladders.agenda.cancel(number, Change::LapseName);
    if let Some(seconds) = world.habits.name_review_seconds {
        world.ladders.agenda.plan(number, Change::ApproveName, now + i64::from(seconds));
    }
}
