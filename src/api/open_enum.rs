//! Words that come from outside or outlive a version: known ones are variants, any other is kept as text.

/// Declares an open set of words: an enum with one variant per known word and `Other` for the rest.
///
/// The schema lists the known words, so that the API server refuses a typing error in `spec`; below `status` the list is
/// dropped (see `crd`), because Meta, or a newer version of the operator, may have written any word there.
macro_rules! open_enum {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$vmeta:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$vmeta])* $variant,)+
            /// A word this version does not know, kept as it was read.
            Other(String),
        }

        impl $name {
            /// Every known word, in the order of declaration.
            pub const KNOWN: &'static [Self] = &[$(Self::$variant,)+];

            /// The word as it is written in JSON.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)+
                    Self::Other(word) => word,
                }
            }
        }

        impl From<String> for $name {
            fn from(word: String) -> Self {
                match word.as_str() {
                    $($word => Self::$variant,)+
                    _ => Self::Other(word),
                }
            }
        }

        impl From<&str> for $name {
            fn from(word: &str) -> Self {
                Self::from(word.to_owned())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer).map(Self::from)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({"type": "string", "enum": [$($word),+]})
            }
        }
    };
}

pub(crate) use open_enum;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    open_enum! {
        /// Test words.
        pub enum Colour {
            /// Red.
            Red = "RED",
            /// Blue.
            Blue = "BLUE",
        }
    }

    #[test]
    fn known_words_are_variants_and_unknown_ones_survive_a_round_trip() {
        for (json, colour) in
            [(r#""RED""#, Colour::Red), (r#""BLUE""#, Colour::Blue), (r#""red""#, Colour::Other("red".into()))]
        {
            assert_eq!(serde_json::from_str::<Colour>(json).unwrap(), colour);
            assert_eq!(serde_json::to_string(&colour).unwrap(), json);
        }
        assert_eq!(format!("{:>5}|{}", Colour::Red, Colour::Other("x".into())), "  RED|x");
        assert_eq!(Colour::KNOWN, [Colour::Red, Colour::Blue]);
    }
}
