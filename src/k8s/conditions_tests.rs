#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn found(type_: &str, state: State) -> Condition {
    condition(type_, state, "AsFound", "It is as found.", 3, at(100))
}

fn types(conditions: &[Condition]) -> Vec<&str> {
    conditions.iter().map(|c| c.type_.as_str()).collect()
}

#[test]
fn the_transition_time_moves_with_the_status_only() {
    let mut list = vec![];
    set(&mut list, condition(READY, State::False, "Pending", "Wait.", 1, at(10)));
    set(&mut list, condition(READY, State::False, "Rejected", "No.", 2, at(20)));
    let ready = find(&list, READY).unwrap();
    assert_eq!(ready.last_transition_time.0, at(10), "reason and message are no transition");
    assert_eq!((ready.reason.as_str(), ready.observed_generation), ("Rejected", Some(2)));
    set(&mut list, condition(READY, State::True, "Enabled", "Yes.", 2, at(30)));
    assert_eq!(find(&list, READY).unwrap().last_transition_time.0, at(30));
    assert!(is_true(&list, READY) && list.len() == 1);
}

#[test]
fn the_order_is_fixed() {
    let mut list = vec![];
    for type_ in ["Verified", STALLED, "Approved", READY] {
        set(&mut list, found(type_, State::True));
    }
    assert_eq!(types(&list), [READY, STALLED, "Approved", "Verified"]);
}

#[test]
fn fractions_of_a_second_are_left_out() {
    let now = "2026-01-02T03:04:05.678Z".parse().unwrap();
    let made = condition(READY, State::True, "A", "b", 1, now);
    assert_eq!(made.last_transition_time.0.to_string(), "2026-01-02T03:04:05Z");
}

#[test]
fn a_stamp_reaches_every_condition() {
    let mut list = vec![found(READY, State::True), found("Verified", State::False)];
    stamp(&mut list, 9);
    assert!(list.iter().all(|c| c.observed_generation == Some(9)));
}

#[test]
fn a_cut_text_says_how_much_is_missing() {
    assert_eq!(truncate("short", 5), "short");
    let cut = truncate(&"é".repeat(200), 50);
    let kept = cut.chars().take_while(|c| *c == 'é').count();
    assert_eq!(cut, format!("{}… ({} more characters)", "é".repeat(kept), 200 - kept));
}

#[test]
fn history_keeps_the_newest() {
    let mut history: Vec<usize> = vec![];
    for entry in 0..25 {
        push_history(&mut history, entry);
    }
    assert_eq!(history, (5..25).collect::<Vec<_>>());
}

/// Each broken rule is found, and nothing else is.
#[test]
fn invariants() {
    let ok = || vec![found(READY, State::False), found(STALLED, State::True), found("Verified", State::Unknown)];
    assert_eq!(check_invariants(&ok(), 3, 3), Vec::<String>::new());
    let with = |change: &dyn Fn(&mut Vec<Condition>)| {
        let mut list = ok();
        change(&mut list);
        check_invariants(&list, 3, 3)
    };
    let cases: [(&str, Vec<String>); 14] = [
        ("observedGeneration is not", check_invariants(&ok(), 3, 4)),
        ("Ready is missing", with(&|l| l.retain(|condition| condition.type_ != READY))),
        ("both there", with(&|l| set(l, found(RECONCILING, State::True)))),
        ("Stalled is there but not True", with(&|l| set(l, found(STALLED, State::False)))),
        (
            "Reconciling is there but not True",
            with(&|l| {
                l.retain(|condition| condition.type_ != STALLED);
                set(l, found(RECONCILING, State::Unknown));
            }),
        ),
        ("Ready is True while Stalled", with(&|l| set(l, found(READY, State::True)))),
        (
            "Ready is True while Reconciling",
            with(&|l| {
                l.retain(|condition| condition.type_ != STALLED);
                set(l, found(RECONCILING, State::True));
                set(l, found(READY, State::True));
            }),
        ),
        ("not in order", with(&|l| l.swap(0, 2))),
        ("twice", with(&|l| l.push(found("Verified", State::True)))),
        ("Ready: its observedGeneration", with(&|l| l[0].observed_generation = None)),
        ("Ready: its reason", with(&|l| l[0].reason = "not-camel".into())),
        ("Ready: its message is empty", with(&|l| l[0].message = " ".into())),
        ("Ready: its message is too long", with(&|l| l[0].message = "x".repeat(MESSAGE_LIMIT + 1))),
        ("Verified: its status", with(&|l| l[2].status = "Yes".into())),
    ];
    for (expected, broken) in cases {
        assert!(broken.iter().any(|b| b.contains(expected)), "{expected}: {broken:?}");
        assert_eq!(broken.len(), 1, "{expected}: {broken:?}");
    }
}

#[test]
fn credentials_in_messages_are_found() {
    for message in [
        "the token EAAGm0PX4ZCps was refused",
        "1234567890|abcdef is wrong",
        "GET https://x/me?access_token=abc failed",
    ] {
        let list = [condition(READY, State::False, "Bad", message, 1, at(0))];
        let broken = check_invariants(&list, 1, 1);
        assert!(broken.iter().any(|b| b.contains("credential")), "{message}: {broken:?}");
    }
}

proptest! {
    #[test]
    fn a_cut_text_fits_and_loses_nothing_uncounted(text in "\\PC{0,300}", limit in 40_usize..200) {
        let cut = truncate(&text, limit);
        prop_assert!(cut.chars().count() <= limit);
        let length = text.chars().count();
        if length > limit {
            let (head, rest) = cut.rsplit_once("… (").unwrap();
            let missing: usize = rest.strip_suffix(" more characters)").unwrap().parse().unwrap();
            prop_assert_eq!(head.chars().count() + missing, length);
            prop_assert!(text.starts_with(head));
        } else {
            prop_assert_eq!(cut, text);
        }
    }

    #[test]
    fn whatever_is_set_stays_sorted_and_single(names in prop::collection::vec("[A-D]|Ready|Stalled|Reconciling", 0..12)) {
        let mut list = vec![];
        for name in &names {
            set(&mut list, found(name, State::True));
        }
        prop_assert!(list.is_sorted_by(|a, b| order(&a.type_, &b.type_) == Ordering::Less));
    }
}
