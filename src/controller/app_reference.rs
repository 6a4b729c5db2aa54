//! From a number or template to its app: is it there, may it be used, can it be relied on?

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::{Selector, SelectorExt};

use super::summary::{ConditionValue, Progress, StatusSummary};
use crate::messages::{Reason, commands};
use crate::{
    api::{AppKey, AppRef},
    observe::{Allowed, AppState, AppSummary},
};

/// How an object's app stands, seen from the object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AppReference {
    /// There is no such `MetaApp`.
    Missing,
    /// It does not let this namespace in.
    NotAllowed,
    /// It is there, and this process has not looked at it yet: nothing can be said.
    Waiting,
    /// It is suspended.
    Suspended,
    /// It cannot read Meta; its sentence.
    NotReady(String),
    /// Its credentials are not there; its sentence.
    Gone(String),
    /// Its token is dead; its sentence.
    Expired(String),
    /// It can be relied on.
    Ready,
}

/// The app that an object in `namespace` refers to.
#[must_use]
pub fn key(reference: &AppRef, namespace: &str) -> AppKey {
    AppKey::new(reference.namespace.as_deref().unwrap_or(namespace), &reference.name)
}

/// How the app stands for an object in `namespace`, whose labels are given where they are known.
#[must_use]
pub fn resolve(
    exists: bool,
    view: Option<&AppSummary>,
    app: &AppKey,
    namespace: &str,
    labels: Option<&BTreeMap<String, String>>,
) -> AppReference {
    let Some(view) = view else { return if exists { AppReference::Waiting } else { AppReference::Missing } };
    let allowed = *namespace == *app.namespace
        || match &view.allowed {
            Allowed::Same => false,
            Allowed::All => true,
            Allowed::Selected(selector) => labels.is_some_and(|labels| matches(selector, labels)),
        };
    if !allowed {
        return AppReference::NotAllowed;
    }
    match &view.standing {
        AppState::Starting => AppReference::Waiting,
        AppState::Ready => AppReference::Ready,
        AppState::Suspended => AppReference::Suspended,
        AppState::NotReady(why) => AppReference::NotReady(why.clone()),
        AppState::Gone(why) => AppReference::Gone(why.clone()),
        AppState::TokenExpired(why) => AppReference::Expired(why.clone()),
    }
}

/// A selector that cannot be understood selects nothing.
fn matches(selector: &LabelSelector, labels: &BTreeMap<String, String>) -> bool {
    Selector::try_from(selector.clone()).is_ok_and(|selector| selector.matches(labels))
}

impl AppReference {
    /// The app is there, and its object does not fit this operator's API.
    #[must_use]
    pub fn unreadable(app: &AppKey) -> Self {
        Self::NotReady(format!(
            "the operator cannot read MetaApp {app}, which does not fit its API; upgrade the operator to the version of its \
             CRDs. Until then it does nothing for the app. To see the object: {}",
            commands::line(&format!("{} -o yaml", commands::about_app("get", app)))
        ))
    }

    /// The verdict where the app cannot be relied on and the object keeps its last values; `None` where it can, or
    /// where nothing can be said, or the token is dead (which concerns each kind in its own way). `edit` is the command
    /// that edits the object.
    #[must_use]
    pub fn verdict(&self, app: &AppKey, namespace: &str, edit: &str) -> Option<StatusSummary> {
        let (reason, message) = match self {
            Self::Missing => (
                Reason::AppNotFound,
                format!(
                    "there is no MetaApp {app}; create it, or correct spec.appRef: {edit}. Until then nothing is read, and \
                     the last values stay"
                ),
            ),
            Self::NotAllowed => (
                Reason::AppNotAllowed,
                format!(
                    "MetaApp {app} does not let namespace {namespace} refer to it; its owner can add the namespace to \
                     spec.allowedNamespaces: {}",
                    commands::with_app("edit", app)
                ),
            ),
            Self::Suspended => (
                Reason::AppSuspended,
                format!(
                    "MetaApp {app} is suspended; nothing is read, and the last values stay. To go on: {}",
                    commands::patch_app(app, r#"{"suspend":false}"#)
                ),
            ),
            Self::NotReady(why) | Self::Gone(why) => (
                Reason::AppNotReady,
                format!("{}. Until then the status shows the last known values", not_ready(why, app, namespace)),
            ),
            Self::Waiting | Self::Expired(_) | Self::Ready => return None,
        };
        Some(StatusSummary::keeping(ConditionValue::unknown(reason, message), Progress::Settled))
    }
}

/// The message for an object in `namespace` whose app cannot reach Meta.
#[must_use]
pub fn not_ready(why: &str, app: &AppKey, namespace: &str) -> String {
    match told(why, app, namespace) {
        Some(why) => format!("MetaApp {app} cannot reach Meta: {why}"),
        None => {
            format!("MetaApp {app} cannot reach Meta; its owner can see why: {}", commands::with_app("describe", app))
        }
    }
}

/// What is said to an object in `namespace` whose app's token is dead.
#[must_use]
pub fn expired(why: &str, app: &AppKey, namespace: &str) -> String {
    told(why, app, namespace).map_or_else(
        || {
            let describe = commands::with_app("describe", app);
            format!("the token of MetaApp {app} is not valid any more; its owner has to replace it, and can see how: {describe}")
        },
        |why| format!("MetaApp {app}: {why}"),
    )
}

/// An app's sentence, where it may be told: what goes on in another namespace may not.
fn told<'a>(why: &'a str, app: &AppKey, namespace: &str) -> Option<&'a str> {
    (*namespace == *app.namespace).then_some(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_lets_in_whom_it_says() {
        let app = AppKey::new("meta", "ino-cx");
        let team = |name: &str| BTreeMap::from([("team".to_owned(), name.to_owned())]);
        let selector = LabelSelector { match_labels: Some(team("support")), ..LabelSelector::default() };
        let support = team("support");
        let sales = team("sales");
        for (allowed, namespace, labels, expected, reason) in [
            (Allowed::Same, "meta", None, AppReference::Ready, "its own namespace always"),
            (Allowed::Same, "cc", None, AppReference::NotAllowed, "no other by default"),
            (Allowed::All, "cc", None, AppReference::Ready, "all"),
            (Allowed::Selected(selector.clone()), "cc", Some(&support), AppReference::Ready, "labels match"),
            (Allowed::Selected(selector.clone()), "cc", Some(&sales), AppReference::NotAllowed, "labels differ"),
            (Allowed::Selected(selector), "cc", None, AppReference::NotAllowed, "labels are not known"),
        ] {
            let view = AppSummary { standing: AppState::Ready, allowed, ..AppSummary::default() };
            assert_eq!(resolve(true, Some(&view), &app, namespace, labels), expected, "{reason}");
        }
        assert_eq!(resolve(false, None, &app, "meta", None), AppReference::Missing, "no such app");
        assert_eq!(resolve(true, None, &app, "meta", None), AppReference::Waiting, "not looked at yet");
    }
}
