//! The gauges that no event updates: how objects stand, and what is left of Meta's call budgets.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::{
    api::Kind,
    controller::{Cached, Objects, Triggers},
    k8s::conditions::State,
    observe::{Budget, Inventory},
    telemetry::{Metrics, NumberSeries, ObjectCounts, ObjectLabels, ObjectSeries, PaymentSeries, UsageLabels},
};

/// Updates them again and again.
pub(super) async fn keep_current(
    metrics: Metrics,
    objects: Triggers,
    inventory: Arc<Inventory>,
    budgets: impl Fn() -> Vec<Budget>,
    every: Duration,
) {
    loop {
        tokio::time::sleep(every).await;
        metrics.budgets(budgets().iter().map(|budget| (&*budget.app_id, &*budget.account, f64::from(budget.left))));
        metrics.read_ages(inventory.read_ages().into_iter().map(|(app, account, age)| (app.to_string(), account, age)));
        show_usage(&metrics, &inventory);
        count(&metrics, &objects.apps);
        count(&metrics, &objects.numbers);
        count(&metrics, &objects.templates);
        let mut statuses = BTreeMap::new();
        for number in objects.numbers.filter(|number| number.meta_status.is_some()) {
            *statuses.entry(number.meta_status.as_deref().unwrap_or_default().to_owned()).or_insert(0) += 1;
        }
        metrics.numbers_at_meta(&statuses);
    }
}

/// What messages came to, of the apps that ask for it.
fn show_usage(metrics: &Metrics, inventory: &Inventory) {
    let (mut accounts, mut numbers) = (Vec::new(), Vec::new());
    for (app, account, usage) in inventory.usages() {
        let (app, account) = (app.to_string(), account.to_string());
        let series = usage.numbers.iter().map(|(digits, total)| NumberSeries {
            labels: UsageLabels { app: app.clone(), account: account.clone(), number: digits.to_string() },
            service: total.service,
            messages: total.messages,
            cost: total.cost.map(|cost| {
                #[expect(clippy::cast_precision_loss, reason = "a metric")]
                let cost = cost as f64 / 1e6;
                (cost, usage.currency.as_deref().unwrap_or_default().to_owned())
            }),
        });
        numbers.extend(series);
        accounts.push(PaymentSeries { app, account, funded: usage.funded });
    }
    metrics.usage().set(&accounts, &numbers);
}

fn count<K: Kind>(metrics: &Metrics, objects: &Objects<K>) {
    let mut counts = ObjectCounts::default();
    for object in objects.filter(|_| true) {
        counts.unparsable += usize::from(!object.usable);
        counts.needs_action += usize::from(object.needs_action);
        if let Some(sendable) = object.sendable {
            *counts.sendable.get_or_insert(0) += usize::from(sendable);
        }
        if let Some((_, reason)) = object.ready.filter(|_| object.stalled) {
            *counts.stalled.entry(reason.as_str()).or_insert(0) += 1;
        }
        let phase = object.phase.as_deref().unwrap_or("Pending").to_owned();
        *counts.phases.entry(phase).or_insert(0) += 1;
    }
    metrics.objects(K::NAME, &counts);
}

/// At most so many series, one per object: first those that are not Ready.
pub(super) fn object_series(objects: &Triggers, most: usize) -> Vec<ObjectSeries> {
    let mut series: Vec<ObjectSeries> = objects.apps.filter(|_| true).iter().filter_map(|app| one(app)).collect();
    series.extend(objects.numbers.filter(|_| true).iter().filter_map(|number| one(number)));
    series.extend(objects.templates.filter(|_| true).iter().filter_map(|template| one(template)));
    series.sort_unstable();
    series.truncate(most);
    series
}

fn one<K: Kind>(object: &Cached<K>) -> Option<ObjectSeries> {
    let (state, reason) = object.ready?;
    let labels = ObjectLabels {
        kind: K::NAME,
        namespace: object.key.namespace().to_owned(),
        name: object.key.name().to_owned(),
        app: object.app.to_string(),
        reason: reason.as_str(),
    };
    Some(ObjectSeries { ready: state == State::True, labels })
}
