//! One complete read of an account, indexed by number and template, and what changed since the read before.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use ahash::{AHashMap, AHashSet};

use super::digits;
use crate::graph::{
    AccountRead, LeftOut,
    types::{Account, PhoneNumber, Template, TemplateStatus},
};

/// For how long a snapshot remembers when exactly a thing vanished: longer than any proof that it is gone takes.
const REMEMBERED: Duration = Duration::from_hours(1);

/// Name and language: what identifies a template within its account.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TemplateKey {
    /// Meta's template name.
    pub name: Box<str>,
    /// Meta's language code, `en_US`.
    pub language: Box<str>,
}

/// Everything one account showed in one complete read.
#[derive(Debug)]
pub struct Snapshot {
    /// The account itself.
    pub account: Account,
    /// Its numbers by digits, without `+`. Boxed, because half of a hash table may be empty.
    pub numbers: AHashMap<u64, Box<PhoneNumber>>,
    /// Its templates; deleted ones are left out, they may share a name with a living one.
    pub templates: AHashMap<TemplateKey, Box<Template>>,
    /// When the read began.
    pub started: Instant,
    /// A read since which everything is absent that this one lacks and that did not vanish lately: the first complete one
    /// of this process, or a later one that lacked something which vanished long ago.
    absent_since: Instant,
    /// What vanished lately, with the start of the first read that lacked it.
    vanished_numbers: AHashMap<u64, Instant>,
    vanished_templates: AHashMap<TemplateKey, Instant>,
    /// What Meta sent and cannot be read: it may be anything that this read lacks.
    left_out: LeftOut,
}

/// What differs between two reads of one account.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// There was no read before, or reads failed until now: every object that waits for the account is concerned.
    pub fresh: bool,
    /// The account's own facts, or how many numbers and templates it has.
    pub account: bool,
    /// Digits of numbers that came, went or changed.
    pub numbers: Vec<u64>,
    /// Templates that came, went or changed.
    pub templates: Vec<TemplateKey>,
}

impl Snapshot {
    /// Indexes a read; `before` is the read that it replaces.
    #[must_use]
    pub fn new(read: AccountRead, before: Option<&Arc<Self>>) -> Self {
        let AccountRead { mut account, numbers, templates, mut left_out, started } = read;
        let mut numbers = by_digits(numbers, &mut left_out.numbers);
        if let Some(before) = before {
            keep_health(&mut numbers, &before.numbers);
            keep_webhooks(&mut numbers, &before.numbers);
            account.health = account.health.or_else(|| before.account.health.clone());
        }
        let mut templates: AHashMap<TemplateKey, Box<Template>> = templates
            .into_iter()
            .filter(|template| template.status != Some(TemplateStatus::Deleted))
            .map(|template| {
                (TemplateKey { name: template.name.clone(), language: template.language.clone() }, Box::new(template))
            })
            .collect();
        if let Some(before) = before {
            keep_left_out(&mut numbers, &before.numbers, &left_out.numbers, may_be_number);
            keep_left_out(&mut templates, &before.templates, &left_out.templates, may_be_template);
        }
        let mut vanished_numbers = vanished(before.map(|b| (&b.numbers, &b.vanished_numbers)), &numbers, started);
        let mut vanished_templates =
            vanished(before.map(|b| (&b.templates, &b.vanished_templates)), &templates, started);
        // What an incomplete read lacked may have been there: its absence begins with this read.
        let proven = before.filter(|before| before.left_out.is_empty());
        let absent_since = proven.map_or(started, |b| b.absent_since);
        if proven.is_none() {
            vanished_numbers.values_mut().chain(vanished_templates.values_mut()).for_each(|since| *since = started);
        }
        let absent_since = forget_old(&mut vanished_numbers, started, absent_since);
        let absent_since = forget_old(&mut vanished_templates, started, absent_since);
        Self { account, numbers, templates, started, absent_since, vanished_numbers, vanished_templates, left_out }
    }

    /// The number with these digits, or with another spelling of the same line.
    #[must_use]
    pub fn number(&self, digits: u64) -> Option<&PhoneNumber> {
        let spelled = |digits: u64| self.numbers.get(&digits).map(Box::as_ref);
        spelled(digits).or_else(|| digits::variants(digits).find_map(spelled))
    }

    /// The template with this name and language.
    #[must_use]
    pub fn template(&self, key: &TemplateKey) -> Option<&Template> {
        self.templates.get(key).map(Box::as_ref)
    }

    /// Whether this number may be among what could not be read.
    #[must_use]
    pub fn may_hide_number(&self, digits: u64) -> bool {
        let is_it = |left: &PhoneNumber| self::digits_of(left).is_none_or(|seen| is_same_line(seen, digits));
        self.left_out.numbers.iter().any(is_it)
    }

    /// Whether this template may be among what could not be read.
    #[must_use]
    pub fn may_hide_template(&self, key: &TemplateKey) -> bool {
        let is_it = |left: &Template| agrees(&left.name, &key.name) && agrees(&left.language, &key.language);
        self.left_out.templates.iter().any(is_it)
    }

    /// How many numbers, templates and single values could not be read.
    #[must_use]
    pub fn unreadable(&self) -> (usize, usize, u32) {
        (self.left_out.numbers.len(), self.left_out.templates.len(), self.left_out.values)
    }

    /// The fields that Meta does not have for the account, in words for people.
    #[must_use]
    pub fn refused_fields(&self) -> &[Box<str>] {
        &self.left_out.fields
    }

    /// Start of the first complete read that lacked this number.
    #[must_use]
    pub fn number_absent_since(&self, digits: u64) -> Instant {
        let spellings = std::iter::once(digits).chain(digits::variants(digits));
        spellings.filter_map(|digits| self.vanished_numbers.get(&digits)).max().copied().unwrap_or(self.absent_since)
    }

    /// Start of the first complete read that lacked this template.
    #[must_use]
    pub fn template_absent_since(&self, key: &TemplateKey) -> Instant {
        self.vanished_templates.get(key).copied().unwrap_or(self.absent_since)
    }

    /// How many things that vanished are remembered one by one.
    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.vanished_numbers.len() + self.vanished_templates.len()
    }

    /// What differs from the read before.
    #[must_use]
    pub fn changes(&self, before: Option<&Arc<Self>>) -> Changes {
        let Some(before) = before else {
            return Changes { fresh: true, ..Changes::default() };
        };
        Changes {
            fresh: false,
            account: self.account != before.account
                || self.left_out.fields != before.left_out.fields
                || self.numbers.len() != before.numbers.len()
                || self.templates.len() != before.templates.len(),
            numbers: differing(&self.numbers, &before.numbers),
            templates: differing(&self.templates, &before.templates),
        }
    }
}

/// Where a number that is gone is listed beside the one that came after it, the living one counts.
fn by_digits(numbers: Vec<PhoneNumber>, left_out: &mut Vec<PhoneNumber>) -> AHashMap<u64, Box<PhoneNumber>> {
    let mut found: AHashMap<u64, Box<PhoneNumber>> = AHashMap::with_capacity(numbers.len());
    for number in numbers {
        let Some(digits) = digits_of(&number) else {
            left_out.push(number);
            continue;
        };
        if !number.is_gone() || !found.contains_key(&digits) {
            found.insert(digits, Box::new(number));
        }
    }
    found
}

fn digits_of(number: &PhoneNumber) -> Option<u64> {
    number.display_phone_number.as_deref().and_then(digits::parse)
}

fn is_same_line(one: u64, other: u64) -> bool {
    one == other || digits::variants(one).any(|spelling| spelling == other)
}

/// Whether two texts do not contradict each other; an empty one could not be read.
fn agrees(one: &str, other: &str) -> bool {
    one.is_empty() || one == other
}

/// Whether what could be read of a number does not say that it is another one than `known`.
fn may_be_number(left: &PhoneNumber, known: &PhoneNumber) -> bool {
    let (seen, digits) = (digits_of(left), digits_of(known));
    agrees(&left.id, &known.id) && seen.zip(digits).is_none_or(|(seen, digits)| is_same_line(seen, digits))
}

fn may_be_template(left: &Template, known: &Template) -> bool {
    agrees(&left.id, &known.id) && agrees(&left.name, &known.name) && agrees(&left.language, &known.language)
}

/// What a read lacks and may have been left out of it stays as it was.
fn keep_left_out<K: Clone + Eq + std::hash::Hash, V: Clone>(
    now: &mut AHashMap<K, Box<V>>,
    before: &AHashMap<K, Box<V>>,
    left_out: &[V],
    may_be: impl Fn(&V, &V) -> bool,
) {
    if left_out.is_empty() {
        return;
    }
    for (key, known) in before {
        if !now.contains_key(key) && left_out.iter().any(|left| may_be(left, known)) {
            now.insert(key.clone(), known.clone());
        }
    }
}

/// Callbacks that cannot be read stay as they were.
fn keep_webhooks(numbers: &mut AHashMap<u64, Box<PhoneNumber>>, before: &AHashMap<u64, Box<PhoneNumber>>) {
    for (digits, number) in numbers {
        if number.webhook_configuration.as_ref().is_some_and(|callbacks| callbacks.is_unreadable)
            && let Some(before) = before.get(digits)
        {
            number.webhook_configuration.clone_from(&before.webhook_configuration);
        }
    }
}

/// Health is read now and then only; in between the last one stands, as long as it is about the same status: a number
/// that has just been registered is not as blocked as it was before.
fn keep_health(numbers: &mut AHashMap<u64, Box<PhoneNumber>>, before: &AHashMap<u64, Box<PhoneNumber>>) {
    for (digits, number) in numbers {
        if number.health.is_none() {
            let before = before.get(digits).filter(|before| before.status == number.status);
            number.health = before.and_then(|before| before.health.clone());
        }
    }
}

type Past<'a, K, V> = (&'a AHashMap<K, V>, &'a AHashMap<K, Instant>);

fn vanished<K: Clone + Eq + std::hash::Hash, V>(
    before: Option<Past<'_, K, V>>,
    now: &AHashMap<K, V>,
    started: Instant,
) -> AHashMap<K, Instant> {
    let Some((there, missed)) = before else { return AHashMap::new() };
    let still = missed.iter().map(|(key, since)| (key, *since));
    let newly = there.keys().map(|key| (key, started));
    still.chain(newly).filter(|(key, _)| !now.contains_key(*key)).map(|(key, since)| (key.clone(), since)).collect()
}

/// Drops what vanished long ago. Its time, if later than `absent_since`, stands for all that is dropped: never earlier than
/// any of them vanished.
fn forget_old<K>(vanished: &mut AHashMap<K, Instant>, started: Instant, mut absent_since: Instant) -> Instant {
    vanished.retain(|_, since| {
        let is_old = started.saturating_duration_since(*since) > REMEMBERED;
        if is_old {
            absent_since = absent_since.max(*since);
        }
        !is_old
    });
    absent_since
}

fn differing<K: Clone + Eq + std::hash::Hash, V: PartialEq>(a: &AHashMap<K, V>, b: &AHashMap<K, V>) -> Vec<K> {
    let changed: AHashSet<&K> =
        a.iter().filter(|(key, value)| b.get(*key) != Some(*value)).map(|(key, _)| key).collect();
    let gone = b.keys().filter(|key| !a.contains_key(*key));
    changed.into_iter().chain(gone).cloned().collect()
}
