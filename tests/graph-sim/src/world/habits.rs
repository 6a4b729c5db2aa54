//! How Meta behaves where it may behave one way or another: set by a seed.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::dial::Variant;
use super::seed::SeedError;

/// Choices that hold for the whole world.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Habits {
    /// How long a number is PENDING after its registration.
    pub(crate) pending_seconds: u32,
    /// How long Meta looks at a new display name before it approves it; absent: somebody has to decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name_review_seconds: Option<u32>,
    /// How soon after a wrong PIN the next one is too fast.
    pub(crate) pin_seconds: u32,
    pub(crate) national_variant: Variant,
    /// Callbacks on the internet that are played here: nobody has to run a server with a public certificate to try one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) receivers: Vec<Receiver>,
}

/// A callback that is played here.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Receiver {
    pub(crate) url: String,
    pub(crate) verify_token: String,
}

impl Habits {
    /// The callback that is played at this address.
    pub(crate) fn receiver(&self, url: &str) -> Option<&Receiver> {
        self.receivers.iter().find(|receiver| receiver.url == url)
    }
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            pending_seconds: 5,
            name_review_seconds: None,
            pin_seconds: 5,
            national_variant: Variant::AsSent,
            receivers: Vec::new(),
        }
    }
}

impl Habits {
    const FIELDS: [&str; 5] =
        ["pending_seconds", "name_review_seconds", "pin_seconds", "national_variant", "receivers"];

    pub(crate) fn knows(field: &str) -> bool {
        Self::FIELDS.contains(&field)
    }

    /// Reads the fields of a seed that are habits.
    pub(crate) fn of_seed(seed: &Map<String, Value>) -> Result<Self, SeedError> {
        let chosen = seed.iter().filter(|(field, _)| Self::knows(field));
        let chosen = chosen.map(|(field, value)| (field.clone(), value.clone())).collect();
        serde_json::from_value(Value::Object(chosen)).map_err(|error| SeedError::new(format!("seed: {error}")))
    }
}
