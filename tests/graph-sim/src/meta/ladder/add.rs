//! `POST /{account}/phone_numbers`: a number appears, with nothing proven about it.

use serde_json::json;

use super::{check_name, refusals};
use crate::meta::errors::{self, GraphError};
use crate::meta::{Done, Turn, accounts};
use crate::world::dial;
use crate::world::{Kind, Record, World};

/// Numbers a business may have before, and after, it is verified.
const LIMIT: usize = 2;
const LIMIT_VERIFIED: usize = 20;

pub(crate) fn serve(turn: &mut Turn<'_>, account: &str) -> Result<Done, GraphError> {
    turn.allow(&["cc", "phone_number", "verified_name", "migrate_phone_number", "preverified_id"])?;
    let (country, number) = (turn.params.required("cc")?, turn.params.required("phone_number")?);
    let name = turn.params.required("verified_name")?;
    check_name("verified_name", &name)?;
    let digits = dial::join(&country, &number)
        .ok_or_else(|| errors::invalid_parameter("cc and phone_number have to make up a phone number"))?;
    if turn.params.has("preverified_id") {
        return Err(errors::invalid_parameter("There is no such pre-verified phone number"));
    }
    let migrating = turn.params.flag("migrate_phone_number")? == Some(true);
    let status = turn.world.estate.get(Kind::Account, account).and_then(|account| account.text("status"));
    if status.unwrap_or("ACTIVE") != "ACTIVE" {
        return Err(refusals::policy());
    }
    match holder(turn.world, &digits) {
        Some(holder) if holder == account => {
            let detail = format!("{digits} is in account {account} already");
            turn.world.journal.violation(turn.seq, "number-there", detail);
            return Err(refusals::there_already());
        }
        _ if migrating => return Err(refusals::not_migrated()),
        Some(_) => return Err(refusals::elsewhere()),
        None => {}
    }
    let now = turn.world.clock.unix();
    if turn.world.ladders.recently_deleted(&digits, now) {
        return Err(refusals::recently_deleted());
    }
    let (limit, used) = portfolio(turn.world, account);
    if used >= limit {
        return Err(refusals::too_many_numbers(limit));
    }
    let id = turn.world.estate.fresh_id(Kind::Number);
    let shown = dial::read_back(&digits, turn.world.habits.national_variant);
    turn.world.estate.put(Kind::Number, &id, fresh(account, &country, &shown, &name), now);
    Ok(Done::changed(json!({"id": id}), format!("number {id} added")))
}

/// What a number is before anybody has proven anything.
fn fresh(account: &str, country: &str, digits: &str, name: &str) -> Record {
    let country = dial::digits(country);
    let mut record = Record::default();
    record.set("account", json!(account));
    record.set("display_phone_number", json!(dial::display(&country, digits)));
    record.set("country_dial_code", json!(country));
    record.set("verified_name", json!(name.trim()));
    record.set("name_status", json!("AVAILABLE_WITHOUT_REVIEW"));
    record.set("status", json!("DISCONNECTED"));
    record.set("code_verification_status", json!("NOT_VERIFIED"));
    record.set("platform_type", json!("NOT_APPLICABLE"));
    record.set("quality_rating", json!("NA"));
    record
}

/// Whether a number still counts as one of its account's.
fn held(record: &Record) -> bool {
    !matches!(record.text("status"), Some("DELETED" | "MIGRATED"))
}

/// The account that has a number, however it is spelled there.
fn holder(world: &World, digits: &str) -> Option<String> {
    let wanted = dial::canonical(digits);
    let mut held = world.estate.all(Kind::Number).map(|(_, node)| &node.record).filter(|record| held(record));
    let same = |record: &&Record| {
        let shown = record.text("display_phone_number").unwrap_or_default();
        dial::end_alike(shown, &wanted) && dial::canonical(shown) == wanted
    };
    held.find(same)?.text("account").map(str::to_owned)
}

/// How many numbers the account's business may have, and has. An account of nobody counts for itself.
fn portfolio(world: &World, account: &str) -> (usize, usize) {
    let owner = world.estate.get(Kind::Account, account).and_then(|account| account.text("business"));
    let business = owner.and_then(|id| world.estate.get(Kind::Business, id));
    let usual = if business.is_some_and(accounts::is_verified) { LIMIT_VERIFIED } else { LIMIT };
    let set = business.and_then(|business| business.int("number_limit"));
    let limit = set.map_or(usual, |limit| usize::try_from(limit).unwrap_or(0));
    let used = |account: &str| {
        let keys = world.estate.listed_keys(Kind::Number, account);
        keys.filter(|key| world.estate.get(Kind::Number, key).is_some_and(held)).count()
    };
    let used = match owner {
        None => used(account),
        Some(owner) => world.estate.listed_keys(Kind::Account, owner).map(|account| used(account)).sum(),
    };
    (limit, used)
}
