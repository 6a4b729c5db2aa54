//! Who has to look again when something changed elsewhere.

use std::{sync::Arc, time::Duration};

use ahash::AHashSet;
use kube::{ResourceExt, runtime::reflector::ObjectRef};
use parking_lot::Mutex;

use super::{
    claims::{NumberClaim, TemplateClaim},
    link,
    objects::Objects,
};
use crate::{
    api::{AppRef, MessageTemplate, MetaApp, WhatsAppNumber},
    observe::{AppKey, Changes, Wake, digits},
};

/// Wakes objects. Cheap to clone.
#[derive(Clone)]
pub struct Wakers {
    /// The apps.
    pub apps: Objects<MetaApp>,
    /// The numbers.
    pub numbers: Objects<WhatsAppNumber>,
    /// The templates.
    pub templates: Objects<MessageTemplate>,
    /// Apps whose counts may have changed.
    counts: Arc<Mutex<AHashSet<AppKey>>>,
}

/// Whether an object that refers to `reference` from its namespace means `app`.
fn means<K: ResourceExt>(object: &K, reference: &AppRef, app: &AppKey) -> bool {
    *reference.name == *app.name && link::key(reference, &object.namespace().unwrap_or_default()) == *app
}

impl Wakers {
    /// Over these objects.
    #[must_use]
    pub fn new(apps: Objects<MetaApp>, numbers: Objects<WhatsAppNumber>, templates: Objects<MessageTemplate>) -> Self {
        Self { apps, numbers, templates, counts: Arc::default() }
    }

    /// The app.
    pub fn app(&self, app: &AppKey) {
        self.apps.wake(ObjectRef::new(&app.name).within(&app.namespace));
    }

    /// Every number and template that refers to the app.
    pub fn objects_of(&self, app: &AppKey) {
        self.numbers.wake_where(|number| means(number, &number.spec.app_ref, app));
        self.templates.wake_where(|template| means(template, &template.spec.app_ref, app));
    }

    /// Every number and template of the app that the account holds, or may hold.
    fn objects_of_account(&self, app: &AppKey, account: &str) {
        self.numbers.wake_where(|number| {
            let status = number.status.as_ref().and_then(|status| status.business_account_id.as_deref());
            let held = number.spec.business_account_id.as_deref().or(status);
            held.is_none_or(|held| held == account) && means(number, &number.spec.app_ref, app)
        });
        self.templates.wake_where(|template| {
            template.spec.business_account_id == account && means(template, &template.spec.app_ref, app)
        });
    }

    /// The numbers that refer to the app.
    #[must_use]
    pub fn numbers_of(&self, app: &AppKey) -> Vec<Arc<WhatsAppNumber>> {
        self.numbers.filter(|number| means(number, &number.spec.app_ref, app))
    }

    /// The templates that refer to the app.
    #[must_use]
    pub fn templates_of(&self, app: &AppKey) -> Vec<Arc<MessageTemplate>> {
        self.templates.filter(|template| means(template, &template.spec.app_ref, app))
    }

    /// The app's counts may have changed: it looks at them with the next batch.
    pub fn counts_of(&self, app: AppKey) {
        self.counts.lock().insert(app);
    }

    /// Wakes the apps whose counts may have changed, every `gap`, for ever.
    pub async fn batch_counts(self, gap: Duration) {
        loop {
            tokio::time::sleep(gap).await;
            let apps: Vec<AppKey> = self.counts.lock().drain().collect();
            apps.iter().for_each(|app| self.app(app));
        }
    }
}

impl Wake for Wakers {
    fn changed(&self, app: &AppKey, account: &str, changes: &Changes) {
        if changes.fresh || changes.account {
            self.app(app);
        }
        if changes.fresh {
            self.objects_of_account(app, account);
            return;
        }
        for &number in &changes.numbers {
            for spelling in std::iter::once(number).chain(digits::variants(number)) {
                self.numbers.wake_claimants(&NumberClaim(spelling));
            }
        }
        for key in &changes.templates {
            self.templates.wake_claimants(&TemplateClaim { account: account.into(), key: key.clone() });
        }
    }

    fn failed(&self, app: &AppKey, _: &str) {
        self.app(app);
    }

    fn stale(&self, app: &AppKey, account: &str) {
        self.app(app);
        self.objects_of_account(app, account);
    }
}
