//! `/{number}/settings`: calling, identity checks, encryption, storage; one of them in each call.

use serde_json::{Map, Value, json};

use super::{Number, usable};
use crate::delivery::events;
use crate::meta::errors::{self, GraphError};
use crate::meta::{Done, Turn};
use crate::world::Kind;
use crate::world::lag::View;

/// Countries where data can be kept.
pub(super) const REGIONS: [&str; 14] =
    ["AU", "ID", "IN", "JP", "SG", "KR", "DE", "CH", "GB", "BR", "BH", "ZA", "AE", "CA"];

/// What a setting's value may be.
enum Shape {
    OneOf(&'static [&'static str]),
    Text,
    Flag,
    Number,
    Object,
}

const ON_OFF: Shape = Shape::OneOf(&["ENABLED", "DISABLED"]);

/// Every feature with its settings.
const FEATURES: [(&str, &[(&str, Shape)]); 4] = [
    (
        "calling",
        &[
            ("status", ON_OFF),
            ("call_icon_visibility", Shape::OneOf(&["DEFAULT", "DISABLE_ALL"])),
            ("callback_permission_status", ON_OFF),
            ("call_hours", Shape::Object),
            ("call_icons", Shape::Object),
            ("sip", Shape::Object),
        ],
    ),
    ("user_identity_change", &[("enable_identity_key_check", Shape::Flag)]),
    ("payload_encryption", &[("status", ON_OFF), ("client_encryption_key", Shape::Text)]),
    (
        "storage_configuration",
        &[
            ("status", Shape::OneOf(&["DEFAULT", "IN_COUNTRY_STORAGE_ENABLED", "NO_STORAGE_ENABLED"])),
            ("data_localization_region", Shape::OneOf(&REGIONS)),
            ("retention_minutes", Shape::Number),
        ],
    ),
];

/// `GET`: what is set, over what holds when nothing is.
pub(crate) fn read(turn: &Turn<'_>, number: &str) -> Result<Done, GraphError> {
    turn.allow(&["include_sip_credentials"])?;
    turn.params.flag("include_sip_credentials")?;
    let record = turn.world.estate.see(View::Node, Kind::Number, number, turn.world.clock.unix());
    let mut shown = json!({
        "calling": {"status": "DISABLED", "call_icon_visibility": "DEFAULT", "callback_permission_status": "DISABLED"},
        "payload_encryption": {"status": "DISABLED"},
        "storage_configuration": {"status": "DEFAULT"},
    });
    let set = record.and_then(|record| record.get("settings")).and_then(Value::as_object);
    for (feature, values) in set.into_iter().flatten() {
        for (name, value) in values.as_object().into_iter().flatten() {
            // Keys are written and never read.
            if name != "client_encryption_key" {
                shown[feature][name] = value.clone();
            }
        }
    }
    Ok(Done::read(shown))
}

/// `POST`.
pub(super) fn write(turn: &mut Turn<'_>, number: &Number<'_>) -> Result<Done, GraphError> {
    turn.allow(&FEATURES.map(|(feature, _)| feature))?;
    let mut wanted = Vec::new();
    for (feature, settings) in FEATURES {
        if let Some(values) = turn.params.object(feature)? {
            check(feature, settings, &values)?;
            wanted.push((feature, values));
        }
    }
    let [(feature, values)] = &wanted[..] else {
        return Err(errors::invalid_parameter("Exactly one feature can be set in each request"));
    };
    usable(turn, number)?;
    if *feature == "storage_configuration" && number.registered() {
        return Err(errors::invalid_parameter("Storage cannot be changed while the phone number is registered"));
    }
    let now = turn.world.clock.unix();
    turn.world.estate.edit(Kind::Number, number.id, now, |record| {
        let mut settings = record.get("settings").cloned().unwrap_or_else(|| json!({}));
        if *feature == "storage_configuration" {
            settings[*feature] = json!({});
        }
        for (name, value) in values {
            settings[*feature][name] = value.clone();
        }
        record.set("settings", settings);
    });
    if *feature == "calling" {
        let event = events::of_calling(turn.world, number.id, number.text("account"), values);
        turn.world.deliveries.send(event);
    }
    Ok(Done::success(Some(format!("number {}: {feature} set", number.id))))
}

fn check(feature: &str, settings: &[(&str, Shape)], values: &Map<String, Value>) -> Result<(), GraphError> {
    for (name, value) in values {
        let place = format!("{feature}[{name}]");
        let Some((_, shape)) = settings.iter().find(|(setting, _)| setting == name) else {
            return Err(errors::invalid_parameter(format!("Unexpected parameter: {place}")));
        };
        let (fits, expected) = match shape {
            Shape::OneOf(values) => {
                let fits = value.as_str().is_some_and(|text| values.contains(&text));
                (fits, format!("one of {{{}}}", values.join(", ")))
            }
            Shape::Text => (value.is_string(), "a string".to_owned()),
            Shape::Flag => (value.is_boolean(), "a boolean".to_owned()),
            Shape::Number => (value.is_u64(), "an integer".to_owned()),
            Shape::Object => (value.is_object(), "an object".to_owned()),
        };
        if !fits {
            return Err(errors::wrong_parameter(&place, &expected));
        }
    }
    let status = values.get("status").and_then(Value::as_str);
    let needed = match (feature, status) {
        ("payload_encryption", Some("ENABLED")) => "client_encryption_key",
        ("storage_configuration", Some("IN_COUNTRY_STORAGE_ENABLED")) => "data_localization_region",
        ("payload_encryption" | "storage_configuration", None) => "status",
        _ => return Ok(()),
    };
    if values.contains_key(needed) { Ok(()) } else { Err(errors::missing_parameter(&format!("{feature}[{needed}]"))) }
}
