//! Import: objects for what is found at Meta and nobody claims. They are created once and never touched again.

use std::time::{Duration, Instant};

use ahash::{AHashMap, AHashSet};
use kube::{ResourceExt, core::ObjectMeta};
use sha2::{Digest, Sha256};

use crate::{
    api::{
        AppRef, Direction, ImportNumbers, ImportTemplates, ManagementPolicy, MessageTemplate, MessageTemplateSpec,
        MetaApp, WhatsAppNumber, WhatsAppNumberSpec, labels::IMPORTED_BY,
    },
    controller::ownership::{NumberClaim, TemplateClaim},
    graph::types::{PhoneNumber, Template, TemplateSource},
    observe::{Snapshot, TemplateKey, digits},
};

/// How many objects are created before the app's status is looked at again.
const BATCH: usize = 512;

/// Longest name of an object.
const NAME_LIMIT: usize = 253;

/// A created object counts as claimed for this long, though the watch may not have brought it yet.
const MEMORY: Duration = Duration::from_mins(1);

/// What was created a moment ago.
#[derive(Debug, Default)]
pub struct Created {
    numbers: AHashMap<NumberClaim, Instant>,
    templates: AHashMap<TemplateClaim, Instant>,
}

impl Created {
    /// Remembers a batch.
    pub fn remember(&mut self, batch: &Batch, now: Instant) {
        self.numbers.retain(|_, at| now.saturating_duration_since(*at) < MEMORY);
        self.templates.retain(|_, at| now.saturating_duration_since(*at) < MEMORY);
        self.numbers.extend(batch.numbers.iter().map(|(_, digits)| (NumberClaim::of(*digits), now)));
        self.templates.extend(batch.templates.iter().map(|claim| (claim.clone(), now)));
    }

    /// Forgets what the watch has brought meanwhile: deleted from there on, it is to be imported again.
    pub fn forget_seen(&mut self, claims: &impl Claims) {
        self.numbers.retain(|claim, _| !claims.number(*claim));
        self.templates.retain(|claim, _| !claims.template(claim));
    }

    fn has_number(&self, claim: NumberClaim, now: Instant) -> bool {
        self.numbers.get(&claim).is_some_and(|at| now.saturating_duration_since(*at) < MEMORY)
    }

    fn has_template(&self, claim: &TemplateClaim, now: Instant) -> bool {
        self.templates.get(claim).is_some_and(|at| now.saturating_duration_since(*at) < MEMORY)
    }
}

/// What an import would do.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Digits of numbers that nobody claims, with the account that holds them.
    pub numbers: Vec<(Box<str>, u64)>,
    /// Templates that nobody claims.
    pub templates: Vec<TemplateClaim>,
    /// Imported objects that an authored one has replaced.
    pub superseded: Vec<Superseded>,
}

/// An imported object to delete, under the version it was judged at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Superseded {
    /// A number: name, uid, resource version.
    Number(String, String, String),
    /// A template: name, uid, resource version.
    Template(String, String, String),
}

/// A part of an import.
#[derive(Debug, Default)]
pub struct Batch {
    /// As in [`Wanted`].
    pub numbers: Vec<(Box<str>, u64)>,
    /// As in [`Wanted`].
    pub templates: Vec<TemplateClaim>,
    /// As in [`Wanted`].
    pub superseded: Vec<Superseded>,
}

impl Batch {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty() && self.templates.is_empty() && self.superseded.is_empty()
    }
}

impl Wanted {
    /// The first part.
    #[must_use]
    pub fn batch(&self) -> Batch {
        let numbers: Vec<_> = self.numbers.iter().take(BATCH).cloned().collect();
        let rest = BATCH - numbers.len();
        Batch {
            templates: self.templates.iter().take(rest).cloned().collect(),
            superseded: self.superseded.iter().take(BATCH).cloned().collect(),
            numbers,
        }
    }
}

/// Who claims what, as far as an import needs to know.
pub trait Claims {
    /// Whether any object stands for this number.
    fn number(&self, claim: NumberClaim) -> bool;
    /// Whether any object stands for this template.
    fn template(&self, claim: &TemplateClaim) -> bool;
}

/// What an import of `app` would create, given what its accounts hold.
pub fn missing<'a>(
    app: &MetaApp,
    accounts: impl Iterator<Item = (&'a str, &'a Snapshot)>,
    claims: &impl Claims,
    created: &Created,
    now: Instant,
) -> Wanted {
    let Some(import) = &app.spec.import else { return Wanted::default() };
    let mut wanted = Wanted::default();
    for (account, snapshot) in accounts {
        if let Some(rules) = &import.numbers {
            let found = snapshot.numbers.iter().filter(|(digits, number)| takes_number(rules, **digits, number));
            let free = found.map(|(digits, _)| *digits).filter(|digits| {
                let claim = NumberClaim::of(*digits);
                !claims.number(claim) && !created.has_number(claim, now)
            });
            wanted.numbers.extend(free.map(|digits| (Box::from(account), digits)));
        }
        if let Some(rules) = &import.templates {
            let found = snapshot.templates.iter().filter(|(key, template)| takes_template(rules, key, template));
            let free = found
                .map(|(key, _)| TemplateClaim { account: account.into(), key: key.clone() })
                .filter(|claim| !claims.template(claim) && !created.has_template(claim, now));
            wanted.templates.extend(free);
        }
    }
    wanted.numbers.sort();
    // Two accounts may list a number while it moves from one to the other.
    let mut taken = AHashSet::with_capacity(wanted.numbers.len());
    wanted.numbers.retain(|(_, digits)| taken.insert(NumberClaim::of(*digits)));
    wanted.templates.sort();
    wanted
}

fn takes_number(rules: &ImportNumbers, digits: u64, number: &PhoneNumber) -> bool {
    let claim = NumberClaim::of(digits);
    let mut excluded = rules.exclude.iter().filter_map(|excluded| digits::parse(excluded)).map(NumberClaim::of);
    !number.is_gone() && excluded.all(|other| other != claim)
}

fn takes_template(rules: &ImportTemplates, key: &TemplateKey, template: &Template) -> bool {
    let excluded = rules
        .exclude
        .iter()
        .any(|e| *e.name == *key.name && e.language.as_ref().is_none_or(|language| **language == *key.language));
    let generated = matches!(template.source, Some(TemplateSource::AutoGenerated));
    !excluded && !generated
}

fn metadata(app: &MetaApp, name: String) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        namespace: app.namespace(),
        labels: Some([(IMPORTED_BY.to_owned(), app.name_any())].into()),
        ..ObjectMeta::default()
    }
}

fn app_ref(app: &MetaApp) -> AppRef {
    AppRef { name: app.name_any(), namespace: None }
}

/// The object for a number of `account`.
#[must_use]
pub fn number(app: &MetaApp, account: &str, digits: u64) -> WhatsAppNumber {
    let rules = app.spec.import.as_ref().and_then(|import| import.numbers.as_ref());
    let directions = rules.and_then(|rules| rules.directions.clone());
    let spec = WhatsAppNumberSpec {
        app_ref: app_ref(app),
        phone_number: format!("+{digits}"),
        business_account_id: Some(account.to_owned()),
        directions: directions.unwrap_or_else(|| vec![Direction::Incoming, Direction::Outgoing]),
        ..WhatsAppNumberSpec::default()
    };
    WhatsAppNumber { metadata: metadata(app, format!("number-{digits}")), spec, status: None }
}

/// The object for a template.
#[must_use]
pub fn template(app: &MetaApp, claim: &TemplateClaim) -> MessageTemplate {
    let spec = MessageTemplateSpec {
        app_ref: app_ref(app),
        business_account_id: claim.account.to_string(),
        template_name: claim.key.name.to_string(),
        language: claim.key.language.to_string(),
        management_policy: ManagementPolicy::Observe,
        ..MessageTemplateSpec::default()
    };
    MessageTemplate { metadata: metadata(app, template_object_name(claim)), spec, status: None }
}

/// `<name>-<language>-<hash>`: Meta's names may be longer, and may differ only in what Kubernetes does not allow.
fn template_object_name(claim: &TemplateClaim) -> String {
    let TemplateClaim { account, key: TemplateKey { name, language } } = claim;
    let hash = hex::encode(Sha256::digest(format!("{account}/{name}/{language}")));
    let readable = format!("{name}-{language}").to_lowercase().replace('_', "-");
    let readable: String = readable.chars().take(NAME_LIMIT - 9).collect();
    let readable = readable.trim_matches('-');
    if readable.is_empty() { hash[..8].to_owned() } else { format!("{readable}-{}", &hash[..8]) }
}

/// Whether an object is as an import of `app` made it: nobody changed it, nobody took it over.
#[must_use]
pub fn is_untouched<K: ResourceExt>(object: &K, app: &str) -> bool {
    object.meta().generation == Some(1) && object.labels().get(IMPORTED_BY).is_some_and(|by| by == app)
}

#[cfg(test)]
#[path = "tests/import.rs"]
mod tests;
