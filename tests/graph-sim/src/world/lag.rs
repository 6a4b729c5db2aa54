//! Reads that show the past for a while after a write.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::estate::Node;

/// The ways to look at an object that can lag independently of each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum View {
    /// `GET /{id}`.
    Node,
    /// `GET /{id}/{edge}`.
    List,
    /// An edge expanded in `fields`.
    Nested,
    DebugToken,
}

/// How many seconds each view is behind.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lag {
    node: i64,
    list: i64,
    nested: i64,
    debug_token: i64,
}

impl Lag {
    pub(crate) const fn of(&self, view: View) -> i64 {
        match view {
            View::Node => self.node,
            View::List => self.list,
            View::Nested => self.nested,
            View::DebugToken => self.debug_token,
        }
    }

    pub(crate) const fn set(&mut self, view: View, seconds: i64) {
        match view {
            View::Node => self.node = seconds,
            View::List => self.list = seconds,
            View::Nested => self.nested = seconds,
            View::DebugToken => self.debug_token = seconds,
        }
    }

    pub(crate) fn longest(&self) -> i64 {
        self.node.max(self.list).max(self.nested).max(self.debug_token)
    }
}

/// What an object was before each of its changes, oldest first; nothing where it did not exist.
#[derive(Debug, Default)]
pub(crate) struct Past(VecDeque<(i64, Option<Node>)>);

impl Past {
    /// Notes what a change at `now` replaced, and forgets what no view can reach any more.
    pub(crate) fn push(&mut self, now: i64, old: Option<Node>, horizon: i64) {
        while self.0.front().is_some_and(|(changed, _)| *changed <= horizon) {
            self.0.pop_front();
        }
        self.0.push_back((now, old));
    }

    /// The object at an instant, given what it is now.
    pub(crate) fn as_of<'a>(&'a self, instant: i64, current: Option<&'a Node>) -> Option<&'a Node> {
        let next_change = self.0.iter().find(|(changed, _)| *changed > instant);
        next_change.map_or(current, |(_, old)| old.as_ref())
    }
}
