//! Every message of a Stalled number names the command or the place at Meta that helps: for each reason that the docs mark so.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::json;

use super::fixtures::{
    CALLBACK, ID, Number, PAGE, asks_for_callback, asks_to_register, asks_to_verify, bad, coded, known, made, missing,
    next, number, refusal, shows, unregistered, unusable,
};
use crate::kinds::whatsapp_number::inputs::{Blocker, SecretRead};
use crate::{
    api::{NumberDeletionPolicy, Profile, Registration, SecretKeyRef},
    calls::CallInput,
    controller::{
        app_reference::AppReference,
        testing::{ACCOUNT, MINUTE, NAMESPACE, WHY, advice},
    },
    graph::types,
    k8s::{
        secrets::{OwnedProblem, SecretProblem, Unusable},
        timeout::ApiError,
    },
    ledger::CallOutcome,
    messages::Reason,
    observe::Observation,
};

/// The reason, how it comes about, and what the message names.
type Row = (&'static str, fn(&mut Number), &'static [&'static str]);

const FORCE: &str = "apply --server-side --force-conflicts -f -";
const EDIT: &str = "kubectl -n cc edit wan support-fr";
const DELETE: &str = "kubectl -n cc delete wan support-fr";
const NUMBERS: &str = "WhatsApp Manager > Phone numbers";
const QUALITY: &str = "WhatsApp Manager > Account quality";
const CODE: &str = "kubectl -n cc annotate wan support-fr --overwrite waba.dev/request-code-at=$(date -u +%FT%TZ)";
const REGISTER: &str = "kubectl -n cc annotate wan support-fr --overwrite waba.dev/register-at=$(date -u +%FT%TZ)";
const RESET: &str = "kubectl -n cc annotate wan support-fr --overwrite waba.dev/reset-pin-at=$(date -u +%FT%TZ)";
const RETAIN: &str = r#"kubectl -n cc patch wan support-fr --type merge -p '{"spec":{"deletionPolicy":"Retain"}}'"#;

fn unverified(scene: &mut Number) {
    unregistered(scene, "NOT_VERIFIED");
    asks_to_verify(scene);
}

fn verified(scene: &mut Number) {
    unregistered(scene, "VERIFIED");
    asks_to_register(scene, "004217");
}

fn given(scene: &mut Number, pin: SecretRead) {
    verified(scene);
    let pin_ref = SecretKeyRef { name: "our-pins".to_owned(), key: "key".to_owned() };
    scene.object.spec.registration = Some(Registration { pin_ref: Some(pin_ref) });
    scene.inputs.pin = pin;
}

fn registered(scene: &mut Number, ended: CallOutcome) {
    verified(scene);
    made(scene, CallInput::Register, Some("004217"), ended, -1);
}

fn deleted(scene: &mut Number) {
    shows(scene, &json!({}));
    scene.object.spec.deletion_policy = NumberDeletionPolicy::Deregister;
    scene.object.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
    scene.inputs.has_finalizer = true;
    scene.inputs.ledger.phone_number_id = Some(ID.to_owned());
}

fn adds(scene: &mut Number) {
    let spec = &mut scene.object.spec;
    spec.provisioning = crate::api::Provisioning::AddIfMissing;
    spec.business_account_id = Some(ACCOUNT.to_owned());
    spec.requested_name = Some("INO Support".to_owned());
    scene.lacks(MINUTE);
}

fn delivers(scene: &mut Number, url: &str) {
    shows(scene, &json!({"webhook_configuration": {"phone_number": url}}));
    asks_for_callback(scene);
}

fn sets(scene: &mut Number, again: bool, ended: CallOutcome, minute: i64) {
    made(scene, CallInput::SetWebhook { url: CALLBACK.into(), again }, None, ended, minute);
}

const STALLED: &[Row] = &[
    (
        "AccountNotManaged",
        |scene| {
            scene.object.spec.business_account_id = Some("1".to_owned());
            scene.seen = Observation::Unmanaged;
        },
        &["kubectl -n cc edit mapp ino-cx", "Business settings > System users"],
    ),
    (
        "AddRefused",
        |scene| {
            adds(scene);
            let input = CallInput::AddNumber { account: ACCOUNT.into(), name: "INO Support".into() };
            made(scene, input, None, refusal(100, None), -5);
        },
        &["waba.dev/reconcile-at="],
    ),
    (
        "AppNotReady",
        |scene| {
            deleted(scene);
            scene.link = AppReference::NotReady(WHY.to_owned());
        },
        &[RETAIN, "why:\nkubectl -n cc describe mapp ino-cx\n"],
    ),
    ("Banned", |scene| shows(scene, &json!({"status": "BANNED"})), &[QUALITY]),
    (
        "CodeExpired",
        |scene| {
            unverified(scene);
            coded(scene, CallOutcome::Done(None), -20);
        },
        &[CODE],
    ),
    (
        "CodeNotSent",
        |scene| {
            unverified(scene);
            coded(scene, refusal(136_024, None), -1);
        },
        &[r#"-p '{"spec":{"verification":{"method":"Voice"}}}'"#, CODE],
    ),
    ("Conflict", |scene| scene.competing_object = Some("x".to_owned()), &[DELETE]),
    (
        "Conflict",
        |scene| {
            adds(scene);
            scene.inputs.earlier_claimant = Some("x".to_owned());
        },
        &[DELETE],
    ),
    (
        "Contested",
        |scene| {
            delivers(scene, CALLBACK);
            for (again, minute) in [(false, -90), (true, -60), (true, -30)] {
                sets(scene, again, CallOutcome::Done(None), minute);
            }
            delivers(scene, "https://other.example");
        },
        &[EDIT, "until 2026-11-23T09:00:00Z"],
    ),
    ("Deleted", |scene| shows(scene, &json!({"status": "DELETED"})), &[DELETE, NUMBERS]),
    (
        "DeregistrationRefused",
        |scene| {
            deleted(scene);
            made(scene, CallInput::Deregister, None, refusal(368, None), -1);
        },
        &[RETAIN],
    ),
    (
        "Disconnected",
        |scene| {
            verified(scene);
            scene.inputs.ledger.was_connected = true;
        },
        &[REGISTER],
    ),
    (
        "ExpiredToken",
        |scene| {
            scene.app.namespace = "meta".into();
            scene.link = AppReference::Expired(WHY.to_owned());
        },
        &["kubectl -n meta describe mapp ino-cx"],
    ),
    (
        "ExpiredToken",
        |scene| {
            deleted(scene);
            scene.link = AppReference::Expired(WHY.to_owned());
        },
        &[RETAIN],
    ),
    (
        "HealthBlocked",
        |scene| shows(scene, &json!({"health_status": {"can_send_message": "BLOCKED"}})),
        &["kubectl -n cc get wan support-fr -o jsonpath='{.status.health.errors}'"],
    ),
    (
        "InvalidSpec",
        |scene| {
            shows(scene, &json!({}));
            scene.object.spec.time_zone = Some("Mars/Base".to_owned());
        },
        &[EDIT],
    ),
    (
        "InvalidSpec",
        |scene| {
            adds(scene);
            scene.object.spec.phone_number = "+2812345678".to_owned();
        },
        &[DELETE],
    ),
    (
        "LedgerUnusable",
        |scene| {
            verified(scene);
            scene.inputs.blocker = Some(unusable());
        },
        &["kubectl -n waba-system delete secret waba-number-33612345678"],
    ),
    (
        "LedgerUnusable",
        |scene| {
            deleted(scene);
            scene.inputs.blocker = Some(unusable());
        },
        &["kubectl -n waba-system delete secret waba-number-33612345678", RETAIN],
    ),
    ("Migrated", |scene| shows(scene, &json!({"status": "MIGRATED"})), &[EDIT]),
    ("NotFound", |scene| scene.lacks(MINUTE), &[EDIT, NUMBERS]),
    (
        "NotFound",
        |scene| {
            adds(scene);
            scene.inputs.ledger.phone_number_id = Some("7".to_owned());
        },
        &[DELETE, NUMBERS],
    ),
    (
        "NotPermitted",
        |scene| {
            unregistered(scene, "NOT_VERIFIED");
            asks_to_verify(scene);
            shows(scene, &json!({"platform_type": "ON_PREMISE"}));
        },
        &[r#"-p '{"spec":{"verification":null,"registration":null}}'"#],
    ),
    (
        "NotSubscribed",
        |scene| {
            delivers(scene, "");
            sets(scene, false, refusal(100, Some(10)), -1);
        },
        &["App Dashboard > WhatsApp > Configuration", ACCOUNT],
    ),
    (
        "NotVerified",
        |scene| {
            unregistered(scene, "NOT_VERIFIED");
            asks_to_register(scene, "004217");
        },
        &[r#"kubectl -n cc patch wan support-fr --type merge -p '{"spec":{"verification":{}}}'"#, NUMBERS],
    ),
    (
        "OutcomeUnknown",
        |scene| {
            registered(scene, CallOutcome::Unknown);
            registered(scene, CallOutcome::Unknown);
        },
        &[REGISTER, NUMBERS],
    ),
    (
        "OutcomeUnknown",
        |scene| {
            deleted(scene);
            made(scene, CallInput::Deregister, None, CallOutcome::Unknown, -5);
            made(scene, CallInput::Deregister, None, CallOutcome::Unknown, -1);
        },
        &[RETAIN],
    ),
    (
        "PINRefused",
        |scene| registered(scene, refusal(133_005, None)),
        &[
            REGISTER,
            RESET,
            r#"kubectl -n cc patch secret support-fr-pin --type merge -p '{"stringData":{"pin":"YOUR_PIN"}}'"#,
        ],
    ),
    (
        "PINUnknown",
        |scene| {
            verified(scene);
            shows(scene, &json!({"status": "DISCONNECTED", "platform_type": "NOT_APPLICABLE", "is_pin_enabled": true}));
            scene.inputs.pin = missing("support-fr-pin");
        },
        &[RESET, FORCE],
    ),
    (
        "ProfileRefused",
        |scene| {
            shows(scene, &json!({}));
            let profile = Profile { about: Some("we help".to_owned()), ..Profile::default() };
            scene.object.spec.profile = Some(profile.clone());
            let shown = types::Profile::default();
            scene.inputs.profile =
                crate::kinds::whatsapp_number::inputs::ProfileRead::Shown { profile: shown, fresh: true, next: MINUTE };
            made(scene, CallInput::WriteProfile { fields: BTreeMap::new() }, None, refusal(100, Some(10)), -1);
            let refused = scene.inputs.ledger.refusals.get_mut(&crate::calls::Operation::WriteProfile).unwrap();
            refused.inputs = crate::kinds::whatsapp_number::profile::inputs(&profile);
        },
        &[EDIT],
    ),
    ("RegistrationRefused", |scene| registered(scene, refusal(131_045, None)), &[REGISTER, NUMBERS]),
    ("Restricted", |scene| shows(scene, &json!({"status": "RESTRICTED"})), &[QUALITY]),
    (
        "SecretKeyNotFound",
        |scene| {
            let problem = Unusable::KeyMissing { key: "key".to_owned(), present: vec!["kye".to_owned()] };
            let namespace = NAMESPACE.to_owned();
            let problem = SecretProblem { namespace, name: "our-pins".to_owned(), foreign: true, problem };
            given(scene, SecretRead::Missing(Blocker::new(Reason::SecretKeyNotFound, problem.to_string())));
        },
        &[r#"kubectl -n cc patch secret our-pins --type merge -p '{"stringData":{"key":"YOUR_VALUE"}}'"#],
    ),
    (
        "SecretNameTaken",
        |scene| {
            verified(scene);
            scene.inputs.pin_taken = true;
        },
        &[
            r#"-p '{"spec":{"registration":{"pinRef":{"name":"support-fr-pin","key":"pin"}}}}'"#,
            "kubectl -n cc delete secret support-fr-pin",
        ],
    ),
    (
        "SecretNotFound",
        |scene| given(scene, missing("our-pins")),
        &["kubectl -n cc create secret generic our-pins --from-literal=key=YOUR_VALUE"],
    ),
    (
        "SecretNotWritten",
        |scene| {
            verified(scene);
            let status = kube::core::Status { code: 403, ..kube::core::Status::default() };
            let refused = ApiError::Kube(kube::Error::Api(status.boxed()));
            let problem = OwnedProblem::Api("cc/support-fr-pin".to_owned(), refused);
            scene.inputs.pin = SecretRead::NotCreated(Blocker::new(Reason::SecretNotWritten, problem.to_string()));
        },
        &["kubectl -n cc get rolebindings,resourcequotas"],
    ),
    ("SecretValueInvalid", |scene| given(scene, bad("12")), &["kubectl -n cc patch secret x --type merge"]),
    (
        "VerificationExpired",
        |scene| {
            unregistered(scene, "EXPIRED");
            asks_to_verify(scene);
        },
        &[CODE],
    ),
];

#[test]
fn every_stalled_message_names_a_command_or_a_place() {
    for (reason, happens, words) in STALLED {
        let mut scene = number();
        happens(&mut scene);
        let report = next(&mut scene);
        assert!(report.ends_with(&format!("False/{reason} Stalled")), "{reason}: {report}");
        let message = scene.message("Stalled");
        assert_eq!(message, scene.message("Ready"), "{reason}");
        for word in *words {
            assert!(message.contains(word), "{reason} does not name {word}: {message}");
        }
    }
}

/// [`next`] sees to it that no message is cut off within a command.
#[test]
fn long_names_leave_commands_whole() {
    for (_, happens, _) in STALLED {
        let mut scene = number();
        scene.object.metadata.name = Some("n".repeat(63));
        scene.object.metadata.namespace = Some("s".repeat(63));
        scene.app.name = "p".repeat(63).into();
        happens(&mut scene);
        next(&mut scene);
    }
}

#[test]
fn every_documented_stalled_reason_is_tested() {
    let tried: BTreeSet<&str> = STALLED.iter().map(|(reason, ..)| *reason).collect();
    assert_eq!(tried, advice::documented(PAGE));
}

#[test]
fn a_code_leaves_the_other_keys_of_a_shared_secret_alone() {
    let mut scene = number();
    unverified(&mut scene);
    coded(&mut scene, CallOutcome::Done(None), -1);
    let shared = SecretKeyRef { name: "codes".to_owned(), key: "support".to_owned() };
    scene.object.spec.verification.as_mut().unwrap().code_ref = Some(shared);
    for (held, command) in [
        (missing("codes"), "kubectl -n cc create secret generic codes --from-literal=support=YOUR_CODE"),
        (known("000000"), r#"patch secret codes --type merge -p '{"stringData":{"support":"YOUR_CODE"}}'"#),
    ] {
        scene.inputs.code = held;
        assert_eq!(next(&mut scene), "AwaitingCode False/AwaitingCode Reconciling");
        assert!(scene.message("Ready").contains(command), "{}", scene.message("Ready"));
    }
}
