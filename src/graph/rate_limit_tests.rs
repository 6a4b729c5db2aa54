#![allow(clippy::unwrap_used)]

use super::*;

const MINUTE: Duration = Duration::from_mins(1);

fn timing() -> Timing {
    Timing { longest_turn: Duration::ZERO, ..Timing::default() }
}

fn gate() -> Gate {
    Gate::new(200, timing())
}

fn usage(percent: u8, regain: Duration) -> Usage {
    Usage { percent, regain }
}

/// How far off a time on the clock is, in whole minutes.
fn minutes_until(until: Timestamp, clock: &Clock) -> i64 {
    (until.duration_since(clock.now()).as_secs() + 30) / 60
}

#[test]
fn pace_by_usage_and_priority() {
    let timing = Timing::default();
    let seconds = Duration::from_secs;
    let rest = timing.poll_rest;
    let cases = [
        ("below 80 % nothing holds a poll", 79, Priority::Poll, 0, Some(0), seconds(0)),
        ("from 80 % a poll slows down", 80, Priority::Poll, 0, Some(0), timing.pace_step),
        ("the more, the fuller", 94, Priority::Poll, 0, Some(0), 15 * timing.pace_step),
        ("counted from the poll before", 94, Priority::Poll, 0, Some(10), 5 * timing.pace_step),
        ("of which there was none", 94, Priority::Poll, 0, None, seconds(0)),
        ("reads of reconciles slow down too", 94, Priority::Read, 0, Some(0), 15 * timing.pace_step),
        ("polls rest when the rest is for others", 95, Priority::Poll, 0, None, rest),
        ("and so do reads of reconciles", 95, Priority::Read, 0, None, rest),
        (
            "the rest counts from when the usage was seen",
            100,
            Priority::Poll,
            100,
            None,
            rest.saturating_sub(seconds(100)),
        ),
        ("after the rest one looks again", 100, Priority::Poll, rest.as_secs(), None, seconds(0)),
        ("writes go on", 94, Priority::Write, 0, Some(0), seconds(0)),
        ("writes slow down when all but nothing is left", 99, Priority::Write, 0, Some(0), timing.pace_step),
        ("people do not wait", 99, Priority::Action, 0, Some(0), seconds(0)),
    ];
    for (reason, percent, priority, seen, last, expected) in cases {
        assert_eq!(pace(percent, seconds(seen), last.map(seconds), priority, &timing), expected, "{reason}");
    }
}

/// Takes all turns that polls have at once.
async fn use_up(gate: &Gate, clock: &Clock) {
    while gate.try_pass(Priority::Poll, clock).is_ok() {}
    assert!(gate.pass(Priority::Write, clock).await.is_ok(), "writes have the other half");
}

#[tokio::test(start_paused = true)]
async fn reads_of_a_reconcile_never_wait() {
    let (gate, clock) = (Gate::new(200, Timing::default()), Clock::default());
    let started = now();
    use_up(&gate, &clock).await;
    assert!(gate.pass(Priority::Read, &clock).await.is_err());
    let gate = Gate::new(200, Timing::default());
    gate.saw(usage(94, Duration::ZERO), &clock);
    assert_eq!(gate.pass(Priority::Read, &clock).await, Ok(()));
    assert!(gate.pass(Priority::Read, &clock).await.is_err(), "one per 15 s");
    gate.saw(usage(99, Duration::ZERO), &clock);
    assert_eq!(gate.pass(Priority::Write, &clock).await, Ok(()));
    assert!(gate.pass(Priority::Write, &clock).await.is_err(), "one per second");
    assert_eq!(since(started), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn refused_reads_come_back_one_after_the_other() {
    let (gate, clock) = (Gate::new(5000, Timing::default()), Clock::default());
    use_up(&gate, &clock).await;
    let mut refused: Vec<_> = Vec::new();
    for _ in 0..1000 {
        let until = gate.pass(Priority::Read, &clock).await.unwrap_err();
        refused.push(until.duration_since(clock.now()).as_secs());
    }
    assert!(refused.is_sorted() && refused[0] <= 4, "{:?}", &refused[..3]);
    assert!((2800..=2900).contains(&refused[999]), "2.88 s each: {}", refused[999]);
    for _ in 0..1000 {
        gate.pass(Priority::Read, &clock).await.unwrap_err();
    }
    let last = gate.pass(Priority::Read, &clock).await.unwrap_err().duration_since(clock.now());
    assert!(last.as_secs() <= 3601, "never later than a window from now: {last}");
}

#[tokio::test(start_paused = true)]
async fn a_poller_that_waits_goes_before_reads_of_reconciles() {
    let (gate, clock) = (Arc::new(Gate::new(200, Timing::default())), Arc::new(Clock::default()));
    use_up(&gate, &clock).await;
    let poller = tokio::spawn({
        let (gate, clock) = (gate.clone(), clock.clone());
        async move { gate.pass(Priority::Poll, &clock).await }
    });
    for _ in 0..80 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let read = gate.pass(Priority::Read, &clock).await;
        assert!(read.is_err() || poller.is_finished(), "a read went before the poller");
    }
    assert_eq!(poller.await.unwrap(), Ok(()));
    assert_eq!(gate.state().waiting, 0);
}

#[tokio::test]
async fn polls_keep_under_half_of_the_bucket_and_leave_the_rest_to_others() {
    let (gate, clock) = (gate(), Clock::default());
    let mut passed = 0;
    while gate.pass(Priority::Poll, &clock).await.is_ok() {
        passed += 1;
        assert!(passed <= 50, "a quarter of 200 at once, and a quarter over the hour");
    }
    assert_eq!(passed, 50);
    assert!(gate.pass(Priority::Write, &clock).await.is_ok());
    assert!(gate.pass(Priority::Action, &clock).await.is_ok());
}

#[tokio::test]
async fn a_registered_number_widens_the_bucket() {
    let (gate, clock) = (gate(), Clock::default());
    gate.activate();
    for call in 0..1250 {
        assert!(gate.pass(Priority::Poll, &clock).await.is_ok(), "call {call}");
    }
    gate.activate();
    assert!(gate.pass(Priority::Poll, &clock).await.is_err(), "to hear of it again does not refill it");
}

#[tokio::test(start_paused = true)]
async fn a_full_limiter_makes_a_poll_wait_for_its_turn() {
    let timing = Timing { budget_window: MINUTE, longest_turn: MINUTE, ..Timing::default() };
    let (gate, clock) = (Gate::new(4, timing), Clock::default());
    let started = now();
    for _ in 0..2 {
        gate.pass(Priority::Poll, &clock).await.unwrap();
    }
    assert!(since(started) >= MINUTE, "{:?}", since(started));
}

#[tokio::test]
async fn nothing_passes_while_throttled() {
    let (gate, clock) = (gate(), Clock::default());
    let until = gate.throttled(Duration::ZERO, &clock);
    for priority in [Priority::Poll, Priority::Write, Priority::Action] {
        assert_eq!(gate.pass(priority, &clock).await, Err(until), "{priority:?}");
    }
    assert_eq!(gate.throttled_until(&clock), Some(until));
}

#[tokio::test]
async fn a_throttle_ends() {
    let timing = Timing { throttle_first: Duration::from_millis(1), ..timing() };
    let (gate, clock) = (Gate::new(200, timing), Clock::default());
    gate.throttled(Duration::ZERO, &clock);
    assert!(gate.pass(Priority::Action, &clock).await.is_err());
    while gate.throttled_until(&clock).is_some() {
        tokio::task::yield_now().await;
    }
    assert_eq!(gate.pass(Priority::Poll, &clock).await, Ok(()));
}

#[test]
fn stops_grow_until_an_answer_comes() {
    let (gate, clock) = (gate(), Clock::default());
    let stops: Vec<_> = (0..6).map(|_| minutes_until(gate.throttled(Duration::ZERO, &clock), &clock)).collect();
    assert_eq!(stops, [5, 10, 20, 40, 60, 60], "doubling from five minutes, an hour at most");
    gate.answered();
    gate.state().closed = None;
    assert_eq!(minutes_until(gate.throttled(Duration::ZERO, &clock), &clock), 5);
}

#[test]
fn metas_word_on_the_end_counts() {
    let (gate, clock) = (gate(), Clock::default());
    assert_eq!(minutes_until(gate.throttled(17 * MINUTE, &clock), &clock), 17);
    assert_eq!(minutes_until(gate.throttled(3 * MINUTE, &clock), &clock), 17, "a longer stop stays");
}

#[test]
fn usage_alone_can_close_the_gate() {
    let (gate, clock) = (gate(), Clock::default());
    gate.saw(usage(100, 9 * MINUTE), &clock);
    assert_eq!(gate.throttled_until(&clock).map(|until| minutes_until(until, &clock)), Some(9));
    assert_eq!(gate.left(), Some(0));
}

#[test]
fn the_end_is_told_the_same_each_time() {
    let (gate, clock) = (gate(), Clock::default());
    let until = gate.throttled(Duration::ZERO, &clock);
    assert_eq!(gate.throttled_until(&clock), Some(until));
    assert_eq!(until.subsec_nanosecond(), 0);
}

#[test]
fn a_throttle_learnt_earlier_is_restored() {
    let (gate, clock) = (gate(), Clock::default());
    let past = clock.now() - MINUTE;
    gate.restore(past);
    assert_eq!(gate.throttled_until(&clock), None, "one that is over does not count");
    let until = later(clock.now(), 8 * MINUTE);
    gate.restore(until);
    assert_eq!(gate.throttled_until(&clock), Some(until));
}

#[test]
fn what_is_left_is_what_meta_told_of_late() {
    let clock = Clock::default();
    assert_eq!(gate().left(), None, "nothing told yet");
    let gate = gate();
    gate.saw(usage(30, Duration::ZERO), &clock);
    assert_eq!(gate.left(), Some(70));
    let timing = Timing { budget_window: Duration::ZERO, ..timing() };
    let stale = Gate::new(200, timing);
    stale.saw(usage(30, Duration::ZERO), &clock);
    assert_eq!(stale.left(), None, "a window later it says nothing any more");
}

#[test]
fn accounts_and_apps_have_gates_of_their_own() {
    let (budget, clock) = (Budget::new(timing()), Clock::default());
    budget.gate("1", Some("10")).throttled(Duration::ZERO, &clock);
    assert!(budget.gate("1", Some("10")).throttled_until(&clock).is_some());
    for (app, waba) in [("1", None), ("1", Some("11")), ("2", Some("10"))] {
        assert_eq!(budget.gate(app, waba).throttled_until(&clock), None, "{app} {waba:?}");
    }
}
