//! The business profile of a number.

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::lenient;

/// What customers see of a business, as Meta shows it; `None` is what is not set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Map<String, Value>")]
pub struct Profile {
    /// The line below the name.
    pub about: Option<Box<str>>,
    /// Postal address.
    pub address: Option<Box<str>>,
    /// What the business does.
    pub description: Option<Box<str>>,
    /// E-mail address.
    pub email: Option<Box<str>>,
    /// Web sites, two at most.
    pub websites: Vec<Box<str>>,
    /// Line of business, in Meta's words; `UNDEFINED` where there is none.
    pub vertical: Option<Box<str>>,
    /// The fields of which it cannot be told whether they are set, and how.
    pub unreadable: Vec<&'static str>,
}

/// The fields of a profile, by Meta's names.
const NAMES: [&str; 6] = ["about", "address", "description", "email", "websites", "vertical"];

impl Profile {
    /// The fields of a profile to request: by default Meta sends next to nothing.
    pub(in crate::graph) const FIELDS: &str = "about,address,description,email,websites,vertical";

    /// A reply that does not show a profile. It must not be taken for an empty one.
    fn unreadable() -> Self {
        lenient::odd();
        Self { unreadable: NAMES.to_vec(), ..Self::default() }
    }
}

impl From<Map<String, Value>> for Profile {
    fn from(fields: Map<String, Value>) -> Self {
        let is_nested = |(name, value): (&String, &Value)| {
            !NAMES.contains(&name.as_str()) && (value.is_object() || value.is_array())
        };
        // What is not there may be inside of what nobody knows.
        let may_hide = fields.iter().any(is_nested);
        let mut unreadable = Vec::new();
        let mut text = |name: &'static str| match fields.get(name) {
            None if may_hide => {
                unreadable.push(name);
                None
            }
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => (!text.trim().is_empty()).then(|| text.as_str().into()),
            Some(Value::Number(number)) => Some(number.to_string().into()),
            Some(Value::Bool(flag)) => Some(flag.to_string().into()),
            Some(Value::Object(_) | Value::Array(_)) => {
                unreadable.push(name);
                None
            }
        };
        let (about, address, description) = (text("about"), text("address"), text("description"));
        let (email, vertical) = (text("email"), text("vertical"));
        let websites = match fields.get("websites") {
            None if may_hide => None,
            None | Some(Value::Null) => Some(Vec::new()),
            Some(Value::Array(items)) => items.iter().map(|item| item.as_str().map(Into::into)).collect(),
            Some(_) => None,
        };
        if websites.is_none() {
            unreadable.push("websites");
        }
        if !unreadable.is_empty() {
            lenient::odd();
        }
        Self { about, address, description, email, websites: websites.unwrap_or_default(), vertical, unreadable }
    }
}

/// A list of one, flat. Everything else that is no error is a profile that cannot be read.
pub(in crate::graph) struct ProfileAnswer(Profile);

impl<'de> Deserialize<'de> for ProfileAnswer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut answer = Map::<String, Value>::deserialize(deserializer)?;
        if answer.contains_key("error") {
            return Err(serde::de::Error::custom("an error is no profile"));
        }
        let mut list = match answer.remove("data") {
            Some(Value::Array(list)) => list,
            _ => Vec::new(),
        };
        Ok(Self(match (list.pop(), list.is_empty()) {
            (Some(Value::Object(fields)), true) => Profile::from(fields),
            _ => Profile::unreadable(),
        }))
    }
}

impl ProfileAnswer {
    pub fn profile(self) -> Profile {
        self.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_understood_is_not_empty() {
        let all = &NAMES[..];
        let cases = [
            ("flat", json!({"data": [{"about": "a", "messaging_product": "whatsapp"}]}), Some("a"), &[][..]),
            ("nothing set", json!({"data": [{}]}), None, &[]),
            (
                "nothing set, in so many words",
                json!({"data": [{"about": null, "websites": null, "email": ""}]}),
                None,
                &[],
            ),
            ("one level deeper", json!({"data": [{"business_profile": {"about": "a"}}]}), None, all),
            ("a list in the list", json!({"data": [{"data": [{"about": "a"}]}]}), None, all),
            ("another list", json!({"data": [[{"about": "a"}]]}), None, all),
            ("no list", json!({"data": {"about": "a"}}), None, all),
            ("an empty list", json!({"data": []}), None, all),
            ("two", json!({"data": [{"about": "a"}, {"about": "b"}]}), None, all),
            ("without the list", json!({"about": "a"}), None, all),
            ("nothing", json!({}), None, all),
            ("a text in an object", json!({"data": [{"about": {"text": "a"}, "email": "e"}]}), None, &["about"]),
            ("a part deeper", json!({"data": [{"about": "a", "more": {"email": "e"}}]}), Some("a"), &all[1..]),
            ("a single site", json!({"data": [{"about": "a", "websites": "https://h/"}]}), Some("a"), &["websites"]),
            (
                "sites as objects",
                json!({"data": [{"about": "a", "websites": [{"url": "h"}]}]}),
                Some("a"),
                &["websites"],
            ),
        ];
        for (reason, answer, about, unreadable) in cases {
            lenient::take_odd();
            let profile = serde_json::from_value::<ProfileAnswer>(answer).unwrap().profile();
            let mut found = profile.unreadable.clone();
            found.sort_unstable_by_key(|name| NAMES.iter().position(|known| known == name));
            assert_eq!((profile.about.as_deref(), &found[..]), (about, unreadable), "{reason}");
            assert_eq!(lenient::take_odd() > 0, !unreadable.is_empty(), "{reason}: it is counted");
        }
        for bad in [json!({"error": {"code": 10}}), json!([]), json!("a"), json!(null)] {
            assert!(serde_json::from_value::<ProfileAnswer>(bad.clone()).is_err(), "{bad}");
        }
    }
}
