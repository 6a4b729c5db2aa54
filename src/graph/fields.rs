//! The fields that are requested of an account, its numbers and its templates, without those that Meta refused of late: one field
//! that an account or a version does not have would refuse the whole read.

use std::time::{Duration, Instant};

use ahash::AHashMap;
use parking_lot::Mutex;

use super::config::Access;
use super::errors::Error;
use super::refused_field::{Dropped, HEALTH, Node, RefusedField, name, split};
use super::types::{Account, PhoneNumber, WebhookConfiguration};
use crate::timing::now;

/// Meta's largest page.
pub(super) const PAGE: &str = "100";

/// For how long a field is not requested that Meta refused. Meta may have it for the account later.
const REMEMBERED: Duration = Duration::from_hours(6);

/// The account of an app, by a version.
type Place = (Box<str>, Box<str>, Box<str>);

/// The fields that accounts refused, of the whole process.
#[derive(Default)]
pub(super) struct RefusedFields(Mutex<AHashMap<Place, Vec<(Dropped, Instant)>>>);

impl RefusedFields {
    /// The fields to request now.
    pub fn fields(&self, access: &Access, waba_id: &str, health: bool) -> Fields {
        let mut places = self.0.lock();
        let place = place(access, waba_id);
        let Some(dropped) = places.get_mut(&place) else { return Fields::of(health, Vec::new()) };
        dropped.retain(|(_, since)| now().saturating_duration_since(*since) < REMEMBERED);
        let without = dropped.iter().map(|(dropped, _)| dropped.clone()).collect();
        if dropped.is_empty() {
            places.remove(&place);
        }
        Fields::of(health, without)
    }

    /// Notes the field that made a read fail; false if it is not that, or the field is one that is needed.
    pub fn learn(&self, access: &Access, waba_id: &str, error: &Error) -> bool {
        let dispensable = error.refused_field().map(RefusedField::dispensable).unwrap_or_default();
        if dispensable.is_empty() {
            return false;
        }
        let mut places = self.0.lock();
        let known = places.entry(place(access, waba_id)).or_default();
        let fresh: Vec<Dropped> =
            dispensable.into_iter().filter(|field| known.iter().all(|(known, _)| known != field)).collect();
        let learnt = !fresh.is_empty();
        known.extend(fresh.into_iter().map(|field| (field, now())));
        learnt
    }
}

fn place(access: &Access, waba_id: &str) -> Place {
    (access.app.app_id.as_str().into(), waba_id.into(), access.version.as_str().into())
}

/// The fields to request.
pub(super) struct Fields {
    account: String,
    pub number: String,
    pub template: String,
    without: Vec<Dropped>,
}

impl Fields {
    fn of(health: bool, without: Vec<Dropped>) -> Self {
        let list = |node: Node| {
            let health = (health && node != Node::Template).then_some(HEALTH);
            let is_asked = |field: &&str| without.iter().all(|(of, out)| *of != node || **out != *name(field));
            split(node.requested()).chain(health).filter(is_asked).collect::<Vec<_>>().join(",")
        };
        let (account, number, template) = (list(Node::Account), list(Node::Number), list(Node::Template));
        Self { account, number, template, without }
    }

    /// The one request for an account with the first of its numbers and templates.
    pub fn nested(&self) -> String {
        let Self { account, number, template, .. } = self;
        format!("{account},phone_numbers.limit({PAGE}){{{number}}},message_templates.limit({PAGE}){{{template}}}")
    }

    /// The fields that are left out, for people.
    pub fn left_out(&self) -> Vec<Box<str>> {
        let mut names: Vec<_> = self.without.iter().map(|(node, field)| node.describe(field)).collect();
        names.sort();
        names
    }

    fn lacks(&self, node: Node, field: &str) -> bool {
        self.without.iter().any(|(of, out)| *of == node && &**out == field)
    }

    /// What was not requested is not known, and must not be taken for what is not there.
    pub fn mark_account(&self, account: &mut Account) {
        if self.lacks(Node::Account, "subscribed_apps") {
            account.subscribed_apps = None;
        }
    }

    /// The same of a number.
    pub fn mark_number(&self, number: &mut PhoneNumber) {
        if self.lacks(Node::Number, "webhook_configuration") {
            let unknown = WebhookConfiguration { is_unreadable: true, ..WebhookConfiguration::default() };
            number.webhook_configuration = Some(Box::new(unknown));
        }
        if self.lacks(Node::Number, "is_pin_enabled") {
            number.is_pin_enabled = Some(true);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::graph::config::AppCredentials;
    use crate::graph::endpoint::Endpoint;
    use crate::graph::errors::{Class, GraphErrorBody, classify};

    fn error(field: &str, node_type: &str) -> Error {
        let text = format!("(#100) Tried accessing nonexisting field ({field}) on node type ({node_type})");
        let refused_field = RefusedField::find(&text);
        let body = GraphErrorBody { code: Some(100), refused_field, ..GraphErrorBody::default() };
        let verdict = classify(&body, Endpoint::Account, 400);
        body.into_error(Class::BadRequest, verdict, Endpoint::Account, 400)
    }

    #[test]
    fn what_can_be_done_without_is_not_asked_for_again_for_some_hours() {
        let access = |version: &str| Access {
            app: AppCredentials { app_id: "1".into(), app_secret: "s".into() },
            token: "t".into(),
            version: version.into(),
        };
        let (memory, here, other) = (RefusedFields::default(), access("v26.0"), access("v27.0"));
        for (reason, field, node, learnt) in [
            ("a field of numbers", "is_on_biz_app", "WhatsAppBusinessPhoneNumber", true),
            ("once", "is_on_biz_app", "WhatsAppBusinessPhoneNumber", false),
            ("of the account", "currency", "WhatsAppBusinessAccount", true),
            ("of its owner", "name", "Business", true),
            ("of templates", "quality_score", "WhatsAppBusinessHSM", true),
            ("health, of numbers only", "health_status", "WhatsAppBusinessPhoneNumber", true),
            ("one that is needed", "status", "WhatsAppBusinessPhoneNumber", false),
            ("one that is not asked for", "foo", "WhatsAppBusinessAccount", false),
            ("of a portfolio", "currency", "Business", false),
        ] {
            assert_eq!(memory.learn(&here, "501", &error(field, node)), learnt, "{reason}");
        }
        let fields = memory.fields(&here, "501", true);
        let has = |list: &str, field: &str| split(list).any(|requested| name(requested) == field);
        assert!(!has(&fields.number, "is_on_biz_app") && !has(&fields.number, "health_status"), "{}", fields.number);
        assert!(has(&fields.number, "status") && has(&fields.number, "webhook_configuration"), "{}", fields.number);
        assert!(!has(&fields.account, "currency") && !has(&fields.account, "owner_business"), "{}", fields.account);
        assert!(has(&fields.account, "status") && has(&fields.account, "health_status"), "{}", fields.account);
        assert!(!has(&fields.template, "quality_score"), "{}", fields.template);
        for (reason, access, account) in [("another account", &here, "502"), ("another version", &other, "501")] {
            assert!(has(&memory.fields(access, account, true).number, "is_on_biz_app"), "{reason}");
        }
        for place in memory.0.lock().values_mut() {
            for (_, since) in place {
                *since = since.checked_sub(REMEMBERED).unwrap();
            }
        }
        assert!(has(&memory.fields(&here, "501", true).number, "is_on_biz_app"), "some hours later");
    }

    #[test]
    fn what_is_not_asked_for_is_not_known() {
        let without = vec![(Node::Number, "webhook_configuration".into()), (Node::Number, "is_pin_enabled".into())];
        let fields = Fields::of(false, without);
        let mut number = PhoneNumber::default();
        fields.mark_number(&mut number);
        assert!(number.webhook_configuration.unwrap().is_unreadable);
        assert_eq!(number.is_pin_enabled, Some(true), "a new PIN would be a guess");
    }
}
