//! The status of an app. What is not known this time keeps its last value.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{
    accounts::Accounts,
    conditions::{Summary, judge},
    credentials,
    decision::{AppReport, CREDENTIALS_VALID, CredentialError, Input, TOKEN_VALID},
    import, notices,
    token::{self, TokenState},
    token_secret::{self, Credential},
    usage,
};
use crate::{
    api::{
        AllowedFrom, AppIdentity, BusinessAccount, GoDuration, MetaAppPhase, MetaAppStatus, Throttle, TokenSource,
        TokenStatus, unsupported, whole_seconds,
    },
    controller::{
        plan::Requeue,
        summary::{ConditionValue, Progress, StatusSummary, is_transition},
    },
    graph::types::TokenInfo,
    k8s::{conditions::State, secrets::ComparableSecret},
    messages::{Reason, commands},
    observe::{AccountState, Allowed, AppState, BindingToken, Polling},
};

/// How many accounts a status lists.
const ACCOUNTS_LISTED: usize = 100;
/// A throttle that lasts longer is kept in the status, so that the next leader knows of it.
const LASTING_THROTTLE: jiff::SignedDuration = jiff::SignedDuration::from_mins(5);
/// What the operator would like a token to be allowed.
const SCOPES: [&str; 2] = ["whatsapp_business_management", "whatsapp_business_messaging"];

const CLOCK_IN_SYNC: &str = "ClockInSync";
const GRAPH_VERSION_SERVED: &str = "GraphVersionServed";
const BINDING_TOKEN_VALID: &str = "BindingTokenValid";

fn base(input: &Input<'_>) -> MetaAppStatus {
    let mut status = input.app.status.clone().unwrap_or_default();
    status.graph_version = Some(input.version.clone());
    let interval = input.app.spec.poll_interval.clone();
    let interval = interval.unwrap_or_else(|| GoDuration::from_seconds(input.timing.default_poll_interval.as_secs()));
    status.poll_interval = Some(interval.to_string());
    status
}

fn known_accounts(input: &Input<'_>) -> Vec<String> {
    input.accounts.keys().map(ToString::to_string).collect()
}

/// `spec.suspend`.
pub fn suspended(input: &Input<'_>) -> AppReport {
    let mut status = base(input);
    status.phase = Some(MetaAppPhase::Suspended);
    let message = format!(
        "spec.suspend is true: Meta is not called, neither for this app nor for its numbers and templates. To go on: {}",
        commands::patch(input.app, r#"{"suspend":false}"#)
    );
    let summary = StatusSummary::new(ConditionValue::unknown(Reason::Suspended, message), Progress::Suspended);
    report(input, status, summary, AppState::Suspended)
}

/// With no calls to Meta, no import, and no wait.
fn report(input: &Input<'_>, status: MetaAppStatus, summary: StatusSummary, state: AppState) -> AppReport {
    AppReport {
        status,
        summary,
        state,
        polling: None,
        accounts: known_accounts(input),
        import: import::Wanted::default(),
        keeps_status: false,
        next: Requeue::Nothing,
    }
}

/// Stopped before the first call to Meta.
pub fn stopped(input: &Input<'_>, (phase, finding): (MetaAppPhase, ConditionValue)) -> AppReport {
    let mut status = base(input);
    status.phase = Some(phase);
    let state = AppState::NotReady(finding.message.clone());
    let summary = StatusSummary { conditions: unsupported(input), ..StatusSummary::new(finding, Progress::Stalled) };
    report(input, status, summary, state)
}

/// All checks were made.
pub fn examined(
    input: &Input<'_>,
    credentials: &credentials::State,
    token: Option<&TokenState>,
    accounts: Option<Accounts>,
) -> AppReport {
    let mut status = base(input);
    if let credentials::State::Valid { name, .. } = credentials {
        let secret_hash = status.app.take().and_then(|app| app.secret_hash);
        let in_use_hash = input.app_secret().ok().map(|secret| secret.fingerprint.clone());
        let id = input.app.spec.app_id.clone();
        status.app = Some(AppIdentity { id, name: Some(name.clone()), in_use_hash, secret_hash });
    }
    fill_token(&mut status, input, token);
    fill_accounts(&mut status, input, token, accounts.as_ref());
    status.counts = Some(input.counts.clone());
    status.throttles = throttles(input, accounts.as_ref().and_then(|accounts| accounts.ids.as_deref()));

    let Summary { phase, conditions: mut summary, state, keeps_status } =
        judge(input, credentials, token, accounts.as_ref());
    fill_judged(&mut status, input, &summary);
    summary.conditions.extend(usage::condition(input, &status));
    summary.notices = notices::of(input, &status, token, &summary);
    summary.conditions.extend(clock(input));
    summary.conditions.extend(version(input));
    summary.conditions.extend(unsupported(input));
    if let Some(mistake) = selects_in_vain(input).filter(|_| summary.ready.state == State::True) {
        summary.ready = mistake;
        summary.progress = Progress::Stalled;
    }
    summary.report_mistakes(input.app);
    status.phase = Some(phase);
    date_reads(&mut status, input, &summary);
    let rests = import_rests(input);
    let wait = wait(input, token, summary.progress).min(rests.unwrap_or(Duration::MAX));
    let import = if accounts.is_some() && rests.is_none() { input.import.batch() } else { import::Wanted::default() };
    AppReport {
        polling: polled(token).and_then(|token| polling(input, token)),
        import,
        keeps_status,
        accounts: accounts.and_then(|accounts| accounts.ids).unwrap_or_else(|| known_accounts(input)),
        next: Requeue::After(wait),
        ..report(input, status, summary, state)
    }
}

/// Labels of namespaces are known only to an operator that watches all of them. Until the spec is corrected, no other namespace
/// may refer to the app.
fn selects_in_vain(input: &Input<'_>) -> Option<ConditionValue> {
    let allowed = input.app.spec.allowed_namespaces.as_ref()?;
    (input.namespaced && allowed.from == AllowedFrom::Selector).then(|| {
        let message = format!(
            "spec.allowedNamespaces.from Selector needs an operator that watches all namespaces, and this one runs with \
             --namespaces, so that only objects in the MetaApp's own namespace may refer to it; write All or Same: {}",
            commands::with("edit", input.app)
        );
        ConditionValue::no(Reason::InvalidSpec, message)
    })
}

/// For how much longer nothing is imported, because the last import failed a moment ago.
fn import_rests(input: &Input<'_>) -> Option<Duration> {
    let (_, failed) = input.import_failure.as_ref()?;
    let since = input.instant.saturating_duration_since(*failed);
    input.timing.retry_interval.checked_sub(since).filter(|left| !left.is_zero())
}

/// The token that bindings hand out, and whether it can be read.
pub struct Binding {
    /// Condition `BindingTokenValid`, where the spec names a token.
    pub condition: Option<(&'static str, ConditionValue)>,
    /// The token.
    pub token: BindingToken,
}

/// The token that bindings may hand out; whether it can be read is a condition of its own.
pub fn binding_token(input: &Input<'_>) -> Binding {
    let Some(read) = &input.binding_token else { return Binding { condition: None, token: BindingToken::InUse } };
    let (value, token) = match read {
        Ok(credential) => {
            let message = "bindings hand out the token that spec.bindingTokenRef names";
            let token = BindingToken::Named(ComparableSecret(credential.value.clone()));
            (ConditionValue::yes(Reason::Configured, message), token)
        }
        Err(problem) => {
            let token = if problem.passing { BindingToken::Unread } else { BindingToken::Missing };
            (ConditionValue::no(problem.reason, problem.message.clone()), token)
        }
    };
    Binding { condition: Some((BINDING_TOKEN_VALID, value)), token }
}

/// The token that accounts are read with.
fn polled(token: Option<&TokenState>) -> Option<&token_secret::Token> {
    match token? {
        TokenState::Live { token, .. } => Some(token),
        TokenState::Unusable { tried, .. } => tried.as_ref(),
    }
}

fn clock(input: &Input<'_>) -> Option<(&'static str, ConditionValue)> {
    input.timing.is_skewed(input.skew).then(|| {
        let message = format!(
            "the clock of the operator's node differs from Meta's by more than five minutes; until it is right, the operator \
             changes nothing at Meta and exchanges no token. Synchronize it there: {}",
            commands::line("timedatectl set-ntp true")
        );
        (CLOCK_IN_SYNC, ConditionValue::no(Reason::ClockSkewed, message))
    })
}

fn version(input: &Input<'_>) -> Option<(&'static str, ConditionValue)> {
    let served = input.served.as_ref()?;
    let asked = &input.version;
    let message = format!(
        "Meta serves Graph {served} instead of {asked}, because {asked} is retired or not released yet; set \
         spec.graphVersion to a supported version, or update the operator: {}",
        commands::with("edit", input.app)
    );
    Some((GRAPH_VERSION_SERVED, ConditionValue::no(Reason::GraphVersionEnded, message)))
}

/// Fields that a person set and this version does not act on, each on its condition.
fn unsupported(input: &Input<'_>) -> Vec<(&'static str, ConditionValue)> {
    unsupported::meta_app(&input.app.spec)
        .into_iter()
        .map(|later| (later.condition, ConditionValue::no(Reason::NotYetSupported, later.message)))
        .collect()
}

fn fill_token(status: &mut MetaAppStatus, input: &Input<'_>, token: Option<&TokenState>) {
    let described = match token {
        Some(TokenState::Live { info, token, .. }) => describe(info, &token.source),
        Some(TokenState::Unusable { info: Some((info, source)), .. }) => {
            let shown = describe(info, source);
            if info.ends().is_some_and(|end| end <= input.now) { shown } else { shown.invalid() }
        }
        // Another app's: what is known of it stays, but for its end.
        Some(TokenState::Unusable { blocker, .. }) if blocker.phase == Some(MetaAppPhase::ExpiredToken) => {
            status.token =
                status.token.take().map(|shown| if shown.expires.is_some() { shown.invalid() } else { shown });
            return;
        }
        _ => return,
    };
    let live = input.token_secret.as_ref().ok().and_then(|kept| kept.live.as_ref());
    status.token = Some(TokenStatus {
        in_use_hash: live.map(|live| live.fingerprint.clone()),
        secret_hash: status.token.take().and_then(|token| token.secret_hash),
        ..described
    });
}

/// Which values of the user's Secrets the conditions are about: those in use, and those that a condition is false for.
fn fill_judged(status: &mut MetaAppStatus, input: &Input<'_>, summary: &StatusSummary) {
    let is_false = |kind: &str| summary.conditions.iter().any(|(k, found)| *k == kind && found.state == State::False);
    let judged = |user: &Result<Credential, CredentialError>, in_use: Option<&str>, kind: &str| match user {
        Ok(user) => (in_use == Some(&*user.fingerprint) || is_false(kind)).then(|| user.fingerprint.clone()),
        Err(problem) => problem.fingerprint.clone(),
    };
    let app_secret = input.app_secret().ok().map(|secret| &*secret.fingerprint);
    if let (Some(app), Some(hash)) = (&mut status.app, judged(&input.secret, app_secret, CREDENTIALS_VALID)) {
        app.secret_hash = Some(hash);
    }
    let stem = input.token_secret.as_ref().ok().and_then(|kept| kept.live.as_ref()).map(|live| &*live.stem);
    if let Some(hash) = input.user_token.as_ref().and_then(|user| judged(user, stem, TOKEN_VALID)) {
        status.token.get_or_insert_default().secret_hash = Some(hash);
    }
}

fn describe(info: &TokenInfo, source: &TokenSource) -> TokenStatus {
    let end = info.ends().map(|end| end.strftime("%Y-%m-%d").to_string());
    let mut scopes: Vec<String> = info.scopes.iter().map(ToString::to_string).collect();
    scopes.sort();
    scopes.dedup();
    let missing = SCOPES.iter().filter(|wanted| !scopes.iter().any(|scope| scope == *wanted));
    TokenStatus {
        source: Some(source.clone()),
        type_: info.kind.as_ref().map(|kind| kind.as_str().to_owned()),
        expires: Some(end.unwrap_or_else(|| "Never".to_owned())),
        expires_at: info.expires.at().map(whole_seconds),
        data_access_expires_at: info.data_access_expires.map(whole_seconds),
        in_use_hash: None,
        secret_hash: None,
        missing_scopes: missing.map(ToString::to_string).collect(),
        scopes,
    }
}

fn fill_accounts(
    status: &mut MetaAppStatus,
    input: &Input<'_>,
    token: Option<&TokenState>,
    accounts: Option<&Accounts>,
) {
    let Some(Accounts { ids: Some(ids), gone, .. }) = accounts else { return };
    let source = match token {
        Some(TokenState::Live { token, .. }) => Some(token.source.to_string()),
        _ => None,
    };
    let before = std::mem::take(&mut status.business_accounts);
    let listed = ids.iter().take(ACCOUNTS_LISTED);
    status.business_accounts = listed
        .map(|id| {
            let state = input.accounts.get(id.as_str());
            let last = before.iter().find(|b| b.id == *id).cloned().unwrap_or_default();
            let mut entry = state.and_then(|state| shown(input, state)).unwrap_or_else(|| last.clone());
            // It is read by a separate request, after the account.
            entry.template_limit = entry.template_limit.or(last.template_limit);
            usage::fill(&mut entry, input, state, &last);
            entry.id.clone_from(id);
            entry.token.clone_from(&source);
            entry.last_read_time.clone_from(&last.last_read_time);
            entry.gone_since = gone.iter().find(|gone| gone.id == *id).and_then(|gone| gone.gone_since.clone());
            entry
        })
        .chain(gone.iter().filter(|gone| !ids.contains(&gone.id)).cloned())
        .collect();
    status.business_accounts.sort_by(|one, other| one.id.cmp(&other.id));
    let omitted = ids.len().saturating_sub(ACCOUNTS_LISTED);
    status.business_accounts_omitted = i64::try_from(omitted).unwrap_or(i64::MAX);
}

/// Says when the accounts were last read, if the status is written anyway.
fn date_reads(status: &mut MetaAppStatus, input: &Input<'_>, summary: &StatusSummary) {
    let unchanged = |before: &MetaAppStatus| *before == *status && !is_transition(status, before, summary);
    if input.app.status.as_ref().is_some_and(unchanged) {
        return;
    }
    for account in &mut status.business_accounts {
        let Some(snapshot) = input.accounts.get(account.id.as_str()).and_then(|state| state.snapshot.as_ref()) else {
            continue;
        };
        let age = input.instant.saturating_duration_since(snapshot.started);
        let read = input.now.as_second() - i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
        if let Ok(minute) = Timestamp::from_second(read - read.rem_euclid(60)) {
            account.last_read_time = Some(Time(minute));
        }
    }
}

fn shown(input: &Input<'_>, state: &AccountState) -> Option<BusinessAccount> {
    let snapshot = state.snapshot.as_ref()?;
    let account = &snapshot.account;
    let count = |n: usize| i64::try_from(n).ok();
    let text = |value: &Option<Box<str>>| value.as_ref().map(ToString::to_string);
    Some(BusinessAccount {
        id: account.id.to_string(),
        name: text(&account.name),
        currency: text(&account.currency),
        timezone: text(&account.timezone_id),
        review_status: account.review_status.as_ref().map(|s| s.as_str().to_owned()),
        business_verification: account.business_verification.as_ref().map(|s| s.as_str().to_owned()),
        messaging_limit: account.messaging_limit.as_ref().map(|s| s.as_str().to_owned()),
        // Meta sends it by webhook only.
        number_limit: None,
        can_send_message: account
            .health
            .as_ref()
            .and_then(|h| h.can_send_message.as_ref())
            .map(|may| may.as_str().to_owned()),
        numbers: count(snapshot.numbers.len()),
        templates: count(snapshot.templates.len()),
        template_limit: state.template_limit.map(i64::from),
        subscribed: account.subscribed_apps.as_ref().map(|_| account.subscription_of(&input.app.spec.app_id).is_some()),
        token: None,
        last_read_time: None,
        gone_since: None,
        payment: None,
        usage: None,
    })
}

/// The throttles of the accounts under management.
fn throttles(input: &Input<'_>, managed: Option<&[String]>) -> Vec<Throttle> {
    let lasting = |until: &jiff::Timestamp| until.duration_since(input.now) > LASTING_THROTTLE;
    let known = input.app.status.iter().flat_map(|s| &s.throttles);
    input
        .accounts
        .iter()
        .filter(|(id, _)| managed.is_none_or(|managed| managed.iter().any(|m| **m == ***id)))
        .filter_map(|(id, state)| {
            let until = state.failure.as_ref()?.error.throttled_until()?;
            let before = known.clone().find(|t| t.business_account_id.as_deref() == Some(id));
            // Once written it stands until it is over: the end must not move with every reconcile.
            let until = before.map_or(until, |t| t.until.0.max(until));
            (before.is_some() || lasting(&until))
                .then(|| Throttle { business_account_id: Some(id.to_string()), until: whole_seconds(until) })
        })
        .collect()
}

/// How the app's accounts are polled.
fn polling(input: &Input<'_>, token: &token_secret::Token) -> Option<Polling> {
    let secret = input.app_secret().ok()?;
    Some(Polling {
        access: input.access(token)?,
        token: format!("{} {} {}", token.fingerprint, secret.fingerprint, input.version),
        interval: input.poll_interval(),
        usage: input.app.spec.usage.is_some(),
    })
}

/// Who may refer to the app.
pub fn allowed(input: &Input<'_>) -> Allowed {
    match &input.app.spec.allowed_namespaces {
        Some(allowed) if allowed.from == AllowedFrom::All => Allowed::All,
        Some(allowed) if allowed.from == AllowedFrom::Selector => {
            Allowed::Selected(allowed.selector.clone().unwrap_or_default())
        }
        _ => Allowed::Same,
    }
}

fn wait(input: &Input<'_>, token: Option<&TokenState>, progress: Progress) -> Duration {
    let mut wait = match token {
        Some(TokenState::Live { info, token, .. }) => token::next(input, token, info),
        _ => input.timing.retry_interval,
    };
    if progress == Progress::Reconciling {
        wait = wait.min(input.timing.retry_interval);
    }
    if let Some(gap_ends) = input.gap_ends {
        wait = wait.min(gap_ends.saturating_duration_since(input.instant));
    }
    // Never so short that a plan which changes nothing keeps a core busy.
    wait.max(Duration::from_secs(1) / input.timing.speedup)
}
