//! What is wrong with the Secrets that an app names, as conditions say it. Pure.

use kube::ResourceExt;

use super::{
    decision::{CredentialError, Input},
    token_secret::Credential,
};
use crate::{
    api::SecretKeyRef,
    controller::secret_values::SecretKind,
    k8s::secrets::{OwnedProblem, SecretProblem, Unusable, YOUR_VALUE, set_command},
    messages::{Reason, commands::line},
};

/// What stands for a value of this kind in commands.
fn placeholder(kind: SecretKind) -> &'static str {
    match kind {
        SecretKind::AppSecret => "YOUR_SECRET",
        SecretKind::Token => "YOUR_TOKEN",
        SecretKind::VerifyToken | SecretKind::SixDigits => YOUR_VALUE,
    }
}

/// A value could not be read.
pub fn unusable(problem: &SecretProblem, kind: SecretKind) -> CredentialError {
    let reason = match problem.problem {
        Unusable::Missing { .. } => Reason::SecretNotFound,
        Unusable::KeyMissing { .. } => Reason::SecretKeyNotFound,
        Unusable::Empty { .. } | Unusable::NotText { .. } | Unusable::Reserved { .. } => Reason::SecretValueInvalid,
        Unusable::Unreadable(_) => Reason::SecretUnreadable,
    };
    let message = problem.to_string().replace(YOUR_VALUE, placeholder(kind));
    CredentialError { reason, message, passing: reason == Reason::SecretUnreadable, fingerprint: None }
}

/// A value shows by itself that it is not what it is for; `what` completes "the value …".
pub fn mistaken(
    namespace: &str,
    SecretKeyRef { name, key }: &SecretKeyRef,
    kind: SecretKind,
    what: &str,
    fingerprint: String,
) -> CredentialError {
    let command = set_command(namespace, name, key, placeholder(kind));
    CredentialError {
        reason: Reason::SecretValueInvalid,
        message: format!(
            "the value in Secret {name}, key {key}, {what}, so the operator does not send it to Meta: {command}"
        ),
        passing: false,
        fingerprint: Some(fingerprint),
    }
}

/// The operator's own copy could not be read.
pub fn owned(problem: &OwnedProblem) -> CredentialError {
    let taken = matches!(problem, OwnedProblem::Taken(_));
    let reason = if taken { Reason::SecretNameTaken } else { Reason::SecretUnreadable };
    CredentialError { reason, message: problem.to_string(), passing: !taken, fingerprint: None }
}

/// Both are missing: the first message names both, so that nobody has to come back for the second.
pub fn both_missing(
    namespace: &str,
    (secret, secret_ref): (&mut Result<Credential, CredentialError>, &SecretKeyRef),
    (token, token_ref): (&Option<Result<Credential, CredentialError>>, Option<&SecretKeyRef>),
) {
    let (Err(first), Some(Err(second)), Some(token_ref)) = (secret, token, token_ref) else { return };
    let missing =
        |problem: &CredentialError| matches!(problem.reason, Reason::SecretNotFound | Reason::SecretKeyNotFound);
    if !missing(first) || !missing(second) {
        return;
    }
    if secret_ref.name != token_ref.name {
        first.message = format!("{}. And {}", first.message, second.message);
        return;
    }
    let (name, keys) = (&secret_ref.name, [&secret_ref.key, &token_ref.key]);
    let values = [(keys[0], placeholder(SecretKind::AppSecret)), (keys[1], placeholder(SecretKind::Token))];
    let [key, other] = keys;
    first.message = if first.reason == Reason::SecretNotFound {
        let literals = values.map(|(key, value)| format!(" --from-literal={key}={value}")).concat();
        format!(
            "Secret {namespace}/{name} does not exist: create it with the keys {key} and {other}: {}",
            line(&format!("kubectl -n {namespace} create secret generic {name}{literals}"))
        )
    } else {
        let data = values.map(|(key, value)| format!("\"{key}\":\"{value}\"")).join(",");
        format!(
            "Secret {namespace}/{name} has neither the key {key} nor the key {other}: add them: {}",
            line(&format!(
                "kubectl -n {namespace} patch secret {name} --type merge -p '{{\"stringData\":{{{data}}}}}'"
            ))
        )
    };
}

/// The same text stands under both keys.
pub fn is_same(secret: &Result<Credential, CredentialError>, token: &Credential) -> bool {
    use secrecy::ExposeSecret;
    secret.as_ref().is_ok_and(|secret| secret.value.expose_secret() == token.value.expose_secret())
}

/// Where the user keeps the token, for messages.
pub fn where_kept(input: &Input<'_>) -> String {
    let reference = input.app.spec.access_token_ref.as_ref();
    reference.map_or_else(String::new, |r| format!("key {} of Secret {}", r.key, r.name))
}

/// The same, and the command that puts one there.
pub fn where_and_command(input: &Input<'_>) -> String {
    let reference = input.app.spec.access_token_ref.as_ref();
    reference.map_or_else(String::new, |r| {
        let namespace = input.app.namespace().unwrap_or_default();
        format!("{} ({})", where_kept(input), set_command(&namespace, &r.name, &r.key, "YOUR_TOKEN"))
    })
}
