//! The commands that messages name: a person who reads only `kubectl describe` can copy them.

use kube::ResourceExt;

use super::inputs::SecretRead;
use crate::{
    api::{Action, AppKey, SecretKeyRef, WhatsAppNumber},
    k8s::secrets::set_command,
    ledger::Refusal,
    messages::{Reason, commands},
};

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

/// Puts the code into its Secret. Where a person named a Secret that is there, its other keys stay.
pub fn put_code(object: &WhatsAppNumber, held: &SecretRead) -> String {
    let (secret, what) = (code_ref(object), "YOUR_CODE");
    let given = object.spec.verification.as_ref().is_some_and(|verification| verification.code_ref.is_some());
    let is_there = !matches!(held, SecretRead::Missing(blocker) if blocker.reason == Reason::SecretNotFound);
    if given && is_there { set(object, &secret, what) } else { put(object, &secret, what) }
}

/// Sets a value in a Secret that is there; its other keys stay.
pub fn set(object: &WhatsAppNumber, secret: &SecretKeyRef, what: &str) -> String {
    set_command(&object.namespace().unwrap_or_default(), &secret.name, &secret.key, what)
}

/// Asks the number's callback as Meta does. The address is taken from the object and not written here: what somebody wrote
/// there must not become a part of a command.
pub fn call_back(object: &WhatsAppNumber, secret: &SecretKeyRef) -> String {
    let namespace = object.namespace().unwrap_or_default();
    format!(
        "kubectl -n {namespace} get secret {} -o jsonpath='{{.data.{}}}' | base64 -d | curl -sG \"$({} -o \
         jsonpath='{{.spec.incoming.webhook.callbackURL}}')\" -d hub.mode=subscribe -d hub.challenge=42 --data-urlencode \
         hub.verify_token@-",
        secret.name,
        secret.key.replace('.', "\\."),
        commands::with("get", object)
    )
}

/// What to do about a clock that is wrong.
pub fn clock(app: &AppKey) -> String {
    format!(
        "the clock where the operator runs and Meta's are more than 5 minutes apart, and what is limited in time would be got \
         wrong: set it right there (timedatectl set-ntp true). Condition ClockInSync goes when it is: {}",
        commands::with_app("describe", app)
    )
}

/// Where at Meta a person finds out about a refusal.
pub fn place(refusal: &Refusal) -> &'static str {
    if refusal.class == "Policy" { "WhatsApp Manager > Account quality" } else { "WhatsApp Manager > Phone numbers" }
}

/// The Secret and key that hold the code.
pub fn code_ref(object: &WhatsAppNumber) -> SecretKeyRef {
    let given = object.spec.verification.as_ref().and_then(|verification| verification.code_ref.clone());
    given.unwrap_or_else(|| default_ref(object, "code"))
}

/// The Secret and key that hold the PIN.
pub fn pin_ref(object: &WhatsAppNumber) -> SecretKeyRef {
    given_pin_ref(object).cloned().unwrap_or_else(|| generated_pin_ref(object))
}

/// The Secret and key that hold a PIN that the operator generates.
pub fn generated_pin_ref(object: &WhatsAppNumber) -> SecretKeyRef {
    default_ref(object, "pin")
}

/// The Secret and key that a person named for the PIN.
pub fn given_pin_ref(object: &WhatsAppNumber) -> Option<&SecretKeyRef> {
    object.spec.registration.as_ref()?.pin_ref.as_ref()
}

fn default_ref(object: &WhatsAppNumber, what: &str) -> SecretKeyRef {
    SecretKeyRef { name: format!("{}-{what}", object.name_any()), key: what.to_owned() }
}
