//! The commands that messages name: a person who reads only `kubectl describe` can copy them.

use kube::ResourceExt;

use crate::api::{AppKey, Kind};

/// Does something with the object as a whole: `edit`, `delete`, `describe`.
pub fn with<K: Kind>(verb: &str, object: &K) -> String {
    format!("kubectl -n {} {verb} {} {}", object.namespace().unwrap_or_default(), K::SHORT, object.name_any())
}

/// Changes fields of the spec, given as JSON.
pub fn patch<K: Kind>(object: &K, spec: &str) -> String {
    format!("{} --type merge -p '{{\"spec\":{spec}}}'", with("patch", object))
}

/// Does something with the app that an object refers to.
#[must_use]
pub fn with_app(verb: &str, app: &AppKey) -> String {
    format!("kubectl -n {} {verb} mapp {}", app.namespace, app.name)
}
