//! The commands that messages name: a person who reads only `kubectl describe` can copy them. Each stands on a line of its own,
//! with nothing after it.

use kube::ResourceExt;

use crate::api::{Action, AppKey, Kind, SecretKeyRef};

/// A command as a part of a message.
#[must_use]
pub fn line(command: &str) -> String {
    format!("\n{command}\n")
}

/// Does something with the object as a whole: `edit`, `delete`, `describe`.
#[must_use]
pub fn with<K: Kind>(verb: &str, object: &K) -> String {
    line(&about(verb, object))
}

/// The beginning of a command about an object, to be continued.
#[must_use]
pub fn about<K: Kind>(verb: &str, object: &K) -> String {
    format!("kubectl -n {} {verb} {} {}", object.namespace().unwrap_or_default(), K::SHORT, object.name_any())
}

/// Changes fields of the spec, given as JSON.
#[must_use]
pub fn patch<K: Kind>(object: &K, spec: &str) -> String {
    line(&format!("{} --type merge -p '{{\"spec\":{spec}}}'", about("patch", object)))
}

/// Does something with the app that an object refers to.
#[must_use]
pub fn with_app(verb: &str, app: &AppKey) -> String {
    line(&about_app(verb, app))
}

/// The beginning of a command about an app, to be continued.
#[must_use]
pub fn about_app(verb: &str, app: &AppKey) -> String {
    format!("kubectl -n {} {verb} mapp {}", app.namespace, app.name)
}

/// Changes fields of an app's spec, given as JSON.
#[must_use]
pub fn patch_app(app: &AppKey, spec: &str) -> String {
    line(&format!("{} --type merge -p '{{\"spec\":{spec}}}'", about_app("patch", app)))
}

/// Requests an action.
#[must_use]
pub fn request<K: Kind>(object: &K, action: Action) -> String {
    line(&format!("{} --overwrite {action}=$(date -u +%FT%TZ)", about("annotate", object)))
}

/// Puts a value into a Secret, whether or not the Secret exists. Server-side: an ordinary apply would copy the value into an
/// annotation. The placeholder for the value must not be digits: six digits after `pin=` look like a PIN to the code that
/// removes PINs from texts.
#[must_use]
pub fn put_secret(namespace: &str, SecretKeyRef { name, key }: &SecretKeyRef, placeholder: &str) -> String {
    line(&format!(
        "kubectl -n {namespace} create secret generic {name} --from-literal={key}={placeholder} --dry-run=client -o yaml | \
         kubectl apply --server-side --force-conflicts -f -"
    ))
}

/// What to do about a clock that is wrong.
#[must_use]
pub fn synchronise_clock(app: &AppKey) -> String {
    format!(
        "the clock of the operator's node differs from Meta's by more than 5 minutes, so time limits cannot be trusted. \
         Synchronise it: {}Condition ClockInSync goes away when it is right: {}",
        line("timedatectl set-ntp true"),
        with_app("describe", app)
    )
}
