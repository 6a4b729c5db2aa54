//! Phone numbers as digits: Meta spells them in several ways, `+1 631-555-5555`, `15550783881`, `+33 6 12 …`.

use super::calling_codes::CALLING_CODES;

/// The digits of a phone number without `+`, spaces and punctuation; `None` where there are none, or more than E.164
/// allows (15).
#[must_use]
pub fn parse(text: &str) -> Option<u64> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    if digits.is_empty() || digits.len() > 15 { None } else { digits.parse().ok() }
}

/// Other spellings under which Meta may show the same line: Mexico with and without the mobile `1` (52/521), Argentina
/// with and without the mobile `9` (54/549), Brazil with and without the ninth digit; and numbers of before a country's
/// renumbering.
pub fn variants(digits: u64) -> impl Iterator<Item = u64> {
    let text = digits.to_string();
    if let Some(other) = renumbered(&text) {
        return other.parse().ok().into_iter();
    }
    let (head, tail) = text.split_at(text.len().min(2));
    let other = match (head, text.len()) {
        ("52", 13) if tail.starts_with('1') => Some(format!("52{}", &tail[1..])),
        ("52", 12) => Some(format!("521{tail}")),
        ("54", 13) if tail.starts_with('9') => Some(format!("54{}", &tail[1..])),
        ("54", 12) => Some(format!("549{tail}")),
        ("55", 13) if tail[2..].starts_with('9') && is_mobile(&tail[3..]) => {
            Some(format!("55{}{}", &tail[..2], &tail[3..]))
        }
        ("55", 12) if is_mobile(&tail[2..]) => Some(format!("55{}9{}", &tail[..2], &tail[2..])),
        _ => None,
    };
    other.and_then(|text| text.parse().ok()).into_iter()
}

/// The same line before or after the renumbering of its country, which put two digits before the eight of every number.
fn renumbered(text: &str) -> Option<String> {
    let (country, national) = text.split_at_checked(3)?;
    let prefix_of: fn(&str) -> Option<&'static str> = match country {
        "225" => ivorian_prefix,
        // Benin, 30 November 2024 (ARCEP Bénin, plan national de numérotation): 01 before every number.
        "229" => |_| Some("01"),
        _ => return None,
    };
    match national.len() {
        8 => Some(format!("{country}{}{national}", prefix_of(national)?)),
        10 => {
            let (prefix, old) = national.split_at(2);
            (prefix_of(old)? == prefix).then(|| format!("{country}{old}"))
        }
        _ => None,
    }
}

/// Ivory Coast, 31 January 2021 (ARTCI, plan national de numérotation à dix chiffres): mobiles got the prefix of their operator,
/// which the second digit of the old number shows: 0 to 3 Moov, 4 to 6 MTN, 7 to 9 Orange. Fixed lines, which began with 2 or 3,
/// are not told apart here.
fn ivorian_prefix(old: &str) -> Option<&'static str> {
    match old.as_bytes() {
        [b'2' | b'3', ..] => None,
        [_, b'0'..=b'3', ..] => Some("01"),
        [_, b'4'..=b'6', ..] => Some("05"),
        [_, b'7'..=b'9', ..] => Some("07"),
        _ => None,
    }
}

/// The country calling code and the digits behind it; `None` where there is no such code.
#[must_use]
pub fn split_country(number: &str) -> Option<(&str, &str)> {
    let digits = number.strip_prefix('+')?;
    let mut splits = (1..=3).filter_map(|length| digits.split_at_checked(length));
    splits.find(|(code, national)| !national.is_empty() && is_calling_code(code))
}

fn is_calling_code(text: &str) -> bool {
    text.parse::<u16>().is_ok_and(|code| CALLING_CODES.binary_search(&code).is_ok())
}

/// Only Brazil's mobiles got a ninth digit: eight digits that begin with 2 to 5 are a fixed line of its own.
fn is_mobile(subscriber: &str) -> bool {
    subscriber.starts_with(['6', '7', '8', '9'])
}

/// One spelling for all spellings of a line: the shortest, or the one of after a renumbering.
#[must_use]
pub fn canonical(digits: u64) -> u64 {
    let is_renumbered = renumbered(&digits.to_string()).is_some();
    variants(digits).fold(digits, if is_renumbered { u64::max } else { u64::min })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_read_from_any_spelling() {
        for (text, digits) in [
            ("+1 631-555-5555", Some(16_315_555_555)),
            ("15550783881", Some(15_550_783_881)),
            ("+33 6 12 34 56 78", Some(33_612_345_678)),
            ("", None),
            ("unknown", None),
            ("1234567890123456", None),
        ] {
            assert_eq!(parse(text), digits, "{text}");
        }
    }

    #[test]
    fn a_calling_code_gives_the_country() {
        for (number, expected) in [
            ("+16315555555", Some(("1", "6315555555"))),
            ("+77012345678", Some(("7", "7012345678"))),
            ("+201001234567", Some(("20", "1001234567"))),
            ("+212612345678", Some(("212", "612345678"))),
            ("+33612345678", Some(("33", "612345678"))),
            ("+351912345678", Some(("351", "912345678"))),
            ("+4915123456789", Some(("49", "15123456789"))),
            ("+420601123456", Some(("420", "601123456"))),
            ("+5215512345678", Some(("52", "15512345678"))),
            ("+6591234567", Some(("65", "91234567"))),
            ("+8613812345678", Some(("86", "13812345678"))),
            ("+971501234567", Some(("971", "501234567"))),
            ("+3312", Some(("33", "12"))),
            ("+33", None),
            ("+2101234567", None),
            ("+2812345678", None),
            ("+99912345678", None),
            ("33612345678", None),
        ] {
            assert_eq!(split_country(number), expected, "{number}");
        }
    }

    #[test]
    fn calling_codes_are_in_order_and_begin_no_other() {
        assert!(CALLING_CODES.is_sorted());
        for code in CALLING_CODES {
            for shorter in [code / 10, code / 100] {
                assert!(!CALLING_CODES.contains(&shorter), "{code}");
            }
        }
    }

    #[test]
    fn variants_lead_back_to_the_number() {
        for digits in
            [5_215_512_345_678, 525_512_345_678, 5_491_112_345_678, 541_112_345_678, 5_511_987_654_321, 551_187_654_321]
        {
            let there: Vec<u64> = variants(digits).collect();
            assert_eq!(there.len(), 1, "{digits}");
            assert_eq!(variants(there[0]).collect::<Vec<_>>(), [digits], "{digits}");
            assert_eq!(canonical(there[0]), canonical(digits), "{digits}");
        }
        for (old, new) in [
            (22_568_412_207, 2_250_768_412_207),
            (22_505_412_207, 2_250_505_412_207),
            (22_540_412_207, 2_250_140_412_207),
            (22_997_412_207, 2_290_197_412_207),
            (22_921_412_207, 2_290_121_412_207),
        ] {
            assert_eq!(variants(old).collect::<Vec<_>>(), [new], "{old}");
            assert_eq!(variants(new).collect::<Vec<_>>(), [old], "{new}");
            assert_eq!((canonical(old), canonical(new)), (new, new), "{old}");
        }
        for (digits, reason) in [
            (22_520_212_223, "a fixed line in Ivory Coast"),
            (2_250_768, "too short"),
            (2_250_700_412_207, "a number that is younger than the renumbering"),
            (551_133_334_444, "a fixed line in Brazil"),
            (5_511_933_334_444, "a mobile that would be that fixed line without its ninth digit"),
        ] {
            assert_eq!((variants(digits).count(), canonical(digits)), (0, digits), "{reason}");
        }
        assert_eq!(variants(33_612_345_678).count(), 0);
        assert_eq!(variants(5).count(), 0);
    }
}
