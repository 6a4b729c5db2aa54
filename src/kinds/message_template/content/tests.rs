//! What Meta shows of a template's content, and what is to be pasted into a spec.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value, json};

use super::observed;
use crate::{
    api::{MessageTemplate, MessageTemplateSpec, ObservedContent},
    graph::types::Template,
};

fn content(given: &Value) -> ObservedContent {
    let mut facts = json!({"id": "1", "name": "n", "language": "en_US"});
    facts.as_object_mut().unwrap().extend(given.as_object().unwrap().clone());
    observed(&serde_json::from_value::<Template>(facts).unwrap())
}

/// The content of these components as JSON, which is what a person reads and pastes.
fn shown(components: &Value) -> Value {
    serde_json::to_value(content(&json!({"components": components}))).unwrap()
}

fn button(button: &Value) -> Value {
    let shown = shown(&json!([{"type": "BUTTONS", "buttons": [button]}]));
    if shown["omitted"] == json!(1) { json!("omitted") } else { shown["buttons"][0].clone() }
}

#[test]
fn examples_in_all_their_shapes() {
    let body = |text: &str, example: Value| shown(&json!([{"type": "BODY", "text": text, "example": example}]));
    for (text, example, expected, reason) in [
        ("Hi {{1}}, {{2}}.", json!({"body_text": [["a", "b"]]}), json!({"1": "a", "2": "b"}), "a list of lists"),
        ("Hi {{1}}, {{2}}.", json!({"body_text": ["a", "b"]}), json!({"1": "a", "2": "b"}), "a flat list"),
        ("Hi {{1}}.", json!({"body_text": "a"}), json!({"1": "a"}), "a lone value"),
        ("Hi {{1}}.", json!({"body_text": [[7]]}), json!({"1": "7"}), "a number"),
        (
            "Hi {{name}}, {{order}}.",
            json!({"body_text_named_params": [{"param_name": "order", "example": "7"},
                {"param_name": "name", "example": "Ana"}]}),
            json!({"name": "Ana", "order": "7"}),
            "by name, in any order",
        ),
        ("Hi {{1}}.", json!({"body_text": [["a", "b"]]}), json!({"1": "a"}), "the spec refuses unused ones"),
        ("Hi.", json!({"body_text": []}), Value::Null, "none"),
        ("Hi {{1}}.", json!("nonsense"), Value::Null, "unreadable ones"),
        ("Hi {{1}}.", Value::Null, Value::Null, "not sent"),
    ] {
        let shown = body(text, example);
        assert_eq!(shown["body"]["text"], text, "{reason}");
        assert_eq!(shown["body"]["examples"], expected, "{reason}");
        assert_eq!(shown["omitted"], Value::Null, "{reason}");
    }
    let header =
        json!([{"type": "HEADER", "format": "TEXT", "text": "Order {{1}}", "example": {"header_text": ["A"]}}]);
    assert_eq!(shown(&header)["header"], json!({"format": "TEXT", "text": "Order {{1}}", "examples": {"1": "A"}}));
    let header = json!([{"type": "HEADER", "format": "TEXT", "text": "Order {{order}}", "example":
        {"header_text_named_params": [{"param_name": "order", "example": "A"}]}}]);
    assert_eq!(shown(&header)["header"]["examples"], json!({"order": "A"}));
}

#[test]
fn samples_of_media_never_come_back() {
    let url = "https://scontent.whatsapp.net/v/t61?oh=1&oe=2";
    for example in [json!({"header_handle": [url]}), json!({"header_url": [url]}), Value::Null] {
        let shown = shown(&json!([{"type": "HEADER", "format": "IMAGE", "example": example}]));
        assert_eq!(shown, json!({"header": {"format": "IMAGE"}}), "{example}");
    }
    assert_eq!(
        shown(&json!([{"type": "HEADER", "format": "LOCATION"}])),
        json!({"header": {"format": "LOCATION"}}),
        "a place has no sample"
    );
}

#[test]
fn buttons_in_the_words_of_the_spec() {
    for (given, expected, reason) in [
        (json!({"type": "QUICK_REPLY", "text": "Stop"}), json!({"type": "QUICK_REPLY", "text": "Stop"}), "as it is"),
        (
            json!({"type": "URL", "text": "Track", "url": "https://h/{{1}}", "example": ["https://h/A-1"]}),
            json!({"type": "URL", "text": "Track", "url": "https://h/{{1}}", "example": "A-1"}),
            "the example of the variable, not of the address",
        ),
        (
            json!({"type": "URL", "text": "Track", "url": "https://h/{{1}}", "example": "A-1"}),
            json!({"type": "URL", "text": "Track", "url": "https://h/{{1}}", "example": "A-1"}),
            "the variable alone",
        ),
        (
            json!({"type": "URL", "text": "Go", "url": "https://h/x", "example": ["https://h/x"]}),
            json!({"type": "URL", "text": "Go", "url": "https://h/x"}),
            "without a variable the spec takes no example",
        ),
        (
            json!({"type": "URL", "text": "Go", "url": "https://h/%7B%7B1%7D%7D{{1}}", "example": ["x"]}),
            json!({"type": "URL", "text": "Go", "url": "https://h/%7B%7B1%7D%7D{{1}}", "example": "x"}),
            "braces that are no variable stay encoded",
        ),
        (
            json!({"type": "PHONE_NUMBER", "text": "Call", "phone_number": "+33 1 23-45"}),
            json!({"type": "PHONE_NUMBER", "text": "Call", "phoneNumber": "+3312345"}),
            "the spec takes no spaces",
        ),
        (
            json!({"type": "COPY_CODE", "text": "Kopieren", "example": "SAVE20"}),
            json!({"type": "COPY_CODE", "example": "SAVE20"}),
            "the label is Meta's",
        ),
        (
            json!({"type": "COPY_CODE", "example": ["SAVE20"]}),
            json!({"type": "COPY_CODE", "example": "SAVE20"}),
            "a list of one",
        ),
        (
            json!({"type": "FLOW", "text": "Book", "flow_id": 77, "flow_action": "NAVIGATE", "navigate_screen": "ONE"}),
            json!({"type": "FLOW", "text": "Book", "flow": {"id": "77", "action": "navigate", "navigateScreen": "ONE"}}),
            "with what Meta filled in",
        ),
        (
            json!({"type": "CATALOG", "text": "View catalog"}),
            json!({"type": "CATALOG", "text": "View catalog"}),
            "catalogue",
        ),
        (
            json!({"type": "VOICE_CALL", "text": "Call", "ttl_minutes": 1440}),
            json!({"type": "VOICE_CALL", "text": "Call", "ttlMinutes": 1440}),
            "a call",
        ),
        (
            json!({"type": "REQUEST_CONTACT_INFO", "text": "Kontakt teilen"}),
            json!({"type": "REQUEST_CONTACT_INFO"}),
            "a translated label that nobody wrote",
        ),
        (json!({"type": "FLOW", "text": "Book"}), json!("omitted"), "a flow without its id"),
        (json!({"type": "SPM", "text": "View"}), json!("omitted"), "the spec has none"),
        (json!({"type": "HOLOGRAM", "text": "?"}), json!("omitted"), "nobody knows it"),
    ] {
        assert_eq!(button(&given), expected, "{reason}");
    }
}

#[test]
fn the_order_of_buttons_stays() {
    let shown = shown(&json!([{"type": "BUTTONS", "buttons": [
        {"type": "QUICK_REPLY", "text": "b"}, {"type": "HOLOGRAM"}, {"type": "QUICK_REPLY", "text": "a"}]}]));
    let labels: Vec<_> = shown["buttons"].as_array().unwrap().iter().map(|button| button["text"].clone()).collect();
    assert_eq!((labels, &shown["omitted"]), (vec![json!("b"), json!("a")], &json!(1)));
}

#[test]
fn one_time_passwords_are_known_by_their_button() {
    let address = "https://www.whatsapp.com/otp/code/?otp_type=COPY_CODE&code_expiration_minutes=10&code=otp{{1}}";
    let auth = |footer: Value, button: Value| {
        shown(&json!([
            {"type": "BODY", "text": "*{{1}}* is your verification code.", "add_security_recommendation": true,
                "example": {"body_text": [["123456"]]}},
            footer,
            {"type": "BUTTONS", "buttons": [button]}]))
    };
    let footer = json!({"type": "FOOTER", "text": "This code expires in 10 minutes.", "code_expiration_minutes": 10});
    let expected = json!({"authentication":
        {"addSecurityRecommendation": true, "codeExpirationMinutes": 10, "otp": {"type": "COPY_CODE"}}});
    let link = json!({"type": "URL", "text": "Copy code", "url": address, "example": [address]});
    assert_eq!(auth(footer.clone(), link.clone()), expected, "a link to Meta's own page");
    assert_eq!(auth(json!({"type": "FOOTER"}), link), expected, "the minutes are in the link, too");
    let button = json!({"type": "OTP", "otp_type": "copy_code", "text": "Copy code"});
    assert_eq!(auth(footer.clone(), button), expected, "a button of its own");

    let app = json!({"package_name": "com.example.app", "signature_hash": "K8a/AINcGX7"});
    let button = json!({"type": "OTP", "otp_type": "ONE_TAP", "text": "Kopieren", "autofill_text": "Autofill",
        "supported_apps": [app, {"package_name": "half"}]});
    assert_eq!(
        auth(footer.clone(), button)["authentication"]["otp"],
        json!({"type": "ONE_TAP", "text": "Kopieren",
            "supportedApps": [{"packageName": "com.example.app", "signatureHash": "K8a/AINcGX7"}]}),
        "labels of one's own stay, and whole apps"
    );
    let button = json!({"type": "OTP", "text": "Copy code"});
    assert_eq!(
        auth(footer, button)["omitted"],
        json!(1),
        "a button that does not say how: the texts are told, the button is counted"
    );
}

#[test]
fn carousels_and_offers() {
    let card = |format: &str| {
        json!({"components": [
            {"type": "HEADER", "format": format, "example": {"header_handle": ["https://scontent/?oe=1"]}},
            {"type": "BODY", "text": "Shoes for {{1}} and friends", "example": {"body_text": [["Ana"]]}},
            {"type": "BUTTONS", "buttons": [{"type": "QUICK_REPLY", "text": "More"}]}]})
    };
    let carousel = |cards: Vec<Value>| shown(&json!([{"type": "CAROUSEL", "cards": cards}]));
    let expected = json!({"header": {"format": "IMAGE"},
        "body": {"text": "Shoes for {{1}} and friends", "examples": {"1": "Ana"}},
        "buttons": [{"type": "QUICK_REPLY", "text": "More"}]});
    assert_eq!(carousel(vec![card("IMAGE"), card("IMAGE")]), json!({"carousel": {"cards": [expected, expected]}}));
    assert_eq!(carousel(vec![card("IMAGE"), card("PRODUCT")]), json!({"omitted": 1}), "products have no words");
    assert_eq!(carousel(vec![]), json!({"omitted": 1}), "no cards");
    let mut odd = card("IMAGE");
    odd["components"][2]["buttons"] = json!([{"type": "HOLOGRAM", "text": "?"}]);
    let bare = carousel(vec![card("IMAGE"), odd.clone()]);
    assert_eq!(bare["omitted"], 1, "one unknown button");
    assert_eq!(bare["carousel"]["cards"][0], expected);
    assert_eq!(bare["carousel"]["cards"][1]["body"], expected["body"], "and both cards keep their texts");
    odd["components"][1]["type"] = json!("SHOUT");
    assert_eq!(carousel(vec![card("IMAGE"), odd])["omitted"], 2);
    let offer = |offer: Value| shown(&json!([{"type": "LIMITED_TIME_OFFER", "limited_time_offer": offer}]));
    assert_eq!(
        offer(json!({"text": "Now", "has_expiration": true})),
        json!({"limitedTimeOffer": {"text": "Now", "hasExpiration": true}})
    );
    assert_eq!(offer(json!({})), json!({"omitted": 1}));
}

#[test]
fn what_has_no_place_is_counted() {
    for (components, omitted, reason) in [
        (json!([{"type": "CALL_PERMISSION_REQUEST"}]), 1, "no words for it"),
        (json!([{"type": "HOLOGRAM"}]), 1, "nobody knows it"),
        (json!([{"type": "HEADER", "format": "GIF"}]), 1, "a format without words"),
        (json!([{"no": "type"}, {"type": "BODY", "text": "Hi"}]), 1, "unreadable"),
        (json!([{"type": "BODY", "text": "a"}, {"type": "BODY", "text": "b"}]), 1, "there is one body"),
        (json!([{"type": "BODY"}]), 1, "a body without text that is no one-time password"),
        (Value::Null, 0, "nothing was sent"),
    ] {
        assert_eq!(content(&json!({"components": components})).omitted, omitted, "{reason}");
    }
}

#[test]
fn facts_that_the_spec_has_no_field_for_are_counted() {
    for (facts, omitted) in [
        (json!({"sub_category": "ORDER_STATUS"}), 1),
        (json!({"library_template_name": "order_status_1"}), 1),
        (json!({"previous_category": "MARKETING"}), 1),
        (json!({"degrees_of_freedom_spec": [{"creative_features_spec": {}}]}), 1),
        (json!({"degrees_of_freedom_spec": []}), 0),
        (json!({"degrees_of_freedom_spec": {}}), 0),
        (json!({"degrees_of_freedom_spec": null, "sub_category": null, "previous_category": ""}), 0),
        (json!({"sub_category": "X", "library_template_name": "y", "components": "none"}), 3),
    ] {
        assert_eq!(content(&facts).omitted, omitted, "{facts}");
    }
}

#[test]
fn times_and_formats() {
    let ttl = |seconds: Value| content(&json!({"message_send_ttl_seconds": seconds})).message_send_ttl;
    for (seconds, expected) in [
        (json!(600), Some("10m")),
        (json!("43200"), Some("12h")),
        (json!(-1), Some("720h")),
        (json!(0), None),
        (json!(-7), None),
        (Value::Null, None),
    ] {
        assert_eq!(ttl(seconds.clone()).map(|ttl| ttl.to_string()).as_deref(), expected, "{seconds}");
    }
    let format = |format: Value| {
        content(&json!({"parameter_format": format})).parameter_format.map(|format| format.as_str().to_owned())
    };
    assert_eq!(format(json!("named")).as_deref(), Some("NAMED"), "in either case");
    assert_eq!(format(Value::Null), None);
}

/// As a person would: the content's fields into a spec, and back.
#[test]
fn content_can_be_pasted_into_a_spec() {
    let content = content(&json!({
        "parameter_format": "NAMED", "message_send_ttl_seconds": 43200,
        "components": [
            {"type": "HEADER", "format": "TEXT", "text": "Order {{order}}", "example":
                {"header_text_named_params": [{"param_name": "order", "example": "A-1204"}]}},
            {"type": "BODY", "text": "Hello {{name}}, it is on its way.", "example":
                {"body_text_named_params": [{"param_name": "name", "example": "Ana"}]}},
            {"type": "FOOTER", "text": "INO"},
            {"type": "BUTTONS", "buttons": [{"type": "URL", "text": "Track", "url": "https://ino.cx/t/{{1}}",
                "example": ["https://ino.cx/t/A-1204"]}]},
        ],
    }));
    let mut spec = serde_json::to_value(&content).unwrap();
    spec.as_object_mut().unwrap().extend(
        json!({"appRef": {"name": "ino-cx"}, "businessAccountID": "1", "templateName": "n", "language": "en_US",
            "category": "UTILITY"})
        .as_object()
        .unwrap()
        .clone(),
    );
    let spec: MessageTemplateSpec = serde_json::from_value(spec).unwrap();
    let object = MessageTemplate::new("n", spec);
    assert_eq!(
        serde_yaml::to_string(&object.spec).unwrap(),
        "appRef:\n  name: ino-cx\nbusinessAccountID: '1'\ntemplateName: n\nlanguage: en_US\ncategory: UTILITY\n\
         parameterFormat: NAMED\nheader:\n  format: TEXT\n  text: Order {{order}}\n  examples:\n    order: A-1204\n\
         body:\n  text: Hello {{name}}, it is on its way.\n  examples:\n    name: Ana\nfooter:\n  text: INO\nbuttons:\n\
         - type: URL\n  text: Track\n  url: https://ino.cx/t/{{1}}\n  example: A-1204\nmessageSendTTL: 12h\n"
    );
    assert_eq!(content.omitted, 0);
}
