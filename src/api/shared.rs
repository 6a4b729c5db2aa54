//! What the three kinds have in common.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules;

/// API group of every kind.
pub const GROUP: &str = "waba.dev";

/// What the API server puts into `status.observedGeneration` of a new object: the operator has not reconciled it yet.
pub const NEVER_OBSERVED: i64 = -1;

/// How many transitions `status.history` keeps.
pub const HISTORY_LIMIT: usize = 20;

/// A MetaApp in this or another namespace.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AppRef {
    /// Name of the MetaApp.
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = rules::object_name())]
    pub name: String,
    /// Namespace of the MetaApp; by default the object's own. The MetaApp's `allowedNamespaces` must let this object's
    /// namespace in.
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = rules::matches("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "write the name of a namespace"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// One key of a Secret in the object's own namespace.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SecretKeyRef {
    /// Name of the Secret, in the namespace of this object.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = rules::object_name())]
    pub name: String,
    /// Key within the Secret's data. A newline at the end of the value is ignored.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = rules::data_key())]
    pub key: String,
}

/// Whether the operator may change things at Meta.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ManagementPolicy {
    /// Reads, reports and writes.
    #[default]
    Full,
    /// Reads and reports; never writes to Meta.
    Observe,
}

/// The way messages go through a number, seen from the business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Direction {
    /// Customers write to the number.
    Incoming,
    /// The business writes from the number.
    Outgoing,
}

/// One entry of `status.history`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Transition {
    /// When it happened.
    pub time: Time,
    /// The phase it led to.
    pub phase: String,
    /// The reason of condition Ready at that time, or of what happened besides.
    pub reason: String,
    /// What happened, for people.
    pub message: String,
}

/// A time as status holds it: whole seconds, so that what is read back equals what was written.
#[must_use]
pub fn whole_seconds(time: Timestamp) -> Time {
    Time(Timestamp::from_second(time.as_second()).unwrap_or(time))
}

/// For `skip_serializing_if`: a value that means the same as its absence.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// For `serde(default)` of `observedGeneration`.
pub(crate) fn never_observed() -> i64 {
    NEVER_OBSERVED
}

/// The condition that sums up all others: the object is as its spec wants it.
pub const READY: &str = "Ready";

/// A mistake in a spec that the API server cannot see, or that is older than the CRD's rule against it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecError {
    /// Path of the field, from the object's root.
    pub field: String,
    /// The condition that depends on the field. Until the field is corrected, the operator takes no step for it, and goes on
    /// with everything else.
    pub condition: &'static str,
    /// What is wrong and what to write instead.
    pub message: String,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::api::{DirectionSummary, ManagedStatus, MetaAppStatus};

    #[test]
    fn times_are_read_back_as_they_were_written() {
        let time = whole_seconds("2026-05-01T12:00:00.987654321Z".parse().unwrap());
        assert_eq!(serde_json::from_value::<Time>(serde_json::to_value(&time).unwrap()).unwrap(), time);
    }

    #[test]
    fn a_status_without_a_generation_is_one_nobody_observed() {
        let status: MetaAppStatus = serde_json::from_str("{}").unwrap();
        assert_eq!(status.observed_generation(), NEVER_OBSERVED);
    }

    #[test]
    fn directions_are_one_word() {
        use Direction::{Incoming, Outgoing};
        for (directions, word) in [
            (&[Incoming][..], Some(DirectionSummary::Incoming)),
            (&[Outgoing], Some(DirectionSummary::Outgoing)),
            (&[Outgoing, Incoming], Some(DirectionSummary::Both)),
            (&[], None),
        ] {
            assert_eq!(DirectionSummary::of(directions), word);
        }
    }
}
