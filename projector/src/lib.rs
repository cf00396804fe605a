//! Events to read models.
//!
//! [`engine`] keeps any projection up to date with the log, from the store or from Kafka; [`ledger`] is the ledger's
//! projection. What must not be here: answering queries, deciding commands, publishing.

pub mod engine;
pub mod ledger;
