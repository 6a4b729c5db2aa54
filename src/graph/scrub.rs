//! Cleans foreign texts for people: without the call's secrets, without URLs, and shortened.

use crate::telemetry;

const LONGEST: usize = 400;
const GONE: &str = "[…]";

/// Takes the given secrets, whatever else looks like one, and every word with a URL out of a text.
pub(super) fn scrub(text: &str, secrets: &[&str]) -> Box<str> {
    let mut text = text.to_owned();
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        text = text.replace(secret, GONE);
    }
    let text = telemetry::scrub(&text);
    let words: Vec<_> = text.split_whitespace().map(|word| if word.contains("://") { GONE } else { word }).collect();
    let clean = words.join(" ");
    match clean.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &clean[..end]).into(),
        None => clean.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_urls_and_tokens_go_and_the_rest_stays() {
        let clean = scrub("Key hush, token EAAGm0PX4ZCpsBAKZC, see\n https://h/?q=x for  help", &["hush", ""]);
        assert_eq!(&*clean, "Key […], token ***, see […] for help");
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let cut = scrub(&"é".repeat(1000), &[]);
        assert_eq!(cut.chars().count(), LONGEST + 1);
    }
}
