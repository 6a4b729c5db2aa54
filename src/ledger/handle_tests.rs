//! What reads prove, and for how long others are left alone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::{calls::CallInput, ledger::NewIntent};

/// Waits as in production: nothing here waits.
fn book() -> LedgerHandle {
    let config = kube::Config::new("http://127.0.0.1:1".parse().unwrap());
    let client = Client::try_from(config).unwrap();
    let ledgers = Ledgers::new(client, "waba", |_| None, Timing::default());
    let slot = Arc::new(tokio::sync::Mutex::default()).try_lock_owned().unwrap();
    LedgerHandle { slot, ledgers, digits: 33_612_345_678, name: secret_name(33_612_345_678) }
}

fn knows(book: &mut LedgerHandle, ledger: Ledger) {
    book.slot.known = Some((ledger, OwnedSecret::new("waba", "x", None)));
}

fn begun(id: &str) -> Ledger {
    let mut ledger = Ledger::default();
    let now = Timestamp::UNIX_EPOCH;
    let (input, inputs, before) = (CallInput::Register, "f".to_owned(), "-".to_owned());
    ledger.begin(NewIntent { id: id.to_owned(), input, inputs, before, secret: None, action: None, now });
    ledger
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[tokio::test]
async fn a_read_counts_after_the_call_has_settled_and_two_a_minute_apart_prove() {
    let mut book = book();
    assert_eq!(book.evidence(None), Evidence::FULL, "nothing was changed");
    book.touch();
    let last_change_at = book.slot.last_change_at.unwrap();
    assert_eq!(book.counts_from(), Some(last_change_at + seconds(10)));
    let shows = |fresh, twice| Evidence { fresh, twice };
    for (after, expected) in [
        (None, shows(false, false)),
        (Some(0), shows(false, false)),
        (Some(9), shows(false, false)),
        (Some(12), shows(true, false)),
        (Some(71), shows(true, false)),
        (Some(72), shows(true, true)),
    ] {
        assert_eq!(book.evidence(after.map(|after| last_change_at + seconds(after))), expected, "{after:?} s after");
    }
    book.touch();
    assert!(!book.evidence(Some(last_change_at + seconds(72))).twice, "the next call begins anew");
}

#[tokio::test]
async fn changes_of_an_earlier_process_have_to_settle_too() {
    let now = Timestamp::UNIX_EPOCH;
    for (ago, fresh) in [(4, false), (40, true)] {
        let mut book = book();
        let last_change_at = now.checked_sub(seconds(ago)).unwrap();
        knows(&mut book, Ledger { last_change_at: Some(last_change_at), ..Ledger::default() });
        book.recall(now);
        assert_eq!(book.evidence(Some(Instant::now())), Evidence { fresh, twice: false }, "{ago} s ago");
    }
}

/// One that was paused while its call was under way, and whose clock may be ahead of this one's.
#[tokio::test]
async fn changes_of_another_process_have_to_settle_again() {
    let now = Timestamp::UNIX_EPOCH;
    let at = |seconds: i64| Ledger {
        last_change_at: Some(now + jiff::SignedDuration::from_secs(seconds)),
        ..Ledger::default()
    };
    for before in [None, Some(-1_000)] {
        let mut book = book();
        knows(&mut book, before.map_or_else(Ledger::default, at));
        book.recall(now);
        assert_eq!(
            book.evidence(Some(Instant::now())),
            Evidence { fresh: true, twice: before.is_none() },
            "{before:?}"
        );
        knows(&mut book, at(2));
        book.recall(now);
        let last_change_at = book.slot.last_change_at.unwrap();
        assert_eq!(book.evidence(Some(last_change_at + seconds(9))), Evidence::default(), "{before:?}");
        assert_eq!(
            book.evidence(Some(last_change_at + seconds(10))),
            Evidence { fresh: true, twice: false },
            "{before:?}"
        );
        book.recall(now);
        assert_eq!(book.slot.last_change_at, Some(last_change_at), "looking again does not begin anew");
    }
}

#[tokio::test]
async fn a_call_of_another_process_is_left_alone_from_when_it_is_first_seen() {
    let mut book = book();
    knows(&mut book, begun("one"));
    book.recall(Timestamp::UNIX_EPOCH);
    let intent = book.ledger().unwrap().intents[0].clone();
    let left = book.foreign_call_grace(&intent).unwrap();
    assert!(left > seconds(80) && left <= seconds(90), "{left:?}");
    assert_eq!(book.foreign_call_grace(&Intent { unknown: true, ..intent.clone() }), None, "it is known to be lost");

    *book.slot.foreign.get_mut("one").unwrap() -= seconds(91);
    book.recall(Timestamp::UNIX_EPOCH);
    assert_eq!(book.foreign_call_grace(&intent), None, "looking again does not begin anew");
    knows(&mut book, begun("two"));
    book.recall(Timestamp::UNIX_EPOCH);
    assert!(
        book.foreign_call_grace(&book.ledger().unwrap().intents[0].clone()).is_some(),
        "another call is another wait"
    );
    assert_eq!(book.slot.foreign.keys().collect::<Vec<_>>(), ["two"], "what is over is forgotten");
}

/// Thousands of numbers come and go; only those with a ledger are remembered.
#[tokio::test]
async fn numbers_without_a_ledger_take_no_memory() {
    let ledgers = book().ledgers.clone();
    for digits in 0..100 {
        drop(ledgers.open(digits).await);
    }
    assert_eq!(ledgers.slots.lock().len(), 0);
    let (mut changed, waiting) = (
        ledgers.open(1).await,
        tokio::spawn({
            let ledgers = ledgers.clone();
            async move { drop(ledgers.open(1).await) }
        }),
    );
    tokio::task::yield_now().await;
    drop(ledgers.open(2).await);
    changed.touch();
    drop(changed);
    waiting.await.unwrap();
    assert_eq!(ledgers.slots.lock().len(), 1, "what a call changed is remembered");
    assert!(ledgers.notice(7, Some("1")), "another process wrote the first ledger of a number");
    assert!(!ledgers.notice(7, None));
}
