//! The objects at Meta, each kind in its table, with ordered indexes for what is listed page by page.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::fmt::strtime;

use super::lag::{Lag, Past, View};
use super::record::Record;
use super::schema::Kind;

/// An object's key: its id at Meta, or a token's name.
pub(crate) type Key = Arc<str>;

/// Where an object stands in its parent's list: ascending, newest onboarding first for numbers, then by age.
pub(crate) type Position = (i64, u64);

/// One object with its age (a running number).
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) serial: u64,
    pub(crate) record: Record,
}

/// All objects.
#[derive(Debug, Default)]
pub(crate) struct Estate {
    tables: BTreeMap<Kind, BTreeMap<Key, Node>>,
    children: HashMap<(Kind, Key), BTreeMap<Position, Key>>,
    token_values: HashMap<String, Key>,
    past: HashMap<(Kind, Key), Past>,
    pub(crate) lag: Lag,
    serial: u64,
}

impl Estate {
    pub(crate) fn get(&self, kind: Kind, key: &str) -> Option<&Record> {
        self.tables.get(&kind)?.get(key).map(|node| &node.record)
    }

    /// All objects of a kind, by key.
    pub(crate) fn all(&self, kind: Kind) -> impl Iterator<Item = (&Key, &Node)> {
        self.tables.get(&kind).into_iter().flatten()
    }

    /// The kind of the object with this id, tokens aside: they have no id.
    pub(crate) fn kind_of(&self, id: &str) -> Option<Kind> {
        [Kind::App, Kind::Business, Kind::Account, Kind::Number, Kind::Template]
            .into_iter()
            .find(|kind| self.get(*kind, id).is_some())
    }

    /// The name of the token with this value.
    pub(crate) fn token_named(&self, value: &str) -> Option<&Key> {
        self.token_values.get(value)
    }

    /// Adds or replaces an object; `now` dates the change for reads that lag.
    pub(crate) fn put(&mut self, kind: Kind, key: &str, record: Record, now: i64) {
        let key: Key = Arc::from(key);
        let old = self.tables.entry(kind).or_default().remove(&key);
        let serial = old.as_ref().map_or_else(
            || {
                self.serial += 1;
                self.serial
            },
            |node| node.serial,
        );
        if let Some(node) = &old {
            self.unlink(kind, node);
        }
        self.remember(kind, &key, old, now);
        let node = Node { serial, record };
        if let Some(parent) = parent(kind, &node.record) {
            self.children.entry((kind, parent)).or_default().insert(position(kind, &node), key.clone());
        }
        if let Some(value) = node.record.text("token").filter(|_| kind == Kind::Token) {
            self.token_values.insert(value.to_owned(), key.clone());
        }
        self.tables.entry(kind).or_default().insert(key, node);
    }

    /// Changes an object, if it is there.
    pub(crate) fn edit(&mut self, kind: Kind, key: &str, now: i64, change: impl FnOnce(&mut Record)) {
        if let Some(mut record) = self.get(kind, key).cloned() {
            change(&mut record);
            self.put(kind, key, record, now);
        }
    }

    /// Removes an object and returns it.
    pub(crate) fn remove(&mut self, kind: Kind, key: &str, now: i64) -> Option<Record> {
        let (key, node) = self.tables.get_mut(&kind)?.remove_entry(key)?;
        self.unlink(kind, &node);
        self.remember(kind, &key, Some(node.clone()), now);
        Some(node.record)
    }

    fn unlink(&mut self, kind: Kind, node: &Node) {
        if let Some(list) = parent(kind, &node.record).and_then(|parent| self.children.get_mut(&(kind, parent))) {
            list.remove(&position(kind, node));
        }
        if let Some(value) = node.record.text("token").filter(|_| kind == Kind::Token) {
            self.token_values.remove(value);
        }
    }

    /// Versions are only kept while some view lags: they are for looking back.
    fn remember(&mut self, kind: Kind, key: &Key, old: Option<Node>, now: i64) {
        if self.lag.longest() > 0 {
            let horizon = now - self.lag.longest();
            self.past.entry((kind, key.clone())).or_default().push(now, old, horizon);
        }
    }

    /// An object as a view shows it at `now`: lagging views show it as it was.
    pub(crate) fn see(&self, view: View, kind: Kind, key: &str, now: i64) -> Option<&Record> {
        self.see_node(view, kind, key, now).map(|node| &node.record)
    }

    fn see_node(&self, view: View, kind: Kind, key: &str, now: i64) -> Option<&Node> {
        let current = self.tables.get(&kind).and_then(|table| table.get(key));
        let seconds = self.lag.of(view);
        if seconds == 0 || self.past.is_empty() {
            return current;
        }
        match self.past.get(&(kind, Arc::from(key))) {
            Some(past) => past.as_of(now - seconds, current),
            None => current,
        }
    }

    /// Up to `limit` keys of a parent's list, after (or before) the object `from`, that `keep` accepts; in list order, or
    /// backwards when `reverse`. The second value tells whether there are more.
    pub(crate) fn list(&self, query: &ListQuery<'_>, keep: impl Fn(&Record) -> bool) -> (Vec<Key>, bool) {
        let lagging = self.lag.of(query.view) > 0 && !self.past.is_empty();
        let rebuilt = lagging.then(|| self.rebuild(query));
        let list = match &rebuilt {
            Some(list) => Some(list),
            None => self.children.get(&(query.kind, Arc::from(query.parent))),
        };
        let Some(list) = list else { return (Vec::new(), false) };
        let bounds = match query.from {
            None => (Bound::Unbounded, Bound::Unbounded),
            Some(from) if query.reverse => (Bound::Unbounded, Bound::Excluded(from)),
            Some(from) => (Bound::Excluded(from), Bound::Unbounded),
        };
        let walk: Box<dyn Iterator<Item = &Key>> = if query.reverse {
            Box::new(list.range(bounds).rev().map(|(_, key)| key))
        } else {
            Box::new(list.range(bounds).map(|(_, key)| key))
        };
        let mut found: Vec<Key> = walk
            .filter(|key| self.see(query.view, query.kind, key, query.now).is_some_and(&keep))
            .take(query.limit.saturating_add(1))
            .cloned()
            .collect();
        let more = found.len() > query.limit;
        found.truncate(query.limit);
        (found, more)
    }

    /// A parent's list as a lagging view shows it: with what has gone since, without what is new.
    fn rebuild(&self, query: &ListQuery<'_>) -> BTreeMap<Position, Key> {
        let past = self.past.keys().filter(|(kind, _)| *kind == query.kind).map(|(_, key)| key);
        let current = self.children.get(&(query.kind, Arc::from(query.parent))).into_iter().flat_map(BTreeMap::values);
        past.chain(current)
            .filter_map(|key| {
                let node = self.see_node(query.view, query.kind, key, query.now)?;
                let here = parent(query.kind, &node.record).is_some_and(|parent| &*parent == query.parent);
                here.then(|| (position(query.kind, node), key.clone()))
            })
            .collect()
    }

    /// Where an object stands in its list, or nothing when it is gone.
    pub(crate) fn position(&self, kind: Kind, key: &str) -> Option<Position> {
        self.tables.get(&kind)?.get(key).map(|node| position(kind, node))
    }

    /// The keys a parent lists, in order.
    pub(crate) fn listed_keys(&self, kind: Kind, parent: &str) -> impl Iterator<Item = &Key> {
        self.children.get(&(kind, Arc::from(parent))).into_iter().flat_map(BTreeMap::values)
    }

    /// A fresh id that looks like one of Meta's.
    pub(crate) fn fresh_id(&self, kind: Kind) -> String {
        let family: u64 = match kind {
            Kind::App => 100,
            Kind::Business => 200,
            Kind::Account => 300,
            Kind::Token => 400,
            Kind::Number => 500,
            Kind::Template => 600,
        };
        (self.serial + 1..u64::MAX)
            .map(|serial| format!("{family}{serial:012}"))
            .find(|id| self.kind_of(id).is_none())
            .unwrap_or_default()
    }
}

/// One look into a parent's list.
#[derive(Debug)]
pub(crate) struct ListQuery<'a> {
    pub(crate) view: View,
    pub(crate) kind: Kind,
    pub(crate) parent: &'a str,
    pub(crate) from: Option<Position>,
    pub(crate) reverse: bool,
    pub(crate) limit: usize,
    pub(crate) now: i64,
}

fn parent(kind: Kind, record: &Record) -> Option<Key> {
    let (field, _) = kind.parent()?;
    record.text(field).map(Arc::from)
}

fn position(kind: Kind, node: &Node) -> Position {
    let onboarded = match kind {
        Kind::Number => node.record.text("last_onboarded_time").and_then(onboarded_second).unwrap_or(0),
        _ => 0,
    };
    (-onboarded, node.serial)
}

/// Meta's form, `2023-08-31T19:05:53+0000`.
fn onboarded_second(text: &str) -> Option<i64> {
    strtime::parse("%Y-%m-%dT%H:%M:%S%z", text).ok()?.to_timestamp().ok().map(Timestamp::as_second)
}

/// An instant in the form Meta prints it in.
pub(crate) fn meta_time(second: i64) -> String {
    Timestamp::from_second(second)
        .map_or_else(|_| String::new(), |time| time.strftime("%Y-%m-%dT%H:%M:%S+0000").to_string())
}
