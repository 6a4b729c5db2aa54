//! Objects as a person would write them.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use waba_operator::api::{MessageTemplate, MetaApp, WhatsAppNumber};

use crate::harness::seed::{ACCOUNT, APP};

/// The name of the Secret with the credentials.
pub const CREDENTIALS: &str = "ino-cx-meta";
/// The name of the `MetaApp`.
pub const INO: &str = "ino-cx";

fn object<K: DeserializeOwned>(kind: &str, name: &str, spec: &Value) -> K {
    let object = json!({"apiVersion": "waba.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec});
    serde_json::from_value(object).unwrap()
}

/// `base` with the fields of `more`; `null` removes a field.
fn with(mut base: Value, more: Value) -> Value {
    let Value::Object(more) = more else { panic!("not an object: {more}") };
    for (field, value) in more {
        if value.is_null() {
            base.as_object_mut().unwrap().remove(&field);
        } else {
            base[field] = value;
        }
    }
    base
}

/// An object for [`APP`] with a short poll interval, and these fields.
pub fn app(name: &str, more: Value) -> MetaApp {
    let spec = json!({
        "appID": APP,
        "appSecretRef": {"name": CREDENTIALS, "key": "app-secret"},
        "accessTokenRef": {"name": CREDENTIALS, "key": "access-token"},
        "pollInterval": "3m",
    });
    object("MetaApp", name, &with(spec, more))
}

/// The app, with import of numbers and templates.
pub fn importing() -> MetaApp {
    app(INO, json!({"import": {"numbers": {}, "templates": {}}}))
}

/// A number of the app, with these fields.
pub fn number(name: &str, phone_number: &str, more: Value) -> WhatsAppNumber {
    let spec = json!({"appRef": {"name": INO}, "phoneNumber": phone_number, "directions": ["Incoming", "Outgoing"]});
    object("WhatsAppNumber", name, &with(spec, more))
}

/// An observed template of the app in [`ACCOUNT`], with these fields.
pub fn template(name: &str, template_name: &str, more: Value) -> MessageTemplate {
    let spec = json!({
        "appRef": {"name": INO}, "businessAccountID": ACCOUNT, "templateName": template_name, "language": "en_US",
        "managementPolicy": "Observe",
    });
    object("MessageTemplate", name, &with(spec, more))
}
