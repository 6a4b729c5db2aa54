//! Accounts, their numbers and their templates.

use std::borrow::Cow;
use std::time::Instant;

use ahash::AHashSet;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::client::Client;
use super::config::{Access, Priority};
use super::endpoint::Endpoint;
use super::errors::{Class, Error, Sent};
use super::transport::{Call, Caller};
use super::types::{Account, AccountAnswer, AccountRef, Next, Page, PhoneNumber, Template};
use crate::timing::now;

/// Meta's largest page.
const PAGE: &str = "100";

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
    /// When the reading began: nothing in here is older.
    pub started: Instant,
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
        self.list(access, &listing, None, |account: &AccountRef| &account.id).await
    }

    /// Whether the token can read the account, by the cheapest call that shows it.
    ///
    /// # Errors
    /// Any class; `NotFound` and `Permission` mean that it cannot.
    pub async fn probe_account(&self, access: &Access, waba_id: &str) -> Result<(), Error> {
        let path = [waba_id, "phone_numbers"];
        let query = vec![("fields", "id".into()), ("limit", "1".into())];
        let call = node(access, Endpoint::PhoneNumbers, &path, query, waba_id, Priority::Write);
        self.read::<Page<IgnoredAny>>(call).await.map(drop)
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
        let started = now();
        let fields = Fields::of(want);
        let query = vec![("fields", fields.nested().into())];
        let path = [waba_id];
        let call = node(access, Endpoint::Account, &path, query, waba_id, priority);
        let answer = self.read::<AccountAnswer>(call).await?;
        self.notice_registered(access, waba_id, &answer.phone_numbers.data);
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
            self.list(access, &numbers, Some(answer.phone_numbers), |number: &PhoneNumber| &number.id).await?;
        self.notice_registered(access, waba_id, &numbers);
        let templates =
            self.list(access, &templates, Some(answer.message_templates), |template: &Template| &template.id).await?;
        Ok(AccountRead { account: answer.account, numbers, templates, started })
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
        let fields = Fields::of(Want { health: true }).number;
        let query = vec![("fields", fields.into())];
        self.read(node(access, Endpoint::PhoneNumber, &[id], query, waba_id, priority)).await
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
        let fields = Fields::of(Want::default()).template;
        let query = vec![("fields", fields.into())];
        self.read(node(access, Endpoint::MessageTemplate, &[id], query, waba_id, priority)).await
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

    /// All of a listing, of which the first page may be there already. Should Meta lose the cursor, the listing starts
    /// over, once.
    async fn list<T: DeserializeOwned>(
        &self,
        access: &Access,
        listing: &Listing<'_>,
        first: Option<Page<T>>,
        id: impl Fn(&T) -> &str,
    ) -> Result<Vec<T>, Error> {
        let mut items = match self.follow(access, listing, first).await {
            Err(error) if error.is_stale_cursor() => self.follow(access, listing, None).await?,
            items => items?,
        };
        // Items move between pages while they are read, and then come twice.
        let mut seen = AHashSet::with_capacity(items.len());
        let fresh: Vec<bool> = items.iter().map(|item| seen.insert(id(item))).collect();
        let mut fresh = fresh.into_iter();
        items.retain(|_| fresh.next().unwrap_or(true));
        items.shrink_to_fit();
        Ok(items)
    }

    async fn follow<T: DeserializeOwned>(
        &self,
        access: &Access,
        listing: &Listing<'_>,
        first: Option<Page<T>>,
    ) -> Result<Vec<T>, Error> {
        let mut page = match first {
            Some(page) => page,
            None => self.read(listing.call(access, None)).await?,
        };
        let mut items = std::mem::take(&mut page.data);
        let mut cursor: Option<Box<str>> = None;
        loop {
            match page.next() {
                Next::End => return Ok(items),
                // The same cursor twice would never end.
                Next::After(after) if cursor.as_ref() != Some(&after) => cursor = Some(after),
                Next::After(_) | Next::Lost => return Err(listing.lost()),
            }
            page = self.read(listing.call(access, cursor.as_deref())).await?;
            items.append(&mut page.data);
        }
    }

    /// Meta's limit for an account is the large one once it has a registered number.
    fn notice_registered(&self, access: &Access, waba_id: &str, numbers: &[PhoneNumber]) {
        if numbers.iter().any(PhoneNumber::is_registered) {
            self.inner.budget.gate(&access.app.app_id, Some(waba_id)).activate();
        }
    }
}

/// The fields to request, with or without health.
struct Fields {
    account: String,
    number: String,
    template: String,
}

impl Fields {
    fn of(want: Want) -> Self {
        let health = if want.health { ",health_status" } else { "" };
        Self {
            account: format!("{}{health}", Account::FIELDS),
            number: format!("{}{health}", PhoneNumber::FIELDS),
            template: Template::FIELDS.to_owned(),
        }
    }

    fn nested(&self) -> String {
        let Self { account, number, template } = self;
        format!("{account},phone_numbers.limit({PAGE}){{{number}}},message_templates.limit({PAGE}){{{template}}}")
    }
}

/// A listing that comes in pages.
#[derive(Clone, Copy)]
struct Listing<'a> {
    endpoint: Endpoint,
    path: &'a [&'a str],
    fields: &'a str,
    waba: Option<&'a str>,
    priority: Priority,
}

impl<'a> Listing<'a> {
    fn call<'b>(&'b self, access: &'b Access, after: Option<&'b str>) -> Call<'b>
    where
        'a: 'b,
    {
        let mut query: Vec<(_, Cow<'b, str>)> = vec![("fields", self.fields.into()), ("limit", PAGE.into())];
        query.extend(after.map(|cursor| ("after", cursor.into())));
        Call {
            endpoint: self.endpoint,
            caller: Caller::Token(access),
            version: &access.version,
            path: self.path,
            query,
            body: None,
            waba: self.waba,
            priority: self.priority,
        }
    }

    fn lost(&self) -> Error {
        let detail = "Meta says that a listing goes on, but not where";
        Error::without_reply(self.endpoint, Class::Transient, Sent::NoReply, detail)
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
