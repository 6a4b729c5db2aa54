//! What Meta will do by itself when its time has come.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Notify;

use super::{Kind, World};
use crate::delivery::events;
use crate::server::Shared;

/// An approved name has to be registered, and a verified number too, within this many seconds.
pub(crate) const LAPSE: i64 = 14 * 86_400;

/// What happens to a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    /// PENDING becomes CONNECTED.
    Connect,
    /// A name that is looked at is approved.
    ApproveName,
    /// An approved name that nobody registered is void.
    LapseName,
    /// A verification is void.
    LapseVerification,
}

/// The changes to come, soonest first: when, which number's, what.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Agenda {
    due: BTreeSet<(i64, String, Change)>,
    #[serde(skip)]
    wake: Arc<Notify>,
}

impl Agenda {
    /// Plans a change; one of the same kind that was planned before is off.
    pub(crate) fn plan(&mut self, number: &str, change: Change, at: i64) {
        self.cancel(number, change);
        self.due.insert((at, number.to_owned(), change));
        self.wake.notify_one();
    }

    pub(crate) fn cancel(&mut self, number: &str, change: Change) {
        self.due.retain(|(_, whose, what)| whose != number || *what != change);
    }

    /// Forgets everything about a number.
    pub(crate) fn forget(&mut self, number: &str) {
        self.due.retain(|(_, whose, _)| whose != number);
    }

    /// Takes over another agenda's plans; whoever waits for this one goes on waiting.
    pub(crate) fn replace(&mut self, plans: Self) {
        self.due = plans.due;
        self.wake.notify_one();
    }

    fn pop_due(&mut self, now: i64) -> Option<(i64, String, Change)> {
        self.due.first().filter(|(at, ..)| *at <= now)?;
        self.due.pop_first()
    }
}

impl World {
    /// Does what has fallen due, dated when it did.
    pub(crate) fn catch_up(&mut self) {
        let now = self.clock.unix();
        while let Some((at, number, change)) = self.ladders.agenda.pop_due(now) {
            self.happen(at, &number, change);
        }
    }

    fn happen(&mut self, at: i64, number: &str, change: Change) {
        let (field, from, to) = match change {
            Change::Connect => ("status", "PENDING", "CONNECTED"),
            Change::ApproveName => ("new_name_status", "PENDING_REVIEW", "APPROVED"),
            Change::LapseName => ("new_name_status", "APPROVED", "EXPIRED"),
            Change::LapseVerification => ("code_verification_status", "VERIFIED", "EXPIRED"),
        };
        let Some(before) = self.estate.get(Kind::Number, number).cloned() else { return };
        if before.text(field) != Some(from) {
            return;
        }
        let mut after = before.clone();
        after.set(field, json!(to));
        self.estate.put(Kind::Number, number, after.clone(), at);
        if change == Change::ApproveName {
            self.adopt_name(number, at);
        }
        for event in events::of_change(self, Kind::Number, number, &before, Some(&after)) {
            self.deliveries.send(event);
        }
    }
}

/// Does what falls due while nobody calls: its webhooks should not have to wait.
pub(crate) async fn run(shared: Shared) {
    let (clock, wake) = {
        let world = shared.world();
        (world.clock.clone(), Arc::clone(&world.ladders.agenda.wake))
    };
    loop {
        let next = shared.world().ladders.agenda.due.first().map(|(at, ..)| *at);
        match next.and_then(|at| Timestamp::from_second(at).ok()) {
            Some(at) => tokio::select! {
                () = clock.sleep_until(at) => {}
                () = wake.notified() => {}
            },
            None => wake.notified().await,
        }
    }
}
