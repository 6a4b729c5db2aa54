//! The end of every reconcile: one status patch, only if something changed, and the Events that go with it.

use kube::{Api, ResourceExt};
use tracing::{info, warn};

use super::{
    actions::Request,
    context::{Context, Error},
    summary::{Notice, StatusSummary, settle},
};
use crate::{
    api::{Kind, ManagedStatus, Transition, labels::IMPORTED_BY},
    k8s::{
        conditions::{READY, RECONCILING, is_true},
        events::EventType,
        status::{Patched, patch_status},
    },
    messages::{Reason, lay_out},
};

/// The field manager of status.
const MANAGER: &str = "waba-operator-status";

/// Writes `status` with its conditions, if it is not what stands there already; whether it was written.
///
/// `verdict` is `None` where nothing new is known: then only the requests are echoed.
pub async fn write_status<K: Kind>(
    context: &Context,
    object: &K,
    mut status: K::Status,
    verdict: Option<&StatusSummary>,
    requests: &[Request],
) -> Result<bool, Error> {
    let before = object.status().cloned().unwrap_or_default();
    for request in requests {
        status.set_handled(request.action, &request.value);
    }
    let generation = object.meta().generation.unwrap_or_default();
    let transition = verdict.and_then(|v| settle(&mut status, &before, v, generation, context.graph.now()));
    if status == before {
        return Ok(false);
    }
    context.leads()?;
    let api = Api::<K>::namespaced(context.client.clone(), &object.namespace().unwrap_or_default());
    match patch_status(&api, object, &status, MANAGER).await? {
        // What the API server regards as the same is no news, and brings no event of the watch.
        Patched::Written(written) if written.resource_version() == object.resource_version() => return Ok(false),
        Patched::Written(_) => {}
        Patched::Stale => return Err(Error::Stale),
        // Deleted meanwhile: there is nobody to tell.
        Patched::Gone => return Ok(false),
    }
    let reference = object.object_ref(&());
    let news = transition.filter(|next| !is_first_of_import(object, &before) && !is_of_app(&before, next));
    if let Some(verdict) = verdict.filter(|_| news.is_some()) {
        let needs_action = verdict.ready_needs_action();
        let goes_on = is_true(status.conditions(), READY) || is_true(status.conditions(), RECONCILING);
        let type_ = if goes_on && !needs_action { EventType::Normal } else { EventType::Warning };
        // A step on the way that needs nobody is in the history, and the next Event says where it led.
        if type_ == EventType::Warning || !verdict.ready.reason.is_passing() {
            tell(context, object, type_, verdict.ready.reason, &verdict.ready.message);
        }
    }
    for Notice { reason, warns, message } in verdict.iter().flat_map(|verdict| &verdict.notices) {
        let type_ = if *warns { EventType::Warning } else { EventType::Normal };
        tell(context, object, type_, *reason, message);
        context.metrics.noticed(K::NAME, reason.as_str());
    }
    for request in requests {
        if let Err(why) = &request.verdict {
            let note = format!("{}: {} was not acted on: {why}", request.action, request.value);
            context.events.publish(&reference, EventType::Warning, "ActionIgnored", "Ignore", &note);
        }
    }
    Ok(true)
}

/// Tells people what happened: by an Event, and in the log, where what a person has to see is a warning.
fn tell<K: Kind>(context: &Context, object: &K, type_: EventType, reason: Reason, message: &str) {
    let (kind, namespace, name, reason) = (K::NAME, object.namespace(), object.name_any(), reason.as_str());
    let line = lay_out(message).replace('\n', " ");
    match type_ {
        EventType::Warning => warn!(kind, namespace, name, reason, "{line}"),
        EventType::Normal => info!(kind, namespace, name, reason, "{line}"),
    }
    context.events.publish(&object.object_ref(&()), type_, reason, "Reconcile", message);
}

/// What happens to an app is an Event of the app, and not of each of its objects; neither is the return to what was so before.
fn is_of_app<S: ManagedStatus>(before: &S, next: &Transition) -> bool {
    let of_app = |reason: &str| Reason::named(reason).is_some_and(Reason::is_of_app);
    let same = |entry: &Transition| (&entry.phase, &entry.reason) == (&next.phase, &next.reason);
    let returns = matches!(before.history(), [.., known, outage] if of_app(&outage.reason) && same(known));
    S::BELONGS_TO_APP && (of_app(&next.reason) || returns)
}

/// An import of thousands is told once, on the app, and not by an Event for each object.
fn is_first_of_import<K: Kind>(object: &K, before: &K::Status) -> bool {
    before.history().is_empty() && object.labels().contains_key(IMPORTED_BY)
}
