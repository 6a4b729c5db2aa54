//! The fields and actions of the API that this version does not act on yet. If a person sets such a field, a condition of the
//! object reports it with reason `NotYetSupported`.

use super::{Action, AppDeletionPolicy, ManagementPolicy, MessageTemplateSpec, MetaAppSpec, TemplateDeletionPolicy};

/// A field of a spec that is accepted and has no effect yet.
#[derive(Debug)]
pub struct Later<Spec> {
    /// Path of the field from the object's root.
    pub path: &'static str,
    /// Type of the condition that reports it; within a kind no two entries share one.
    pub condition: &'static str,
    /// What the operator does not do, and what to do meanwhile.
    pub message: &'static str,
    /// Whether the object does not work as its owner wants without the field's effect.
    pub asks_for_more: bool,
    is_set: fn(&Spec) -> bool,
}

/// Actions that are not acted on yet.
pub const ACTIONS: &[Action] = &[Action::Login, Action::Submit];

const META_APP: &[Later<MetaAppSpec>] = &[
    Later {
        path: "spec.webhook",
        condition: "WebhookConfigured",
        message: "spec.webhook has no effect yet: set the callback in the App Dashboard",
        asks_for_more: false,
        is_set: |spec| spec.webhook.is_some(),
    },
    Later {
        path: "spec.login",
        condition: "LoginConfigured",
        message: "spec.login has no effect yet: put a token into a Secret and name it in spec.accessTokenRef",
        asks_for_more: true,
        is_set: |spec| spec.login.is_some(),
    },
    Later {
        path: "spec.deletionPolicy",
        condition: "Releasable",
        message: "spec.deletionPolicy Unsubscribe has no effect yet: deleting this object leaves the subscriptions at Meta",
        asks_for_more: false,
        is_set: |spec| spec.deletion_policy == AppDeletionPolicy::Unsubscribe,
    },
];

const MESSAGE_TEMPLATE: &[Later<MessageTemplateSpec>] = &[
    Later {
        path: "spec.managementPolicy",
        condition: "Submitted",
        message: "templates are not sent to Meta yet: create and edit the template in WhatsApp Manager > Message templates, or \
                  write managementPolicy: Observe",
        asks_for_more: true,
        is_set: |spec| spec.management_policy == ManagementPolicy::Full,
    },
    Later {
        path: "spec.deletionPolicy",
        condition: "Releasable",
        message: "spec.deletionPolicy Delete has no effect yet: deleting this object leaves the template at Meta",
        asks_for_more: false,
        is_set: |spec| spec.deletion_policy == TemplateDeletionPolicy::Delete,
    },
];

/// The fields of a MetaApp that are set and have no effect yet.
#[must_use]
pub fn meta_app(spec: &MetaAppSpec) -> Vec<&'static Later<MetaAppSpec>> {
    META_APP.iter().filter(|later| (later.is_set)(spec)).collect()
}

/// The fields of a MessageTemplate that are set and have no effect yet.
#[must_use]
pub fn message_template(spec: &MessageTemplateSpec) -> Vec<&'static Later<MessageTemplateSpec>> {
    MESSAGE_TEMPLATE.iter().filter(|later| (later.is_set)(spec)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::{collections::BTreeSet, fs, path::Path};

    use serde::de::DeserializeOwned;

    use super::*;
    use crate::api::{MessageTemplate, MetaApp};

    fn example<K: DeserializeOwned>(name: &str) -> K {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/crds/good").join(name);
        serde_yaml::from_str(&fs::read_to_string(path).unwrap()).unwrap()
    }

    fn paths<Spec>(later: &[&Later<Spec>]) -> Vec<&'static str> {
        later.iter().map(|later| later.path).collect()
    }

    #[test]
    fn an_object_with_every_field_gets_every_entry() {
        assert_eq!(
            paths(&meta_app(&example::<MetaApp>("metaapp-everything.yaml").spec)),
            META_APP.iter().map(|later| later.path).collect::<Vec<_>>()
        );
        assert_eq!(
            paths(&message_template(&example::<MessageTemplate>("template-named.yaml").spec)),
            MESSAGE_TEMPLATE.iter().map(|later| later.path).collect::<Vec<_>>()
        );
    }

    #[test]
    fn a_small_object_gets_none() {
        assert!(meta_app(&example::<MetaApp>("metaapp-smallest.yaml").spec).is_empty());
        assert!(message_template(&example::<MessageTemplate>("template-observe-identity.yaml").spec).is_empty());
    }

    #[test]
    fn within_a_kind_each_entry_has_a_condition_of_its_own() {
        fn distinct<Spec>(entries: &[Later<Spec>]) {
            let conditions: BTreeSet<_> = entries.iter().map(|later| later.condition).collect();
            assert_eq!(conditions.len(), entries.len());
        }
        distinct(META_APP);
        distinct(MESSAGE_TEMPLATE);
    }
}
