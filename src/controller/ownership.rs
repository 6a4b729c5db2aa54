//! Which object stands for a thing at Meta when several say so.

use std::cmp::Ordering;

use jiff::Timestamp;
use kube::ResourceExt;

use crate::{
    api::{WhatsAppNumber, labels::IMPORTED_BY},
    observe::{TemplateKey, digits},
};

/// A number, by its digits, whatever their spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NumberClaim(u64);

impl NumberClaim {
    /// The claim to the line with these digits.
    #[must_use]
    pub fn of(digits: u64) -> Self {
        Self(digits::canonical(digits))
    }

    /// One spelling for all of the line.
    #[must_use]
    pub fn digits(self) -> u64 {
        self.0
    }
}

/// The digits of the number that the object stands for.
#[must_use]
pub fn digits_of(number: &WhatsAppNumber) -> u64 {
    // The API server lets nothing in that is not a number.
    digits::parse(&number.spec.phone_number).unwrap_or_default()
}

/// A template, by account, name and language.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TemplateClaim {
    /// The account's ID.
    pub account: Box<str>,
    /// Name and language.
    pub key: TemplateKey,
}

/// Whether an import made the object, and nobody took it over.
pub fn is_imported<K: ResourceExt>(object: &K) -> bool {
    object.labels().contains_key(IMPORTED_BY)
}

/// Before whom an object goes: the authored before the imported, then the older, then by namespace and name.
fn rank<K: ResourceExt>(object: &K) -> (bool, Option<Timestamp>, String, String) {
    let imported = is_imported(object);
    let created = object.creation_timestamp().map(|time| time.0);
    (imported, created, object.namespace().unwrap_or_default(), object.name_any())
}

/// Whether `a` goes before `b` where both claim the same thing.
pub fn precedes<K: ResourceExt>(a: &K, b: &K) -> bool {
    rank(a).cmp(&rank(b)) == Ordering::Less
}

/// What to call the winner in a message of an object in `namespace`: its name is told only to its own namespace.
pub fn display_name<K: ResourceExt>(winner: &K, namespace: &str) -> String {
    if winner.namespace().as_deref() == Some(namespace) {
        winner.name_any()
    } else {
        "an object in another namespace".to_owned()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;
    use crate::api::WhatsAppNumberSpec;

    fn number(namespace: &str, name: &str, created: &str, imported: bool) -> WhatsAppNumber {
        let mut number = WhatsAppNumber::new(name, WhatsAppNumberSpec::default());
        number.metadata.namespace = Some(namespace.to_owned());
        number.metadata.creation_timestamp = Some(Time(created.parse().unwrap()));
        number.metadata.labels = imported.then(|| [(IMPORTED_BY.to_owned(), "ino-cx".to_owned())].into());
        number
    }

    #[test]
    fn one_object_goes_before_the_other() {
        let (early, late) = ("2026-05-01T12:00:00Z", "2026-05-02T12:00:00Z");
        for (first, second, reason) in [
            (("b", "b", late, false), ("a", "a", early, true), "the authored before the imported"),
            (("b", "b", early, false), ("a", "a", late, false), "the older before the younger"),
            (("b", "b", early, true), ("a", "a", late, true), "also among imported ones"),
            (("a", "b", early, false), ("b", "a", early, false), "of the same second: by namespace"),
            (("a", "a", early, false), ("a", "b", early, false), "and by name"),
        ] {
            let number = |(namespace, name, created, imported)| number(namespace, name, created, imported);
            let (first, second) = (number(first), number(second));
            assert!(precedes(&first, &second) && !precedes(&second, &first), "{reason}");
            assert!(!precedes(&first, &first), "nobody goes before itself");
        }
    }

    #[test]
    fn a_name_is_told_to_its_own_namespace_only() {
        let winner = number("cc", "support", "2026-05-01T12:00:00Z", false);
        assert_eq!(display_name(&winner, "cc"), "support");
        assert!(!display_name(&winner, "sales").contains("support"));
    }
}
