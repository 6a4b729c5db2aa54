//! The app's business accounts: which there are, and whether they can be read.

use std::{ops::ControlFlow, time::Instant};

use jiff::SignedDuration;
use kube::ResourceExt;

use super::{
    decision::{Checked, Input, Step},
    secret_problems::where_and_command,
    token_secret::Token,
};
use crate::{
    api::{BusinessAccount, MetaApp, whole_seconds},
    controller::summary::{ConditionValue, Progress},
    graph::{
        self, Class,
        types::{AccountScope, TokenInfo},
    },
    messages::{Reason, commands},
    observe::{AccountState, Failure},
};

/// The scope without which Meta refuses every account.
const MANAGEMENT: &str = "whatsapp_business_management";

/// How many accounts a message names.
const NAMED: usize = 3;

/// For how long an account that is gone is remembered at least.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);

/// The accounts under management, and how they read.
#[derive(Debug)]
pub struct Accounts {
    /// Sorted; `None` where it is not known which there are.
    pub ids: Option<Vec<String>>,
    /// Condition `AccountsSynced`.
    pub finding: ConditionValue,
    /// Who has to act.
    pub progress: Progress,
    /// Since when requests fail whose reply is needed.
    pub silent_since: Option<Instant>,
    /// Whether an account was not read yet by this process, and was by the last one.
    pub unread: bool,
    /// What was known of those that the token does not show any more.
    pub gone: Vec<BusinessAccount>,
}

/// Which accounts there are, sorted; `None` where that is not known yet.
pub fn listed(input: &Input<'_>, live: &Token, info: &TokenInfo) -> Checked<Option<Vec<String>>> {
    let ids = match (&input.app.spec.business_account_ids, info.account_scope()) {
        (Some(ids), _) => Some(ids.clone()),
        (None, AccountScope::Listed(ids)) => Some(ids.iter().map(ToString::to_string).collect()),
        (None, AccountScope::All) => {
            let timing = input.timing;
            if input.answers.accounts.due(
                &live.fingerprint,
                timing.inspect_interval,
                timing.retry_interval,
                input.instant,
            ) {
                return ControlFlow::Break(Step::Discover);
            }
            input.answers.accounts.answer(&live.fingerprint).cloned()
        }
    };
    ControlFlow::Continue(ids.map(|mut ids| {
        ids.sort();
        ids.dedup();
        ids
    }))
}

/// Lists the accounts, and judges what the pollers found.
pub fn check(input: &Input<'_>, live: &Token, info: &TokenInfo) -> Checked<Accounts> {
    ControlFlow::Continue(match listed(input, live, info)? {
        Some(ids) => judge(input, ids, lacking_scope(input, info)),
        None => unlisted(input, live, lacking_scope(input, info)),
    })
}

/// What to do where the token lacks the scope without which Meta refuses every account, whoever is assigned to it.
fn lacking_scope(input: &Input<'_>, info: &TokenInfo) -> Option<String> {
    if info.scopes.iter().any(|scope| **scope == *MANAGEMENT) {
        return None;
    }
    Some(format!(
        "The token lacks the scope {MANAGEMENT}: generate one that has it (Business settings > System users > Generate new token), \
         and put it into {}",
        where_and_command(input)
    ))
}

/// Those that are known from before stay.
fn unlisted(input: &Input<'_>, live: &Token, lacking_scope: Option<String>) -> Accounts {
    let known = (!input.accounts.is_empty()).then(|| input.accounts.keys().map(ToString::to_string).collect());
    let error = input.answers.accounts.failure(&live.fingerprint);
    let why = input.answers.accounts.failure_text(&live.fingerprint);
    if error.is_some_and(needs_person) {
        let remedy = lacking_scope.unwrap_or_else(|| {
            format!(
                "Name them in spec.businessAccountIDs ({}), or give the token's system user the right (Business settings > \
                 System users)",
                commands::with("edit", input.app)
            )
        });
        let message = format!("the token does not let the operator list its business accounts: {why}. {remedy}");
        let finding = ConditionValue::no(Reason::NoAccounts, message);
        return Accounts {
            ids: known,
            finding,
            progress: Progress::Stalled,
            silent_since: None,
            unread: false,
            gone: Vec::new(),
        };
    }
    let message = format!("the business accounts could not be listed: {why}; the operator keeps trying");
    Accounts {
        ids: known,
        finding: ConditionValue::unknown(Reason::MetaUnreachable, message),
        progress: Progress::Reconciling,
        silent_since: input.answers.accounts.failing_since(&live.fingerprint),
        unread: false,
        gone: Vec::new(),
    }
}

/// Whether the live token can read an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readable {
    /// It did, and nothing says otherwise.
    Yes,
    /// Meta refuses.
    No,
    /// It was never read, and Meta has not refused.
    Open,
}

/// Whether the live token can read the account.
pub fn readable(input: &Input<'_>, account: &str) -> Readable {
    let Some(state) = input.accounts.get(account) else { return Readable::Open };
    match (&state.failure, &state.snapshot) {
        (Some(failure), _) if !passes(&failure.error) => Readable::No,
        (_, Some(_)) => Readable::Yes,
        (_, None) => Readable::Open,
    }
}

fn judge(input: &Input<'_>, ids: Vec<String>, lacking_scope: Option<String>) -> Accounts {
    let gone = gone(input, &ids);
    if ids.is_empty() && gone.is_empty() {
        let remedy = lacking_scope.unwrap_or_else(|| {
            format!(
                "Assign the accounts to the token's system user (Business settings > System users), or name them in \
                 spec.businessAccountIDs: {}",
                commands::with("edit", input.app)
            )
        });
        let message = format!("the token does not let the operator see any business account. {remedy}");
        let finding = ConditionValue::no(Reason::NoAccounts, message);
        let progress = Progress::Stalled;
        return Accounts { ids: Some(ids), finding, progress, silent_since: None, unread: false, gone: Vec::new() };
    }
    let (finding, progress) = find(input, &ids, &gone, lacking_scope);
    let stalled = progress == Progress::Stalled;
    let silent_since = ids.iter().filter_map(|id| silent_since(input, id)).min().filter(|_| !stalled);
    let unread = ids.iter().any(|id| readable(input, id) == Readable::Open && was_read(input, id));
    Accounts { ids: Some(ids), finding, progress, silent_since, unread, gone }
}

/// The accounts that were read once and that Meta does not show any more: to the token, or at all. Where the spec names the
/// accounts, a person took out those that it does not name.
fn gone(input: &Input<'_>, ids: &[String]) -> Vec<BusinessAccount> {
    let known = input.app.status.iter().flat_map(|status| &status.business_accounts);
    let is_gone = |account: &&BusinessAccount| {
        if ids.contains(&account.id) {
            let failure = input.accounts.get(account.id.as_str()).and_then(|state| state.failure.as_ref());
            failure.is_some_and(|failure| failure.error.is_not_found())
        } else {
            input.app.spec.business_account_ids.is_none() && is_remembered(input, account)
        }
    };
    let gone = known.filter(|account| account.numbers.is_some()).filter(is_gone).cloned();
    gone.map(|account| {
        let since = account.gone_since.clone().unwrap_or_else(|| whole_seconds(input.now));
        BusinessAccount { gone_since: Some(since), ..account }
    })
    .collect()
}

fn is_remembered(input: &Input<'_>, account: &BusinessAccount) -> bool {
    let is_new = account.gone_since.as_ref().is_none_or(|since| input.now.duration_since(since.0) < REMEMBERED);
    is_new || input.holding.contains(account.id.as_str())
}

fn find(
    input: &Input<'_>,
    ids: &[String],
    gone: &[BusinessAccount],
    lacking_scope: Option<String>,
) -> (ConditionValue, Progress) {
    if !gone.is_empty() {
        let message = is_gone(input.app, gone);
        return (ConditionValue::no(Reason::AccountGone, message), Progress::Stalled);
    }
    let failures: Vec<(&String, &Failure)> =
        ids.iter().filter_map(|id| Some((id, input.accounts.get(id.as_str())?.failure.as_ref()?))).collect();
    if let Some((_, worst)) = failures.iter().max_by_key(|(_, f)| needs_person(&f.error)) {
        let person = needs_person(&worst.error);
        let shown: Vec<_> = failures.iter().filter(|(_, f)| needs_person(&f.error) == person).copied().collect();
        return failed(input, &shown, person, lacking_scope);
    }
    if ids.iter().any(|id| readable(input, id) == Readable::Open) {
        let message = "the business accounts are being read for the first time";
        return (ConditionValue::no(Reason::Reading, message), Progress::Reconciling);
    }
    if let Some((why, _)) = &input.import_failure {
        return (ConditionValue::no(Reason::ImportFailed, why.clone()), Progress::Reconciling);
    }
    let accounts =
        if ids.len() == 1 { "the business account".to_owned() } else { format!("all {} business accounts", ids.len()) };
    (
        ConditionValue::yes(
            Reason::Synced,
            format!("{accounts} can be read{}{}", without(input, ids), left_out(input)),
        ),
        Progress::Settled,
    )
}

/// The fields that Meta does not have for an account.
fn without(input: &Input<'_>, ids: &[String]) -> String {
    let refused = ids.iter().filter_map(|id| {
        let snapshot = input.accounts.get(id.as_str())?.snapshot.as_ref()?;
        let fields = snapshot.refused_fields();
        (!fields.is_empty()).then(|| format!("{id}: {}", fields.join(", ")))
    });
    let refused: Vec<String> = refused.collect();
    if refused.is_empty() {
        return String::new();
    }
    let more = refused.len().saturating_sub(NAMED);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    let named = refused.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join("; ");
    format!(". Meta does not have these fields for them, and the operator reads the rest: {named}{more}")
}

/// What an import leaves out because no object can stand for it.
fn left_out(input: &Input<'_>) -> String {
    let unfit = &input.import.unfit;
    if unfit.is_empty() {
        return String::new();
    }
    let named: Vec<String> =
        unfit.iter().take(NAMED).map(|claim| format!("{} ({})", claim.key.name, claim.key.language)).collect();
    let more = unfit.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!(
        ". The operator leaves templates out of the import ({} in all), because a MessageTemplate cannot have their name or \
         language: {}{more}",
        unfit.len(),
        named.join(", ")
    )
}

/// Since when nothing new is known of an account; `None` while it reads well.
fn silent_since(input: &Input<'_>, account: &str) -> Option<Instant> {
    let state = input.accounts.get(account);
    match state.and_then(AccountState::unread_since) {
        None if state.is_none_or(|state| state.snapshot.is_none()) => Some(input.instant),
        since => since,
    }
}

/// Whether the status shows what an earlier process read of the account.
fn was_read(input: &Input<'_>, account: &str) -> bool {
    input.app.status.as_ref().is_some_and(|status| {
        status.business_accounts_omitted > 0
            || status.business_accounts.iter().any(|known| known.id == account && known.numbers.is_some())
    })
}

/// Whether the failure may pass without anybody's doing.
fn passes(error: &graph::Error) -> bool {
    matches!(error.class(), Class::Transient | Class::Throttled { .. })
}

/// What to say of accounts that the token does not show any more.
pub fn is_gone(app: &MetaApp, gone: &[BusinessAccount]) -> String {
    let namespace = app.namespace().unwrap_or_default();
    let named_in_spec =
        if app.spec.business_account_ids.is_some() { "take them out of spec.businessAccountIDs and " } else { "" };
    let named = gone.iter().take(NAMED).map(|account| match &account.name {
        Some(name) => format!("{} ({name})", account.id),
        None => account.id.clone(),
    });
    let named = named.collect::<Vec<_>>().join(", ");
    let more = gone.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!(
        "business accounts that the app managed and that its token does not show any more: {named}{more}. Somebody deleted them \
         or took them from the token's system user. Their numbers and templates keep the last known values. Assign the accounts \
         again (Business settings > System users); or, where they are gone for good, {named_in_spec}delete the objects of their \
         numbers and templates. To see the objects: {}",
        commands::line(&format!("kubectl -n {namespace} get wan,wamt -o wide")),
    )
}

/// A dead token is reported once, and not for each account.
fn needs_person(error: &graph::Error) -> bool {
    !passes(error) && !error.is_token()
}

fn failed(
    input: &Input<'_>,
    failures: &[(&String, &Failure)],
    person: bool,
    lacking_scope: Option<String>,
) -> (ConditionValue, Progress) {
    let listed: Vec<String> = failures.iter().take(NAMED).map(|(id, f)| format!("{id}: {}", f.error)).collect();
    let more = failures.len().saturating_sub(NAMED);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    let listed = format!("{}{more}", listed.join("; "));
    if person {
        let edit = commands::with("edit", input.app);
        let mut what = "business accounts that cannot be read";
        let remedy = if failures.iter().all(|(_, f)| f.error.is_no_account()) {
            what = "spec.businessAccountIDs has IDs of other things";
            format!("Put in their place the IDs that Business settings > Accounts > WhatsApp accounts shows: {edit}")
        } else if failures.iter().all(|(_, f)| f.error.is_refused_field()) {
            format!("Set spec.graphVersion to a version that has the field, or update the operator: {edit}")
        } else if failures.iter().any(|(_, f)| f.error.is_refused_field()) {
            format!(
                "Correct the IDs in spec.businessAccountIDs ({edit}), and assign the accounts that the token cannot see to its \
                 system user (Business settings > System users)"
            )
        } else if let Some(remedy) = lacking_scope {
            what = "business accounts that the token cannot read";
            remedy
        } else {
            what = "business accounts that the token cannot read";
            format!(
                "Assign them to the token's system user (Business settings > System users), or take them out of \
                 spec.businessAccountIDs: {edit}"
            )
        };
        let message = format!("{what}: {listed}. {remedy}. The last known values stay");
        return (ConditionValue::no(Reason::AccountNotReadable, message), Progress::Stalled);
    }
    let throttled = failures.iter().all(|(_, f)| f.error.throttled_until().is_some());
    let reason = if throttled { Reason::Throttled } else { Reason::MetaUnreachable };
    let message =
        format!("business accounts could not be read: {listed}. The last known values stay; the operator keeps trying");
    (ConditionValue::no(reason, message), Progress::Reconciling)
}
