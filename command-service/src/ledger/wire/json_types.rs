//! Data that is an object is read from an object, a word from a string, and both from nothing else.
//!
//! What serde derives for a struct also takes a list of its members in their order, where two of them change places
//! unseen when they do so in the source; for an enum it also takes `{"asset": null}`. So the derived code is made an
//! ordinary function of the type (`#[serde(remote = "Self")]`), and the trait reads what it should and hands it on to
//! that.

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
