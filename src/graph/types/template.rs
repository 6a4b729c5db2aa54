//! A message template.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::components::Component;
use super::lenient;
use super::open_enum::{Category, ParameterFormat, Quality, RejectedReason, TemplateSource, TemplateStatus};
use super::page::Item;

/// A template as Meta shows it. `None` is what Meta did not send.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Template {
    /// Its ID, digits.
    #[serde(default, deserialize_with = "lenient::id_or_empty")]
    pub id: Box<str>,
    /// Its name; an account has it once per language.
    #[serde(default, deserialize_with = "lenient::id_or_empty")]
    pub name: Box<str>,
    /// Its language: `en_US`.
    #[serde(default, deserialize_with = "lenient::id_or_empty")]
    pub language: Box<str>,
    /// What Meta takes it to be for.
    #[serde(default, deserialize_with = "lenient::word")]
    pub category: Option<Category>,
    /// What Meta took it to be for before.
    #[serde(default, deserialize_with = "lenient::word")]
    pub previous_category: Option<Category>,
    /// What Meta will take it to be for soon.
    #[serde(default, deserialize_with = "lenient::word")]
    pub correct_category: Option<Category>,
    /// Its state.
    #[serde(default, deserialize_with = "lenient::word")]
    pub status: Option<TemplateStatus>,
    /// What customers think of it.
    #[serde(default, rename = "quality_score", deserialize_with = "quality")]
    pub quality: Option<Quality>,
    /// Why it was rejected; Meta's `NONE` and blank are `None`.
    #[serde(default, deserialize_with = "rejected_reason")]
    pub rejected_reason: Option<RejectedReason>,
    /// How its parameters are written.
    #[serde(default, deserialize_with = "lenient::word")]
    pub parameter_format: Option<ParameterFormat>,
    /// Its content as compact JSON with sorted keys, without the sample files' URLs, which change from read to read.
    /// [`Template::components`] reads it.
    #[serde(default, rename = "components", deserialize_with = "components")]
    pub components_json: Option<Box<str>>,
    /// How long Meta tries to deliver a message of it, in seconds; -1 is 30 days.
    #[serde(default, deserialize_with = "lenient::number")]
    pub message_send_ttl_seconds: Option<i64>,
    /// Meta's finer category.
    #[serde(default, deserialize_with = "lenient::text")]
    pub sub_category: Option<Box<str>>,
    /// When it was last edited.
    #[serde(default, deserialize_with = "lenient::time")]
    pub last_updated_time: Option<Timestamp>,
    /// Who made it.
    #[serde(default, deserialize_with = "lenient::word")]
    pub source: Option<TemplateSource>,
    /// The library template it stems from.
    #[serde(default, deserialize_with = "lenient::text")]
    pub library_template_name: Option<Box<str>>,
    /// Whether Meta may change how it looks.
    #[serde(default, rename = "degrees_of_freedom_spec", deserialize_with = "is_filled")]
    pub has_degrees_of_freedom: bool,
}

impl Item for Template {
    fn is_identified(&self) -> bool {
        !self.id.is_empty() && !self.name.is_empty() && !self.language.is_empty()
    }
}

impl Template {
    /// The fields of a template to request.
    pub(in crate::graph) const FIELDS: &str = "id,name,language,category,previous_category,correct_category,status,\
        quality_score,rejected_reason,parameter_format,components,message_send_ttl_seconds,sub_category,\
        last_updated_time,source,library_template_name,degrees_of_freedom_spec";

    /// Its content, part by part, in Meta's order. A part that cannot be read at all is left out.
    #[must_use]
    pub fn components(&self) -> Vec<Component> {
        let parts: Vec<Value> =
            self.components_json.as_deref().and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
        let parts = parts.into_iter().filter_map(|part| serde_json::from_value::<Component>(part).ok());
        parts.filter(|part| !part.kind.as_str().is_empty()).collect()
    }
}

fn quality<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Quality>, D::Error> {
    #[derive(Deserialize)]
    struct Score {
        #[serde(default, deserialize_with = "lenient::word")]
        score: Option<Quality>,
    }
    Ok(lenient::object(deserializer)?.and_then(|quality: Score| quality.score))
}

/// Whether there is something in a list or object.
fn is_filled<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Array(items) => !items.is_empty(),
        Value::Object(entries) => !entries.is_empty(),
        _ => false,
    })
}

fn rejected_reason<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<RejectedReason>, D::Error> {
    Ok(lenient::word(deserializer)?.filter(|reason| *reason != RejectedReason::None))
}

fn components<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<str>>, D::Error> {
    let mut components = Value::deserialize(deserializer)?;
    if components.is_null() {
        return Ok(None);
    }
    if !components.is_array() {
        lenient::odd();
    }
    drop_sample_urls(&mut components);
    components.sort_all_objects();
    Ok(Some(components.to_string().into()))
}

/// A media header's sample comes back as a signed URL that is another one each time. Only that there is one is kept.
fn drop_sample_urls(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(drop_sample_urls),
        Value::Object(entries) => {
            for (key, value) in entries {
                if key == "header_handle" {
                    *value = Value::Array(Vec::new());
                } else {
                    drop_sample_urls(value);
                }
            }
        }
        _ => {}
    }
}
