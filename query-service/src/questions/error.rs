//! Why a question has no answer.

use crate::read::ReadError;

/// Why a question has no answer.
///
/// The text of each error is a clause that clients may see. Internals are only in its source.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QuestionError {
    #[error("there is no {} `{name}`", entity.as_str())]
    NotFound { entity: Entity, name: String },
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl QuestionError {
    pub(crate) fn not_found(entity: Entity, name: &str) -> QuestionError {
        QuestionError::NotFound { entity, name: name.to_owned() }
    }
}

impl From<sqlx::Error> for QuestionError {
    fn from(error: sqlx::Error) -> QuestionError {
        QuestionError::Read(ReadError::from(error))
    }
}

/// The kinds of things in a ledger that are found by their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entity {
    Account,
    Transaction,
    Hold,
    Customer,
}

impl Entity {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Entity::Account => "account",
            Entity::Transaction => "transaction",
            Entity::Hold => "hold",
            Entity::Customer => "customer",
        }
    }
}
