//! Personal data: what an event says about a natural person.
//!
//! Every personal field of every event is a [`Personal`], and nothing else is. That is the marking by which such fields
//! are found: here by the type, in the JSON Schemas by `x-personal`, and by [`LedgerEvent::data_subject`] the person
//! whom they are about.
//!
//! [`LedgerEvent::data_subject`]: super::LedgerEvent::data_subject

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A value that says something about a natural person. It does not show itself in logs.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Personal<T>(pub T);

impl<T> fmt::Debug for Personal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[personal]")
    }
}

#[cfg(feature = "schema")]
impl<T: schemars::JsonSchema> schemars::JsonSchema for Personal<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("Personal_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let mut schema = T::json_schema(generator);
        schema.insert("x-personal".to_owned(), true.into());
        schema
    }
}

/// What is known about a customer as a person.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Profile {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Personal<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Personal<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<Personal<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Personal<String>>,
    /// Whatever else the client knows of the person, by a name that says nothing of the person itself.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, Personal<String>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_personal_does_not_show_itself() {
        let profile = Profile { name: Some(Personal("Alice".to_owned())), ..Profile::default() };
        let shown = format!("{profile:?}");
        assert!(shown.contains("[personal]"), "{shown}");
        assert!(!shown.contains("Alice"), "{shown}");
    }
}
