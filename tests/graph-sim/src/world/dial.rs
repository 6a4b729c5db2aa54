//! Phone numbers as digits: how callers write them, how they compare, how Meta shows them.

use serde::{Deserialize, Serialize};

/// Countries whose mobile numbers exist with and without one more digit: dialling code, the digit, its place, and the length
/// of the long form. Mexico's 1, Argentina's 9, Brazil's ninth digit.
const NATIONAL_VARIANTS: [(&str, char, usize, usize); 3] = [("52", '1', 2, 13), ("54", '9', 2, 13), ("55", '9', 4, 13)];

/// Longest national numbers where ten digits would be a wrong guess.
const NATIONAL_LENGTHS: [(&str, usize); 7] =
    [("33", 9), ("34", 9), ("39", 11), ("49", 11), ("52", 11), ("54", 11), ("55", 11)];

/// E.164.
const DIGITS: std::ops::RangeInclusive<usize> = 8..=15;

/// The form in which numbers of those countries read back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Variant {
    #[default]
    AsSent,
    Long,
    Short,
}

/// The digits of a number, however it is written.
pub(crate) fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// What two spellings of one number have in common.
pub(crate) fn canonical(text: &str) -> String {
    short(&digits(text))
}

/// Whether two spellings end in the same digits, as those of one number do: distinguishes most numbers at once.
pub(crate) fn end_alike(one: &str, other: &str) -> bool {
    let end = |text: &str| -> [Option<char>; 6] {
        let mut digits = text.chars().rev().filter(char::is_ascii_digit);
        std::array::from_fn(|_| digits.next())
    };
    end(one) == end(other)
}

/// Country code and number as a caller sent them, joined; the number may begin with the country code or not. Nothing when
/// they are no phone number.
pub(crate) fn join(country: &str, number: &str) -> Option<String> {
    let country = country.strip_prefix('+').unwrap_or(country);
    let plausible = (1..=3).contains(&country.len()) && country.chars().all(|c| c.is_ascii_digit());
    if !plausible || number.chars().any(|c| !c.is_ascii_digit() && !"+ -().".contains(c)) {
        return None;
    }
    let whole = digits(number);
    let national = NATIONAL_LENGTHS.iter().find(|(code, _)| *code == country).map_or(10, |(_, length)| *length);
    let complete = whole.starts_with(country) && (number.trim_start().starts_with('+') || whole.len() > national);
    let joined = if complete { whole } else { format!("{country}{whole}") };
    DIGITS.contains(&joined.len()).then_some(joined)
}

/// The digits in the form in which Meta will show them.
pub(crate) fn read_back(digits: &str, variant: Variant) -> String {
    match variant {
        Variant::AsSent => digits.to_owned(),
        Variant::Long => long(digits),
        Variant::Short => short(digits),
    }
}

fn short(digits: &str) -> String {
    if let Some(old) = before_renumbering(digits) {
        return old;
    }
    for (code, extra, place, length) in NATIONAL_VARIANTS {
        if digits.starts_with(code) && digits.len() == length && digits[place..].starts_with(extra) {
            return format!("{}{}", &digits[..place], &digits[place + 1..]);
        }
    }
    digits.to_owned()
}

/// The eight digits of a line in Ivory Coast (mobiles, 2021: the second digit gives the prefix) or Benin (2024) from before two
/// digits were put in front of them.
fn before_renumbering(digits: &str) -> Option<String> {
    let (prefix, old) = digits.get(3..)?.split_at_checked(2)?;
    let second = old.as_bytes().get(1).map(|digit| digit - b'0');
    let fits = match &digits[..3] {
        "225" if !old.starts_with(['2', '3']) => {
            matches!((prefix, second), ("01", Some(0..=3)) | ("05", Some(4..=6)) | ("07", Some(7..=9)))
        }
        "229" => prefix == "01",
        _ => false,
    };
    (fits && old.len() == 8).then(|| format!("{}{old}", &digits[..3]))
}

fn long(digits: &str) -> String {
    for (code, extra, place, length) in NATIONAL_VARIANTS {
        // Brazil's fixed lines, which begin with 2 to 5, have no ninth digit.
        let fixed = code == "55" && digits.get(place..).is_some_and(|rest| rest.starts_with(['2', '3', '4', '5']));
        if digits.starts_with(code) && digits.len() + 1 == length && !fixed {
            return format!("{}{extra}{}", &digits[..place], &digits[place..]);
        }
    }
    digits.to_owned()
}

/// Spaced for people, as `display_phone_number` is.
pub(crate) fn display(country: &str, digits: &str) -> String {
    let country = country.strip_prefix('+').unwrap_or(country);
    let national = digits.strip_prefix(country).unwrap_or(digits);
    if country == "1" && national.len() == 10 {
        return format!("+1 {}-{}-{}", &national[..3], &national[3..6], &national[6..]);
    }
    // France speaks in pairs, after the first digit.
    let (mut groups, rest, size) =
        if country == "33" { (vec![&national[..1]], &national[1..], 2) } else { (Vec::new(), national, 3) };
    groups.extend((0..rest.len()).step_by(size).map(|at| &rest[at..rest.len().min(at + size)]));
    format!("+{country} {}", groups.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_country_code_may_come_twice_or_once() {
        for (country, number, expected) in [
            ("1", "6315551000", Some("16315551000")),
            ("+1", "16315551000", Some("16315551000")),
            ("33", "612345678", Some("33612345678")),
            ("33", "+33 6 12 34 56 78", Some("33612345678")),
            ("7", "7012345678", Some("77012345678")),
            ("49", "15123456789", Some("4915123456789")),
            ("49", "+49 301234567", Some("49301234567")),
            ("49", "49301234567", Some("4949301234567")),
            ("52", "15512345678", Some("5215512345678")),
            ("33", "612x45678", None),
            ("", "612345678", None),
            ("33", "12", None),
        ] {
            assert_eq!(join(country, number).as_deref(), expected, "{country} {number}");
        }
    }

    #[test]
    fn national_variants_are_one_number() {
        for (longer, shorter) in
            [("5215512345678", "525512345678"), ("5491123456789", "541123456789"), ("5511987654321", "551187654321")]
        {
            assert_eq!(canonical(longer), canonical(shorter));
            assert!(end_alike(longer, shorter) && !end_alike(longer, "5215512345679"));
            assert_eq!(read_back(shorter, Variant::Long), longer);
            assert_eq!(read_back(longer, Variant::Short), shorter);
            assert_eq!(read_back(longer, Variant::AsSent), longer);
        }
        for (new, old) in [("2250768412207", "22568412207"), ("2290197412207", "22997412207")] {
            assert_eq!((canonical(new), end_alike(new, old)), (canonical(old), true));
        }
        assert_eq!(canonical("2250700412207"), "2250700412207", "younger than the renumbering");
        assert_eq!(read_back("551133334444", Variant::Long), "551133334444", "a fixed line in Brazil");
    }

    #[test]
    fn numbers_are_spaced_for_people() {
        assert_eq!(display("1", "16315551000"), "+1 631-555-1000");
        assert_eq!(display("33", "33612345678"), "+33 6 12 34 56 78");
        assert_eq!(display("52", "5215512345678"), "+52 155 123 456 78");
    }
}
