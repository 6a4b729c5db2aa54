//! What Meta makes of a text of the profile without changing what it says: it trims texts, writes hosts and addresses in lower
//! case, ends URLs with a slash, and composes letters. Everything else is another text. Pure.

use icu_normalizer::ComposingNormalizerBorrowed;
use serde_json::Value;

/// Whether Meta shows what was sent, be it in its own spelling.
pub fn same(name: &str, sent: &Value, shown: &Value) -> bool {
    normal(name, sent) == normal(name, shown)
}

/// Whether a value says nothing.
pub fn is_empty(name: &str, value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty() || (name == "vertical" && text == "UNDEFINED"),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// The texts of a field; none where it says nothing.
fn normal(name: &str, value: &Value) -> Vec<String> {
    let texts = match value {
        _ if is_empty(name, value) => Vec::new(),
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        other => other.as_str().into_iter().collect(),
    };
    let plain = |text: &str| {
        let composed = ComposingNormalizerBorrowed::new_nfc().normalize(text);
        let words = composed.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        if name == "websites" { words.trim_end_matches('/').to_owned() } else { words }
    };
    texts.into_iter().map(plain).filter(|text| !text.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_spelling_says_the_same() {
        for (name, sent, shown) in [
            ("about", json!("  Here to help "), json!("Here to help")),
            ("about", json!("Cafe\u{301}"), json!("Caf\u{e9}")),
            ("about", json!("one\r\ntwo"), json!("one\ntwo")),
            ("email", json!("Support@INO.cx"), json!("support@ino.cx")),
            (
                "websites",
                json!(["https://INO.cx", "https://ino.cx/Help"]),
                json!(["https://ino.cx/", "https://ino.cx/Help"]),
            ),
            ("vertical", json!("UNDEFINED"), json!(null)),
            ("vertical", json!("retail"), json!("RETAIL")),
            ("websites", json!([]), json!(null)),
            ("about", json!(" "), json!(null)),
        ] {
            assert!(same(name, &sent, &shown), "{name}: {sent} {shown}");
        }
    }

    #[test]
    fn another_text_is_none() {
        for (name, sent, shown) in [
            ("about", json!("we help"), json!(null)),
            ("about", json!("we help"), json!("we")),
            ("about", json!("we help"), json!("we help!")),
            ("about", json!("https://ino.cx"), json!("https://ino.cx/")),
            ("websites", json!(["https://ino.cx"]), json!(["https://ino.cx/help"])),
            ("websites", json!(["https://a.cx", "https://b.cx"]), json!(["https://a.cx"])),
            ("websites", json!(["https://a.cx"]), json!([])),
            ("vertical", json!("RETAIL"), json!("UNDEFINED")),
        ] {
            assert!(!same(name, &sent, &shown), "{name}: {sent} {shown}");
        }
    }
}
