//! A number in circumstances that a test chooses, and what the plan makes of it. The vocabulary of these tests:
//!
//! - [`number`] is the start of every scene; [`shows`] and [`unregistered`] are what Meta shows of it.
//! - [`asks_to_verify`], [`asks_to_register`], [`asks_for_callback`]: the blocks of the spec, with their Secrets.
//! - [`verified`], [`connected`]: a scene with `spec.registration`, before and after it is registered.
//! - [`asks`]: a person requests an action. [`at`]: so many minutes from now.
//! - [`known`], [`missing`], [`bad`]: what is in a Secret.
//! - [`begun`]: a call is in the ledger without an outcome. [`made`]: it ended so. [`coded`], [`registered`]: `made` for a code, a
//!   registration.
//!   [`refusal`]: the outcome of a call that Meta refused with this code, until then.
//! - [`reads_lag`], [`read_once`]: no read, or one, began after the last call has settled; by default two have.
//! - [`next`]: plans once, and puts the step, or the report, into words: `send register 004217`,
//!   `PINRequired False/PINRefused Stalled; ignored register-at`.
//! - [`rows`]: a table of changes to a scene, each with a reason and what [`next`] answers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use serde_json::{Value as Json, json};

use crate::kinds::whatsapp_number::inputs::{Blocker, KnownSecret, Resolution, SecretRead, Step};
use crate::{
    api::{
        Action, AppRef, CodeMethod, Direction, Incoming, NumberWebhook, Registration, SecretKeyRef, Verification,
        WhatsAppNumber, WhatsAppNumberSpec,
    },
    calls::{CallInput, Operation},
    controller::{
        plan::{Plan, Requeue},
        testing::{ACCOUNT, NAMESPACE, Scene, advice, sent},
    },
    graph::types::PhoneNumber,
    k8s::{
        conditions::STALLED,
        secrets::{ComparableSecret, SecretProblem, Unusable},
    },
    kinds::Numbers,
    ledger::{CallOutcome, Evidence, LedgerProblem, NewIntent, Owner, Refusal},
    messages::Reason,
};

/// A number and its circumstances.
pub type Number = Scene<Numbers>;
/// The reason, a change to the scene, and what [`next`] answers then.
pub type Row = (&'static str, fn(&mut Number), &'static str);

/// Where people read about numbers.
pub const PAGE: &str = include_str!("../../../../docs/whatsappnumber.md");

/// Its ID.
pub const ID: &str = "106540352242922";
/// The callback that it asks for, where it asks for one.
pub const CALLBACK: &str = "https://hook.example/wa";

/// So many minutes from now; negative: ago.
pub fn at(minutes: i64) -> Timestamp {
    "2026-11-22T10:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_mins(minutes)
}

/// A connected number, but for what is given.
pub fn facts(given: &Json) -> PhoneNumber {
    let usual = json!({
        "id": ID, "display_phone_number": "+33 6 12 34 56 78", "verified_name": "INO",
        "status": "CONNECTED", "platform_type": "CLOUD_API", "code_verification_status": "VERIFIED",
        "name_status": "APPROVED", "quality_rating": "GREEN",
    });
    sent(usual, given)
}

/// A number whose object has no block yet, and owns the ledger.
pub fn number() -> Number {
    let spec = WhatsAppNumberSpec {
        app_ref: AppRef { name: "ino-cx".to_owned(), namespace: None },
        phone_number: "+33612345678".to_owned(),
        directions: vec![Direction::Incoming],
        ..WhatsAppNumberSpec::default()
    };
    let mut object = WhatsAppNumber::new("support-fr", spec);
    object.metadata.namespace = Some(NAMESPACE.to_owned());
    object.metadata.uid = Some("uid".to_owned());
    let mut scene = Number::new(object);
    scene.inputs.held = true;
    scene.inputs.now = at(0);
    scene.inputs.ledger.owner = Owner { uid: "uid".into(), namespace: NAMESPACE.into(), name: "support-fr".into() };
    scene
}

/// Meta shows this.
pub fn shows(scene: &mut Number, given: &Json) {
    scene.shows(facts(given));
}

/// Not registered; verified or not.
pub fn unregistered(scene: &mut Number, code: &str) {
    shows(
        scene,
        &json!({"status": "PENDING", "platform_type": "NOT_APPLICABLE", "code_verification_status": code,
        "is_pin_enabled": false}),
    );
}

/// With `spec.verification`, and nothing in the code's Secret.
pub fn asks_to_verify(scene: &mut Number) {
    scene.object.spec.verification = Some(Verification::default());
    scene.inputs.code = missing("support-fr-code");
}

/// With `spec.registration`, and this PIN in its Secret.
pub fn asks_to_register(scene: &mut Number, pin: &str) {
    scene.object.spec.registration = Some(Registration::default());
    scene.inputs.pin = known(pin);
}

/// Verified, never registered, with `spec.registration` and a PIN.
pub fn verified() -> Number {
    let mut scene = number();
    unregistered(&mut scene, "VERIFIED");
    asks_to_register(&mut scene, "004217");
    scene
}

/// Connected, and known to be.
pub fn connected() -> Number {
    let mut scene = number();
    shows(&mut scene, &json!({}));
    asks_to_register(&mut scene, "004217");
    scene.inputs.ledger.was_connected = true;
    scene
}

/// With `spec.incoming.webhook`.
pub fn asks_for_callback(scene: &mut Number) {
    let verify_token_ref = SecretKeyRef { name: "hook".to_owned(), key: "verify-token".to_owned() };
    let webhook = NumberWebhook { callback_url: CALLBACK.to_owned(), verify_token_ref };
    scene.object.spec.incoming = Some(Incoming { webhook: Some(webhook), ..Incoming::default() });
    scene.inputs.verify_token = known("tell-me");
    "webhook one".clone_into(&mut scene.inputs.webhook_fingerprint);
}

/// A person asks for this.
pub fn asks(scene: &mut Number, action: Action) {
    scene.inputs.requested.insert(action, at(0).to_string());
}

pub fn known(value: &str) -> SecretRead {
    SecretRead::Known(KnownSecret { value: value.into(), fingerprint: fingerprint(value) })
}

/// As an HMAC would be.
pub fn fingerprint(value: &str) -> String {
    format!("name of {value}")
}

/// The clock and Meta's are too far apart.
pub fn clock_is_wrong(scene: &mut Number) {
    scene.inputs.no_writes = Some(crate::messages::commands::synchronise_clock(&scene.app));
}

/// A ledger that cannot be used.
pub fn unusable() -> Blocker {
    let problem = LedgerProblem::Damaged("waba-system/waba-number-33612345678".to_owned());
    Blocker::new(Reason::LedgerUnusable, problem.to_string())
}

/// There is no such Secret.
pub fn missing(name: &str) -> SecretRead {
    let problem = Unusable::Missing { key: "key".to_owned() };
    let problem = SecretProblem { namespace: NAMESPACE.to_owned(), name: name.to_owned(), foreign: false, problem };
    SecretRead::Missing(Blocker::new(Reason::SecretNotFound, problem.to_string()))
}

/// It holds what cannot be used.
pub fn bad(value: &str) -> SecretRead {
    let reference = SecretKeyRef { name: "x".to_owned(), key: "y".to_owned() };
    SecretRead::Invalid(Blocker::invalid(NAMESPACE, &reference, ("is not six digits", "YOUR_PIN"), fingerprint(value)))
}

pub fn refusal(code: u32, until: Option<i64>) -> CallOutcome {
    CallOutcome::Refused(Refusal {
        code,
        subcode: None,
        class: if code == 200 { "Permission" } else { "BadRequest" }.to_owned(),
        message: format!("Meta refused with {code}"),
        until: until.map(at),
        inputs: String::new(),
        times: 1,
    })
}

/// The call is in the ledger, without an outcome: another process made it, or this one lost its reply.
pub fn begun(scene: &mut Number, input: CallInput, secret: Option<&str>, minute: i64) -> String {
    let id = format!("{} {minute}", input.operation());
    let inputs = match (&input, secret) {
        (CallInput::SetWebhook { .. }, _) => scene.inputs.webhook_fingerprint.clone(),
        (_, Some(secret)) => fingerprint(secret),
        (input, None) => crate::kinds::whatsapp_number::provisioning::inputs(input),
    };
    let before = "-".to_owned();
    let secret = secret.map(ComparableSecret::from);
    scene.inputs.ledger.begin(NewIntent {
        id: id.clone(),
        input,
        inputs,
        before,
        secret,
        action: None,
        now: at(minute),
    });
    id
}

/// The call was made so many minutes from now, and ended so.
pub fn made(scene: &mut Number, input: CallInput, secret: Option<&str>, ended: CallOutcome, minute: i64) {
    let id = begun(scene, input, secret, minute);
    let ledger = &mut scene.inputs.ledger;
    let ended = match ended {
        CallOutcome::Refused(refusal) => {
            let inputs = ledger.intent(&id).unwrap().inputs.clone();
            let earlier = ledger.refusals.get(&ledger.intent(&id).unwrap().input.operation().counted_as());
            let times = earlier.filter(|earlier| earlier.code == refusal.code).map_or(1, |earlier| earlier.times + 1);
            CallOutcome::Refused(Refusal { inputs, times, ..refusal })
        }
        ended => ended,
    };
    ledger.finish(&id, ended, at(minute));
}

/// The number was registered with the PIN, and that ended so.
pub fn registered(scene: &mut Number, ended: CallOutcome, minute: i64) {
    made(scene, CallInput::Register, Some("004217"), ended, minute);
}

/// A code was requested.
pub fn coded(scene: &mut Number, ended: CallOutcome, minute: i64) {
    let baseline = Some(fingerprint("000000"));
    made(
        scene,
        CallInput::RequestCode { method: CodeMethod::Sms, language: "en_US".into(), baseline },
        None,
        ended,
        minute,
    );
}

/// No read counts yet that began after the last call.
pub fn reads_lag(scene: &mut Number) {
    scene.inputs.evidence = Evidence::default();
    scene.inputs.counts_from = Some(scene.instant + Duration::from_secs(10));
}

/// One read counts; it proves no absence.
pub fn read_once(scene: &mut Number) {
    scene.inputs.evidence = Evidence { fresh: true, twice: false };
}

/// What comes next: the step; or phase, Ready and who has to act, and what becomes of requests. Checks every report by the
/// rules that all have to keep.
pub fn next(scene: &mut Number) -> String {
    let report = match scene.plan() {
        Plan::Open(Requeue::AfterReadSince(_)) => return "open: a fresh read".to_owned(),
        Plan::Open(need) => return format!("open: {need:?}"),
        Plan::Step(step) => return words(scene, &step),
        Plan::Report(report) => report,
    };
    scene.reconcile();
    if let Some(reason) = scene.condition(STALLED) {
        let reason = reason.trim_start_matches("True/").to_owned();
        assert!(advice::documented(PAGE).contains(&*reason), "the page does not mark {reason} as Stalled");
    }
    let ignored = report.ignored.iter().map(|(action, _)| format!("; ignored {}", short(*action)));
    let waiting = report.waiting.iter().map(|action| format!("; waits {}", short(*action)));
    scene.told() + &ignored.chain(waiting).collect::<String>()
}

fn short(action: Action) -> &'static str {
    action.annotation().trim_start_matches("waba.dev/")
}

/// A step in few words.
pub fn words(scene: &Number, step: &Step) -> String {
    let of = |id: &str| scene.inputs.ledger.intent(id).map_or("nothing", |intent| intent.input.operation().as_str());
    match step {
        Step::ReadById { id, .. } => format!("read {id}"),
        Step::Send { input, secret, account, id, action, .. } => {
            assert_eq!(account, ACCOUNT);
            assert_eq!(id.as_deref(), (input.operation() != Operation::AddNumber).then_some(ID));
            let detail = match input {
                CallInput::AddNumber { name, .. } => format!(" {name}"),
                CallInput::RequestCode { method, language, .. } => format!(" {} {language}", method.as_str()),
                CallInput::SetWebhook { url, again } => format!(" {url}{}", if *again { " again" } else { "" }),
                CallInput::WriteProfile { fields } => format!(" {}", serde_json::to_string(fields).unwrap()),
                _ => secret.as_ref().map_or(String::new(), |known| format!(" {}", known.value.0.expose_secret())),
            };
            let asked = action.map_or(String::new(), |action| format!(" for {}", short(action)));
            format!("send {}{detail}{asked}", input.operation())
        }
        Step::Repeat { id, .. } => format!("again {}", of(id)),
        Step::Resolve { id, end: Resolution::Happened(_) } => format!("settle {} happened", of(id)),
        Step::Resolve { id, end: Resolution::PinOpen } => format!("settle {} happened, PIN open", of(id)),
        Step::Resolve { id, end: Resolution::DidNot(_) } => format!("settle {} did not", of(id)),
        Step::Resolve { id, end: Resolution::Lost } => format!("settle {} lost", of(id)),
        Step::Resolve { id, end: Resolution::GivenUp } => format!("settle {} given up", of(id)),
        Step::RecordObservation(_) => "note".to_owned(),
        Step::RecordHandled(values) => {
            let values = values
                .iter()
                .map(|handled| format!(" {}{}", short(handled.action), if handled.is_ahead { " ahead" } else { "" }));
            format!("record{}", values.collect::<String>())
        }
        Step::CreatePinSecret => "make a PIN".to_owned(),
        Step::RefreshToken(_) => "forward".to_owned(),
        Step::ReadProfile { .. } => "read the profile".to_owned(),
        Step::WriteBinding(_) => "bind".to_owned(),
        Step::DeleteBinding => "unbind".to_owned(),
        Step::Finalizer(wanted) => format!("finalizer {wanted}"),
        Step::RemoveFinalizer(None) => "let go".to_owned(),
        Step::RemoveFinalizer(Some(_)) => "let go, left at Meta".to_owned(),
    }
}

/// Each row of a table, in a scene of its own.
pub fn rows(scene: fn() -> Number, rows: &[Row]) {
    for (reason, change, expected) in rows {
        let mut scene = scene();
        change(&mut scene);
        assert_eq!(next(&mut scene), *expected, "{reason}");
    }
}
