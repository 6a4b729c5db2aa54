//! Phone numbers as digits: Meta spells them in several ways, `+1 631-555-5555`, `15550783881`, `+33 6 12 …`.

use super::countries::COUNTRIES;

/// The digits of a phone number without `+`, spaces and punctuation; `None` where there are none, or more than E.164
/// allows (15).
#[must_use]
pub fn parse(text: &str) -> Option<u64> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    if digits.is_empty() || digits.len() > 15 { None } else { digits.parse().ok() }
}

/// Other spellings under which Meta may show the same line: Mexico with and without the mobile `1` (52/521), Argentina
/// with and without the mobile `9` (54/549), Brazil with and without the ninth digit.
pub fn variants(digits: u64) -> impl Iterator<Item = u64> {
    let text = digits.to_string();
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

/// The country calling code and the digits behind it; `None` where there is no such country.
#[must_use]
pub fn split_country(number: &str) -> Option<(&str, &str)> {
    let digits = number.strip_prefix('+')?;
    // The codes of the ITU's list E.164 are prefix-free.
    let mut splits = (1..=3).filter_map(|length| digits.split_at_checked(length));
    splits.find(|(code, national)| !national.is_empty() && !lengths(code).is_empty())
}

/// Why no line can have a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Misfit {
    /// There is no such country.
    NoCountry,
    /// Too many digits for its country, or too few, for people: as far as the table knows.
    Length(String),
}

/// What is wrong with a number, if anything is.
#[must_use]
pub fn misfit(number: &str) -> Option<Misfit> {
    let Some((code, national)) = split_country(number) else { return Some(Misfit::NoCountry) };
    let fits = |number: &str| split_country(number).is_some_and(|(code, rest)| lengths(code).contains(&rest.len()));
    // Meta may show a line of Mexico, Argentina or Brazil with a digit more or less than there is.
    let mut variants = parse(number).into_iter().flat_map(variants);
    if fits(number) || variants.any(|digits| fits(&format!("+{digits}"))) {
        return None;
    }
    let lengths: Vec<String> = lengths(code).iter().map(ToString::to_string).collect();
    let (lengths, length) = (lengths.join(" or "), national.len());
    Some(Misfit::Length(format!("numbers of +{code} have {lengths} digits behind it, and {number} has {length}")))
}

/// How many digits may follow a calling code; none where there is no such code.
fn lengths(code: &str) -> Vec<usize> {
    let code = code.parse::<u16>().ok();
    let place = code.and_then(|code| COUNTRIES.binary_search_by_key(&code, |(code, _)| *code).ok());
    let mask = place.map_or(0, |place| COUNTRIES[place].1);
    (0..16).filter(|length| mask >> length & 1 == 1).collect()
}

/// Only Brazil's mobiles got a ninth digit: eight digits that begin with 2 to 5 are a fixed line of its own.
fn is_mobile(subscriber: &str) -> bool {
    subscriber.starts_with(['6', '7', '8', '9'])
}

/// One spelling for all spellings of a line.
#[must_use]
pub fn canonical(digits: u64) -> u64 {
    variants(digits).fold(digits, u64::min)
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
    fn countries_are_told_by_their_calling_codes() {
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
        for (place, (code, lengths)) in COUNTRIES.iter().enumerate() {
            assert!(place == 0 || COUNTRIES[place - 1].0 < *code, "{code}");
            assert!(lengths.trailing_zeros() > 1, "{code}");
            for shorter in [code / 10, code / 100] {
                assert!(!COUNTRIES.iter().any(|(other, _)| *other == shorter), "{code}");
            }
        }
    }

    #[test]
    fn a_number_has_as_many_digits_as_its_country_gives() {
        for (number, misfits) in [
            ("+33612345678", None),
            ("+3361234567", Some("numbers of +33 have 9 digits behind it, and +3361234567 has 8")),
            ("+336123456789", Some("numbers of +33 have 9 digits behind it, and +336123456789 has 10")),
            ("+4420718384", Some("numbers of +44 have 7 or 9 or 10 digits behind it, and +4420718384 has 8")),
            ("+525512345678", None),
            ("+5215512345678", None),
            ("+5491112345678", None),
            ("+541112345678", None),
            ("+5511987654321", None),
            ("+551187654321", None),
            ("+551234567", Some("numbers of +55 have 8 or 9 or 10 or 11 digits behind it, and +551234567 has 7")),
        ] {
            assert_eq!(misfit(number), misfits.map(|why: &str| Misfit::Length(why.to_owned())), "{number}");
        }
        assert_eq!(misfit("+2812345678"), Some(Misfit::NoCountry));
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
        for (digits, reason) in [
            (551_133_334_444, "a fixed line in Brazil"),
            (5_511_933_334_444, "a mobile that would be that fixed line without its ninth digit"),
        ] {
            assert_eq!((variants(digits).count(), canonical(digits)), (0, digits), "{reason}");
        }
        assert_eq!(variants(33_612_345_678).count(), 0);
        assert_eq!(variants(5).count(), 0);
    }
}
