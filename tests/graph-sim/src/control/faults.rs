//! Faults on order: calls that fail before the work, or lose the answer after it.

use std::time::Duration;

use regex::Regex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::world::seed::SeedError;

/// What goes wrong with which calls.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Order {
    method: Option<String>,
    /// A regular expression, searched for in the path with its version.
    path: String,
    /// A token's name.
    token: Option<String>,
    /// Part of the caller's User-Agent.
    client: Option<String>,
    /// Matching calls that go through first.
    #[serde(default)]
    skip: u64,
    /// How many calls it hits; absent: every one until faults are deleted.
    times: Option<u64>,
    before: Option<Action>,
    after: Option<Action>,
    /// Lists that do not end.
    cursors: Option<Cursors>,
    /// Real milliseconds before anything happens.
    #[serde(default)]
    delay_ms: u64,
    /// Cuts the caller off now and does the work this much later, by Meta's clock.
    apply_late_seconds: Option<f64>,
}

/// How a list goes on for ever. Whatever cursor it is asked with, it sends its first page again.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Cursors {
    /// Two cursors lead to each other.
    Circle,
    /// Each cursor is new, and so are the ids on each page.
    Endless,
    /// Each cursor is new, and no page brings anything new.
    Repeating,
}

/// What the caller gets instead of an answer.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of the control interface")]
pub(crate) struct Action {
    pub(crate) status: Option<u16>,
    /// Text is sent as it is, anything else as JSON.
    pub(crate) body: Option<Value>,
    /// Close the connection without a word.
    pub(crate) reset: bool,
    /// Never answer.
    pub(crate) hang: bool,
    /// Send half of the body, then close.
    pub(crate) truncate: bool,
    /// A proxy's HTML page.
    pub(crate) html: bool,
    /// No body.
    pub(crate) empty: bool,
    /// Send the caller elsewhere.
    pub(crate) redirect: Option<String>,
}

/// What happens to one call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mishap {
    pub(crate) delay: Duration,
    pub(crate) before: Option<Action>,
    pub(crate) after: Option<Action>,
    pub(crate) cursors: Option<Cursors>,
    pub(crate) apply_late: Option<Duration>,
}

/// What a fault is matched against.
pub(crate) struct Caller<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) token: Option<&'a str>,
    pub(crate) client: Option<&'a str>,
}

/// The faults in force, in the order in which they are tried.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

#[derive(Debug)]
struct Fault {
    order: Order,
    path: Regex,
}

impl Faults {
    /// Adds faults; all or none.
    pub(crate) fn add(&mut self, orders: Vec<Order>) -> Result<(), SeedError> {
        let faults = orders.into_iter().map(|order| {
            let path = compile(&order.path)?;
            if order.apply_late_seconds.is_some_and(|seconds| Duration::try_from_secs_f64(seconds).is_err()) {
                return Err(SeedError::new("fault: applyLateSeconds has to be a number of seconds"));
            }
            Ok(Fault { order, path })
        });
        self.0.extend(faults.collect::<Result<Vec<_>, SeedError>>()?);
        Ok(())
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn orders(&self) -> impl Iterator<Item = &Order> {
        self.0.iter().map(|fault| &fault.order)
    }

    /// What happens to this call: the first fault that matches and has not been used up decides.
    pub(crate) fn strike(&mut self, caller: &Caller<'_>) -> Mishap {
        for fault in &mut self.0 {
            if fault.order.times == Some(0) || !fault.matches(caller) {
                continue;
            }
            let order = &mut fault.order;
            if order.skip > 0 {
                order.skip -= 1;
                continue;
            }
            order.times = order.times.map(|times| times - 1);
            return Mishap {
                delay: Duration::from_millis(order.delay_ms),
                before: order.before.clone(),
                after: order.after.clone(),
                cursors: order.cursors,
                apply_late: order.apply_late_seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
            };
        }
        Mishap::default()
    }
}

impl Fault {
    fn matches(&self, caller: &Caller<'_>) -> bool {
        let order = &self.order;
        order.method.as_ref().is_none_or(|method| method.eq_ignore_ascii_case(caller.method))
            && self.path.is_match(caller.path)
            && order.token.as_ref().is_none_or(|token| caller.token == Some(token))
            && order.client.as_ref().is_none_or(|part| caller.client.is_some_and(|client| client.contains(part)))
    }
}

pub(super) fn compile(path: &str) -> Result<Regex, SeedError> {
    Regex::new(path).map_err(|error| SeedError::new(format!("path: {error}")))
}
