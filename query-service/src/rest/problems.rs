//! The one place that says which error is which problem: its kind, its detail and its members.
//!
//! It also holds the ledger's own problem kinds, and says which problems each operation documents.

use std::collections::BTreeMap;
use std::fmt::Display;

use recount_service_kit::problem::{Problem, ProblemKind, kinds, responses};
use recount_store::StoreError;
use utoipa::IntoResponses;
use utoipa::openapi::RefOr;
use utoipa::openapi::response::Response;

use crate::questions::events::EventsError;
use crate::questions::{Entity, QuestionError};
use crate::read::ReadError;

/// A rebuild takes a while, so that an early retry would be useless.
const REBUILDING_RETRY_AFTER_SECONDS: u64 = 5;
/// Somebody has to do something first.
const DIVERGED_RETRY_AFTER_SECONDS: u64 = 30;
/// For a log that cannot be read, the same as for a command that cannot be recorded.
const STORE_RETRY_AFTER_SECONDS: u64 = 2;

/// Also defined by the command service, word for word.
static LEDGER_UNKNOWN: ProblemKind = ProblemKind {
    code: "ledger-unknown",
    status: 404,
    title: "There is no such ledger",
    advice: "Check the name of the ledger. If it was created a moment ago, send `Recount-At-Least` with the position \
             that the answer to its creation gave.",
};

static ACCOUNT_NOT_FOUND: ProblemKind = ProblemKind {
    code: "account-not-found",
    status: 404,
    title: "There is no such account",
    advice: "Check the name of the account. If it was opened a moment ago, send `Recount-At-Least` with the position \
             that the answer to its opening gave.",
};

static TRANSACTION_NOT_FOUND: ProblemKind = ProblemKind {
    code: "transaction-not-found",
    status: 404,
    title: "There is no such transaction",
    advice: "Check the id of the transaction. If it was posted a moment ago, send `Recount-At-Least` with the position \
             that the answer gave.",
};

static HOLD_NOT_FOUND: ProblemKind = ProblemKind {
    code: "hold-not-found",
    status: 404,
    title: "There is no such hold",
    advice: "Check the id of the hold. If it was placed a moment ago, send `Recount-At-Least` with the position that \
             the answer gave.",
};

static CUSTOMER_NOT_FOUND: ProblemKind = ProblemKind {
    code: "customer-not-found",
    status: 404,
    title: "There is no such customer",
    advice: "Check the id of the customer. If the customer was registered a moment ago, send `Recount-At-Least` with \
             the position that the answer gave.",
};

static READ_MODEL_DIVERGED: ProblemKind = ProblemKind {
    code: "read-model-diverged",
    status: 503,
    title: "The read model is not that of the ledger's log",
    advice: "The ledger's log went back or was rewritten after the read model was made from it, for instance by a failover \
             or a restored backup. Tell the operator to run `recount read-models remake LEDGER`. Commands are accepted \
             meanwhile, and the ledger's events can be read.",
};

/// The problem kinds of the ledger's queries, beside those that every service has.
pub fn catalogue() -> &'static [&'static ProblemKind] {
    static CATALOGUE: [&ProblemKind; 6] = [
        &LEDGER_UNKNOWN,
        &ACCOUNT_NOT_FOUND,
        &TRANSACTION_NOT_FOUND,
        &HOLD_NOT_FOUND,
        &CUSTOMER_NOT_FOUND,
        &READ_MODEL_DIVERGED,
    ];
    &CATALOGUE
}

impl From<QuestionError> for Problem {
    fn from(error: QuestionError) -> Problem {
        let detail = sentence(&error);
        match error {
            QuestionError::NotFound { entity, name } => {
                Problem::new(not_found(entity), detail).with(entity.as_str(), name)
            }
            QuestionError::Read(error) => Problem::from(error),
        }
    }
}

fn not_found(entity: Entity) -> &'static ProblemKind {
    match entity {
        Entity::Account => &ACCOUNT_NOT_FOUND,
        Entity::Transaction => &TRANSACTION_NOT_FOUND,
        Entity::Hold => &HOLD_NOT_FOUND,
        Entity::Customer => &CUSTOMER_NOT_FOUND,
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Problem {
        let detail = sentence(&error);
        match error {
            ReadError::LedgerUnknown { ledger } => {
                Problem::new(&LEDGER_UNKNOWN, detail).with("ledger", ledger)
            }
            ReadError::NotReached { position, at_least, .. } => {
                Problem::new(&kinds::POSITION_NOT_REACHED, detail)
                    .with("position", position)
                    .with("at_least", at_least)
            }
            ReadError::Diverged { ledger } => Problem::new(&READ_MODEL_DIVERGED, detail)
                .with("ledger", ledger)
                .retry_after_seconds(DIVERGED_RETRY_AFTER_SECONDS),
            ReadError::TooManyWaiters | ReadError::TooManyLongReads => Problem::new(&kinds::BUSY, detail),
            ReadError::Rebuilding { events_applied, events } => {
                Problem::new(&kinds::READ_MODELS_REBUILDING, detail)
                    .with("events_applied", events_applied)
                    .with("events", events)
                    .retry_after_seconds(REBUILDING_RETRY_AFTER_SECONDS)
            }
            ReadError::Missing(None) => Problem::new(&kinds::STORE_UNAVAILABLE, detail),
            ReadError::Missing(Some(cause)) => {
                Problem::new(&kinds::STORE_UNAVAILABLE, detail).caused_by(&cause)
            }
            ReadError::ZeroByte => Problem::new(&kinds::INVALID_REQUEST, detail),
            ReadError::Database(cause) => Problem::of_database(&cause),
        }
    }
}

impl From<EventsError> for Problem {
    fn from(error: EventsError) -> Problem {
        match &error {
            EventsError::LedgerUnknown(_) => Problem::new(&LEDGER_UNKNOWN, sentence(&error)),
            EventsError::Store(cause) => of_store(cause),
            EventsError::NotJson(cause) => Problem::new(&kinds::INTERNAL, sentence(&error)).caused_by(cause),
        }
    }
}

/// A failed read of the log.
fn of_store(error: &StoreError) -> Problem {
    let problem = if error.retryable() {
        Problem::new(&kinds::STORE_UNAVAILABLE, "The event store cannot be reached.")
            .retry_after_seconds(STORE_RETRY_AFTER_SECONDS)
    } else {
        Problem::new(&kinds::INTERNAL, "The request could not be processed.")
    };
    problem.caused_by(error)
}

/// The text of an error, which is a clause, as a sentence.
fn sentence(error: &impl Display) -> String {
    let clause = error.to_string();
    let mut letters = clause.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).chain(['.']).collect()
}

/// The problems of every operation on the read models.
const COMMON: [&ProblemKind; 7] = [
    &kinds::INVALID_REQUEST,
    &kinds::KEY_MISSING,
    &kinds::KEY_INVALID,
    &kinds::INTERNAL,
    &kinds::STORE_UNAVAILABLE,
    &kinds::READ_MODELS_REBUILDING,
    &kinds::REQUEST_TIMEOUT,
];

/// The further problems of every operation on a ledger.
const OF_LEDGER: [&ProblemKind; 4] =
    [&LEDGER_UNKNOWN, &READ_MODEL_DIVERGED, &kinds::POSITION_NOT_REACHED, &kinds::BUSY];

macro_rules! problem_responses {
    ($(#[$doc:meta])* $name:ident: $($rows:expr),+) => {
        $(#[$doc])*
        pub(super) struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                let mut all: Vec<&'static ProblemKind> = COMMON.to_vec();
                $(all.extend_from_slice(&$rows);)+
                responses(&all)
            }
        }
    };
}

problem_responses! {
    /// The problems of a list that belongs to no ledger.
    ListProblems: [&kinds::INVALID_CURSOR]
}
problem_responses! {
    /// The problems of a ledger.
    LedgerProblems: OF_LEDGER
}
problem_responses! {
    /// The problems of a list of a ledger.
    LedgerListProblems: OF_LEDGER, [&kinds::INVALID_CURSOR]
}
problem_responses! {
    /// The problems of an account.
    AccountProblems: OF_LEDGER, [&ACCOUNT_NOT_FOUND]
}
problem_responses! {
    /// The problems of a list of an account.
    AccountListProblems: OF_LEDGER, [&ACCOUNT_NOT_FOUND, &kinds::INVALID_CURSOR]
}
problem_responses! {
    /// The problems of a transaction.
    TransactionProblems: OF_LEDGER, [&TRANSACTION_NOT_FOUND]
}
problem_responses! {
    /// The problems of a list of a transaction.
    TransactionListProblems: OF_LEDGER, [&TRANSACTION_NOT_FOUND, &kinds::INVALID_CURSOR]
}
problem_responses! {
    /// The problems of a hold.
    HoldProblems: OF_LEDGER, [&HOLD_NOT_FOUND]
}
problem_responses! {
    /// The problems of a customer.
    CustomerProblems: OF_LEDGER, [&CUSTOMER_NOT_FOUND]
}

/// The problems of reading the log, which needs no read models.
pub(super) struct EventsProblems;

impl IntoResponses for EventsProblems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let common = COMMON.into_iter().filter(|kind| *kind != &kinds::READ_MODELS_REBUILDING);
        let all: Vec<&'static ProblemKind> = common.chain([&LEDGER_UNKNOWN]).collect();
        responses(&all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_the_catalogue_has_a_title_and_advice_and_is_a_404_or_a_503() {
        for kind in catalogue() {
            assert!([404, 503].contains(&kind.status), "{}", kind.code);
            assert!(!kind.title.is_empty() && !kind.title.ends_with('.'), "{}", kind.code);
            assert!(kind.advice.ends_with('.'), "{}", kind.code);
        }
    }

    #[test]
    fn the_detail_is_the_text_of_the_error_as_a_sentence() {
        let problem = Problem::from(QuestionError::not_found(Entity::Hold, "auth-1"));
        assert_eq!(problem.detail(), "There is no hold `auth-1`.");
        assert_eq!(problem.body_json()["hold"], "auth-1");
    }

    #[test]
    fn the_database_behind_a_failed_read_is_not_described_to_clients() {
        let error = QuestionError::from(sqlx::Error::ColumnNotFound("secret".into()));
        let problem = Problem::from(error);
        assert_eq!(problem.kind().code, "internal");
        assert!(!problem.body_json().to_string().contains("secret"));
    }

    #[test]
    fn a_failed_read_of_the_log_is_worth_a_retry_only_if_the_store_could_not_be_reached() {
        let unavailable = StoreError::Unavailable(sqlx::Error::PoolTimedOut);
        let refused = StoreError::Refused(sqlx::Error::ColumnNotFound("secret".into()));
        let corrupt = StoreError::Corrupt("secret".into());
        for (error, code) in
            [(unavailable, "store-unavailable"), (refused, "internal"), (corrupt, "internal")]
        {
            let problem = Problem::from(EventsError::Store(error));
            assert_eq!(problem.kind().code, code);
            assert!(!problem.body_json().to_string().contains("secret"));
        }
    }
}
