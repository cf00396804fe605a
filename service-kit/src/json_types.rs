//! Macros that make a type accept one JSON type only: `objects!` an object, `words!` a string.
//!
//! serde's derived code for a struct also accepts an array of its members in declaration order, so a reordering in the
//! source would silently swap two of them; for an enum it also accepts `{"asset": null}`. Here the derived code becomes
//! an inherent function of the type (`#[serde(remote = "Self")]`), and the trait implementation checks the JSON type
//! before it calls that function.

/// Makes types that derive `Deserialize` with `#[serde(remote = "Self")]` accept an object and nothing else.
#[macro_export]
macro_rules! objects {
    ($($data:ident),* $(,)?) => {
        $(
            impl<'de> serde::Deserialize<'de> for $data {
                fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<$data, D::Error> {
                    struct Object;

                    impl<'de> serde::de::Visitor<'de> for Object {
                        type Value = $data;

                        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                            f.write_str("an object")
                        }

                        fn visit_map<M: serde::de::MapAccess<'de>>(self, members: M) -> Result<$data, M::Error> {
                            $data::deserialize(serde::de::value::MapAccessDeserializer::new(members))
                        }
                    }

                    deserializer.deserialize_map(Object)
                }
            }
        )*
    };
}

/// Makes enums that derive `Deserialize` with `#[serde(remote = "Self")]` accept a string and nothing else.
#[macro_export]
macro_rules! words {
    ($($data:ident),* $(,)?) => {
        $(
            impl<'de> serde::Deserialize<'de> for $data {
                fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<$data, D::Error> {
                    let word = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                    $data::deserialize(serde::de::value::CowStrDeserializer::new(word))
                }
            }
        )*
    };
}
