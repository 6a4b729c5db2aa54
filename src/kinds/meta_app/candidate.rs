//! A new token for the app: it is used only when it is proven.

use std::ops::ControlFlow;

use super::{
    accounts::{self, Readable},
    decision::{Checked, Input, Step},
    token_secret::{Token, TokenSecret},
};
use crate::{graph::types::TokenInfo, messages::Reason};

/// A candidate that is not in use (yet).
pub struct Candidate {
    /// Whether it came from an exchange, and not from the user.
    pub exchanged: bool,
    /// Why it is not in use.
    pub verdict: Verdict,
}

/// Why a candidate is not in use.
pub enum Verdict {
    /// It cannot be used; the sentence says why.
    Rejected(Reason, String),
    /// Its proof is not complete; the sentence says what is missing.
    Open(String),
}

/// A candidate is in use only when Meta says that it is valid and our app's, and no account that the live token can
/// read refuses it. A rejected one is tried again now and then: rights may be granted later.
pub fn prove(input: &Input<'_>, token_secret: &TokenSecret, candidate: &Token) -> Checked<Candidate> {
    let timing = input.timing;
    let fingerprint = &candidate.fingerprint;
    let exchanged = token_secret.is_exchanging();
    let continues = |verdict| ControlFlow::Continue(Candidate { exchanged, verdict });
    if input.answers.candidate.due(fingerprint, timing.inspect_interval, timing.retry_interval, input.instant) {
        return ControlFlow::Break(Step::InspectCandidate);
    }
    let Some(inspected) = input.answers.candidate.answer(fingerprint) else {
        return continues(Verdict::Open(input.answers.candidate.failure_text(fingerprint)));
    };
    if let Some((reason, message)) = rejection(input, inspected.as_ref()) {
        return continues(Verdict::Rejected(reason, message));
    }
    if let Some(live) = &token_secret.live {
        match input.answers.live.answer(&live.fingerprint) {
            None => return continues(Verdict::Open("the one in use could not be inspected".to_owned())),
            Some(Some(info)) if info.is_valid => match accounts::listed(input, live, info)? {
                None => return continues(Verdict::Open("the business accounts are not known".to_owned())),
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
fn probe(input: &Input<'_>, accounts: &[String], candidate: &Token) -> Checked<Option<Verdict>> {
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
                return ControlFlow::Continue(Some(Verdict::Rejected(Reason::TokenRejected, message)));
            }
            None => {
                open.get_or_insert_with(|| probe.map(|probe| probe.failure_text(fingerprint)).unwrap_or_default());
            }
        }
    }
    if !due.is_empty() {
        return ControlFlow::Break(Step::Probe(due));
    }
    ControlFlow::Continue(open.map(Verdict::Open))
}

fn rejection(input: &Input<'_>, inspected: Option<&TokenInfo>) -> Option<(Reason, String)> {
    let app = &input.app.spec.app_id;
    let Some(info) = inspected.filter(|info| info.app_id.as_deref().is_none_or(|id| id == app)) else {
        return Some((Reason::TokenOfAnotherApp, format!("it was issued by another app, and this is app {app}")));
    };
    (!info.is_valid).then(|| {
        let why = why_dead(info).map(|why| format!(": {why}")).unwrap_or_default();
        (Reason::ExpiredToken, format!("Meta reports that it is not valid{why}"))
    })
}

/// Why Meta does not accept a token, as far as it gives a reason.
pub fn why_dead(info: &TokenInfo) -> Option<&'static str> {
    Some(match info.invalid_reason.as_ref()?.subcode? {
        463 => "it has expired",
        458 => "the app was removed by the user or business",
        459 | 464 => "its user has to log in at facebook.com",
        460 => "its user changed the password",
        466 | 467 => "it was revoked",
        492 => "its user lost a role",
        493 => "its user has not logged in for 90 days, and has to log in again",
        _ => return None,
    })
}
