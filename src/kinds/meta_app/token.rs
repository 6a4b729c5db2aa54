//! The app's token: which one is in use, whether it lives, and what becomes of a new one. What people read of it is in
//! `token_finding`.

use std::{ops::ControlFlow, time::Duration};

use super::{
    candidate::{Candidate, Verdict, prove},
    decision::{Blocker, Checked, Input, Step},
    token_finding::{self as finding, refresh_before, warn_before, within},
    token_secret::{Token, TokenSecret},
};
use crate::{
    api::{Action, TokenSource},
    controller::summary::ConditionValue,
    graph::types::TokenInfo,
};
use jiff::{SignedDuration, Timestamp};

/// What is known of the token.
#[derive(Debug)]
pub enum TokenState {
    /// It works.
    Live {
        /// What Meta says of it.
        info: TokenInfo,
        /// The token.
        token: Token,
        /// Condition `TokenValid`: true, perhaps with a warning, or false about the value in the user's Secret.
        finding: ConditionValue,
    },
    /// There is none that works.
    Unusable {
        /// Why.
        blocker: Blocker,
        /// What Meta says of the token, if it said anything.
        info: Option<(TokenInfo, TokenSource)>,
        /// The token, where only reads can tell that Meta accepts it again.
        tried: Option<Token>,
    },
}

/// Brings the operator's copy up to date, proves a candidate, inspects the live token, exchanges it in time.
pub fn check(input: &Input<'_>) -> Checked<TokenState> {
    let token_secret = match &input.token_secret {
        Ok(token_secret) => token_secret,
        Err(problem) => return ControlFlow::Continue(unusable(Blocker::unusable(problem))),
    };
    if let Some(changed) = offered(input, token_secret) {
        return ControlFlow::Break(Step::SaveTokens(changed));
    }
    if let Some(live) = &token_secret.live
        && input.answers.live.due(
            &live.fingerprint,
            inspect_every(input, live),
            input.timing.retry_interval,
            input.instant,
        )
    {
        return ControlFlow::Break(Step::InspectLive);
    }
    let candidate = match &token_secret.candidate {
        // What the user took away is not put into use.
        Some(_) if is_withdrawn(input, token_secret) => None,
        Some(candidate) => Some(prove(input, token_secret, candidate)?),
        None => None,
    };
    if let (Some(Candidate { verdict: Verdict::Rejected(..), .. }), Some(changed)) =
        (&candidate, users(input, token_secret))
    {
        return ControlFlow::Break(Step::SaveTokens(changed));
    }
    let Some(live) = &token_secret.live else {
        return ControlFlow::Continue(unusable(finding::without_live(input, token_secret, candidate)));
    };
    let Some(inspected) = input.answers.live.answer(&live.fingerprint) else {
        return ControlFlow::Continue(unusable(finding::never_inspected(input, live)));
    };
    let Some(info) = inspected else {
        return ControlFlow::Continue(unusable(finding::issued_by_another_app(input)));
    };
    if !info.is_valid || refused_twice(input, live) {
        return ControlFlow::Continue(TokenState::Unusable {
            blocker: finding::not_accepted(input, info, candidate.as_ref()),
            info: Some((info.clone(), live.source.clone())),
            tried: info.is_valid.then(|| live.clone()),
        });
    }
    if exchange_due(input, live, info, candidate.as_ref()) {
        return ControlFlow::Break(Step::Exchange);
    }
    ControlFlow::Continue(TokenState::Live {
        finding: finding::in_use(input, token_secret, live, info, candidate.as_ref()),
        info: info.clone(),
        token: live.clone(),
    })
}

/// Meta refused the live token in two polls far enough apart, though `debug_token` has not noticed.
fn refused_twice(input: &Input<'_>, live: &Token) -> bool {
    let Some((_, first)) = input.answers.refused.as_ref().filter(|(token, _)| *token == live.fingerprint) else {
        return false;
    };
    let refusals = input.accounts.values().filter_map(|a| a.failure.as_ref()?.refuses(&live.fingerprint));
    refusals.max().is_some_and(|last| last.saturating_duration_since(*first) >= input.timing.refusal_gap)
}

/// The operator's copy with the user's value as candidate, if that is news.
fn users(input: &Input<'_>, token_secret: &TokenSecret) -> Option<TokenSecret> {
    let user = input.user_token.as_ref()?.as_ref().ok()?;
    token_secret.offered(&user.value, &user.fingerprint)
}

/// The same, but what came of an exchange is not thrown away for the user's value, which may be worse, before it is judged.
pub fn offered(input: &Input<'_>, token_secret: &TokenSecret) -> Option<TokenSecret> {
    users(input, token_secret).filter(|_| !token_secret.is_exchanging())
}

/// Whether the candidate is the user's, and the user's Secret holds nothing that can be used any more.
fn is_withdrawn(input: &Input<'_>, token_secret: &TokenSecret) -> bool {
    let gone = matches!(&input.user_token, Some(Err(problem)) if !problem.passing);
    gone && !token_secret.is_exchanging()
}

fn unusable(blocker: Blocker) -> TokenState {
    TokenState::Unusable { blocker, info: None, tried: None }
}

/// A token that Meta called valid and whose end has come is looked at soon.
fn inspect_every(input: &Input<'_>, live: &Token) -> Duration {
    let info = input.answers.live.answer(&live.fingerprint).and_then(Option::as_ref).filter(|info| info.is_valid);
    let ended = info.and_then(|info| time_left(info, input.now)).is_some_and(|left| !left.is_positive());
    if ended { input.timing.retry_interval } else { input.timing.inspect_interval }
}

fn time_left(info: &TokenInfo, now: Timestamp) -> Option<SignedDuration> {
    info.expires.at().map(|at| at.duration_since(now))
}

fn exchange_due(input: &Input<'_>, live: &Token, info: &TokenInfo, candidate: Option<&Candidate>) -> bool {
    let Some(left) = time_left(info, input.now) else { return false };
    let proving = candidate.is_some_and(|c| c.exchanged && matches!(c.verdict, Verdict::Open(_)));
    if !input.may_write() || proving || !info.is_exchangeable() {
        return false;
    }
    if input.is_requested(Action::RefreshToken) {
        return true;
    }
    let timing = input.timing;
    let in_time = refresh_before(input).is_some_and(|before| within(left, before)) && !timing.is_skewed(input.skew);
    in_time && input.answers.exchange.due(&live.stem, timing.exchange_retry, timing.retry_interval, input.instant)
}

/// When something about the token has to be looked at again, if nothing happens.
pub fn next(input: &Input<'_>, live: &Token, info: &TokenInfo) -> Duration {
    let (every, retry) = (input.timing.inspect_interval, input.timing.retry_interval);
    let token_secret = input.token_secret.as_ref().ok().filter(|token_secret| !is_withdrawn(input, token_secret));
    let candidate = token_secret.and_then(|token_secret| token_secret.candidate.as_ref());
    let due = [
        input.answers.live.next(&live.fingerprint, inspect_every(input, live), retry),
        input.answers.accounts.next(&live.fingerprint, every, retry),
        candidate.and_then(|candidate| input.answers.next_of_candidate(&candidate.fingerprint, every, retry)),
        input.answers.exchange.failure(&live.stem).and(input.answers.exchange.next(&live.stem, every, retry)),
    ];
    let mut next = every;
    for at in due.into_iter().flatten() {
        next = next.min(at.saturating_duration_since(input.instant));
    }
    // The moments at which the token ends, is warned about, is exchanged.
    let windows = [Some(Duration::ZERO), Some(warn_before(input)), refresh_before(input)];
    for end in info.expires.at().into_iter().chain(info.data_access_expires) {
        let Ok(left) = Duration::try_from(end.duration_since(input.now)) else { continue };
        let waits = windows.iter().flatten().filter_map(|window| left.checked_sub(*window));
        next = waits.fold(next, |next, wait| next.min(wait + Duration::from_secs(1)));
    }
    next
}
