//! Scalars as Meta sends them: IDs as text or number, flags as boolean or text, numbers as text.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

thread_local! {
    /// Values that were left out since the last [`take_odd`]: a reply is parsed on one thread, without a pause.
    static ODD: Cell<u32> = const { Cell::new(0) };
}

/// Counts a value that was left out because it makes no sense where it is.
pub fn odd() {
    ODD.set(ODD.get().saturating_add(1));
}

/// How many values were left out since the last time.
pub fn take_odd() -> u32 {
    ODD.take()
}

/// Stands for a word that cannot be read.
const UNREADABLE: &str = "UNREADABLE";

/// Any JSON value, of which only scalars are kept.
enum Scalar {
    Text(Box<str>),
    Integer(i64),
    Flag(bool),
    Null,
    Other,
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(text.into()))
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Scalar, E> {
        Ok(Scalar::Flag(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Scalar, E> {
        Ok(Scalar::Integer(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Scalar, E> {
        Ok(i64::try_from(number).map_or_else(|_| Scalar::Text(number.to_string().into()), Scalar::Integer))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Scalar, E> {
        #[expect(clippy::cast_possible_truncation, reason = "counts and times; a fraction of one means nothing")]
        Ok(Scalar::Integer(number as i64))
    }

    fn visit_unit<E>(self) -> Result<Scalar, E> {
        Ok(Scalar::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Scalar, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        odd();
        Ok(Scalar::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Scalar, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        odd();
        Ok(Scalar::Other)
    }
}

/// Text, or the text of a number or flag; blank text is none.
pub fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<str>>, D::Error> {
    Ok(match deserializer.deserialize_any(Any)? {
        Scalar::Text(text) => Some(text).filter(|text| !text.trim().is_empty()),
        Scalar::Integer(number) => Some(number.to_string().into()),
        Scalar::Flag(flag) => Some(flag.to_string().into()),
        Scalar::Null | Scalar::Other => None,
    })
}

/// The same where there is nothing without it, as for an ID.
pub fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Box<str>, D::Error> {
    text(deserializer)?.ok_or_else(|| serde::de::Error::custom("an ID is neither text nor number"))
}

/// The same within something that has other ways to be known: empty where it cannot be read.
pub fn id_or_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Box<str>, D::Error> {
    Ok(text(deserializer)?.unwrap_or_default())
}

/// What stands where an object is expected.
pub enum Shape<T> {
    /// An object.
    Object(T),
    /// Nothing.
    Null,
    /// Something else, which is counted.
    Odd,
}

impl<T> Shape<T> {
    /// The object, if it is one.
    pub fn object(self) -> Option<T> {
        match self {
            Self::Object(object) => Some(object),
            Self::Null | Self::Odd => None,
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Shape<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ShapeOf(PhantomData))
    }
}

struct ShapeOf<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ShapeOf<T> {
    type Value = Shape<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Shape<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(entries)).map(Shape::Object)
    }

    fn visit_unit<E>(self) -> Result<Shape<T>, E> {
        Ok(Shape::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Shape<T>, A::Error> {
        Any.visit_seq(items).map(|_| Shape::Odd)
    }

    fn visit_str<E>(self, _: &str) -> Result<Shape<T>, E> {
        odd();
        Ok(Shape::Odd)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Shape<T>, E> {
        odd();
        Ok(Shape::Odd)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Shape<T>, E> {
        odd();
        Ok(Shape::Odd)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Shape<T>, E> {
        odd();
        Ok(Shape::Odd)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Shape<T>, E> {
        odd();
        Ok(Shape::Odd)
    }
}

/// An object whose fields are all read loosely; anything else is none.
pub fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    Shape::deserialize(deserializer).map(Shape::object)
}

/// A list of such objects.
pub fn objects<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let items = shapes(deserializer)?.unwrap_or_default();
    Ok(items.into_iter().filter_map(Shape::object).collect())
}

/// The items of a list, whatever they are; `None` where there is no list.
pub fn shapes<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Vec<Shape<T>>>, D::Error> {
    deserializer.deserialize_any(Shapes(PhantomData))
}

struct Shapes<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Shapes<T> {
    type Value = Option<Vec<Shape<T>>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Some(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Self::Value, A::Error> {
        Any.visit_map(entries).map(|_| None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        odd();
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        odd();
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        odd();
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        odd();
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        odd();
        Ok(None)
    }
}

/// A word of an open vocabulary.
pub fn word<'de, D: Deserializer<'de>, W: From<Box<str>>>(deserializer: D) -> Result<Option<W>, D::Error> {
    Ok(text(deserializer)?.map(W::from))
}

/// The same where something is done that depends on the word: one that cannot be read is one that nobody knows, and not none.
pub fn decisive_word<'de, D: Deserializer<'de>, W: From<Box<str>>>(deserializer: D) -> Result<Option<W>, D::Error> {
    Ok(match deserializer.deserialize_any(Any)? {
        Scalar::Text(text) => Some(text).filter(|text| !text.trim().is_empty()).map(W::from),
        Scalar::Integer(number) => Some(W::from(number.to_string().into())),
        Scalar::Flag(flag) => Some(W::from(flag.to_string().into())),
        Scalar::Null => None,
        Scalar::Other => Some(W::from(UNREADABLE.into())),
    })
}

/// A flag where something is done if it is not set: one that cannot be read counts as set.
pub fn set_unless_known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    let value = deserializer.deserialize_any(Any)?;
    let unreadable = (!matches!(value, Scalar::Null)).then_some(true);
    Ok(flag_of(&value).or(unreadable))
}

/// A flag: `true`, `"true"`, `1`.
pub fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    Ok(flag_of(&deserializer.deserialize_any(Any)?))
}

fn flag_of(value: &Scalar) -> Option<bool> {
    match value {
        Scalar::Flag(flag) => Some(*flag),
        Scalar::Integer(number) => Some(*number != 0),
        Scalar::Text(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Scalar::Text(text) if text.eq_ignore_ascii_case("false") => Some(false),
        Scalar::Text(_) | Scalar::Null | Scalar::Other => None,
    }
}

/// A whole number: `60`, `"60"`.
pub fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Ok(match deserializer.deserialize_any(Any)? {
        Scalar::Integer(number) => Some(number),
        Scalar::Text(text) => text.trim().parse().ok(),
        Scalar::Flag(_) | Scalar::Null | Scalar::Other => None,
    })
}

/// A code or count; what is negative or absurd is none.
pub fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    Ok(number(deserializer)?.and_then(|number| u32::try_from(number).ok()))
}

/// A time, as Unix seconds or as `2023-08-31T19:05:53+0000`.
pub fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    Ok(match deserializer.deserialize_any(Any)? {
        Scalar::Integer(seconds) => Timestamp::from_second(seconds).ok(),
        Scalar::Text(text) => text
            .parse::<i64>()
            .ok()
            .and_then(|seconds| Timestamp::from_second(seconds).ok())
            .or_else(|| text.parse().ok())
            .or_else(|| Timestamp::strptime("%Y-%m-%dT%H:%M:%S%z", &*text).ok()),
        Scalar::Flag(_) | Scalar::Null | Scalar::Other => None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn ids_are_text_or_numbers() {
        assert_eq!(&*id(json!("123")).unwrap(), "123");
        assert_eq!(&*id(json!(102_290_129_340_398_u64)).unwrap(), "102290129340398");
        assert_eq!(&*id(json!(u64::MAX)).unwrap(), u64::MAX.to_string());
        for bad in [json!(null), json!(""), json!({"id": 1}), json!([])] {
            assert!(id(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn flags_are_booleans_or_text() {
        for (value, expected) in [
            (json!(true), Some(true)),
            (json!("true"), Some(true)),
            (json!("False"), Some(false)),
            (json!(0), Some(false)),
            (json!("maybe"), None),
            (Value::Null, None),
        ] {
            assert_eq!(flag(value.clone()).unwrap(), expected, "{value}");
        }
    }

    #[test]
    fn numbers_are_numbers_or_text() {
        for (value, expected) in
            [(json!(60), Some(60)), (json!("-1"), Some(-1)), (json!(60.0), Some(60)), (json!({}), None)]
        {
            assert_eq!(number(value.clone()).unwrap(), expected, "{value}");
        }
    }

    #[test]
    fn times_are_seconds_or_text() {
        let expected: Timestamp = "2023-08-31T19:05:53Z".parse().unwrap();
        for value in [json!(expected.as_second()), json!("2023-08-31T19:05:53+0000"), json!("2023-08-31T19:05:53Z")] {
            assert_eq!(time(value.clone()).unwrap(), Some(expected), "{value}");
        }
        assert_eq!(time(json!("soon")).unwrap(), None);
    }
}
