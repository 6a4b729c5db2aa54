//! What to do next for an app, or how it stands. Pure: everything comes in through [`Input`].
//!
//! The checks run in order, each with what the one before found; the first that lacks an answer of Meta returns the
//! [`Step`] that gets it, and the plan ends there. When nothing is left to find out, the report is published to the pollers
//! and the app's objects, and then written.

use std::ops::ControlFlow;

use super::{
    accounts, credentials,
    decision::{AppReport, Checked, Input, Publication, Step},
    status,
    token::{self, TokenState},
};
use crate::{
    api::{Action, ManagementPolicy, MetaAppPhase, MetaAppStatus, TokenStatus},
    controller::{
        plan::{Plan, Report},
        summary::ConditionValue,
    },
    graph::types::TokenKind,
    messages::{Reason, commands},
    observe::{AppState, AppSummary},
};

/// What to do next for an app, or how it stands.
pub fn plan(input: Input<'_>) -> Plan<MetaAppStatus, Step> {
    match examine(&input) {
        ControlFlow::Break(step) => Plan::Step(step),
        ControlFlow::Continue(report) => conclude(&input, report),
    }
}

/// Finds out how the app stands.
fn examine(input: &Input<'_>) -> Checked<AppReport> {
    if input.app.spec.suspend {
        return ControlFlow::Continue(status::suspended(input));
    }
    if let Some(finding) = refused(input) {
        return ControlFlow::Continue(status::stopped(input, finding));
    }
    if input.is_requested(Action::Reconcile) {
        return ControlFlow::Break(Step::ReadAgain);
    }
    let credentials = credentials::check(input)?;
    let (token, accounts) = match &credentials {
        credentials::State::Valid { .. } => {
            let token = token::check(input)?;
            let accounts = match &token {
                TokenState::Live { info, token, .. } => Some(accounts::check(input, token, info)?),
                TokenState::Unusable { .. } => None,
            };
            (Some(token), accounts)
        }
        credentials::State::Failed(_) => (None, None),
    };
    ControlFlow::Continue(status::examined(input, &credentials, token.as_ref(), accounts))
}

/// Publishes the report where it says something new, and then writes it.
fn conclude(input: &Input<'_>, report: AppReport) -> Plan<MetaAppStatus, Step> {
    let AppReport { status, mut summary, state, polling, accounts, import, keeps_status, next } = report;
    let binding = status::binding_token(input);
    summary.conditions.extend(binding.condition);
    let limits = status.business_accounts.iter();
    let publication = Publication {
        summary: AppSummary {
            standing: state.clone(),
            allowed: status::allowed(input),
            observes: input.app.spec.management_policy == ManagementPolicy::Observe,
            stale_after: input.stale_after(),
            token: polling.as_ref().map(|polling| polling.token.clone()).unwrap_or_default(),
            binding_token: binding.token,
        },
        accounts,
        polling,
        template_limits: limits.filter_map(|a| Some((a.id.clone(), u32::try_from(a.template_limit?).ok()?))).collect(),
        conditions: summary.conditions.iter().map(|(kind, found)| (*kind, found.state, found.reason)).collect(),
        token_expires: status.token.as_ref().and_then(TokenStatus::end),
    };
    if input.published.as_ref() != Some(&publication) {
        return Plan::Step(Step::Publish(publication));
    }
    if import.is_empty() && input.import_failure.is_none() && input.has_imported {
        return Plan::Step(Step::ReportImport);
    }
    let (ignored, waiting) = if !input.is_requested(Action::RefreshToken) {
        (Vec::new(), Vec::new())
    } else if state == AppState::Starting {
        (Vec::new(), vec![Action::RefreshToken])
    } else {
        (vec![(Action::RefreshToken, why_not_exchanged(input, &status, &state).to_owned())], Vec::new())
    };
    let follow_up = (!import.is_empty()).then_some(Step::Import(import));
    let (status, summary) =
        if keeps_status { (input.app.status.clone().unwrap_or_default(), None) } else { (status, Some(summary)) };
    Plan::Report(Report { next, ignored, waiting, follow_up, ..Report::new(status, summary) })
}

/// Why a request to exchange the token is not acted on.
fn why_not_exchanged(input: &Input<'_>, status: &MetaAppStatus, state: &AppState) -> &'static str {
    if !input.may_write() {
        "spec.managementPolicy is Observe"
    } else if *state != AppState::Ready {
        "no token works that could be exchanged"
    } else if status.token.as_ref().is_some_and(|token| token.type_.as_deref() == Some(TokenKind::User.as_str())) {
        "the token in use is a person's, which Meta does not exchange: the person has to log in again"
    } else if status.token.as_ref().is_some_and(|token| token.expires_at.is_none()) {
        "the token in use does not expire"
    } else {
        "the operator has exchanged the token already and proves the new one first"
    }
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
    None
}
