//! Webhooks: what Meta sends about which change, to which callback, signed and retried.

pub(crate) mod events;
pub(crate) mod handshake;
pub(crate) mod messages;
pub(crate) mod payload;
pub(crate) mod worker;

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::world::{Kind, World};

/// Deliveries and messages remembered.
const KEPT: usize = 10_000;

/// What an account's webhooks look like to Meta before they are sent.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) account: String,
    /// The id of the entry where it is not the account's.
    pub(crate) entry: Option<String>,
    pub(crate) field: &'static str,
    pub(crate) value: Value,
    /// The number it is about, where overrides hold.
    pub(crate) number: Option<String>,
    /// The message's id, to record its fate.
    pub(crate) message: Option<String>,
    /// The receivers, fixed when the event happened; empty: whoever is subscribed at delivery.
    pub(crate) told: Vec<Target>,
}

/// What happens to deliveries on their way.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub(crate) struct Weather {
    drop: bool,
    delay_seconds: u32,
    duplicate: bool,
    reorder: bool,
}

/// One delivery to one callback.
#[derive(Clone, Debug, Serialize)]
struct Delivery {
    seq: u64,
    time: String,
    field: &'static str,
    account: String,
    app: String,
    callback: String,
    attempts: u32,
    /// `dropped`, `pending`, `delivered`, `failed`.
    state: &'static str,
}

/// A customer's message and where it ended up.
#[derive(Clone, Debug, Serialize)]
struct Message {
    id: String,
    to: String,
    time: String,
    /// The callback that received it, or that did not.
    callback: Option<String>,
    /// `pending`, `delivered`, `lost`.
    state: &'static str,
}

/// Everything on its way and what became of the rest.
#[derive(Debug, Default)]
pub(crate) struct Deliveries {
    pub(crate) weather: Weather,
    outbox: Vec<Event>,
    wake: Arc<Notify>,
    log: VecDeque<Delivery>,
    messages: VecDeque<Message>,
    last: u64,
}

impl Deliveries {
    /// Hands an event to the worker.
    pub(crate) fn send(&mut self, event: Event) {
        self.outbox.push(event);
        self.wake.notify_one();
    }

    /// The same worker goes on serving a world that replaces another; numbers go on too, for what is still on its way.
    pub(crate) fn succeed(&mut self, old: &Self) {
        self.wake = Arc::clone(&old.wake);
        self.last = old.last;
    }

    pub(crate) fn shown(&self) -> Value {
        json!({"weather": self.weather, "deliveries": self.log})
    }

    pub(crate) fn messages(&self) -> Value {
        json!(self.messages)
    }

    fn note_message(&mut self, message: Message) {
        if self.messages.len() == KEPT {
            self.messages.pop_front();
        }
        self.messages.push_back(message);
    }

    fn note(&mut self, mut delivery: Delivery) -> u64 {
        self.last += 1;
        delivery.seq = self.last;
        if self.log.len() == KEPT {
            self.log.pop_front();
        }
        self.log.push_back(delivery);
        self.last
    }

    fn settle(&mut self, seq: u64, message: Option<&str>, callback: &str, attempts: u32, state: &'static str) {
        if let Some(delivery) = self.log.iter_mut().rev().find(|delivery| delivery.seq == seq) {
            (delivery.attempts, delivery.state) = (attempts, state);
        }
        let state = if state == "failed" || state == "dropped" { "lost" } else { state };
        if let Some(message) = message {
            self.settle_message(message, Some(callback), state);
        }
    }

    fn settle_message(&mut self, id: &str, callback: Option<&str>, state: &'static str) {
        if let Some(message) = self.messages.iter_mut().rev().find(|message| message.id == id) {
            message.state = state;
            message.callback = callback.map(str::to_owned);
        }
    }
}

/// Where an event goes: the callback in force of one subscribed app.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    app: String,
    secret: String,
    url: String,
    /// Whether it gets the new values, or only the names of what has changed.
    values: bool,
}

/// Every callback that takes an event now. Only live apps that subscribed to the account and the field have one; overrides,
/// the number's before the account's, hold only for events that are about a number.
fn targets(world: &World, event: &Event) -> Vec<Target> {
    if !event.told.is_empty() {
        return event.told.clone();
    }
    let Some(account) = world.estate.get(Kind::Account, &event.account) else { return Vec::new() };
    let entries = account.list("subscribed_apps").iter();
    entries.filter_map(|entry| target(world, event, entry)).collect()
}

fn target(world: &World, event: &Event, subscription: &Value) -> Option<Target> {
    let id = subscription["app"].as_str()?;
    let app = world.estate.get(Kind::App, id)?;
    let webhook = app.get("webhook")?;
    let wanted = webhook["fields"].as_array().is_none_or(|fields| fields.iter().any(|field| field == event.field));
    if app.flag("live") == Some(false) || webhook["active"] == false || !wanted {
        return None;
    }
    let overridden = event.number.as_ref().and_then(|number| {
        let number = world.estate.get(Kind::Number, number)?;
        let own = number.get("webhook_configuration").and_then(|own| own["override_callback_uri"].as_str());
        own.filter(|url| !url.is_empty()).or_else(|| subscription["override_callback_uri"].as_str())
    });
    let url = overridden.or_else(|| webhook["callback_url"].as_str())?.to_owned();
    let secret = app.text("secret").unwrap_or_default().to_owned();
    Some(Target { app: id.to_owned(), secret, url, values: webhook["include_values"] != false })
}
