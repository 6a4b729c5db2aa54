//! What the plan needs to know of the binding Secret: whether it is up to date, and which token it hands out.

use kube::ResourceExt;
use secrecy::{ExposeSecret, SecretString};

use super::{Binding, HandedOut};
use crate::kinds::whatsapp_number::{Numbers, binding};
use crate::{
    api::WhatsAppNumber,
    controller::{
        app_reference::AppReference,
        context::{Context, Error},
        managed_resource::ReconcileContext,
    },
    graph::types::PhoneNumber,
    k8s::secrets::{ComparableSecret, OwnedProblem, OwnedSecret, delete_command},
    observe::{BindingToken, Observation},
};

/// In place of a digest: the Secret is not the object's.
const NOT_OURS: &str = "not ours";

/// Reads what the plan needs to know of the binding Secret.
pub async fn read_binding(
    at: &ReconcileContext<'_, Numbers>,
    link: &AppReference,
    seen: &Observation<PhoneNumber>,
) -> Result<Binding, Error> {
    let object = at.object;
    let name = binding::secret_name(object);
    if object.spec.binding.is_none() || *link == AppReference::NotAllowed {
        let there = is_ours(at, &name).await?;
        return Ok(if there { Binding::Unwanted } else { Binding::NotManaged });
    }
    if object.spec.suspend || *link != AppReference::Ready {
        return Ok(Binding::Waits("the MetaApp is not ready; an existing binding Secret stays as it is"));
    }
    Ok(wanted_binding(at, seen, &name).await)
}

/// The same for an object that wants one and may have it.
async fn wanted_binding(at: &ReconcileContext<'_, Numbers>, seen: &Observation<PhoneNumber>, name: &str) -> Binding {
    let ReconcileContext { context, object, namespace, .. } = at;
    let (Observation::Present { account, facts, .. }, Some(access)) = (seen, context.pollers.access(at.app)) else {
        return Binding::Waits("Meta has not shown the number yet");
    };
    let view = context.inventory.app(at.app).unwrap_or_default();
    let kept;
    let (token, handed_out) = match &view.binding_token {
        BindingToken::InUse if *at.app.namespace == **namespace => (Some(&access.token), HandedOut::Given),
        BindingToken::InUse => (None, HandedOut::NotNamed),
        BindingToken::Named(ComparableSecret(token)) => (Some(token), HandedOut::Given),
        // A Secret that is deleted by mistake must not take the token from every application at once.
        BindingToken::Missing => match OwnedSecret::read(&context.client, namespace, name).await {
            Ok(secret) => {
                let ours = secret.filter(|secret| secret.owner() == object.uid().as_deref());
                kept = ours.and_then(|secret| secret.get(binding::TOKEN));
                (kept.as_ref(), if kept.is_some() { HandedOut::Kept } else { HandedOut::Missing })
            }
            Err(problem) => return unread(&problem),
        },
        BindingToken::Unread => {
            return Binding::Waits(
                "the operator could not read the token for bindings; an existing binding Secret stays as it is",
            );
        }
    };
    let wanted = wanted(at, account, facts, &access.version, token);
    let digest = digest(context, &wanted);
    if at.reconciler.bindings.is_current(context, namespace, name, &digest) {
        return Binding::Current(handed_out);
    }
    match OwnedSecret::read(&context.client, namespace, name).await {
        Ok(Some(secret)) if is_same(&secret, &wanted, object) => {
            at.reconciler.bindings.remember(namespace, name, secret.resource_version(), &digest);
            Binding::Current(handed_out)
        }
        Ok(_) => Binding::Behind(wanted),
        Err(problem) => unread(&problem),
    }
}

/// A binding Secret that is somebody else's, or could not be read.
fn unread(problem: &OwnedProblem) -> Binding {
    match problem {
        OwnedProblem::Taken(path) => Binding::Taken(format!(
            "Secret {path} is not the operator's, so the operator does not touch it. To have the binding Secret written, rename or delete it: {}",
            delete_command(path)
        )),
        _ => Binding::Waits("the operator could not read the binding Secret, and retries"),
    }
}

fn wanted(
    at: &ReconcileContext<'_, Numbers>,
    account: &str,
    facts: &PhoneNumber,
    version: &str,
    token: Option<&SecretString>,
) -> Vec<(&'static str, ComparableSecret)> {
    let access = binding::Access { api_url: &at.context.graph_url, api_version: version, token };
    binding::content(at.object, account, facts, &access)
}

/// Identifies the content of a binding.
pub fn digest(context: &Context, entries: &[(&'static str, ComparableSecret)]) -> String {
    let text = entries
        .iter()
        .fold(String::new(), |text, (key, ComparableSecret(value))| text + key + "=" + value.expose_secret() + "\n");
    context.fingerprints.of("binding", &text.into())
}

fn is_same(secret: &OwnedSecret, wanted: &[(&'static str, ComparableSecret)], object: &WhatsAppNumber) -> bool {
    let mut keys: Vec<&str> = wanted.iter().map(|(key, _)| *key).collect();
    keys.sort_unstable();
    secret.keys().eq(keys)
        && secret.owner() == object.uid().as_deref()
        && wanted.iter().all(|(key, value)| secret.get(key).map(ComparableSecret).as_ref() == Some(value))
}

/// Whether the Secret exists and the object owns it. Its existence is known from the watch, because a status may be lost; one that
/// is not the object's is read once per version.
async fn is_ours(at: &ReconcileContext<'_, Numbers>, name: &str) -> Result<bool, Error> {
    let ReconcileContext { context, object, namespace, .. } = at;
    let Some(version) = context.secrets.version(namespace, name) else { return Ok(false) };
    if at.reconciler.bindings.is_current(context, namespace, name, NOT_OURS) {
        return Ok(false);
    }
    match OwnedSecret::read(&context.client, namespace, name).await {
        Ok(Some(secret)) if secret.owner() == object.uid().as_deref() => return Ok(true),
        Ok(Some(_)) | Err(OwnedProblem::Taken(_)) => {}
        Ok(None) => return Ok(false),
        Err(problem) => return Err(problem.into()),
    }
    at.reconciler.bindings.remember(namespace, name, Some(&version), NOT_OURS);
    Ok(false)
}
