//! The vocabulary of an app's plan: what it reads, the step it may return, and the report it ends with. Pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::{ControlFlow, Deref},
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};

use super::{
    cached_answers::{AppAnswers, Credentials},
    import,
    token_secret::{Credential, Token, TokenSecret},
};
use crate::{
    api::{Action, Counts, ManagementPolicy, MetaApp, MetaAppPhase, MetaAppStatus},
    controller::{
        plan::Requeue,
        summary::{ConditionValue, Progress, StatusSummary},
    },
    graph::{Access, AppCredentials},
    k8s::conditions::{State, find},
    messages::Reason,
    observe::{AccountState, AppState, AppSummary, Polling},
    timing::Timing,
};

/// Condition about app ID and app secret.
pub const CREDENTIALS_VALID: &str = "CredentialsValid";
/// Condition about the token.
pub const TOKEN_VALID: &str = "TokenValid";

/// Why something that a person provides cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialError {
    /// From the closed list.
    pub reason: Reason,
    /// What is wrong, where, and what to do.
    pub message: String,
    /// Whether it may pass by itself.
    pub passing: bool,
    /// Names the value that is wrong, if there is one.
    pub fingerprint: Option<String>,
}

impl CredentialError {
    /// Whether a condition is false for it, though something else works: what may pass by itself is no fault yet.
    pub fn state(&self) -> State {
        if self.passing { State::True } else { State::False }
    }
}

/// Everything that a plan reads besides the object.
#[derive(Debug)]
pub struct Inputs {
    /// The older object with the same app ID, if there is one: its name, where it may be told.
    pub competing_object: Option<String>,
    /// What a person requests, and nothing was done about yet.
    pub requested: Vec<Action>,
    /// The app secret in the user's Secret.
    pub secret: Result<Credential, CredentialError>,
    /// The user's token; `None` where the spec names none.
    pub user_token: Option<Result<Credential, CredentialError>>,
    /// The token for bindings; `None` where the spec names none.
    pub binding_token: Option<Result<Credential, CredentialError>>,
    /// When to look again for a user's Secret that is away for a moment.
    pub gap_ends: Option<Instant>,
    /// The operator's copy.
    pub token_secret: Result<TokenSecret, CredentialError>,
    /// What Meta replied about the app.
    pub answers: AppAnswers,
    /// What the pollers found, by account.
    pub accounts: BTreeMap<Box<str>, AccountState>,
    /// The app's objects, counted.
    pub counts: Counts,
    /// The accounts that hold what its objects stand for.
    pub holding: BTreeSet<Box<str>>,
    /// Objects that an import would create or delete.
    pub import: import::Wanted,
    /// Why the last import failed, if it did, and when.
    pub import_failure: Option<(String, Instant)>,
    /// Whether an import created objects that no Event has reported yet.
    pub has_imported: bool,
    /// What was last published.
    pub published: Option<Publication>,
    /// The Graph version of requests.
    pub version: String,
    /// The Graph version that Meta serves instead, if it does.
    pub served: Option<String>,
    /// How far Meta's clock is ahead of ours.
    pub skew: SignedDuration,
    /// Whether the operator watches some namespaces only.
    pub namespaced: bool,
    /// Meta's clock.
    pub now: Timestamp,
    /// Our own clock, for waits.
    pub instant: Instant,
}

/// Everything that a plan reads.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// The object.
    pub app: &'a MetaApp,
    /// What is known besides.
    pub inputs: &'a Inputs,
    /// Every wait.
    pub timing: &'a Timing,
}

impl Deref for Input<'_> {
    type Target = Inputs;

    fn deref(&self) -> &Inputs {
        self.inputs
    }
}

impl Input<'_> {
    /// Whether a person requests this action, and nothing was done about it yet.
    pub fn is_requested(&self, action: Action) -> bool {
        self.requested.contains(&action)
    }

    /// The app secret in use: the user's once Meta accepted it, until then the one that Meta accepted last.
    pub fn app_secret(&self) -> Result<&Credential, &CredentialError> {
        let kept = self.token_secret.as_ref().ok().and_then(|kept| kept.app_secret.as_ref());
        match (kept, &self.secret) {
            (Some(kept), Ok(offered)) if !self.is_proven(offered) => Ok(kept),
            (Some(kept), Err(_)) => Ok(kept),
            (_, Ok(offered)) => Ok(offered),
            (None, Err(problem)) => Err(problem),
        }
    }

    /// The app secret in the user's Secret, where it is not the one that Meta accepted last.
    pub fn offered_secret(&self) -> Option<&Credential> {
        let kept = self.token_secret.as_ref().ok()?.app_secret.as_ref()?;
        self.secret.as_ref().ok().filter(|offered| offered.fingerprint != kept.fingerprint)
    }

    fn is_proven(&self, offered: &Credential) -> bool {
        let answer = self.answers.offered_secret.answer(&self.subject(offered));
        matches!(answer, Some(Credentials::Valid(_)))
    }

    /// The subject of answers about an app secret: another ID, secret or version is another subject.
    pub fn subject(&self, secret: &Credential) -> String {
        format!("{} {} {}", self.app.spec.app_id, secret.fingerprint, self.version)
    }

    /// App ID and app secret, as calls carry them; `None` where there is no app secret.
    pub fn credentials(&self) -> Option<AppCredentials> {
        self.app_secret().ok().map(|secret| self.credentials_with(secret))
    }

    /// The same with this app secret.
    pub fn credentials_with(&self, secret: &Credential) -> AppCredentials {
        AppCredentials { app_id: self.app.spec.app_id.clone(), app_secret: secret.value.clone() }
    }

    /// The right to call Meta with this token; `None` where there is no app secret.
    pub fn access(&self, token: &Token) -> Option<Access> {
        Some(Access { app: self.credentials()?, token: token.value.clone(), version: self.version.clone() })
    }

    /// What the status says against the value with this fingerprint: it stands until Meta is heard about the value again.
    pub fn standing(&self, kind: &str, fingerprint: &str) -> Option<ConditionValue> {
        let status = self.app.status.as_ref()?;
        let judged = match kind {
            CREDENTIALS_VALID => status.app.as_ref()?.secret_hash.as_ref(),
            _ => status.token.as_ref()?.secret_hash.as_ref(),
        };
        let last = find(&status.conditions, kind).filter(|_| judged.is_some_and(|judged| judged == fingerprint))?;
        let reason = Reason::named(&last.reason).filter(|_| last.status == State::False.as_str())?;
        let refused = matches!(reason, Reason::TokenRejected | Reason::WrongAppSecret);
        refused.then(|| ConditionValue::no(reason, last.message.clone()))
    }

    /// Whether the operator may write to Meta.
    pub fn may_write(&self) -> bool {
        self.app.spec.management_policy == ManagementPolicy::Full
    }

    /// `spec.pollInterval`, or the operator's default.
    pub fn poll_interval(&self) -> Duration {
        let given = self.app.spec.poll_interval.as_ref();
        given.map_or(self.timing.default_poll_interval, |wait| self.timing.scaled(wait.to_std()))
    }

    /// Without a complete read for this long, what is shown is stale.
    pub fn stale_after(&self) -> Duration {
        self.poll_interval() * self.timing.stale_intervals
    }
}

/// What is done before the app is planned again.
#[derive(Debug)]
pub enum Step {
    /// Make every answer of Meta due.
    ReadAgain,
    /// Test at Meta whether app ID and app secret belong together.
    TestCredentials,
    /// The same with an app secret that is not in use yet.
    TestOfferedSecret,
    /// Write the operator's copy with an app secret that Meta accepted. The app works without it.
    KeepSecret(TokenSecret),
    /// Write the operator's copy of the token.
    SaveTokens(TokenSecret),
    /// Inspect the live token.
    InspectLive,
    /// Inspect the candidate.
    InspectCandidate,
    /// Try to read these accounts with the candidate.
    Probe(Vec<Box<str>>),
    /// Exchange the live token for one that lasts longer.
    Exchange,
    /// List the accounts that the live token sees.
    Discover,
    /// Hand to pollers and objects what they work with.
    Publish(Publication),
    /// Create and delete these objects.
    Import(import::Wanted),
    /// Report by an Event what the import created.
    ReportImport,
}

/// What pollers and the app's objects work with.
#[derive(Debug, Clone, PartialEq)]
pub struct Publication {
    /// What the app's objects may rely on.
    pub summary: AppSummary,
    /// Which accounts there are, polled or not.
    pub accounts: Vec<String>,
    /// How to poll the accounts; `None` polls none.
    pub polling: Option<Polling>,
    /// How many templates each account may have, as far as the status says so.
    pub template_limits: Vec<(String, u32)>,
    /// When the token in use ends, if it does.
    pub token_expires: Option<Timestamp>,
    /// The app's conditions, for metrics: type, status and reason.
    pub conditions: Vec<(&'static str, State, Reason)>,
}

/// How an app stands, when nothing is left to find out.
#[derive(Debug)]
pub struct AppReport {
    /// The status to write, without conditions and history.
    pub status: MetaAppStatus,
    /// Its conditions.
    pub summary: StatusSummary,
    /// What the app's objects may rely on.
    pub state: AppState,
    /// How to poll the accounts; `None` polls none.
    pub polling: Option<Polling>,
    /// Which accounts there are, polled or not.
    pub accounts: Vec<String>,
    /// Objects to create and delete next.
    pub import: import::Wanted,
    /// Nothing is known yet that would be better than what the status says already: do not write it.
    pub keeps_status: bool,
    /// When to plan again, if nothing happens.
    pub next: Requeue,
}

/// Why a check fails, and the next one is not made.
#[derive(Debug, Clone)]
pub struct Blocker {
    /// The app's phase; `None`: not known, the last one stays.
    pub phase: Option<MetaAppPhase>,
    /// What is wrong.
    pub finding: ConditionValue,
    /// Who has to act.
    pub progress: Progress,
    /// Since when requests to Meta fail, if that is what is wrong.
    pub silent_since: Option<Instant>,
}

impl Blocker {
    /// A person has to act.
    pub fn stalled(phase: MetaAppPhase, finding: ConditionValue) -> Self {
        Self { phase: Some(phase), finding, progress: Progress::Stalled, silent_since: None }
    }

    /// Requests to Meta fail.
    pub fn silence(message: String, since: Option<Instant>) -> Self {
        let finding = ConditionValue::unknown(Reason::MetaUnreachable, message);
        Self { phase: None, finding, progress: Progress::Reconciling, silent_since: since }
    }

    /// Something that a person provides cannot be used.
    pub fn unusable(problem: &CredentialError) -> Self {
        let finding = ConditionValue::no(problem.reason, problem.message.clone());
        if problem.passing {
            return Self { phase: None, finding, progress: Progress::Reconciling, silent_since: None };
        }
        Self::stalled(MetaAppPhase::Pending, finding)
    }
}

/// Either a step to take first, or the end.
pub type Checked<T> = ControlFlow<Step, T>;
