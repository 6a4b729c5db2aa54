//! Accounts, their numbers and their templates.

use std::borrow::Cow;
use std::time::Instant;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::client::Client;
use super::config::{Access, Priority};
use super::effort::Effort;
use super::endpoint::Endpoint;
use super::errors::{Class, Error, Sent};
use super::fields::Fields;
use super::listing::Listing;
use super::transport::{Call, Caller};
use super::types::{Account, AccountAnswer, AccountRef, Node, Page, PhoneNumber, Template};
use crate::timing::now;

/// What to read besides the regular fields.
#[derive(Clone, Copy, Debug, Default)]
pub struct Want {
    /// The health of the account and each number. Slow at Meta: only now and then.
    pub health: bool,
}

/// An account with all its numbers and templates.
#[derive(Clone, Debug)]
pub struct AccountRead {
    /// The account.
    pub account: Account,
    /// All its numbers, each once.
    pub numbers: Vec<PhoneNumber>,
    /// All its templates, each once.
    pub templates: Vec<Template>,
    /// What Meta sent besides, and cannot be read.
    pub left_out: LeftOut,
    /// When the reading began: nothing in here is older.
    pub started: Instant,
}

/// What makes no sense in what Meta sent of an account, and is left out.
#[derive(Clone, Debug, Default)]
pub struct LeftOut {
    /// What could be read of numbers without an ID. One of which nothing could be read may be any number of the account.
    pub numbers: Vec<PhoneNumber>,
    /// The same of templates without ID, name or language.
    pub templates: Vec<Template>,
    /// Single values within the account, its numbers and templates.
    pub values: u32,
    /// Fields that Meta does not have for the account, in words for people.
    pub fields: Vec<Box<str>>,
}

impl Client {
    /// The accounts that are assigned to a token's owner.
    ///
    /// # Errors
    /// Any class; see [`Class`].
    pub async fn assigned_accounts(&self, access: &Access) -> Result<Vec<AccountRef>, Error> {
        let listing = Listing {
            endpoint: Endpoint::AssignedAccounts,
            path: &["me", "assigned_whatsapp_business_accounts"],
            fields: "id,name",
            waba: None,
            priority: Priority::Read,
        };
        let effort = Effort::new(&self.inner.timing);
        let found = self.list(access, &listing, &effort, None, |account: &AccountRef| &account.id).await?;
        // An account that is not listed is let go of: a list that cannot be read whole is none.
        if !found.left_out.is_empty() {
            let detail = "Meta's list of accounts has entries that cannot be read";
            return Err(Error::without_reply(Endpoint::AssignedAccounts, Class::Transient, Sent::Unreadable, detail));
        }
        Ok(found.items)
    }

    /// Whether the token can read the account, by the cheapest call that shows it.
    ///
    /// # Errors
    /// Any class; `NotFound` and `Permission` mean that it cannot.
    pub async fn probe_account(&self, access: &Access, waba_id: &str) -> Result<(), Error> {
        let path = [waba_id, "phone_numbers"];
        let query = vec![("fields", "id".into()), ("limit", "1".into())];
        let call = node(access, Endpoint::PhoneNumbers, &path, query, waba_id, Priority::Write);
        self.read::<Listed>(call).await.map(drop)
    }

    /// Reads an account with all its numbers and templates: the first hundred of each with the account, the rest page by
    /// page. Either everything came, or it is an error.
    ///
    /// # Errors
    /// Any class.
    pub async fn read_account(
        &self,
        access: &Access,
        waba_id: &str,
        want: Want,
        priority: Priority,
    ) -> Result<AccountRead, Error> {
        let effort = Effort::new(&self.inner.timing);
        loop {
            let fields = self.inner.refused_fields.fields(access, waba_id, want.health);
            match self.read_fields(access, waba_id, &fields, priority, &effort).await {
                // It can only go on with fewer fields each time.
                Err(error) if self.inner.refused_fields.learn(access, waba_id, &error) => {}
                read => return read,
            }
        }
    }

    async fn read_fields(
        &self,
        access: &Access,
        waba_id: &str,
        fields: &Fields,
        priority: Priority,
        effort: &Effort,
    ) -> Result<AccountRead, Error> {
        let started = now();
        let query = vec![("fields", fields.nested().into())];
        let path = [waba_id];
        let call = node(access, Endpoint::Account, &path, query, waba_id, priority);
        let answer = self.read_within::<AccountAnswer>(call, effort).await?;
        self.notice_registered(access, waba_id, &answer.phone_numbers.data.items);
        let numbers = Listing {
            endpoint: Endpoint::PhoneNumbers,
            path: &[waba_id, "phone_numbers"],
            fields: &fields.number,
            waba: Some(waba_id),
            priority,
        };
        let templates = Listing {
            endpoint: Endpoint::MessageTemplates,
            path: &[waba_id, "message_templates"],
            fields: &fields.template,
            ..numbers
        };
        let numbers =
            self.list(access, &numbers, effort, Some(answer.phone_numbers), |number: &PhoneNumber| &number.id).await?;
        self.notice_registered(access, waba_id, &numbers.items);
        let templates =
            self.list(access, &templates, effort, Some(answer.message_templates), |it: &Template| &it.id).await?;
        let left_out = LeftOut {
            numbers: numbers.left_out,
            templates: templates.left_out,
            values: effort.odd_values(),
            fields: fields.left_out(),
        };
        let (mut account, mut numbers, templates) = (answer.account, numbers.items, templates.items);
        fields.mark_account(&mut account);
        for number in &mut numbers {
            fields.mark_number(number);
        }
        Ok(AccountRead { account, numbers, templates, left_out, started })
    }

    /// Reads one number, with its health.
    ///
    /// # Errors
    /// Any class; [`Error::proves_absence`] distinguishes "gone" from "not visible".
    pub async fn read_number(
        &self,
        access: &Access,
        waba_id: &str,
        id: &str,
        priority: Priority,
    ) -> Result<PhoneNumber, Error> {
        let path = [id];
        loop {
            let fields = self.inner.refused_fields.fields(access, waba_id, true);
            let query = vec![("fields", fields.number.as_str().into())];
            let call = node(access, Endpoint::PhoneNumber, &path, query, waba_id, priority);
            match self.read::<Node<PhoneNumber>>(call).await {
                Ok(Node(mut number)) => {
                    fields.mark_number(&mut number);
                    return Ok(number);
                }
                Err(error) if self.inner.refused_fields.learn(access, waba_id, &error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads one template.
    ///
    /// # Errors
    /// Any class; [`Error::proves_absence`] distinguishes "gone" from "not visible".
    pub async fn read_template(
        &self,
        access: &Access,
        waba_id: &str,
        id: &str,
        priority: Priority,
    ) -> Result<Template, Error> {
        let path = [id];
        loop {
            let fields = self.inner.refused_fields.fields(access, waba_id, false);
            let query = vec![("fields", fields.template.as_str().into())];
            let call = node(access, Endpoint::MessageTemplate, &path, query, waba_id, priority);
            match self.read::<Node<Template>>(call).await {
                Err(error) if self.inner.refused_fields.learn(access, waba_id, &error) => {}
                template => return template.map(|template| template.0),
            }
        }
    }

    /// How many templates Meta allows the account; `None` if Meta does not show it.
    ///
    /// # Errors
    /// Any class.
    pub async fn template_limit(&self, access: &Access, waba_id: &str) -> Result<Option<u32>, Error> {
        let path = [waba_id, "message_templates"];
        let query = vec![("fields", "id".into()), ("limit", "1".into()), ("summary", "message_template_limit".into())];
        let call = node(access, Endpoint::MessageTemplates, &path, query, waba_id, Priority::Poll);
        let page = self.read::<Page<IgnoredAny>>(call).await?;
        Ok(page.summary.and_then(|summary| summary.message_template_limit))
    }

    /// Meta's limit for an account is the large one once it has a registered number.
    fn notice_registered(&self, access: &Access, waba_id: &str, numbers: &[PhoneNumber]) {
        if numbers.iter().any(PhoneNumber::has_platform) {
            self.inner.budget.gate(&access.app.app_id, Some(waba_id)).activate();
        }
    }
}

/// A list, of which only that it is one counts.
#[derive(Deserialize)]
struct Listed {
    #[expect(dead_code, reason = "only that it can be read counts")]
    data: Vec<IgnoredAny>,
}

impl LeftOut {
    /// Whether nothing of the account's numbers and templates is missing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty() && self.templates.is_empty()
    }
}

pub(super) fn node<'a>(
    access: &'a Access,
    endpoint: Endpoint,
    path: &'a [&'a str],
    query: Vec<(&'static str, Cow<'a, str>)>,
    waba_id: &'a str,
    priority: Priority,
) -> Call<'a> {
    Call {
        endpoint,
        caller: Caller::Token(access),
        version: &access.version,
        path,
        query,
        body: None,
        waba: Some(waba_id),
        priority,
    }
}
