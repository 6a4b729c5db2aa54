//! What may happen to a number between two reconciles, for tests that play any row of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use proptest::prelude::*;
use serde_json::json;

use super::{
    api_server::{ApiServer, Write},
    fixtures::{
        ID, Number, asks_for_callback, asks_to_register, asks_to_verify, at, clock_is_wrong, coded, facts, fingerprint,
        unregistered,
    },
    outside::Fate,
};
use crate::{
    api::{Action, Binding, ManagementPolicy, NumberDeletionPolicy, Profile, Provisioning, labels::DEREGISTER},
    calls::CallInput,
    controller::testing::{ACCOUNT, MINUTE, word},
    graph::types::PhoneNumber,
    ledger::{CallOutcome, NewIntent},
};

/// Something that happens between two reconciles.
#[derive(Debug, Clone)]
pub enum Happens {
    Shows(Box<PhoneNumber>),
    Lacks,
    Time(u32),
    /// The account is read: late enough after the last call to count, and once more a minute later.
    Reads(bool, bool),
    Does(usize),
    /// What Meta, or the network, makes of the next calls.
    Fates(Vec<Fate>),
    /// What the API server, or the network, makes of the next writes.
    Writes(Vec<Write>),
}

pub type Change = fn(&mut Number, &ApiServer);

/// The Secrets of the PIN and the code.
const PIN: (&str, &str) = ("support-fr-pin", "pin");
const CODE: (&str, &str) = ("support-fr-code", "code");

/// What people and circumstances may do.
pub const CHANGES: &[Change] = &[
    |scene, _| asks_to_verify(scene),
    |scene, api| registers(scene, api, "004217"),
    |scene, api| registers(scene, api, "873645"),
    |scene, api| {
        asks_for_callback(scene);
        api.put(("hook", "verify-token"), "tell-me", false);
    },
    |scene, _| scene.object.spec.profile = Some(Profile { about: Some("we help".into()), ..Profile::default() }),
    |scene, _| scene.object.spec.binding = Some(Binding::default()),
    |scene, _| scene.object.spec.verification = None,
    |scene, _| scene.object.spec.registration = None,
    |scene, _| scene.object.spec.profile = None,
    |scene, _| scene.object.spec.incoming = None,
    |scene, _| scene.object.spec.binding = None,
    |scene, _| requests(scene, Action::RequestCode),
    |scene, _| requests(scene, Action::Register),
    |scene, _| requests(scene, Action::ResetPin),
    |scene, _| requests(scene, Action::Reconcile),
    |scene, _| requests(scene, Action::RefreshToken),
    |_, api| api.put(CODE, "123456", false),
    |_, api| api.put(CODE, "654321", false),
    |_, api| api.put(CODE, "12", false),
    |_, api| api.delete(CODE.0),
    |_, api| api.delete(PIN.0),
    |_, api| api.put(PIN, "12", true),
    |_, api| api.put(PIN, "873645", false),
    |_, api| api.set_reads_fail(true),
    |_, api| api.set_reads_fail(false),
    |_, api| api.damage_ledger(),
    |_, api| api.restore_ledger(),
    |scene, _| clock_is_wrong(scene),
    |scene, _| scene.inputs.no_writes = None,
    |scene, _| scene.competing_object = Some("other".into()),
    |scene, _| scene.competing_object = None,
    |scene, _| scene.object.spec.suspend = !scene.object.spec.suspend,
    |scene, _| scene.object.spec.management_policy = ManagementPolicy::Observe,
    |scene, _| scene.object.spec.management_policy = ManagementPolicy::Full,
    |scene, _| scene.object.spec.deletion_policy = NumberDeletionPolicy::Deregister,
    |scene, _| scene.object.spec.deletion_policy = NumberDeletionPolicy::Retain,
    |scene, _| scene.object.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH)),
    |scene, _| adds(scene),
];

/// How it begins. What the scene's ledger has then is on record.
pub const STARTS: &[Change] = &[
    |scene, _| unregistered(scene, "NOT_VERIFIED"),
    |scene, _| unregistered(scene, "VERIFIED"),
    |scene, _| {
        unregistered(scene, "NOT_VERIFIED");
        scene.inputs.ledger.begin(NewIntent {
            id: "earlier".into(),
            input: CallInput::VerifyCode,
            inputs: fingerprint("123456"),
            before: "-".into(),
            secret: Some("123456".into()),
            action: None,
            now: at(-1),
        });
    },
    |scene, _| {
        scene.shows(facts(&json!({})));
        scene.object.spec.deletion_policy = NumberDeletionPolicy::Deregister;
        scene.object.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
        scene.object.metadata.finalizers = Some(vec![DEREGISTER.to_owned()]);
        scene.inputs.ledger.phone_number_id = Some(ID.to_owned());
    },
    |scene, _| {
        scene.shows(facts(&json!({"new_name_status": "APPROVED"})));
        requests(scene, Action::Register);
    },
    |scene, _| {
        adds(scene);
        scene.lacks(MINUTE);
    },
    |scene, _| {
        unregistered(scene, "NOT_VERIFIED");
        coded(scene, CallOutcome::Done(None), -1);
    },
];

/// With `spec.registration`, and this PIN in the Secret that the operator has made.
pub fn registers(scene: &mut Number, api: &ApiServer, pin: &str) {
    asks_to_register(scene, pin);
    api.put(PIN, pin, true);
}

/// With `spec.verification`, and an old code in its Secret.
pub fn verifies(scene: &mut Number, api: &ApiServer) {
    asks_to_verify(scene);
    api.put(CODE, "111111", false);
}

fn adds(scene: &mut Number) {
    scene.object.spec.provisioning = Provisioning::AddIfMissing;
    scene.object.spec.business_account_id = Some(ACCOUNT.to_owned());
    scene.object.spec.requested_name = Some("INO Support".to_owned());
}

/// A person requests this now.
fn requests(scene: &mut Number, action: Action) {
    let now = scene.inputs.now.to_string();
    scene.object.annotations_mut().insert(action.annotation().to_owned(), now);
}

pub fn any_facts() -> impl Strategy<Value = PhoneNumber> + Clone {
    let status =
        word(&["", "CONNECTED", "CONNECTED", "PENDING", "PENDING", "DISCONNECTED", "UNVERIFIED", "BANNED", "DELETED"]);
    let platform = word(&["", "CLOUD_API", "NOT_APPLICABLE", "NOT_APPLICABLE", "ON_PREMISE"]);
    let code = word(&["", "VERIFIED", "VERIFIED", "NOT_VERIFIED", "NOT_VERIFIED", "EXPIRED"]);
    let name = word(&["", "APPROVED", "PENDING_REVIEW"]);
    let hook = prop::sample::select(vec!["", super::fixtures::CALLBACK, "https://other.example"]);
    (status, platform, code, name, hook, any::<bool>(), prop::bool::weighted(0.1)).prop_map(
        |(status, platform, code, name, hook, pin, biz)| {
            facts(&json!({"status": status, "platform_type": platform, "code_verification_status": code,
                "new_name_status": name, "is_pin_enabled": pin, "is_on_biz_app": biz,
                "webhook_configuration": {"phone_number": hook}}))
        },
    )
}

/// What becomes of calls of which nothing else is said.
pub fn usual_fate() -> impl Strategy<Value = Fate> {
    prop::sample::select(vec![Fate::Done, Fate::Lost])
}

/// What becomes of a call.
pub fn any_fate() -> impl Strategy<Value = Fate> {
    let codes = vec![133_000, 133_004, 133_005, 133_006, 133_010, 133_015, 133_016, 136_024, 136_025, 100, 200];
    prop_oneof![
        4 => Just(Fate::Done),
        4 => (prop::sample::select(codes), 1_i64..6_000).prop_map(|(code, minutes)| Fate::Refused(code, minutes)),
        2 => Just(Fate::NotSent),
        1 => (1_i64..60).prop_map(Fate::Held),
        4 => Just(Fate::Lost),
        2 => Just(Fate::Dies),
    ]
}

/// What becomes of a write.
pub fn any_write() -> impl Strategy<Value = Write> {
    prop_oneof![
        4 => Just(Write::Fine),
        2 => Just(Write::Away),
        1 => Just(Write::Denied),
        1 => Just(Write::Lost),
        2 => any::<bool>().prop_map(Write::Dies),
    ]
}

/// What happens before each of some reconciles.
pub fn any_row() -> impl Strategy<Value = Vec<Vec<Happens>>> {
    let event = prop_oneof![
        4 => any_facts().prop_map(|facts| Happens::Shows(Box::new(facts))),
        1 => Just(Happens::Lacks),
        3 => prop_oneof![0_u32..12, 0_u32..5_000].prop_map(Happens::Time),
        4 => (any::<bool>(), any::<bool>()).prop_map(|(fresh, twice)| Happens::Reads(fresh, fresh && twice)),
        8 => (0..CHANGES.len()).prop_map(Happens::Does),
        4 => prop::collection::vec(any_fate(), 1..8).prop_map(Happens::Fates),
        2 => prop::collection::vec(any_write(), 1..12).prop_map(Happens::Writes),
    ];
    prop::collection::vec(prop::collection::vec(event, 1..5), 1..16)
}
