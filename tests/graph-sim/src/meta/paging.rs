//! Pages of lists: cursors that belong to one list, and links that carry the caller's token, as Meta's do.

use form_urlencoded::Serializer;
use serde_json::{Value, json};

use super::errors::GraphError;
use super::fields::{self, Want};
use super::read::{Reader, Subject};
use super::request::Params;
use crate::world::estate::{Key, ListQuery};
use crate::world::lag::View;
use crate::world::{Kind, Record};

/// The arguments every paged edge has.
pub(crate) const ARGUMENTS: &[&str] = &["limit", "after", "before"];

const DEFAULT_LIMIT: usize = 25;
const MAX_LIMIT: usize = 100;

/// The page that a request wants.
pub(crate) struct Page<'a> {
    owner: &'a Subject,
    edge: &'a str,
    args: &'a Params,
    wants: &'a [Want],
}

/// The keys on a page, and whether there are more in the direction of travel.
struct Found {
    keys: Vec<Key>,
    more: bool,
}

impl<'a> Page<'a> {
    pub(crate) const fn of(owner: &'a Subject, edge: &'a str, args: &'a Params, wants: &'a [Want]) -> Self {
        Self { owner, edge, args, wants }
    }

    fn limit(&self) -> Result<usize, GraphError> {
        match self.args.text("limit") {
            None => Ok(DEFAULT_LIMIT),
            Some(text) => match text.parse::<usize>() {
                Ok(limit) if limit > 0 => Ok(limit.min(MAX_LIMIT)),
                _ => Err(GraphError::new(100, "(#100) Param limit must be an integer greater than 0")),
            },
        }
    }

    /// The cursor the page starts from and whether it is read backwards from there.
    fn start(&self, reader: &Reader<'_>) -> Result<Option<(String, bool)>, GraphError> {
        let (text, backwards) = match (self.args.text("after"), self.args.text("before")) {
            (Some(after), _) if !after.is_empty() => (after, false),
            (_, Some(before)) if !before.is_empty() => (before, true),
            _ => return Ok(None),
        };
        let id = self.decode(&text).ok_or_else(|| stale(reader.version))?;
        Ok(Some((id, backwards)))
    }

    fn prefix(&self) -> String {
        format!("{}/{}/", self.owner.key, self.edge)
    }

    fn encode(&self, id: &str) -> String {
        format!("QVFI{}", hex::encode(format!("{}{id}", self.prefix())))
    }

    fn decode(&self, cursor: &str) -> Option<String> {
        let text = String::from_utf8(hex::decode(cursor.strip_prefix("QVFI")?).ok()?).ok()?;
        text.strip_prefix(&self.prefix()).map(str::to_owned)
    }

    fn link(&self, reader: &Reader<'_>, direction: &str, cursor: &str) -> String {
        let mut query = Serializer::new(String::new());
        query.append_pair("access_token", &reader.viewer.value).append_pair("pretty", "0");
        if !self.wants.is_empty() {
            query.append_pair("fields", &fields::print(self.wants));
        }
        for name in self.args.names().filter(|name| !["after", "before"].contains(name)) {
            query.append_pair(name, &self.args.text(name).unwrap_or_default());
        }
        query.append_pair(direction, cursor);
        let owner = match self.owner.kind {
            Kind::Token => "me",
            _ => &*self.owner.key,
        };
        format!("{}/v{}.0/{owner}/{}?{}", reader.base, reader.version, self.edge, query.finish())
    }

    fn render(
        &self,
        reader: &Reader<'_>,
        view: View,
        kind: Kind,
        found: Found,
        start: Option<bool>,
    ) -> Result<Value, GraphError> {
        let Found { mut keys, more } = found;
        let backwards = start == Some(true);
        if backwards {
            keys.reverse();
        }
        let data: Vec<Value> = keys
            .iter()
            .map(|key| reader.node(view, &Subject { kind, key: key.clone() }, self.wants))
            .collect::<Result<_, _>>()?;
        let (Some(first), Some(last)) = (keys.first(), keys.last()) else { return Ok(json!({"data": []})) };
        let (before, after) = (self.encode(first), self.encode(last));
        let mut answer = json!({"data": data, "paging": {"cursors": {"before": before, "after": after}}});
        if backwards || more {
            answer["paging"]["next"] = json!(self.link(reader, "after", &after));
        }
        if start == Some(false) || (backwards && more) {
            answer["paging"]["previous"] = json!(self.link(reader, "before", &before));
        }
        Ok(answer)
    }
}

/// One page of the objects an owner lists, those that `keep` accepts; `ascending` turns the order round.
pub(crate) fn children(
    reader: &Reader<'_>,
    page: &Page<'_>,
    view: View,
    kind: Kind,
    ascending: bool,
    keep: impl Fn(&Record) -> bool,
) -> Result<Value, GraphError> {
    let start = page.start(reader)?;
    let from = match &start {
        None => None,
        Some((id, _)) => Some(reader.estate.position(kind, id).ok_or_else(|| stale(reader.version))?),
    };
    let backwards = start.map(|(_, backwards)| backwards);
    let query = ListQuery {
        view,
        kind,
        parent: &page.owner.key,
        from,
        reverse: ascending != (backwards == Some(true)),
        limit: page.limit()?,
        now: reader.now,
    };
    let (keys, more) = reader.estate.list(&query, keep);
    page.render(reader, view, kind, Found { keys, more }, backwards)
}

/// One page of a short list that is at hand whole.
pub(crate) fn whole(
    reader: &Reader<'_>,
    page: &Page<'_>,
    view: View,
    kind: Kind,
    keys: Vec<Key>,
) -> Result<Value, GraphError> {
    let limit = page.limit()?;
    let start = page.start(reader)?;
    let mut keys = keys;
    let backwards = start.as_ref().map(|(_, backwards)| *backwards);
    if backwards == Some(true) {
        keys.reverse();
    }
    if let Some((id, _)) = start {
        let at = keys.iter().position(|key| **key == *id).ok_or_else(|| stale(reader.version))?;
        keys.drain(..=at);
    }
    let more = keys.len() > limit;
    keys.truncate(limit);
    page.render(reader, view, kind, Found { keys, more }, backwards)
}

/// A cursor of another list, or one whose object has gone.
fn stale(version: u32) -> GraphError {
    if version >= 24 {
        GraphError::new(131_059, "(#131059) Invalid or expired cursor").details("Restart the listing without a cursor")
    } else {
        GraphError::new(100, "(#100) Invalid cursors values")
    }
}
