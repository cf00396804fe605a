//! The problems of the read side, and those that the operations document.

use std::collections::BTreeMap;

use recount_service_kit::problem::{ProblemKind, kinds, responses};
use utoipa::IntoResponses;
use utoipa::openapi::RefOr;
use utoipa::openapi::response::Response;

/// Also defined by the command service, word for word.
pub(crate) static LEDGER_UNKNOWN: ProblemKind = ProblemKind {
    code: "ledger-unknown",
    status: 404,
    title: "There is no such ledger",
    advice: "Check the name of the ledger. If it was created a moment ago, send `Recount-At-Least` with the position \
             that the answer to its creation gave.",
};

pub(crate) static ACCOUNT_NOT_FOUND: ProblemKind = ProblemKind {
    code: "account-not-found",
    status: 404,
    title: "There is no such account",
    advice: "Check the name of the account. If it was opened a moment ago, send `Recount-At-Least` with the position \
             that the answer to its opening gave.",
};

pub(crate) static TRANSACTION_NOT_FOUND: ProblemKind = ProblemKind {
    code: "transaction-not-found",
    status: 404,
    title: "There is no such transaction",
    advice: "Check the id of the transaction. If it was posted a moment ago, send `Recount-At-Least` with the position \
             that the answer gave.",
};

pub(crate) static HOLD_NOT_FOUND: ProblemKind = ProblemKind {
    code: "hold-not-found",
    status: 404,
    title: "There is no such hold",
    advice: "Check the id of the hold. If it was placed a moment ago, send `Recount-At-Least` with the position that \
             the answer gave.",
};

pub(crate) static CUSTOMER_NOT_FOUND: ProblemKind = ProblemKind {
    code: "customer-not-found",
    status: 404,
    title: "There is no such customer",
    advice: "Check the id of the customer. If the customer was registered a moment ago, send `Recount-At-Least` with \
             the position that the answer gave.",
};

/// The problem kinds of this service.
pub fn catalogue() -> &'static [&'static ProblemKind] {
    static ALL: [&ProblemKind; 5] =
        [&LEDGER_UNKNOWN, &ACCOUNT_NOT_FOUND, &TRANSACTION_NOT_FOUND, &HOLD_NOT_FOUND, &CUSTOMER_NOT_FOUND];
    &ALL
}

/// What every operation can meet.
const COMMON: [&ProblemKind; 7] = [
    &kinds::INVALID_REQUEST,
    &kinds::KEY_MISSING,
    &kinds::KEY_INVALID,
    &kinds::INTERNAL,
    &kinds::STORE_UNAVAILABLE,
    &kinds::READ_MODELS_REBUILDING,
    &kinds::REQUEST_TIMEOUT,
];

/// What every operation on a ledger can meet besides.
const OF_LEDGER: [&ProblemKind; 3] = [&LEDGER_UNKNOWN, &kinds::POSITION_NOT_REACHED, &kinds::BUSY];

macro_rules! documented {
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

documented! {
    /// A list that belongs to no ledger.
    OfLists: [&kinds::INVALID_CURSOR]
}
documented! {
    /// Something of a ledger.
    OfLedgers: OF_LEDGER
}
documented! {
    /// A list of a ledger.
    OfLedgerLists: OF_LEDGER, [&kinds::INVALID_CURSOR]
}
documented! {
    /// An account.
    OfAccounts: OF_LEDGER, [&ACCOUNT_NOT_FOUND]
}
documented! {
    /// A list of an account.
    OfAccountLists: OF_LEDGER, [&ACCOUNT_NOT_FOUND, &kinds::INVALID_CURSOR]
}
documented! {
    /// A transaction.
    OfTransactions: OF_LEDGER, [&TRANSACTION_NOT_FOUND]
}
documented! {
    /// A list of a transaction.
    OfTransactionLists: OF_LEDGER, [&TRANSACTION_NOT_FOUND, &kinds::INVALID_CURSOR]
}
documented! {
    /// A hold.
    OfHolds: OF_LEDGER, [&HOLD_NOT_FOUND]
}
documented! {
    /// A customer.
    OfCustomers: OF_LEDGER, [&CUSTOMER_NOT_FOUND]
}
