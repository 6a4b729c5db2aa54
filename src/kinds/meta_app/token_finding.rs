//! What condition `TokenValid` says, and what people have to do about the token. Pure.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{
    cached_answers::Exchanged,
    candidate::{Candidate, Verdict, why_dead},
    decision::{Blocker, Input, TOKEN_VALID},
    secret_problems::{where_and_command, where_kept},
    token_secret::{Token, TokenSecret},
};
use crate::{
    api::MetaAppPhase, controller::summary::ConditionValue, graph::types::TokenInfo, k8s::conditions::find,
    messages::Reason,
};

const STAYS: &str = "the one before stays in use";

/// How long before its end a token is warned about.
pub fn warn_before(input: &Input<'_>) -> Duration {
    input.timing.expiry_warning.max(refresh_before(input).unwrap_or_default())
}

/// `spec.tokenRefresh.before`, if tokens are exchanged at all.
pub fn refresh_before(input: &Input<'_>) -> Option<Duration> {
    input.app.spec.token_refresh.as_ref().map(|refresh| refresh.before.to_std())
}

/// Whether not more than `window` is left.
pub fn within(left: SignedDuration, window: Duration) -> bool {
    SignedDuration::try_from(window).is_ok_and(|window| left <= window)
}

/// Whether the operator exchanges the token by itself before its end, and so nobody has to act.
pub fn is_exchanged_in_time(input: &Input<'_>, info: &TokenInfo) -> bool {
    let is_earlier = info.data_access_expires.is_some() && info.ends() == info.data_access_expires;
    refresh_before(input).is_some() && input.may_write() && info.is_exchangeable() && !is_earlier
}

/// Whether the status is about to tell of an exchange that brought nothing, and has not told it before.
pub fn tells_of_exchange(input: &Input<'_>, live: &Token) -> bool {
    let info = input.answers.live.answer(&live.fingerprint).and_then(Option::as_ref);
    let shows =
        info.is_some_and(|info| is_exchanged_in_time(input, info) && End::of(input, info).is_some_and(|end| end.soon));
    let conditions = input.app.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let last = find(conditions, TOKEN_VALID).map(|last| last.reason.as_str());
    shows && last != Some(Reason::ExchangeFailed.as_str())
}

/// There is no live token.
pub fn without_live(input: &Input<'_>, token_secret: &TokenSecret, candidate: Option<Candidate>) -> Blocker {
    let fingerprint =
        token_secret.candidate.as_ref().map(|candidate| candidate.fingerprint.as_str()).unwrap_or_default();
    match (candidate.map(|candidate| candidate.verdict), &input.user_token) {
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
    }
}

/// Meta was not heard about the live token yet.
pub fn never_inspected(input: &Input<'_>, live: &Token) -> Blocker {
    let why = input.answers.live.failure_text(&live.fingerprint);
    let message = format!("the token could not be inspected: {why}; the operator keeps trying");
    Blocker::silence(message, input.answers.live.failing_since(&live.fingerprint))
}

/// The live token is another app's.
pub fn issued_by_another_app(input: &Input<'_>) -> Blocker {
    let message = format!(
        "the token belongs to another app than {}; put one of this app into {}",
        input.app.spec.app_id,
        where_and_command(input)
    );
    Blocker::stalled(MetaAppPhase::ExpiredToken, ConditionValue::no(Reason::TokenOfAnotherApp, message))
}

/// Meta does not accept the live token any more.
pub fn not_accepted(input: &Input<'_>, info: &TokenInfo, candidate: Option<&Candidate>) -> Blocker {
    let why = why_dead(info).unwrap_or("Meta does not accept it");
    let offered = match candidate.filter(|candidate| !candidate.exchanged).map(|candidate| &candidate.verdict) {
        Some(Verdict::Rejected(_, why)) => format!(". The new one there cannot be used: {why}"),
        Some(Verdict::Open(why)) => format!(". The new one there could not be tested yet: {why}"),
        None => String::new(),
    };
    let message = format!(
        "the token is dead: {why}. A dead token cannot be exchanged; put a new one into {}{offered}",
        where_and_command(input)
    );
    Blocker::stalled(MetaAppPhase::ExpiredToken, ConditionValue::no(Reason::ExpiredToken, message))
}

/// The live token works: what that says of the user's value, of an exchange and of the end.
pub fn in_use(
    input: &Input<'_>,
    token_secret: &TokenSecret,
    live: &Token,
    info: &TokenInfo,
    candidate: Option<&Candidate>,
) -> ConditionValue {
    if let Some(Err(problem)) = &input.user_token {
        let message = format!("the token in use still works, but {}", problem.message);
        return ConditionValue { state: problem.state(), reason: problem.reason, message };
    }
    let end = End::of(input, info);
    match candidate {
        Some(Candidate { exchanged: false, verdict }) => {
            let fingerprint = token_secret.candidate.as_ref().map(|c| c.fingerprint.as_str()).unwrap_or_default();
            offered(input, fingerprint, verdict, end.as_ref())
        }
        Some(Candidate { exchanged: true, verdict: Verdict::Open(why) }) => {
            let message = format!("the token that Meta gave in exchange waits to be proven, {STAYS}: {why}");
            ConditionValue::yes(Reason::ProvingToken, message)
        }
        Some(Candidate { exchanged: true, verdict: Verdict::Rejected(_, why) }) => ConditionValue::yes(
            Reason::ExchangeFailed,
            format!(
                "the token that Meta gave in exchange cannot be used, {STAYS}: {why}{}; put a new one into {}",
                end.map(|end| format!(". The one in use {}", end.words())).unwrap_or_default(),
                where_and_command(input)
            ),
        ),
        None => match end {
            Some(end) => ends(input, live, info, &end),
            None => ConditionValue::yes(Reason::Valid, "Meta accepts the token; it does not expire"),
        },
    }
}

/// What Meta says of the user's value, while another token is in use.
fn offered(input: &Input<'_>, fingerprint: &str, verdict: &Verdict, end: Option<&End>) -> ConditionValue {
    let place = where_kept(input);
    match verdict {
        Verdict::Rejected(_, why) => {
            let soon = end.filter(|end| end.soon).map(|end| format!(", and {}", end.words())).unwrap_or_default();
            let message = format!(
                "the token in {place} cannot be used: {why}. The one before stays in use{soon}: do not revoke it. Put a valid \
                 one into {}",
                where_and_command(input)
            );
            ConditionValue::no(Reason::TokenRejected, message)
        }
        // Refused before, and not asked about since: nothing says otherwise.
        Verdict::Open(why) => input.standing(TOKEN_VALID, fingerprint).unwrap_or_else(|| {
            let message = format!("the token in {place} waits to be proven, {STAYS}: {why}");
            ConditionValue::yes(Reason::ProvingToken, message)
        }),
    }
}

/// When the live token ends, and how.
struct End {
    at: Timestamp,
    /// Whether it is the access to its owner's data that ends, and not the token.
    of_data: bool,
    /// Whether it is time to warn.
    soon: bool,
    over: bool,
}

impl End {
    fn of(input: &Input<'_>, info: &TokenInfo) -> Option<Self> {
        let at = info.ends()?;
        let left = at.duration_since(input.now);
        let soon = within(left, warn_before(input));
        Some(Self { at, of_data: info.expires.at() != Some(at), soon, over: !left.is_positive() })
    }

    fn date(&self) -> String {
        self.at.strftime("%Y-%m-%d").to_string()
    }

    fn words(&self) -> String {
        let date = self.date();
        match (self.of_data, self.over) {
            (true, true) => format!("lost the access to its owner's data on {date}, until its owner logs in again"),
            (true, false) => format!("loses the access to its owner's data on {date}, unless its owner logs in again"),
            (false, _) => format!("expires on {date}"),
        }
    }
}

/// The live token has an end.
fn ends(input: &Input<'_>, live: &Token, info: &TokenInfo, end: &End) -> ConditionValue {
    if !end.soon {
        return ConditionValue::yes(Reason::Valid, format!("Meta accepts the token until {}", end.date()));
    }
    let (words, place) = (end.words(), where_and_command(input));
    let soon = |message| ConditionValue::yes(Reason::TokenExpiresSoon, message);
    if end.of_data || !info.is_exchangeable() {
        return soon(format!("the token {words}; put a new one into {place}"));
    }
    if !is_exchanged_in_time(input, info) {
        return soon(format!("the token {words}; put a new one into {place}, or set spec.tokenRefresh"));
    }
    match input.answers.exchange.answer(&live.stem) {
        Some(Exchanged::Refused(why)) => ConditionValue::yes(
            Reason::ExchangeFailed,
            format!("the token {words}, and {why}; put a new one into {place}"),
        ),
        Some(Exchanged::NothingBetter) => ConditionValue::yes(
            Reason::ExchangeFailed,
            format!(
                "the token {words}, and Meta returned no token with a later expiry; the operator retries daily. To replace the \
                 token, put a new one into {place}"
            ),
        ),
        _ => soon(format!("the token {words}; the operator exchanges it before then")),
    }
}
