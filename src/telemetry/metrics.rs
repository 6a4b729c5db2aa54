//! The operator's metrics, in one place. Labels are closed sets or names of objects, never texts of errors.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use super::{
    object_series::{ObjectSeries, ReadyCollector},
    usage_series::UsageGauges,
};
use jiff::Timestamp;
use parking_lot::Mutex;
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

/// How a reconcile ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Something was written: to the API server or to Meta.
    Changed,
    /// Nothing had to be done: the steady state.
    Unchanged,
    /// It failed and will be tried again.
    Error,
    /// It panicked: a defect.
    Panic,
}

impl EncodeLabelValue for Outcome {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> std::fmt::Result {
        EncodeLabelValue::encode(
            &match self {
                Self::Changed => "changed",
                Self::Unchanged => "unchanged",
                Self::Error => "error",
                Self::Panic => "panic",
            },
            encoder,
        )
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    kind: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reconciled {
    kind: String,
    outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Endpoint {
    endpoint: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Called {
    endpoint: &'static str,
    class: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Bucket {
    app: String,
    account: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
struct Phase {
    kind: String,
    phase: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
struct Stalled {
    kind: String,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
struct AtMeta {
    status: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
struct Object {
    namespace: String,
    name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AppCondition {
    namespace: String,
    name: String,
    condition: &'static str,
    status: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Noticed {
    kind: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Written {
    resource: String,
    verb: &'static str,
}

type Durations<L> = Family<L, Histogram, fn() -> Histogram>;

/// The metrics of one operator; clones share them. There is no global registry: several operators live in one process.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Registry>,
    reconciles: Family<Reconciled, Counter>,
    reconcile_duration: Durations<Kind>,
    calls: Family<Called, Counter>,
    call_duration: Durations<Endpoint>,
    odd_values: Family<Endpoint, Counter>,
    budget_left: Family<Bucket, Gauge<f64, AtomicU64>>,
    read_age: Family<Bucket, Gauge<f64, AtomicU64>>,
    objects: Counted<Phase>,
    unparsable: Family<Kind, Gauge>,
    needs_action: Family<Kind, Gauge>,
    sendable: Family<Kind, Gauge>,
    stalled: Counted<Stalled>,
    meta_statuses: Counted<AtMeta>,
    object_series: ReadyCollector,
    token_expiry: Family<Object, Gauge>,
    app_conditions: Family<AppCondition, Gauge>,
    /// The conditions that are shown of each app.
    app_conditions_shown: Arc<Mutex<BTreeMap<Object, Vec<AppCondition>>>>,
    notices: Family<Noticed, Counter>,
    usage: UsageGauges,
    overdue: Gauge<f64, AtomicU64>,
    writes: Family<Written, Counter>,
    events_dropped: Counter,
    leader: Gauge,
    panics: Counter,
}

/// How the objects of a kind stand.
#[derive(Debug, Default)]
pub struct ObjectCounts {
    /// By phase.
    pub phases: BTreeMap<String, usize>,
    /// With condition Stalled, by its reason.
    pub stalled: BTreeMap<&'static str, usize>,
    /// With `status.needsAction`.
    pub needs_action: usize,
    /// With condition Sendable; `None` where the kind has no such condition.
    pub sendable: Option<usize>,
    /// That do not fit this operator's API.
    pub unparsable: usize,
}

/// Gauges that are counted anew, of which none goes away: what had objects before and has none now is 0.
#[derive(Clone, Debug)]
struct Counted<L> {
    family: Family<L, Gauge>,
    seen: Arc<Mutex<BTreeSet<L>>>,
}

impl<L: Clone + std::hash::Hash + Eq> Default for Counted<L> {
    fn default() -> Self {
        Self { family: Family::default(), seen: Arc::default() }
    }
}

impl<L: Clone + std::hash::Hash + Ord> Counted<L> {
    /// Sets the gauges for which `among` says yes.
    fn set(&self, counts: impl Iterator<Item = (L, usize)>, among: impl Fn(&L) -> bool) {
        let counts: BTreeMap<L, usize> = counts.collect();
        let mut seen = self.seen.lock();
        seen.extend(counts.keys().cloned());
        for labels in seen.iter().filter(|labels| among(labels)) {
            let count = counts.get(labels).copied().unwrap_or(0);
            self.family.get_or_create(labels).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }
}

/// 1 ms to about a minute, each three times the one before.
const BUCKETS: [f64; 11] = [0.001, 0.003, 0.009, 0.027, 0.081, 0.243, 0.729, 2.187, 6.561, 19.683, 59.049];

fn durations() -> Histogram {
    Histogram::new(BUCKETS)
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All metrics, at zero, in a registry of their own.
    #[must_use]
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Arc::default(),
            reconciles: Family::default(),
            reconcile_duration: Family::new_with_constructor(durations),
            calls: Family::default(),
            call_duration: Family::new_with_constructor(durations),
            odd_values: Family::default(),
            budget_left: Family::default(),
            read_age: Family::default(),
            objects: Counted::default(),
            unparsable: Family::default(),
            needs_action: Family::default(),
            sendable: Family::default(),
            stalled: Counted::default(),
            meta_statuses: Counted::default(),
            object_series: ReadyCollector::default(),
            token_expiry: Family::default(),
            app_conditions: Family::default(),
            app_conditions_shown: Arc::default(),
            notices: Family::default(),
            usage: UsageGauges::default(),
            overdue: Gauge::default(),
            writes: Family::default(),
            events_dropped: Counter::default(),
            leader: Gauge::default(),
            panics: Counter::default(),
        };
        metrics.registry = Arc::new(metrics.register());
        metrics
    }

    fn register(&self) -> Registry {
        let mut r = Registry::with_prefix("waba");
        r.register("reconciles", "Reconciles by kind and outcome", self.reconciles.clone());
        let help = "Time one reconcile took";
        r.register_with_unit("reconcile_duration", help, Unit::Seconds, self.reconcile_duration.clone());
        r.register("meta_calls", "Calls to Meta by endpoint and class of the outcome", self.calls.clone());
        let help = "Time one call to Meta took";
        r.register_with_unit("meta_call_duration", help, Unit::Seconds, self.call_duration.clone());
        let help = "Values in Meta's replies that make no sense and were left out, by endpoint";
        r.register("meta_odd_values", help, self.odd_values.clone());
        let help = "What is left of Meta's call budget, in percent";
        r.register("meta_budget_left_percent", help, self.budget_left.clone());
        let help = "Time since the last complete read of an account began, in seconds";
        r.register("account_read_age_seconds", help, self.read_age.clone());
        r.register("objects", "Objects by kind and phase", self.objects.family.clone());
        let help = "Objects that wait for a person, by kind (status.needsAction)";
        r.register("objects_needing_action", help, self.needs_action.clone());
        r.register("objects_sendable", "Numbers and templates that can send now, by kind", self.sendable.clone());
        let help = "Objects with condition Stalled, by kind and reason";
        r.register("objects_stalled", help, self.stalled.family.clone());
        let help = "Numbers by the status that Meta last showed, whatever their phase";
        r.register("numbers_at_meta", help, self.meta_statuses.family.clone());
        r.register_collector(Box::new(self.object_series.clone()));
        let help = "Objects that do not fit this operator's API and are left alone, by kind";
        r.register("objects_unparsable", help, self.unparsable.clone());
        let help =
            "When a MetaApp's token expires, in seconds since 1970; 0 when it is dead, absent when it never expires";
        r.register_with_unit("token_expiry_timestamp", help, Unit::Seconds, self.token_expiry.clone());
        let help = "1 for the status and reason of each condition of a MetaApp";
        r.register("app_condition", help, self.app_conditions.clone());
        r.register("notices", "Notices to people by kind and reason", self.notices.clone());
        self.usage.register(&mut r);
        let help = "For how long the most overdue poll of an account has been due";
        r.register_with_unit("most_overdue_poll", help, Unit::Seconds, self.overdue.clone());
        r.register("api_writes", "Writes to the Kubernetes API server by resource and verb", self.writes.clone());
        let help = "Kubernetes Events dropped because too many were waiting";
        r.register("events_dropped", help, self.events_dropped.clone());
        r.register("leader", "1 while this operator holds the lease", self.leader.clone());
        r.register("panics", "Panics caught; each is a defect", self.panics.clone());
        r
    }

    /// One reconcile ended.
    pub fn reconciled(&self, kind: &str, outcome: Outcome, took: Duration) {
        self.reconciles.get_or_create(&Reconciled { kind: kind.to_owned(), outcome }).inc();
        self.reconcile_duration.get_or_create(&Kind { kind: kind.to_owned() }).observe(took.as_secs_f64());
    }

    /// One call to Meta ended; `endpoint` and `class` are names from closed lists.
    pub fn called(&self, endpoint: &'static str, class: &'static str, took: Duration) {
        self.calls.get_or_create(&Called { endpoint, class }).inc();
        self.call_duration.get_or_create(&Endpoint { endpoint }).observe(took.as_secs_f64());
    }

    /// Values of a reply to a call at `endpoint` were left out.
    pub fn left_out(&self, endpoint: &'static str, values: u32) {
        if values > 0 {
            self.odd_values.get_or_create(&Endpoint { endpoint }).inc_by(values.into());
        }
    }

    /// What is left of the budgets of apps at accounts, in percent. Budgets that are not among these are no longer shown.
    pub fn budgets<'a>(&self, budgets: impl Iterator<Item = (&'a str, &'a str, f64)>) {
        self.budget_left.clear();
        for (app, account, percent) in budgets {
            let bucket = Bucket { app: app.to_owned(), account: account.to_owned() };
            self.budget_left.get_or_create(&bucket).set(percent);
        }
    }

    /// How long ago the last complete read of each account began: app as `namespace/name`, account, age. Accounts that are not
    /// among these are no longer shown.
    pub fn read_ages(&self, ages: impl Iterator<Item = (String, Box<str>, Duration)>) {
        self.read_age.clear();
        for (app, account, age) in ages {
            self.read_age.get_or_create(&Bucket { app, account: account.into() }).set(age.as_secs_f64());
        }
    }

    /// What messages came to.
    #[must_use]
    pub fn usage(&self) -> &UsageGauges {
        &self.usage
    }

    /// How the objects of a kind stand.
    pub fn objects(&self, kind: &str, counts: &ObjectCounts) {
        let whole = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let labels = Kind { kind: kind.to_owned() };
        self.unparsable.get_or_create(&labels).set(whole(counts.unparsable));
        self.needs_action.get_or_create(&labels).set(whole(counts.needs_action));
        if let Some(sendable) = counts.sendable {
            self.sendable.get_or_create(&labels).set(whole(sendable));
        }
        let phases = counts.phases.iter().map(|(phase, n)| (Phase { kind: kind.to_owned(), phase: phase.clone() }, *n));
        self.objects.set(phases, |labels| labels.kind == kind);
        let stalled = counts.stalled.iter().map(|(reason, n)| (Stalled { kind: kind.to_owned(), reason }, *n));
        self.stalled.set(stalled, |labels| labels.kind == kind);
    }

    /// How many numbers have which status at Meta.
    pub fn numbers_at_meta(&self, counts: &BTreeMap<String, usize>) {
        self.meta_statuses.set(counts.iter().map(|(status, n)| (AtMeta { status: status.clone() }, *n)), |_| true);
    }

    /// Shows one series per object from now on; `source` is called at every scrape.
    pub fn show_objects(&self, source: impl Fn() -> Vec<ObjectSeries> + Send + Sync + 'static) {
        self.object_series.set(Box::new(source));
    }

    /// When the token of a `MetaApp` expires (1970 when it is dead); `None` when it never does, or the object is gone.
    pub fn token_expires(&self, namespace: &str, name: &str, at: Option<Timestamp>) {
        let object = Object { namespace: namespace.to_owned(), name: name.to_owned() };
        match at {
            Some(at) => {
                self.token_expiry.get_or_create(&object).set(at.as_second());
            }
            None => {
                self.token_expiry.remove(&object);
            }
        }
    }

    /// The conditions of a `MetaApp`, each with status and reason; none when the object is gone.
    pub fn app_conditions(
        &self,
        namespace: &str,
        name: &str,
        conditions: impl Iterator<Item = (&'static str, &'static str, &'static str)>,
    ) {
        let labels = |(condition, status, reason)| AppCondition {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            condition,
            status,
            reason,
        };
        let now: Vec<_> = conditions.map(labels).collect();
        let app = Object { namespace: namespace.to_owned(), name: name.to_owned() };
        let mut shown = self.app_conditions_shown.lock();
        let before = if now.is_empty() { shown.remove(&app) } else { shown.insert(app, now.clone()) };
        for gone in before.iter().flatten().filter(|before| !now.contains(before)) {
            self.app_conditions.remove(gone);
        }
        for condition in &now {
            self.app_conditions.get_or_create(condition).set(1);
        }
    }

    /// People were told of something that phase and `Ready` do not show.
    pub fn noticed(&self, kind: &'static str, reason: &'static str) {
        self.notices.get_or_create(&Noticed { kind, reason }).inc();
    }

    /// For how long the most overdue poll of an account has been due.
    pub fn overdue(&self, age: Duration) {
        self.overdue.set(age.as_secs_f64());
    }

    /// One write went to the API server; `resource` as in its path, with the subresource: `whatsappnumbers/status`.
    pub fn written(&self, resource: &str, verb: &'static str) {
        self.writes.get_or_create(&Written { resource: resource.to_owned(), verb }).inc();
    }

    /// How many writes of a kind went to the API server so far.
    #[must_use]
    pub fn writes(&self, resource: &str, verb: &'static str) -> u64 {
        self.writes.get(&Written { resource: resource.to_owned(), verb }).map_or(0, |counter| counter.get())
    }

    /// A Kubernetes Event was dropped.
    pub fn event_dropped(&self) {
        self.events_dropped.inc();
    }

    /// Whether this operator leads.
    pub fn leader(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }

    /// A panic was caught.
    pub fn panicked(&self) {
        self.panics.inc();
    }

    /// Everything in the `OpenMetrics` text format.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail, and half of the metrics would be better than none.
        if text::encode(&mut out, &self.registry).is_err() {
            tracing::error!("metrics could not be written");
        }
        out
    }
}
