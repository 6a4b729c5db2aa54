//! What to do next for an app, or how it stands. Pure: everything comes in through [`Input`] and [`AppAnswers`].
//!
//! The phases run in order, each with what the one before found; the first that lacks a fact asks for it by a
//! [`Step`](super::decision::Step) and the plan ends there. The shell carries the step out and plans again, until there is
//! nothing left to find out.

use std::ops::ControlFlow;

use super::{
    accounts,
    cached_answers::AppAnswers,
    credentials,
    decision::{Checked, Input, Report},
    status,
    token::{self, TokenState},
};
use crate::{
    api::{AllowedFrom, MetaAppPhase},
    controller::summary::ConditionValue,
    messages::{Reason, commands},
};

/// What to do next for an app, or how it stands.
pub fn plan(input: &Input<'_>, facts: &AppAnswers) -> Checked<Report> {
    if input.app.spec.suspend {
        return ControlFlow::Continue(status::suspended(input));
    }
    if let Some(finding) = refused(input) {
        return ControlFlow::Continue(status::stopped(input, finding));
    }
    let credentials = credentials::check(input, facts)?;
    let (token, accounts) = match &credentials {
        credentials::State::Valid { .. } => {
            let token = token::check(input, facts)?;
            let accounts = match &token {
                TokenState::Live { info, token, .. } => Some(accounts::check(input, facts, token, info)?),
                TokenState::Unusable { .. } => None,
            };
            (Some(token), accounts)
        }
        credentials::State::Failed(_) => (None, None),
    };
    ControlFlow::Continue(status::examined(input, facts, &credentials, token.as_ref(), accounts))
}

/// What stops everything before the first call to Meta.
fn refused(input: &Input<'_>) -> Option<(MetaAppPhase, ConditionValue)> {
    let spec = &input.app.spec;
    if let Some(competing_object) = &input.competing_object {
        let message = format!(
            "app ID {} is managed by an older MetaApp ({competing_object}), so the operator does nothing for this one. Delete \
             one of the two. To delete this one: {}",
            spec.app_id,
            commands::with("delete", input.app)
        );
        return Some((MetaAppPhase::Conflict, ConditionValue::no(Reason::Conflict, message)));
    }
    if spec.access_token_ref.is_none() {
        let message = format!(
            "spec.login is not acted on by this version of the operator; put a system user's token into a Secret and name it \
             in spec.accessTokenRef: {}",
            commands::with("edit", input.app)
        );
        return Some((MetaAppPhase::AwaitingLogin, ConditionValue::no(Reason::NotYetSupported, message)));
    }
    let selects = spec.allowed_namespaces.as_ref().is_some_and(|allowed| allowed.from == AllowedFrom::Selector);
    if selects && input.namespaced {
        let message = format!(
            "spec.allowedNamespaces.from Selector needs an operator that watches all namespaces, and this one runs with \
             --namespaces; write All or Same: {}",
            commands::with("edit", input.app)
        );
        return Some((MetaAppPhase::Pending, ConditionValue::no(Reason::InvalidSpec, message)));
    }
    None
}
