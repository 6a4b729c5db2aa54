//! What Meta remembers about numbers on their way from bare digits to connected: codes, attempts, PINs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::agenda::{Agenda, Change, LAPSE};
use super::{Kind, Record, World, dial};

/// Register requests, and deregister requests, that a number has in a moving window; one more locks it for as long again.
const REQUESTS: usize = 10;
const REQUESTS_WINDOW: i64 = 72 * 3_600;
/// Wrong PINs in a moving window after which no PIN is looked at any more.
const WRONG_PINS: usize = 5;
const WRONG_PINS_WINDOW: i64 = 24 * 3_600;
/// New display names in a moving window.
const NAMES: usize = 10;
const NAMES_WINDOW: i64 = 30 * 86_400;
/// How long a code can be used.
const CODE_LIFE: i64 = 600;
/// How long a deleted number is not quite gone.
const DELETION: i64 = 300;

/// All numbers' memories.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Ladders {
    numbers: BTreeMap<String, Ladder>,
    /// When numbers were deleted, by what their spellings have in common.
    deleted: BTreeMap<String, i64>,
    pub(crate) agenda: Agenda,
}

impl Ladders {
    /// A number's memory.
    pub(crate) fn of(&mut self, number: &str) -> &mut Ladder {
        self.numbers.entry(number.to_owned()).or_default()
    }

    /// What there is of a number's memory.
    pub(crate) fn look(&self, number: &str) -> Option<&Ladder> {
        self.numbers.get(number)
    }

    pub(crate) fn recently_deleted(&self, digits: &str, now: i64) -> bool {
        self.deleted.get(&dial::canonical(digits)).is_some_and(|at| now < at + DELETION)
    }

    /// The memories of a world that replaces this one; who waits for this one's agenda waits for its.
    pub(crate) fn succeeded_by(&self, other: Self) -> Self {
        let mut successor = Self { agenda: self.agenda.clone(), ..Self::default() };
        successor.replace(other);
        successor
    }

    /// Takes over another world's memories.
    pub(crate) fn replace(&mut self, other: Self) {
        let Self { numbers, deleted, agenda } = other;
        (self.numbers, self.deleted) = (numbers, deleted);
        self.agenda.replace(agenda);
    }
}

/// One number's memory. Times are unix seconds of Meta's clock.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Ladder {
    pub(crate) register: Requests,
    pub(crate) deregister: Requests,
    codes: Vec<SentCode>,
    verify_attempts: u64,
    wrong_pins: VecDeque<i64>,
    /// PINs refused since the one in force was set.
    refused_pins: BTreeSet<String>,
    pins: Vec<PinSet>,
    names: VecDeque<i64>,
}

/// Requests of one kind within their window, and the lock that follows too many.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Requests {
    times: VecDeque<i64>,
    locked_until: Option<i64>,
}

/// A code that was sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct SentCode {
    pub(crate) code: String,
    pub(crate) method: String,
    pub(crate) sent_at: jiff::Timestamp,
}

/// A PIN that came into force; absent: two-step verification was switched off.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct PinSet {
    pin: Option<String>,
    /// The call that set it; absent: a person, or the seed.
    set_by: Option<u64>,
}

/// Meta's reply to a PIN; waits in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Right,
    Wrong,
    TooFast(i64),
    TooMany(i64),
}

impl Requests {
    /// Counts a request; false when there were too many and the number is locked.
    pub(crate) fn admit(&mut self, now: i64) -> bool {
        if self.locked_until.is_some_and(|until| now < until) {
            return false;
        }
        forget_before(&mut self.times, now - REQUESTS_WINDOW);
        if self.times.len() >= REQUESTS {
            self.locked_until = Some(now + REQUESTS_WINDOW);
            return false;
        }
        self.times.push_back(now);
        true
    }
}

impl Ladder {
    pub(crate) fn send(&mut self, code: SentCode) {
        self.codes.push(code);
    }

    pub(crate) fn codes(&self) -> &[SentCode] {
        &self.codes
    }

    /// Whether this is the code that was sent last, in time; counts the attempt.
    pub(crate) fn verify(&mut self, code: &str, now: i64) -> bool {
        self.verify_attempts += 1;
        self.codes.last().is_some_and(|sent| sent.code == code && now < sent.sent_at.as_second() + CODE_LIFE)
    }

    /// Whether this PIN was refused already and nothing has changed since.
    pub(crate) fn refused_before(&self, pin: &str) -> bool {
        self.refused_pins.contains(pin)
    }

    /// Looks at a PIN while one is in force.
    pub(crate) fn try_pin(&mut self, pin: &str, in_force: Option<&str>, too_fast: i64, now: i64) -> Verdict {
        forget_before(&mut self.wrong_pins, now - WRONG_PINS_WINDOW);
        if self.wrong_pins.len() >= WRONG_PINS {
            return Verdict::TooMany(self.wrong_pins.front().map_or(0, |first| first + WRONG_PINS_WINDOW - now));
        }
        if let Some(wait) = self.wrong_pins.back().map(|last| last + too_fast - now).filter(|wait| *wait > 0) {
            return Verdict::TooFast(wait);
        }
        if in_force == Some(pin) {
            self.wrong_pins.clear();
            return Verdict::Right;
        }
        self.wrong_pins.push_back(now);
        self.refused_pins.insert(pin.to_owned());
        Verdict::Wrong
    }

    /// Notes which PIN is in force from now on, and which was until now.
    fn note_pin(&mut self, old: Option<&str>, new: Option<&str>, set_by: Option<u64>) {
        if self.pins.is_empty() && old.is_some() {
            self.pins.push(PinSet { pin: old.map(str::to_owned), set_by: None });
        }
        self.pins.push(PinSet { pin: new.map(str::to_owned), set_by });
        self.wrong_pins.clear();
        self.refused_pins.clear();
    }

    /// Counts a new display name; false when there were too many.
    pub(crate) fn name(&mut self, now: i64) -> bool {
        forget_before(&mut self.names, now - NAMES_WINDOW);
        let admitted = self.names.len() < NAMES;
        if admitted {
            self.names.push_back(now);
        }
        admitted
    }

    /// Everything counted, within its window at `now`.
    pub(crate) fn counters(&self, pin: Option<&str>, now: i64) -> Value {
        let within = |times: &VecDeque<i64>, window: i64| times.iter().filter(|at| **at > now - window).count();
        let until = |requests: &Requests| requests.locked_until.filter(|until| now < *until);
        let mut pins = json!(self.pins);
        if self.pins.is_empty() && pin.is_some() {
            pins = json!([{"pin": pin, "setBy": null}]);
        }
        json!({
            "register": within(&self.register.times, REQUESTS_WINDOW),
            "registerLockedUntil": until(&self.register),
            "deregister": within(&self.deregister.times, REQUESTS_WINDOW),
            "deregisterLockedUntil": until(&self.deregister),
            "pinGuesses": within(&self.wrong_pins, WRONG_PINS_WINDOW),
            "verifyAttempts": self.verify_attempts,
            "codes": self.codes.len(),
            "nameChanges": within(&self.names, NAMES_WINDOW),
            "pins": pins,
        })
    }
}

fn forget_before(times: &mut VecDeque<i64>, horizon: i64) {
    while times.front().is_some_and(|at| *at <= horizon) {
        times.pop_front();
    }
}

impl World {
    /// Puts a PIN in force, or none; `set_by` is the call, unless a person did it.
    pub(crate) fn set_pin(&mut self, number: &str, pin: Option<&str>, set_by: Option<u64>) {
        let Some(record) = self.estate.get(Kind::Number, number) else { return };
        let old = record.text("pin").map(str::to_owned);
        self.ladders.of(number).note_pin(old.as_deref(), pin, set_by);
        let now = self.clock.unix();
        self.estate.edit(Kind::Number, number, now, |record| {
            record.set("pin", json!(pin));
            record.set("is_pin_enabled", Value::Null);
        });
    }

    /// What follows when a display name has been approved.
    pub(crate) fn adopt_name(&mut self, number: &str, at: i64) {
        self.estate.edit(Kind::Number, number, at, |record| {
            record.set("name_status", json!("APPROVED"));
            if let Some(name) = record.get("new_display_name").cloned() {
                record.set("verified_name", name);
            }
        });
        self.ladders.agenda.plan(number, Change::LapseName, at + LAPSE);
    }

    /// What follows when a person, or Meta itself, has changed a number.
    pub(crate) fn changed_by_hand(&mut self, number: &str, before: &Record, after: &Record) {
        let now = self.clock.unix();
        let changed = |field: &str| before.get(field) != after.get(field);
        if changed("pin") {
            self.ladders.of(number).note_pin(before.text("pin"), after.text("pin"), None);
        }
        if changed("is_pin_enabled") && after.flag("is_pin_enabled") == Some(false) && after.get("pin").is_some() {
            self.set_pin(number, None, None);
        }
        if changed("status") {
            self.ladders.agenda.cancel(number, Change::Connect);
            if after.text("status") == Some("DELETED") {
                self.note_deleted(after, now);
            }
        }
        if changed("code_verification_status") {
            self.ladders.agenda.cancel(number, Change::LapseVerification);
        }
        if changed("new_name_status") {
            self.ladders.agenda.cancel(number, Change::ApproveName);
            self.ladders.agenda.cancel(number, Change::LapseName);
            if after.text("new_name_status") == Some("APPROVED") {
                self.adopt_name(number, now);
            }
        }
    }

    /// Forgets a number that is removed; only its deletion is remembered.
    pub(crate) fn number_removed(&mut self, number: &str, record: &Record) {
        self.ladders.numbers.remove(number);
        self.ladders.agenda.forget(number);
        let now = self.clock.unix();
        self.note_deleted(record, now);
    }

    fn note_deleted(&mut self, record: &Record, now: i64) {
        let digits = dial::canonical(record.text("display_phone_number").unwrap_or_default());
        self.ladders.deleted.insert(digits, now);
    }
}
