//! What may happen to a number between two reconciles, for tests that play any row of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use proptest::prelude::*;
use serde_json::json;

use super::fixtures::{
    ID, Number, asks, asks_for_callback, asks_to_register, asks_to_verify, at, bad, clock_is_wrong, facts, fingerprint,
    known, missing, unregistered, unusable,
};
use crate::kinds::whatsapp_number::inputs::{ProfileRead, SecretRead};
use crate::{
    api::{Action, ManagementPolicy, NumberDeletionPolicy, Profile, Provisioning},
    calls::CallInput,
    controller::testing::{ACCOUNT, MINUTE, word},
    graph::types::PhoneNumber,
    ledger::{CallOutcome, NewIntent, Refusal},
};

/// Something that happens between two reconciles.
#[derive(Debug, Clone)]
pub enum Happens {
    Shows(Box<PhoneNumber>),
    Lacks,
    Time(i64),
    Reads(bool, bool),
    Does(usize),
    /// What Meta, or the network, makes of the next calls.
    Ends(Vec<Option<CallOutcome>>),
}

pub type Change = fn(&mut Number);

/// What people and circumstances may do.
pub const CHANGES: &[Change] = &[
    asks_to_verify,
    |scene| asks_to_register(scene, "004217"),
    |scene| asks_to_register(scene, "873645"),
    asks_for_callback,
    |scene| scene.object.spec.profile = Some(Profile { about: Some("we help".into()), ..Profile::default() }),
    |scene| scene.object.spec.verification = None,
    |scene| scene.object.spec.registration = None,
    |scene| scene.object.spec.profile = None,
    |scene| scene.object.spec.incoming = None,
    |scene| asks(scene, Action::RequestCode),
    |scene| asks(scene, Action::Register),
    |scene| asks(scene, Action::ResetPin),
    |scene| asks(scene, Action::Reconcile),
    |scene| asks(scene, Action::RefreshToken),
    |scene| scene.inputs.code = known("123456"),
    |scene| scene.inputs.code = known("654321"),
    |scene| scene.inputs.code = bad("12"),
    |scene| scene.inputs.code = SecretRead::Unread,
    |scene| scene.inputs.pin = missing("none"),
    |scene| scene.inputs.pin = bad("12"),
    |scene| scene.inputs.pin = SecretRead::Unread,
    |scene| scene.inputs.pin_taken = !scene.inputs.pin_taken,
    |scene| scene.inputs.profile = ProfileRead::Due,
    |scene| scene.inputs.foreign_call_grace.clear(),
    |scene| scene.inputs.blocker = Some(unusable()),
    |scene| scene.inputs.blocker = None,
    clock_is_wrong,
    |scene| scene.inputs.no_writes = None,
    |scene| scene.competing_object = Some("other".into()),
    |scene| scene.competing_object = None,
    |scene| scene.object.spec.suspend = !scene.object.spec.suspend,
    |scene| scene.object.spec.management_policy = ManagementPolicy::Observe,
    |scene| scene.object.spec.management_policy = ManagementPolicy::Full,
    |scene| scene.object.spec.deletion_policy = NumberDeletionPolicy::Deregister,
    |scene| scene.object.spec.deletion_policy = NumberDeletionPolicy::Retain,
    |scene| scene.object.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH)),
    |scene| {
        scene.object.spec.provisioning = Provisioning::AddIfMissing;
        scene.object.spec.business_account_id = Some(ACCOUNT.to_owned());
        scene.object.spec.requested_name = Some("INO Support".to_owned());
    },
];

/// How it begins.
pub const STARTS: &[Change] = &[
    |scene| unregistered(scene, "NOT_VERIFIED"),
    |scene| unregistered(scene, "VERIFIED"),
    |scene| {
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
    |scene| {
        scene.shows(facts(&json!({})));
        scene.object.spec.deletion_policy = NumberDeletionPolicy::Deregister;
        scene.object.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
        scene.inputs.ledger.phone_number_id = Some(ID.to_owned());
    },
    |scene| {
        scene.shows(facts(&json!({"new_name_status": "APPROVED"})));
        asks(scene, Action::Register);
    },
    |scene| {
        scene.object.spec.provisioning = Provisioning::AddIfMissing;
        scene.object.spec.business_account_id = Some(ACCOUNT.to_owned());
        scene.object.spec.requested_name = Some("INO Support".to_owned());
        scene.lacks(MINUTE);
    },
];

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

pub fn any_end() -> impl Strategy<Value = Option<CallOutcome>> {
    let codes = vec![133_000, 133_004, 133_005, 133_006, 133_010, 133_015, 133_016, 136_024, 136_025, 100, 200];
    let refused = (prop::sample::select(codes), prop::option::of(1_i64..6_000)).prop_map(|(code, until)| {
        let message = "Meta said no".to_owned();
        let (class, inputs) = ("BadRequest".to_owned(), String::new());
        Some(CallOutcome::Refused(Refusal {
            code,
            subcode: None,
            class,
            message,
            until: until.map(at),
            inputs,
            times: 1,
        }))
    });
    prop_oneof![
        4 => Just(Some(CallOutcome::Done(Some(ID.to_owned())))),
        4 => refused,
        2 => Just(Some(CallOutcome::NotSent)),
        4 => Just(Some(CallOutcome::Unknown)),
        2 => Just(None),
    ]
}

pub fn any_row() -> impl Strategy<Value = Vec<Happens>> {
    let event = prop_oneof![
        4 => any_facts().prop_map(|facts| Happens::Shows(Box::new(facts))),
        1 => Just(Happens::Lacks),
        3 => prop_oneof![0_i64..12, 0_i64..5_000].prop_map(Happens::Time),
        4 => (any::<bool>(), any::<bool>()).prop_map(|(fresh, twice)| Happens::Reads(fresh, fresh && twice)),
        8 => (0..CHANGES.len()).prop_map(Happens::Does),
        4 => prop::collection::vec(any_end(), 1..4).prop_map(Happens::Ends),
    ];
    prop::collection::vec(event, 1..40)
}
