//! Who has to look again when something changed elsewhere.

use std::{sync::Arc, time::Duration};

use ahash::AHashSet;
use parking_lot::Mutex;

use super::{
    ownership::{NumberClaim, TemplateClaim},
    store::{Cached, Key, Objects},
};
use crate::{
    api::{AppKey, MessageTemplate, MetaApp, WhatsAppNumber},
    observe::{Changes, Wake},
};

/// Wakes objects. Cheap to clone.
#[derive(Clone)]
pub struct Triggers {
    /// The apps.
    pub apps: Objects<MetaApp>,
    /// The numbers.
    pub numbers: Objects<WhatsAppNumber>,
    /// The templates.
    pub templates: Objects<MessageTemplate>,
    /// Apps whose counts may have changed.
    counts: Arc<Mutex<AHashSet<AppKey>>>,
}

impl Triggers {
    /// Over these objects.
    #[must_use]
    pub fn new(apps: Objects<MetaApp>, numbers: Objects<WhatsAppNumber>, templates: Objects<MessageTemplate>) -> Self {
        Self { apps, numbers, templates, counts: Arc::default() }
    }

    /// The app.
    pub fn app(&self, app: &AppKey) {
        self.apps.wake(Key::new(&app.namespace, &app.name));
    }

    /// Every number and template that refers to the app.
    pub fn objects_of(&self, app: &AppKey) {
        self.numbers.enqueue_where(|number| number.app == *app);
        self.templates.enqueue_where(|template| template.app == *app);
    }

    /// Every number and template of the app that the account holds, or may hold.
    fn objects_of_account(&self, app: &AppKey, account: &str) {
        let may_hold = |held: Option<&str>| held.is_none_or(|held| held == account);
        self.numbers.enqueue_where(|number| may_hold(number.account.as_deref()) && number.app == *app);
        self.templates.enqueue_where(|template| may_hold(template.account.as_deref()) && template.app == *app);
    }

    /// The numbers that refer to the app.
    #[must_use]
    pub fn numbers_of(&self, app: &AppKey) -> Vec<Arc<Cached<WhatsAppNumber>>> {
        self.numbers.filter(|number| number.app == *app)
    }

    /// The templates that refer to the app.
    #[must_use]
    pub fn templates_of(&self, app: &AppKey) -> Vec<Arc<Cached<MessageTemplate>>> {
        self.templates.filter(|template| template.app == *app)
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
            for app in &apps {
                self.app(app);
            }
        }
    }
}

impl Wake for Triggers {
    fn changed(&self, app: &AppKey, account: &str, changes: &Changes) {
        if changes.fresh || changes.account {
            self.app(app);
        }
        if changes.fresh {
            self.objects_of_account(app, account);
            return;
        }
        for &number in &changes.numbers {
            self.numbers.enqueue_claimants(&NumberClaim::of(number));
        }
        for key in &changes.templates {
            self.templates.enqueue_claimants(&TemplateClaim { account: account.into(), key: key.clone() });
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
