//! What happened to what an app works with: a token or app secret that was taken up or refused, one that ends soon, and accounts
//! that came or went.
//! Each is told once, compared with what the status says already, so that a restart repeats nothing. Pure.

use super::{
    accounts,
    decision::{CREDENTIALS_VALID, Input, TOKEN_VALID},
    token::TokenState,
    token_finding::is_exchanged_in_time,
    usage::{self, PAYMENT_READY},
};
use crate::{
    api::{BusinessAccount, MetaAppStatus, TokenSource},
    controller::summary::{ConditionValue, Notice, StatusSummary, is_transition},
    k8s::conditions::{State, find},
    messages::Reason,
};

/// What is new in `status` and `summary` since the status that stands there.
pub fn of(
    input: &Input<'_>,
    status: &MetaAppStatus,
    token: Option<&TokenState>,
    summary: &StatusSummary,
) -> Vec<Notice> {
    let Some(before) = &input.app.status else { return Vec::new() };
    let app = |status: &MetaAppStatus| {
        let app = status.app.clone().unwrap_or_default();
        Hashes { in_use: app.in_use_hash, offered: app.secret_hash }
    };
    let tokens = |status: &MetaAppStatus| {
        let token = status.token.clone().unwrap_or_default();
        Hashes { in_use: token.in_use_hash, offered: token.secret_hash }
    };
    let secret = Subject { kind: CREDENTIALS_VALID, before, was: app(before), is: app(status) };
    let tokens = Subject { kind: TOKEN_VALID, before, was: tokens(before), is: tokens(status) };
    let mut notices = Vec::new();
    if secret.is_taken_up() {
        let message = format!(
            "Meta accepts the app secret in Secret {}; the operator uses it",
            input.app.spec.app_secret_ref.name
        );
        notices.push(Notice { reason: Reason::AppSecretTakenUp, warns: false, message });
    }
    if tokens.is_taken_up() {
        notices.push(taken_up(input, status));
    }
    let ready = is_transition(status, before, summary).then_some(summary.ready.reason);
    notices.extend(account_changes(input, before, status, ready));
    for subject in [secret, tokens] {
        let found = summary.conditions.iter().find(|(kind, _)| *kind == subject.kind);
        // What the event of `Ready` tells is not told twice.
        if let Some((_, finding)) = found.filter(|(_, finding)| ready != Some(finding.reason)) {
            notices.extend(subject.news(finding, acts_by_itself(input, token)));
        }
    }
    let payment = summary.conditions.iter().find(|(kind, _)| *kind == PAYMENT_READY);
    notices.extend(payment.and_then(|(_, found)| usage::notice(before, found)));
    notices
}

/// Accounts that came or went, where the token says which there are.
fn account_changes(
    input: &Input<'_>,
    before: &MetaAppStatus,
    status: &MetaAppStatus,
    ready: Option<Reason>,
) -> Vec<Notice> {
    let (was, is) = (&before.business_accounts, &status.business_accounts);
    if was.is_empty() {
        return Vec::new();
    }
    let shown = |accounts: &[BusinessAccount], id: &str| {
        accounts.iter().any(|known| known.id == id && known.gone_since.is_none())
    };
    let (mut gone, mut found) = (Vec::new(), Vec::new());
    for account in is {
        match (shown(was, &account.id), account.gone_since.is_none()) {
            (true, false) => gone.push(account.clone()),
            (false, true) if input.app.spec.business_account_ids.is_none() => found.push(account.id.as_str()),
            _ => {}
        }
    }
    let mut notices = Vec::new();
    // What the event of `Ready` tells is not told twice.
    if !gone.is_empty() && ready != Some(Reason::AccountGone) {
        notices.push(Notice { reason: Reason::AccountGone, warns: true, message: accounts::is_gone(input.app, &gone) });
    }
    if !found.is_empty() {
        let message =
            format!("the token shows more business accounts, which the operator now reads: {}", found.join(", "));
        notices.push(Notice { reason: Reason::AccountFound, warns: false, message });
    }
    notices
}

fn taken_up(input: &Input<'_>, status: &MetaAppStatus) -> Notice {
    let token = status.token.clone().unwrap_or_default();
    let end = match token.expires.as_deref() {
        None | Some("Never") => "it does not expire".to_owned(),
        Some(date) => format!("it ends on {date}"),
    };
    let (reason, message) = if token.source == Some(TokenSource::Refreshed) {
        (Reason::TokenExchanged, format!("Meta exchanged the token; the operator uses the new one, and {end}"))
    } else {
        let name =
            input.app.spec.access_token_ref.as_ref().map(|reference| reference.name.as_str()).unwrap_or_default();
        (Reason::TokenTakenUp, format!("the operator uses the new token in Secret {name}; {end}"))
    };
    Notice { reason, warns: false, message }
}

/// Whether the operator sees to the end of the token.
fn acts_by_itself(input: &Input<'_>, token: Option<&TokenState>) -> bool {
    matches!(token, Some(TokenState::Live { info, .. }) if is_exchanged_in_time(input, info))
}

/// Fingerprints of the value in use, and of the value in the user's Secret.
struct Hashes {
    in_use: Option<String>,
    offered: Option<String>,
}

/// App secret or token, before and now.
struct Subject<'a> {
    /// Its condition.
    kind: &'static str,
    before: &'a MetaAppStatus,
    was: Hashes,
    is: Hashes,
}

impl Subject<'_> {
    /// Whether another value is in use; the first one is no news, because `Ready` tells it.
    fn is_taken_up(&self) -> bool {
        self.was.in_use.is_some() && self.is.in_use.is_some() && self.was.in_use != self.is.in_use
    }

    fn news(&self, finding: &ConditionValue, acts_by_itself: bool) -> Option<Notice> {
        let ConditionValue { state, reason, message } = finding;
        let (is_news, warns) = match (state, reason) {
            (State::False, _) => (!self.was_refused(finding), true),
            (State::True, Reason::TokenExpiresSoon) => (!self.was_warned(*reason), !acts_by_itself),
            (State::True, Reason::ExchangeFailed) => (!self.was_warned(*reason), true),
            (State::True, Reason::Valid) => (self.was_false() && !self.is_taken_up(), false),
            _ => (false, false),
        };
        is_news.then(|| Notice { reason: *reason, warns, message: message.clone() })
    }

    fn was_false(&self) -> bool {
        find(&self.before.conditions, self.kind).is_some_and(|last| last.status == State::False.as_str())
    }

    /// Whether the same was said of the same value. What says nothing about the value, such as a Meta that is silent, may stand
    /// in between.
    fn was_refused(&self, finding: &ConditionValue) -> bool {
        let reason = finding.reason.as_str();
        let last = find(&self.before.conditions, self.kind).filter(|last| last.status != State::Unknown.as_str());
        let said = match last {
            // Without a value there is nothing else to tell one cause from another.
            Some(last) => last.status == State::False.as_str() && last.reason == reason,
            None => self.before.history.iter().rev().any(|entry| entry.reason == reason),
        };
        said && self.was.offered == self.is.offered
    }

    /// Whether this was said of the token in use before.
    fn was_warned(&self, reason: Reason) -> bool {
        let taken_up = [Reason::TokenTakenUp, Reason::TokenExchanged].map(Reason::as_str);
        let since = self.before.history.iter().rev().take_while(|entry| !taken_up.contains(&entry.reason.as_str()));
        let said = find(&self.before.conditions, self.kind).is_some_and(|last| last.reason == reason.as_str())
            || since.into_iter().any(|entry| entry.reason == reason.as_str());
        said && !self.is_taken_up()
    }
}
