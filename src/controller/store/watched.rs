//! An object as a watch brings it: its name, and its JSON, which may not fit this operator's API.

use std::{borrow::Cow, fmt, marker::PhantomData};

use kube::{
    Resource,
    core::{NamespaceResourceScope, ObjectMeta},
};
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::{Map, Value, value::RawValue};

use super::Key;
use crate::api::Kind;

/// See the module. A page of a list holds only text, until one object after the other is parsed.
#[derive(Clone)]
pub struct Watched<K> {
    /// Name, namespace and resource version only.
    meta: ObjectMeta,
    json: Box<RawValue>,
    kind: PhantomData<K>,
}

/// What [`Watched::parse`] makes of an object.
#[derive(Debug)]
pub enum Parsed<K> {
    /// It fits this operator's API.
    Object(K),
    /// It does not. What can be read of it, if anything, says what it stands for and which app it refers to; nothing may
    /// be decided from it.
    Misfit(Option<K>, serde_json::Error),
}

impl<K: Kind> Watched<K> {
    /// The object's key.
    pub fn key(&self) -> Key {
        Key::of(self)
    }

    /// The object, without what nobody reads; `before` is what was last known of it.
    pub fn parse(&self, before: impl FnOnce() -> Option<K>) -> Parsed<K> {
        match serde_json::from_str::<K>(self.json.get()) {
            Ok(object) => Parsed::Object(trimmed(object)),
            Err(error) => {
                let before = before();
                Parsed::Misfit(self.salvage(before.as_ref()).map(trimmed).or(before), error)
            }
        }
    }

    /// The metadata, and each field of the spec and the status that can be read alone; the others are as they were before,
    /// or empty.
    fn salvage(&self, before: Option<&K>) -> Option<K> {
        let raw: Value = serde_json::from_str(self.json.get()).ok()?;
        let raw = raw.as_object()?;
        let mut kept = before.and_then(|object| serde_json::to_value(object).ok()).unwrap_or_else(|| empty::<K>(raw));
        kept["metadata"] = raw.get("metadata")?.clone();
        for part in ["spec", "status"] {
            for (field, value) in raw.get(part).and_then(Value::as_object).into_iter().flatten() {
                let mut tried = kept.clone();
                tried[part][field] = value.clone();
                if K::deserialize(&tried).is_ok() {
                    kept = tried;
                }
            }
        }
        serde_json::from_value(kept).ok()
    }
}

/// An object of which nothing is known but its kind.
fn empty<K: Kind>(raw: &Map<String, Value>) -> Value {
    let mut object: Map<String, Value> =
        raw.iter().filter(|(field, _)| !matches!(field.as_str(), "spec" | "status")).map(owned).collect();
    object.insert("spec".to_owned(), serde_json::to_value(K::Spec::default()).unwrap_or_default());
    Value::Object(object)
}

fn owned((field, value): (&String, &Value)) -> (String, Value) {
    (field.clone(), value.clone())
}

fn trimmed<K: Resource>(mut object: K) -> K {
    let meta = object.meta_mut();
    meta.managed_fields = None;
    if let Some(annotations) = &mut meta.annotations {
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
    }
    object
}

impl<'de, K> Deserialize<'de> for Watched<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Object {
            metadata: Metadata,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Metadata {
            name: Option<String>,
            namespace: Option<String>,
            resource_version: Option<String>,
        }
        let json = Box::<RawValue>::deserialize(deserializer)?;
        let Object { metadata: Metadata { name, namespace, resource_version } } =
            serde_json::from_str(json.get()).map_err(D::Error::custom)?;
        let meta = ObjectMeta { name, namespace, resource_version, ..ObjectMeta::default() };
        Ok(Self { meta, json, kind: PhantomData })
    }
}

impl<K: Kind> Resource for Watched<K> {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        K::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        K::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        K::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        K::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}

impl<K> fmt::Debug for Watched<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("name", &self.meta.name).finish_non_exhaustive()
    }
}
