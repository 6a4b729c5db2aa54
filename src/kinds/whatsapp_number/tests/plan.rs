//! The whole table of the API: the circumstances of a number, and its status then.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;

use super::fixtures::facts as number;
use crate::{
    api::{
        AppKey, Binding, Direction, ManagementPolicy, Provisioning, Verification, WhatsAppNumber, WhatsAppNumberSpec,
    },
    controller::{
        app_reference::AppReference,
        plan::Plan,
        testing::{Case, MINUTE, Scene, WHY, events, table, word},
    },
    graph::types::PhoneNumber,
    kinds::{
        Numbers,
        whatsapp_number::{inputs, under_policy_of},
    },
    ledger::CallOutcome,
    observe::{AppSummary, Observation},
};

/// A number whose object has no block, uid or namespace.
pub fn scene() -> Scene<Numbers> {
    let spec = WhatsAppNumberSpec {
        app_ref: crate::api::AppRef { name: "ino-cx".to_owned(), namespace: None },
        phone_number: "+33612345678".to_owned(),
        directions: vec![Direction::Incoming],
        ..WhatsAppNumberSpec::default()
    };
    Scene::new(WhatsAppNumber::new("support-fr", spec))
}

fn connected(scene: &mut Scene<Numbers>) {
    scene.shows(number(&json!({})));
}

fn unregistered(scene: &mut Scene<Numbers>) {
    scene.shows(number(&json!({"status": "DISCONNECTED", "platform_type": "NOT_APPLICABLE"})));
}

fn unverified(scene: &mut Scene<Numbers>) {
    scene.shows(number(&json!({"status": "PENDING", "platform_type": "NOT_APPLICABLE",
        "code_verification_status": "NOT_VERIFIED"})));
}

fn blocked(scene: &mut Scene<Numbers>) {
    scene.shows(number(&json!({"health_status": {"can_send_message": "BLOCKED"}})));
}

fn asks_to_verify(scene: &mut Scene<Numbers>) {
    scene.object.spec.verification = Some(Verification::default());
}

fn observed() -> Scene<Numbers> {
    let mut scene = scene();
    scene.object.spec.management_policy = ManagementPolicy::Observe;
    scene
}

#[test]
fn what_meta_shows() {
    macro_rules! shows {
        ($($facts:tt)+) => { |scene| scene.shows(number(&json!({$($facts)+}))) };
    }
    let cases: &[Case<Numbers>] = &[
        ("connected to the Cloud API", connected, "Enabled True/Enabled"),
        (
            "verification counts only until registration",
            shows!("code_verification_status": "EXPIRED"),
            "Enabled True/Enabled",
        ),
        ("works, with a warning", shows!("status": "FLAGGED"), "Enabled True/Flagged"),
        ("works, with a pause", shows!("status": "RATE_LIMITED"), "Enabled True/RateLimited"),
        ("connected and unable to send", blocked, "Enabled False/HealthBlocked Stalled"),
        ("banned", shows!("status": "BANNED"), "Restricted False/Banned Stalled"),
        ("restricted", shows!("status": "RESTRICTED"), "Restricted False/Restricted Stalled"),
        ("deleted, and still listed", shows!("status": "DELETED"), "NotFound False/Deleted Stalled"),
        ("moved away", shows!("status": "MIGRATED"), "NotFound False/Migrated Stalled"),
        ("nobody asks for more than it is", unverified, "Unverified True/Adopted"),
        ("Meta's own word for unverified", shows!("status": "UNVERIFIED"), "Unverified True/Adopted"),
        ("verified and not registered", unregistered, "PINRequired True/Adopted"),
        ("being registered", shows!("status": "PENDING"), "Registering False/Registering Reconciling"),
        ("not ours to use", shows!("platform_type": "ON_PREMISE"), "Unknown True/Adopted"),
        ("a word of tomorrow", shows!("status": "LINKED"), "Unknown True/Adopted"),
        ("no status at all", shows!("status": null), "Unknown True/Adopted"),
        (
            "no status at all, verified and nowhere registered",
            shows!("status": null, "platform_type": "NOT_APPLICABLE"),
            "PINRequired True/Adopted",
        ),
    ];
    table(scene, cases);
}

#[test]
fn what_the_object_asks_for() {
    let cases: &[Case<Numbers>] = &[
        (
            "a block that an enabled number does not need",
            |scene| {
                connected(scene);
                asks_to_verify(scene);
            },
            "Enabled True/Enabled",
        ),
        (
            "a block that is not about being enabled",
            |scene| {
                unregistered(scene);
                scene.object.spec.binding = Some(Binding::default());
            },
            "PINRequired True/Adopted",
        ),
    ];
    table(scene, cases);
}

#[test]
fn what_is_only_observed_is_ready_once_it_is_read() {
    let cases: &[Case<Numbers>] = &[
        ("enabled stays enabled", connected, "Enabled True/Enabled"),
        ("one that cannot send is reported as it is", blocked, "Enabled True/HealthBlocked"),
        ("banned", |scene| scene.shows(number(&json!({"status": "BANNED"}))), "Restricted True/Banned"),
        ("nobody wants anything", unverified, "Unverified True/Adopted"),
        (
            "not even where a block asks for it",
            |scene| {
                unverified(scene);
                asks_to_verify(scene);
            },
            "Unverified True/Adopted",
        ),
        ("what is not there cannot be read", |scene| scene.lacks(MINUTE), "NotFound False/NotFound Stalled"),
    ];
    table(observed, cases);
}

/// A mistake in one field hides nothing that Meta shows.
#[test]
fn a_wrong_time_zone_stops_only_the_binding() {
    let cases: &[Case<Numbers>] = &[
        ("connected", connected, "Enabled False/InvalidSpec Stalled"),
        ("banned", |scene| scene.shows(number(&json!({"status": "BANNED"}))), "Restricted False/Banned Stalled"),
        ("blocked", blocked, "Enabled False/HealthBlocked Stalled"),
        ("verified", unregistered, "PINRequired False/InvalidSpec Stalled"),
        (
            "observed",
            |scene| {
                connected(scene);
                scene.object.spec.management_policy = ManagementPolicy::Observe;
            },
            "Enabled False/InvalidSpec Stalled",
        ),
    ];
    let mistaken = || {
        let mut scene = scene();
        scene.object.spec.time_zone = Some("Europe/Pariss".to_owned());
        scene
    };
    table(mistaken, cases);

    let mut scene = mistaken();
    connected(&mut scene);
    scene.inputs.binding = inputs::Binding::Behind(Vec::new());
    scene.reconcile();
    assert_eq!(scene.condition("Bound").as_deref(), Some("False/InvalidSpec"), "the binding Secret stays as it is");
    scene.edit(|number| number.spec.time_zone = Some("Europe/Paris".to_owned()));
    assert!(matches!(scene.plan(), Plan::Step(inputs::Step::WriteBinding(_))));
}

/// Objects that are older than a rule of the CRD. No step is taken for what is wrong, and all else goes on.
#[test]
fn rules_hold_for_stored_objects_too() {
    let cases: &[Case<Numbers>] = &[
        (
            "no direction",
            |scene| {
                connected(scene);
                scene.object.spec.directions.clear();
            },
            "Enabled False/InvalidSpec Stalled",
        ),
        (
            "no direction, banned",
            |scene| {
                scene.shows(number(&json!({"status": "BANNED"})));
                scene.object.spec.directions.clear();
            },
            "Restricted False/Banned Stalled",
        ),
        (
            "no code is requested in a language that Meta does not have",
            |scene| {
                unverified(scene);
                let language = Some("fr-FR".to_owned());
                scene.object.spec.verification = Some(Verification { language, ..Verification::default() });
            },
            "Unverified False/InvalidSpec Stalled",
        ),
        (
            "what is not a number is not looked for",
            |scene| {
                scene.lacks(MINUTE);
                scene.object.spec.phone_number = "33 6 12".to_owned();
            },
            "NotFound False/InvalidSpec Stalled",
        ),
        (
            "nor added",
            |scene| {
                scene.lacks(MINUTE);
                scene.object.spec.provisioning = Provisioning::AddIfMissing;
                scene.object.spec.business_account_id = Some("102290129340398".to_owned());
            },
            "NotFound False/InvalidSpec Stalled",
        ),
    ];
    table(scene, cases);
}

#[test]
fn what_comes_before_meta() {
    let cases: &[Case<Numbers>] = &[
        ("suspended", |scene| scene.object.spec.suspend = true, "Suspended Unknown/Suspended Suspended"),
        (
            "suspension goes before everything",
            |scene| {
                scene.object.spec.suspend = true;
                scene.object.spec.time_zone = Some("Europe/Pariss".to_owned());
                scene.competing_object = Some("other".to_owned());
                scene.link = AppReference::Missing;
            },
            "Suspended Unknown/Suspended Suspended",
        ),
        (
            "another object takes precedence, whatever its app reports",
            |scene| {
                scene.competing_object = Some("other".to_owned());
                scene.link = AppReference::NotReady(WHY.into());
            },
            "Conflict False/Conflict Stalled",
        ),
        (
            "without an app, nobody learns who has the number",
            |scene| {
                scene.competing_object = Some("other".to_owned());
                scene.link = AppReference::Missing;
            },
            "Pending Unknown/AppNotFound",
        ),
        (
            "a namespace that is not allowed does not learn who has the number",
            |scene| {
                scene.competing_object = Some("other".to_owned());
                scene.link = AppReference::NotAllowed;
            },
            "Pending Unknown/AppNotAllowed",
        ),
        ("no app", |scene| scene.link = AppReference::Missing, "Pending Unknown/AppNotFound"),
        ("not let in", |scene| scene.link = AppReference::NotAllowed, "Pending Unknown/AppNotAllowed"),
        ("the app is suspended", |scene| scene.link = AppReference::Suspended, "Pending Unknown/AppSuspended"),
        ("the app cannot read", |scene| scene.link = AppReference::NotReady(WHY.into()), "Pending Unknown/AppNotReady"),
        (
            "a dead token is the number's own trouble",
            |scene| scene.link = AppReference::Expired(WHY.into()),
            "ExpiredToken False/ExpiredToken Stalled",
        ),
        ("the app was not looked at yet", |scene| scene.link = AppReference::Waiting, "nothing"),
        ("nothing was read yet", |_| {}, "nothing"),
        (
            "an account that the app does not manage",
            |scene| {
                scene.object.spec.business_account_id = Some("1".to_owned());
                scene.seen = Observation::Unmanaged;
            },
            "NotFound False/AccountNotManaged Stalled",
        ),
        (
            "its account is none of the app's any more",
            |scene| {
                connected(scene);
                scene.reconcile();
                scene.seen = Observation::Unmanaged;
            },
            "NotFound False/AccountGone",
        ),
    ];
    table(scene, cases);
}

#[test]
fn what_is_known_stays_while_meta_cannot_be_read() {
    let cases: &[Case<Numbers>] = &[
        ("stale", Scene::goes_stale, "Enabled Unknown/Stale"),
        ("no app any more", |scene| scene.link = AppReference::Missing, "Enabled Unknown/AppNotFound"),
        ("the app cannot read", |scene| scene.link = AppReference::NotReady(WHY.into()), "Enabled Unknown/AppNotReady"),
        ("the app is suspended", |scene| scene.link = AppReference::Suspended, "Enabled Unknown/AppSuspended"),
        (
            "a dead token",
            |scene| scene.link = AppReference::Expired(WHY.into()),
            "ExpiredToken False/ExpiredToken Stalled",
        ),
        ("a new leader that has read nothing", |scene| scene.seen = Observation::Unread, "Enabled True/Enabled"),
        (
            "suspended: Ready keeps its status and reason",
            |scene| scene.edit(|number| number.spec.suspend = true),
            "Suspended True/Enabled Suspended",
        ),
    ];
    for (reason, change, expected) in cases {
        let mut scene = scene();
        connected(&mut scene);
        scene.reconcile();
        let before = scene.object.status.clone().unwrap();
        change(&mut scene);
        scene.reconcile();
        assert_eq!(scene.told(), *expected, "{reason}");
        assert_eq!(scene.condition("Verified").as_deref(), Some("True/Verified"), "{reason}");
        let after = scene.object.status.clone().unwrap();
        assert_eq!(after.phone_number_id, before.phone_number_id, "{reason}");
        assert_eq!(after.quality_rating, before.quality_rating, "{reason}");
    }
}

#[test]
fn suspension_is_over_when_it_is_over() {
    let mut scene = scene();
    connected(&mut scene);
    scene.reconcile();
    scene.edit(|number| number.spec.suspend = true);
    scene.reconcile();
    scene.edit(|number| number.spec.suspend = false);
    scene.link = AppReference::Missing;
    scene.reconcile();
    assert_eq!(scene.told(), "Unknown Unknown/AppNotFound", "no phase may say that it is suspended");
    scene.link = AppReference::Ready;
    scene.reconcile();
    assert_eq!(scene.told(), "Enabled True/Enabled");
}

#[test]
fn conditions_of_their_own() {
    for (facts, kind, expected, reason) in [
        (json!({}), "TokenValid", "True/Valid", "the number was read"),
        (json!({}), "Verified", "True/Verified", "verified"),
        (json!({"code_verification_status": "EXPIRED"}), "Verified", "False/VerificationExpired", "lapsed"),
        (json!({"code_verification_status": null}), "Verified", "Unknown/UnknownStatus", "not shown"),
        (json!({"name_status": "AVAILABLE_WITHOUT_REVIEW"}), "NameApproved", "True/NameApproved", "as good as"),
        (json!({"name_status": "DECLINED"}), "NameApproved", "False/NameDeclined", "declined"),
        (json!({"name_status": "NONE"}), "NameApproved", "Unknown/NameNotReviewed", "none"),
        (
            json!({"new_name_status": "PENDING_REVIEW", "new_display_name": "INO 2"}),
            "NameApproved",
            "False/NameInReview",
            "a new name goes before the one in use",
        ),
        (json!({}), "Registered", "True/Registered", "connected"),
        (json!({"platform_type": "ON_PREMISE"}), "Registered", "False/NotOnCloudAPI", "elsewhere"),
        (json!({"platform_type": "NOT_APPLICABLE"}), "Registered", "False/NotRegistered", "nowhere"),
    ] {
        let mut scene = scene();
        scene.shows(number(&facts));
        scene.reconcile();
        assert_eq!(scene.condition(kind).as_deref(), Some(expected), "{reason}");
    }
}

#[test]
fn messages_of_the_app_stay_in_its_namespace() {
    for link in [
        AppReference::NotReady("the Secret vault-17 is empty".into()),
        AppReference::Expired("\nkubectl -n cc patch secret vault-17\n".into()),
    ] {
        let mut scene = scene();
        scene.link = link;
        scene.reconcile();
        assert!(scene.message("Ready").contains("vault-17"), "reported in its own namespace");
        scene.app = AppKey::new("meta", "ino-cx");
        scene.reconcile();
        assert!(!scene.message("Ready").contains("vault-17"), "{}", scene.message("Ready"));
    }
}

#[test]
fn only_the_owner_reports_what_the_ledger_records() {
    for (owner, reported) in [("uid", true), ("another", false)] {
        let mut scene = super::fixtures::number();
        super::fixtures::shows(&mut scene, &json!({}));
        super::fixtures::coded(&mut scene, CallOutcome::Done(None), -5);
        scene.inputs.ledger.serial = 1;
        owner.clone_into(&mut scene.inputs.ledger.owner.uid);
        scene.object.spec.management_policy = ManagementPolicy::Observe;
        scene.reconcile();
        assert_eq!(scene.object.status.unwrap().verification.is_some(), reported, "{owner}");
    }
}

fn any_number() -> impl Strategy<Value = PhoneNumber> + Clone {
    let status = word(&[
        "",
        "CONNECTED",
        "DISCONNECTED",
        "PENDING",
        "UNVERIFIED",
        "FLAGGED",
        "RATE_LIMITED",
        "RESTRICTED",
        "BANNED",
        "MIGRATED",
        "DELETED",
        "UNKNOWN",
        "LINKED",
    ]);
    let platform = word(&["", "CLOUD_API", "ON_PREMISE", "NOT_APPLICABLE", "MOON"]);
    let code = word(&["", "VERIFIED", "NOT_VERIFIED", "EXPIRED", "SOON"]);
    let name = word(&["", "NONE", "PENDING_REVIEW", "APPROVED", "DECLINED", "EXPIRED", "SOON"]);
    let health = word(&["", "AVAILABLE", "LIMITED", "BLOCKED"]);
    (status, platform, code, name, health).prop_map(|(status, platform, code, name, health)| {
        number(&json!({"status": status, "platform_type": platform, "code_verification_status": code,
            "name_status": name, "new_name_status": name, "health_status": {"can_send_message": health}}))
    })
}

/// What a person may change in the spec.
const EDITS: &[fn(&mut WhatsAppNumber)] = &[
    |number| number.spec.suspend = true,
    |number| number.spec.suspend = false,
    |number| number.spec.verification = Some(Verification::default()),
    |number| number.spec.time_zone = Some("Mars/Base".to_owned()),
    |number| number.spec.time_zone = None,
    |number| number.spec.management_policy = ManagementPolicy::Observe,
];

proptest! {
    #[test]
    fn whatever_happens_the_status_keeps_the_rules(events in events(any_number(), EDITS.len())) {
        scene().play(events, EDITS);
    }
}

#[test]
fn a_number_of_an_observed_app_is_observed() {
    let mut scene = scene();
    scene.object.spec.registration = Some(crate::api::Registration::default());
    blocked(&mut scene);
    let observed = AppSummary { observes: true, ..AppSummary::default() };
    let object = Arc::new(scene.object.clone());
    for (app, policy) in [
        (Some(&observed), ManagementPolicy::Observe),
        (Some(&AppSummary::default()), ManagementPolicy::Full),
        (None, ManagementPolicy::Full),
    ] {
        assert_eq!(under_policy_of(object.clone(), app).spec.management_policy, policy);
    }
    scene.object = Arc::unwrap_or_clone(under_policy_of(object, Some(&observed)));
    scene.inputs.observing_app = Some(scene.app.clone());
    scene.reconcile();
    assert_eq!(scene.told(), "Enabled True/HealthBlocked");
    let message = scene.message("Ready");
    assert!(message.contains("because spec.managementPolicy of MetaApp cc/ino-cx is Observe"), "{message}");

    scene.lacks(MINUTE);
    scene.object.status = None;
    scene.object.spec.provisioning = Provisioning::AddIfMissing;
    scene.object.spec.business_account_id = Some("102290129340398".to_owned());
    scene.object.spec.requested_name = Some("INO Support".to_owned());
    scene.reconcile();
    assert_eq!(scene.told(), "NotFound False/NotFound Stalled");
    assert!(scene.message("Ready").contains("does not add it"), "{}", scene.message("Ready"));
}
