//! Everything there is at Meta, and what the simulator remembers about its callers.

pub(crate) mod agenda;
pub(crate) mod clock;
pub(crate) mod dial;
pub(crate) mod estate;
pub(crate) mod habits;
pub(crate) mod journal;
pub(crate) mod ladder;
pub(crate) mod lag;
pub(crate) mod load;
pub(crate) mod record;
pub(crate) mod schema;
pub(crate) mod seed;
pub(crate) mod usage;

pub(crate) use clock::Clock;
pub(crate) use estate::Estate;
pub(crate) use record::Record;
pub(crate) use schema::Kind;

use crate::control::faults::Faults;
use crate::control::holds::Holds;
use crate::delivery::Deliveries;
use habits::Habits;
use journal::Journal;
use ladder::Ladders;
use usage::Usage;

/// The whole state, behind one lock that is never held while waiting.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) estate: Estate,
    pub(crate) ladders: Ladders,
    pub(crate) habits: Habits,
    pub(crate) usage: Usage,
    pub(crate) journal: Journal,
    pub(crate) faults: Faults,
    pub(crate) holds: Holds,
    pub(crate) deliveries: Deliveries,
    /// How long every answer takes, in real milliseconds.
    pub(crate) latency_ms: u64,
    /// How often a dead token may be tried again, in seconds; more often is a violation.
    pub(crate) probe_seconds: i64,
}
