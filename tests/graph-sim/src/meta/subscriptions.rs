//! `/{app}/subscriptions`: the app's own callback, and the fields it takes.

use serde_json::{Value, json};

use super::callbacks::Callback;
use super::errors::{self, GraphError};
use super::tokens::Viewer;
use super::{Done, Turn};
use crate::world::lag::View;
use crate::world::{Kind, Record, World};

const OBJECT: &str = "whatsapp_business_account";

/// The fields of the object as of September 2026.
const FIELDS: [&str; 29] = [
    "account_alerts",
    "account_review_update",
    "account_settings_update",
    "account_update",
    "automatic_events",
    "business_capability_update",
    "calls",
    "consumer_profile",
    "flows",
    "group_lifecycle_update",
    "group_participants_update",
    "group_settings_update",
    "group_status_update",
    "history",
    "message_echoes",
    "message_template_components_update",
    "message_template_quality_update",
    "message_template_status_update",
    "messages",
    "messaging_handovers",
    "partner_solutions",
    "payment_configuration_update",
    "phone_number_name_update",
    "phone_number_quality_update",
    "security",
    "smb_app_state_sync",
    "smb_message_echoes",
    "template_category_update",
    "user_preferences",
];
/// Those that only apps with coexistence may have.
const COEXISTENCE: [&str; 3] = ["history", "smb_app_state_sync", "smb_message_echoes"];

/// `GET`: everything but the verify token.
pub(crate) fn read(turn: &Turn<'_>, viewer: &Viewer) -> Result<Done, GraphError> {
    needs_app_token(viewer)?;
    turn.allow(&[])?;
    let app = turn.world.estate.see(View::List, Kind::App, &viewer.app, turn.world.clock.unix());
    let shown = app.and_then(|app| Some((app, app.get("webhook")?))).map(|(app, webhook)| {
        let version = format!("v{}.0", turn.served.version);
        let fields = fields_of(app, webhook);
        let fields: Vec<Value> = fields.iter().map(|name| json!({"name": name, "version": version})).collect();
        json!({
            "object": OBJECT, "callback_url": webhook["callback_url"], "active": webhook["active"] != false, "fields": fields,
        })
    });
    Ok(Done::read(json!({"data": shown.into_iter().collect::<Vec<_>>()})))
}

/// `POST` and `DELETE`.
pub(crate) fn write(turn: &mut Turn<'_>, viewer: &Viewer) -> Result<Done, GraphError> {
    needs_app_token(viewer)?;
    if turn.call.method == "DELETE" { remove(turn, &viewer.app) } else { publish(turn, &viewer.app) }
}

fn needs_app_token(viewer: &Viewer) -> Result<(), GraphError> {
    match viewer.token {
        None => Ok(()),
        Some(_) => Err(GraphError::new(15, "(#15) This method must be called with an app access_token.")),
    }
}

fn object(turn: &Turn<'_>) -> Result<Option<()>, GraphError> {
    match turn.params.string("object")?.as_deref() {
        None => Ok(None),
        Some(OBJECT) => Ok(Some(())),
        Some(_) => Err(errors::wrong_parameter("object", &format!("one of {{{}}}", OBJECT.to_uppercase()))),
    }
}

/// Adds to what is there: fields that are not named stay, and an inactive subscription wakes up.
fn publish(turn: &mut Turn<'_>, app: &str) -> Result<Done, GraphError> {
    turn.allow(&["object", "callback_url", "fields", "verify_token", "include_values"])?;
    object(turn)?.ok_or_else(|| errors::missing_parameter("object"))?;
    let verify_token = turn.params.required("verify_token")?;
    let callback = Callback::new("callback_url", &turn.params.required("callback_url")?, verify_token)?;
    let include_values = turn.params.flag("include_values")?;
    let fields = turn.params.strings("fields")?;
    let record = turn.world.estate.get(Kind::App, app);
    let coexistence = record.is_some_and(|app| app.flag("coexistence") == Some(true));
    if record.is_none_or(|app| app.get("webhook").is_none()) && fields.is_none() {
        return Err(errors::missing_parameter("fields"));
    }
    let allowed = |name: &str| FIELDS.contains(&name) && (coexistence || !COEXISTENCE.contains(&name));
    if let Some(field) = fields.iter().flatten().find(|name| !allowed(name)) {
        return Err(GraphError::new(100, format!("(#100) Invalid field {field} for object {OBJECT}")));
    }
    let (app, proven) = (app.to_owned(), callback.clone());
    Ok(Done::AfterHandshake(callback, Box::new(move |world| merge(world, &app, &proven, fields, include_values))))
}

fn merge(
    world: &mut World,
    app: &str,
    callback: &Callback,
    fields: Option<Vec<String>>,
    include_values: Option<bool>,
) -> String {
    let now = world.clock.unix();
    world.estate.edit(Kind::App, app, now, |record| {
        let mut webhook = record.get("webhook").cloned().unwrap_or_else(|| json!({"fields": []}));
        webhook["callback_url"] = json!(callback.url);
        webhook["verify_token"] = json!(callback.verify_token);
        webhook["active"] = json!(true);
        if let Some(include_values) = include_values {
            webhook["include_values"] = json!(include_values);
        }
        if let (Some(known), Some(more)) = (webhook["fields"].as_array_mut(), fields) {
            for field in more.into_iter().map(Value::String) {
                if !known.contains(&field) {
                    known.push(field);
                }
            }
        }
        record.set("webhook", webhook);
    });
    format!("app {app}: subscription changed")
}

/// Removes fields, or everything: without `object` all subscriptions of the app go.
fn remove(turn: &mut Turn<'_>, app: &str) -> Result<Done, GraphError> {
    turn.allow(&["object", "fields"])?;
    let named = object(turn)?;
    let fields = turn.params.strings("fields")?;
    if fields.is_some() && named.is_none() {
        return Err(errors::missing_parameter("object"));
    }
    let record = turn.world.estate.get(Kind::App, app);
    let Some((record, webhook)) = record.and_then(|app| Some((app, app.get("webhook")?))) else {
        return Ok(Done::success(None));
    };
    let left: Vec<String> = match &fields {
        None => Vec::new(),
        Some(gone) => fields_of(record, webhook).into_iter().filter(|field| !gone.contains(field)).collect(),
    };
    let mut webhook = webhook.clone();
    webhook["fields"] = json!(left);
    let now = turn.world.clock.unix();
    turn.world.estate.edit(Kind::App, app, now, |record| {
        record.set("webhook", if left.is_empty() { Value::Null } else { webhook });
    });
    let what = if left.is_empty() { "subscription removed" } else { "fields removed from its subscription" };
    Ok(Done::success(Some(format!("app {app}: {what}"))))
}

/// The fields a subscription has; a seed that names none means all the app may have.
fn fields_of(app: &Record, webhook: &Value) -> Vec<String> {
    let coexistence = app.flag("coexistence") == Some(true);
    if let Some(fields) = webhook["fields"].as_array() {
        return fields.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    }
    let all = FIELDS.iter().filter(|field| coexistence || !COEXISTENCE.contains(field));
    all.map(|field| (*field).to_owned()).collect()
}
