//! How Meta shows message templates, lists and filters them.

use serde_json::{Value, json};

use super::accounts;
use super::errors::{self, GraphError};
use super::fields::Want;
use super::paging::{self, Page};
use super::read::{Reader, Subject, check_args};
use super::request::Params;
use crate::world::lag::View;
use crate::world::{Kind, Record};

const STATUSES: &[&str] = &[
    "APPROVED",
    "ARCHIVED",
    "DELETED",
    "DISABLED",
    "IN_APPEAL",
    "LIMIT_EXCEEDED",
    "PAUSED",
    "PENDING",
    "PENDING_DELETION",
    "REJECTED",
];
const CATEGORIES: &[&str] = &["MARKETING", "UTILITY", "AUTHENTICATION", "FREE_SERVICE"];
const SCORES: &[&str] = &["GREEN", "YELLOW", "RED", "UNKNOWN"];
const SOURCES: &[&str] = &["MANUAL", "AUTO_GENERATED"];
const FILTERS: &[&str] = &[
    "limit",
    "after",
    "before",
    "summary",
    "category",
    "content",
    "language",
    "name",
    "name_or_content",
    "quality_score",
    "since",
    "source",
    "status",
    "until",
];

/// Templates an account may have: before the business is verified, and with an approved name in a verified one.
const TEMPLATE_LIMIT: i64 = 250;
const VERIFIED_TEMPLATE_LIMIT: i64 = 6_000;
/// How long a CDN link works.
const LINK_LIFE: i64 = 30 * 86_400;

/// Fields of a template that Meta does not return as they were sent.
pub(crate) fn computed(reader: &Reader<'_>, subject: &Subject, record: &Record, name: &str) -> Option<Value> {
    match name {
        "components" => record.get(name).map(|components| with_samples_signed(reader, subject, components)),
        "quality_score" if record.get(name).is_none() => Some(json!({"score": "UNKNOWN"})),
        _ => None,
    }
}

/// Media samples come back as signed CDN links that differ from read to read, in cards too.
fn with_samples_signed(reader: &Reader<'_>, subject: &Subject, components: &Value) -> Value {
    let mut components = components.clone();
    sign(reader, subject, &mut components);
    components
}

fn sign(reader: &Reader<'_>, subject: &Subject, value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (name, value) in map.iter_mut() {
                if name == "header_handle" {
                    *value = json!([cdn_link(reader, subject)]);
                } else {
                    sign(reader, subject, value);
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|item| sign(reader, subject, item)),
        _ => {}
    }
}

fn cdn_link(reader: &Reader<'_>, subject: &Subject) -> String {
    let expiry = reader.now + LINK_LIFE;
    let signature = super::tokens::hmac_hex(&subject.key, &reader.nonce.to_be_bytes());
    format!(
        "https://scontent.whatsapp.net/v/t61.29466-34/{}_n.bin?ccb=1-7&_nc_sid=8b1bef&oh=01_{}&oe={expiry:X}",
        subject.key,
        &signature[..30]
    )
}

/// `GET /{account}/message_templates`.
pub(crate) fn list(
    reader: &Reader<'_>,
    view: View,
    account: &Subject,
    args: &Params,
    wants: &[Want],
) -> Result<Value, GraphError> {
    check_args(args, FILTERS)?;
    let filter = Filter::read(args)?;
    let page = Page::of(account, "message_templates", args, wants);
    let mut answer = paging::children(reader, &page, view, Kind::Template, false, |record| filter.keeps(record))?;
    if let Some(wanted) = args.text("summary") {
        answer["summary"] = summary(reader, account, &filter, &wanted)?;
    }
    Ok(answer)
}

fn summary(reader: &Reader<'_>, account: &Subject, filter: &Filter, wanted: &str) -> Result<Value, GraphError> {
    let templates = || {
        let keys = reader.estate.listed_keys(Kind::Template, &account.key);
        keys.filter_map(|key| reader.estate.get(Kind::Template, key))
    };
    let mut summary = json!({});
    for name in wanted.split(',').map(str::trim) {
        summary[name] = match name {
            "total_count" => json!(templates().filter(|record| filter.keeps(record)).count()),
            "message_template_count" => json!(templates().count()),
            "message_template_limit" => json!(limit(reader, &account.key)),
            "are_translations_complete" => json!(false),
            unknown => return Err(errors::nonexisting_field(unknown, "WhatsAppBusinessHSMSummary")),
        };
    }
    Ok(summary)
}

/// How many templates an account may have.
pub(crate) fn limit(reader: &Reader<'_>, account: &str) -> i64 {
    let record = reader.estate.get(Kind::Account, account);
    let verified = record
        .and_then(|account| reader.estate.get(Kind::Business, account.text("business")?))
        .is_some_and(accounts::is_verified);
    let usual = if verified { VERIFIED_TEMPLATE_LIMIT } else { TEMPLATE_LIMIT };
    record.and_then(|account| account.int("template_limit")).unwrap_or(usual)
}

/// What a listing is narrowed to.
#[derive(Default)]
struct Filter {
    category: Vec<String>,
    language: Vec<String>,
    quality_score: Vec<String>,
    source: Vec<String>,
    status: Vec<String>,
    name: Option<String>,
    content: Option<String>,
    name_or_content: Option<String>,
    since: Option<i64>,
    until: Option<i64>,
}

impl Filter {
    fn read(args: &Params) -> Result<Self, GraphError> {
        Ok(Self {
            category: choices(args, "category", Some(CATEGORIES))?,
            language: choices(args, "language", None)?,
            quality_score: choices(args, "quality_score", Some(SCORES))?,
            source: choices(args, "source", Some(SOURCES))?,
            status: choices(args, "status", Some(STATUSES))?,
            name: args.text("name"),
            content: args.text("content"),
            name_or_content: args.text("name_or_content"),
            since: second(args, "since")?,
            until: second(args, "until")?,
        })
    }

    fn keeps(&self, record: &Record) -> bool {
        let among =
            |choices: &[String], value: &str| choices.is_empty() || choices.iter().any(|choice| choice == value);
        let score = record.get("quality_score").and_then(|score| score["score"].as_str()).unwrap_or("UNKNOWN");
        let named = |part: &str| record.text("name").is_some_and(|name| name.contains(part));
        let says =
            |part: &str| record.get("components").is_some_and(|components| components.to_string().contains(part));
        let updated = record.int("last_updated_time").unwrap_or(0);
        among(&self.category, record.text("category").unwrap_or("UTILITY"))
            && among(&self.language, record.text("language").unwrap_or("en_US"))
            && among(&self.quality_score, score)
            && among(&self.source, &record.text("source").unwrap_or("manual").to_uppercase())
            && among(&self.status, record.text("status").unwrap_or("APPROVED"))
            // Meta's `name` matches parts of names.
            && self.name.as_deref().is_none_or(named)
            && self.content.as_deref().is_none_or(says)
            && self.name_or_content.as_deref().is_none_or(|part| named(part) || says(part))
            && self.since.is_none_or(|since| updated >= since)
            && self.until.is_none_or(|until| updated <= until)
    }
}

/// One value, several with commas, or a JSON list; enums in any case.
fn choices(args: &Params, name: &str, known: Option<&[&str]>) -> Result<Vec<String>, GraphError> {
    let Some(text) = args.text(name) else { return Ok(Vec::new()) };
    let list = serde_json::from_str::<Vec<String>>(&text)
        .unwrap_or_else(|_| text.split(',').map(|part| part.trim().to_owned()).collect());
    let Some(known) = known else { return Ok(list) };
    let list: Vec<String> = list.into_iter().map(|choice| choice.to_uppercase()).collect();
    match list.iter().position(|choice| !known.contains(&choice.as_str())) {
        Some(at) => {
            let text =
                format!("(#100) Param {name}[{at}] must be one of {{{}}} - got \"{}\".", known.join(", "), list[at]);
            Err(GraphError::new(100, text))
        }
        None => Ok(list),
    }
}

fn second(args: &Params, name: &str) -> Result<Option<i64>, GraphError> {
    let Some(text) = args.text(name) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| GraphError::new(100, format!("(#100) Param {name} must be a unix timestamp")))
}
