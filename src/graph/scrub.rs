//! Foreign texts, made fit for people: without the call's secrets, without URLs, and not endless.

const LONGEST: usize = 400;
const GONE: &str = "[…]";

/// Takes the given secrets, and every word that is or holds a URL or looks like a token, out of a text.
pub(super) fn scrub(text: &str, secrets: &[&str]) -> Box<str> {
    let mut text = text.to_owned();
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        text = text.replace(secret, GONE);
    }
    let words: Vec<_> = text.split_whitespace().map(|word| if is_risky(word) { GONE } else { word }).collect();
    let clean = words.join(" ");
    match clean.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &clean[..end]).into(),
        None => clean.into(),
    }
}

/// URLs can carry a token, and every token of Meta starts alike.
fn is_risky(word: &str) -> bool {
    word.contains("://") || word.contains("EAA") || word.contains("access_token=") || word.contains("secret=")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_urls_and_tokens_go_and_the_rest_stays() {
        let text = "Token EAAabc of 1|hush failed at https://h/?access_token=x, see  docs";
        assert_eq!(&*scrub(text, &["hush", ""]), "Token […] of 1|[…] failed at […] see docs");
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let cut = scrub(&"é".repeat(1000), &[]);
        assert_eq!(cut.chars().count(), LONGEST + 1);
    }
}
