//! Sample values, which come in many shapes: `["a"]`, `[["a", "b"]]`, `"a"`, or by name.

use std::collections::BTreeMap;

use serde_json::Value;

/// The examples of a text without variables.
pub fn none() -> BTreeMap<String, String> {
    BTreeMap::new()
}

/// The example of each variable in `text`, by its name or number; `key` is Meta's name for the list (`body_text`).
pub fn of(text: &str, example: Option<&Value>, key: &str) -> BTreeMap<String, String> {
    let Some(example) = example else { return none() };
    let named = example[format!("{key}_named_params")].as_array().into_iter().flatten().filter_map(|entry| {
        let name = entry["param_name"].as_str()?;
        Some((name.to_owned(), scalar(&entry["example"])?))
    });
    let numbered = row(&example[key]).into_iter().enumerate().map(|(at, value)| ((at + 1).to_string(), value));
    numbered.chain(named).filter(|(name, _)| text.contains(&format!("{{{{{name}}}}}"))).collect()
}

/// The one value of a button: text, or a list of one.
pub fn single(example: Option<&Value>) -> Option<String> {
    row(example?).into_iter().next()
}

/// The first set of values.
fn row(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) if items.first().is_some_and(Value::is_array) => row(&items[0]),
        Value::Array(items) => items.iter().filter_map(scalar).collect(),
        other => scalar(other).into_iter().collect(),
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
