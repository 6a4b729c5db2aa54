//! What Meta shows of a token.

use std::collections::BTreeSet;

use jiff::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;

use super::lenient;
use super::open_enum::TokenKind;

/// When a token ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// Not by itself.
    Never,
    /// Then, on Meta's clock.
    At(Timestamp),
}

impl Expiry {
    /// When the token ends, if it does.
    #[must_use]
    pub fn at(self) -> Option<Timestamp> {
        match self {
            Self::Never => None,
            Self::At(at) => Some(at),
        }
    }
}

/// What `debug_token` shows of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenInfo {
    /// The app that issued it.
    pub app_id: Option<Box<str>>,
    /// What kind of token it is.
    pub kind: Option<TokenKind>,
    /// Whether Meta accepts it.
    pub is_valid: bool,
    /// When it ends.
    pub expires: Expiry,
    /// When the user's data behind it ends; of user tokens only.
    pub data_access_expires: Option<Timestamp>,
    /// What it was granted, sorted.
    pub scopes: Vec<Box<str>>,
    /// What each scope was granted for.
    pub granular: Vec<GranularScope>,
    /// Why it is not valid.
    pub invalid_reason: Option<InvalidReason>,
}

/// A scope and what it was granted for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GranularScope {
    /// `whatsapp_business_management` and the like.
    pub scope: Box<str>,
    /// The IDs of the objects, sorted; `None` is all.
    pub target_ids: Option<Vec<Box<str>>>,
}

/// Why a token is not valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidReason {
    /// Meta's code, mostly 190.
    pub code: Option<u32>,
    /// Meta's subcode, which says more.
    pub subcode: Option<u32>,
    /// Meta's words. They may hold times, so they are not for a condition.
    pub message: Option<Box<str>>,
}

/// The accounts that a token may manage by its scopes. Only a read of an account proves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountScope {
    /// All that its owner may.
    All,
    /// These.
    Listed(BTreeSet<Box<str>>),
}

impl TokenInfo {
    /// When the token stops being of use: at its own end, or at that of the user's data behind it, whichever is earlier.
    #[must_use]
    pub fn ends(&self) -> Option<Timestamp> {
        self.expires.at().into_iter().chain(self.data_access_expires).min()
    }

    /// Whether Meta exchanges such a token for one that lasts longer. For a token of a person that is not certain: Meta
    /// sends the person through the login again.
    #[must_use]
    pub fn is_exchangeable(&self) -> bool {
        self.expires != Expiry::Never && self.kind != Some(TokenKind::User)
    }

    /// The union over all `whatsapp_…` scopes (Meta has begun to list accounts under other ones than
    /// `whatsapp_business_management`). A scope without targets, or no word about targets at all, is all.
    #[must_use]
    pub fn account_scope(&self) -> AccountScope {
        if self.granular.is_empty() {
            return AccountScope::All;
        }
        let mut listed = BTreeSet::new();
        for granted in self.granular.iter().filter(|granted| granted.scope.starts_with("whatsapp_")) {
            match &granted.target_ids {
                Some(ids) => listed.extend(ids.iter().cloned()),
                None => return AccountScope::All,
            }
        }
        AccountScope::Listed(listed)
    }
}

/// The reply of `debug_token`.
#[derive(Deserialize)]
pub(in crate::graph) struct DebugAnswer {
    data: DebugData,
}

#[derive(Deserialize)]
struct DebugData {
    #[serde(default, deserialize_with = "lenient::text")]
    app_id: Option<Box<str>>,
    #[serde(default, rename = "type", deserialize_with = "lenient::word")]
    kind: Option<TokenKind>,
    #[serde(deserialize_with = "lenient::flag")]
    is_valid: Option<bool>,
    #[serde(default, deserialize_with = "lenient::number")]
    expires_at: Option<i64>,
    #[serde(default, deserialize_with = "lenient::number")]
    data_access_expires_at: Option<i64>,
    #[serde(default)]
    scopes: Vec<Box<str>>,
    #[serde(default)]
    granular_scopes: Vec<DebugScope>,
    #[serde(default)]
    error: Option<DebugError>,
}

#[derive(Deserialize)]
struct DebugScope {
    #[serde(deserialize_with = "lenient::id")]
    scope: Box<str>,
    #[serde(default)]
    target_ids: Option<Vec<LooseId>>,
}

#[derive(Deserialize)]
struct LooseId(#[serde(deserialize_with = "lenient::id")] Box<str>);

#[derive(Deserialize)]
struct DebugError {
    #[serde(default, deserialize_with = "lenient::count")]
    code: Option<u32>,
    #[serde(default, alias = "error_subcode", deserialize_with = "lenient::count")]
    subcode: Option<u32>,
    #[serde(default, deserialize_with = "lenient::text")]
    message: Option<Box<str>>,
}

/// Meta writes "never" as 0.
fn moment(seconds: Option<i64>) -> Option<Timestamp> {
    seconds.filter(|&seconds| seconds > 0).and_then(|seconds| Timestamp::from_second(seconds).ok())
}

impl From<DebugAnswer> for TokenInfo {
    fn from(DebugAnswer { data }: DebugAnswer) -> Self {
        let mut scopes = data.scopes;
        scopes.sort_unstable();
        let mut granular: Vec<_> = data.granular_scopes.into_iter().map(GranularScope::from).collect();
        granular.sort_by(|a, b| a.scope.cmp(&b.scope));
        Self {
            app_id: data.app_id,
            kind: data.kind,
            is_valid: data.is_valid.unwrap_or(false),
            expires: moment(data.expires_at).map_or(Expiry::Never, Expiry::At),
            data_access_expires: moment(data.data_access_expires_at),
            scopes,
            granular,
            invalid_reason: data.error.map(|error| InvalidReason {
                code: error.code,
                subcode: error.subcode,
                message: error.message,
            }),
        }
    }
}

impl From<DebugScope> for GranularScope {
    fn from(DebugScope { scope, target_ids }: DebugScope) -> Self {
        let target_ids = target_ids.map(|ids| {
            let mut ids: Vec<_> = ids.into_iter().map(|LooseId(id)| id).collect();
            ids.sort_unstable();
            ids
        });
        Self { scope, target_ids }
    }
}

/// The reply of `oauth/access_token`.
#[derive(Deserialize)]
pub(in crate::graph) struct TokenAnswer {
    #[serde(deserialize_with = "secret")]
    pub access_token: SecretString,
}

fn secret<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}
