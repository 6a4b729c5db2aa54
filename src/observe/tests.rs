//! What the inventory keeps of reads, and what it shows of a number or template.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{AppState, AppSummary, Changes, Failure, Inventory, Observation, Snapshot, TemplateKey};
use crate::api::AppKey;
use crate::graph::{self, AccountRead, LeftOut};

const ONE: &str = "102290129340398";
const TWO: &str = "202290129340398";
const DIGITS: u64 = 33_612_345_678;
const MINUTE: Duration = Duration::from_mins(1);

fn app() -> AppKey {
    AppKey::new("meta", "ino-cx")
}

/// A number that is connected, but for what is given.
fn number(digits: u64, given: &Value) -> Value {
    let mut number =
        json!({"id": digits.to_string(), "display_phone_number": format!("+{digits}"), "status": "CONNECTED"});
    number.as_object_mut().unwrap().extend(given.as_object().unwrap().clone());
    number
}

fn template(name: &str, language: &str, status: &str) -> Value {
    json!({"id": "7", "name": name, "language": language, "status": status})
}

/// A complete read of an account.
fn read(account: &str, numbers: &[Value], templates: &[Value], started: Instant) -> AccountRead {
    let of = |values: &[Value]| Value::from(values.to_vec());
    AccountRead {
        account: serde_json::from_value(json!({"id": account, "name": "INO"})).unwrap(),
        numbers: serde_json::from_value(of(numbers)).unwrap(),
        templates: serde_json::from_value(of(templates)).unwrap(),
        left_out: LeftOut::default(),
        started,
    }
}

fn inventory(standing: AppState, accounts: &[&str]) -> Inventory {
    let inventory = Inventory::default();
    let view = AppSummary { standing, stale_after: 30 * MINUTE, ..AppSummary::default() };
    let accounts: Vec<String> = accounts.iter().map(ToString::to_string).collect();
    assert!(inventory.set_app(&app(), view.clone(), &accounts), "all is new");
    assert!(!inventory.set_app(&app(), view, &accounts), "nothing is new");
    inventory
}

fn shows(inventory: &Inventory, account: &str, numbers: &[Value], started: Instant) -> Changes {
    inventory.replace(&app(), account, read(account, numbers, &[], started))
}

fn fails(inventory: &Inventory, account: &str, code: u32, at: Instant) -> bool {
    let error = graph::Error::for_test(code, Timestamp::UNIX_EPOCH);
    inventory.fail(&app(), account, Failure { error, token: "token".to_owned(), at })
}

/// Where a number is seen, and how: `there`, `gone`, and so on.
fn shown<T>(seen: &Observation<T>) -> String {
    match seen {
        Observation::Unread => "unread".to_owned(),
        Observation::Unreadable => "unreadable".to_owned(),
        Observation::Unmanaged => "unmanaged".to_owned(),
        Observation::Present { account, stale, .. } => format!("in {account}{}", if *stale { ", stale" } else { "" }),
        Observation::Absent { since, read, stale } => {
            format!("absent for {} s{}", (*read - *since).as_secs(), if *stale { ", stale" } else { "" })
        }
    }
}

#[test]
fn what_is_seen_of_a_number() {
    /// Why, which account the object names, what happens, and what is seen.
    type Case = (&'static str, Option<&'static str>, fn(&Inventory, Instant), String);
    let at = |account: &str| format!("in {account}");
    let ours: fn(&Inventory, Instant) =
        |inventory, now| drop(shows(inventory, ONE, &[number(DIGITS, &json!({}))], now));
    let cases: &[Case] = &[
        ("nothing was read", None, |_, _| {}, "unread".to_owned()),
        ("nothing was read of its account", Some(TWO), ours, "unread".to_owned()),
        ("one account has it, and the other need not be read", None, ours, at(ONE)),
        ("its account has it", Some(ONE), ours, at(ONE)),
        ("the app has no such account", Some("9"), ours, "unmanaged".to_owned()),
        (
            "one account lacks it, and the other may have it",
            None,
            |inventory, now| drop(shows(inventory, TWO, &[], now)),
            "unread".to_owned(),
        ),
        (
            "both lack it: since the later read, as far as the earlier one",
            None,
            |inventory, now| {
                for (account, started) in
                    [(ONE, now), (TWO, now + MINUTE), (ONE, now + 3 * MINUTE), (TWO, now + 2 * MINUTE)]
                {
                    shows(inventory, account, &[], started);
                }
            },
            "absent for 60 s".to_owned(),
        ),
        (
            "it moved: the account that it left lists it still",
            None,
            |inventory, now| {
                shows(inventory, ONE, &[number(DIGITS, &json!({"status": "MIGRATED"}))], now);
                shows(inventory, TWO, &[number(DIGITS, &json!({}))], now);
            },
            at(TWO),
        ),
        (
            "it moved, and the object names the account that it left",
            Some(ONE),
            |inventory, now| {
                shows(inventory, ONE, &[number(DIGITS, &json!({"status": "MIGRATED"}))], now);
                shows(inventory, TWO, &[number(DIGITS, &json!({}))], now);
            },
            at(ONE),
        ),
        (
            "reads fail",
            None,
            |inventory, now| {
                shows(inventory, ONE, &[number(DIGITS, &json!({}))], now);
                fails(inventory, ONE, 2, now);
            },
            at(ONE),
        ),
    ];
    for (reason, account, happens, expected) in cases {
        let inventory = inventory(AppState::Ready, &[ONE, TWO]);
        happens(&inventory, Instant::now());
        assert_eq!(shown(&inventory.number(&app(), *account, DIGITS)), *expected, "{reason}");
    }
    let other = AppKey::new("meta", "other");
    assert_eq!(shown(&inventory(AppState::Ready, &[ONE]).number(&other, None, DIGITS)), "unread", "no such app");
    let starting = inventory(AppState::Starting, &[]);
    assert_eq!(shown(&starting.number(&app(), Some(ONE), DIGITS)), "unread", "the accounts are not known yet");
}

#[test]
fn what_cannot_be_read_for_long_is_stale() {
    let (inventory, now) = (inventory(AppState::Ready, &[ONE]), Instant::now());
    let view = AppSummary { standing: AppState::Ready, stale_after: Duration::ZERO, ..AppSummary::default() };
    inventory.set_app(&app(), view, &[ONE.to_owned()]);
    assert_eq!(shown(&inventory.number(&app(), None, DIGITS)), "unread", "nothing failed yet");
    fails(&inventory, ONE, 2, now);
    assert_eq!(shown(&inventory.number(&app(), None, DIGITS)), "unreadable", "never read, for too long");
    shows(&inventory, ONE, &[number(DIGITS, &json!({}))], now);
    assert_eq!(shown(&inventory.number(&app(), None, DIGITS)), format!("in {ONE}"), "reads go on, however seldom");
    fails(&inventory, ONE, 2, now);
    assert_eq!(shown(&inventory.number(&app(), None, DIGITS)), format!("in {ONE}, stale"));
    assert_eq!(shown(&inventory.number(&app(), None, 1)), "absent for 0 s, stale");
    inventory.start_anew(&app(), ONE);
    assert_eq!(
        shown(&inventory.number(&app(), None, DIGITS)),
        format!("in {ONE}"),
        "a new way to read has not failed yet"
    );
}

#[test]
fn absence_counts_from_the_first_read_that_lacks_it() {
    let (inventory, now) = (inventory(AppState::Ready, &[ONE]), Instant::now());
    let there = |digits: u64| [number(digits, &json!({}))];
    let absent = |digits: u64| shown(&inventory.number(&app(), None, digits));
    shows(&inventory, ONE, &there(DIGITS), now);
    shows(&inventory, ONE, &[], now + 10 * MINUTE);
    assert_eq!(absent(DIGITS), "absent for 0 s", "it was there a moment ago");
    assert_eq!(absent(1), "absent for 600 s", "it was never there");
    shows(&inventory, ONE, &[], now + 11 * MINUTE);
    assert_eq!(absent(DIGITS), "absent for 60 s");
    shows(&inventory, ONE, &there(DIGITS), now + 12 * MINUTE);
    shows(&inventory, ONE, &[], now + 20 * MINUTE);
    assert_eq!(absent(DIGITS), "absent for 0 s", "it came back in between");
}

#[test]
fn absence_counts_alike_for_every_spelling() {
    let (inventory, now) = (inventory(AppState::Ready, &[ONE]), Instant::now());
    let (listed, spelled) = (5_215_512_345_678, 525_512_345_678);
    shows(&inventory, ONE, &[number(listed, &json!({}))], now);
    assert_eq!(shown(&inventory.number(&app(), None, spelled)), format!("in {ONE}"));
    shows(&inventory, ONE, &[], now + 10 * MINUTE);
    for digits in [listed, spelled] {
        assert_eq!(
            shown(&inventory.number(&app(), None, digits)),
            "absent for 0 s",
            "{digits}: one read proves nothing"
        );
    }
}

#[test]
fn what_is_gone_does_not_hide_what_came_after_it() {
    let (gone, there) = (number(DIGITS, &json!({"id": "1", "status": "DELETED"})), number(DIGITS, &json!({"id": "2"})));
    for numbers in [[gone.clone(), there.clone()], [there, gone]] {
        let snapshot = Snapshot::new(read(ONE, &numbers, &[], Instant::now()), None);
        assert_eq!(&*snapshot.number(DIGITS).unwrap().id, "2");
    }
    let key = TemplateKey { name: "hello".into(), language: "en".into() };
    let templates = [template("hello", "en", "APPROVED"), template("hello", "en", "DELETED")];
    let snapshot = Snapshot::new(read(ONE, &[], &templates, Instant::now()), None);
    assert_eq!(snapshot.template(&key).unwrap().status.as_ref().unwrap().as_str(), "APPROVED");
    let snapshot = Snapshot::new(read(ONE, &[], &[template("hello", "en", "DELETED")], Instant::now()), None);
    assert!(snapshot.template(&key).is_none(), "a deleted template is not there");
}

#[test]
fn changes_name_what_came_went_or_changed() {
    let now = Instant::now();
    let first = [number(1, &json!({})), number(2, &json!({})), number(3, &json!({}))];
    let templates = [template("a", "en", "PENDING"), template("b", "en", "APPROVED")];
    let before = Arc::new(Snapshot::new(read(ONE, &first, &templates, now), None));
    assert_eq!(before.changes(None), Changes { fresh: true, ..Changes::default() }, "a first read concerns everybody");

    let same = Snapshot::new(read(ONE, &first, &templates, now + MINUTE), Some(&before));
    assert_eq!(same.changes(Some(&before)), Changes::default(), "the same read changes nothing");

    let second = [number(1, &json!({})), number(2, &json!({"status": "BANNED"})), number(4, &json!({}))];
    let templates = [template("a", "en", "APPROVED"), template("b", "en", "APPROVED")];
    let after = Snapshot::new(read(ONE, &second, &templates, now + MINUTE), Some(&before));
    let Changes { fresh, account, mut numbers, templates } = after.changes(Some(&before));
    numbers.sort_unstable();
    assert_eq!((fresh, account, numbers.as_slice()), (false, false, [2, 3, 4].as_slice()), "as many as before");
    assert_eq!(templates, [TemplateKey { name: "a".into(), language: "en".into() }]);

    let fewer = Snapshot::new(read(ONE, &second[..2], &[], now + MINUTE), Some(&before));
    assert!(fewer.changes(Some(&before)).account, "the app counts them");
}

#[test]
fn the_end_of_a_failure_enqueues_every_object() {
    let (inventory, now) = (inventory(AppState::Ready, &[ONE]), Instant::now());
    assert!(shows(&inventory, ONE, &[], now).fresh);
    assert_eq!(shows(&inventory, ONE, &[], now), Changes::default());
    assert!(fails(&inventory, ONE, 2, now), "the first failure is news");
    assert!(!fails(&inventory, ONE, 2, now), "the same again is none");
    assert!(fails(&inventory, ONE, 10, now), "another is");
    assert!(shows(&inventory, ONE, &[], now).fresh);
    fails(&inventory, ONE, 2, now);
    inventory.start_anew(&app(), ONE);
    assert!(inventory.accounts(&app())[ONE].failure.is_none());
    assert!(shows(&inventory, ONE, &[], now).fresh, "also where another way to read ended it");
}

#[test]
fn accounts_that_are_not_listed_any_more_are_forgotten() {
    let (inventory, now) = (inventory(AppState::Ready, &[ONE, TWO]), Instant::now());
    shows(&inventory, ONE, &[number(DIGITS, &json!({}))], now);
    let view = AppSummary { standing: AppState::Ready, ..AppSummary::default() };
    assert!(inventory.set_app(&app(), view, &[TWO.to_owned()]));
    assert_eq!(shown(&inventory.number(&app(), Some(ONE), DIGITS)), "unmanaged");
    assert_eq!(shows(&inventory, ONE, &[], now), Changes::default(), "a read that ends later changes nothing");
    assert!(!fails(&inventory, ONE, 2, now));
    assert!(!inventory.set_template_limit(&app(), ONE, 250));
    inventory.remove_app(&app());
    assert!(inventory.app(&app()).is_none());
}

/// The account is read for years: what vanished long ago takes no memory, and is as absent as it was.
#[test]
fn a_snapshot_forgets_what_vanished_long_ago() {
    let start = Instant::now();
    let hours = |n: u32| start + n * 60 * MINUTE;
    let key = |n: u32| TemplateKey { name: format!("t{n}").into(), language: "en_US".into() };
    let mut last: Option<Arc<Snapshot>> = None;
    for n in 0..50 {
        let shown = read(
            ONE,
            &[number(u64::from(n), &json!({}))],
            &[template(&format!("t{n}"), "en_US", "APPROVED")],
            hours(n),
        );
        last = Some(Arc::new(Snapshot::new(shown, last.as_ref())));
    }
    let last = last.unwrap();
    assert!(last.remembered() <= 4, "{} things that vanished are remembered", last.remembered());
    assert_eq!(last.number_absent_since(48), hours(49));
    assert!(last.number_absent_since(7) >= hours(8), "it was there before");
    assert!(last.template_absent_since(&key(7)) >= hours(8), "it was there before");
    let old = last.number_absent_since(7);
    assert!(old < hours(48), "and it is long gone: {:?}", hours(49) - old);
}

#[test]
fn a_template_limit_of_an_earlier_process_stands_until_this_one_has_read_it() {
    let inventory = inventory(AppState::Ready, &[ONE]);
    let limit = || inventory.accounts(&app())[ONE].template_limit;
    inventory.recall_template_limit(&app(), ONE, 250);
    assert_eq!(limit(), Some(250));
    assert!(inventory.set_template_limit(&app(), ONE, 6000), "another is news");
    inventory.recall_template_limit(&app(), ONE, 250);
    assert_eq!(limit(), Some(6000));
}

#[test]
fn health_stays_between_the_reads_that_bring_it() {
    let now = Instant::now();
    let blocked = json!({"health_status": {"can_send_message": "BLOCKED"}});
    let before = Arc::new(Snapshot::new(read(ONE, &[number(1, &blocked)], &[], now), None));
    assert!(before.number(1).unwrap().health.is_some());
    let later = Snapshot::new(read(ONE, &[number(1, &json!({}))], &[], now), Some(&before));
    assert_eq!(later.number(1).unwrap().health, before.number(1).unwrap().health);
    assert_eq!(later.changes(Some(&before)), Changes::default());
    let other = Snapshot::new(read(ONE, &[number(1, &json!({"status": "PENDING"}))], &[], now), Some(&before));
    assert!(other.number(1).unwrap().health.is_none(), "it was the health of another status");
}

#[test]
fn health_of_another_status_is_dropped() {
    let now = Instant::now();
    let unregistered = json!({"status": "DISCONNECTED", "health_status": {"can_send_message": "BLOCKED"}});
    let before = Arc::new(Snapshot::new(read(ONE, &[number(1, &unregistered)], &[], now), None));
    let connected = Snapshot::new(read(ONE, &[number(1, &json!({}))], &[], now), Some(&before));
    assert_eq!(connected.number(1).unwrap().health, None, "it was blocked because it was not registered");
}
