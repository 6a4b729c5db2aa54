//! The bytes of a delivery and their signature.

use std::fmt::Write;

use serde_json::json;

use super::{Event, Target};
use crate::meta::tokens::hmac_hex;

/// The envelope of one event, escaped as Meta escapes it: signatures hold for these bytes only.
pub(crate) fn bytes(event: &Event, target: &Target, second: i64) -> Vec<u8> {
    let id = event.entry.as_ref().unwrap_or(&event.account);
    let entry = if target.values {
        json!({"id": id, "time": second, "changes": [{"value": event.value, "field": event.field}]})
    } else {
        json!({"id": id, "time": second, "changed_fields": [event.field]})
    };
    let envelope = json!({"object": "whatsapp_business_account", "entry": [entry]});
    escape(&envelope.to_string()).into_bytes()
}

/// Non-ASCII as `\uXXXX`, slashes with a backslash. Both occur in JSON only within strings.
fn escape(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '/' => escaped.push_str("\\/"),
            c if c.is_ascii() => escaped.push(c),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // Writing to a String cannot fail.
                    let _ = write!(escaped, "\\u{unit:04x}");
                }
            }
        }
    }
    escaped
}

/// The value of `X-Hub-Signature-256`.
pub(crate) fn signature(secret: &str, body: &[u8]) -> String {
    format!("sha256={}", hmac_hex(secret, body))
}
