//! Listings that come in pages.

use std::borrow::Cow;

use ahash::AHashSet;

use super::client::Client;
use super::config::{Access, Priority};
use super::effort::{Effort, circle};
use super::endpoint::Endpoint;
use super::errors::{Class, Error, Sent};
use super::fields::PAGE;
use super::transport::{Call, Caller};
use super::types::{Item, Items, Next, Page};

/// A listing that comes in pages.
#[derive(Clone, Copy)]
pub(super) struct Listing<'a> {
    pub endpoint: Endpoint,
    pub path: &'a [&'a str],
    pub fields: &'a str,
    pub waba: Option<&'a str>,
    pub priority: Priority,
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

impl Client {
    /// All of a listing, each item once, of which the first page may be there already. Should Meta lose the cursor, the
    /// listing starts over, once.
    pub(super) async fn list<T: Item>(
        &self,
        access: &Access,
        listing: &Listing<'_>,
        effort: &Effort,
        first: Option<Page<T>>,
        id: impl Fn(&T) -> &str + Send + Sync,
    ) -> Result<Items<T>, Error> {
        match self.follow(access, listing, effort, first, &id).await {
            Err(error) if error.is_stale_cursor() => self.follow(access, listing, effort, None, &id).await,
            items => items,
        }
    }

    async fn follow<T: Item>(
        &self,
        access: &Access,
        listing: &Listing<'_>,
        effort: &Effort,
        first: Option<Page<T>>,
        id: &(impl Fn(&T) -> &str + Send + Sync),
    ) -> Result<Items<T>, Error> {
        let mut page = match first {
            Some(page) => page,
            None => self.read_within(listing.call(access, None), effort).await?,
        };
        let mut found = Items::default();
        // Items move between pages while they are read, and then come twice.
        let mut ids: AHashSet<Box<str>> = AHashSet::new();
        let mut cursors: AHashSet<Box<str>> = AHashSet::new();
        loop {
            let fresh = found.append(std::mem::take(&mut page.data), |item| ids.insert(id(item).into()));
            let cursor = match page.next() {
                Next::End => break,
                Next::Unknown => {
                    found.left_out.push(T::default());
                    break;
                }
                Next::After(after) if cursors.insert(after.clone()) => after,
                Next::After(_) => return Err(circle(listing.endpoint)),
                Next::Lost => return Err(listing.lost()),
            };
            effort.count_page(listing.endpoint, fresh)?;
            page = self.read_within(listing.call(access, Some(&cursor)), effort).await?;
        }
        found.items.shrink_to_fit();
        Ok(found)
    }
}
