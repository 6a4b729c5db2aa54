//! `POST /{number}/register` and `/deregister`: onto the Cloud API and off it.

use serde_json::{Value, json};

use super::{Number, check_messaging, check_pin, check_product, refusals, settings, usable};
use crate::meta::errors::{self, GraphError};
use crate::meta::tokens::Viewer;
use crate::meta::{Done, Turn};
use crate::world::Kind;
use crate::world::agenda::Change;
use crate::world::estate::meta_time;
use crate::world::ladder::Verdict;

/// Registers a number. The first PIN is set, later ones have to match it. A number that is registered stays as it is, but for a
/// new name that was approved: a PIN in force is neither looked at nor replaced, and the reply says so.
pub(super) fn register(turn: &mut Turn<'_>, viewer: &Viewer, number: &Number<'_>) -> Result<Done, GraphError> {
    check_messaging(turn, viewer)?;
    turn.allow(&["messaging_product", "pin", "data_localization_region"])?;
    check_product(&turn.params)?;
    let pin = turn.params.required("pin")?;
    check_pin(&pin)?;
    let region = turn.params.string("data_localization_region")?;
    if region.as_deref().is_some_and(|region| !settings::REGIONS.contains(&region)) {
        return Err(errors::wrong_parameter("data_localization_region", "a country where data can be stored"));
    }
    let renamed = number.record.text("new_name_status") == Some("APPROVED");
    note_careless(turn, number, &pin, renamed);
    let now = turn.world.clock.unix();
    if let Some(expected) = number.record.int("expected_registrations") {
        turn.world.estate.edit(Kind::Number, number.id, now, |record| {
            record.set("expected_registrations", json!((expected - 1).max(0)));
        });
    }
    if !turn.world.ladders.of(number.id).register.admit(now) {
        return Err(refusals::too_many_requests());
    }
    usable(turn, number)?;
    check_standing(turn, number, now)?;
    if number.registered() {
        let pin_set = !has_pin(number) && check_against_pin(turn, number, &pin, now)?;
        let effect = apply_to_registered(turn, number, renamed, pin_set, now);
        // In which form Meta says it is not documented.
        return Ok(Done::Now { body: json!({"success": true, "pin_reset": pin_set}), effect });
    }
    check_against_pin(turn, number, &pin, now)?;
    connect(turn, number, region.as_deref(), now);
    if renamed {
        take_name(turn, number, now);
    }
    Ok(Done::success(Some(format!("number {} registered", number.id))))
}

/// What a careful client does not even try.
fn note_careless(turn: &mut Turn<'_>, number: &Number<'_>, pin: &str, renamed: bool) {
    let id = number.id;
    if number.registered() && number.status() == "CONNECTED" && !renamed {
        let detail = format!("number {id} was registered although it is connected");
        turn.world.journal.violation(turn.seq, "register-connected", detail);
    }
    if let Some(expected) = number.record.int("expected_registrations").filter(|expected| *expected <= 0) {
        let detail = format!("number {id} was registered although nobody requested it ({expected} expected)");
        turn.world.journal.violation(turn.seq, "register-unexpected", detail);
    }
    if turn.world.ladders.of(id).refused_before(pin) {
        let detail = format!("number {id}: a PIN that had been refused was sent again");
        turn.world.journal.violation(turn.seq, "refused-pin", detail);
    }
}

/// What has to be so before a PIN is looked at.
fn check_standing(turn: &Turn<'_>, number: &Number<'_>, now: i64) -> Result<(), GraphError> {
    if number.on_app() {
        return Err(refusals::on_app());
    }
    if number.registered() {
        return Ok(());
    }
    if number.record.flag("half_deregistered") == Some(true) {
        return Err(refusals::half_deregistered());
    }
    if turn.world.ladders.recently_deleted(number.text("display_phone_number"), now) {
        return Err(refusals::recently_deleted());
    }
    if number.verified() { Ok(()) } else { Err(refusals::unverified()) }
}

/// Whether a PIN is in force. One that nobody knows matches nothing.
fn has_pin(number: &Number<'_>) -> bool {
    number.record.text("pin").is_some() || number.record.flag("is_pin_enabled") == Some(true)
}

/// Compares the PIN with the one in force; without one, this one is put in force, and the answer is true.
fn check_against_pin(turn: &mut Turn<'_>, number: &Number<'_>, pin: &str, now: i64) -> Result<bool, GraphError> {
    let in_force = number.record.text("pin");
    if !has_pin(number) {
        turn.world.set_pin(number.id, Some(pin), Some(turn.seq));
        return Ok(true);
    }
    let too_fast = i64::from(turn.world.habits.pin_seconds);
    match turn.world.ladders.of(number.id).try_pin(pin, in_force, too_fast, now) {
        Verdict::Right => Ok(false),
        Verdict::Wrong => Err(refusals::pin_mismatch()),
        Verdict::TooFast(wait) => Err(refusals::pin_too_fast(wait)),
        Verdict::TooMany(wait) => Err(refusals::too_many_pins(wait)),
    }
}

fn apply_to_registered(
    turn: &mut Turn<'_>,
    number: &Number<'_>,
    renamed: bool,
    pin_set: bool,
    now: i64,
) -> Option<String> {
    if renamed {
        take_name(turn, number, now);
        return Some(format!("number {} registered under its new name", number.id));
    }
    pin_set.then(|| format!("number {}: PIN set", number.id))
}

fn connect(turn: &mut Turn<'_>, number: &Number<'_>, region: Option<&str>, now: i64) {
    let usual = i64::from(turn.world.habits.pending_seconds);
    let pending = number.record.int("pending_seconds").unwrap_or(usual);
    turn.world.estate.edit(Kind::Number, number.id, now, |record| {
        record.set("platform_type", json!("CLOUD_API"));
        record.set("status", json!(if pending > 0 { "PENDING" } else { "CONNECTED" }));
        record.set("last_onboarded_time", json!(meta_time(now)));
        if let Some(region) = region {
            let mut settings = record.get("settings").cloned().unwrap_or_else(|| json!({}));
            settings["storage_configuration"] =
                json!({"status": "IN_COUNTRY_STORAGE_ENABLED", "data_localization_region": region});
            record.set("settings", settings);
        }
    });
    if pending > 0 {
        turn.world.ladders.agenda.plan(number.id, Change::Connect, now + pending);
    }
}

/// An approved name is in force from now on.
fn take_name(turn: &mut Turn<'_>, number: &Number<'_>, now: i64) {
    turn.world.ladders.agenda.cancel(number.id, Change::LapseName);
    turn.world.estate.edit(Kind::Number, number.id, now, |record| {
        record.set("new_display_name", Value::Null);
        record.set("new_name_status", Value::Null);
    });
}

/// Takes a number off the Cloud API. Its PIN stays in force, its local storage does not.
pub(super) fn deregister(turn: &mut Turn<'_>, viewer: &Viewer, number: &Number<'_>) -> Result<Done, GraphError> {
    check_messaging(turn, viewer)?;
    turn.allow(&["messaging_product"])?;
    if turn.params.has("messaging_product") {
        check_product(&turn.params)?;
    }
    let now = turn.world.clock.unix();
    if !turn.world.ladders.of(number.id).deregister.admit(now) {
        return Err(refusals::too_many_requests());
    }
    usable(turn, number)?;
    if number.on_app() {
        return Err(refusals::on_app());
    }
    if !number.registered() && number.record.flag("half_deregistered") != Some(true) {
        return Err(refusals::not_registered());
    }
    let incomplete = number.record.int("incomplete_deregistrations").filter(|left| *left > 0);
    turn.world.estate.edit(Kind::Number, number.id, now, |record| {
        record.set("platform_type", json!("NOT_APPLICABLE"));
        record.set("status", json!("DISCONNECTED"));
        record.set("throughput", Value::Null);
        record.set("half_deregistered", incomplete.map_or(Value::Null, |_| json!(true)));
        record.set("incomplete_deregistrations", json!(incomplete.map(|left| left - 1)));
        if let Some(Value::Object(mut settings)) = record.get("settings").cloned() {
            settings.remove("storage_configuration");
            record.set("settings", Value::Object(settings));
        }
    });
    match incomplete {
        None => Ok(Done::success(Some(format!("number {} deregistered", number.id)))),
        Some(_) => Err(refusals::half_deregistered().changed(format!("number {} deregistered half way", number.id))),
    }
}
