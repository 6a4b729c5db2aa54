//! `health_status`: whether a message could be sent, and which of the objects on its way stands in it.

use serde_json::{Value, json};

use super::accounts;
use super::read::Subject;
use crate::world::{Kind, Record, World};

/// How well one object can send, worst last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum CanSend {
    Available,
    Limited,
    Blocked,
}

impl CanSend {
    const fn name(self) -> &'static str {
        match self {
            Self::Available => "AVAILABLE",
            Self::Limited => "LIMITED",
            Self::Blocked => "BLOCKED",
        }
    }
}

/// One object's verdict: code, description and solution where something is wrong.
struct Entity {
    kind: &'static str,
    id: String,
    can_send: CanSend,
    error: Option<(i64, &'static str, &'static str)>,
}

/// The health of a number, template or account with everything above it; a seeded value wins.
pub(crate) fn status(world: &World, app: &str, subject: &Subject, record: &Record) -> Value {
    if let Some(set) = record.get("health_status") {
        return set.clone();
    }
    let mut entities = Vec::new();
    let account_id = match subject.kind {
        Kind::Number => {
            entities.push(number(&subject.key, record));
            record.text("account").unwrap_or_default().to_owned()
        }
        Kind::Template => {
            entities.push(template(&subject.key, record));
            record.text("account").unwrap_or_default().to_owned()
        }
        _ => subject.key.to_string(),
    };
    if let Some(account) = world.estate.get(Kind::Account, &account_id) {
        let business_id = account.text("business").unwrap_or_default().to_owned();
        entities.push(self::account(account_id, account));
        if let Some(owner) = world.estate.get(Kind::Business, &business_id) {
            entities.push(business(business_id, owner));
        }
    }
    entities.push(application(app, world));
    render(&entities)
}

fn number(id: &str, record: &Record) -> Entity {
    let (can_send, error) = match record.text("status").unwrap_or("CONNECTED") {
        "CONNECTED" => (CanSend::Available, None),
        "FLAGGED" | "RATE_LIMITED" => (CanSend::Limited, None),
        "BANNED" | "RESTRICTED" => (
            CanSend::Blocked,
            Some((141_005, "The phone number is restricted or banned.", "Open WhatsApp Manager and ask for a review.")),
        ),
        _ => (
            CanSend::Blocked,
            Some((141_000, "The phone number is not registered.", "Register the phone number with the Cloud API.")),
        ),
    };
    Entity { kind: "PHONE_NUMBER", id: id.to_owned(), can_send, error }
}

fn template(id: &str, record: &Record) -> Entity {
    let (can_send, error) = match record.text("status").unwrap_or("APPROVED") {
        "APPROVED" => (CanSend::Available, None),
        _ => (
            CanSend::Blocked,
            Some((141_003, "The message template is not approved.", "Use a template that is approved.")),
        ),
    };
    Entity { kind: "MESSAGE_TEMPLATE", id: id.to_owned(), can_send, error }
}

fn account(id: String, record: &Record) -> Entity {
    let reviewed = record.text("account_review_status").unwrap_or("APPROVED") == "APPROVED";
    let active = record.text("status").unwrap_or("ACTIVE") == "ACTIVE";
    let (can_send, error) = if reviewed && active {
        (CanSend::Available, None)
    } else {
        let text = "The WhatsApp Business Account cannot send messages.";
        (CanSend::Blocked, Some((141_002, text, "Open WhatsApp Manager and follow the instructions there.")))
    };
    Entity { kind: "WABA", id, can_send, error }
}

fn business(id: String, record: &Record) -> Entity {
    let (can_send, error) = if accounts::is_verified(record) {
        (CanSend::Available, None)
    } else {
        let text = "The Business has not passed business verification.";
        (CanSend::Limited, Some((141_010, text, "Visit business settings and start business verification.")))
    };
    Entity { kind: "BUSINESS", id, can_send, error }
}

fn application(app: &str, world: &World) -> Entity {
    let live = world.estate.get(Kind::App, app).and_then(|record| record.flag("live")) != Some(false);
    let (can_send, error) = if live {
        (CanSend::Available, None)
    } else {
        let text = "The app is in development mode.";
        (CanSend::Limited, Some((141_011, text, "Publish the app in the App Dashboard.")))
    };
    Entity { kind: "APP", id: app.to_owned(), can_send, error }
}

fn render(entities: &[Entity]) -> Value {
    let worst = entities.iter().map(|entity| entity.can_send).max().unwrap_or(CanSend::Available);
    let shown = entities.iter().map(|entity| {
        let mut shown =
            json!({"entity_type": entity.kind, "id": entity.id, "can_send_message": entity.can_send.name()});
        if let Some((code, description, solution)) = entity.error {
            shown["errors"] =
                json!([{"error_code": code, "error_description": description, "possible_solution": solution}]);
        }
        shown
    });
    json!({"can_send_message": worst.name(), "entities": shown.collect::<Vec<_>>()})
}
