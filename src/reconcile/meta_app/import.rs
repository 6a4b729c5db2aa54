//! Import: objects for what is found at Meta and nobody claims. They are created once and never touched again.

use std::time::{Duration, Instant};

use ahash::AHashMap;
use kube::{ResourceExt, core::ObjectMeta};
use sha2::{Digest, Sha256};

use crate::{
    api::{
        AppRef, Direction, ImportNumbers, ImportTemplates, ManagementPolicy, MessageTemplate, MessageTemplateSpec,
        MetaApp, WhatsAppNumber, WhatsAppNumberSpec,
    },
    graph::wire::{NumberStatus, PhoneNumber, Template, TemplateSource},
    observe::{Snapshot, TemplateKey, digits},
    reconcile::claims::{NumberClaim, TemplateClaim},
};

/// Which `MetaApp` created an object; without the label an imported object is the user's own.
pub const IMPORTED_BY: &str = "waba.dev/imported-by";

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
        self.numbers.extend(batch.numbers.iter().map(|(_, claim)| (*claim, now)));
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
    /// Numbers that nobody claims, with the account that holds them.
    pub numbers: Vec<(Box<str>, NumberClaim)>,
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
    pub numbers: Vec<(Box<str>, NumberClaim)>,
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
            let free = found.map(|(digits, _)| NumberClaim(*digits)).filter(|claim| {
                let spellings = std::iter::once(claim.0).chain(digits::variants(claim.0));
                !spellings.map(NumberClaim).any(|spelling| claims.number(spelling)) && !created.has_number(*claim, now)
            });
            wanted.numbers.extend(free.map(|claim| (Box::from(account), claim)));
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
    wanted.templates.sort();
    wanted
}

fn takes_number(rules: &ImportNumbers, digits: u64, number: &PhoneNumber) -> bool {
    let gone = matches!(number.status, Some(NumberStatus::Migrated | NumberStatus::Deleted));
    !gone && !rules.exclude.iter().any(|excluded| digits::parse(excluded) == Some(digits))
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
pub fn number(app: &MetaApp, account: &str, claim: NumberClaim) -> WhatsAppNumber {
    let rules = app.spec.import.as_ref().and_then(|import| import.numbers.as_ref());
    let directions = rules.and_then(|rules| rules.directions.clone());
    let spec = WhatsAppNumberSpec {
        app_ref: app_ref(app),
        phone_number: format!("+{}", claim.0),
        business_account_id: Some(account.to_owned()),
        directions: directions.unwrap_or_else(|| vec![Direction::Incoming, Direction::Outgoing]),
        ..WhatsAppNumberSpec::default()
    };
    WhatsAppNumber { metadata: metadata(app, format!("number-{}", claim.0)), spec, status: None }
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
mod tests {
    use super::*;

    fn claim(name: &str, language: &str) -> TemplateClaim {
        TemplateClaim { account: "1".into(), key: TemplateKey { name: name.into(), language: language.into() } }
    }

    #[test]
    fn names_of_templates_fit_kubernetes() {
        let long = "a".repeat(512);
        for name in ["order_shipped", "_x_", "___", &long] {
            let object = template_object_name(&claim(name, "en_US"));
            assert!(object.len() <= NAME_LIMIT, "{object}");
            assert!(object.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{object}");
            assert!(object.starts_with(|c: char| c.is_ascii_alphanumeric()), "{object}");
        }
        let plain = template_object_name(&claim("order_shipped", "en_US"));
        assert!(
            plain.starts_with("order-shipped-en-us-") && plain.len() == "order-shipped-en-us-".len() + 8,
            "{plain}"
        );
        assert_ne!(plain, template_object_name(&claim("order__shipped", "en_US")));
        assert_ne!(template_object_name(&claim("a_b", "en")), template_object_name(&claim("a", "b_en")));
    }
}
