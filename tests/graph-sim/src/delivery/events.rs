//! Which webhooks a change causes. Many changes cause none: a number's status, a token's expiry, a registration.

use serde_json::{Map, Value, json};

use super::{Event, targets};
use crate::world::{Kind, Record, World, dial};

/// The events of one change made by a person or by Meta itself; `after` is absent when the object was removed.
pub(crate) fn of_change(world: &World, kind: Kind, key: &str, before: &Record, after: Option<&Record>) -> Vec<Event> {
    match (kind, after) {
        (Kind::Number, Some(after)) => number(before, after),
        (Kind::Template, Some(after)) => template(key, before, after),
        (Kind::Template, None) => {
            vec![event(account_of(before), "message_template_status_update", status_update(key, before, "DELETED"))]
        }
        (Kind::Account, Some(after)) => account(key, before, after),
        (Kind::Account, None) => {
            let mut event = event(key, "account_update", json!({"event": "ACCOUNT_DELETED"}));
            event.told = targets(world, &event);
            vec![event]
        }
        (Kind::Business, Some(after)) => business(world, key, before, after),
        _ => Vec::new(),
    }
}

fn event(account: &str, field: &'static str, value: Value) -> Event {
    Event { account: account.to_owned(), entry: None, field, value, number: None, message: None, told: Vec::new() }
}

/// An app came to an account, or left it: delivered to that app alone, in the name of the business.
pub(crate) fn of_app(world: &World, account: &str, app: &str, name: &str) -> Option<Event> {
    let owner = world.estate.get(Kind::Account, account)?.text("business");
    let info = json!({"waba_id": account, "owner_business_id": owner, "partner_app_id": app});
    let mut event = event(account, "account_update", json!({"event": name, "waba_info": info}));
    event.entry = owner.map(str::to_owned);
    event.told = targets(world, &event).into_iter().filter(|target| target.app == app).collect();
    (!event.told.is_empty()).then_some(event)
}

/// A number's calling settings, whoever changed them.
pub(crate) fn of_calling(world: &World, number: &str, account: &str, calling: &Map<String, Value>) -> Event {
    let value = json!({
        "messaging_product": "whatsapp",
        "timestamp": world.clock.unix().to_string(),
        "type": "phone_number_settings",
        "phone_number_settings": {"phone_number_id": number, "calling": calling},
    });
    Event { number: Some(number.to_owned()), ..event(account, "account_settings_update", value) }
}

fn account_of(record: &Record) -> &str {
    record.text("account").unwrap_or_default()
}

/// A field's new value, if it has changed.
fn changed<'a>(field: &str, before: &Record, after: &'a Record) -> Option<&'a Value> {
    let value = after.get(field);
    value.filter(|_| before.get(field) != value)
}

fn number(before: &Record, after: &Record) -> Vec<Event> {
    let digits = dial::digits(after.text("display_phone_number").unwrap_or_default());
    let mut events = Vec::new();
    for field in ["name_status", "new_name_status"] {
        let decision = match changed(field, before, after).and_then(Value::as_str) {
            Some("APPROVED" | "AVAILABLE_WITHOUT_REVIEW") => "APPROVED",
            Some("DECLINED") => "REJECTED",
            Some("PENDING_REVIEW") => "PENDING",
            _ => continue,
        };
        let name = after.get("new_display_name").or_else(|| after.get("verified_name"));
        let reason = if decision == "REJECTED" { json!("NAME_NOT_CONSISTENT") } else { Value::Null };
        let value = json!({
            "display_phone_number": digits, "decision": decision, "requested_verified_name": name, "rejection_reason": reason,
        });
        events.push(event(account_of(after), "phone_number_name_update", value));
    }
    if changed("throughput", before, after).is_some_and(|throughput| throughput["level"] == "HIGH") {
        let value = json!({
            "display_phone_number": digits, "event": "THROUGHPUT_UPGRADE", "current_limit": "TIER_UNLIMITED",
            "max_daily_conversations_per_business": "TIER_UNLIMITED",
        });
        events.push(event(account_of(after), "phone_number_quality_update", value));
    }
    // Only a PIN set in WhatsApp Manager is announced, and this is where people do that.
    if changed("pin", before, after).is_some() {
        let value = json!({"display_phone_number": digits, "event": "PIN_CHANGED"});
        events.push(event(account_of(after), "security", value));
    }
    events
}

fn template(id: &str, before: &Record, after: &Record) -> Vec<Event> {
    let account = account_of(after);
    let mut events = Vec::new();
    if let Some(status) = changed("status", before, after).and_then(Value::as_str) {
        events.push(event(account, "message_template_status_update", status_update(id, after, status)));
    }
    if let Some(score) = changed("quality_score", before, after) {
        let previous = before.get("quality_score").map_or(json!("UNKNOWN"), |score| score["score"].clone());
        let mut value = identity(id, after);
        value["previous_quality_score"] = previous;
        value["new_quality_score"] = score["score"].clone();
        events.push(event(account, "message_template_quality_update", value));
    }
    if let Some(category) = changed("category", before, after) {
        let mut value = identity(id, after);
        value["previous_category"] = json!(before.text("category").unwrap_or("UTILITY"));
        value["new_category"] = category.clone();
        events.push(event(account, "template_category_update", value));
    }
    if let Some(correct) = changed("correct_category", before, after) {
        // While the change is only announced, `new_category` is still the current one.
        let mut value = identity(id, after);
        value["new_category"] = json!(after.text("category").unwrap_or("UTILITY"));
        value["correct_category"] = correct.clone();
        events.push(event(account, "template_category_update", value));
    }
    if let Some(components) = changed("components", before, after) {
        let mut value = identity(id, after);
        let body = components.as_array().into_iter().flatten().find(|component| component["type"] == "BODY");
        value["message_template_element"] = body.map_or(Value::Null, |body| body["text"].clone());
        events.push(event(account, "message_template_components_update", value));
    }
    events
}

/// Webhooks spell ids as numbers and languages with a hyphen; the API does neither.
fn identity(id: &str, record: &Record) -> Value {
    json!({
        "message_template_id": id.parse::<u64>().map_or_else(|_| json!(id), |id| json!(id)),
        "message_template_name": record.text("name"),
        "message_template_language": record.text("language").unwrap_or("en_US").replace('_', "-"),
    })
}

fn status_update(id: &str, record: &Record, status: &str) -> Value {
    let mut value = identity(id, record);
    let reason = record.text("rejected_reason").unwrap_or("NONE");
    value["event"] = json!(status);
    value["reason"] = if status == "PENDING_DELETION" { Value::Null } else { json!(reason) };
    value["message_template_category"] = json!(record.text("category").unwrap_or("UTILITY"));
    if status == "REJECTED" && reason == "INVALID_FORMAT" {
        value["rejection_info"] = json!({
            "reason": "The variables are not separated by text.",
            "recommendation": "Put words between the variables, and submit again.",
        });
    }
    if status == "PAUSED" {
        value["other_info"] =
            json!({"title": "FIRST_PAUSE", "description": "Paused for 3 hours because of low quality."});
    }
    value
}

fn account(id: &str, before: &Record, after: &Record) -> Vec<Event> {
    let mut events = Vec::new();
    if let Some(decision) = changed("account_review_status", before, after) {
        events.push(event(id, "account_review_update", json!({"decision": decision})));
    }
    if let Some(status) = changed("status", before, after).and_then(Value::as_str) {
        let state = if status == "ACTIVE" { "REINSTATE" } else { "DISABLE" };
        let ban = json!({"waba_ban_state": state, "waba_ban_date": "November 22, 2026"});
        events.push(event(id, "account_update", json!({"event": "DISABLED_UPDATE", "ban_info": ban})));
    }
    events
}

/// Limits belong to the portfolio and are announced for each of its accounts.
fn business(world: &World, id: &str, before: &Record, after: &Record) -> Vec<Event> {
    let Some(limit) = changed("whatsapp_business_manager_messaging_limit", before, after) else { return Vec::new() };
    let value = json!({"max_daily_conversations_per_business": limit, "max_phone_numbers_per_business": 20});
    world
        .estate
        .listed_keys(Kind::Account, id)
        .map(|account| event(account, "business_capability_update", value.clone()))
        .collect()
}
