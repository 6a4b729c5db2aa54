//! Values that make no sense: only the single item or field is left out, and it is counted.
#![allow(clippy::unwrap_used, clippy::panic)]

use serde_json::{Value, json};

use super::{AccountAnswer, Node, PhoneNumber, Template, lenient};

/// An account with two numbers and two templates, all of which can be read.
fn whole() -> Value {
    let number = |id: &str| {
        json!({"id": id, "display_phone_number": format!("+33 6 12 34 {id}"), "status": "CONNECTED",
            "throughput": {"level": "STANDARD"}, "webhook_configuration": {"application": "https://h/x"},
            "health_status": {"can_send_message": "LIMITED", "entities": [
                {"entity_type": "WABA", "id": "501", "errors": [{"error_code": 1}]}]}})
    };
    let template = |id: &str| {
        json!({"id": id, "name": format!("t_{id}"), "language": "en", "status": "APPROVED",
            "quality_score": {"score": "GREEN"}, "components": [{"type": "BODY", "text": "Hi"}]})
    };
    json!({
        "id": "501", "name": "Shop", "owner_business": {"id": "5", "name": "INO"},
        "subscribed_apps": {"data": [{"whatsapp_business_api_data": {"id": "7"}}]},
        "phone_numbers": {"data": [number("6001"), number("6002")], "paging": {"cursors": {"after": "a"}}},
        "message_templates": {"data": [template("8001"), template("8002")], "paging": {"cursors": {"after": "a"}}},
    })
}

/// What is read of the account when one value of it is another one: numbers and templates, how many of each are left out,
/// and how many values count as odd.
fn read(pointer: &str, value: Value) -> ([usize; 2], [usize; 2], u32, AccountAnswer) {
    let mut answer = whole();
    *answer.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = value;
    lenient::take_odd();
    let read: AccountAnswer = serde_json::from_str(&answer.to_string()).unwrap();
    let (numbers, templates) = (&read.phone_numbers.data, &read.message_templates.data);
    let there = [numbers.items.len(), templates.items.len()];
    let left_out = [numbers.left_out.len(), templates.left_out.len()];
    (there, left_out, lenient::take_odd(), read)
}

#[test]
fn one_odd_value_concerns_itself_only() {
    let (all, none) = ([2, 2], [0, 0]);
    let (number, template) = ("/phone_numbers/data/0", "/message_templates/data/0");
    let cases = [
        // A field.
        (number, "/throughput", json!("HIGH"), all, none, 1),
        (number, "/throughput", json!(80), all, none, 1),
        (number, "/throughput", json!(null), all, none, 0),
        (number, "/webhook_configuration", json!("https://h/x"), all, none, 1),
        (number, "/webhook_configuration", json!([]), all, none, 1),
        (number, "/health_status", json!("AVAILABLE"), all, none, 1),
        (number, "/health_status/entities", json!(null), all, none, 0),
        (number, "/health_status/entities", json!({"0": {}}), all, none, 1),
        (number, "/health_status/entities/0", json!("WABA"), all, none, 1),
        (number, "/health_status/entities/0/errors", json!(null), all, none, 0),
        (number, "/health_status/entities/0/errors", json!("141002"), all, none, 1),
        (number, "/status", json!({"value": "CONNECTED"}), all, none, 1),
        (template, "/quality_score", json!("GREEN"), all, none, 1),
        (template, "/quality_score", json!(["GREEN"]), all, none, 1),
        (template, "/components", json!("Hi"), all, none, 1),
        (template, "/components", json!(null), all, none, 0),
        ("", "/owner_business", json!("INO"), all, none, 1),
        ("", "/owner_business/id", json!({}), all, none, 1),
        ("", "/subscribed_apps", json!("7"), all, none, 1),
        ("", "/subscribed_apps/data", json!(null), all, none, 0),
        ("", "/subscribed_apps/data/0", json!(true), all, none, 2),
        ("", "/subscribed_apps/data/0/whatsapp_business_api_data", json!("7"), all, none, 2),
        // An item.
        (number, "/id", json!(null), [1, 2], [1, 0], 1),
        (number, "/id", json!({"id": "6001"}), [1, 2], [1, 0], 2),
        (number, "", json!("6001"), [1, 2], [1, 0], 2),
        (number, "", json!(null), [1, 2], [1, 0], 1),
        (template, "/id", json!([]), [2, 1], [0, 1], 2),
        (template, "/name", json!(null), [2, 1], [0, 1], 1),
        (template, "/language", json!({"code": "en"}), [2, 1], [0, 1], 2),
        (template, "", json!(8001), [2, 1], [0, 1], 2),
        // A list.
        ("/phone_numbers", "", json!("none"), [0, 2], [1, 0], 1),
        ("/phone_numbers", "", json!(null), [0, 2], [1, 0], 0),
        ("/phone_numbers", "/data", json!(null), [0, 2], [1, 0], 0),
        ("/phone_numbers", "/data", json!({"0": {"id": "6001"}}), [0, 2], [1, 0], 1),
        ("/message_templates", "/data", json!("none"), [2, 0], [0, 1], 1),
        ("/phone_numbers", "/paging", json!(null), all, none, 0),
        ("/phone_numbers", "/paging/cursors", json!(null), all, none, 0),
        ("/phone_numbers", "/paging/cursors", json!("a"), all, none, 1),
        ("/phone_numbers", "/paging/cursors/after", json!(null), all, none, 0),
    ];
    for (object, field, value, there, left_out, odd) in cases {
        let pointer = format!("{object}{field}");
        let (found_there, found_left_out, found_odd, _) = read(&pointer, value.clone());
        assert_eq!((found_there, found_left_out, found_odd), (there, left_out, odd), "{pointer}: {value}");
    }
}

#[test]
fn an_odd_field_leaves_the_others_as_they_are() {
    let (.., read) = read("/phone_numbers/data/0/health_status/entities/0", json!(7));
    let health = read.phone_numbers.data.items[0].health.as_ref().unwrap();
    assert_eq!(health.can_send_message.as_ref().unwrap().as_str(), "LIMITED");
    assert_eq!(&*read.phone_numbers.data.items[0].id, "6001");
}

#[test]
fn what_is_left_out_keeps_what_could_be_read_of_it() {
    let (.., read) = read("/phone_numbers/data/0/id", json!(null));
    let left = &read.phone_numbers.data.left_out[0];
    assert_eq!(left.display_phone_number.as_deref(), Some("+33 6 12 34 6001"));
}

#[test]
fn callbacks_and_subscriptions_that_cannot_be_read_are_not_taken_for_none() {
    let callbacks = |value: Value| {
        let (.., read) = read("/phone_numbers/data/0/webhook_configuration", value);
        read.phone_numbers.data.items[0].webhook_configuration.as_ref().map(|callbacks| callbacks.is_unreadable)
    };
    assert_eq!([callbacks(json!(null)), callbacks(json!({})), callbacks(json!("x"))], [None, Some(false), Some(true)]);
    for (reason, value) in [
        ("one level deeper", json!({"phone_number": {"url": "https://h/x"}})),
        ("under another name", json!({"webhook": {"phone_number": "https://h/x"}})),
        ("a flag", json!({"phone_number": true})),
    ] {
        assert_eq!(callbacks(value), Some(true), "{reason}");
    }
    assert_eq!(callbacks(json!({"phone_number": null, "new": "x"})), Some(false));
    let apps = |value: Value| read("/subscribed_apps", value).3.account.subscribed_apps.map(|apps| apps.len());
    assert_eq!([apps(json!({"data": []})), apps(json!({"data": [null]})), apps(json!("x"))], [Some(0), None, None]);
}

/// What the operator does depends on them: registers, or makes a PIN.
#[test]
fn what_decides_is_unknown_where_it_cannot_be_read() {
    let read = |value: Value| {
        let number = json!({"id": "1", "status": value, "platform_type": value, "is_pin_enabled": value});
        let number: PhoneNumber = serde_json::from_value(number).unwrap();
        let word = number.status.map(|status| status.as_str().to_owned());
        assert_eq!(number.platform_type.map(|platform| platform.as_str().to_owned()), word);
        (word, number.is_pin_enabled)
    };
    let unreadable = (Some("UNREADABLE".to_owned()), Some(true));
    assert_eq!(read(json!({"value": "CONNECTED"})), unreadable);
    assert_eq!(read(json!(["CONNECTED"])), unreadable);
    assert_eq!(read(json!(null)), (None, None));
    assert_eq!(read(json!("false")), (Some("false".to_owned()), Some(false)));
    assert_eq!(read(json!("perhaps")), (Some("perhaps".to_owned()), Some(true)));
}

#[test]
fn a_single_object_without_what_identifies_it_is_an_error() {
    for bad in [json!({"status": "CONNECTED"}), json!({"id": {}}), json!(null), json!("6001"), json!([])] {
        assert!(serde_json::from_value::<Node<PhoneNumber>>(bad.clone()).is_err(), "{bad}");
    }
    for bad in [json!({"id": "1", "name": "n"}), json!({"id": "1", "language": "en"}), json!(null)] {
        assert!(serde_json::from_value::<Node<Template>>(bad.clone()).is_err(), "{bad}");
    }
    assert_eq!(&*serde_json::from_value::<Node<PhoneNumber>>(json!({"id": 1})).unwrap().0.id, "1");
}

#[test]
fn an_account_without_its_id_is_no_account() {
    assert!(serde_json::from_value::<AccountAnswer>(json!({"data": "nonsense"})).is_err());
}

#[test]
fn one_odd_part_of_a_template_leaves_the_others() {
    let template: Template = serde_json::from_value(json!({"id": "1", "name": "n", "language": "en", "components": [
        {"type": "BUTTONS", "buttons": [{"text": "no type"}, "no button", {"type": "QUICK_REPLY", "text": "Yes"}]},
        {"type": "CAROUSEL", "cards": ["no card", {"components": null}, {"components": [{"text": "no type"}]}]},
        {"type": "LIMITED_TIME_OFFER", "limited_time_offer": "soon"},
        {"type": "BUTTONS", "buttons": null},
    ]}))
    .unwrap();
    let parts = template.components();
    assert_eq!(parts.len(), 4);
    let kinds: Vec<_> = parts[0].buttons.iter().map(|button| button.kind.as_str()).collect();
    assert_eq!(kinds, ["", "QUICK_REPLY"]);
    assert_eq!(parts[1].cards.iter().map(Vec::len).collect::<Vec<_>>(), [0, 1]);
    assert_eq!((&parts[2].limited_time_offer, parts[3].buttons.len()), (&None, 0));
}
