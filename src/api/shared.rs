//! What the three kinds have in common.

use std::fmt::Debug;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{
    KubeSchema,
    core::{
        NamespaceResourceScope, Resource,
        object::{HasSpec, HasStatus},
    },
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Action, rules};

/// API group of every kind.
pub const GROUP: &str = "waba.dev";

/// What the API server puts into `status.observedGeneration` of a new object: nobody has looked at it yet.
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
    /// The reason of condition Ready at that time.
    pub reason: String,
    /// What happened, for people.
    pub message: String,
}

/// A kind of this API, as the generic parts of the operator see it.
pub trait Managed:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + HasSpec
    + HasStatus<Status: ManagedStatus>
    + Clone
    + Debug
    + Serialize
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
    /// The kind's name, for metrics and logs.
    const NAME: &'static str;
    /// The kind's short name, for commands.
    const SHORT: &'static str;
    /// The actions this kind knows.
    const ACTIONS: &'static [Action];

    /// Whether everything stands still for this object: no call to Meta.
    fn suspend(&self) -> bool;

    /// Whether the operator may write to Meta for this object.
    fn management_policy(&self) -> ManagementPolicy;

    /// Whether deleting this object leaves Meta as it is (`deletionPolicy: Retain`).
    fn retains(&self) -> bool;
}

/// The parts of a status that every kind has.
pub trait ManagedStatus:
    Clone + Debug + Default + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// The `metadata.generation` this status is about; [NEVER_OBSERVED] on a new object.
    fn observed_generation(&self) -> i64;
    /// Sets the generation this status is about.
    fn set_observed_generation(&mut self, generation: i64);
    /// The phase as text, once there is one.
    fn phase(&self) -> Option<&str>;
    /// The conditions, unique by type.
    fn conditions(&self) -> &[Condition];
    /// The conditions, to be changed.
    fn conditions_mut(&mut self) -> &mut Vec<Condition>;
    /// The last transitions, newest last.
    fn history(&self) -> &[Transition];
    /// The last transitions, to be changed; [HISTORY_LIMIT] at most.
    fn history_mut(&mut self) -> &mut Vec<Transition>;
    /// The value of an action's annotation that was handled last.
    fn handled(&self, action: Action) -> Option<&str>;
    /// Notes the value of an action's annotation as handled.
    fn set_handled(&mut self, action: Action, value: &str);
}

/// Implements [`Managed`] and [`ManagedStatus`] for a kind whose fields have the usual names.
macro_rules! managed {
    ($kind:ident ($short:literal), $status:ty, $handled:ty, retain = $retain:path) => {
        impl $crate::api::Managed for $kind {
            const NAME: &'static str = stringify!($kind);
            const SHORT: &'static str = $short;
            const ACTIONS: &'static [$crate::api::Action] = <$handled>::ACTIONS;

            fn suspend(&self) -> bool {
                self.spec.suspend
            }

            fn management_policy(&self) -> $crate::api::ManagementPolicy {
                self.spec.management_policy
            }

            fn retains(&self) -> bool {
                self.spec.deletion_policy == $retain
            }
        }

        impl $crate::api::ManagedStatus for $status {
            fn observed_generation(&self) -> i64 {
                self.observed_generation
            }

            fn set_observed_generation(&mut self, generation: i64) {
                self.observed_generation = generation;
            }

            fn phase(&self) -> Option<&str> {
                self.phase.as_ref().map(|phase| phase.as_str())
            }

            fn conditions(&self) -> &[Condition] {
                &self.conditions
            }

            fn conditions_mut(&mut self) -> &mut Vec<Condition> {
                &mut self.conditions
            }

            fn history(&self) -> &[Transition] {
                &self.history
            }

            fn history_mut(&mut self) -> &mut Vec<Transition> {
                &mut self.history
            }

            fn handled(&self, action: $crate::api::Action) -> Option<&str> {
                self.handled.get(action)
            }

            fn set_handled(&mut self, action: $crate::api::Action, value: &str) {
                self.handled.set(action, value);
            }
        }
    };
}

pub(crate) use managed;

/// A time as status holds it: whole seconds, so that what is read back equals what was written.
#[must_use]
pub fn whole_seconds(time: Timestamp) -> Time {
    Time(Timestamp::from_second(time.as_second()).unwrap_or(time))
}

/// For `skip_serializing_if`: a value that says the same as its absence.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// For `serde(default)` of `observedGeneration`.
pub(crate) fn never_observed() -> i64 {
    NEVER_OBSERVED
}

/// Something in a spec that the API server cannot check and the operator therefore does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Path of the field, from the object's root.
    pub field: String,
    /// What is wrong and what to write instead.
    pub message: String,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::api::{DirectionSummary, MetaAppStatus};

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
