//! Actions: annotations with a time as value, by which a person requests something once.

use std::fmt;

/// An action that a person requests by an annotation `waba.dev/<name>` whose value is an RFC 3339 time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// Read Meta now.
    Reconcile,
    /// Exchange the app's token now.
    RefreshToken,
    /// Begin a login.
    Login,
    /// Send a verification code.
    RequestCode,
    /// Register the number.
    Register,
    /// Set the PIN of the Secret at Meta, then register.
    ResetPin,
    /// Send the template.
    Submit,
}

impl Action {
    /// The key of the annotation.
    #[must_use]
    pub fn annotation(self) -> &'static str {
        match self {
            Self::Reconcile => "waba.dev/reconcile-at",
            Self::RefreshToken => "waba.dev/refresh-token-at",
            Self::Login => "waba.dev/login-at",
            Self::RequestCode => "waba.dev/request-code-at",
            Self::Register => "waba.dev/register-at",
            Self::ResetPin => "waba.dev/reset-pin-at",
            Self::Submit => "waba.dev/submit-at",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.annotation())
    }
}

/// Declares the `status.handled` of a kind: one optional field per action the kind knows, named after it.
macro_rules! handled {
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$fmeta:meta])* $field:ident: $action:ident,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            $($(#[$fmeta])* #[serde(skip_serializing_if = "Option::is_none")] pub $field: Option<String>,)+
        }

        impl $name {
            /// The actions the kind knows.
            pub const ACTIONS: &'static [crate::api::Action] = &[$(crate::api::Action::$action,)+];

            /// The annotation's value that was handled last.
            #[must_use]
            pub fn get(&self, action: crate::api::Action) -> Option<&str> {
                match action {
                    $(crate::api::Action::$action => self.$field.as_deref(),)+
                    _ => None,
                }
            }

            /// Notes a value as handled. An action the kind does not know is nothing to note.
            pub fn set(&mut self, action: crate::api::Action, value: &str) {
                match action {
                    $(crate::api::Action::$action => self.$field = Some(value.to_owned()),)+
                    _ => {}
                }
            }
        }
    };
}

pub(crate) use handled;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::api::{Kind, ManagedStatus, MessageTemplate, MetaApp, WhatsAppNumber};
    use kube::core::object::HasStatus;

    /// Notes every action of a kind and returns the status as JSON.
    fn all_handled<K: Kind>() -> serde_json::Value {
        let mut status = <K as HasStatus>::Status::default();
        for action in <K as HasStatus>::Status::ACTIONS {
            assert_eq!(status.handled(*action), None);
            status.set_handled(*action, action.annotation());
            assert_eq!(status.handled(*action), Some(action.annotation()));
        }
        serde_json::to_value(status).unwrap()["handled"].clone()
    }

    #[test]
    fn each_kind_echoes_its_own_actions_under_the_annotation_in_camel_case() {
        let common = [("reconcileAt", "waba.dev/reconcile-at"), ("refreshTokenAt", "waba.dev/refresh-token-at")];
        let of_apps = [("loginAt", "waba.dev/login-at")];
        let of_numbers = [
            ("requestCodeAt", "waba.dev/request-code-at"),
            ("registerAt", "waba.dev/register-at"),
            ("resetPinAt", "waba.dev/reset-pin-at"),
        ];
        let of_templates = [common[0], ("submitAt", "waba.dev/submit-at")];
        let object = |pairs: Vec<(&str, &str)>| {
            pairs.into_iter().map(|(k, v)| (k.to_owned(), serde_json::Value::from(v))).collect()
        };
        let contract: [serde_json::Value; 3] = [
            object([&common[..], &of_apps[..]].concat()),
            object([&common[..], &of_numbers[..]].concat()),
            object(of_templates.to_vec()),
        ];
        let seen = [all_handled::<MetaApp>(), all_handled::<WhatsAppNumber>(), all_handled::<MessageTemplate>()];
        assert_eq!(seen, contract);
    }
}
