//! What is remembered after what.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use jiff::SignedDuration;
use serde_json::json;

use super::*;
use crate::api::CodeMethod;
use crate::ledger::{CallOutcome, ProfileField, Refusal, transitions::PINS_REMEMBERED};
use Operation::{
    AddNumber, ClearWebhook, Deregister, Register, RegisterAgain, RequestCode, SetPin, SetWebhook, VerifyCode,
    WriteProfile,
};

/// So many minutes into the test.
fn at(minutes: i64) -> Timestamp {
    "2026-11-22T10:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_mins(minutes)
}

fn input(operation: Operation) -> CallInput {
    match operation {
        AddNumber => CallInput::AddNumber { account: "102".to_owned(), name: "INO".to_owned() },
        RequestCode => CallInput::RequestCode {
            method: CodeMethod::Voice,
            language: "fr_FR".to_owned(),
            baseline: Some("old".to_owned()),
        },
        VerifyCode => CallInput::VerifyCode,
        Register => CallInput::Register,
        RegisterAgain => CallInput::RegisterAgain,
        SetPin => CallInput::SetPin { then_register: true },
        Deregister => CallInput::Deregister,
        SetWebhook => CallInput::SetWebhook { url: "https://a.example".to_owned(), again: true },
        ClearWebhook => CallInput::ClearWebhook,
        WriteProfile => CallInput::WriteProfile { fields: BTreeMap::from([("about".to_owned(), json!("we help"))]) },
    }
}

fn call(id: &str, operation: Operation, now: Timestamp) -> NewIntent {
    NewIntent {
        id: id.to_owned(),
        input: input(operation),
        inputs: format!("inputs of {id}"),
        before: "DISCONNECTED".to_owned(),
        secret: matches!(operation, VerifyCode | Register | RegisterAgain | SetPin)
            .then(|| ComparableSecret::from("004217")),
        action: None,
        now,
    }
}

fn on_request(id: &str, operation: Operation, action: Action, now: Timestamp) -> NewIntent {
    NewIntent { action: Some((action, now.to_string())), ..call(id, operation, now) }
}

fn refusal(code: u32) -> Refusal {
    Refusal {
        code,
        subcode: None,
        class: "BadRequest".to_owned(),
        message: "Meta refused".to_owned(),
        until: None,
        inputs: "those".to_owned(),
        times: 1,
    }
}

fn refused(code: u32) -> CallOutcome {
    CallOutcome::Refused(refusal(code))
}

/// One call from its beginning to its end.
fn play(ledger: &mut Ledger, operation: Operation, ended: CallOutcome, minute: i64) {
    let id = format!("{operation}-{minute}");
    ledger.begin(call(&id, operation, at(minute)));
    ledger.finish(&id, ended, at(minute));
}

fn after(operation: Operation, ended: CallOutcome) -> Ledger {
    let mut ledger = Ledger::default();
    play(&mut ledger, operation, ended, 0);
    ledger
}

/// A ledger that remembers something of everything, to see what a call leaves alone.
fn full() -> Ledger {
    let mut ledger = Ledger::default();
    for (minute, operation) in (0..).zip([RequestCode, VerifyCode, Register, SetWebhook, WriteProfile]) {
        play(&mut ledger, operation, CallOutcome::Done(None), minute);
    }
    ledger
}

#[test]
fn a_call_is_open_until_its_outcome_is_known() {
    for &operation in Operation::ALL {
        let mut ledger = Ledger::default();
        ledger.begin(call("one", operation, at(0)));
        let intent = ledger.intent("one").unwrap();
        assert_eq!((intent.attempt, intent.unknown, intent.time), (1, false, at(0)), "{operation}");
        assert_eq!(ledger.conflicting(operation).map(|intent| intent.id.as_str()), Some("one"), "{operation}");
        for ended in [CallOutcome::Done(None), refused(1), CallOutcome::NotSent] {
            let mut ledger = ledger.clone();
            ledger.finish("one", ended, at(1));
            assert_eq!((ledger.intents.len(), ledger.secrets.len()), (0, 0), "{operation}");
        }
        ledger.finish("one", CallOutcome::Unknown, at(1));
        let stays = operation.is_settled_later();
        assert_eq!(ledger.intents.iter().filter(|intent| intent.unknown).count(), usize::from(stays), "{operation}");
        let last_change_at = operation.is_seen().then_some(at(1));
        assert_eq!(ledger.last_change_at, last_change_at, "{operation}: it may have changed what Meta shows");
    }
}

#[test]
fn a_code_that_was_sent_leaves_what_meta_shows_as_it_is() {
    for &operation in Operation::ALL {
        let seen = operation != RequestCode;
        assert_eq!(
            after(operation, CallOutcome::Done(None)).last_change_at.is_some(),
            seen,
            "{operation}: reads from before count"
        );
    }
}

#[test]
fn a_call_that_was_not_sent_leaves_no_trace() {
    for &operation in Operation::ALL {
        for before in [Ledger::default(), full()] {
            let mut ledger = before.clone();
            let mut begin = call("one", operation, at(60));
            begin.action = operation.action().map(|action| (action, at(59).to_string()));
            ledger.begin(begin);
            ledger.finish("one", CallOutcome::NotSent, at(61));
            ledger.attempts.retain(|_, times| !times.is_empty());
            assert_eq!(ledger, before, "{operation}");
        }
    }
}

#[test]
fn an_outcome_is_recorded_once() {
    let mut ledger = full();
    let before = ledger.clone();
    ledger.finish("nobody", CallOutcome::Done(None), at(60));
    assert_eq!(ledger, before);
}

#[test]
fn attempts_are_counted_if_meta_or_the_operator_limits_them() {
    for &operation in Operation::ALL {
        let counted = matches!(operation, Register | RegisterAgain | Deregister | RequestCode);
        for (ended, counts, reason) in [
            (CallOutcome::Done(None), true, "it was made"),
            (refused(133_005), true, "refused ones count too"),
            (CallOutcome::Unknown, true, "it may have been made"),
            (CallOutcome::NotSent, false, "Meta never heard of it"),
        ] {
            let ledger = after(operation, ended);
            let count = ledger.recent(operation, at(1)).len();
            assert_eq!(count, usize::from(counted && counts), "{operation}: {reason}");
        }
    }
    let mut ledger = after(Register, refused(1));
    play(&mut ledger, RegisterAgain, CallOutcome::Done(None), 10);
    assert_eq!(ledger.recent(Register, at(11)), [at(0), at(10)], "both ways to register are one to Meta");
    let three_days = 72 * 60;
    assert_eq!(ledger.recent(Register, at(three_days)), [at(10)], "what is 72 hours old counts no more");
    play(&mut ledger, Register, refused(1), three_days);
    assert_eq!(ledger.attempts[&Register], [at(10), at(three_days)], "and is not kept for ever");
}

#[test]
fn an_action_is_handled_once_its_intent_is_recorded() {
    for &operation in Operation::ALL {
        let Some(action) = operation.action() else { continue };
        let mut ledger = Ledger::default();
        ledger.begin(on_request("one", operation, action, at(0)));
        let (first, second) = (at(0).to_string(), at(5).to_string());
        assert_eq!(ledger.handled.get(action.annotation()).map(String::as_str), Some(first.as_str()), "{operation}");
        ledger.finish("one", refused(1), at(0));
        assert_eq!(
            ledger.handled.get(action.annotation()).map(String::as_str),
            Some(first.as_str()),
            "{operation}: a refusal handles it"
        );
        ledger.begin(on_request("two", operation, action, at(5)));
        assert_eq!(ledger.handled.get(action.annotation()).map(String::as_str), Some(second.as_str()), "{operation}");
        ledger.finish("two", CallOutcome::NotSent, at(5));
        assert_eq!(
            ledger.handled.get(action.annotation()).map(String::as_str),
            Some(first.as_str()),
            "{operation}: it is still to be done"
        );
    }
}

#[test]
fn the_pin_that_meta_accepted_is_the_pin_in_force() {
    let old = Some(ComparableSecret::from("111111"));
    let new = Some(ComparableSecret::from("004217"));
    for operation in [Register, RegisterAgain, SetPin] {
        for (ended, in_force, reason) in [
            (CallOutcome::Done(None), if operation == RegisterAgain { &old } else { &new }, "accepted"),
            (CallOutcome::PinOpen { kept: true }, &old, "left alone"),
            (refused(133_005), &old, "refused"),
            (CallOutcome::NotSent, &old, "never sent"),
            (CallOutcome::Unknown, &old, "outcome unknown"),
        ] {
            let mut ledger = Ledger { pin: old.clone(), ..Ledger::default() };
            ledger.begin(call("one", operation, at(0)));
            assert_eq!(
                (&ledger.pin, ledger.secret_of("one")),
                (&old, new.as_ref()),
                "{operation}: both are kept until it is known"
            );
            ledger.finish("one", ended.clone(), at(0));
            assert_eq!(ledger.pin, *in_force, "{operation}: {reason}");
            let is_possible = ended == CallOutcome::Unknown;
            assert_eq!(ledger.secret_of("one"), new.as_ref().filter(|_| is_possible), "{operation}: {reason}");
        }
    }
}

#[test]
fn a_removed_pin_does_not_erase_the_one_in_force() {
    let mut ledger = Ledger { pin: Some("111111".into()), ..Ledger::default() };
    ledger.begin(call("one", Register, at(0)));
    ledger.secrets.clear();
    ledger.finish("one", CallOutcome::Done(None), at(0));
    assert_eq!(ledger.pin, Some("111111".into()));
}

#[test]
fn a_code_is_remembered_with_what_its_secret_held() {
    for (ended, certain, reason) in [
        (CallOutcome::Done(None), Some(true), "sent"),
        (CallOutcome::Unknown, Some(false), "taken to have been sent"),
        (refused(136_024), None, "none was sent"),
        (CallOutcome::NotSent, None, "never sent"),
    ] {
        let ledger = after(RequestCode, ended);
        assert_eq!(ledger.code.as_ref().map(|code| code.certain), certain, "{reason}");
        if let Some(code) = &ledger.code {
            assert_eq!((code.requested_at, code.expires()), (at(0), at(10)), "{reason}");
            assert_eq!((code.method, code.baseline.as_deref()), (CodeMethod::Voice, Some("old")), "{reason}");
            assert!(!code.is_new("old") && code.is_new("new"), "{reason}");
        }
    }
}

#[test]
fn a_value_that_was_handled_is_never_acted_on_again() {
    let action = Action::Register;
    let mut ledger = Ledger::default();
    ledger.record_handled(action, "2026-11-22T10:05:00Z", false);
    ledger.record_handled(action, "2026-11-22T11:00:00Z", true);
    for (value, expected, reason) in [
        ("2026-11-22T10:05:00Z", true, "the same"),
        ("2026-11-22T10:04:00Z", true, "an earlier one"),
        ("2026-11-22T10:06:00Z", false, "a later one"),
        ("2026-11-22T11:00:00Z", true, "ignored when it was ahead of its time"),
        ("2026-11-22T10:59:00Z", false, "a value ahead of its time does not stand for earlier ones"),
    ] {
        assert_eq!(ledger.has_handled(action, value), expected, "{reason}");
    }
    assert!(!ledger.has_handled(Action::ResetPin, "2026-11-22T10:04:00Z"), "another action");
}

#[test]
fn a_number_that_meta_shows_is_recorded() {
    let mut ledger = after(AddNumber, refused(100));
    ledger.register_wanted = true;
    ledger.note(Owner::default(), Observed::default());
    assert_eq!((ledger.refusals.len(), ledger.register_wanted, ledger.was_connected), (1, true, false));
    let owner = Owner { uid: "u".into(), namespace: "cc".into(), name: "support-fr".into() };
    let id = Some(("106".into(), "102".into()));
    let shown = vec![("about".into(), json!("never written"))];
    ledger.note(owner.clone(), Observed { id, connected: true, shown, ..Observed::default() });
    assert_eq!((&ledger.owner, ledger.phone_number_id.as_deref()), (&owner, Some("106")));
    assert!(ledger.refusals.is_empty(), "that it could not be added is over");
    assert_eq!((ledger.register_wanted, ledger.was_connected, ledger.profile.len()), (false, true, 0));
}

#[test]
fn a_value_is_tried_once() {
    let throttled = CallOutcome::Refused(Refusal { until: Some(at(2)), ..refusal(4) });
    for (ended, tried, reason) in [
        (CallOutcome::Done(None), 1, "accepted"),
        (refused(136_025), 1, "wrong"),
        (throttled, 0, "Meta did not look at it"),
        (CallOutcome::NotSent, 0, "Meta never saw it"),
        (CallOutcome::Unknown, 0, "it may be tried again, once, by its own rules"),
    ] {
        let mut ledger = after(RequestCode, CallOutcome::Done(None));
        play(&mut ledger, VerifyCode, ended, 1);
        assert_eq!(ledger.code.as_ref().unwrap().tried.len(), tried, "{reason}");
    }
    let mut ledger = after(RequestCode, CallOutcome::Done(None));
    play(&mut ledger, VerifyCode, refused(136_025), 1);
    assert!(!ledger.code.as_ref().unwrap().is_new("inputs of verifyCode-1"));
    play(&mut ledger, RequestCode, CallOutcome::Done(None), 20);
    assert!(ledger.code.as_ref().unwrap().tried.is_empty(), "a new code begins anew");
    assert!(ledger.refusals.is_empty(), "and what was wrong with the last one is over");
}

#[test]
fn a_new_code_replaces_the_one_before() {
    for ended in [CallOutcome::Done(None), CallOutcome::Unknown] {
        let mut ledger = full();
        play(&mut ledger, RequestCode, refused(136_024), 30);
        play(&mut ledger, RequestCode, ended, 60);
        assert_eq!(ledger.verified_at, None, "a new code makes the number unverified");
        assert!(ledger.refusals.is_empty());
    }
}

#[test]
fn a_refusal_is_kept_until_the_same_call_succeeds() {
    for &operation in Operation::ALL {
        let mut ledger = after(operation, refused(7));
        assert_eq!(ledger.refusals.keys().copied().collect::<Vec<_>>(), [operation.counted_as()], "{operation}");
        play(&mut ledger, operation, CallOutcome::Done(None), 5);
        assert!(ledger.refusals.is_empty(), "{operation}");
    }
    for (first, code, then, left, reason) in [
        (Register, 133_005, SetPin, false, "it was refused under another PIN"),
        (Register, 133_006, VerifyCode, false, "it lacked what is there now"),
        (Register, 133_005, VerifyCode, true, "a code proves nothing about the PIN"),
        (Register, 131_037, Deregister, false, "another life of the number"),
        (ClearWebhook, 100, SetWebhook, false, "it is set, and not cleared"),
        (SetWebhook, 100, ClearWebhook, false, "it is cleared, and not set"),
        (WriteProfile, 100, SetWebhook, true, "the profile has nothing to do with it"),
        (Register, 133_005, RequestCode, true, "a code proves nothing about the PIN"),
    ] {
        let mut ledger = after(first, refused(code));
        play(&mut ledger, then, CallOutcome::Done(None), 5);
        assert_eq!(!ledger.refusals.is_empty(), left, "{first} {code}, then {then}: {reason}");
    }
}

#[test]
fn a_half_deregistration_is_completed_once() {
    let mut ledger = after(Register, refused(133_000));
    assert!(ledger.refusals[&Register].until.is_none());
    play(&mut ledger, Deregister, CallOutcome::Done(None), 5);
    let refusal = &ledger.refusals[&Register];
    assert_eq!((refusal.times, refusal.until), (1, Some(at(5))), "registered again now; how often is remembered");
}

#[test]
fn a_lock_is_remembered() {
    for operation in [Register, RegisterAgain, Deregister] {
        let until = Some(at(72 * 60));
        let ledger = after(operation, CallOutcome::Refused(Refusal { until, ..refusal(133_016) }));
        assert_eq!(ledger.blocked_until, until, "{operation}");
        assert_eq!(after(operation, refused(133_005)).blocked_until, None, "{operation}");
    }
}

#[test]
fn a_number_that_is_not_registered_is_deregistered() {
    let mut ledger = full();
    play(&mut ledger, Deregister, refused(133_010), 60);
    assert_eq!((ledger.registered_at, ledger.was_connected), (None, true));
    assert!(ledger.refusals.is_empty());
    assert!(!after(Deregister, CallOutcome::Done(None)).was_connected, "half deregistered, it was never connected");
}

#[test]
fn each_call_records_its_effect() {
    let mut ledger = after(AddNumber, CallOutcome::Done(Some("7".to_owned())));
    assert_eq!((ledger.phone_number_id.as_deref(), ledger.business_account_id.as_deref()), (Some("7"), Some("102")));
    assert_eq!(after(VerifyCode, CallOutcome::Done(None)).verified_at, Some(at(0)));
    assert_eq!(after(Register, CallOutcome::Done(None)).registered_at, Some(at(0)));
    play(&mut ledger, WriteProfile, CallOutcome::Done(None), 5);
    let field = ProfileField { sent: json!("we help"), shown: None, at: at(5), lost: false };
    assert_eq!(ledger.profile, BTreeMap::from([("about".to_owned(), field)]));
    play(&mut ledger, WriteProfile, CallOutcome::Unknown, 6);
    assert!(ledger.profile["about"].lost, "it is looked at before it is written again");
    play(&mut ledger, WriteProfile, CallOutcome::Done(None), 7);
    assert!(!ledger.profile["about"].lost);
}

#[path = "record_properties.rs"]
mod properties;
#[path = "record_again_tests.rs"]
mod second_tries;
