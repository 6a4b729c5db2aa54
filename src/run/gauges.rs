//! The gauges that no event updates: objects by phase, and what is left of Meta's call budgets.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    api::Kind,
    controller::{Objects, Triggers},
    observe::Budget,
    telemetry::Metrics,
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
        phases(&metrics, &objects.apps);
        phases(&metrics, &objects.numbers);
        phases(&metrics, &objects.templates);
    }
}

fn phases<K: Kind>(metrics: &Metrics, objects: &Objects<K>) {
    let mut counts = BTreeMap::new();
    let mut unparsable = 0;
    for object in objects.filter(|_| true) {
        unparsable += usize::from(!object.usable);
        let phase = object.phase.as_deref().unwrap_or("Pending").to_owned();
        *counts.entry(phase).or_insert(0) += 1;
    }
    metrics.objects(K::NAME, &counts);
    metrics.unparsable(K::NAME, unparsable);
}
