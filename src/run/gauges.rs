//! The gauges that no event updates: how objects stand, and what is left of Meta's call budgets.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    api::Kind,
    controller::{Cached, Objects, Triggers},
    k8s::conditions::State,
    observe::Budget,
    telemetry::{Metrics, ObjectCounts, ObjectLabels, ObjectSeries},
};

/// Updates them again and again.
pub(super) async fn keep_current(
    metrics: Metrics,
    objects: Triggers,
    budgets: impl Fn() -> Vec<Budget>,
    every: Duration,
) {
    loop {
        tokio::time::sleep(every).await;
        metrics.budgets(budgets().iter().map(|budget| (&*budget.app_id, &*budget.account, f64::from(budget.left))));
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
