//! What Meta works out about phone numbers, and how it lists them.

use serde_json::{Map, Value, json};

use super::accounts;
use super::errors::{self, GraphError};
use super::fields::Want;
use super::paging::{self, Page};
use super::read::{Reader, Subject, check_args};
use super::request::Params;
use crate::world::lag::View;
use crate::world::{Kind, Record};

/// Fields of a number that follow from other things.
pub(crate) fn computed(reader: &Reader<'_>, record: &Record, name: &str) -> Option<Value> {
    let account = record.text("account").unwrap_or_default();
    if name == "webhook_configuration" {
        return webhook_configuration(reader, record, account);
    }
    // A PIN may be in force that nobody knows; one that is known is in force.
    if name == "is_pin_enabled" {
        return Some(json!(record.get("pin").is_some() || record.flag(name) == Some(true)));
    }
    if record.get(name).is_some() {
        return None;
    }
    match name {
        "throughput" => Some(json!({"level": if registered(record) { "STANDARD" } else { "NOT_APPLICABLE" }})),
        "quality_score" => Some(json!({"score": record.text("quality_rating").unwrap_or("GREEN")})),
        "whatsapp_business_manager_messaging_limit" => Some(json!(accounts::messaging_limit(reader.estate, account))),
        // From v24 on it mirrors the portfolio's limit.
        "messaging_limit_tier" => {
            let limit = accounts::messaging_limit(reader.estate, account);
            Some(json!(if reader.version >= 24 { limit } else { "TIER_1K".to_owned() }))
        }
        _ => None,
    }
}

/// Whether a number is registered with the Cloud API, connected or about to be.
pub(crate) fn registered(record: &Record) -> bool {
    record.text("platform_type").unwrap_or("CLOUD_API") == "CLOUD_API"
}

/// The callbacks on the three levels, those that are set.
fn webhook_configuration(reader: &Reader<'_>, record: &Record, account: &str) -> Option<Value> {
    let app = &reader.viewer.app;
    let mut levels = Map::new();
    let own = record.get("webhook_configuration").and_then(|own| own["override_callback_uri"].as_str());
    let account = reader.estate.get(Kind::Account, account);
    let subscription =
        account.and_then(|account| account.list("subscribed_apps").iter().find(|entry| entry["app"] == **app));
    let application = reader.estate.get(Kind::App, app).and_then(|app| app.get("webhook"));
    let urls = [
        ("phone_number", own),
        ("whatsapp_business_account", subscription.and_then(|entry| entry["override_callback_uri"].as_str())),
        ("application", application.and_then(|webhook| webhook["callback_url"].as_str())),
    ];
    for (level, url) in urls {
        if let Some(url) = url.filter(|url| !url.is_empty()) {
            levels.insert(level.to_owned(), json!(url));
        }
    }
    (!levels.is_empty()).then_some(Value::Object(levels))
}

/// `GET /{account}/phone_numbers`: newest onboarding first, unless the request sorts otherwise.
pub(crate) fn list(
    reader: &Reader<'_>,
    view: View,
    account: &Subject,
    args: &Params,
    wants: &[Want],
) -> Result<Value, GraphError> {
    check_args(args, &[paging::ARGUMENTS, &["filtering", "sort"]].concat())?;
    let ascending = ascending(args)?;
    let mode = account_mode(args)?;
    let keep =
        |record: &Record| mode.as_deref().is_none_or(|mode| record.text("account_mode").unwrap_or("LIVE") == mode);
    let page = Page::of(account, "phone_numbers", args, wants);
    paging::children(reader, &page, view, Kind::Number, ascending, keep)
}

fn ascending(args: &Params) -> Result<bool, GraphError> {
    let Some(sort) = args.text("sort") else { return Ok(false) };
    let sort = sort.trim_matches(|c| "[]'\" ".contains(c));
    match sort {
        "last_onboarded_time_ascending" => Ok(true),
        "last_onboarded_time_descending" => Ok(false),
        other => Err(GraphError::new(
            100,
            format!(
                "(#100) Param sort[0] must be one of {{LAST_ONBOARDED_TIME_ASCENDING, LAST_ONBOARDED_TIME_DESCENDING}} - got \"{other}\"."
            ),
        )),
    }
}

/// The one filter there is: `account_mode` equals a value.
fn account_mode(args: &Params) -> Result<Option<String>, GraphError> {
    let Some(text) = args.text("filtering") else { return Ok(None) };
    let refused = || errors::invalid_parameter("filtering: only account_mode with operator EQUAL is supported");
    let filters: Vec<Map<String, Value>> = serde_json::from_str(&text).map_err(|_| refused())?;
    match &filters[..] {
        [] => Ok(None),
        [filter]
            if filter.get("field") == Some(&json!("account_mode"))
                && filter.get("operator") == Some(&json!("EQUAL")) =>
        {
            let mode = filter.get("value").and_then(Value::as_str).filter(|mode| ["LIVE", "SANDBOX"].contains(mode));
            mode.map(|mode| Some(mode.to_owned())).ok_or_else(refused)
        }
        _ => Err(refused()),
    }
}
