//! The ledger's contract: what happens in a ledger, as it is stored.
//!
//! [`ledger`] holds the events in their current shape, the codec that reads every version ever written, and the names
//! and amounts that events are made of. Whatever is in this crate ends up in a database, on a topic or in an auditor's
//! hands for years, so its shapes change only by new schema versions.
//!
//! Who may rely on it: the ledger's rules, its services and its tools. It depends on the vocabulary of the engine
//! (`recount-core`) and on nothing else of ours. What must not be here: I/O, a clock, randomness, decisions.

pub mod ledger;
