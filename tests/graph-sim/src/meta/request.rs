//! A call as it came in.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::http::HeaderMap;
use serde_json::{Map, Value, json};

use super::errors::{self, GraphError};

/// One HTTP request, read whole.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Which TCP connection it came over.
    pub(crate) connection: u64,
    /// Scheme and host the caller used, for the links in answers.
    pub(crate) base: String,
}

impl Call {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Query, form and JSON parameters together: Meta reads them alike. A body that cannot be read counts as none.
    pub(crate) fn params(&self) -> Params {
        let mut params = joined(&self.query);
        match self.body() {
            Body::Form(form) => params.extend(joined(&form)),
            Body::Json(json) => params.extend(json),
            Body::None | Body::Other => {}
        }
        Params(params)
    }

    /// The body by its content type.
    pub(crate) fn body(&self) -> Body {
        if self.body.is_empty() {
            return Body::None;
        }
        let content_type = self.header("content-type").unwrap_or_default();
        if content_type.starts_with("application/x-www-form-urlencoded") {
            return Body::Form(form_urlencoded::parse(&self.body).into_owned().collect());
        }
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(json)) => Body::Json(json),
            _ => Body::Other,
        }
    }
}

/// Parameters as text. What comes item by item, as `websites[]` or `websites[0]`, becomes one list, written as JSON.
fn joined(pairs: &[(String, String)]) -> Vec<(String, Value)> {
    let mut lists: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut params = Vec::new();
    for (name, value) in pairs {
        match list_name(name) {
            Some(list) => lists.entry(list).or_default().push(value),
            None => params.push((name.clone(), Value::String(value.clone()))),
        }
    }
    params.extend(lists.into_iter().map(|(name, items)| (name.to_owned(), Value::String(json!(items).to_string()))));
    params
}

/// The list that a parameter such as `websites[]` or `websites[0]` is an item of.
fn list_name(param: &str) -> Option<&str> {
    let (name, index) = param.strip_suffix(']')?.split_once('[')?;
    (!name.is_empty() && index.chars().all(|c| c.is_ascii_digit())).then_some(name)
}

/// What a request's body holds.
pub(crate) enum Body {
    None,
    Form(Vec<(String, String)>),
    Json(Map<String, Value>),
    Other,
}

/// Parameters by name; of a repeated one the last counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Params(Vec<(String, Value)>);

impl Params {
    /// Parameters that come as text: those in a query, or between the brackets of a field.
    pub(crate) fn from_text(params: &[(String, String)]) -> Self {
        Self(params.iter().map(|(name, value)| (name.clone(), Value::String(value.clone()))).collect())
    }

    /// A parameter as text; JSON values other than text in their JSON form.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let value = self.get(name)?;
        Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    }

    /// A parameter that has to be text: JSON numbers lose leading zeros, so Meta's own samples never send them.
    pub(crate) fn string(&self, name: &str) -> Result<Option<String>, GraphError> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(errors::wrong_parameter(name, "a string")),
        }
    }

    /// The same, and it has to be there.
    pub(crate) fn required(&self, name: &str) -> Result<String, GraphError> {
        self.string(name)?.filter(|text| !text.is_empty()).ok_or_else(|| errors::missing_parameter(name))
    }

    /// True or false, as JSON or as text.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, GraphError> {
        self.parsed(name, "a boolean", Value::as_bool)
    }

    /// An object, as JSON or as JSON text.
    pub(crate) fn object(&self, name: &str) -> Result<Option<Map<String, Value>>, GraphError> {
        self.parsed(name, "an object", |value| value.as_object().cloned())
    }

    /// A list of texts, as JSON, as JSON text, or separated by commas.
    pub(crate) fn strings(&self, name: &str) -> Result<Option<Vec<String>>, GraphError> {
        let texts = |value: &Value| -> Option<Vec<String>> {
            value.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
        };
        match self.get(name) {
            Some(Value::String(text)) if !text.starts_with('[') => {
                Ok(Some(text.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()))
            }
            _ => self.parsed(name, "an array of strings", texts),
        }
    }

    /// A parameter that may come as JSON or as JSON within text.
    fn parsed<T>(
        &self,
        name: &str,
        expected: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<Option<T>, GraphError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let inner = value.as_str().and_then(|text| serde_json::from_str(text).ok());
        read(inner.as_ref().unwrap_or(value)).map(Some).ok_or_else(|| errors::wrong_parameter(name, expected))
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().rev().find(|(param, _)| param == name).map(|(_, value)| value)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(param, _)| param == name)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }
}
