//! Personal data: information in events about a natural person.
//!
//! Every personal field of every event has the type [`Personal`], and no other field has. The JSON Schemas mark these
//! fields with `x-personal`, and [`LedgerEvent::data_subject`] names the person.
//!
//! [`LedgerEvent::data_subject`]: super::LedgerEvent::data_subject

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Information about a natural person. Its `Debug` form hides the value, so it does not appear in process output.
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

/// Personal data of a customer.
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
    /// Further personal data, by name. The name itself must not identify the person.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, Personal<String>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_hides_personal_data() {
        let profile = Profile { name: Some(Personal("Alice".to_owned())), ..Profile::default() };
        let shown = format!("{profile:?}");
        assert!(shown.contains("[personal]"), "{shown}");
        assert!(!shown.contains("Alice"), "{shown}");
    }
}
