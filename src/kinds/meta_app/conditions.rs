//! From the three checks of an app (credentials, token, accounts) to its phase, its conditions, and what its objects may rely on.

use std::time::{Duration, Instant};

use super::{
    accounts::Accounts,
    credentials,
    decision::{Blocker, CREDENTIALS_VALID, Input, TOKEN_VALID},
    token::TokenState,
};
use crate::{
    api::MetaAppPhase,
    controller::summary::{ConditionValue, Progress, StatusSummary},
    k8s::conditions::{self, READY, State},
    messages::{Reason, Reasons},
    observe::AppState,
};

const ACCOUNTS_SYNCED: &str = "AccountsSynced";

/// How an app stands.
pub struct Summary {
    /// Its phase.
    pub phase: MetaAppPhase,
    /// Its conditions.
    pub conditions: StatusSummary,
    /// What its objects may rely on.
    pub state: AppState,
    /// Nothing is known yet that would be better than what the status says already.
    pub keeps_status: bool,
}

/// What the checks found: the first that failed decides.
struct Findings {
    /// `None`: not known.
    phase: Option<MetaAppPhase>,
    summary: StatusSummary,
    state: AppState,
    /// Since when requests fail whose reply is needed.
    silent_since: Option<Instant>,
    /// Whether this process has not read what the last one read.
    unread: bool,
}

impl Findings {
    fn silent_for(&self, input: &Input<'_>) -> Option<Duration> {
        self.silent_since.map(|since| input.instant.saturating_duration_since(since))
    }

    /// After a restart, what the last leader knew is better than nothing, as long as Meta may just be slow.
    fn waits(&self, input: &Input<'_>) -> bool {
        self.unread && self.silent_for(input).is_some_and(|silent| silent <= input.stale_after())
    }

    /// Meta has been silent for so long that what is shown may be out of date.
    fn grow_stale(&mut self) {
        let why = &self.summary.ready.message;
        if self.state == AppState::Starting {
            // Those who refer to the app have waited long enough, too.
            self.state = AppState::NotReady(why.clone());
        }
        self.summary.ready = ConditionValue::unknown(Reason::Stale, format!("what is shown may be out of date: {why}"));
    }
}

/// What the three checks come to, and whether the last status still holds.
pub fn judge(
    input: &Input<'_>,
    credentials: &credentials::State,
    token: Option<&TokenState>,
    accounts: Option<&Accounts>,
) -> Summary {
    let mut found = find(input, credentials, token, accounts);
    let last = last_phase(input);
    let stands = last.is_some() && last == input.app.status.as_ref().and_then(|status| status.phase.clone());
    let same = stands && (found.phase.is_none() || found.phase == last);
    let keeps_status = same && is_of_this_spec(input) && !is_vague(input) && found.waits(input);
    if last.is_some() && found.silent_for(input) > Some(input.stale_after()) {
        found.grow_stale();
    }
    let Findings { phase, summary, state, .. } = found;
    Summary { phase: phase.or(last).unwrap_or(MetaAppPhase::Pending), conditions: summary, state, keeps_status }
}

fn find(
    input: &Input<'_>,
    credentials: &credentials::State,
    token: Option<&TokenState>,
    accounts: Option<&Accounts>,
) -> Findings {
    let mut conditions = Vec::new();
    match credentials {
        credentials::State::Failed(blocker) => {
            conditions.push((CREDENTIALS_VALID, blocker.finding.clone()));
            return blockerd(input, blocker, conditions);
        }
        credentials::State::Valid { finding, .. } => conditions.push((CREDENTIALS_VALID, finding.clone())),
    }
    match token {
        Some(TokenState::Unusable { blocker, .. }) => {
            conditions.push((TOKEN_VALID, blocker.finding.clone()));
            return blockerd(input, blocker, conditions);
        }
        Some(TokenState::Live { finding, .. }) => conditions.push((TOKEN_VALID, finding.clone())),
        None => {}
    }
    let Some(accounts) = accounts else {
        // Not reached: a live token leads to the accounts.
        let blocker = Blocker::silence("the business accounts have not been looked at yet".to_owned(), None);
        return blockerd(input, &blocker, conditions);
    };
    conditions.push((ACCOUNTS_SYNCED, accounts.finding.clone()));
    if accounts.ids.is_none() {
        let Accounts { finding, progress, silent_since, .. } = accounts;
        let phase = (*progress == Progress::Stalled).then_some(MetaAppPhase::Connected);
        let (finding, progress, silent_since) = (finding.clone(), *progress, *silent_since);
        return blockerd(input, &Blocker { phase, finding, progress, silent_since }, conditions);
    }
    let ready = if accounts.progress == Progress::Settled {
        let refused: Vec<&str> =
            conditions.iter().filter(|(_, c)| c.state == State::False).map(|(kind, _)| *kind).collect();
        let but = if refused.is_empty() {
            String::new()
        } else {
            format!("; but what your Secret holds cannot be used: {}", refused.join(", "))
        };
        let message = format!("credentials and token work, and {}{but}", accounts.finding.message);
        ConditionValue::yes(Reason::Connected, message)
    } else {
        accounts.finding.clone()
    };
    Findings {
        phase: Some(MetaAppPhase::Connected),
        summary: StatusSummary::of(ready, accounts.progress, conditions),
        state: AppState::Ready,
        silent_since: accounts.silent_since,
        unread: accounts.unread,
    }
}

fn blockerd(input: &Input<'_>, blocker: &Blocker, conditions: Vec<(&'static str, ConditionValue)>) -> Findings {
    let Blocker { phase, finding, progress, silent_since } = blocker;
    let state = match phase {
        Some(MetaAppPhase::ExpiredToken) => AppState::TokenExpired(finding.message.clone()),
        Some(_) if matches!(finding.reason, Reason::SecretNotFound | Reason::SecretKeyNotFound) => {
            AppState::Gone(finding.message.clone())
        }
        Some(_) => AppState::NotReady(finding.message.clone()),
        // Nothing is known against the app: its objects keep what they show.
        None => AppState::Starting,
    };
    Findings {
        phase: phase.clone(),
        summary: StatusSummary::of(finding.clone(), *progress, conditions),
        state,
        silent_since: *silent_since,
        unread: input.accounts.values().all(|account| account.snapshot.is_none()),
    }
}

/// The phase that stays while nothing is known; `None` where nothing ever was.
fn last_phase(input: &Input<'_>) -> Option<MetaAppPhase> {
    use MetaAppPhase::{AwaitingLogin, Conflict, Pending, Suspended, Unknown};
    Some(match input.app.status.as_ref()?.phase.clone()? {
        Pending => return None,
        // These described the object and not what is at Meta.
        AwaitingLogin | Conflict | Suspended => Unknown,
        phase => phase,
    })
}

/// Whether the status answers the spec as it is: one that was changed since is acknowledged.
fn is_of_this_spec(input: &Input<'_>) -> bool {
    let observed = input.app.status.as_ref().map(|status| status.observed_generation);
    observed.is_some() && observed == input.app.metadata.generation
}

/// Whether the status only says that nothing was known.
fn is_vague(input: &Input<'_>) -> bool {
    let conditions = input.app.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let ready = conditions::find(conditions, READY).map(|ready| ready.reason.as_str());
    [Reason::Reading, Reason::MetaUnreachable].iter().any(|vague| ready == Some(vague.as_str()))
}

/// Condition by condition, the reasons that it can have.
pub const REASONS: Reasons = &[
    (
        "Ready",
        &[
            Reason::Connected,
            Reason::Suspended,
            Reason::Conflict,
            Reason::InvalidSpec,
            Reason::NotYetSupported,
            Reason::Stale,
            Reason::MetaUnreachable,
            Reason::Throttled,
            Reason::SecretNotFound,
            Reason::SecretKeyNotFound,
            Reason::SecretValueInvalid,
            Reason::SecretUnreadable,
            Reason::SecretNameTaken,
            Reason::WrongAppID,
            Reason::WrongAppSecret,
            Reason::ExpiredToken,
            Reason::TokenOfAnotherApp,
            Reason::NoAccounts,
            Reason::Reading,
            Reason::ImportFailed,
            Reason::AccountNotReadable,
            Reason::AccountGone,
        ],
    ),
    (
        "CredentialsValid",
        &[
            Reason::Valid,
            Reason::SecretNotFound,
            Reason::SecretKeyNotFound,
            Reason::SecretValueInvalid,
            Reason::SecretUnreadable,
            Reason::WrongAppID,
            Reason::WrongAppSecret,
            Reason::ProvingAppSecret,
            Reason::MetaUnreachable,
        ],
    ),
    (
        "TokenValid",
        &[
            Reason::Valid,
            Reason::TokenExpiresSoon,
            Reason::ExchangeFailed,
            Reason::ProvingToken,
            Reason::TokenRejected,
            Reason::SecretNotFound,
            Reason::SecretKeyNotFound,
            Reason::SecretValueInvalid,
            Reason::SecretUnreadable,
            Reason::SecretNameTaken,
            Reason::ExpiredToken,
            Reason::TokenOfAnotherApp,
            Reason::MetaUnreachable,
        ],
    ),
    (
        "AccountsSynced",
        &[
            Reason::Synced,
            Reason::Reading,
            Reason::NoAccounts,
            Reason::AccountNotReadable,
            Reason::AccountGone,
            Reason::Throttled,
            Reason::MetaUnreachable,
            Reason::ImportFailed,
        ],
    ),
    ("PaymentReady", &[Reason::PaymentMethodSet, Reason::NoPaymentMethod, Reason::UsageNotReadable, Reason::Reading]),
    ("ClockInSync", &[Reason::ClockSkewed]),
    ("GraphVersionServed", &[Reason::GraphVersionEnded]),
    (
        "BindingTokenValid",
        &[
            Reason::Configured,
            Reason::SecretNotFound,
            Reason::SecretKeyNotFound,
            Reason::SecretValueInvalid,
            Reason::SecretUnreadable,
        ],
    ),
    ("WebhookConfigured", &[Reason::NotYetSupported]),
    ("LoginConfigured", &[Reason::NotYetSupported]),
    ("Releasable", &[Reason::NotYetSupported]),
];
