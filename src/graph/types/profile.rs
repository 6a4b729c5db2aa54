//! The business profile of a number.

use serde::Deserialize;

use super::lenient;

/// What customers see of a business, as Meta shows it; `None` is what is not set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Profile {
    /// The line below the name.
    #[serde(deserialize_with = "lenient::text")]
    pub about: Option<Box<str>>,
    /// Postal address.
    #[serde(deserialize_with = "lenient::text")]
    pub address: Option<Box<str>>,
    /// What the business does.
    #[serde(deserialize_with = "lenient::text")]
    pub description: Option<Box<str>>,
    /// E-mail address.
    #[serde(deserialize_with = "lenient::text")]
    pub email: Option<Box<str>>,
    /// Web sites, two at most.
    pub websites: Vec<Box<str>>,
    /// Line of business, in Meta's words; `UNDEFINED` where there is none.
    #[serde(deserialize_with = "lenient::text")]
    pub vertical: Option<Box<str>>,
}

impl Profile {
    /// The fields of a profile to request: by default Meta sends next to nothing.
    pub(in crate::graph) const FIELDS: &str = "about,address,description,email,websites,vertical";
}

/// A list of one, flat. Without the list it is no profile, and must not be taken for an empty one.
#[derive(Deserialize)]
pub(in crate::graph) struct ProfileAnswer {
    data: Vec<Profile>,
}

impl ProfileAnswer {
    pub fn profile(self) -> Profile {
        self.data.into_iter().next().unwrap_or_default()
    }
}
