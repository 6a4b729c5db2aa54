//! Meta's health check of an account, number or template.

use serde::Deserialize;

use super::lenient;
use super::open_enum::MayMessage;

/// Whether messages can be sent, and what stands in the way. Sorted, so that equal health compares equal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Health {
    /// The verdict over all entities.
    #[serde(deserialize_with = "lenient::word")]
    pub can_send_message: Option<MayMessage>,
    /// The objects with which something is wrong, of all that have a part in sending.
    #[serde(deserialize_with = "lenient::objects")]
    pub entities: Vec<HealthEntity>,
}

/// An object that has a part in sending.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct HealthEntity {
    /// `PHONE_NUMBER`, `WABA`, `BUSINESS`, `APP`, `MESSAGE_TEMPLATE`.
    #[serde(deserialize_with = "lenient::text")]
    pub entity_type: Option<Box<str>>,
    /// Its ID.
    #[serde(deserialize_with = "lenient::text")]
    pub id: Option<Box<str>>,
    /// What is wrong with it.
    #[serde(deserialize_with = "lenient::objects")]
    pub errors: Vec<HealthError>,
}

/// Something that is wrong, in Meta's words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct HealthError {
    /// Meta's code.
    #[serde(rename = "error_code", deserialize_with = "lenient::count")]
    pub code: Option<u32>,
    /// What is wrong.
    #[serde(rename = "error_description", deserialize_with = "lenient::text")]
    pub description: Option<Box<str>>,
    /// What to do about it.
    #[serde(rename = "possible_solution", deserialize_with = "lenient::text")]
    pub solution: Option<Box<str>>,
}

impl Health {
    /// Keeps only entities with errors: ten thousand healthy numbers must not take up memory.
    pub(super) fn trim(&mut self) {
        self.entities.retain(|entity| !entity.errors.is_empty());
        self.entities.shrink_to_fit();
        self.entities.sort_by(|a, b| (&a.entity_type, &a.id).cmp(&(&b.entity_type, &b.id)));
        for entity in &mut self.entities {
            entity.errors.sort_by_key(|error| error.code);
        }
    }
}
