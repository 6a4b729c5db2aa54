//! Values that only look right: what people paste along with a secret, or instead of it. Each mistake is named before the value is
//! used, and the value itself is never shown. Pure.

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

/// What a value of a user's Secret is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretKind {
    /// The secret of an app: 32 hexadecimal digits.
    AppSecret,
    /// An access token.
    Token,
    /// The text by which a receiver knows Meta. It may be any text, so only what nobody can mean is a mistake.
    VerifyToken,
    /// A PIN or a code: six digits.
    SixDigits,
}

use SecretKind::{AppSecret, SixDigits, Token, VerifyToken};

const ALL: &[SecretKind] = &[AppSecret, Token, VerifyToken, SixDigits];
/// What Meta makes: its characters are known.
const METAS: &[SecretKind] = &[AppSecret, Token];
const NOT_FREE: &[SecretKind] = &[AppSecret, Token, SixDigits];

/// Which values it concerns, how it is recognised, and what the value does: it completes "the value …".
type Mistake = (&'static [SecretKind], fn(&str, SecretKind) -> bool, &'static str);

/// The first that fits is named: the narrow ones stand before the wide ones.
const MISTAKES: &[Mistake] = &[
    (ALL, |text, _| is_placeholder(text), "is a placeholder"),
    (
        ALL,
        |text, _| text.contains(is_invisible),
        "contains an invisible character, such as a zero-width space or a byte-order mark",
    ),
    (ALL, |text, _| is_quoted(text), "is in quotation marks"),
    (NOT_FREE, |text, _| text.contains(is_quotation_mark), "contains a quotation mark"),
    (ALL, |text, _| is_template(text), "contains a variable or template that nothing has filled in"),
    (&[Token], |text, _| has_scheme(text), "begins with the name of a header or scheme, such as Bearer"),
    (
        NOT_FREE,
        |text, _| is_embedded(text),
        "is a URL, JSON or an assignment that contains the value, and not the value",
    ),
    (NOT_FREE, |text, _| is_masked(text), "is masked or cut off, as a console shows it"),
    (
        NOT_FREE,
        is_float,
        "was read as a number by YAML or JSON and lost digits; write it as text, in quotation marks there",
    ),
    (ALL, is_encoded_twice, "is base64 once more than a Secret needs"),
    (&[AppSecret], |text, _| is_access_token(text), "is an access token, and not the app secret"),
    (METAS, |text, _| text.contains('|'), "is an app token, which is an app ID, a bar and the app secret"),
    (&[Token], |text, _| is_lower_hex(text), "is an app secret, and not an access token"),
    (METAS, |text, _| is_digits(text), "is an ID, which has only digits"),
    (METAS, |text, _| text.contains(char::is_whitespace), "contains white space"),
    (METAS, |text, _| !text.is_ascii(), "contains a letter or sign that only resembles one of Meta's"),
];

/// What is wrong with a value, where that shows without asking Meta: it completes "the value …".
#[must_use]
pub fn mistake(kind: SecretKind, value: &str) -> Option<&'static str> {
    let fits = |(kinds, test, _): &&Mistake| kinds.contains(&kind) && test(value, kind);
    MISTAKES.iter().find(fits).map(|(_, _, words)| *words)
}

/// As the operator's own messages and most manuals write it.
fn is_placeholder(text: &str) -> bool {
    let upper = |text: &str| text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    (text.starts_with("YOUR_") && upper(text))
        || (text.starts_with('<') && text.ends_with('>'))
        || ["changeme", "CHANGEME", "CHANGE_ME", "REPLACE_ME", "TODO", "null", "undefined"].contains(&text)
}

/// Characters without a shape of their own, wherever they stand: also those that turn the direction of writing.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
    )
}

fn is_quotation_mark(character: char) -> bool {
    matches!(character, '"' | '\'' | '`' | '\u{2018}'..='\u{201f}' | '«' | '»' | '‹' | '›')
}

fn is_quoted(text: &str) -> bool {
    text.chars().count() > 1 && text.starts_with(is_quotation_mark) && text.ends_with(is_quotation_mark)
}

fn is_template(text: &str) -> bool {
    let variable = text.strip_prefix('$').is_some_and(|name| name.starts_with(|c: char| c.is_ascii_alphabetic()));
    let name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (variable && text[1..].chars().all(name))
        || ["${", "$("].iter().any(|begin| text.starts_with(begin))
        || (text.contains("{{") && text.contains("}}"))
}

fn has_scheme(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    ["bearer ", "bearer:", "oauth ", "authorization:", "basic "].iter().any(|scheme| lower.starts_with(scheme))
}

fn is_embedded(text: &str) -> bool {
    let name = |text: &str| {
        let end = text.find(['=', ':'])?;
        let (name, value) = (&text[..end], text[end + 1..].trim_matches('='));
        let named = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic() || b"_- ".contains(&byte));
        (named && !value.is_empty()).then_some(())
    };
    text.contains("://") || text.starts_with(['{', '[']) || text.contains("&expires") || name(text).is_some()
}

fn is_masked(text: &str) -> bool {
    text.contains(['*', '•', '●', '…']) || text.contains("...")
}

/// `1.2e+35`, `7.3e5`, `731456.0`: what is left of digits that became a floating-point number.
fn is_float(text: &str, kind: SecretKind) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (mantissa, exponent) = text.split_once(['e', 'E']).map_or((text, None), |(m, e)| (m, Some(e)));
    let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, None), |(w, f)| (w, Some(f)));
    let is_number = digits(whole)
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|e| digits(e.strip_prefix(['+', '-']).unwrap_or(e)));
    let infinite = [".inf", "+inf", "inf", "infinity", ".nan", "nan"].contains(&text.to_ascii_lowercase().as_str());
    // An app secret can be digits around one `e`.
    let whole_secret = kind == AppSecret && text.len() == 32 && is_lower_hex(text);
    infinite || (is_number && (fraction.is_some() || exponent.is_some()) && !whole_secret)
}

/// Whether decoding it leads to what the kind looks like. Any text may be a verify token, so nothing is known of that.
fn is_encoded_twice(text: &str, kind: SecretKind) -> bool {
    let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let engine = GeneralPurpose::new(&alphabet::STANDARD, lenient);
    let Some(decoded) = engine.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok()) else { return false };
    let decoded = decoded.trim();
    let fits = match kind {
        AppSecret => decoded.len() == 32 && is_lower_hex(decoded),
        Token => is_access_token(decoded),
        SixDigits => decoded.len() == 6 && is_digits(decoded),
        VerifyToken => return false,
    };
    // Some tools encode at each of several steps; each makes the text longer.
    fits || (!decoded.is_empty() && is_encoded_twice(decoded, kind))
}

/// Tokens of Meta's apps begin so.
fn is_access_token(text: &str) -> bool {
    text.starts_with("EAA") && text.len() > 3 && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_lower_hex(text: &str) -> bool {
    text.len() >= 32 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    const TOKEN: &str = "EAAGm0PX4ZCpsBAKZCkZBZBXuZC2oZD";

    #[test]
    fn what_is_right_is_not_called_a_mistake() {
        for (kind, value) in [
            (AppSecret, SECRET),
            // An app secret that YAML would take for a number, and one of digits and one `e`.
            (AppSecret, "12345678901234567890123456e78901"),
            (AppSecret, "0000000000000000000000000000e000"),
            (Token, TOKEN),
            (VerifyToken, "any text at all: 1.5, a=b, {x}, $5 & <b>, 100%"),
            (VerifyToken, "c29tZXRoaW5n"),
            (VerifyToken, "123456"),
            (VerifyToken, "geheim-Ä-é-日本"),
            (SixDigits, "041877"),
            (SixDigits, "041 877"),
            (SixDigits, "041-877"),
            // Not six digits: said elsewhere, in better words.
            (SixDigits, "sesame"),
            (SixDigits, "1234567"),
        ] {
            assert_eq!(mistake(kind, value), None, "{kind:?}: {value}");
        }
    }

    #[test]
    fn what_only_looks_right_is_named() {
        let encoded = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
        let table: &[(SecretKind, String, &str)] = &[
            (Token, "EAAbars\u{200b}NEXT".to_owned(), "invisible"),
            (Token, format!("\u{feff}{TOKEN}"), "invisible"),
            (AppSecret, format!("{SECRET}\u{feff}"), "invisible"),
            (AppSecret, format!("{SECRET}\u{200b}"), "invisible"),
            (VerifyToken, "ino\u{2060}-hook".to_owned(), "invisible"),
            (SixDigits, "731\u{200b}456".to_owned(), "invisible"),
            (Token, format!("\"{TOKEN}\""), "in quotation marks"),
            (Token, format!("“{TOKEN}”"), "in quotation marks"),
            (AppSecret, format!("'{SECRET}'"), "in quotation marks"),
            (VerifyToken, "\"hook\"".to_owned(), "in quotation marks"),
            (SixDigits, "\"731456\"".to_owned(), "in quotation marks"),
            (Token, format!("{TOKEN}\""), "contains a quotation mark"),
            (Token, format!("Bearer {TOKEN}"), "Bearer"),
            (Token, format!("bearer  {TOKEN}"), "Bearer"),
            (Token, format!("Authorization: Bearer {TOKEN}"), "Bearer"),
            (Token, format!("OAuth {TOKEN}"), "Bearer"),
            (Token, encoded(TOKEN), "base64"),
            (Token, encoded(&format!("{TOKEN}\n")), "base64"),
            (Token, encoded(&encoded(TOKEN)), "base64"),
            (Token, encoded(TOKEN).trim_end_matches('=').to_owned(), "base64"),
            (AppSecret, encoded(SECRET), "base64"),
            (SixDigits, encoded("731456"), "base64"),
            (SixDigits, encoded("731456\n"), "base64"),
            (Token, SECRET.to_owned(), "an app secret"),
            (AppSecret, TOKEN.to_owned(), "an access token"),
            (Token, format!("1234567890|{SECRET}"), "an app token"),
            (AppSecret, format!("1234567890|{SECRET}"), "an app token"),
            (AppSecret, "1234567890".to_owned(), "an ID"),
            (Token, "122100000000001".to_owned(), "an ID"),
            (AppSecret, "1.2e+35".to_owned(), "read as a number"),
            (AppSecret, "1.2345678901234568e+31".to_owned(), "read as a number"),
            (AppSecret, ".inf".to_owned(), "read as a number"),
            (SixDigits, "7.31456e+05".to_owned(), "read as a number"),
            (SixDigits, "731456.0".to_owned(), "read as a number"),
            (SixDigits, "7e5".to_owned(), "read as a number"),
            (Token, format!("access_token={TOKEN}&expires=5183944"), "assignment"),
            (Token, format!("{{\"access_token\":\"{TOKEN}\"}}"), "quotation mark"),
            (Token, format!("https://graph.facebook.com/me?access_token={TOKEN}"), "URL"),
            (AppSecret, format!("app-secret: {SECRET}"), "assignment"),
            (AppSecret, format!("APP_SECRET={SECRET}"), "assignment"),
            (AppSecret, "●●●●●●●●".to_owned(), "masked"),
            (Token, "EAAGm0PX...".to_owned(), "cut off"),
            (Token, "YOUR_TOKEN".to_owned(), "placeholder"),
            (AppSecret, "<app secret>".to_owned(), "placeholder"),
            (VerifyToken, "YOUR_VERIFY_TOKEN".to_owned(), "placeholder"),
            (Token, "${WHATSAPP_TOKEN}".to_owned(), "variable"),
            (AppSecret, "$APP_SECRET".to_owned(), "variable"),
            (AppSecret, "{{ .Values.secret }}".to_owned(), "variable"),
            (Token, "EAAGm0PX 4ZCpsBA".to_owned(), "white space"),
            (AppSecret, "0123456789abcdef\t0123456789abcdef".to_owned(), "white space"),
            (AppSecret, "0123456789\u{430}bcdef0123456789abcdef".to_owned(), "resembles"),
        ];
        for (kind, value, words) in table {
            let found = mistake(*kind, value);
            assert!(found.is_some_and(|found| found.contains(words)), "{kind:?}: {value:?}: {found:?}");
        }
    }
}
