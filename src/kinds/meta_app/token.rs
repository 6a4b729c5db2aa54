//! The app's token: which one is in use, whether it lives, and what becomes of a new one.

use std::{ops::ControlFlow, time::Duration};

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use super::{
    accounts::{self, Readable},
    cached_answers::Exchanged,
    decision::{Blocker, Checked, Input, Step},
    token_secret::{Token, TokenSecret},
};
use crate::{
    api::{Action, MetaAppPhase, TokenSource},
    controller::summary::ConditionValue,
    graph::{
        self,
        types::{Expiry, TokenInfo},
    },
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
    if let (Some(Candidate { verdict: CandidateProof::Rejected(..), .. }), Some(changed)) = (&candidate, news) {
        return ControlFlow::Break(Step::SaveTokens(changed));
    }
    let Some(live) = &token_secret.live else {
        return ControlFlow::Continue(without_live(input, token_secret, candidate));
    };
    let Some(inspected) = input.answers.live.answer(&live.fingerprint) else {
        return ControlFlow::Continue(never_inspected(input, live));
    };
    let Some(info) = inspected else {
        return ControlFlow::Continue(foreign(input));
    };
    if !info.is_valid || refused_twice(input, live) {
        return ControlFlow::Continue(dead(input, info, live, candidate.as_ref()));
    }
    if exchange_due(input, live, info, candidate.as_ref()) {
        return ControlFlow::Break(Step::Exchange);
    }
    ControlFlow::Continue(TokenState::Live {
        finding: living(input, live, info, candidate.as_ref()),
        info: info.clone(),
        token: live.clone(),
    })
}

/// A candidate that is not in use (yet).
struct Candidate {
    /// Whether it came from an exchange, and not from the user.
    exchanged: bool,
    verdict: CandidateProof,
}

/// Why a candidate is not in use.
enum CandidateProof {
    /// Meta says no; the sentence says of what.
    Rejected(Reason, String),
    /// Not everything could be asked that has to be.
    Open(String),
}

/// A candidate is in use only when Meta says that it is valid and our app's, and no account that the live token can
/// read refuses it. A rejected one is tried again now and then: rights may be granted later.
fn prove(input: &Input<'_>, token_secret: &TokenSecret, candidate: &Token) -> Checked<Candidate> {
    let timing = input.timing;
    let fingerprint = &candidate.fingerprint;
    let exchanged = token_secret.is_exchanging();
    let continues = |verdict| ControlFlow::Continue(Candidate { exchanged, verdict });
    if input.answers.candidate.due(fingerprint, timing.inspect_interval, timing.retry_interval, input.instant) {
        return ControlFlow::Break(Step::InspectCandidate);
    }
    let Some(inspected) = input.answers.candidate.answer(fingerprint) else {
        return continues(CandidateProof::Open(said(input.answers.candidate.failure(fingerprint))));
    };
    if let Some((reason, message)) = rejected(input, inspected.as_ref()) {
        return continues(CandidateProof::Rejected(reason, message));
    }
    if let Some(live) = &token_secret.live {
        match input.answers.live.answer(&live.fingerprint) {
            None => return continues(CandidateProof::Open("the one in use could not be inspected".to_owned())),
            Some(Some(info)) if info.is_valid => match accounts::listed(input, live, info)? {
                None => return continues(CandidateProof::Open("the business accounts are not known".to_owned())),
                Some(ids) => {
                    if let Some(verdict) = probe(input, &ids, candidate)? {
                        return continues(verdict);
                    }
                }
            },
            // A token that is dead or another app's reads nothing.
            Some(_) => {}
        }
    }
    ControlFlow::Break(Step::SaveTokens(token_secret.promoted()))
}

/// Whether an account speaks against the candidate; `None` if none does.
fn probe(input: &Input<'_>, accounts: &[String], candidate: &Token) -> Checked<Option<CandidateProof>> {
    let timing = input.timing;
    let fingerprint = &candidate.fingerprint;
    let mut open = None;
    let mut due = Vec::new();
    for account in accounts {
        match accounts::readable(input, account) {
            Readable::No => continue,
            Readable::Open => {
                // Whether the live token can read it shows with the first poll, which wakes the app.
                open.get_or_insert_with(|| "the business accounts are being read first".to_owned());
                continue;
            }
            Readable::Yes => {}
        }
        let account: Box<str> = account.as_str().into();
        let probe = input.answers.probes.get(&account);
        if probe.is_none_or(|p| p.due(fingerprint, timing.inspect_interval, timing.retry_interval, input.instant)) {
            due.push(account);
            continue;
        }
        match probe.and_then(|p| p.answer(fingerprint)) {
            Some(true) => {}
            Some(false) => {
                let message = format!("it may not read business account {account}, which the token in use can");
                return ControlFlow::Continue(Some(CandidateProof::Rejected(Reason::TokenRejected, message)));
            }
            None => {
                open.get_or_insert_with(|| said(probe.and_then(|p| p.failure(fingerprint))));
            }
        }
    }
    if !due.is_empty() {
        return ControlFlow::Break(Step::Probe(due));
    }
    ControlFlow::Continue(open.map(CandidateProof::Open))
}

fn said(failure: Option<&graph::Error>) -> String {
    failure.map(ToString::to_string).unwrap_or_default()
}

fn rejected(input: &Input<'_>, inspected: Option<&TokenInfo>) -> Option<(Reason, String)> {
    let app = &input.app.spec.app_id;
    let Some(info) = inspected.filter(|info| info.app_id.as_deref().is_none_or(|id| id == app)) else {
        return Some((Reason::TokenOfAnotherApp, format!("it was issued by another app, and this is app {app}")));
    };
    (!info.is_valid).then(|| (Reason::ExpiredToken, "Meta says that it is not valid".to_owned()))
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
fn place(input: &Input<'_>) -> String {
    let reference = input.app.spec.access_token_ref.as_ref();
    reference.map_or_else(String::new, |r| format!("key {} of Secret {}", r.key, r.name))
}

/// The same, and the command that puts one there.
fn place_and_command(input: &Input<'_>) -> String {
    let reference = input.app.spec.access_token_ref.as_ref();
    reference.map_or_else(String::new, |r| {
        let namespace = input.app.namespace().unwrap_or_default();
        format!("{} ({})", place(input), set_command(&namespace, &r.name, &r.key, "YOUR_TOKEN"))
    })
}

fn without_live(input: &Input<'_>, token_secret: &TokenSecret, candidate: Option<Candidate>) -> TokenState {
    let fingerprint =
        token_secret.candidate.as_ref().map(|candidate| candidate.fingerprint.as_str()).unwrap_or_default();
    unusable(match (candidate.map(|candidate| candidate.verdict), &input.user_token) {
        (Some(CandidateProof::Rejected(reason, why)), _) => {
            let place = place_and_command(input);
            let message = format!("the token in the Secret cannot be used: {why}; put a valid one into {place}");
            Blocker::stalled(MetaAppPhase::ExpiredToken, ConditionValue::no(reason, message))
        }
        (Some(CandidateProof::Open(why)), _) => {
            let message = format!("the token could not be tested: {why}; the operator keeps trying");
            Blocker::silence(message, input.answers.candidate.failing_since(fingerprint))
        }
        (None, Some(Err(problem))) => Blocker::unusable(problem),
        (None, _) => {
            let message = format!("there is no token; put one into {}", place_and_command(input));
            Blocker::stalled(MetaAppPhase::Pending, ConditionValue::no(Reason::SecretNotFound, message))
        }
    })
}

fn never_inspected(input: &Input<'_>, live: &Token) -> TokenState {
    let why = said(input.answers.live.failure(&live.fingerprint));
    let message = format!("the token could not be inspected: {why}; the operator keeps trying");
    unusable(Blocker::silence(message, input.answers.live.failing_since(&live.fingerprint)))
}

fn foreign(input: &Input<'_>) -> TokenState {
    let message = format!(
        "the token belongs to another app than {}; put one of this app into {}",
        input.app.spec.app_id,
        place_and_command(input)
    );
    unusable(Blocker::stalled(MetaAppPhase::ExpiredToken, ConditionValue::no(Reason::TokenOfAnotherApp, message)))
}

fn dead(input: &Input<'_>, info: &TokenInfo, live: &Token, candidate: Option<&Candidate>) -> TokenState {
    let why = match info.invalid_reason.as_ref().and_then(|r| r.subcode) {
        Some(463) => "it has expired",
        Some(458) => "the app was removed by the user or business",
        Some(459 | 464) => "its user has to log in at facebook.com",
        Some(460) => "its user changed the password",
        Some(466 | 467) => "it was revoked",
        _ => "Meta does not accept it",
    };
    let offered = match candidate.filter(|candidate| !candidate.exchanged).map(|candidate| &candidate.verdict) {
        Some(CandidateProof::Rejected(_, why)) => format!(". The new one there cannot be used: {why}"),
        Some(CandidateProof::Open(why)) => format!(". The new one there could not be tested yet: {why}"),
        None => String::new(),
    };
    let message = format!(
        "the token is dead: {why}. A dead token cannot be exchanged; put a new one into {}{offered}",
        place_and_command(input)
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
    let proving = candidate.is_some_and(|c| c.exchanged && matches!(c.verdict, CandidateProof::Open(_)));
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

fn living(input: &Input<'_>, live: &Token, info: &TokenInfo, candidate: Option<&Candidate>) -> ConditionValue {
    if let Some(Candidate { exchanged, verdict }) = candidate {
        let new = if *exchanged {
            "the token that Meta gave in exchange".to_owned()
        } else {
            format!("the token in {}", place(input))
        };
        return match verdict {
            CandidateProof::Rejected(_, why) => ConditionValue::yes(
                Reason::TokenRejected,
                format!("{new} cannot be used, the one before stays in use: {why}"),
            ),
            CandidateProof::Open(why) => ConditionValue::yes(
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
    let place = place_and_command(input);
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
    let asked = [
        input.answers.live.next(&live.fingerprint, inspect_every(input, live), retry),
        input.answers.accounts.next(&live.fingerprint, every, retry),
        candidate.and_then(|candidate| input.answers.next_of_candidate(&candidate.fingerprint, every, retry)),
        input.answers.exchange.failure(&live.stem).and(input.answers.exchange.next(&live.stem, every, retry)),
    ];
    let mut next = every;
    for at in asked.into_iter().flatten() {
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
