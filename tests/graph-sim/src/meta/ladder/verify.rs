//! `POST /{number}/request_code` and `/verify_code`: a code goes out, a person brings it back.

use serde_json::json;

use super::{Number, refusals, usable};
use crate::meta::errors::{self, GraphError};
use crate::meta::{Done, Turn};
use crate::world::Kind;
use crate::world::agenda::{Change, LAPSE};
use crate::world::ladder::SentCode;

/// Sends a code, unless the number is verified already or cannot be reached.
pub(super) fn request_code(turn: &mut Turn<'_>, number: &Number<'_>) -> Result<Done, GraphError> {
    turn.allow(&["code_method", "language", "locale"])?;
    let method = turn.params.required("code_method")?;
    if !["SMS", "VOICE"].contains(&method.as_str()) {
        return Err(errors::wrong_parameter("code_method", "one of {SMS, VOICE}"));
    }
    // `locale` is the older name.
    let language = turn.params.string("language")?.or(turn.params.string("locale")?);
    let language = language.ok_or_else(|| errors::missing_parameter("language"))?;
    if !is_language(&language) {
        return Err(errors::wrong_parameter("language", "a language like en or en_US"));
    }
    usable(turn, number)?;
    let unreachable = number.record.list("undeliverable").iter().any(|by| *by == method);
    if number.verified() || number.on_app() || unreachable {
        return Err(refusals::not_sent());
    }
    let sent_at = turn.world.clock.now();
    let ladder = turn.world.ladders.of(number.id);
    ladder.send(SentCode { code: fresh_code(ladder.codes()), method: method.clone(), sent_at });
    let sent = i64::try_from(ladder.codes().len()).unwrap_or(i64::MAX);
    if sent > number.record.int("expected_codes").unwrap_or(1) {
        let detail = format!("number {} was sent {sent} codes", number.id);
        turn.world.journal.violation(turn.seq, "second-code", detail);
    }
    Ok(Done::success(Some(format!("number {}: code sent by {method}", number.id))))
}

fn is_language(text: &str) -> bool {
    let (language, region) = text.split_once('_').map_or((text, None), |(language, region)| (language, Some(region)));
    (2..=3).contains(&language.len())
        && language.bytes().all(|byte| byte.is_ascii_lowercase())
        && region.is_none_or(|region| region.len() == 2 && region.bytes().all(|byte| byte.is_ascii_uppercase()))
}

/// Six digits that are not those of an earlier code.
fn fresh_code(sent: &[SentCode]) -> String {
    loop {
        let code = format!("{:06}", rand::random::<u32>() % 1_000_000);
        if sent.iter().all(|earlier| earlier.code != code) {
            return code;
        }
    }
}

/// Takes the code that was sent last, within its ten minutes, once.
pub(super) fn verify_code(turn: &mut Turn<'_>, number: &Number<'_>) -> Result<Done, GraphError> {
    turn.allow(&["code"])?;
    let code = turn.params.required("code")?;
    usable(turn, number)?;
    let now = turn.world.clock.unix();
    let right = turn.world.ladders.of(number.id).verify(&code, now);
    if !right || number.verified() {
        return Err(refusals::wrong_code());
    }
    turn.world.estate.edit(Kind::Number, number.id, now, |record| {
        record.set("code_verification_status", json!("VERIFIED"));
    });
    turn.world.ladders.agenda.plan(number.id, Change::LapseVerification, now + LAPSE);
    Ok(Done::changed(json!({"success": true, "id": number.id}), format!("number {} verified", number.id)))
}
