//! The rules of the CRDs, applied to objects that are stored already. An object that is older than a rule was never checked
//! against it, and the API server accepts every update that leaves the wrong field alone.
//!
//! The schemas in `crds/` are the one source: here they are read, not repeated.

use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

use ahash::RandomState;
use kube::ResourceExt;
use kube_cel::{CompiledSchema, Validator, compile_schema};
use parking_lot::Mutex;
use serde_json::{Map, Value, json};

use super::{Kind, READY, SpecError, crds};

/// A kind's schema, and its CEL rules as programs.
struct Rules {
    schema: Value,
    compiled: CompiledSchema,
}

/// By the kind's name. The rules of the status are not there: the operator writes it.
static RULES: LazyLock<HashMap<String, Rules>> = LazyLock::new(|| {
    let definitions = crds().into_iter();
    definitions
        .filter_map(|crd| {
            let version = crd.spec.versions.into_iter().next()?;
            let mut schema = serde_json::to_value(version.schema?.open_api_v3_schema?).ok()?;
            schema.get_mut("properties")?.as_object_mut()?.remove("status");
            Some((crd.spec.names.kind, Rules { compiled: compile_schema(&schema), schema }))
        })
        .collect()
});

/// The functions of CEL, which no rule changes.
static VALIDATOR: LazyLock<Mutex<Validator>> = LazyLock::new(|| Mutex::new(Validator::new()));

/// One for the process.
static HASHES: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// Hashes of what breaks no rule: a check takes 0.1 ms, and every reconcile of a number needs its result.
static SOUND: LazyLock<Mutex<HashSet<u64>>> = LazyLock::new(Mutex::default);

/// How many hashes are kept.
const SOUND_LIMIT: usize = 100_000;

/// What of an object's name and spec breaks a rule of its CRD, in the order of the fields' names.
#[must_use]
pub fn broken_rules<K: Kind>(object: &K) -> Vec<SpecError> {
    let Some(rules) = RULES.get(K::NAME) else { return Vec::new() };
    let stored = json!({"metadata": {"name": object.name_any()}, "spec": object.spec()});
    let hash = HASHES.hash_one((K::NAME, &stored));
    if SOUND.lock().contains(&hash) {
        return Vec::new();
    }
    let found = rules.broken_by(&stored);
    if found.is_empty() {
        let mut sound = SOUND.lock();
        if sound.len() >= SOUND_LIMIT {
            sound.clear();
        }
        sound.insert(hash);
    }
    found
}

impl Rules {
    fn broken_by(&self, stored: &Value) -> Vec<SpecError> {
        let Self { schema, compiled } = self;
        let mut found = Vec::new();
        limits(schema, stored, "", &mut found);
        let broken = VALIDATOR.lock().validate_compiled(compiled, stored, None);
        let broken = broken.err().into_iter().flatten();
        found.extend(broken.map(|broken| error(broken.field_path, broken.message)));
        found.sort_by(|one, other| one.field.cmp(&other.field));
        found
    }
}

/// The limits of lengths and the words of a schema; that the types are right, the Rust types have seen.
fn limits(schema: &Value, value: &Value, path: &str, found: &mut Vec<SpecError>) {
    let limit = |name: &str| schema[name].as_u64().and_then(|limit| usize::try_from(limit).ok());
    let mut expect = |size: usize, least: &str, most: &str, what: &str| {
        let message = match (limit(least), limit(most)) {
            (Some(least), _) if size < least => format!("write {least} {what} at least, not {size}"),
            (_, Some(most)) if size > most => format!("write {most} {what} at most, not {size}"),
            _ => return,
        };
        found.push(error(path.to_owned(), message));
    };
    match value {
        Value::String(text) => {
            expect(text.chars().count(), "minLength", "maxLength", "characters");
            if let Some(words) = schema["enum"].as_array().filter(|words| !words.contains(value)) {
                let words: Vec<_> = words.iter().filter_map(Value::as_str).collect();
                let message = format!("write one of {}, not {text}", words.join(", "));
                found.push(error(path.to_owned(), message));
            }
        }
        Value::Array(items) => {
            expect(items.len(), "minItems", "maxItems", "entries");
            for (index, item) in items.iter().enumerate() {
                limits(&schema["items"], item, &format!("{path}[{index}]"), found);
            }
        }
        Value::Object(fields) => {
            expect(fields.len(), "minProperties", "maxProperties", "entries");
            for (name, field) in fields {
                let own = schema["properties"].get(name).unwrap_or(&schema["additionalProperties"]);
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                limits(own, field, &path, found);
            }
            missing(schema, fields, path, found);
        }
        Value::Number(number) => {
            let bound = |name: &str| schema[name].as_f64();
            let is_beyond = |number: f64| {
                bound("minimum").is_some_and(|least| number < least)
                    || bound("maximum").is_some_and(|most| number > most)
            };
            if number.as_f64().is_some_and(is_beyond) {
                let message =
                    format!("write a number from {} to {}, not {number}", schema["minimum"], schema["maximum"]);
                found.push(error(path.to_owned(), message));
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

fn missing(schema: &Value, fields: &Map<String, Value>, path: &str, found: &mut Vec<SpecError>) {
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    found.extend(required.filter(|name| !fields.contains_key(*name)).map(|name| {
        let field = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        error(field, "write a value: it is required".to_owned())
    }));
}

/// That nothing but Ready depends on the field, only the kind knows.
fn error(field: String, message: String) -> SpecError {
    SpecError { field, condition: READY, message }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use std::{fs, path::Path};

    use super::*;
    use crate::api::{MessageTemplate, MetaApp, WhatsAppNumber};

    #[test]
    fn every_rule_of_the_crds_compiles() {
        fn errors(schema: &CompiledSchema) -> usize {
            let below = schema
                .properties
                .values()
                .chain(schema.items.as_deref())
                .chain(schema.additional_properties.as_deref());
            schema.compilation_errors().len() + below.map(errors).sum::<usize>()
        }
        assert_eq!(RULES.len(), 3);
        assert!(RULES.values().all(|rules| errors(&rules.compiled) == 0));
    }

    /// The violations of a manifest, or nothing where it is none of the kind's types.
    fn read(manifest: &str) -> Option<Vec<SpecError>> {
        fn through<K: Kind>(manifest: &Value) -> Option<Vec<SpecError>> {
            serde_json::from_value::<K>(manifest.clone()).ok().map(|object| broken_rules(&object))
        }
        let manifest: Value = serde_yaml::from_str(manifest).unwrap();
        match manifest["kind"].as_str() {
            Some("MetaApp") => through::<MetaApp>(&manifest),
            Some("WhatsAppNumber") => through::<WhatsAppNumber>(&manifest),
            _ => through::<MessageTemplate>(&manifest),
        }
    }

    /// The manifests that a real API server accepts and refuses in `tests/crds.rs`.
    fn manifests(folder: &str) -> Vec<(String, String)> {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/crds").join(folder);
        let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
        files.map(|path| (path.display().to_string(), fs::read_to_string(path).unwrap())).collect()
    }

    #[test]
    fn what_the_api_server_accepts_breaks_no_rule() {
        for (name, manifest) in manifests("good") {
            assert_eq!(read(&manifest), Some(Vec::new()), "{name}");
        }
    }

    #[test]
    fn what_the_api_server_refuses_breaks_a_rule_with_the_same_words() {
        let mut checked = 0;
        for (name, manifest) in manifests("bad") {
            let unknown_field = manifest.contains("# expect: unknown field");
            let Some(found) = read(&manifest).filter(|_| !unknown_field) else { continue };
            checked += 1;
            assert!(!found.is_empty(), "{name}");
            for expected in manifest.lines().filter_map(|line| line.strip_prefix("# expect: ")) {
                let Some((_, words)) = expected.split_once("write ") else { continue };
                assert!(found.iter().any(|error| error.message.contains(words)), "{name}: {words}: {found:?}");
            }
        }
        assert!(checked > 100, "{checked}");
    }
}
