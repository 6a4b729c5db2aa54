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
    graph::types::{Template, TemplateSource},
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
    pub fn remember(&mut self, batch: &Wanted, now: Instant) {
        self.numbers.retain(|_, at| now.saturating_duration_since(*at) < MEMORY);
        self.templates.retain(|_, at| now.saturating_duration_since(*at) < MEMORY);
        self.numbers.extend(batch.numbers.iter().map(|(_, digits)| (NumberClaim::of(*digits), now)));
        self.templates.extend(batch.templates.iter().map(|claim| (claim.clone(), now)));
    }

    /// Forgets what the watch has brought meanwhile: deleted from there on, it is to be imported again.
    pub fn forget_seen(&mut self, claims: &impl Claims) {
        self.numbers.retain(|claim, _| !claims.number(*claim, &|_| true));
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
    /// Templates that nobody claims and that no object can stand for: the API server would refuse their name or language.
    pub unfit: Vec<TemplateClaim>,
    /// Imported objects that an authored one has replaced.
    pub superseded: Vec<Superseded>,
}

/// An object as it was judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectVersion {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Its resource version.
    pub resource_version: String,
}

impl ObjectVersion {
    /// As the object is.
    #[must_use]
    pub fn of<K: ResourceExt>(object: &K) -> Self {
        Self {
            name: object.name_any(),
            uid: object.uid().unwrap_or_default(),
            resource_version: object.resource_version().unwrap_or_default(),
        }
    }
}

/// An imported object to delete, because an authored one stands for the same thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Superseded {
    /// A number.
    Number(ObjectVersion),
    /// A template.
    Template(ObjectVersion),
}

impl Wanted {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty() && self.templates.is_empty() && self.superseded.is_empty()
    }

    /// Whether anything of this is still to be done of what could not be done before.
    #[must_use]
    pub fn has_any_of(&self, undone: &Self) -> bool {
        undone.numbers.iter().any(|number| self.numbers.contains(number))
            || undone.templates.iter().any(|claim| self.templates.contains(claim))
            || undone.superseded.iter().any(|old| self.superseded.contains(old))
    }

    /// The first part, to be done at once.
    #[must_use]
    pub fn batch(&self) -> Self {
        let numbers: Vec<_> = self.numbers.iter().take(BATCH).cloned().collect();
        let rest = BATCH - numbers.len();
        Self {
            templates: self.templates.iter().take(rest).cloned().collect(),
            superseded: self.superseded.iter().take(BATCH).cloned().collect(),
            unfit: Vec::new(),
            numbers,
        }
    }
}

/// Who claims what, as far as an import needs to know.
pub trait Claims {
    /// Whether any object stands for this number; one that names an account does only if that account `lists` the number.
    fn number(&self, claim: NumberClaim, lists: &dyn Fn(&str) -> bool) -> bool;
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
    let excluded = import.numbers.as_ref().map(excluded_numbers);
    let mut wanted = Wanted::default();
    let accounts: Vec<_> = accounts.collect();
    let lists = |account: &str, digits: u64| {
        let of = accounts.iter().find(|(id, _)| *id == account);
        of.and_then(|(_, snapshot)| snapshot.number(digits)).is_some_and(|number| !number.is_gone())
    };
    for (account, snapshot) in accounts.iter().copied() {
        if let Some(excluded) = &excluded {
            let free = snapshot.numbers.iter().filter(|(digits, number)| {
                let claim = NumberClaim::of(**digits);
                !claims.number(claim, &|account| lists(account, **digits))
                    && !created.has_number(claim, now)
                    && !excluded.contains(&claim)
                    && !number.is_gone()
            });
            wanted.numbers.extend(free.map(|(digits, _)| (Box::from(account), *digits)));
        }
        if let Some(rules) = &import.templates {
            let free = snapshot
                .templates
                .iter()
                .map(|(key, template)| (TemplateClaim { account: account.into(), key: key.clone() }, template))
                .filter(|(claim, template)| {
                    !claims.template(claim)
                        && !created.has_template(claim, now)
                        && takes_template(rules, &claim.key, template)
                })
                .map(|(claim, _)| claim);
            let (fit, unfit): (Vec<_>, Vec<_>) = free.partition(|claim| fits(&claim.key));
            wanted.templates.extend(fit);
            wanted.unfit.extend(unfit);
        }
    }
    wanted.numbers.sort();
    // Two accounts may list a number while it moves from one to the other.
    let mut taken = AHashSet::with_capacity(wanted.numbers.len());
    wanted.numbers.retain(|(_, digits)| taken.insert(NumberClaim::of(*digits)));
    wanted.templates.sort();
    wanted.unfit.sort();
    wanted
}

/// Whether a `MessageTemplate` can have this name and language: the rules of its CRD.
fn fits(key: &TemplateKey) -> bool {
    let TemplateKey { name, language } = key;
    let (short, region) = language.split_once('_').map_or((&**language, None), |(short, region)| (short, Some(region)));
    let is_name = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    let is_language = (2..=3).contains(&short.len())
        && short.bytes().all(|b| b.is_ascii_lowercase())
        && region.is_none_or(|region| region.len() == 2 && region.bytes().all(|b| b.is_ascii_uppercase()));
    is_name && (1..=512).contains(&name.len()) && is_language
}

/// The numbers that an import leaves out, in one spelling.
fn excluded_numbers(rules: &ImportNumbers) -> AHashSet<NumberClaim> {
    rules.exclude.iter().filter_map(|excluded| digits::parse(excluded)).map(NumberClaim::of).collect()
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
