//! The problems that the operations document.

use std::collections::BTreeMap;

use recount_service_kit::problem::{ProblemKind, kinds, responses};
use utoipa::IntoResponses;
use utoipa::openapi::RefOr;
use utoipa::openapi::response::Response;

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
const OF_LEDGER: [&ProblemKind; 3] = [&kinds::LEDGER_UNKNOWN, &kinds::POSITION_NOT_REACHED, &kinds::BUSY];

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
    OfAccounts: OF_LEDGER, [&kinds::ACCOUNT_NOT_FOUND]
}
documented! {
    /// A list of an account.
    OfAccountLists: OF_LEDGER, [&kinds::ACCOUNT_NOT_FOUND, &kinds::INVALID_CURSOR]
}
documented! {
    /// A transaction.
    OfTransactions: OF_LEDGER, [&kinds::TRANSACTION_NOT_FOUND]
}
documented! {
    /// A list of a transaction.
    OfTransactionLists: OF_LEDGER, [&kinds::TRANSACTION_NOT_FOUND, &kinds::INVALID_CURSOR]
}
documented! {
    /// A hold.
    OfHolds: OF_LEDGER, [&kinds::HOLD_NOT_FOUND]
}
documented! {
    /// A customer.
    OfCustomers: OF_LEDGER, [&kinds::CUSTOMER_NOT_FOUND]
}
