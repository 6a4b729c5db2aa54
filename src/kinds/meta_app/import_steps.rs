//! Creates the objects of an import, and deletes those that an authored one has replaced.

use std::time::Instant;

use super::{
    Apps,
    import::{self, Created, ObjectVersion, Superseded, Wanted},
    inputs::Memory,
};
use crate::{
    api::{Kind, MessageTemplate, WhatsAppNumber},
    controller::{CONCURRENCY, managed_resource::ReconcileContext},
    k8s::timeout::{ApiError, call},
    messages::commands,
};
use futures::{StreamExt, stream};
use kube::{
    Api,
    api::{DeleteParams, PostParams, Preconditions},
};

/// See the module. A failure is remembered: the plan reports it and retries later.
pub async fn import(at: &ReconcileContext<'_, Apps>, memory: &mut Memory, batch: Wanted) {
    let ReconcileContext { context, object: app, namespace, .. } = *at;
    let numbers = Api::<WhatsAppNumber>::namespaced(context.client.clone(), namespace);
    let templates = Api::<MessageTemplate>::namespaced(context.client.clone(), namespace);
    let params = PostParams { field_manager: Some("waba-operator-import".to_owned()), ..PostParams::default() };
    memory.created.remember(&batch, Instant::now());

    // Built as they are sent: an import of thousands is not in memory at once.
    let new_numbers = batch.numbers.clone().into_iter().map(|(account, digits)| import::number(app, &account, digits));
    let made_numbers = create_all(&numbers, &params, new_numbers).await;
    let new_templates = batch.templates.clone().into_iter().map(|claim| import::template(app, &claim));
    let made_templates = create_all(&templates, &params, new_templates).await;
    let (mut undeleted, mut undone) = (None, Wanted::default());
    for old in batch.superseded {
        if let Err(error) = delete(&numbers, &templates, &old).await {
            undone.superseded.push(old);
            undeleted = Some(error);
        }
    }

    memory.imported.0 += made_numbers.iter().filter(|made| matches!(made, Ok(true))).count();
    memory.imported.1 += made_templates.iter().filter(|made| matches!(made, Ok(true))).count();
    let uncreated = made_numbers.iter().chain(&made_templates).find_map(|made| made.as_ref().err());
    if uncreated.is_some() {
        memory.created = Created::default();
    }
    undone.numbers = failed(batch.numbers, &made_numbers);
    undone.templates = failed(batch.templates, &made_templates);
    let count = undone.numbers.len() + undone.templates.len();
    let message = match (uncreated, undeleted) {
        (Some(error), _) => Some(uncreated_message(namespace, count, error)),
        (None, Some(error)) => Some(format!(
            "imported objects in namespace {namespace} could not be deleted, though authored ones stand for the same: {error}"
        )),
        (None, None) => None,
    };
    memory.unimported = undone;
    memory.import_failure = message.map(|message| (format!("{message}; the operator keeps trying"), Instant::now()));
}

/// Those of which no object could be created.
fn failed<T>(wanted: Vec<T>, made: &[Result<bool, ApiError>]) -> Vec<T> {
    wanted.into_iter().zip(made).filter(|(_, made)| made.is_err()).map(|(item, _)| item).collect()
}

/// `error` is the first of them, which names its object.
fn uncreated_message(namespace: &str, count: usize, error: &ApiError) -> String {
    match error.exceeded_quota() {
        // The API server's own sentence has figures that change from one try to the next.
        Some(quota) => format!(
            "ResourceQuota {quota} of namespace {namespace} has no room for objects for what is at Meta ({count} could not be created). \
             Raise it, or exclude them in spec.import: {}",
            commands::line(&format!("kubectl -n {namespace} edit resourcequota {quota}"))
        ),
        None => format!(
            "objects for what is at Meta could not be created in namespace {namespace} ({count} in all): {error}"
        ),
    }
}

/// Creates objects, some at a time; what came of each, in their order, so that the first failure is the same each time.
async fn create_all<K: Kind>(
    api: &Api<K>,
    params: &PostParams,
    objects: impl Iterator<Item = K> + Send,
) -> Vec<Result<bool, ApiError>> {
    stream::iter(objects)
        .map(|object| async move { created(call(api.create(params, &object)).await) })
        .buffered(usize::from(CONCURRENCY))
        .collect()
        .await
}

/// An object that is there already, made by somebody else a moment ago, is none of ours.
fn created<T>(result: Result<T, ApiError>) -> Result<bool, ApiError> {
    match result {
        Ok(_) => Ok(true),
        Err(error) if error.is_already_exists() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Deletes an imported object as it was judged; if it changed meanwhile, somebody has taken it over.
async fn delete(
    numbers: &Api<WhatsAppNumber>,
    templates: &Api<MessageTemplate>,
    old: &Superseded,
) -> Result<(), ApiError> {
    let params = |object: &ObjectVersion| {
        DeleteParams::default().preconditions(Preconditions {
            uid: Some(object.uid.clone()),
            resource_version: Some(object.resource_version.clone()),
        })
    };
    let deleted = match old {
        Superseded::Number(object) => call(numbers.delete(&object.name, &params(object))).await.map(drop),
        Superseded::Template(object) => call(templates.delete(&object.name, &params(object))).await.map(drop),
    };
    deleted.or_else(|error| if error.is_not_found() || error.is_conflict() { Ok(()) } else { Err(error) })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use kube::core::Status;

    use super::*;

    #[test]
    fn a_quota_names_itself() {
        let refused = |message: &str| {
            let status = Status::failure(message, "Forbidden").with_code(403);
            uncreated_message("cc", 7, &ApiError::Kube(kube::Error::Api(status.boxed())))
        };
        let quota = refused(
            "whatsappnumbers.waba.dev \"number-33612345678\" is forbidden: exceeded quota: objects, requested: \
             count/whatsappnumbers.waba.dev=1, used: count/whatsappnumbers.waba.dev=5, limited: \
             count/whatsappnumbers.waba.dev=5",
        );
        assert!(quota.starts_with("ResourceQuota objects of namespace cc has no room"), "{quota}");
        assert!(quota.contains("7 could") && quota.contains("kubectl -n cc edit resourcequota objects"), "{quota}");
        assert!(!quota.contains("used"), "figures change: {quota}");
        let other = refused("whatsappnumbers.waba.dev \"number-33612345678\" is forbidden: no");
        assert!(other.contains("(7 in all)") && other.ends_with("is forbidden: no"), "{other}");
    }
}
