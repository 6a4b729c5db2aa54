//! One series per object, made at every scrape from what the operator has cached anyway: thousands of series take no memory
//! between scrapes.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric},
    metrics::{MetricType, gauge::ConstGauge},
};

/// An object, and how it stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectSeries {
    /// Whether it is Ready; first, because those that are not are shown first.
    pub ready: bool,
    /// Its labels.
    pub labels: ObjectLabels,
}

/// What tells one object from another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, EncodeLabelSet)]
pub struct ObjectLabels {
    /// Its kind.
    pub kind: &'static str,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The app that it refers to, or is: `namespace/name`.
    pub app: String,
    /// The reason of condition Ready.
    pub reason: &'static str,
}

type Source = dyn Fn() -> Vec<ObjectSeries> + Send + Sync;

/// Shows whether each object is Ready.
#[derive(Clone, Default)]
pub(super) struct ReadyCollector(Arc<OnceLock<Box<Source>>>);

impl ReadyCollector {
    /// Where the objects come from. Only the first source counts.
    pub fn set(&self, source: Box<Source>) {
        // A process leads once.
        let _ = self.0.set(source);
    }
}

impl fmt::Debug for ReadyCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadyCollector").finish_non_exhaustive()
    }
}

impl Collector for ReadyCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Some(source) = self.0.get() else { return Ok(()) };
        let help = "1 while the object is Ready, 0 while it is not; objects that are not come first";
        let mut metric = encoder.encode_descriptor("object_ready", help, None, MetricType::Gauge)?;
        for object in source() {
            ConstGauge::new(i64::from(object.ready)).encode(metric.encode_family(&object.labels)?)?;
        }
        Ok(())
    }
}
