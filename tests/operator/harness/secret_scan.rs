//! Scans texts for secrets, in every encoding in which they might have got there.

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit, Mac};
use regex::Regex;
use sha2::{Digest, Sha256};

/// The values that must not be found, in all encodings.
pub struct Scan {
    /// Long values, plain and encoded: any occurrence is a finding.
    long: BTreeMap<String, String>,
    /// Six digits occur by chance within longer numbers: they count only as a number of their own.
    digits: Vec<(String, Regex)>,
}

/// Fractions of seconds have six digits too.
const TIME: &str = r"\d{2}:\d{2}:\d{2}(\.\d+)?Z?";

impl Scan {
    pub fn of(secrets: &[String]) -> Self {
        let (mut long, mut digits) = (BTreeMap::new(), Vec::new());
        for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
            let short = secret.len() <= 6 && secret.bytes().all(|byte| byte.is_ascii_digit());
            for (name, form) in forms(secret) {
                if short && name == "plain" {
                    // Meta also shows a code to people in two halves.
                    let (left, right) = form.split_at(form.len() / 2);
                    let number = format!(r"(^|[^0-9]){left}[ -]?{right}([^0-9]|$)");
                    digits.push((secret.clone(), Regex::new(&number).unwrap()));
                } else {
                    long.insert(form, format!("{name} of a secret"));
                }
            }
        }
        Self { long, digits }
    }

    /// The first secret found in a text: its encoding, and the line.
    pub fn find(&self, text: &str) -> Option<String> {
        let times = Regex::new(TIME).unwrap();
        text.lines().find_map(|line| {
            let form = self.long.iter().find(|(form, _)| line.contains(form.as_str())).map(|(_, name)| name.clone());
            let line_without_times = times.replace_all(line, "TIME");
            let number = || self.digits.iter().find(|(_, regex)| regex.is_match(&line_without_times));
            let found = form.or_else(|| number().map(|(digits, _)| format!("the number {digits}")))?;
            Some(format!("{found}: {line}"))
        })
    }
}

/// A secret in plain and in every encoding.
fn forms(secret: &str) -> Vec<(&'static str, String)> {
    let bytes = secret.as_bytes();
    let hash = Sha256::digest(bytes);
    let salted = Hmac::<Sha256>::new_from_slice(b"").unwrap().chain_update(bytes).finalize().into_bytes();
    let mut forms = vec![
        ("plain", secret.to_owned()),
        ("base64", base64(bytes)),
        ("base64 with a newline", base64(format!("{secret}\n").as_bytes())),
        ("hex", hex::encode(bytes)),
        ("SHA-256", hex::encode(hash)),
        ("SHA-256, shortened", hex::encode(hash)[..32].to_owned()),
        ("SHA-256 in base64", base64(&hash)),
        ("HMAC under no key", hex::encode(salted)),
    ];
    let escaped = bytes.iter().fold(String::new(), |text, byte| text + &format!("%{byte:02X}"));
    forms.push(("URL escape", escaped));
    forms.extend((0..3).map(|before| ("base64 within something longer", base64_within(bytes, before))));
    let reversed: String = secret.chars().rev().collect();
    if reversed != secret && secret.len() > 6 {
        forms.push(("reversed", reversed));
    }
    // A form of a few characters would be found everywhere.
    forms.retain(|(name, form)| *name == "plain" || form.len() >= 7);
    forms
}

/// Base64 without padding, so that it is also found within a longer text, as far as it is complete.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let value = chunk.iter().fold(0_u32, |value, byte| (value << 8) | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            text.push(char::from(ALPHABET[(value >> (18 - 6 * place) & 63) as usize]));
        }
    }
    text
}

/// The part of a longer text's base64 that depends on `bytes` alone, if `before` bytes (modulo three) precede them.
fn base64_within(bytes: &[u8], before: usize) -> String {
    let text = [vec![0; before], bytes.to_vec()].concat();
    let (from, to) = ((before * 8).div_ceil(6), text.len() * 8 / 6);
    base64(&text)[from..to].to_owned()
}

#[test]
fn secrets_are_found_in_every_encoding() {
    let scan = Scan::of(&["048213".to_owned(), "EAAsecrettoken".to_owned()]);
    for (text, found) in [
        ("the PIN 048213 is set", true),
        (r#""pin":"048213""#, true),
        ("id 1048213 and 0482133", false),
        ("2026-11-25T14:51:35.048213Z", false),
        ("code 048 213 was sent", true),
        ("code 048-213.", true),
        ("call +33 1048 213 or 048 2134, 048  213", false),
        ("data: MDQ4MjEz", true),
        (&base64(b"x: 048213, and more"), true),
        (&base64(b"pin=048213, and more"), true),
        (&base64(b"pin: 048213"), true),
        (&base64(b"the PIN 1048214 and more"), false),
        (&base64(br#"{"token":"EAAsecrettoken","x":1}"#), true),
        (&base64(br#"{"a_token":"EAAsecrettoken"}"#), true),
        (&base64(br#"{"token2":"EAAsecrettoken"}"#), true),
        ("3034383231 33", false),
        ("303438323133", true),
        ("token EAAsecrettoken", true),
        (&base64(b"EAAsecrettoken"), true),
        (&hex::encode(Sha256::digest(b"048213")), true),
        ("nothing", false),
    ] {
        assert_eq!(scan.find(text).is_some(), found, "{text}");
    }
}
