//! One object at Meta: its fields by Meta's names.

use serde_json::{Map, Value};

/// Field values of one object. Names are the schema's own, so that a large estate stores no key twice.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Record(Vec<(&'static str, Value)>);

impl Record {
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(field, _)| *field == name).map(|(_, value)| value)
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    pub(crate) fn int(&self, name: &str) -> Option<i64> {
        self.get(name)?.as_i64()
    }

    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.get(name)?.as_bool()
    }

    /// The elements of a list field; none when it is absent.
    pub(crate) fn list(&self, name: &str) -> &[Value] {
        self.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// Sets a field; `null` removes it, as an absent value reads at Meta.
    pub(crate) fn set(&mut self, name: &'static str, value: Value) {
        self.0.retain(|(field, _)| *field != name);
        if !value.is_null() {
            self.0.push((name, value));
            self.0.shrink_to_fit();
        }
    }

    pub(crate) fn to_map(&self) -> Map<String, Value> {
        self.0.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }
}
