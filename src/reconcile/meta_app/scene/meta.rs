//! A Meta that answers as a test says.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};

use super::{ACCOUNT, APP};
use crate::{
    graph::{
        self,
        wire::{AccountScope, Expiry, GranularScope, InvalidReason, TokenInfo},
    },
    reconcile::meta_app::facts::Credentials,
};

/// The end of every throttle.
const THROTTLED_UNTIL: &str = "2026-11-22T12:00:00Z";

/// The error with this code.
pub fn error(code: u32) -> graph::Error {
    graph::Error::for_test(code, THROTTLED_UNTIL.parse().unwrap())
}

/// What Meta says of a token.
#[derive(Debug, Clone, PartialEq)]
pub enum Says {
    /// It works, for these accounts, for so long (or for ever).
    Works(AccountScope, Option<SignedDuration>),
    /// It does not, for the reason with this subcode.
    Dead(u32),
    /// It belongs to another app.
    Foreign,
    /// Nothing: an error with this code.
    Fails(u32),
}

impl Says {
    /// It works for one account, for ever.
    pub fn works() -> Self {
        Self::Works(AccountScope::Listed(BTreeSet::from([ACCOUNT.into()])), None)
    }

    /// It works for one account, for so many hours.
    pub fn ends_in(hours: i64) -> Self {
        Self::Works(AccountScope::Listed(BTreeSet::from([ACCOUNT.into()])), Some(SignedDuration::from_hours(hours)))
    }

    /// It works for whatever Meta lists.
    pub fn works_for_all() -> Self {
        Self::Works(AccountScope::All, None)
    }
}

/// How Meta answers; codes are those of its errors.
pub struct Meta {
    /// About app ID and secret.
    pub credentials: Result<Credentials, u32>,
    /// About tokens, by value; what is not here is dead.
    pub tokens: BTreeMap<String, (Says, Timestamp)>,
    /// Which reads of accounts fail, by token and account; the empty token is any.
    pub refuses: BTreeMap<(String, String), u32>,
    /// Which accounts a token sees.
    pub lists: Result<Vec<String>, u32>,
    /// The token that it gives for the live one.
    pub gives: Result<String, u32>,
}

impl Meta {
    /// What `debug_token` answers: `Ok(None)` is a token of another app.
    pub fn debug(&self, now: Timestamp, token: &SecretString) -> Result<Option<TokenInfo>, u32> {
        let (says, since) =
            self.tokens.get(token.expose_secret()).cloned().unwrap_or((Says::Dead(463), Timestamp::UNIX_EPOCH));
        let (scope, lasts, subcode) = match says {
            Says::Works(scope, lasts) => (scope, lasts, None),
            Says::Dead(subcode) => (AccountScope::All, None, Some(subcode)),
            Says::Foreign => return Ok(None),
            Says::Fails(code) => return Err(code),
        };
        let expires = lasts.map_or(Expiry::Never, |lasts| Expiry::At(since + lasts));
        let ended = matches!(expires, Expiry::At(at) if at <= now);
        let subcode = subcode.or(ended.then_some(463));
        let granular = match scope {
            AccountScope::All => Vec::new(),
            AccountScope::Listed(ids) => vec![GranularScope {
                scope: "whatsapp_business_management".into(),
                target_ids: Some(ids.into_iter().collect()),
            }],
        };
        let invalid_reason =
            subcode.map(|subcode| InvalidReason { code: Some(190), subcode: Some(subcode), message: None });
        Ok(Some(TokenInfo {
            app_id: Some(APP.into()),
            kind: None,
            is_valid: invalid_reason.is_none(),
            expires,
            data_access_expires: None,
            scopes: vec!["whatsapp_business_management".into()],
            granular,
            invalid_reason,
        }))
    }

    pub fn read(&self, token: &SecretString, account: &str) -> Result<(), u32> {
        let refused = |token: &str| self.refuses.get(&(token.to_owned(), account.to_owned()));
        refused("").or_else(|| refused(token.expose_secret())).map_or(Ok(()), |code| Err(*code))
    }
}
