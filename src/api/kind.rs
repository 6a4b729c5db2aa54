//! What the operator has to know of a kind, whichever it is.

use std::{fmt::Debug, hash::Hash};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::core::{
    NamespaceResourceScope, Resource,
    object::{HasSpec, HasStatus},
};
use serde::{Serialize, de::DeserializeOwned};

use super::{Action, AppKey, SpecError, Transition};

/// One of the kinds of this API: what an object of it is called, what it stands for at Meta, and what it refers to.
pub trait Kind:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + HasSpec<Spec: Default + Serialize>
    + HasStatus<Status: ManagedStatus>
    + Clone
    + Debug
    + Serialize
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
    /// The thing at Meta that an object stands for; two objects with the same claim compete for it.
    type Claim: Eq + Hash + Clone + Send + Sync + 'static;

    /// The kind's name, for metrics and logs.
    const NAME: &'static str;
    /// The kind's short name, for commands.
    const SHORT: &'static str;
    /// The finalizer that the operator puts on objects whose deletion has to wait for it, if it does so for this kind.
    const FINALIZER: Option<&'static str> = None;

    /// What the object stands for.
    fn claim(&self) -> Self::Claim;

    /// What messages call the thing that the object stands for.
    fn title(&self) -> String;

    /// The app that the object belongs to.
    fn app(&self) -> AppKey;

    /// The account that the spec names.
    fn account(&self) -> Option<&str> {
        None
    }

    /// The account that holds it, as far as spec and status know.
    fn held_by(&self) -> Option<&str> {
        self.account()
    }

    /// The account and the id under which Meta last showed it, from the status.
    fn recorded(&self) -> Option<(&str, &str)> {
        None
    }

    /// The status that Meta last showed, as Meta spells it.
    fn meta_status(&self) -> Option<&str> {
        None
    }

    /// The Secrets in its namespace that it depends on.
    fn secrets(&self) -> Vec<String> {
        Vec::new()
    }

    /// Mistakes in the spec: those that the API server cannot see, and what is older than the CRD's rule against it.
    fn spec_errors(&self) -> Vec<SpecError>;

    /// Whether the operator leaves Meta alone for this object (`spec.suspend`).
    fn suspend(&self) -> bool;
}

/// The parts of a status that every kind has.
pub trait ManagedStatus:
    Clone + Debug + Default + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// The actions that the kind knows.
    const ACTIONS: &'static [Action];
    /// Whether the object belongs to an app, whose troubles are its own.
    const BELONGS_TO_APP: bool = true;

    /// The `metadata.generation` this status is about; [`NEVER_OBSERVED`](super::NEVER_OBSERVED) on a new object.
    fn observed_generation(&self) -> i64;
    /// Sets the generation this status is about.
    fn set_observed_generation(&mut self, generation: i64);
    /// Notes whether a person has to act.
    fn set_needs_action(&mut self, needs_action: bool);
    /// Whether a person has to act.
    fn needs_action(&self) -> bool;
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

/// Implements [`ManagedStatus`] for a status whose fields have the usual names.
macro_rules! managed_status {
    ($status:ty, $handled:ty $(, belongs_to_app: $belongs:literal)?) => {
        impl $crate::api::ManagedStatus for $status {
            const ACTIONS: &'static [$crate::api::Action] = <$handled>::ACTIONS;
            $(const BELONGS_TO_APP: bool = $belongs;)?

            fn observed_generation(&self) -> i64 {
                self.observed_generation
            }

            fn set_observed_generation(&mut self, generation: i64) {
                self.observed_generation = generation;
            }

            fn set_needs_action(&mut self, needs_action: bool) {
                self.needs_action = needs_action;
            }

            fn needs_action(&self) -> bool {
                self.needs_action
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

pub(crate) use managed_status;
