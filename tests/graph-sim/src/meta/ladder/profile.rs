//! `/{number}/whatsapp_business_profile`: what customers see of a business.

use reqwest::Url;
use serde_json::{Map, Value, json};

use super::{Number, check_product, refusals, usable};
use crate::meta::errors::{self, GraphError};
use crate::meta::{Done, Turn, fields};
use crate::world::Kind;
use crate::world::lag::View;

const FIELDS: [&str; 7] = ["about", "address", "description", "email", "profile_picture_url", "websites", "vertical"];

/// Longest texts, in characters.
const LONGEST: [(&str, usize); 4] = [("about", 139), ("address", 256), ("description", 512), ("email", 128)];
const WEBSITES: usize = 2;
const LONGEST_WEBSITE: usize = 256;

/// How `vertical` reads back when none was chosen.
const NO_VERTICAL: &str = "UNDEFINED";

const VERTICALS: [&str; 22] = [
    "",
    "ALCOHOL",
    "APPAREL",
    "AUTO",
    "BEAUTY",
    "EDU",
    "ENTERTAIN",
    "EVENT_PLAN",
    "FINANCE",
    "GOVT",
    "GROCERY",
    "HEALTH",
    "HOTEL",
    "NONPROFIT",
    "ONLINE_GAMBLING",
    "OTC_DRUGS",
    "OTHER",
    "PHYSICAL_GAMBLING",
    "PROF_SERVICES",
    "RESTAURANT",
    "RETAIL",
    "TRAVEL",
];

/// `GET`: flat, and only the requested fields that have a value, but for `vertical`: it always has one.
pub(crate) fn read(turn: &Turn<'_>, number: &str) -> Result<Done, GraphError> {
    turn.allow(&["fields"])?;
    let wants = fields::parse(&turn.params.required("fields")?)?;
    if let Some(want) =
        wants.iter().find(|want| !FIELDS.contains(&want.name.as_str()) && want.name != "messaging_product")
    {
        return Err(errors::nonexisting_field(&want.name, "WhatsAppBusinessProfile"));
    }
    let record = turn.world.estate.see(View::Node, Kind::Number, number, turn.world.clock.unix());
    let profile = record.and_then(|record| record.get("profile")).and_then(Value::as_object);
    let mut shown = Map::new();
    for want in wants {
        let value = profile.and_then(|profile| profile.get(&want.name)).cloned();
        let value = value.or_else(|| (want.name == "vertical").then(|| json!(NO_VERTICAL)));
        shown.extend(value.map(|value| (want.name, value)));
    }
    shown.insert("messaging_product".into(), json!("whatsapp"));
    Ok(Done::read(json!({"data": [shown]})))
}

/// `POST`: only what is sent changes, all of it or nothing.
pub(super) fn write(turn: &mut Turn<'_>, number: &Number<'_>) -> Result<Done, GraphError> {
    let mut known = vec!["messaging_product", "profile_picture_handle", "websites", "vertical"];
    known.extend(LONGEST.iter().map(|(name, _)| *name));
    turn.allow(&known)?;
    check_product(&turn.params)?;
    if turn.params.has("profile_picture_handle") {
        return Err(errors::invalid_parameter("profile_picture_handle: there was no such upload"));
    }
    let mut changes = texts(turn)?;
    if let Some(websites) = turn.params.strings("websites")? {
        changes.push(("websites", websites_shown(&websites)?));
    }
    if let Some(vertical) = turn.params.string("vertical")? {
        if !VERTICALS.contains(&vertical.as_str()) {
            return Err(errors::wrong_parameter("vertical", &format!("one of {{{}}}", VERTICALS[1..].join(", "))));
        }
        changes.push(("vertical", json!(if vertical.is_empty() { NO_VERTICAL } else { &vertical })));
    }
    usable(turn, number)?;
    if !number.registered() {
        return Err(refusals::not_registered());
    }
    if changes.is_empty() {
        return Ok(Done::success(None));
    }
    let now = turn.world.clock.unix();
    turn.world.estate.edit(Kind::Number, number.id, now, |record| {
        let mut profile = record.get("profile").and_then(Value::as_object).cloned().unwrap_or_default();
        for (name, value) in changes {
            if value.is_null() {
                profile.remove(name);
            } else {
                profile.insert(name.into(), value);
            }
        }
        record.set("profile", Value::Object(profile));
    });
    Ok(Done::success(Some(format!("number {}: profile changed", number.id))))
}

/// Texts as they will read back; an empty one removes the value, but `about` cannot be emptied.
fn texts(turn: &Turn<'_>) -> Result<Vec<(&'static str, Value)>, GraphError> {
    let mut changes = Vec::new();
    for (name, longest) in LONGEST {
        let Some(text) = turn.params.string(name)? else { continue };
        let text = text.replace("\r\n", "\n").trim().to_owned();
        if text.chars().count() > longest {
            return Err(errors::wrong_parameter(name, &format!("no more than {longest} characters long")));
        }
        let value = match name {
            "about" if text.is_empty() => return Err(errors::wrong_parameter(name, "at least 1 character long")),
            _ if text.is_empty() => Value::Null,
            "email" if !is_address(&text) => return Err(errors::wrong_parameter(name, "a valid email address")),
            "email" => json!(text.to_lowercase()),
            _ => json!(text),
        };
        changes.push((name, value));
    }
    Ok(changes)
}

fn is_address(text: &str) -> bool {
    text.split_once('@')
        .is_some_and(|(user, host)| !user.is_empty() && host.contains('.') && !host.contains(['@', ' ']))
}

/// Websites as they will read back: with a host in lower case and a path.
fn websites_shown(websites: &[String]) -> Result<Value, GraphError> {
    if websites.len() > WEBSITES {
        return Err(errors::wrong_parameter("websites", &format!("no more than {WEBSITES}")));
    }
    let mut shown = Vec::new();
    for website in websites {
        let url = Url::parse(website.trim()).ok().filter(|url| ["http", "https"].contains(&url.scheme()));
        let url = url.filter(|_| website.chars().count() <= LONGEST_WEBSITE);
        let url = url.ok_or_else(|| errors::wrong_parameter("websites", "valid URLs of at most 256 characters"))?;
        shown.push(url.to_string());
    }
    Ok(if shown.is_empty() { Value::Null } else { json!(shown) })
}
