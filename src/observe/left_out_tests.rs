//! What cannot be read of an account is not taken for gone.
#![allow(clippy::unwrap_used)]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{AppState, AppSummary, Inventory, Observation, Snapshot, TemplateKey};
use crate::{
    api::AppKey,
    graph::{
        AccountRead, LeftOut,
        types::{PhoneNumber, Template},
    },
    timing::now,
};

const ACCOUNT: &str = "501";
const DIGITS: u64 = 33_612_345_678;
const OTHER: u64 = 33_612_345_679;
const MINUTE: Duration = Duration::from_mins(1);

fn number(id: &str, digits: u64) -> Value {
    json!({"id": id, "display_phone_number": format!("+{digits}"), "status": "CONNECTED"})
}

fn read(numbers: &[Value], left_out: &[Value], started: Instant) -> AccountRead {
    let of = |values: &[Value]| -> Vec<PhoneNumber> { serde_json::from_value(Value::from(values.to_vec())).unwrap() };
    AccountRead {
        account: serde_json::from_value(json!({"id": ACCOUNT})).unwrap(),
        numbers: of(numbers),
        templates: Vec::new(),
        left_out: LeftOut { numbers: of(left_out), ..LeftOut::default() },
        started,
    }
}

struct World(Inventory);

impl World {
    fn new() -> Self {
        let inventory = Inventory::default();
        let view = AppSummary { standing: AppState::Ready, stale_after: 30 * MINUTE, ..AppSummary::default() };
        inventory.set_app(&app(), view, &[ACCOUNT.to_owned()]);
        Self(inventory)
    }

    fn shows(&self, numbers: &[Value], left_out: &[Value], started: Instant) -> super::Changes {
        self.0.replace(&app(), ACCOUNT, read(numbers, left_out, started))
    }

    fn seen(&self, digits: u64) -> Observation<PhoneNumber> {
        self.0.number(&app(), Some(ACCOUNT), digits)
    }

    /// Since when the number is absent, if it is.
    fn absent(&self, digits: u64) -> Option<Instant> {
        match self.seen(digits) {
            Observation::Absent { since, .. } => Some(since),
            _ => None,
        }
    }
}

fn app() -> AppKey {
    AppKey::new("meta", "ino-cx")
}

fn is_there<T>(seen: &Observation<T>) -> bool {
    matches!(seen, Observation::Present { .. })
}

#[test]
fn an_item_that_cannot_be_read_stays_as_it_was() {
    let cases = [
        ("nothing of it can be read", json!({}), [true, true]),
        ("its ID cannot be read", json!({"display_phone_number": format!("+{DIGITS}")}), [true, false]),
        ("only its ID can be read", json!({"id": "1"}), [true, false]),
        ("it is spelled in another way", json!({"display_phone_number": "+33 6 12 34 56 78"}), [true, false]),
        ("it is another one", json!({"id": "3", "display_phone_number": "+33 6 99 99 99 99"}), [false, false]),
    ];
    for (reason, left, expected) in cases {
        let (world, start) = (World::new(), now());
        world.shows(&[number("1", DIGITS), number("2", OTHER)], &[], start);
        let changes = world.shows(&[], std::slice::from_ref(&left), start + MINUTE);
        let seen = [DIGITS, OTHER].map(|digits| is_there(&world.seen(digits)));
        assert_eq!(seen, expected, "{reason}");
        let gone = expected.iter().filter(|there| !**there).count();
        assert_eq!(changes.numbers.len(), gone, "what stays is no change: {reason}");
    }
}

#[test]
fn a_number_whose_digits_cannot_be_read_is_not_gone() {
    let (world, start) = (World::new(), now());
    world.shows(&[number("1", DIGITS)], &[], start);
    world.shows(&[json!({"id": "1", "display_phone_number": {}, "status": "CONNECTED"})], &[], start + MINUTE);
    assert!(is_there(&world.seen(DIGITS)));
}

#[test]
fn an_incomplete_read_proves_no_absence() {
    let (world, start) = (World::new(), now());
    world.shows(&[number("1", DIGITS)], &[json!({})], start);
    assert_eq!(world.seen(OTHER), Observation::Unread, "it may be what cannot be read");
    world.shows(&[number("1", DIGITS)], &[], start + MINUTE);
    assert_eq!(world.absent(OTHER), Some(start + MINUTE), "since the first read that shows everything");
    world.shows(&[number("1", DIGITS)], &[json!({"display_phone_number": "+33 6 99 99 99 99"})], start + 2 * MINUTE);
    assert_eq!(world.absent(OTHER), Some(start + MINUTE), "what cannot be read is another number");
}

#[test]
fn what_vanished_before_an_incomplete_read_is_absent_since_the_next_complete_one() {
    let (world, start) = (World::new(), now());
    world.shows(&[number("1", DIGITS)], &[], start);
    world.shows(&[], &[], start + MINUTE);
    assert_eq!(world.absent(DIGITS), Some(start + MINUTE));
    world.shows(&[], &[json!({})], start + 2 * MINUTE);
    assert_eq!(world.seen(DIGITS), Observation::Unread);
    world.shows(&[], &[], start + 3 * MINUTE);
    assert_eq!(world.absent(DIGITS), Some(start + 3 * MINUTE));
}

#[test]
fn callbacks_that_cannot_be_read_stay_as_they_were() {
    let (world, start) = (World::new(), now());
    let with = |callbacks: Value| {
        let mut number = number("1", DIGITS);
        number["webhook_configuration"] = callbacks;
        number
    };
    world.shows(&[with(json!({"phone_number": "https://h/x"}))], &[], start);
    let changes = world.shows(&[with(json!("https://h/x"))], &[], start + MINUTE);
    assert_eq!(changes, super::Changes::default());
}

#[test]
fn templates_that_cannot_be_read_stay_as_they_were() {
    let start = now();
    let of = |values: Value| -> Vec<Template> { serde_json::from_value(values).unwrap() };
    let read = |templates: Value, left_out: Value, started: Instant| AccountRead {
        templates: of(templates),
        left_out: LeftOut { templates: of(left_out), ..LeftOut::default() },
        ..read(&[], &[], started)
    };
    let all = json!([{"id": "1", "name": "a", "language": "en"}, {"id": "2", "name": "a", "language": "fr"},
        {"id": "3", "name": "b", "language": "en"}]);
    let cases = [
        ("nothing can be read", json!({}), vec!["a en", "a fr", "b en"]),
        ("its ID cannot be read", json!({"name": "a", "language": "en"}), vec!["a en"]),
        ("its language cannot be read", json!({"id": "2", "name": "a"}), vec!["a fr"]),
        ("only its name can be read", json!({"name": "a"}), vec!["a en", "a fr"]),
    ];
    for (reason, left, expected) in cases {
        let before = Arc::new(Snapshot::new(read(all.clone(), json!([]), start), None));
        let after = Snapshot::new(read(json!([]), json!([left]), start + MINUTE), Some(&before));
        let mut kept: Vec<String> =
            after.templates.keys().map(|TemplateKey { name, language }| format!("{name} {language}")).collect();
        kept.sort();
        assert_eq!(kept, expected, "{reason}");
        let key = TemplateKey { name: "c".into(), language: "en".into() };
        assert_eq!(after.may_hide_template(&key), expected.len() == 3, "a template that was never seen: {reason}");
    }
}
