//! Calls without a reply, second attempts, and requests of people about them.

use secrecy::ExposeSecret;

use super::*;

#[test]
fn reverted_changes_are_remembered_for_a_day() {
    let mut ledger = Ledger::default();
    for minute in [0, 600, 1_200, 1_800] {
        play(&mut ledger, SetWebhook, CallOutcome::Done(None), minute);
    }
    assert_eq!(ledger.webhook.as_ref().unwrap().taken_back, [at(600), at(1_200), at(1_800)]);
    ledger.begin(NewIntent {
        input: CallInput::SetWebhook { url: "https://b.example".to_owned(), again: false },
        ..call("b", SetWebhook, at(1_801))
    });
    ledger.finish("b", CallOutcome::Done(None), at(1_801));
    let webhook = ledger.webhook.as_ref().unwrap();
    assert_eq!((webhook.url.as_str(), webhook.inputs.as_str()), ("https://b.example", "inputs of b"));
    assert_eq!(webhook.taken_back.len(), 3, "our own change is not counted");
    play(&mut ledger, ClearWebhook, CallOutcome::Done(None), 1_802);
    assert_eq!(ledger.webhook, None);
}

#[test]
fn a_callback_that_may_have_been_set_is_ours_and_set_again() {
    let ledger = after(SetWebhook, CallOutcome::Unknown);
    let webhook = ledger.webhook.unwrap();
    assert_eq!((webhook.url.as_str(), webhook.inputs.as_str()), ("https://a.example", ""));
    let mut ledger = after(SetWebhook, CallOutcome::Done(None));
    play(&mut ledger, ClearWebhook, CallOutcome::Unknown, 5);
    assert!(ledger.webhook.is_some(), "it may still be there");
}

#[test]
fn a_pin_that_was_set_on_request_leads_to_a_registration() {
    let set = |again: bool| {
        let mut ledger = Ledger::default();
        ledger.begin(on_request("one", SetPin, Action::ResetPin, at(0)));
        if again {
            ledger.finish("one", CallOutcome::Unknown, at(0));
            ledger.begin(call("two", SetPin, at(1)));
        }
        ledger.finish(if again { "two" } else { "one" }, CallOutcome::Done(None), at(2));
        ledger
    };
    assert!(set(false).register_wanted);
    assert!(set(true).register_wanted, "the second try is still the person's wish");
    for (ended, wanted, reason) in [
        (CallOutcome::Done(None), false, "it is registered"),
        (refused(133_006), false, "a person has to look"),
        (CallOutcome::NotSent, true, "it was not tried"),
        (CallOutcome::Unknown, true, "it is found out first"),
    ] {
        let mut ledger = set(false);
        play(&mut ledger, Register, ended, 5);
        assert_eq!(ledger.register_wanted, wanted, "{reason}");
    }
}

#[test]
fn a_repeated_call_is_attempt_two_and_a_request_starts_at_one() {
    for operation in [AddNumber, VerifyCode, Register, SetPin, Deregister] {
        let mut ledger = Ledger::default();
        ledger.begin(call("one", operation, at(0)));
        ledger.finish("one", CallOutcome::Unknown, at(0));
        let first = ledger.clone();

        ledger.begin(call("two", operation, at(5)));
        assert_eq!(ledger.intents.iter().map(|i| (i.id.as_str(), i.attempt)).collect::<Vec<_>>(), [("two", 2)]);
        let mut not_sent = ledger.clone();
        not_sent.finish("two", CallOutcome::NotSent, at(5));
        let [intent] = &not_sent.intents[..] else { panic!("{operation}: the first may still have happened") };
        assert_eq!(intent, &first.intents[0], "{operation}");
        assert_eq!(
            (&not_sent.secrets, &not_sent.attempts),
            (&first.secrets, &first.attempts),
            "{operation}: with its secret"
        );
        ledger.finish("two", CallOutcome::Unknown, at(5));
        assert!(ledger.intents[0].unknown);

        if let Some(action) = operation.action() {
            ledger.begin(on_request("three", operation, action, at(9)));
            assert_eq!(ledger.intents.iter().map(|i| i.attempt).collect::<Vec<_>>(), [1], "{operation}");
        }
    }
}

#[test]
fn a_requested_call_that_was_not_sent_reopens_the_call_that_it_replaced() {
    for operation in [AddNumber, VerifyCode, Register, SetPin, Deregister] {
        let Some(action) = operation.action() else { panic!("{operation}: no action settles it") };
        let mut ledger = Ledger::default();
        ledger.begin(call("one", operation, at(0)));
        ledger.finish("one", CallOutcome::Unknown, at(0));
        ledger.begin(call("two", operation, at(5)));
        ledger.finish("two", CallOutcome::Unknown, at(5));
        let before = ledger.clone();

        let other = Some(ComparableSecret::from("590218"));
        let asked_for = match operation {
            // What settles a code that was lost is another code.
            VerifyCode => on_request("three", RequestCode, action, at(9)),
            _ => NewIntent { secret: other.clone(), ..on_request("three", operation, action, at(9)) },
        };
        ledger.begin(asked_for);
        assert_eq!(ledger.intents.iter().map(|open| open.id.as_str()).collect::<Vec<_>>(), ["three"], "{operation}");
        let mut not_sent = ledger.clone();
        not_sent.finish("three", CallOutcome::NotSent, at(9));
        assert_eq!(Ledger { attempts: before.attempts.clone(), ..not_sent.clone() }, before, "{operation}");
        assert_eq!(
            not_sent.recent(operation, at(9)),
            before.recent(operation, at(9)),
            "{operation}: nor is it counted"
        );

        ledger.finish("three", CallOutcome::Unknown, at(9));
        if let [open] = &ledger.intents[..] {
            if operation == SetPin {
                // Nothing shows which of the two is in force.
                assert_eq!(
                    (&open.replaces[0].id[..], ledger.secret_of("three"), ledger.secret_of("two")),
                    ("two", other.as_ref(), before.secret_of("two"))
                );
                continue;
            }
            let others: Vec<&String> = ledger.secrets.keys().filter(|id| *id != "three").collect();
            assert_eq!((&open.replaces, others), (&Vec::new(), Vec::new()));
            ledger.begin(call("four", operation, at(12)));
            ledger.finish("four", CallOutcome::NotSent, at(12));
            assert_eq!(ledger.intents[0].id, "three", "{operation}: what was sent before it is over");
        }
    }
}

#[test]
fn a_pin_that_may_be_in_force_is_kept_until_another_certainly_is() {
    let pins = |ledger: &Ledger| {
        let text = |pin: Option<&ComparableSecret>| pin.map(|ComparableSecret(pin)| pin.expose_secret().to_owned());
        let open = ledger.intents.first();
        let of = |intent: Option<&Intent>| text(intent.and_then(|intent| ledger.secret_of(&intent.id)));
        let before = open.and_then(|open| open.replaces.iter().find(|before| of(Some(before)) != of(Some(open))));
        [text(ledger.pin.as_ref()), of(open), of(before)].map(Option::unwrap_or_default)
    };
    let pin = |pin: &str, begin: NewIntent| NewIntent { secret: Some(pin.into()), ..begin };
    let mut first = Ledger { pin: Some("111111".into()), ..Ledger::default() };
    first.begin(pin("222222", call("one", SetPin, at(0))));
    first.finish("one", CallOutcome::Unknown, at(0));
    first.begin(pin("222222", call("two", SetPin, at(1))));
    first.finish("two", refused(4), at(1));
    assert_eq!((first.intents[0].attempt, first.intents[0].unknown), (2, true), "the first may have been heard");
    assert_eq!(pins(&first), ["111111", "222222", ""]);

    let requested = pin("333333", on_request("three", SetPin, Action::ResetPin, at(2)));
    let mut other = first.clone();
    other.begin(requested.clone());
    other.finish("three", refused(100), at(2));
    assert_eq!(other.intents, first.intents, "what became of the one before is as open as it was");
    assert_eq!(pins(&other), ["111111", "222222", ""]);

    other.begin(requested);
    other.finish("three", CallOutcome::Unknown, at(2));
    for (ended, expected, reason) in [
        (CallOutcome::Unknown, ["111111", "333333", "222222"], "any of them"),
        (refused(4), ["111111", "333333", "222222"], "the first try of it may have been heard"),
        (CallOutcome::NotSent, ["111111", "333333", "222222"], "as before"),
        (CallOutcome::Done(None), ["333333", "", ""], "certainly"),
    ] {
        let mut ledger = other.clone();
        ledger.begin(pin("333333", call("four", SetPin, at(3))));
        ledger.finish("four", ended.clone(), at(3));
        assert_eq!(pins(&ledger), expected, "{reason}");
        ledger.begin(pin("333333", call("five", SetPin, at(4))));
        ledger.finish("five", CallOutcome::Done(None), at(4));
        assert_eq!((pins(&ledger), ledger.intents.len()), (["333333", "", ""].map(str::to_owned), 0), "{reason}");
    }
}

/// PINs of calls that are over, and that may be in force.
fn possible(ledger: &Ledger) -> Vec<ComparableSecret> {
    ledger.possible_pins.iter().filter_map(|pin| ledger.secret_of(&pin.id).cloned()).collect()
}

/// Where the number had no PIN, that call has put one in force.
#[test]
fn a_lost_reply_to_a_registration_of_a_connected_number_keeps_its_pin() {
    let begun = |in_force: &str, pin: &str| {
        let mut ledger = Ledger { pin: Some(in_force.into()), ..Ledger::default() };
        ledger.begin(NewIntent { secret: Some(pin.into()), ..call("one", RegisterAgain, at(0)) });
        ledger.finish("one", CallOutcome::Unknown, at(0));
        ledger
    };
    let same = begun("004217", "004217");
    assert_eq!((possible(&same), same.secrets.len()), (Vec::new(), 0), "either way it is the one in force");

    let mut ledger = begun("111111", "004217");
    assert_eq!((&ledger.pin, possible(&ledger)), (&Some("111111".into()), vec!["004217".into()]));
    assert_eq!(ledger.pin_to_keep(), Some(&"004217".into()), "a deleted Secret comes back as it was");
    ledger.begin(NewIntent { secret: Some("590218".into()), ..call("two", RegisterAgain, at(5)) });
    ledger.finish("two", CallOutcome::Unknown, at(5));
    assert_eq!(possible(&ledger), ["004217".into(), "590218".into()]);
    ledger.begin(NewIntent { secret: Some("004217".into()), ..call("three", RegisterAgain, at(6)) });
    ledger.finish("three", CallOutcome::Unknown, at(6));
    assert_eq!(possible(&ledger), ["590218".into(), "004217".into()], "each is kept once");

    for operation in [Register, SetPin] {
        let mut ledger = ledger.clone();
        play(&mut ledger, operation, CallOutcome::Done(None), 9);
        let left = (ledger.possible_pins.len(), ledger.secrets.len());
        assert_eq!((ledger.pin.clone(), left), (Some("004217".into()), (0, 0)), "{operation}: it is certain now");
    }
    ledger.begin(NewIntent { secret: Some("004217".into()), ..call("four", RegisterAgain, at(9)) });
    ledger.finish("four", refused(133_005), at(9));
    assert_eq!(possible(&ledger), ["590218".into()], "the one that Meta refused is not");
}

#[test]
fn a_registration_whose_pin_is_refused_leaves_the_pin_of_the_lost_one() {
    let mut ledger = Ledger::default();
    ledger.begin(call("one", Register, at(0)));
    ledger.finish("one", CallOutcome::Unknown, at(0));
    ledger.begin(NewIntent { secret: Some("590218".into()), ..on_request("two", Register, Action::Register, at(5)) });
    ledger.finish("two", refused(133_005), at(5));
    assert_eq!((possible(&ledger), ledger.intents.len()), (vec!["004217".into()], 0), "it is the likeliest");
    play(&mut ledger, Register, CallOutcome::Done(None), 9);
    assert_eq!((possible(&ledger), ledger.secrets.len()), (Vec::new(), 0));
}

#[test]
fn a_code_that_was_lost_is_not_new_when_no_other_was_sent() {
    let mut ledger = after(RequestCode, CallOutcome::Done(None));
    play(&mut ledger, VerifyCode, CallOutcome::Unknown, 1);
    let inputs = ledger.intents[0].inputs.clone();
    ledger.begin(on_request("other", RequestCode, Action::RequestCode, at(5)));
    ledger.finish("other", refused(136_024), at(5));
    assert!(!ledger.code.as_ref().unwrap().is_new(&inputs));
}

#[test]
fn a_second_attempt_that_was_not_sent_keeps_the_request_handled() {
    let mut ledger = Ledger::default();
    ledger.begin(on_request("one", SetPin, Action::ResetPin, at(0)));
    ledger.finish("one", CallOutcome::Unknown, at(0));
    ledger.begin(call("two", SetPin, at(1)));
    ledger.finish("two", CallOutcome::NotSent, at(1));
    assert_eq!(ledger.handled.get(Action::ResetPin.annotation()), Some(&at(0).to_string()));
}

#[test]
fn a_registration_ends_a_deregistration() {
    let mut ledger = after(Deregister, CallOutcome::Done(None));
    assert_eq!(ledger.deregistered_at, Some(at(0)));
    play(&mut ledger, Register, CallOutcome::Unknown, 5);
    assert_eq!(ledger.deregistered_at, Some(at(0)), "the outcome is unknown");
    play(&mut ledger, Register, CallOutcome::Done(None), 9);
    assert_eq!(ledger.deregistered_at, None);
}

#[test]
fn a_second_attempt_keeps_the_persons_request() {
    let mut ledger = Ledger::default();
    ledger.begin(on_request("one", Register, Action::Register, at(0)));
    ledger.finish("one", CallOutcome::Unknown, at(0));
    ledger.begin(call("two", Register, at(5)));
    ledger.finish("two", CallOutcome::Refused(Refusal { until: Some(at(9)), ..refusal(4) }), at(5));
    assert!(ledger.register_wanted, "Meta requires a pause, and the request stays open");
}

#[test]
fn only_conflicting_calls_are_closed() {
    for &first in Operation::ALL {
        for &second in Operation::ALL {
            let mut ledger = Ledger::default();
            ledger.begin(call("first", first, at(0)));
            ledger.begin(call("second", second, at(1)));
            assert_eq!(ledger.intent("first").is_none(), first.conflicts(second), "{first}, {second}");
            assert!(ledger.intent("second").is_some(), "{first}, {second}");
        }
    }
}

#[test]
fn a_callback_leaves_the_secrets_of_onboarding() {
    let mut ledger = Ledger::default();
    ledger.begin(call("one", Register, at(0)));
    ledger.finish("one", CallOutcome::Unknown, at(0));
    play(&mut ledger, SetWebhook, CallOutcome::Done(None), 1);
    assert_eq!(ledger.secret_of("one"), Some(&"004217".into()));
}

#[test]
fn an_outcome_that_two_processes_find_is_recorded_once() {
    for operation in [AddNumber, VerifyCode, Register, SetPin, Deregister] {
        let mut ledger = Ledger::default();
        ledger.begin(call("one", operation, at(0)));
        // The next leader stops waiting for the first, which then wakes up and finds that its call got no reply.
        ledger.finish("one", CallOutcome::Unknown, at(3));
        let found = ledger.clone();
        ledger.finish("one", CallOutcome::Unknown, at(4));
        assert_eq!(ledger, found, "{operation}: what is open stays open, with its secret");
    }
}

#[test]
fn a_call_that_is_given_up_is_neither_open_nor_refused() {
    let mut ledger = Ledger::default();
    ledger.begin(call("one", Deregister, at(0)));
    ledger.finish("one", CallOutcome::Unknown, at(0));
    ledger.finish("one", CallOutcome::GivenUp, at(5));
    assert!(ledger.intents.is_empty() && ledger.refusals.is_empty());
    assert_eq!(ledger.recent(Deregister, at(5)), [at(0)], "Meta may have counted it");
}

#[test]
fn refused_pins_are_remembered_until_one_is_in_force() {
    let mut ledger = Ledger::default();
    let mut refuse = |inputs: &str, code, minute| {
        ledger.begin(NewIntent { inputs: inputs.to_owned(), ..call(inputs, Register, at(minute)) });
        ledger.finish(inputs, CallOutcome::Refused(Refusal { inputs: inputs.to_owned(), ..refusal(code) }), at(minute));
    };
    refuse("a", 133_005, 0);
    refuse("b", 131_031, 1);
    refuse("c", 133_004, 2);
    refuse("a", 133_005, 3);
    assert_eq!(ledger.refused_pins, ["a", "b"]);
    for operation in [Register, SetPin] {
        let mut ledger = ledger.clone();
        play(&mut ledger, operation, CallOutcome::Done(None), 5);
        assert!(ledger.refused_pins.is_empty(), "{operation}: it may be another PIN now");
    }
    for n in 0..200 {
        play(&mut ledger, Register, CallOutcome::Refused(Refusal { inputs: n.to_string(), ..refusal(133_005) }), 6 + n);
    }
    assert_eq!(ledger.refused_pins.len(), PINS_REMEMBERED);
}
