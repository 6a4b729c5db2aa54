//! The app's token: which one is in use, whether it lives, and what becomes of a new one.

use std::{ops::ControlFlow, time::Duration};

use jiff::{SignedDuration, Timestamp};

use super::{
    custody::{Custody, Token},
    facts::{Exchanged, Facts},
    plan::{Input, Known, Problem, Step},
};
use crate::{
    api::{MetaAppPhase, TokenSource},
    graph::wire::{Expiry, TokenInfo},
    reconcile::{
        reason::Reason,
        verdict::{Finding, Progress},
    },
};

/// What is known of the token.
#[derive(Debug)]
pub enum TokenState {
    /// It works.
    Live {
        /// What Meta says of it.
        info: TokenInfo,
        /// The token.
        token: Token,
        /// Condition `TokenValid`: true, perhaps with a warning.
        finding: Finding,
    },
    /// There is none that works.
    Unusable {
        /// The app's phase.
        phase: MetaAppPhase,
        /// Why.
        finding: Finding,
        /// Who has to act.
        progress: Progress,
        /// What Meta says of the token, if it said anything.
        info: Option<(TokenInfo, TokenSource)>,
    },
}

/// Brings the operator's copy up to date, proves a candidate, inspects the live token, exchanges it in time.
pub fn examine(input: &Input<'_>, facts: &Facts) -> Known<TokenState> {
    let custody = match &input.custody {
        Ok(custody) => custody,
        Err(problem) => return ControlFlow::Continue(missing(problem)),
    };
    if let Some(Ok(user)) = &input.user_token
        && let Some(changed) = custody.offered(&user.value, &user.fingerprint)
    {
        return ControlFlow::Break(Step::Keep(changed));
    }
    let candidate = match &custody.candidate {
        Some(candidate) => Some(prove(input, facts, custody, candidate)?),
        None => None,
    };
    let Some(live) = &custody.live else {
        return ControlFlow::Continue(without_live(input, candidate));
    };
    let timing = input.timing;
    if facts.live.due(&live.fingerprint, timing.inspect_interval, timing.retry_interval, input.instant) {
        return ControlFlow::Break(Step::InspectLive);
    }
    let Some(inspected) = facts.live.answer(&live.fingerprint) else {
        return ControlFlow::Continue(never_inspected(facts, live));
    };
    let Some(info) = inspected else {
        return ControlFlow::Continue(foreign(input));
    };
    if !info.is_valid || refused_twice(input, facts, live) {
        return ControlFlow::Continue(dead(input, info, live, candidate));
    }
    if exchange_due(input, facts, live, info) {
        return ControlFlow::Break(Step::Exchange);
    }
    ControlFlow::Continue(TokenState::Live {
        finding: living(input, facts, live, info, candidate),
        info: info.clone(),
        token: live.clone(),
    })
}

/// Why the candidate is not in use (yet).
enum Candidate {
    /// Meta says no; the sentence says of what.
    Rejected(Reason, String),
    /// Meta could not be asked.
    Unproven(String),
}

/// A candidate is in use only when Meta says that it is valid and our app's, and no account that the live token can
/// read refuses it. A rejected one is tried again now and then: rights may be granted later.
fn prove(input: &Input<'_>, facts: &Facts, custody: &Custody, candidate: &Token) -> Known<Candidate> {
    let timing = input.timing;
    let fingerprint = &candidate.fingerprint;
    if facts.candidate.due(fingerprint, timing.inspect_interval, timing.retry_interval, input.instant) {
        return ControlFlow::Break(Step::InspectCandidate);
    }
    let Some(inspected) = facts.candidate.answer(fingerprint) else {
        let why = facts.candidate.failure(fingerprint).map(ToString::to_string).unwrap_or_default();
        return ControlFlow::Continue(Candidate::Unproven(why));
    };
    if let Some((reason, message)) = rejected(input, inspected.as_ref()) {
        return ControlFlow::Continue(Candidate::Rejected(reason, message));
    }
    let live_works = custody
        .live
        .as_ref()
        .and_then(|live| facts.live.answer(&live.fingerprint)?.as_ref())
        .is_some_and(|i| i.is_valid);
    if live_works {
        for (account, state) in &input.accounts {
            if state.snapshot.is_none() && state.failure.is_none() {
                // Whether the live token can read it shows with the first poll, which wakes the app.
                return ControlFlow::Continue(Candidate::Unproven("the accounts are being read first".to_owned()));
            }
            if state.snapshot.is_none() {
                continue;
            }
            let probe = facts.probes.get(account);
            if probe.is_none_or(|p| p.due(fingerprint, timing.inspect_interval, timing.retry_interval, input.instant)) {
                return ControlFlow::Break(Step::Probe(account.clone()));
            }
            match probe.and_then(|p| p.answer(fingerprint)) {
                Some(true) => {}
                Some(false) => {
                    let message = format!("it may not read business account {account}, which the token in use can");
                    return ControlFlow::Continue(Candidate::Rejected(Reason::TokenRejected, message));
                }
                None => {
                    let why = probe.and_then(|p| p.failure(fingerprint)).map(ToString::to_string).unwrap_or_default();
                    return ControlFlow::Continue(Candidate::Unproven(why));
                }
            }
        }
    }
    ControlFlow::Break(Step::Keep(custody.promoted()))
}

fn rejected(input: &Input<'_>, inspected: Option<&TokenInfo>) -> Option<(Reason, String)> {
    let app = &input.app.spec.app_id;
    let Some(info) = inspected.filter(|info| info.app_id.as_deref().is_none_or(|id| id == app)) else {
        return Some((Reason::TokenOfAnotherApp, format!("it was issued by another app, and this is app {app}")));
    };
    (!info.is_valid).then(|| (Reason::ExpiredToken, "Meta says that it is not valid".to_owned()))
}

/// Meta refused the live token in two polls far enough apart, though `debug_token` has not noticed.
pub fn refused_twice(input: &Input<'_>, facts: &Facts, live: &Token) -> bool {
    let first = facts.refused.as_ref().filter(|(token, _)| *token == live.fingerprint).map(|(_, at)| *at);
    let refusing = input.accounts.values().any(|a| a.failure.as_ref().is_some_and(|f| f.error.is_token()));
    first.is_some_and(|first| refusing && input.instant.saturating_duration_since(first) >= input.timing.refusal_gap)
}

fn missing(problem: &Problem) -> TokenState {
    TokenState::Unusable {
        phase: MetaAppPhase::Pending,
        finding: Finding::no(problem.reason, problem.message.clone()),
        progress: if problem.passing { Progress::Reconciling } else { Progress::Stalled },
        info: None,
    }
}

/// Where the user keeps the token, for messages.
fn place(input: &Input<'_>) -> String {
    let reference = input.app.spec.access_token_ref.as_ref();
    reference.map_or_else(String::new, |r| format!("key {} of Secret {}", r.key, r.name))
}

fn without_live(input: &Input<'_>, candidate: Option<Candidate>) -> TokenState {
    let place = place(input);
    let (phase, finding, progress) = match candidate {
        Some(Candidate::Rejected(reason, why)) => (
            MetaAppPhase::ExpiredToken,
            Finding::no(reason, format!("the token in {place} cannot be used: {why}; put a valid one there")),
            Progress::Stalled,
        ),
        Some(Candidate::Unproven(why)) => (
            MetaAppPhase::Pending,
            Finding::unknown(
                Reason::MetaUnreachable,
                format!("the token could not be tested: {why}; the operator keeps trying"),
            ),
            Progress::Reconciling,
        ),
        None => match &input.user_token {
            Some(Err(problem)) => return missing(problem),
            _ => (
                MetaAppPhase::Pending,
                Finding::no(Reason::SecretNotFound, format!("there is no token; put one into {place}")),
                Progress::Stalled,
            ),
        },
    };
    TokenState::Unusable { phase, finding, progress, info: None }
}

fn never_inspected(facts: &Facts, live: &Token) -> TokenState {
    let why = facts.live.failure(&live.fingerprint).map(ToString::to_string).unwrap_or_default();
    TokenState::Unusable {
        phase: MetaAppPhase::Pending,
        finding: Finding::unknown(
            Reason::MetaUnreachable,
            format!("the token could not be inspected: {why}; the operator keeps trying"),
        ),
        progress: Progress::Reconciling,
        info: None,
    }
}

fn foreign(input: &Input<'_>) -> TokenState {
    let message = format!(
        "the token belongs to another app than {}; put one of this app into {}",
        input.app.spec.app_id,
        place(input)
    );
    TokenState::Unusable {
        phase: MetaAppPhase::ExpiredToken,
        finding: Finding::no(Reason::TokenOfAnotherApp, message),
        progress: Progress::Stalled,
        info: None,
    }
}

fn dead(input: &Input<'_>, info: &TokenInfo, live: &Token, candidate: Option<Candidate>) -> TokenState {
    let why = match info.invalid_reason.as_ref().and_then(|r| r.subcode) {
        Some(463) => "it has expired",
        Some(458) => "the app was removed by the user or business",
        Some(459 | 464) => "its user has to log in at facebook.com",
        Some(460) => "its user changed the password",
        Some(466 | 467) => "it was revoked",
        _ => "Meta does not accept it",
    };
    let offered = match candidate {
        Some(Candidate::Rejected(_, why)) => format!(". The new one there cannot be used: {why}"),
        Some(Candidate::Unproven(why)) => format!(". The new one there could not be tested yet: {why}"),
        None => String::new(),
    };
    let message = format!(
        "the token is dead: {why}. A dead token cannot be exchanged; put a new one into {}{offered}",
        place(input)
    );
    TokenState::Unusable {
        phase: MetaAppPhase::ExpiredToken,
        finding: Finding::no(Reason::ExpiredToken, message),
        progress: Progress::Stalled,
        info: Some((info.clone(), live.source.clone())),
    }
}

/// `spec.tokenRefresh.before`, if tokens are exchanged at all.
fn refresh_before(input: &Input<'_>) -> Option<Duration> {
    input.app.spec.token_refresh.as_ref().map(|refresh| refresh.before.to_std())
}

fn time_left(info: &TokenInfo, now: Timestamp) -> Option<SignedDuration> {
    match info.expires {
        Expiry::At(at) => Some(at.duration_since(now)),
        Expiry::Never => None,
    }
}

fn within(left: SignedDuration, window: Duration) -> bool {
    SignedDuration::try_from(window).is_ok_and(|window| left <= window)
}

/// More than this apart, nothing is done that depends on the time.
pub const MOST_SKEW: SignedDuration = SignedDuration::from_mins(5);

fn exchange_due(input: &Input<'_>, facts: &Facts, live: &Token, info: &TokenInfo) -> bool {
    let Some(left) = time_left(info, input.now) else { return false };
    if !input.may_write() {
        return false;
    }
    if input.exchange_asked {
        return true;
    }
    let timing = input.timing;
    let in_time = refresh_before(input).is_some_and(|before| within(left, before)) && input.skew.abs() <= MOST_SKEW;
    in_time && facts.exchange.due(&live.fingerprint, timing.exchange_retry, timing.retry_interval, input.instant)
}

fn living(input: &Input<'_>, facts: &Facts, live: &Token, info: &TokenInfo, candidate: Option<Candidate>) -> Finding {
    let place = place(input);
    match candidate {
        Some(Candidate::Rejected(_, why)) => {
            return Finding::yes(
                Reason::TokenRejected,
                format!("the new token in {place} was refused, the one before stays in use: {why}"),
            );
        }
        Some(Candidate::Unproven(why)) => {
            return Finding::yes(
                Reason::ProvingToken,
                format!("a new token waits to be proven, the one before stays in use: {why}"),
            );
        }
        None => {}
    }
    if let Some(Err(problem)) = &input.user_token {
        return Finding::yes(problem.reason, format!("the token in use still works, but {}", problem.message));
    }
    let Some(left) = time_left(info, input.now) else {
        return Finding::yes(Reason::Valid, "Meta accepts the token; it does not expire");
    };
    let warned = within(left, input.timing.expiry_warning.max(refresh_before(input).unwrap_or_default()));
    let when = match info.expires {
        Expiry::At(at) => at.strftime("%Y-%m-%d").to_string(),
        Expiry::Never => String::new(),
    };
    match (warned, refresh_before(input).is_some() && input.may_write(), facts.exchange.answer(&live.fingerprint)) {
        (true, true, Some(Exchanged::Refused(why))) => Finding::yes(
            Reason::ExchangeFailed,
            format!("the token ends on {when} and Meta refused to exchange it: {why}; put a new one into {place}"),
        ),
        (true, true, Some(Exchanged::NothingBetter)) => Finding::yes(
            Reason::ExchangeFailed,
            format!(
                "the token ends on {when} and Meta gave no longer one; put a new one into {place}, the operator tries again daily"
            ),
        ),
        (true, true, _) => Finding::yes(
            Reason::TokenExpiresSoon,
            format!("the token ends on {when}; the operator exchanges it before"),
        ),
        (true, false, _) => Finding::yes(
            Reason::TokenExpiresSoon,
            format!("the token ends on {when}; put a new one into {place}, or set spec.tokenRefresh"),
        ),
        (false, ..) => Finding::yes(Reason::Valid, format!("Meta accepts the token until {when}")),
    }
}

/// When something about the token has to be looked at again, if nothing happens.
pub fn next(input: &Input<'_>, facts: &Facts, live: &Token, info: &TokenInfo) -> Duration {
    let timing = input.timing;
    let inspection = facts.live.next(&live.fingerprint, timing.inspect_interval, timing.retry_interval);
    let mut next = inspection.map_or(timing.retry_interval, |at| at.saturating_duration_since(input.instant));
    let Some(left) = time_left(info, input.now).and_then(|left| Duration::try_from(left).ok()) else { return next };
    // The moments at which the token ends, is warned about, is exchanged.
    let warning = timing.expiry_warning.max(refresh_before(input).unwrap_or_default());
    for window in [Some(Duration::ZERO), Some(warning), refresh_before(input)].into_iter().flatten() {
        if let Some(wait) = left.checked_sub(window) {
            next = next.min(wait + Duration::from_secs(1));
        }
    }
    next
}
