//! The app's token: which one is in use, whether it lives, and what becomes of a new one.

use std::{ops::ControlFlow, time::Duration};

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use super::{
    cached_answers::Exchanged,
    candidate::{Candidate, Verdict, prove},
    decision::{Blocker, Checked, Input, Step},
    token_secret::{Token, TokenSecret},
};
use crate::{
    api::{Action, MetaAppPhase, TokenSource},
    controller::summary::ConditionValue,
    graph::types::{Expiry, TokenInfo},
    k8s::secrets::set_command,
    messages::Reason,
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
    let user = input.user_token.as_ref().and_then(|user| user.as_ref().ok());
    let news = user.and_then(|user| token_secret.offered(&user.value, &user.fingerprint));
    // What came of an exchange is not thrown away for the user's value, which may be worse, before it is judged.
    if let Some(changed) = news.clone().filter(|_| !token_secret.is_exchanging()) {
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
        Some(candidate) => Some(prove(input, token_secret, candidate)?),
        None => None,
    };
    if let (Some(Candidate { verdict: Verdict::Rejected(..), .. }), Some(changed)) = (&candidate, news) {
        return ControlFlow::Break(Step::SaveTokens(changed));
    }
    let Some(live) = &token_secret.live else {
        return ControlFlow::Continue(without_live(input, token_secret, candidate));
    };
    let Some(inspected) = input.answers.live.answer(&live.fingerprint) else {
        return ControlFlow::Continue(never_inspected(input, live));
    };
    let Some(info) = inspected else {
        return ControlFlow::Continue(issued_by_another_app(input));
    };
    if !info.is_valid || refused_twice(input, live) {
        return ControlFlow::Continue(not_accepted(input, info, live, candidate.as_ref()));
    }
    if exchange_due(input, live, info, candidate.as_ref()) {
        return ControlFlow::Break(Step::Exchange);
    }
    ControlFlow::Continue(TokenState::Live {
        finding: in_use(input, live, info, candidate.as_ref()),
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

/// A token that Meta called valid and whose end has come is looked at soon.
fn inspect_every(input: &Input<'_>, live: &Token) -> Duration {
    let info = input.answers.live.answer(&live.fingerprint).and_then(Option::as_ref).filter(|info| info.is_valid);
    let ended = info.and_then(|info| time_left(info, input.now)).is_some_and(|left| !left.is_positive());
    if ended { input.timing.retry_interval } else { input.timing.inspect_interval }
}

fn unusable(blocker: Blocker) -> TokenState {
    TokenState::Unusable { blocker, info: None, tried: None }
}

/// Where the user keeps the token, for messages.
fn where_kept(input: &Input<'_>) -> String {
    let reference = input.app.spec.access_token_ref.as_ref();
    reference.map_or_else(String::new, |r| format!("key {} of Secret {}", r.key, r.name))
}

/// The same, and the command that puts one there.
fn where_and_command(input: &Input<'_>) -> String {
    let reference = input.app.spec.access_token_ref.as_ref();
    reference.map_or_else(String::new, |r| {
        let namespace = input.app.namespace().unwrap_or_default();
        format!("{} ({})", where_kept(input), set_command(&namespace, &r.name, &r.key, "YOUR_TOKEN"))
    })
}

fn without_live(input: &Input<'_>, token_secret: &TokenSecret, candidate: Option<Candidate>) -> TokenState {
    let fingerprint =
        token_secret.candidate.as_ref().map(|candidate| candidate.fingerprint.as_str()).unwrap_or_default();
    unusable(match (candidate.map(|candidate| candidate.verdict), &input.user_token) {
        (Some(Verdict::Rejected(reason, why)), _) => {
            let place = where_and_command(input);
            let message = format!("the token in the Secret cannot be used: {why}; put a valid one into {place}");
            Blocker::stalled(MetaAppPhase::ExpiredToken, ConditionValue::no(reason, message))
        }
        (Some(Verdict::Open(why)), _) => {
            let message = format!("the token could not be tested: {why}; the operator keeps trying");
            Blocker::silence(message, input.answers.candidate.failing_since(fingerprint))
        }
        (None, Some(Err(problem))) => Blocker::unusable(problem),
        (None, _) => {
            let message = format!("there is no token; put one into {}", where_and_command(input));
            Blocker::stalled(MetaAppPhase::Pending, ConditionValue::no(Reason::SecretNotFound, message))
        }
    })
}

fn never_inspected(input: &Input<'_>, live: &Token) -> TokenState {
    let why = input.answers.live.failure_text(&live.fingerprint);
    let message = format!("the token could not be inspected: {why}; the operator keeps trying");
    unusable(Blocker::silence(message, input.answers.live.failing_since(&live.fingerprint)))
}

fn issued_by_another_app(input: &Input<'_>) -> TokenState {
    let message = format!(
        "the token belongs to another app than {}; put one of this app into {}",
        input.app.spec.app_id,
        where_and_command(input)
    );
    unusable(Blocker::stalled(MetaAppPhase::ExpiredToken, ConditionValue::no(Reason::TokenOfAnotherApp, message)))
}

fn not_accepted(input: &Input<'_>, info: &TokenInfo, live: &Token, candidate: Option<&Candidate>) -> TokenState {
    let why = match info.invalid_reason.as_ref().and_then(|r| r.subcode) {
        Some(463) => "it has expired",
        Some(458) => "the app was removed by the user or business",
        Some(459 | 464) => "its user has to log in at facebook.com",
        Some(460) => "its user changed the password",
        Some(466 | 467) => "it was revoked",
        _ => "Meta does not accept it",
    };
    let offered = match candidate.filter(|candidate| !candidate.exchanged).map(|candidate| &candidate.verdict) {
        Some(Verdict::Rejected(_, why)) => format!(". The new one there cannot be used: {why}"),
        Some(Verdict::Open(why)) => format!(". The new one there could not be tested yet: {why}"),
        None => String::new(),
    };
    let message = format!(
        "the token is dead: {why}. A dead token cannot be exchanged; put a new one into {}{offered}",
        where_and_command(input)
    );
    TokenState::Unusable {
        blocker: Blocker::stalled(MetaAppPhase::ExpiredToken, ConditionValue::no(Reason::ExpiredToken, message)),
        info: Some((info.clone(), live.source.clone())),
        tried: info.is_valid.then(|| live.clone()),
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

fn exchange_due(input: &Input<'_>, live: &Token, info: &TokenInfo, candidate: Option<&Candidate>) -> bool {
    let Some(left) = time_left(info, input.now) else { return false };
    let proving = candidate.is_some_and(|c| c.exchanged && matches!(c.verdict, Verdict::Open(_)));
    if !input.may_write() || proving {
        return false;
    }
    if input.is_requested(Action::RefreshToken) {
        return true;
    }
    let timing = input.timing;
    let in_time = refresh_before(input).is_some_and(|before| within(left, before)) && !timing.is_skewed(input.skew);
    in_time && input.answers.exchange.due(&live.stem, timing.exchange_retry, timing.retry_interval, input.instant)
}

fn in_use(input: &Input<'_>, live: &Token, info: &TokenInfo, candidate: Option<&Candidate>) -> ConditionValue {
    if let Some(Candidate { exchanged, verdict }) = candidate {
        let new = if *exchanged {
            "the token that Meta gave in exchange".to_owned()
        } else {
            format!("the token in {}", where_kept(input))
        };
        return match verdict {
            Verdict::Rejected(_, why) => ConditionValue::yes(
                Reason::TokenRejected,
                format!("{new} cannot be used, the one before stays in use: {why}"),
            ),
            Verdict::Open(why) => ConditionValue::yes(
                Reason::ProvingToken,
                format!("{new} waits to be proven, the one before stays in use: {why}"),
            ),
        };
    }
    if let Some(Err(problem)) = &input.user_token {
        return ConditionValue::yes(problem.reason, format!("the token in use still works, but {}", problem.message));
    }
    let Some(left) = time_left(info, input.now) else {
        return ConditionValue::yes(Reason::Valid, "Meta accepts the token; it does not expire");
    };
    let place = where_and_command(input);
    let warned = within(left, input.timing.expiry_warning.max(refresh_before(input).unwrap_or_default()));
    let when = match info.expires {
        Expiry::At(at) => at.strftime("%Y-%m-%d").to_string(),
        Expiry::Never => String::new(),
    };
    match (warned, refresh_before(input).is_some() && input.may_write(), input.answers.exchange.answer(&live.stem)) {
        (true, true, Some(Exchanged::Refused(why))) => ConditionValue::yes(
            Reason::ExchangeFailed,
            format!("the token expires on {when}, and {why}; put a new one into {place}"),
        ),
        (true, true, Some(Exchanged::NothingBetter)) => ConditionValue::yes(
            Reason::ExchangeFailed,
            format!(
                "the token expires on {when}, and Meta returned no token with a later expiry; the operator retries daily. To \
                 replace the token, put a new one into {place}"
            ),
        ),
        (true, true, _) => ConditionValue::yes(
            Reason::TokenExpiresSoon,
            format!("the token expires on {when}; the operator exchanges it before then"),
        ),
        (true, false, _) => ConditionValue::yes(
            Reason::TokenExpiresSoon,
            format!("the token expires on {when}; put a new one into {place}, or set spec.tokenRefresh"),
        ),
        (false, ..) => ConditionValue::yes(Reason::Valid, format!("Meta accepts the token until {when}")),
    }
}

/// When something about the token has to be looked at again, if nothing happens.
pub fn next(input: &Input<'_>, live: &Token, info: &TokenInfo) -> Duration {
    let (every, retry) = (input.timing.inspect_interval, input.timing.retry_interval);
    let candidate = input.token_secret.as_ref().ok().and_then(|token_secret| token_secret.candidate.as_ref());
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
    let Some(left) = time_left(info, input.now).and_then(|left| Duration::try_from(left).ok()) else { return next };
    // The moments at which the token ends, is warned about, is exchanged.
    let warning = input.timing.expiry_warning.max(refresh_before(input).unwrap_or_default());
    for window in [Some(Duration::ZERO), Some(warning), refresh_before(input)].into_iter().flatten() {
        if let Some(wait) = left.checked_sub(window) {
            next = next.min(wait + Duration::from_secs(1));
        }
    }
    next
}
