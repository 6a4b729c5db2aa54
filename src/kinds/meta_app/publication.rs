//! Hands what is known of an app to those who work with it: the pollers, the app's numbers and templates, and metrics.

use super::{Apps, decision::Publication, inputs::Memory};
use crate::controller::managed_resource::ReconcileContext;

/// See the module. Whoever finds something new is reconciled.
pub fn publish(at: &ReconcileContext<'_, Apps>, memory: &mut Memory, publication: Publication) {
    let ReconcileContext { reconciler, context, app, .. } = *at;
    let Publication { summary, accounts, polling, template_limits, token_expires, conditions } = &publication;
    let is_news = context.inventory.set_app(app, summary.clone(), accounts);
    for (account, limit) in template_limits {
        context.inventory.recall_template_limit(app, account, *limit);
    }
    context.pollers.set(app, polling.as_ref(), accounts);
    context.metrics.token_expires(&app.namespace, &app.name, *token_expires);
    let conditions = conditions.iter().map(|(kind, state, reason)| (*kind, state.as_str(), reason.as_str()));
    context.metrics.app_conditions(&app.namespace, &app.name, conditions);
    if is_news {
        reconciler.triggers.objects_of(app);
    }
    memory.published = Some(publication);
}
