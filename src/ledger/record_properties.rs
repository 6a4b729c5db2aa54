//! What holds after any sequence of calls.

use std::collections::BTreeSet;

use proptest::prelude::*;
use secrecy::ExposeSecret;

use super::*;

/// PINs and codes that are looked for in the JSON.
const SECRETS: [&str; 3] = ["004217", "873645", "590218"];

/// A call: what, how it ended (never, for a process that died), with which secret, requested by a person, after so many
/// minutes.
type Played = (Operation, Option<CallOutcome>, usize, bool, i64);

fn any_end() -> impl Strategy<Value = CallOutcome> {
    let codes = vec![133_000, 133_005, 133_006, 133_010, 133_016, 136_024, 100];
    let refused = (prop::sample::select(codes), prop::option::of(0_i64..6_000));
    prop_oneof![
        3 => Just(CallOutcome::Done(Some("7".to_owned()))),
        3 => refused.prop_map(|(code, until)| CallOutcome::Refused(Refusal { until: until.map(at), ..refusal(code) })),
        2 => Just(CallOutcome::NotSent),
        3 => Just(CallOutcome::Unknown),
    ]
}

fn any_row() -> impl Strategy<Value = Vec<Played>> {
    let operation = prop::sample::select(Operation::ALL);
    let call = (operation, prop::option::weighted(0.9, any_end()), 0..SECRETS.len(), any::<bool>(), 0_i64..2_000);
    prop::collection::vec(call, 1..24)
}

/// What Meta has seen of it all.
#[derive(Default)]
struct Meta {
    sent: Vec<(Operation, Timestamp)>,
    ended: Vec<(Operation, Timestamp)>,
    pin: Option<ComparableSecret>,
}

fn check(ledger: &Ledger, meta: &Meta, now: Timestamp) {
    for operation in [Register, Deregister, RequestCode] {
        let within = |calls: &[(Operation, Timestamp)]| {
            let of_it = calls.iter().filter(|(of, time)| *of == operation && now.duration_since(*time) < WINDOW);
            of_it.count()
        };
        let counted = ledger.recent(operation, now).len();
        assert!(counted <= within(&meta.sent), "{operation}: {counted} counted, more than were sent");
        assert!(counted >= within(&meta.ended), "{operation}: {counted} counted, fewer than were made");
    }
    assert_eq!(ledger.pin, meta.pin, "the PIN that Meta accepted last");
    for (place, one) in ledger.intents.iter().enumerate() {
        for other in &ledger.intents[place + 1..] {
            assert!(!one.input.operation().conflicts(other.input.operation()), "{one:?} and {other:?}");
        }
    }
    let ids: BTreeSet<&str> = ledger.intents.iter().map(|intent| intent.id.as_str()).collect();
    assert_eq!(ids.len(), ledger.intents.len(), "no two of one name");
    let json = serde_json::to_string(ledger).unwrap();
    assert!(SECRETS.iter().all(|secret| !json.contains(secret)), "{json}");
    let mut read: Ledger = serde_json::from_str(&json).unwrap();
    let secrets = ledger.clone();
    (read.pin, read.secrets) = (secrets.pin, secrets.secrets);
    assert_eq!(read, *ledger, "{json}");
}

proptest! {
    #[test]
    fn every_sequence_of_calls_is_recorded_right(row in any_row()) {
        let (mut ledger, mut meta, mut minute) = (Ledger::default(), Meta::default(), 0);
        for (place, (operation, ended, secret, person, later)) in row.into_iter().enumerate() {
            minute += later;
            let (id, now) = (format!("call {place}"), at(minute));
            let mut begin = call(&id, operation, now);
            begin.secret = begin.secret.map(|_| ComparableSecret::from(SECRETS[secret]));
            begin.action = operation.action().filter(|_| person).map(|action| (action, now.to_string()));
            let pin = begin.secret.clone().filter(|_| operation != VerifyCode);
            ledger.begin(begin);
            meta.sent.push((operation.counted_as(), now));
            check(&ledger, &meta, now);
            let Some(ended) = ended else {
                // The process died.
                continue;
            };
            if ended == CallOutcome::NotSent {
                meta.sent.pop();
            } else {
                meta.ended.push((operation.counted_as(), now));
            }
            if matches!(ended, CallOutcome::Done(_)) && operation.puts_pin_in_force() {
                meta.pin = pin;
            }
            ledger.finish(&id, ended, now);
            check(&ledger, &meta, now);
        }
        let shown = format!("{ledger:?}");
        prop_assert!(SECRETS.iter().all(|secret| !shown.contains(secret)), "not even for debugging");
        prop_assert!(ledger.pin.is_none_or(|ComparableSecret(pin)| SECRETS.contains(&pin.expose_secret())));
    }
}
