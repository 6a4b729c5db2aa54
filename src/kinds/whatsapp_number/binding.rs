//! The binding Secret: what an application needs to send from the number, in the form of Service Binding. Pure.

use kube::ResourceExt;
use secrecy::{ExposeSecret, SecretString};

use super::{
    decision::{ConditionReport, Decision, Impact},
    inputs::{Binding, HandedOut, Inputs, Step},
    number_view::NumberView,
};
use crate::{
    api::{Direction, WhatsAppNumber},
    controller::{app_reference, plan::Requeue, summary::ConditionValue},
    graph::types::PhoneNumber,
    k8s::secrets::ComparableSecret,
    messages::{Reason, commands},
};

/// The name of the Secret.
pub fn secret_name(object: &WhatsAppNumber) -> String {
    format!("{}-binding", object.name_any())
}

/// The type of the Secret.
pub const TYPE: &str = "servicebinding.io/whatsapp";

/// Where the token is in it.
pub const TOKEN: &str = "access-token";

/// Deletes a binding Secret that the spec no longer wants.
pub fn unwanted(inputs: &Inputs) -> Option<Step> {
    (inputs.binding == Binding::Unwanted).then_some(Step::DeleteBinding)
}

/// What comes next for the binding Secret.
pub fn binding(at: &NumberView<'_>) -> Decision<ConditionReport> {
    match &at.inputs.binding {
        Binding::NotManaged | Binding::Unwanted => Decision::NotManaged,
        Binding::Behind(content) => Decision::Act(Step::WriteBinding(content.clone())),
        Binding::Waits(why) => ConditionReport::settled(ConditionValue::no(Reason::NotBound, *why), at.retry()),
        Binding::Current(handed_out) => ConditionReport::new(current(at.object, *handed_out), Impact::Fine),
        Binding::Refused(blocker) => {
            ConditionReport::stalled(ConditionValue::no(blocker.reason, blocker.message.clone()), at.retry())
        }
        Binding::Taken(message) => {
            let value = ConditionValue::no(Reason::SecretNameTaken, message.clone());
            ConditionReport::stalled(value, Requeue::Nothing)
        }
    }
}

fn current(object: &WhatsAppNumber, handed_out: HandedOut) -> ConditionValue {
    let app = app_reference::key(&object.spec.app_ref, &object.namespace().unwrap_or_default());
    match handed_out {
        HandedOut::Given => ConditionValue::yes(Reason::Bound, "the binding Secret is up to date"),
        HandedOut::Kept => {
            let message = format!(
                "the binding Secret is up to date, with the earlier access-token: the Secret of spec.bindingTokenRef of MetaApp \
                 {app} has none. Its condition BindingTokenValid has the cause: {}",
                commands::with_app("describe", &app)
            );
            ConditionValue::yes(Reason::Bound, message)
        }
        HandedOut::NotNamed => {
            let message = format!(
                "the binding Secret is up to date, without access-token: for other namespaces the MetaApp has to name one in \
                 spec.bindingTokenRef: {}",
                commands::with_app("edit", &app)
            );
            ConditionValue::yes(Reason::BoundWithoutToken, message)
        }
        HandedOut::Missing => {
            let message = format!(
                "the binding Secret is up to date, without access-token: the Secret of spec.bindingTokenRef of MetaApp {app} has \
                 none. Its condition BindingTokenValid has the cause: {}",
                commands::with_app("describe", &app)
            );
            ConditionValue::yes(Reason::BoundWithoutToken, message)
        }
    }
}

/// Where applications send to, and with what.
pub struct Access<'a> {
    /// The Graph API, without version.
    pub api_url: &'a str,
    /// The Graph version.
    pub api_version: &'a str,
    /// The token, where one may be handed out.
    pub token: Option<&'a SecretString>,
}

/// The entries of the Secret, in order, without those that are not known.
pub fn content(
    object: &WhatsAppNumber,
    account: &str,
    facts: &PhoneNumber,
    access: &Access<'_>,
) -> Vec<(&'static str, ComparableSecret)> {
    let spec = &object.spec;
    let directions: Vec<&str> = spec
        .directions
        .iter()
        .map(|direction| match direction {
            Direction::Incoming => "Incoming",
            Direction::Outgoing => "Outgoing",
        })
        .collect();
    let incoming = spec.incoming.as_ref();
    let session = object.status.as_ref().and_then(|status| status.session_time.clone());
    let token = access.token.map(|token| token.expose_secret().to_owned());
    let entries = [
        ("type", Some("whatsapp".to_owned())),
        ("provider", Some("meta-cloud-api".to_owned())),
        ("phone-number", Some(spec.phone_number.clone())),
        ("phone-number-id", Some(facts.id.to_string())),
        ("business-account-id", Some(account.to_owned())),
        ("api-url", Some(access.api_url.to_owned())),
        ("api-version", Some(access.api_version.to_owned())),
        (TOKEN, token),
        ("directions", Some(directions.join(","))),
        ("time-zone", spec.time_zone.clone()),
        ("language", spec.language.clone()),
        (
            "session-time",
            session.or_else(|| Some("24h".to_owned())).filter(|_| spec.directions.contains(&Direction::Incoming)),
        ),
        ("smart-routing", incoming.and_then(|incoming| incoming.smart_routing.clone())),
        (
            "end-of-interaction-smart-routing",
            incoming.and_then(|incoming| incoming.end_of_interaction_smart_routing.clone()),
        ),
    ];
    entries.into_iter().filter_map(|(key, value)| Some((key, ComparableSecret(value?.into())))).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use serde_json::json;

    use super::*;
    use crate::kinds::whatsapp_number::tests::fixtures::{next, number, shows};

    #[test]
    fn a_binding_says_which_token_it_hands_out() {
        let edit = "spec.bindingTokenRef:\nkubectl -n cc edit mapp ino-cx";
        let describe = "BindingTokenValid has the cause:\nkubectl -n cc describe mapp ino-cx";
        for (handed_out, condition, words) in [
            (HandedOut::Given, "True/Bound", "up to date"),
            (HandedOut::Kept, "True/Bound", describe),
            (HandedOut::NotNamed, "True/BoundWithoutToken", edit),
            (HandedOut::Missing, "True/BoundWithoutToken", describe),
        ] {
            let mut scene = number();
            shows(&mut scene, &json!({}));
            scene.inputs.binding = Binding::Current(handed_out);
            assert_eq!(next(&mut scene), "Enabled True/Enabled");
            assert_eq!(scene.condition("Bound").as_deref(), Some(condition));
            assert!(scene.message("Bound").contains(words), "{}", scene.message("Bound"));
        }
    }
}
