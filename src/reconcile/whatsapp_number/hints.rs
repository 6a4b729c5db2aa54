//! The commands that messages name: a person who reads only `kubectl describe` can copy them.

use kube::ResourceExt;

use crate::api::{Action, SecretKeyRef, WhatsAppNumber};

/// Asks for an action.
pub fn ask(object: &WhatsAppNumber, action: Action) -> String {
    format!(
        "kubectl -n {} annotate wan {} --overwrite {action}=$(date -u +%FT%TZ)",
        object.namespace().unwrap_or_default(),
        object.name_any()
    )
}

/// Puts a value into a Secret, whether or not it is there. Server-side: an ordinary apply would write it into an annotation.
/// `what` stands for the value, and is no number: six digits after `pin=` would look like a PIN to whatever takes PINs out of
/// texts.
pub fn put(object: &WhatsAppNumber, secret: &SecretKeyRef, what: &str) -> String {
    let (namespace, SecretKeyRef { name, key }) = (object.namespace().unwrap_or_default(), secret);
    format!(
        "kubectl -n {namespace} create secret generic {name} --from-literal={key}={what} --dry-run=client -o yaml | kubectl apply --server-side --force-conflicts -f -"
    )
}

/// The Secret and key that hold the code.
pub fn code_ref(object: &WhatsAppNumber) -> SecretKeyRef {
    let given = object.spec.verification.as_ref().and_then(|verification| verification.code_ref.clone());
    given.unwrap_or_else(|| default_ref(object, "code"))
}

/// The Secret and key that hold the PIN.
pub fn pin_ref(object: &WhatsAppNumber) -> SecretKeyRef {
    given_pin_ref(object).cloned().unwrap_or_else(|| default_ref(object, "pin"))
}

/// The Secret and key that a person named for the PIN.
pub fn given_pin_ref(object: &WhatsAppNumber) -> Option<&SecretKeyRef> {
    object.spec.registration.as_ref()?.pin_ref.as_ref()
}

fn default_ref(object: &WhatsAppNumber, what: &str) -> SecretKeyRef {
    SecretKeyRef { name: format!("{}-{what}", object.name_any()), key: what.to_owned() }
}
