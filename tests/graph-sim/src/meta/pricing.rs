//! `pricing_analytics` of an account: its messages by time, and by whatever else the caller asks for.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::errors::{self, GraphError};
use super::fields::Want;
use super::request::Params;
use crate::world::Record;

pub(crate) const FIELD: &str = "pricing_analytics";

/// What a seed may say of a message, besides `start`, `volume` and `cost`, and the dimension that shows it.
const DIMENSIONS: [(&str, &str); 5] = [
    ("COUNTRY", "country"),
    ("PHONE", "phone_number"),
    ("PRICING_CATEGORY", "pricing_category"),
    ("PRICING_TYPE", "pricing_type"),
    ("TIER", "tier"),
];
/// Arguments that keep some points only, and what they look at.
const FILTERS: [(&str, &str); 5] = [
    ("country_codes", "country"),
    ("phone_numbers", "phone_number"),
    ("pricing_categories", "pricing_category"),
    ("pricing_types", "pricing_type"),
    ("tiers", "tier"),
];
const METRICS: [&str; 2] = ["COST", "VOLUME"];
const GRANULARITIES: [&str; 3] = ["HALF_HOUR", "DAILY", "MONTHLY"];
const TYPES: [&str; 4] = ["FREE_CUSTOMER_SERVICE", "FREE_ENTRY_POINT", "FREE_GROUP_CUSTOMER_SERVICE", "REGULAR"];
/// Meta looks back one year.
const LOOK_BACK: i64 = 366 * 86_400;

/// The keys of a point in a seed.
pub(crate) const KEYS: [&str; 8] =
    ["start", "phone_number", "country", "pricing_category", "pricing_type", "tier", "volume", "cost"];

/// Why a point of a seed cannot be, if it cannot.
pub(crate) fn mistake(point: &Value) -> Option<&'static str> {
    if point.get("start").is_some() && started(point).is_none() {
        Some("start: unix seconds or an RFC 3339 time is expected")
    } else if point["volume"].as_i64().is_none_or(|volume| volume < 0) {
        Some("volume: a whole number is expected")
    } else if point["pricing_type"].as_str().is_none_or(|type_| !TYPES.contains(&type_)) {
        Some(
            "pricing_type: one of FREE_CUSTOMER_SERVICE, FREE_ENTRY_POINT, FREE_GROUP_CUSTOMER_SERVICE, REGULAR is expected",
        )
    } else if point.get("cost").is_some_and(|cost| !cost.is_number()) {
        Some("cost: a number is expected")
    } else {
        None
    }
}

fn started(point: &Value) -> Option<i64> {
    let start = &point["start"];
    start.as_i64().or_else(|| Some(start.as_str()?.parse::<Timestamp>().ok()?.as_second()))
}

/// What the caller asks for.
struct Query {
    start: i64,
    end: i64,
    granularity: String,
    metrics: Vec<String>,
    dimensions: Vec<&'static str>,
    filters: Vec<(&'static str, Vec<String>)>,
}

/// The field's value; nothing where no message falls into the time.
pub(crate) fn analytics(record: &Record, want: &Want, now: i64) -> Result<Option<Value>, GraphError> {
    let query = query(want, now)?;
    let mut sums: BTreeMap<(i64, Vec<String>), (i64, Option<f64>)> = BTreeMap::new();
    for point in record.list(FIELD) {
        // What has no time happens all the time.
        let start = started(point).unwrap_or(query.start);
        let kept = |(key, values): &(&str, Vec<String>)| values.iter().any(|value| *value == text(&point[*key]));
        if !(query.start..query.end).contains(&start) || !query.filters.iter().all(kept) {
            continue;
        }
        let key = query.dimensions.iter().map(|key| text(&point[*key])).collect();
        let sum = sums.entry((bucket(&query.granularity, start), key)).or_default();
        sum.0 += point["volume"].as_i64().unwrap_or(0);
        if let Some(cost) = point["cost"].as_f64() {
            sum.1 = Some(sum.1.unwrap_or(0.0) + cost);
        }
    }
    let points: Vec<Value> = sums
        .into_iter()
        .map(|((start, values), (volume, cost))| {
            let mut shown = Map::from_iter([("start".to_owned(), json!(start)), ("end".to_owned(), json!(query.end))]);
            let values = query.dimensions.iter().zip(values).filter(|(_, value)| !value.is_empty());
            shown.extend(values.map(|(key, value)| ((*key).to_owned(), json!(value))));
            if query.metrics.iter().any(|metric| metric == "VOLUME") {
                shown.insert("volume".into(), json!(volume));
            }
            if let Some(cost) = cost.filter(|_| query.metrics.iter().any(|metric| metric == "COST")) {
                shown.insert("cost".into(), json!(cost));
            }
            Value::Object(shown)
        })
        .collect();
    Ok((!points.is_empty()).then(|| json!({"data": [{"data_points": points}]})))
}

fn query(want: &Want, now: i64) -> Result<Query, GraphError> {
    let args = Params::from_text(&want.args);
    let known = |name: &str| {
        ["start", "end", "granularity", "metric_types", "dimensions"].contains(&name)
            || FILTERS.iter().any(|(filter, _)| *filter == name)
    };
    if let Some(unknown) = args.names().find(|name| !known(name)) {
        return Err(errors::invalid_parameter(format!("Unexpected argument {unknown} on field {FIELD}")));
    }
    let time =
        |name: &str| args.required(name)?.parse::<i64>().map_err(|_| errors::wrong_parameter(name, "an integer"));
    let (start, end) = (time("start")?, time("end")?);
    if start >= end {
        return Err(errors::invalid_parameter("start has to be before end"));
    }
    if start < now - LOOK_BACK {
        return Err(errors::invalid_parameter("start may not be more than a year ago"));
    }
    let granularity = args.required("granularity")?;
    one_of("granularity", &granularity, &GRANULARITIES)?;
    let metrics = args.strings("metric_types")?.unwrap_or_else(|| METRICS.map(str::to_owned).to_vec());
    metrics.iter().try_for_each(|metric| one_of("metric_types", metric, &METRICS))?;
    let mut dimensions = Vec::new();
    for wanted in args.strings("dimensions")?.unwrap_or_default() {
        one_of("dimensions", &wanted, &DIMENSIONS.map(|(dimension, _)| dimension))?;
        dimensions.extend(DIMENSIONS.iter().filter(|(dimension, _)| *dimension == wanted).map(|(_, key)| *key));
    }
    let mut filters = Vec::new();
    for (argument, key) in FILTERS {
        if let Some(values) = args.strings(argument)?.filter(|values| !values.is_empty()) {
            filters.push((key, values));
        }
    }
    Ok(Query { start, end, granularity, metrics, dimensions, filters })
}

fn one_of(name: &str, value: &str, known: &[&str]) -> Result<(), GraphError> {
    if known.contains(&value) {
        return Ok(());
    }
    Err(errors::wrong_parameter(name, &format!("one of {{{}}} - got \"{value}\"", known.join(", "))))
}

/// When the piece of time begins that an instant is in; days and months are those of UTC.
fn bucket(granularity: &str, second: i64) -> i64 {
    let length = if granularity == "HALF_HOUR" { 1_800 } else { 86_400 };
    let start = second - second.rem_euclid(length);
    if granularity != "MONTHLY" {
        return start;
    }
    let day = Timestamp::from_second(start).map(|time| time.to_zoned(TimeZone::UTC).day());
    day.map_or(start, |day| start - (i64::from(day) - 1) * 86_400)
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| if value.is_null() { String::new() } else { value.to_string() }, str::to_owned)
}
