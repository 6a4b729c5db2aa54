//! What people asked for by annotations, and what becomes of it in one plan.

use std::collections::BTreeMap;

use crate::api::Action;

/// The actions of a number that change something at Meta.
pub const CHANGING: [Action; 3] = [Action::RequestCode, Action::Register, Action::ResetPin];

/// See the module.
#[derive(Debug, Default)]
pub struct Requests {
    asked: Vec<Action>,
    /// Not acted on, and why.
    pub ignored: Vec<(Action, String)>,
    /// Acted on later.
    pub waiting: Vec<Action>,
}

impl Requests {
    /// Of what was asked for.
    pub fn of(asked: &BTreeMap<Action, String>) -> Self {
        let known = asked.keys().filter(|action| CHANGING.contains(action) || **action == Action::RefreshToken);
        Self { asked: known.copied().collect(), ..Self::default() }
    }

    /// This one is not acted on.
    pub fn ignore(&mut self, action: Action, why: impl Into<String>) {
        if self.asked.contains(&action) && !self.ignored.iter().any(|(ignored, _)| *ignored == action) {
            self.ignored.push((action, why.into()));
        }
    }

    /// None is acted on.
    pub fn ignore_all(&mut self, why: &str) {
        for action in CHANGING {
            self.ignore(action, why);
        }
    }

    /// All wait that are not decided yet.
    pub fn wait_all(&mut self) {
        for action in self.asked.iter().filter(|action| CHANGING.contains(action)) {
            if !self.ignored.iter().any(|(ignored, _)| ignored == action) && !self.waiting.contains(action) {
                self.waiting.push(*action);
            }
        }
    }

    /// Whether it is still to be decided on.
    pub fn is_open(&self, action: Action) -> bool {
        self.asked.contains(&action) && !self.ignored.iter().any(|(ignored, _)| *ignored == action)
    }
}
