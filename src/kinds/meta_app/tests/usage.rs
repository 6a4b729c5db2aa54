//! `spec.usage`: payment and usage in the status, `PaymentReady`, and what people are told of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::fixtures::{ACCOUNT, Says, Scene};
use crate::{
    api::{BusinessAccount, ReadUsage},
    observe::{Total, Usage},
};

fn asking() -> Scene {
    let mut scene = Scene::connected(Says::works());
    scene.edit(|app| app.spec.usage = Some(ReadUsage {}));
    scene.settled();
    scene.notices();
    scene
}

fn usage(scene: &Scene, funded: bool, service: i64, cost: Option<i64>) -> Usage {
    let total = Total { service, messages: service + 10, cost };
    Usage {
        funded,
        currency: Some("EUR".into()),
        month: "2026-12".to_owned(),
        total,
        numbers: [(33_612_345_678, total)].into(),
        read: scene.instant,
    }
}

fn account(scene: &Scene) -> BusinessAccount {
    scene.app.status.as_ref().unwrap().business_accounts[0].clone()
}

const PAYMENT: &str = "PaymentReady";

#[test]
fn nothing_is_read_or_said_without_the_block() {
    let mut scene = Scene::connected(Says::works());
    assert!(!scene.reads_usage());
    scene.found(Ok(usage(&scene, false, 5, Some(1))));
    scene.settled();
    assert_eq!((scene.condition(PAYMENT), account(&scene).usage, account(&scene).payment), (None, None, None));
    assert_eq!(scene.notices(), "");
}

#[test]
fn what_was_read_is_shown_and_stays_while_nothing_newer_is_known() {
    let mut scene = asking();
    assert!(scene.reads_usage());
    assert_eq!(scene.condition(PAYMENT).as_deref(), Some("Unknown/Reading"));
    scene.found(Ok(usage(&scene, true, 1020, Some(450_000))));
    scene.settled();
    assert_eq!(scene.condition(PAYMENT).as_deref(), Some("True/PaymentMethodSet"));
    let shown = account(&scene);
    assert!(shown.payment.as_ref().unwrap().funded);
    let figures = shown.usage.clone().unwrap();
    assert_eq!((figures.service_messages, figures.messages, figures.free_left), (1020, 1030, 0));
    assert_eq!((figures.cost.as_deref(), figures.currency.as_deref()), (Some("0.45"), Some("EUR")));
    assert_eq!(figures.numbers[0].phone_number, "+33612345678");
    scene.restart();
    scene.settled();
    assert_eq!(account(&scene), shown, "a new process has not read it yet");
    assert_eq!(scene.condition(PAYMENT).as_deref(), Some("True/PaymentMethodSet"));
    scene.found(Err("Meta does not let the token see costs".to_owned()));
    scene.settled();
    assert_eq!(scene.condition(PAYMENT).as_deref(), Some("Unknown/UsageNotReadable"));
    assert!(scene.message(PAYMENT).contains("see costs"), "{}", scene.message(PAYMENT));
    assert_eq!(account(&scene), shown);
    scene.edit(|app| app.spec.usage = None);
    scene.settled();
    assert_eq!((scene.condition(PAYMENT), account(&scene).usage, account(&scene).payment), (None, None, None));
}

#[test]
fn a_missing_payment_method_is_told_once_and_so_is_its_return() {
    let mut scene = asking();
    scene.found(Ok(usage(&scene, false, 5, Some(0))));
    scene.settled();
    assert_eq!(scene.notices(), "NoPaymentMethod!");
    assert_eq!(scene.condition(PAYMENT).as_deref(), Some("False/NoPaymentMethod"));
    let message = scene.message(PAYMENT);
    assert!(message.contains(ACCOUNT) && message.contains("WhatsApp Manager"), "{message}");
    assert!(scene.app.status.as_ref().unwrap().needs_action, "a person has to add one");
    assert_eq!(scene.told(), "Connected True/Connected", "the app itself works");
    scene.found(Ok(usage(&scene, false, 900, Some(0))));
    scene.restart();
    scene.settled();
    assert_eq!(scene.notices(), "", "nothing new");
    assert_eq!(scene.message(PAYMENT), message, "no counters");
    scene.found(Ok(usage(&scene, true, 900, Some(0))));
    scene.settled();
    assert_eq!(scene.notices(), "PaymentMethodSet");
    assert!(!scene.app.status.as_ref().unwrap().needs_action);
}

#[test]
fn a_partner_that_pays_is_no_missing_payment_method() {
    let mut scene = asking();
    scene.found(Ok(usage(&scene, false, 2000, None)));
    scene.settled();
    assert_eq!(scene.condition(PAYMENT).as_deref(), Some("True/PaymentMethodSet"));
    assert_eq!((account(&scene).usage.unwrap().cost, scene.notices()), (None, String::new()));
}
