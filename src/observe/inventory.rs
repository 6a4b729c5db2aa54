//! What is known of Meta: the apps, their accounts, and the last complete read of each. Only the pollers and the `MetaApp`
//! reconciler write it; everything else reads it.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use ahash::AHashMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use parking_lot::RwLock;
use tracing::{info, warn};

use super::{
    snapshot::{Changes, Snapshot, TemplateKey},
    usage::{Usage, UsageState},
};
use crate::api::AppKey;
use crate::graph::{
    self, AccountRead,
    types::{PhoneNumber, Template},
};
use crate::{k8s::secrets::ComparableSecret, timing::now};

/// Whether facts read with an app can be relied on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum AppState {
    /// This process has not tested the app yet: nothing is known.
    #[default]
    Starting,
    /// Credentials and token work.
    Ready,
    /// `spec.suspend` on the app.
    Suspended,
    /// The live token is not valid; the remedy.
    TokenExpired(String),
    /// A person has to act on the app; the cause.
    NotReady(String),
    /// The app's Secret, or a key in it, is missing; which.
    Gone(String),
}

/// Which namespaces may refer to an app, besides its own.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Allowed {
    /// None but its own.
    #[default]
    Same,
    /// Every namespace.
    All,
    /// Those whose labels match.
    Selected(LabelSelector),
}

/// An app, as its reconciler reports it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AppSummary {
    /// Whether its facts can be relied on.
    pub standing: AppState,
    /// Who may refer to it.
    pub allowed: Allowed,
    /// Whether the operator changes nothing at Meta with its token (`managementPolicy: Observe`).
    pub observes: bool,
    /// Without a complete read for this long, an account is stale.
    pub stale_after: Duration,
    /// Names the token in use.
    pub token: String,
    /// What bindings hand out.
    pub binding_token: BindingToken,
}

/// The token that bindings hand out.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum BindingToken {
    /// The token in use, and that in the app's own namespace only.
    #[default]
    InUse,
    /// The one that the app names for it.
    Named(ComparableSecret),
    /// The app names one that is not there: none.
    Missing,
    /// The app names one that could not be read just now: what bindings hold stays.
    Unread,
}

/// Why an account's last read failed.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The error.
    pub error: graph::Error,
    /// Identifies the token that was used: the failure proves nothing about another one.
    pub token: String,
    /// When it failed.
    pub at: Instant,
}

impl Failure {
    /// When Meta refused the token whose fingerprint begins like this, if it did.
    #[must_use]
    pub fn refuses(&self, token: &str) -> Option<Instant> {
        (self.error.is_token() && self.token.starts_with(token)).then_some(self.at)
    }
}

/// An account as last read.
#[derive(Debug, Clone, Default)]
pub struct AccountState {
    /// The last complete read, if there was one.
    pub snapshot: Option<Arc<Snapshot>>,
    /// Set while reads fail.
    pub failure: Option<Failure>,
    /// When the first read failed after which none worked.
    failing_since: Option<Instant>,
    /// Set from the end of one way to read the account to the first read in another way.
    interrupted: bool,
    /// How many templates Meta allows, once read.
    pub template_limit: Option<u32>,
    /// What its messages came to, where the app asks for it.
    pub usage: UsageState,
}

impl AccountState {
    /// While reads fail: since when nothing newer is known.
    #[must_use]
    pub fn unread_since(&self) -> Option<Instant> {
        self.failure.as_ref()?;
        self.snapshot.as_ref().map(|snapshot| snapshot.started).or(self.failing_since)
    }
}

/// What the accounts of an app show of one number or template.
#[derive(Debug, Clone, PartialEq)]
pub enum Observation<T> {
    /// This process has not completely read every account that could hold it: nothing is known.
    Unread,
    /// The same, and for so long that what is shown may be out of date.
    Unreadable,
    /// The app does not manage the account that the object names.
    Unmanaged,
    /// It is there.
    Present {
        /// The account that holds it.
        account: Box<str>,
        /// What Meta shows.
        facts: T,
        /// Start of the read that showed it.
        read: Instant,
        /// Whether the account has not been readable for so long that this may be out of date.
        stale: bool,
    },
    /// Every account that could hold it was read, and lacks it.
    Absent {
        /// Start of the first complete read that lacked it.
        since: Instant,
        /// Start of the last one.
        read: Instant,
        /// Whether an account has not been readable for so long that this may be out of date.
        stale: bool,
    },
}

impl<T> Observation<T> {
    /// Start of the last complete read behind it.
    #[must_use]
    pub fn read(&self) -> Option<Instant> {
        match self {
            Self::Present { read, .. } | Self::Absent { read, .. } => Some(*read),
            Self::Unread | Self::Unreadable | Self::Unmanaged => None,
        }
    }
}

/// One line for each change of what cannot be read.
fn warn_of(key: &AppKey, account: &str, (numbers, templates, values): (usize, usize, u32)) {
    if (numbers, templates, values) == (0, 0, 0) {
        info!(app = %key, account, "everything that Meta sends of the account can be read again");
    } else {
        warn!(app = %key, account, numbers, templates, values,
            "Meta sent values of the account that make no sense; the operator leaves them out and keeps what it last read");
    }
}

#[derive(Default)]
struct App {
    view: AppSummary,
    accounts: BTreeMap<Box<str>, AccountState>,
}

/// See the module.
#[derive(Default)]
pub struct Inventory(RwLock<AHashMap<AppKey, App>>);

impl Inventory {
    /// Records an app and the accounts that it manages; accounts that are no longer listed are forgotten. True if anything
    /// changed.
    pub fn set_app(&self, key: &AppKey, view: AppSummary, accounts: &[String]) -> bool {
        let mut apps = self.0.write();
        let app = apps.entry(key.clone()).or_default();
        let listed = |id: &str| accounts.iter().any(|account| account == id);
        let changed =
            app.view != view || app.accounts.len() != accounts.len() || !app.accounts.keys().all(|id| listed(id));
        app.view = view;
        app.accounts.retain(|id, _| listed(id));
        for id in accounts {
            app.accounts.entry(id.as_str().into()).or_default();
        }
        changed
    }

    /// Forgets an app.
    pub fn remove_app(&self, key: &AppKey) {
        self.0.write().remove(key);
    }

    /// The app as its reconciler last reported it; `None` if there is no such app.
    #[must_use]
    pub fn app(&self, key: &AppKey) -> Option<AppSummary> {
        self.0.read().get(key).map(|app| app.view.clone())
    }

    /// Whether the app manages the account, as far as known.
    #[must_use]
    pub fn manages(&self, key: &AppKey, account: &str) -> bool {
        self.0.read().get(key).is_some_and(|app| app.accounts.contains_key(account))
    }

    /// The app's accounts by id.
    #[must_use]
    pub fn accounts(&self, key: &AppKey) -> BTreeMap<Box<str>, AccountState> {
        self.0.read().get(key).map(|app| app.accounts.clone()).unwrap_or_default()
    }

    /// Records a complete read of an account; returns what differs from the read before.
    pub fn replace(&self, key: &AppKey, account: &str, read: AccountRead) -> Changes {
        let mut apps = self.0.write();
        let Some(state) = apps.get_mut(key).and_then(|app| app.accounts.get_mut(account)) else {
            return Changes::default();
        };
        let before = state.snapshot.take();
        let snapshot = Snapshot::new(read, before.as_ref());
        let mut changes = snapshot.changes(before.as_ref());
        // Objects that report the failure must report its end.
        changes.fresh |= state.failure.take().is_some() | std::mem::take(&mut state.interrupted);
        let unreadable = snapshot.unreadable();
        let refused = before.as_ref().map(|before| before.refused_fields()).unwrap_or_default();
        if snapshot.refused_fields() != refused {
            let fields = snapshot.refused_fields().join(", ");
            warn!(app = %key, account, fields, "Meta does not have these fields for the account; the operator reads it without them");
        }
        let known = before.map_or((0, 0, 0), |before| before.unreadable());
        if unreadable != known {
            warn_of(key, account, unreadable);
        }
        state.snapshot = Some(Arc::new(snapshot));
        state.failing_since = None;
        changes
    }

    /// Records a failed read; true for the first failure, or another one than the last.
    pub fn fail(&self, key: &AppKey, account: &str, failure: Failure) -> bool {
        let mut apps = self.0.write();
        let Some(state) = apps.get_mut(key).and_then(|app| app.accounts.get_mut(account)) else { return false };
        let news = state.failure.as_ref().is_none_or(|f| f.error.to_string() != failure.error.to_string());
        state.failing_since.get_or_insert(failure.at);
        state.failure = Some(failure);
        news
    }

    /// When what the account shows is out of date, while reads fail.
    #[must_use]
    pub fn stale_at(&self, key: &AppKey, account: &str) -> Option<Instant> {
        let apps = self.0.read();
        let app = apps.get(key)?;
        Some(app.accounts.get(account)?.unread_since()? + app.view.stale_after)
    }

    /// The account is about to be read in another way: earlier failures prove nothing about it.
    pub fn start_anew(&self, key: &AppKey, account: &str) {
        let mut apps = self.0.write();
        if let Some(state) = apps.get_mut(key).and_then(|app| app.accounts.get_mut(account)) {
            state.interrupted |= state.failure.take().is_some();
            state.failing_since = None;
        }
    }

    /// Records the template limit of an account that an earlier process read, unless this one has read it.
    pub fn recall_template_limit(&self, key: &AppKey, account: &str, limit: u32) {
        let mut apps = self.0.write();
        if let Some(state) = apps.get_mut(key).and_then(|app| app.accounts.get_mut(account)) {
            state.template_limit.get_or_insert(limit);
        }
    }

    /// Records the template limit of an account; true if it changed.
    pub fn set_template_limit(&self, key: &AppKey, account: &str, limit: u32) -> bool {
        let mut apps = self.0.write();
        apps.get_mut(key)
            .and_then(|app| app.accounts.get_mut(account))
            .is_some_and(|state| state.template_limit.replace(limit) != Some(limit))
    }

    /// Records the usage of an account, or why it could not be read; what was read before stays then. True if anything changed.
    pub fn set_usage(&self, key: &AppKey, account: &str, usage: Result<Usage, String>) -> bool {
        let mut apps = self.0.write();
        let Some(state) = apps.get_mut(key).and_then(|app| app.accounts.get_mut(account)) else { return false };
        let known = &mut state.usage;
        match usage {
            Ok(usage) => {
                let is_news = known.usage.as_deref() != Some(&usage) || known.failure.is_some();
                *known = UsageState { usage: Some(Arc::new(usage)), failure: None };
                is_news
            }
            Err(failure) => known.failure.replace(failure) != known.failure,
        }
    }

    /// Forgets the usage of an account: the app does not ask for it any more.
    pub fn forget_usage(&self, key: &AppKey, account: &str) {
        let mut apps = self.0.write();
        if let Some(state) = apps.get_mut(key).and_then(|app| app.accounts.get_mut(account)) {
            state.usage = UsageState::default();
        }
    }

    /// The usage of every account of every app, where it was read.
    #[must_use]
    pub fn usages(&self) -> Vec<(AppKey, Box<str>, Arc<Usage>)> {
        let apps = self.0.read();
        let accounts = apps.iter().flat_map(|(key, app)| app.accounts.iter().map(move |account| (key, account)));
        accounts.filter_map(|(key, (id, state))| Some((key.clone(), id.clone(), state.usage.usage.clone()?))).collect()
    }

    /// How long ago the last complete read of each account began; where there was none, the first that failed.
    #[must_use]
    pub fn read_ages(&self) -> Vec<(AppKey, Box<str>, Duration)> {
        let (apps, now) = (self.0.read(), now());
        let accounts = apps.iter().flat_map(|(key, app)| app.accounts.iter().map(move |account| (key, account)));
        let age = |state: &AccountState| {
            let since = state.snapshot.as_ref().map(|snapshot| snapshot.started).or(state.failing_since)?;
            Some(now.saturating_duration_since(since))
        };
        accounts.filter_map(|(key, (id, state))| Some((key.clone(), id.clone(), age(state)?))).collect()
    }

    /// What the app's accounts show of a number; only what `account` shows, if it is given.
    #[must_use]
    pub fn number(&self, key: &AppKey, account: Option<&str>, digits: u64) -> Observation<PhoneNumber> {
        let absent_since = |s: &Snapshot| (!s.may_hide_number(digits)).then(|| s.number_absent_since(digits));
        self.seek(key, account, |s| s.number(digits), PhoneNumber::is_gone, absent_since)
    }

    /// Which of the app's accounts list a number that is not gone from there, sorted. Of an account that was not read yet,
    /// `known` says whether it did.
    #[must_use]
    pub fn accounts_of_number(&self, key: &AppKey, digits: u64, known: impl Fn(&str) -> bool) -> Vec<Box<str>> {
        let apps = self.0.read();
        let accounts = apps.get(key).into_iter().flat_map(|app| &app.accounts);
        let lists = |id: &str, state: &AccountState| match &state.snapshot {
            Some(snapshot) => snapshot.number(digits).is_some_and(|number| !number.is_gone()),
            None => known(id),
        };
        accounts.filter(|(id, state)| lists(id, state)).map(|(id, _)| id.clone()).collect()
    }

    /// What an account shows of a template.
    #[must_use]
    pub fn template(&self, key: &AppKey, account: &str, template: &TemplateKey) -> Observation<Template> {
        let absent_since = |s: &Snapshot| (!s.may_hide_template(template)).then(|| s.template_absent_since(template));
        self.seek(key, Some(account), |s| s.template(template), |_| false, absent_since)
    }

    /// A number that one account holds and another lists as gone is in the one that holds it.
    fn seek<T: Clone>(
        &self,
        key: &AppKey,
        account: Option<&str>,
        find: impl Fn(&Snapshot) -> Option<&T>,
        is_gone: impl Fn(&T) -> bool,
        absent_since: impl Fn(&Snapshot) -> Option<Instant>,
    ) -> Observation<T> {
        let apps = self.0.read();
        let Some(app) = apps.get(key) else { return Observation::Unread };
        if account.is_some_and(|id| !app.accounts.contains_key(id)) {
            // Until the first discovery the accounts are not known.
            return if app.view.standing == AppState::Starting { Observation::Unread } else { Observation::Unmanaged };
        }
        let now = now();
        let is_stale = |state: &AccountState| {
            state.unread_since().is_some_and(|since| now.saturating_duration_since(since) > app.view.stale_after)
        };
        let candidates = || app.accounts.iter().filter(|(id, _)| account.is_none_or(|wanted| wanted == &***id));
        let found = candidates().filter_map(|(id, state)| {
            let snapshot = state.snapshot.as_ref()?;
            Some((id, state, snapshot.started, find(snapshot)?))
        });
        if let Some((id, state, read, facts)) = found.min_by_key(|(.., facts)| is_gone(facts)) {
            return Observation::Present { account: id.clone(), facts: facts.clone(), read, stale: is_stale(state) };
        }
        let reads: Option<Vec<_>> = candidates()
            .map(|(_, state)| {
                let snapshot = state.snapshot.as_ref()?;
                Some((absent_since(snapshot)?, snapshot.started, is_stale(state)))
            })
            .collect();
        let absent = reads.and_then(|reads| {
            // Gone since the last account lacked it; read when the first was read.
            let since = reads.iter().map(|(since, ..)| *since).max()?;
            let read = reads.iter().map(|(_, read, _)| *read).min()?;
            Some(Observation::Absent { since, read, stale: reads.iter().any(|(.., stale)| *stale) })
        });
        let blind = || candidates().any(|(_, state)| state.snapshot.is_none() && is_stale(state));
        absent.unwrap_or_else(|| if blind() { Observation::Unreadable } else { Observation::Unread })
    }
}
