//! The commands that messages name: a person who reads only `kubectl describe` can copy them.

use kube::ResourceExt;

use crate::api::{Action, AppKey, Kind, SecretKeyRef};

/// Does something with the object as a whole: `edit`, `delete`, `describe`.
#[must_use]
pub fn with<K: Kind>(verb: &str, object: &K) -> String {
    format!("kubectl -n {} {verb} {} {}", object.namespace().unwrap_or_default(), K::SHORT, object.name_any())
}

/// Changes fields of the spec, given as JSON.
#[must_use]
pub fn patch<K: Kind>(object: &K, spec: &str) -> String {
    format!("{} --type merge -p '{{\"spec\":{spec}}}'", with("patch", object))
}

/// Does something with the app that an object refers to.
#[must_use]
pub fn with_app(verb: &str, app: &AppKey) -> String {
    format!("kubectl -n {} {verb} mapp {}", app.namespace, app.name)
}

/// Requests an action.
#[must_use]
pub fn request<K: Kind>(object: &K, action: Action) -> String {
    format!("{} --overwrite {action}=$(date -u +%FT%TZ)", with("annotate", object))
}

/// Puts a value into a Secret, whether or not the Secret exists. Server-side: an ordinary apply would copy the value into an
/// annotation. The placeholder for the value must not be digits: six digits after `pin=` look like a PIN to the code that
/// removes PINs from texts.
#[must_use]
pub fn put_secret(namespace: &str, SecretKeyRef { name, key }: &SecretKeyRef, placeholder: &str) -> String {
    format!(
        "kubectl -n {namespace} create secret generic {name} --from-literal={key}={placeholder} --dry-run=client -o yaml | \
         kubectl apply --server-side --force-conflicts -f -"
    )
}

/// What to do about a clock that is wrong.
#[must_use]
pub fn synchronise_clock(app: &AppKey) -> String {
    format!(
        "the clock of the operator's node differs from Meta's by more than 5 minutes, so time limits cannot be trusted. \
         Synchronise it: timedatectl set-ntp true. Condition ClockInSync goes away when it is right: {}",
        with_app("describe", app)
    )
}
