//! Names of entities that come from outside.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::name::NameError;

/// The name of an entity as a client chose it: 1 to 200 characters, none of them a control character. It makes a valid
/// [`Tag`](crate::Tag), and Postgres can store it.
///
/// ```
/// use recount_core::EntityName;
///
/// let show: EntityName = serde_json::from_str(r#""hamlet""#)?;
/// assert_eq!(show.as_str(), "hamlet");
/// assert!(serde_json::from_str::<EntityName>(r#""two\nlines""#).is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct EntityName(Arc<str>);

impl EntityName {
    /// Characters in a name: room for any id, too short for a document.
    pub const LEN_MAX: usize = 200;

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EntityName {
    type Err = NameError;

    fn from_str(name: &str) -> Result<EntityName, NameError> {
        let length = name.chars().take(EntityName::LEN_MAX + 1).count();
        if (1..=EntityName::LEN_MAX).contains(&length) && !name.contains(char::is_control) {
            Ok(EntityName(name.into()))
        } else {
            Err(NameError::new(
                name,
                "an entity name",
                "it must have 1 to 200 characters, none of them a control character",
            ))
        }
    }
}

impl TryFrom<String> for EntityName {
    type Error = NameError;

    fn try_from(name: String) -> Result<EntityName, NameError> {
        name.parse()
    }
}

impl fmt::Display for EntityName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_name_follows_its_rule() {
        for good in ["a", "Hamlet, Act 1", "ä", &"ö".repeat(200)] {
            assert_eq!(good.parse::<EntityName>().unwrap().as_str(), good);
        }
        for bad in ["", "a\nb", "a\0", "\t", &"x".repeat(201)] {
            assert!(bad.parse::<EntityName>().is_err(), "{bad:?}");
        }
    }
}
