#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::*;

fn number(value: Value) -> PhoneNumber {
    serde_json::from_value(value).unwrap()
}

fn template(components: &Value) -> Template {
    serde_json::from_value(json!({"id": "1", "name": "n", "language": "en", "components": components})).unwrap()
}

fn account(value: Value) -> AccountAnswer {
    serde_json::from_value(value).unwrap()
}

fn token(data: &Value) -> TokenInfo {
    serde_json::from_value::<DebugAnswer>(json!({"data": data})).unwrap().into()
}

#[test]
fn a_number_with_everything_and_more() {
    let number = number(json!({
        "id": 106_540_352_242_922_u64, "display_phone_number": "+1 631-555-5555", "verified_name": "Shop",
        "status": "CONNECTED", "code_verification_status": "EXPIRED", "name_status": "APPROVED",
        "new_name_status": "PENDING_REVIEW", "new_display_name": "Shop 2", "platform_type": "CLOUD_API",
        "account_mode": "LIVE", "quality_rating": "NA", "throughput": {"level": "HIGH"},
        "whatsapp_business_manager_messaging_limit": "TIER_2K", "is_official_business_account": "false",
        "is_pin_enabled": true, "is_on_biz_app": false, "last_onboarded_time": "2023-08-31T19:05:53+0000",
        "webhook_configuration": {"application": "https://h/x"},
        "health_status": {"can_send_message": "LIMITED", "entities": [
            {"entity_type": "WABA", "id": 9, "can_send_message": "AVAILABLE"},
            {"entity_type": "PHONE_NUMBER", "id": "8", "can_send_message": "LIMITED", "errors": [
                {"error_code": 141_002, "error_description": "d", "possible_solution": "s"}]}]},
        "brand_new": {"never": "seen"},
    }));
    assert_eq!(&*number.id, "106540352242922");
    assert_eq!(number.display_phone_number.as_deref(), Some("+1 631-555-5555"));
    assert_eq!(number.status, Some(NumberStatus::Connected));
    assert_eq!(number.code_verification_status, Some(CodeVerificationStatus::Expired));
    assert_eq!(number.quality_rating, Some(Quality::NotAvailable));
    assert_eq!(number.throughput, Some(Throughput::High));
    assert_eq!(number.messaging_limit, Some(MessagingLimit::Tier2K));
    assert_eq!(number.is_official_business_account, Some(false));
    assert_eq!(number.last_onboarded_time.unwrap().to_string(), "2023-08-31T19:05:53Z");
    assert_eq!(number.webhook_configuration.unwrap().application.as_deref(), Some("https://h/x"));
    let health = number.health.unwrap();
    assert_eq!(health.can_send_message, Some(MayMessage::Limited));
    assert_eq!(health.entities[0].entity_type.as_deref(), Some("PHONE_NUMBER"));
    assert_eq!(health.entities.len(), 1, "what is well is not kept");
    assert_eq!(health.entities[0].errors[0].code, Some(141_002));
}

#[test]
fn a_number_with_next_to_nothing() {
    let number = number(json!({"id": "1", "status": null, "throughput": null, "webhook_configuration": null}));
    assert_eq!(number.status, None);
    assert_eq!(number.display_phone_number, None);
    assert!(!number.has_platform());
}

#[test]
fn words_that_published_lists_have_and_meta_does_not_are_kept() {
    let number = number(json!({"id": "1", "status": "UNLINKED", "code_verification_status": "UNVERIFIED",
        "quality_rating": "UNKNOWN"}));
    assert_eq!(number.status.unwrap().as_str(), "UNLINKED");
    assert_eq!(number.code_verification_status.unwrap().as_str(), "UNVERIFIED");
    assert_eq!(number.quality_rating, Some(Quality::Unknown));
}

#[test]
fn an_account_with_its_listings() {
    let mut answer = account(json!({
        "id": 102_290_129_340_398_u64, "name": "Shop", "currency": "EUR", "timezone_id": 44, "status": "ACTIVE",
        "account_review_status": "APPROVED", "business_verification_status": "verified",
        "owner_business": {"id": 5, "name": "Shop Ltd"}, "whatsapp_business_manager_messaging_limit": "TIER_10K",
        "subscribed_apps": {"data": [
            {"whatsapp_business_api_data": {"id": "9", "name": "other"}},
            {"whatsapp_business_api_data": {"id": 7}, "override_callback_uri": "https://h/x"}]},
        "phone_numbers": {"data": [{"id": "1"}], "paging": {"cursors": {"before": "b", "after": "a"}}},
    }));
    assert_eq!(&*answer.account.id, "102290129340398");
    assert_eq!(answer.account.timezone_id.as_deref(), Some("44"));
    assert_eq!(answer.account.business_verification, Some(VerificationStatus::Verified));
    assert_eq!(&*answer.account.owner_business.as_ref().unwrap().id, "5");
    let ours = answer.account.subscription_of("7").unwrap();
    assert_eq!(ours.override_callback_uri.as_deref(), Some("https://h/x"));
    assert_eq!(answer.account.subscription_of("8"), None);
    assert!(matches!(answer.phone_numbers.next(), Next::End), "a cursor without a next page is the end");
    assert!(answer.message_templates.data.items.is_empty(), "Meta leaves out what is empty");
}

#[test]
fn what_follows_a_page() {
    let next = |paging: Value| {
        serde_json::from_value::<Page<AccountRef>>(json!({"data": [], "paging": paging})).unwrap().next()
    };
    assert!(matches!(next(json!({})), Next::End));
    assert!(matches!(next(json!({"cursors": {"after": "a"}})), Next::End));
    assert!(
        matches!(next(json!({"cursors": {"after": "a"}, "next": "https://…"})), Next::After(after) if &*after == "a")
    );
    assert!(matches!(next(json!({"next": "https://…"})), Next::Lost));
}

#[test]
fn a_template_with_everything() {
    let template: Template = serde_json::from_value(json!({
        "id": 594, "name": "order_shipped", "language": "en_US", "category": "MARKETING",
        "previous_category": "ACCOUNT_UPDATE", "correct_category": "", "status": "APPROVED",
        "quality_score": {"score": "UNKNOWN", "date": 17}, "rejected_reason": "NONE", "parameter_format": "positional",
        "message_send_ttl_seconds": "600", "sub_category": "CUSTOM", "last_updated_time": 1_700_000_000,
        "source": "AUTO_GENERATED", "library_template_name": "lib", "is_primary_device_delivery_only": false,
    }))
    .unwrap();
    assert_eq!(&*template.id, "594");
    assert_eq!(template.previous_category.unwrap().as_str(), "ACCOUNT_UPDATE");
    assert_eq!(template.correct_category, None, "blank is none");
    assert_eq!(template.quality, Some(Quality::Unknown));
    assert_eq!(template.rejected_reason, None, "NONE is none");
    assert_eq!(template.parameter_format, Some(ParameterFormat::Positional), "in either case");
    assert_eq!(template.message_send_ttl_seconds, Some(600));
    assert_eq!(template.last_updated_time.unwrap().as_second(), 1_700_000_000);
    assert_eq!(template.source, Some(TemplateSource::AutoGenerated));
}

#[test]
fn sample_urls_are_no_change_and_content_is() {
    let media = |url: &str, format: &str| {
        template(&json!([{"type": "HEADER", "format": format, "example": {"header_handle": [url]}}]))
    };
    assert_eq!(media("https://scontent/?oe=1", "IMAGE"), media("https://scontent/?oe=2", "IMAGE"));
    assert_ne!(media("u", "IMAGE"), media("u", "VIDEO"));
    assert_ne!(
        media("u", "IMAGE"),
        template(&json!([{"type": "HEADER", "format": "IMAGE"}])),
        "that there is one counts"
    );
    let card = |url: &str| {
        template(&json!([{"type": "CAROUSEL", "cards": [{"components": [{"type": "HEADER", "format": "IMAGE",
            "example": {"header_handle": [url]}}]}]}]))
    };
    assert_eq!(card("a"), card("b"), "in cards too");
}

#[test]
fn the_order_of_keys_is_no_change_and_of_buttons_is() {
    let parse = |text: &str| serde_json::from_str::<Template>(text).unwrap();
    let one = r#"{"id":"1","name":"n","language":"en","components":[{"type":"BODY","text":"Hi"}]}"#;
    let other = r#"{"id":"1","name":"n","language":"en","components":[{"text":"Hi","type":"BODY"}]}"#;
    assert_eq!(parse(one), parse(other));
    let buttons = |a: &str, b: &str| {
        template(
            &json!([{"type": "BUTTONS", "buttons": [{"type": "QUICK_REPLY", "text": a}, {"type": "QUICK_REPLY", "text": b}]}]),
        )
    };
    assert_ne!(buttons("a", "b"), buttons("b", "a"));
}

#[test]
fn components_in_their_shapes() {
    let parts = template(&json!([
        {"type": "HEADER", "format": "TEXT", "text": "Order {{1}}", "example": {"header_text": ["A"]}},
        {"type": "body", "text": "Hi"},
        {"type": "BUTTONS", "buttons": [
            {"type": "PHONE_NUMBER", "text": "Call", "phone_number": "+598"},
            {"type": "URL", "text": "Go", "url": "https://h/{{1}}", "example": ["https://h/1"]},
            {"type": "OTP", "otp_type": "one_tap", "supported_apps": [{"package_name": "a.b", "signature_hash": "h"}]},
            {"type": "HOLOGRAM", "text": "?"}]},
        {"type": "CAROUSEL", "cards": [{"components": [{"type": "BODY", "text": "1"}]}, {}]},
        {"type": "LIMITED_TIME_OFFER", "limited_time_offer": {"text": "Now", "has_expiration": "true"}},
        {"type": "FOOTER", "code_expiration_minutes": "10"},
        {"no": "type"},
    ]))
    .components();
    assert_eq!(parts.len(), 6, "the part without a type is left out");
    assert_eq!(parts[0].format, Some(HeaderFormat::Text));
    assert_eq!(parts[1].kind, ComponentType::Body);
    let kinds: Vec<_> = parts[2].buttons.iter().map(|button| button.kind.as_str()).collect();
    assert_eq!(kinds, ["PHONE_NUMBER", "URL", "OTP", "HOLOGRAM"]);
    assert_eq!(parts[2].buttons[2].otp_type, Some(OtpType::OneTap));
    assert_eq!(parts[3].cards.len(), 2);
    assert_eq!(parts[4].limited_time_offer.as_ref().unwrap().has_expiration, Some(true));
    assert_eq!(parts[5].code_expiration_minutes, Some(10));
}

#[test]
fn a_template_without_components() {
    assert_eq!(template(&Value::Null).components(), []);
}

#[test]
fn token_dates() {
    let token = |expires: Value| token(&json!({"is_valid": true, "expires_at": expires})).expires;
    assert_eq!(token(json!(0)), Expiry::Never, "0 is never, not 1970");
    assert_eq!(token(Value::Null), Expiry::Never);
    assert_eq!(token(json!("1700000000")), Expiry::At("2023-11-14T22:13:20Z".parse().unwrap()));
}

#[test]
fn a_dead_token_says_why() {
    let info =
        token(&json!({"app_id": 123, "type": "SYSTEM_USER", "is_valid": false, "expires_at": 1, "scopes": ["b", "a"],
        "error": {"code": 190, "message": "expired", "subcode": 463}}));
    assert!(!info.is_valid);
    assert_eq!(info.app_id.as_deref(), Some("123"));
    assert_eq!(info.kind, Some(TokenKind::SystemUser));
    assert_eq!(info.scopes, ["a".into(), "b".into()]);
    let reason = info.invalid_reason.unwrap();
    assert_eq!((reason.code, reason.subcode), (Some(190), Some(463)));
}

#[test]
fn accounts_of_a_token() {
    let scope = |granular: Value| token(&json!({"is_valid": true, "granular_scopes": granular})).account_scope();
    let listed = |ids: &[&str]| AccountScope::Listed(ids.iter().map(|&id| id.into()).collect());
    let cases = [
        ("no targets is all", json!([{"scope": "whatsapp_business_management"}]), AccountScope::All),
        ("nothing told is all", json!([]), AccountScope::All),
        (
            "the union over all WhatsApp scopes, ids as text or numbers",
            json!([{"scope": "whatsapp_business_management", "target_ids": ["2", 1]},
                {"scope": "whatsapp_business_manage_events", "target_ids": ["3"]}]),
            listed(&["1", "2", "3"]),
        ),
        (
            "one scope without targets is all",
            json!([{"scope": "whatsapp_business_management", "target_ids": ["1"]}, {"scope": "whatsapp_business_messaging"}]),
            AccountScope::All,
        ),
        (
            "the targets of business_management are businesses",
            json!([{"scope": "business_management", "target_ids": ["9"]},
                {"scope": "whatsapp_business_management", "target_ids": ["1"]}]),
            listed(&["1"]),
        ),
        ("no WhatsApp scope is none", json!([{"scope": "business_management"}]), listed(&[])),
    ];
    for (reason, granular, expected) in cases {
        assert_eq!(scope(granular), expected, "{reason}");
    }
}
