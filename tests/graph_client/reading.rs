//! Accounts, numbers and templates.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use waba_operator::graph::types::{
    CodeVerificationStatus, ComponentType, NumberStatus, PlatformType, Quality, TemplateStatus,
};
use waba_operator::graph::{AccountRead, Class, Error, Priority, Want};
use waba_operator::observe::digits;
use waba_operator::timing::Timing;

use crate::support::{SECOND_WABA, TOKEN, WABA, World, access, estate, estate_with, timing};

async fn read(world: &World) -> Result<AccountRead, Error> {
    // In a task of its own, as in the pollers.
    let client = world.client.clone();
    let reading = async move { client.read_account(&access(), WABA, Want::default(), Priority::Poll).await };
    tokio::spawn(reading).await.unwrap()
}

#[tokio::test]
async fn an_account_is_read_completely_with_one_call_per_hundred_numbers() {
    let cases = [
        ("an empty account is one call", 0, 0, 1),
        ("so is a small one", 3, 2, 1),
        ("and one with full first pages", 100, 100, 1),
        ("one number more is one call more", 101, 100, 2),
        ("a full second page has no third", 200, 0, 2),
        ("three pages of numbers, four of templates", 250, 350, 6),
    ];
    for (reason, numbers, templates, calls) in cases {
        let world = World::start(estate(numbers, templates)).await;
        let account = read(&world).await.unwrap();
        let ids: BTreeSet<_> = account.numbers.iter().map(|number| number.id.clone()).collect();
        assert_eq!((ids.len(), account.numbers.len()), (numbers, numbers), "{reason}");
        let ids: BTreeSet<_> = account.templates.iter().map(|template| template.id.clone()).collect();
        assert_eq!((ids.len(), account.templates.len()), (templates, templates), "{reason}");
        assert_eq!(world.calls().await.len(), calls, "{reason}");
        world.assert_well_behaved().await;
    }
}

#[tokio::test]
async fn further_pages_are_read_from_the_edges() {
    let world = World::start(estate(101, 101)).await;
    read(&world).await.unwrap();
    let paths = [WABA.to_owned(), format!("{WABA}/phone_numbers"), format!("{WABA}/message_templates")];
    assert_eq!(world.paths().await, paths);
    let heard: Vec<_> = world.heard().into_iter().map(|call| (call.endpoint, call.outcome, call.waba_id)).collect();
    let of = |endpoint| (endpoint, "ok", Some(WABA.to_owned()));
    assert_eq!(heard, [of("account"), of("phone_numbers"), of("message_templates")]);
}

#[tokio::test]
async fn an_accounts_own_fields_are_read() {
    let mut seed = estate(0, 0);
    seed["accounts"][0]["subscribed_apps"] =
        json!([{"app": "1234567890", "override_callback_uri": "https://h.example/x"}]);
    let world = World::start(seed).await;
    let account = read(&world).await.unwrap().account;
    assert_eq!(&*account.id, WABA);
    assert_eq!(account.name.as_deref(), Some("First"));
    assert_eq!(account.currency.as_deref(), Some("EUR"));
    assert_eq!(account.business_verification.unwrap().as_str(), "verified");
    assert_eq!(account.messaging_limit.unwrap().as_str(), "TIER_2K");
    assert_eq!(account.owner_business.unwrap().name.as_deref(), Some("INO"));
    assert_eq!(account.subscribed_apps.unwrap()[0].override_callback_uri.as_deref(), Some("https://h.example/x"));
}

/// Meta's error for a field that it does not have.
fn nonexisting(field: &str, node_type: &str) -> Value {
    let message = format!("(#100) Tried accessing nonexisting field ({field}) on node type ({node_type})");
    json!({"code": 100, "type": "OAuthException", "message": message})
}

#[tokio::test]
async fn an_account_is_read_without_the_fields_that_meta_does_not_have() {
    let world = World::start(estate(1, 1)).await;
    let path = format!("/{WABA}$");
    world.refuse_once(&path, 400, nonexisting("is_on_biz_app", "WhatsAppBusinessPhoneNumber")).await;
    world.refuse_once(&path, 400, nonexisting("subscribed_apps", "WhatsAppBusinessAccount")).await;
    let found = read(&world).await.unwrap();
    assert_eq!(found.left_out.fields, ["is_on_biz_app of numbers".into(), "subscribed_apps".into()]);
    assert_eq!(found.account.subscribed_apps, None, "not known is not none");
    assert_eq!((found.numbers.len(), found.templates.len()), (1, 1));
    let odd: u32 = world.heard().iter().map(|call| call.odd).sum();
    assert_eq!(odd, 2, "it is counted");
    read(&world).await.unwrap();
    assert_eq!(world.calls().await.len(), 4, "it is remembered");
    world.client.read_account(&access(), WABA, Want { health: true }, Priority::Poll).await.unwrap();
    world.client.read_number(&access(), WABA, &found.numbers[0].id, Priority::Read).await.unwrap();
    for call in world.calls().await.iter().skip(2) {
        assert!(!call["query"].to_string().contains("is_on_biz_app"), "{call}");
    }
    let error = {
        world.refuse_once(&path, 400, nonexisting("display_phone_number", "WhatsAppBusinessPhoneNumber")).await;
        read(&world).await.unwrap_err()
    };
    assert_eq!(
        error.to_string(),
        "Meta does not have a field that the operator asks for: display_phone_number (Meta code 100)"
    );
    world.refuse_once(&path, 400, nonexisting("currency", "Business")).await;
    let error = read(&world).await.unwrap_err();
    assert!(error.is_no_account() && error.to_string().contains("business portfolio"), "{error}");
}

#[tokio::test]
async fn health_is_read_only_on_request() {
    let world = World::start(estate(1, 1)).await;
    let without = read(&world).await.unwrap();
    assert!(without.account.health.is_none() && without.numbers[0].health.is_none());
    let want = Want { health: true };
    let with = world.client.read_account(&access(), WABA, want, Priority::Poll).await.unwrap();
    assert!(with.account.health.is_some() && with.numbers[0].health.is_some());
}

#[tokio::test]
async fn unchanged_reads_compare_equal() {
    let world = World::start(estate_with(
        "templates",
        json!([{"id": "1", "account": WABA, "name": "media", "language": "en_US", "components": [
            {"type": "HEADER", "format": "IMAGE", "example": {"header_handle": ["4::x"]}}, {"type": "BODY", "text": "Hi"}]}]),
    ))
    .await;
    let first = read(&world).await.unwrap();
    let second = read(&world).await.unwrap();
    assert_eq!(first.templates, second.templates, "although Meta signs the sample's URL anew each time");
    assert!(second.started > first.started);
    world.control.patch("templates/1", json!({"status": "PAUSED"})).await.unwrap();
    assert_ne!(read(&world).await.unwrap().templates, second.templates);
}

#[tokio::test]
async fn one_object_is_read_by_its_id() {
    let world = World::start(estate(1, 1)).await;
    let number = world.client.read_number(&access(), WABA, "900000", Priority::Write).await.unwrap();
    assert_eq!(number.display_phone_number.as_deref().and_then(digits::parse), Some(33_612_000_000));
    assert_eq!(number.status, Some(NumberStatus::Connected));
    let template = world.client.read_template(&access(), WABA, "700000", Priority::Write).await.unwrap();
    assert_eq!(template.status, Some(TemplateStatus::Approved));
    assert_eq!(template.components()[0].kind, ComponentType::Body);
}

#[tokio::test]
async fn the_template_limit_is_read() {
    let world = World::start(estate(1, 1)).await;
    assert_eq!(world.client.template_limit(&access(), WABA).await.unwrap(), Some(6000));
}

#[tokio::test]
async fn a_probe_reads_one_id() {
    let world = World::start(estate(3, 0)).await;
    world.client.probe_account(&access(), WABA).await.unwrap();
    let calls = world.calls().await;
    assert_eq!((&calls[0]["query"]["limit"], &calls[0]["query"]["fields"]), (&json!("1"), &json!("id")));
}

#[tokio::test]
async fn a_stale_cursor_restarts_the_listing_once() {
    let stale = json!({"code": 131_059, "message": "(#131059) Invalid or expired cursor"});
    let world = World::start(estate(250, 0)).await;
    let path = format!("/{WABA}/phone_numbers");
    world
        .fault(json!({"path": path, "skip": 1, "times": 1, "before": {"status": 400, "body": {"error": stale}}}))
        .await;
    assert_eq!(read(&world).await.unwrap().numbers.len(), 250);
    assert_eq!(world.calls().await.len(), 6, "first page, second, stale third, then three anew");
    world.control.delete("faults").await.unwrap();

    world.fault(json!({"path": path, "before": {"status": 400, "body": {"error": stale}}})).await;
    let error = read(&world).await.unwrap_err();
    assert!(error.is_stale_cursor(), "{error}");
}

#[tokio::test]
async fn a_listing_with_a_missing_page_is_an_error() {
    let world = World::start(estate(150, 150)).await;
    world.fault(json!({"path": "/message_templates", "before": {"status": 500, "html": true}})).await;
    let error = read(&world).await.unwrap_err();
    assert_eq!(error.class(), Class::Transient);
    assert_eq!(error.to_string(), "Meta, or something on the way to it, replied with a web page (HTTP status 500)");
    assert_eq!(world.calls().await.len(), 5, "the account, the numbers, three tries");
}

#[tokio::test]
async fn an_item_on_two_pages_counts_once() {
    let world = World::start(estate(150, 0)).await;
    let again: Vec<Value> = (0..150).map(|n| json!({"id": (900_000 + n).to_string()})).collect();
    world.answer_once("/phone_numbers", json!({"data": again, "paging": {"cursors": {"after": "x"}}})).await;
    assert_eq!(read(&world).await.unwrap().numbers.len(), 150);
}

#[tokio::test]
async fn an_endless_or_broken_listing_is_an_error() {
    let world = World::start(estate(150, 0)).await;
    let lost = json!({"data": [], "paging": {"next": "https://graph.facebook.com/x"}});
    world.answer_once("/phone_numbers", lost).await;
    assert_eq!(read(&world).await.unwrap_err().class(), Class::Transient);
}

/// How many calls a read of the account makes until it gives up, and the error.
async fn endless(path: &str, cursors: &str) -> (usize, String) {
    let timing = Timing { account_limit: 100_000, active_account_limit: 100_000, ..timing() };
    let world = World::start_with(estate(101, 101), timing).await;
    world.fault(json!({"path": path, "cursors": cursors})).await;
    let error = read(&world).await.unwrap_err();
    assert!(error.is_endless() && error.class() == Class::Transient, "{error}");
    (world.calls().await.len(), error.to_string())
}

#[tokio::test]
async fn a_list_whose_cursors_go_in_a_circle_is_read_once() {
    let circle = "Meta's list does not end: Meta returned a cursor that it had returned before";
    let cases = [
        ("the numbers' pages", "/phone_numbers$", 4),
        ("the templates' pages, after those of the numbers", "/message_templates$", 5),
        ("the lists in the account, and so their pages", &format!("/{WABA}(/phone_numbers)?$"), 3),
    ];
    for (reason, path, calls) in cases {
        assert_eq!(endless(path, "circle").await, (calls, circle.to_owned()), "{reason}");
    }
}

#[tokio::test]
async fn a_list_without_an_end_is_given_up() {
    let (calls, error) = endless("/message_templates$", "endless").await;
    assert_eq!((calls, &*error), (301, "Meta's list does not end: it has more than 300 pages"));
    let (calls, error) = endless("/phone_numbers$", "repeating").await;
    assert_eq!((calls, &*error), (11, "Meta's list does not end: ten pages in a row brought nothing new"));
}

#[tokio::test]
async fn the_list_of_accounts_is_limited_as_well() {
    let world = World::start(estate(0, 0)).await;
    world.fault(json!({"path": "/assigned_whatsapp_business_accounts", "cursors": "circle"})).await;
    assert!(world.client.assigned_accounts(&access()).await.unwrap_err().is_endless());
    assert_eq!(world.calls().await.len(), 3);
}

#[tokio::test]
async fn a_read_of_slow_pages_is_given_up() {
    let timing = Timing { longest_read: Duration::from_millis(600), ..timing() };
    let world = World::start_with(estate(0, 450), timing).await;
    world.fault(json!({"path": "/message_templates$", "delayMs": 250})).await;
    let error = read(&world).await.unwrap_err();
    assert_eq!(error.to_string(), "Meta took too long for all pages of a list together");
    assert_eq!(world.calls().await.len(), 4, "the account, two pages, and a third without the time for it");
}

#[tokio::test]
async fn an_unreadable_object_does_not_prove_its_absence() {
    let mut seed = estate(0, 0);
    seed["tokens"] = json!([{"name": "main", "token": TOKEN, "app": "1234567890", "accounts": [SECOND_WABA]}]);
    let world = World::start(seed).await;
    let missing = world.client.read_number(&access(), WABA, "424242", Priority::Poll).await.unwrap_err();
    assert_eq!((missing.code(), missing.subcode(), missing.http_status()), (Some(100), Some(33), Some(400)));
    let foreign = read(&world).await.unwrap_err();
    for error in [missing, foreign] {
        assert!(error.is_not_found() && !error.proves_absence(), "{error}");
    }
    // The error in Meta's published specification.
    world.refuse_once("/424242", 404, json!({"code": 803, "message": "(#803)"})).await;
    let error = world.client.read_number(&access(), WABA, "424242", Priority::Poll).await.unwrap_err();
    assert!(error.is_not_found() && !error.proves_absence(), "{error}");
    // An error that proves it.
    world.refuse_once("/424242", 400, json!({"code": 33, "message": "deleted"})).await;
    let error = world.client.read_number(&access(), WABA, "424242", Priority::Poll).await.unwrap_err();
    assert!(error.is_not_found() && error.proves_absence(), "{error}");
}

#[tokio::test]
async fn fields_are_read_in_every_documented_spelling() {
    let cases =
        [("as recorded", "NOT_VERIFIED", "DISCONNECTED", "NA"), ("as published", "UNVERIFIED", "UNLINKED", "UNKNOWN")];
    for (reason, verification, status, quality) in cases {
        let world = World::start(estate_with(
            "numbers",
            json!([{"id": "1", "account": WABA, "display_phone_number": "15550783881", "quality_rating": quality,
                "code_verification_status": verification, "status": status, "platform_type": "NOT_APPLICABLE"}]),
        ))
        .await;
        let number = read(&world).await.unwrap().numbers.remove(0);
        assert_eq!(number.code_verification_status.unwrap().as_str(), verification, "{reason}");
        assert_eq!(number.status.unwrap().as_str(), status, "{reason}");
        assert_eq!(number.quality_rating.unwrap().as_str(), quality, "{reason}");
        assert_eq!(number.platform_type, Some(PlatformType::NotApplicable), "{reason}");
    }
    assert_eq!(CodeVerificationStatus::NotVerified.as_str(), "NOT_VERIFIED");
    assert_eq!(Quality::NotAvailable.as_str(), "NA");
}

#[tokio::test]
async fn ids_may_be_json_numbers() {
    let world = World::start(estate(0, 0)).await;
    let body = json!({"id": 102_290_129_340_398_u64, "timezone_id": 44,
        "phone_numbers": {"data": [{"id": 106_540_352_242_922_u64}], "paging": {"cursors": {"after": "x"}}}});
    world.answer_once(WABA, body).await;
    let account = read(&world).await.unwrap();
    assert_eq!((&*account.account.id, &*account.numbers[0].id), (WABA, "106540352242922"));
}
