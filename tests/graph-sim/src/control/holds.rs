//! Holds: calls stopped at a point until they are let go.

use regex::Regex;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::faults::compile;
use crate::world::seed::SeedError;

/// Where a call is stopped, seen from the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Point {
    Before,
    After,
}

/// Which call to stop. It stops one, then it is spent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Order {
    name: String,
    method: Option<String>,
    path: String,
    at: Point,
}

/// A hold as `GET /_sim/holds` shows it.
#[derive(Debug, Serialize)]
pub(crate) struct Shown<'a> {
    name: &'a str,
    reached: bool,
}

#[derive(Debug)]
struct Hold {
    order: Order,
    path: Regex,
    reached: bool,
    released: watch::Sender<bool>,
}

/// All holds, spent ones included until they are replaced or forgotten.
#[derive(Debug, Default)]
pub(crate) struct Holds(Vec<Hold>);

impl Holds {
    /// Adds holds; one of the same name is replaced, and what it held goes on.
    pub(crate) fn add(&mut self, orders: Vec<Order>) -> Result<(), SeedError> {
        let paths = orders.iter().map(|order| compile(&order.path)).collect::<Result<Vec<_>, _>>()?;
        for (order, path) in orders.into_iter().zip(paths) {
            self.0.retain(|hold| hold.order.name != order.name);
            self.0.push(Hold { order, path, reached: false, released: watch::Sender::new(false) });
        }
        Ok(())
    }

    pub(crate) fn shown(&self) -> Vec<Shown<'_>> {
        self.0.iter().map(|hold| Shown { name: &hold.order.name, reached: hold.reached }).collect()
    }

    /// Lets go; false when there is no such hold.
    pub(crate) fn release(&mut self, name: &str) -> bool {
        let hold = self.0.iter().find(|hold| hold.order.name == name);
        hold.is_some_and(|hold| {
            hold.released.send_replace(true);
            true
        })
    }

    /// The hold that stops this call here, if one does.
    pub(crate) fn reach(&mut self, method: &str, path: &str, at: Point) -> Option<watch::Receiver<bool>> {
        let hold = self.0.iter_mut().find(|hold| {
            !hold.reached
                && hold.order.at == at
                && hold.order.method.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
                && hold.path.is_match(path)
        })?;
        hold.reached = true;
        Some(hold.released.subscribe())
    }
}
