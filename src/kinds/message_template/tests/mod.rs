//! The whole table of the API: what is true of a template, and what its status says then.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    api::{AppRef, Body, Category, Footer, ManagementPolicy, MessageTemplate, MessageTemplateSpec},
    controller::{
        account_resource::Proof,
        app_reference::AppReference,
        plan::Plan,
        testing::{ACCOUNT, Case, MINUTE, Scene, WHY, events, sent, table, word},
    },
    graph::types::Template,
    kinds::{Templates, message_template::steps::Step},
    observe::Observation,
};

fn scene() -> Scene<Templates> {
    let spec = MessageTemplateSpec {
        app_ref: AppRef { name: "ino-cx".to_owned(), namespace: None },
        business_account_id: ACCOUNT.to_owned(),
        template_name: "order_shipped".to_owned(),
        language: "en_US".to_owned(),
        category: Some(Category::Utility),
        body: Some(Body { text: "It is on its way.".to_owned(), ..Body::default() }),
        ..MessageTemplateSpec::default()
    };
    Scene::new(MessageTemplate::new("order-shipped-en", spec))
}

/// An approved template, but for what is given.
fn template(given: &Value) -> Template {
    let usual = json!({
        "id": "594425479261596", "name": "order_shipped", "language": "en_US", "status": "APPROVED",
        "category": "UTILITY", "quality_score": {"score": "GREEN"}, "rejected_reason": "NONE",
        "components": [{"type": "BODY", "text": "It is on its way."}],
    });
    sent(usual, given)
}

fn approved(scene: &mut Scene<Templates>) {
    scene.shows(template(&json!({})));
}

fn observed() -> Scene<Templates> {
    let mut scene = scene();
    scene.object.spec.management_policy = ManagementPolicy::Observe;
    scene
}

#[test]
fn rules_hold_for_stored_objects_too() {
    let cases: &[Case<Templates>] = &[
        (
            "approved",
            |scene| {
                approved(scene);
                scene.object.spec.footer = Some(Footer { text: "Order {{1}}".to_owned() });
            },
            "Approved False/InvalidSpec Stalled",
        ),
        (
            "not there",
            |scene| {
                scene.lacks(MINUTE);
                scene.object.spec.template_name = "Order-Shipped".to_owned();
            },
            "NotFound False/InvalidSpec Stalled",
        ),
    ];
    table(scene, cases);
}

#[test]
fn what_meta_shows() {
    for (status, full, observed, is_approved, reason) in [
        ("APPROVED", "Approved True/Approved", "Approved True/Approved", "True/Approved", "it can be sent"),
        (
            "PENDING",
            "PendingReview False/PendingReview Reconciling",
            "PendingReview True/PendingReview",
            "False/PendingReview",
            "Meta is at work",
        ),
        (
            "IN_APPEAL",
            "InAppeal False/InAppeal Reconciling",
            "InAppeal True/InAppeal",
            "False/InAppeal",
            "Meta is at work again",
        ),
        (
            "PENDING_DELETION",
            "PendingDeletion False/PendingDeletion Reconciling",
            "PendingDeletion True/PendingDeletion",
            "False/PendingDeletion",
            "it ends by itself",
        ),
        ("PAUSED", "Paused False/Paused Reconciling", "Paused True/Paused", "False/Paused", "it ends by itself"),
        (
            "REJECTED",
            "Rejected False/Rejected Stalled",
            "Rejected True/Rejected",
            "False/Rejected",
            "a person has to write it anew",
        ),
        ("DISABLED", "Disabled False/Disabled Stalled", "Disabled True/Disabled", "False/Disabled", "for good"),
        ("ARCHIVED", "Archived False/Archived Stalled", "Archived True/Archived", "False/Archived", "28 days are left"),
        (
            "LIMIT_EXCEEDED",
            "LimitExceeded False/LimitExceeded Stalled",
            "LimitExceeded True/LimitExceeded",
            "False/LimitExceeded",
            "another one has to go",
        ),
        (
            "FROZEN",
            "Unknown Unknown/UnknownStatus",
            "Unknown True/UnknownStatus",
            "Unknown/UnknownStatus",
            "a new word",
        ),
    ] {
        for (policy, expected) in [(ManagementPolicy::Full, full), (ManagementPolicy::Observe, observed)] {
            let mut scene = scene();
            scene.object.spec.management_policy = policy;
            scene.shows(template(&json!({"status": status})));
            scene.reconcile();
            assert_eq!(scene.told(), expected, "{status}: {reason}");
            assert_eq!(scene.condition("Approved").as_deref(), Some(is_approved), "{status}: {reason}");
            let sendable = scene.object.status.unwrap().sendable;
            assert_eq!(sendable, Some(status == "APPROVED"), "{status}: only an approved one can be sent");
        }
    }
}

#[test]
fn what_comes_before_meta() {
    let cases: &[Case<Templates>] = &[
        ("suspended", |scene| scene.object.spec.suspend = true, "Suspended Unknown/Suspended Suspended"),
        (
            "another object goes before it, whatever its app says",
            |scene| {
                scene.competing_object = Some("other".to_owned());
                scene.link = AppReference::NotReady(WHY.into());
            },
            "Conflict False/Conflict Stalled",
        ),
        (
            "without an app, nobody learns who has the template",
            |scene| {
                scene.competing_object = Some("other".to_owned());
                scene.link = AppReference::Missing;
            },
            "Pending Unknown/AppNotFound",
        ),
        ("no app", |scene| scene.link = AppReference::Missing, "Pending Unknown/AppNotFound"),
        ("its token is dead", |scene| scene.link = AppReference::Expired(WHY.into()), "Pending Unknown/AppNotReady"),
        (
            "an account that the app does not manage",
            |scene| scene.seen = Observation::Unmanaged,
            "NotFound False/AccountNotManaged Stalled",
        ),
        (
            "its account is none of the app's any more",
            |scene| {
                approved(scene);
                scene.reconcile();
                scene.seen = Observation::Unmanaged;
            },
            "NotFound False/AccountGone",
        ),
        ("it waits to be sent", |scene| scene.lacks(MINUTE), "Pending False/NotYetSupported Stalled"),
        ("one read proves nothing", |scene| scene.lacks(Duration::ZERO), "nothing"),
    ];
    table(scene, cases);
    let cases: &[Case<Templates>] =
        &[("nobody will send it", |scene| scene.lacks(MINUTE), "NotFound False/NotFound Stalled")];
    table(observed, cases);
}

#[test]
fn what_is_known_stays_while_meta_cannot_be_read() {
    let cases: &[Case<Templates>] = &[
        ("stale", Scene::goes_stale, "Approved Unknown/Stale"),
        ("no app any more", |scene| scene.link = AppReference::Missing, "Approved Unknown/AppNotFound"),
        ("a dead token", |scene| scene.link = AppReference::Expired(WHY.into()), "Approved Unknown/AppNotReady"),
    ];
    for (reason, change, expected) in cases {
        let mut scene = scene();
        approved(&mut scene);
        scene.reconcile();
        change(&mut scene);
        scene.reconcile();
        assert_eq!(scene.told(), *expected, "{reason}");
        assert_eq!(scene.condition("Approved").as_deref(), Some("True/Approved"), "{reason}");
        let status = scene.object.status.unwrap();
        assert_eq!(status.template_id.as_deref(), Some("594425479261596"), "{reason}");
        let sends = *reason != "a dead token";
        assert_eq!((status.sendable, status.quality_score.as_deref()), (Some(sends), Some("GREEN")), "{reason}");
    }
}

#[test]
fn what_no_list_has_is_as_its_id_shows() {
    let mut scene = scene();
    approved(&mut scene);
    scene.reconcile();
    scene.lacks(MINUTE);
    let by_id = Step::ReadById { account: ACCOUNT.to_owned(), id: "594425479261596".to_owned() };
    assert_eq!(scene.plan(), Plan::Step(by_id), "the list can be behind");
    assert_eq!(scene.told(), "Approved True/Approved", "until then nothing is said");

    scene.proof = Some(Proof::Elsewhere(template(&json!({"status": "PAUSED"}))));
    scene.reconcile();
    assert_eq!(scene.told(), "Paused False/Paused Reconciling", "the list is behind: what the id shows counts");
    scene.proof = Some(Proof::Elsewhere(template(&json!({"status": "DELETED"}))));
    scene.reconcile();
    assert_eq!(scene.told(), "NotFound False/Deleted Stalled");
    scene.proof = Some(Proof::Gone);
    scene.reconcile();
    assert_eq!(scene.told(), "NotFound False/NotFound Stalled");
    assert_eq!(scene.object.status.as_ref().unwrap().sendable, Some(false), "nobody may send by it");
    assert_eq!(scene.condition("Approved"), None, "what is not there is neither approved nor not");
}

#[test]
fn an_object_that_lost_says_nothing_of_metas_template() {
    let mut scene = scene();
    approved(&mut scene);
    scene.reconcile();
    scene.competing_object = Some("other".to_owned());
    scene.reconcile();
    assert_eq!(scene.told(), "Conflict False/Conflict Stalled");
    assert_eq!(scene.object.status.as_ref().unwrap().sendable, Some(false));
    assert!(scene.message("Ready").contains("template order_shipped (en_US) is managed by other"));
}

#[test]
fn the_category_is_metas_to_change() {
    for (asked, facts, expected, reason) in [
        (Some(Category::Utility), json!({}), Some("True/CategoryMatches"), "as asked for"),
        (Some(Category::Utility), json!({"category": "MARKETING"}), Some("False/CategoryChanged"), "moved"),
        (Some(Category::Utility), json!({"category": null}), Some("Unknown/UnknownStatus"), "not shown"),
        (None, json!({}), None, "nobody asked"),
    ] {
        let mut scene = scene();
        scene.object.spec.category.clone_from(&asked);
        if asked.is_none() {
            scene.object.spec.management_policy = ManagementPolicy::Observe;
        }
        scene.shows(template(&facts));
        scene.reconcile();
        assert_eq!(scene.condition("CategoryMatches").as_deref(), expected, "{reason}");
        assert_eq!(scene.told(), "Approved True/Approved", "{reason}: it can be sent all the same");
        assert_eq!(scene.object.status.unwrap().requested_category, asked, "{reason}");
    }
    let mut scene = scene();
    scene.shows(template(&json!({"category": "MARKETING"})));
    scene.reconcile();
    let message = scene.message("CategoryMatches");
    assert!(message.contains("UTILITY") && message.contains("MARKETING"), "{message}");
    scene.shows(template(&json!({"correct_category": "MARKETING"})));
    scene.reconcile();
    let message = scene.message("CategoryMatches");
    assert!(message.contains("will be MARKETING"), "an announced change is told: {message}");
}

#[test]
fn a_rejection_says_why() {
    for (given, shown, said, reason) in [
        (json!("INVALID_FORMAT"), Some("INVALID_FORMAT"), "INVALID_FORMAT", "Meta's word"),
        (json!("NO_REASON_YET_KNOWN"), Some("NO_REASON_YET_KNOWN"), "NO_REASON_YET_KNOWN", "a new word"),
        (json!("NONE"), None, "without giving a reason", "NONE is none"),
        (json!(""), None, "without giving a reason", "blank is none"),
        (Value::Null, None, "without giving a reason", "absent is none"),
    ] {
        let mut scene = scene();
        scene.shows(template(&json!({"status": "REJECTED", "rejected_reason": given})));
        scene.reconcile();
        assert!(scene.message("Ready").contains(said), "{reason}: {}", scene.message("Ready"));
        assert_eq!(scene.object.status.unwrap().rejected_reason.as_deref(), shown, "{reason}");
    }
}

#[test]
fn what_is_not_done_yet_is_told() {
    let mut scene = scene();
    approved(&mut scene);
    scene.reconcile();
    assert_eq!(scene.condition("Submitted").as_deref(), Some("False/NotYetSupported"));
    assert_eq!(scene.object.status.as_ref().unwrap().content, None, "the content is in the spec");
    scene.edit(|template| template.spec.management_policy = ManagementPolicy::Observe);
    scene.reconcile();
    assert_eq!(scene.condition("Submitted"), None, "nobody asks for it");
    let content = scene.object.status.unwrap().content.unwrap();
    assert_eq!(content.body.unwrap().text, "It is on its way.");
}

fn any_template() -> impl Strategy<Value = Template> + Clone {
    let status = word(&[
        "",
        "APPROVED",
        "PENDING",
        "REJECTED",
        "PAUSED",
        "DISABLED",
        "IN_APPEAL",
        "LIMIT_EXCEEDED",
        "ARCHIVED",
        "PENDING_DELETION",
        "DELETED",
        "FROZEN",
    ]);
    let category = word(&["", "UTILITY", "MARKETING", "AUTHENTICATION", "FREE_SERVICE"]);
    let reason = word(&["", "NONE", "SCAM", "INVALID_FORMAT", "TASTE"]);
    let id = word(&["1", "2"]);
    (id, status, category, reason).prop_map(|(id, status, category, reason)| {
        template(&json!({"id": id, "status": status, "category": category, "correct_category": category,
            "rejected_reason": reason}))
    })
}

/// What a person may change in the spec.
const EDITS: &[fn(&mut MessageTemplate)] = &[
    |template| template.spec.suspend = true,
    |template| template.spec.suspend = false,
    |template| template.spec.management_policy = ManagementPolicy::Observe,
    |template| template.spec.management_policy = ManagementPolicy::Full,
    |template| template.spec.category = Some(Category::Marketing),
    |template| template.spec.category = None,
];

proptest! {
    #[test]
    fn whatever_happens_the_status_keeps_the_rules(events in events(any_template(), EDITS.len())) {
        scene().play(events, EDITS);
    }
}
