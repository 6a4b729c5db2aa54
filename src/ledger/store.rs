//! A ledger as a Secret: the memory as JSON, PINs and codes as keys of their own, so that a person can read a PIN with
//! kubectl.

use std::collections::BTreeSet;

use secrecy::ExposeSecret;

use super::record::Ledger;
use crate::k8s::secrets::{ComparableSecret, OwnedProblem, OwnedSecret, delete_command};

/// Prefix of the names of all ledgers, before the digits of the number.
pub const PREFIX: &str = "waba-number-";

const LEDGER: &str = "ledger";
const PIN: &str = "pin";
/// Before the id of the call that the PIN or code belongs to.
const SECRET_OF: &str = "secret-";
/// For people: whose number it is, what is under way, and under which keys there are PINs that may be in force.
const OWNER: &str = "waba.dev/owner";
const OPEN_CALLS: &str = "waba.dev/open-calls";
const POSSIBLE_PINS: &str = "waba.dev/possible-pins";

/// The name of a number's ledger.
#[must_use]
pub fn secret_name(digits: u64) -> String {
    format!("{PREFIX}{digits}")
}

/// Why a ledger cannot be used. Without it the operator sends nothing to Meta.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LedgerProblem {
    /// The Secret could not be read or written.
    #[error(transparent)]
    Secret(#[from] std::sync::Arc<OwnedProblem>),
    /// The Secret exists, and its content is no ledger.
    #[error(
        "Secret {path} does not hold what the operator wrote into it: restore it from a backup; only if that is impossible \
         delete it, and the operator will know nothing of earlier codes, registrations and PINs: {}",
        delete_command(.0),
        path = .0
    )]
    Damaged(String),
}

impl From<OwnedProblem> for LedgerProblem {
    fn from(problem: OwnedProblem) -> Self {
        Self::Secret(std::sync::Arc::new(problem))
    }
}

impl LedgerProblem {
    /// Whether it is only a conflict: another process wrote it meanwhile.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        matches!(self, Self::Secret(problem) if matches!(**problem, OwnedProblem::Stale(_)))
    }

    /// Whether somebody else's Secret has the ledger's name.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        matches!(self, Self::Secret(problem) if matches!(**problem, OwnedProblem::Taken(_)))
    }

    /// Whether a person has to act, as opposed to an API server that is away.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        match self {
            Self::Damaged(_) => true,
            Self::Secret(problem) => match &**problem {
                OwnedProblem::Taken(_) => true,
                problem => problem.is_refusal(),
            },
        }
    }
}

/// Reads a ledger out of its Secret.
pub(crate) fn read(secret: &OwnedSecret, path: &str) -> Result<Ledger, LedgerProblem> {
    let text = secret.get(LEDGER);
    let ledger = text.and_then(|text| serde_json::from_str::<Ledger>(text.expose_secret()).ok());
    // What the operator has written has been written at least once: all else in it may be lacking, or be left out.
    let ledger = ledger.filter(|ledger| ledger.serial > 0);
    let mut ledger = ledger.ok_or_else(|| LedgerProblem::Damaged(path.to_owned()))?;
    ledger.pin = secret.get(PIN).map(ComparableSecret);
    let of_calls = secret.keys().filter_map(|key| {
        let id = key.strip_prefix(SECRET_OF)?;
        Some((id.to_owned(), ComparableSecret(secret.get(key)?)))
    });
    ledger.secrets = of_calls.collect();
    Ok(ledger)
}

/// Puts a ledger into its Secret.
pub(crate) fn write(ledger: &Ledger, secret: &mut OwnedSecret) {
    // A map with text keys and plain values can always be written as JSON.
    let text = serde_json::to_string(ledger).unwrap_or_default();
    secret.set(LEDGER, &text.into());
    match &ledger.pin {
        Some(ComparableSecret(pin)) => secret.set(PIN, pin),
        None => secret.unset(PIN),
    }
    let is_over = |key: &str| key.strip_prefix(SECRET_OF).is_some_and(|id| !ledger.secrets.contains_key(id));
    let over: Vec<String> = secret.keys().filter(|key| is_over(key)).map(str::to_owned).collect();
    for key in &over {
        secret.unset(key);
    }
    for (id, ComparableSecret(value)) in &ledger.secrets {
        secret.set(&format!("{SECRET_OF}{id}"), value);
    }
    let owner = format!("{}/{}", ledger.owner.namespace, ledger.owner.name);
    secret.annotate(OWNER, Some(&owner));
    let open: BTreeSet<&str> = ledger.intents.iter().map(|intent| intent.input.operation().as_str()).collect();
    let open = open.into_iter().collect::<Vec<_>>().join(",");
    secret.annotate(OPEN_CALLS, (!open.is_empty()).then_some(open.as_str()));
    let possible =
        ledger.possible_pin_ids().into_iter().map(|id| format!("{SECRET_OF}{id}")).collect::<Vec<_>>().join(",");
    secret.annotate(POSSIBLE_PINS, (!possible.is_empty()).then_some(possible.as_str()));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::{
        api::Action,
        calls::{CallInput, Operation},
        k8s::timeout::ApiError,
        ledger::{CallOutcome, NewIntent, Owner},
    };

    fn now() -> jiff::Timestamp {
        "2026-11-22T10:00:00Z".parse().unwrap()
    }

    fn begin(id: &str, input: CallInput) -> NewIntent {
        let action = Some((Action::Register, now().to_string()));
        let secret = Some(ComparableSecret::from("004217"));
        NewIntent { id: id.into(), input, inputs: "f".into(), before: "-".into(), secret, action, now: now() }
    }

    /// With a PIN in force, two that are tried, and a callback that is being set.
    fn ledger() -> Ledger {
        let owner = Owner { uid: "u".into(), namespace: "cc".into(), name: "support-fr".into() };
        let mut ledger = Ledger { owner, serial: 7, pin: Some("111111".into()), ..Ledger::default() };
        ledger.begin(begin("one", CallInput::Register));
        ledger.finish("one", CallOutcome::Unknown, now());
        ledger
            .begin(NewIntent { secret: Some(ComparableSecret::from("590218")), ..begin("again", CallInput::Register) });
        ledger.begin(begin("two", CallInput::SetWebhook { url: "https://a.example".into(), again: false }));
        ledger
    }

    fn secret(ledger: &Ledger) -> OwnedSecret {
        let mut secret = OwnedSecret::new("waba", &secret_name(33_612_345_678), None);
        write(ledger, &mut secret);
        secret
    }

    fn key(secret: &OwnedSecret, key: &str) -> Option<String> {
        secret.get(key).map(|value| value.expose_secret().to_owned())
    }

    #[test]
    fn what_is_written_is_read_back() {
        for ledger in [Ledger { serial: 1, ..Ledger::default() }, ledger()] {
            assert_eq!(read(&secret(&ledger), "waba/x").unwrap(), ledger);
        }
    }

    #[test]
    fn a_person_can_read_pins_and_nobody_finds_one_in_the_rest() {
        let mut secret = secret(&ledger());
        assert_eq!(key(&secret, "pin").as_deref(), Some("111111"));
        assert_eq!(key(&secret, "secret-again").as_deref(), Some("590218"), "of the call that is open");
        assert_eq!(key(&secret, "secret-one").as_deref(), Some("004217"), "of the call that it replaces");
        assert_eq!(key(&secret, "secret-two"), None, "no PIN goes with a callback");
        assert_eq!(secret.annotation(POSSIBLE_PINS), Some("secret-again,secret-one"));
        let json = key(&secret, "ledger").unwrap();
        assert!(!json.contains("111111") && !json.contains("004217") && !json.contains("590218"), "{json}");
        write(&Ledger::default(), &mut secret);
        assert!(
            ["pin", "secret-again", "secret-one"].iter().all(|name| key(&secret, name).is_none()),
            "what is over is gone"
        );
        assert_eq!(secret.annotation(POSSIBLE_PINS), None);
    }

    #[test]
    fn annotations_tell_whose_it_is_and_what_is_open() {
        let mut ledger = ledger();
        let mut secret = secret(&ledger);
        assert_eq!(secret.annotation(OWNER), Some("cc/support-fr"));
        assert_eq!(secret.annotation(OPEN_CALLS), Some("register,setWebhook"));
        ledger.finish("again", CallOutcome::Done(None), now());
        write(&ledger, &mut secret);
        assert_eq!(secret.annotation(OPEN_CALLS), Some(Operation::SetWebhook.as_str()));
        ledger.finish("two", CallOutcome::NotSent, now());
        write(&ledger, &mut secret);
        assert_eq!(secret.annotation(OPEN_CALLS), None);
    }

    #[test]
    fn what_is_no_ledger_is_damaged() {
        for (text, reason) in [
            (None, "no ledger in it"),
            (Some(""), "empty"),
            (Some("{"), "cut off"),
            (Some("[]"), "something else"),
            (Some("{}"), "nothing that the operator ever wrote"),
            (Some(r#"{"serial":"seven"}"#), "another type"),
            (
                Some(r#"{"intents":[{"id":"one","operation":"launchRocket"}]}"#),
                "a call that this version does not know",
            ),
        ] {
            let mut secret = secret(&ledger());
            match text {
                Some(text) => secret.set(LEDGER, &text.into()),
                None => secret.unset(LEDGER),
            }
            let problem = read(&secret, "waba/waba-number-1").unwrap_err();
            assert!(matches!(&problem, LedgerProblem::Damaged(path) if path == "waba/waba-number-1"), "{reason}");
            assert!(problem.to_string().contains("restore it from a backup"), "{problem}");
        }
    }

    #[test]
    fn only_what_a_person_has_to_settle_lasts() {
        let api = || OwnedProblem::Api("waba/x".into(), ApiError::Timeout(std::time::Duration::from_secs(30)));
        let answered = |code| {
            let status = kube::core::Status { code, ..kube::core::Status::default() };
            LedgerProblem::from(OwnedProblem::Api("waba/x".into(), ApiError::Kube(kube::Error::Api(status.boxed()))))
        };
        for (problem, stale, lasting) in [
            (LedgerProblem::from(OwnedProblem::Stale("waba/x".into())), true, false),
            (LedgerProblem::from(OwnedProblem::Taken("waba/x".into())), false, true),
            (LedgerProblem::from(api()), false, false),
            (answered(403), false, true),
            (answered(422), false, true),
            (answered(429), false, false),
            (answered(503), false, false),
            (LedgerProblem::Damaged("waba/x".into()), false, true),
        ] {
            assert_eq!((problem.is_stale(), problem.is_lasting()), (stale, lasting), "{problem}");
        }
    }
}
