//! The events of a ledger in their current shape, one file per subject.
//!
//! Each event is a struct whose fields are stored, with an [`EventData`] that names the entities it concerns. The
//! [registry](super::registry) lists them all.

mod accounts;
mod customers;
mod data;
mod holds;
mod ledgers;
mod metadata;
pub mod tag;
mod transactions;

pub use accounts::*;
pub use customers::*;
pub(super) use data::EventData;
pub use holds::*;
pub use ledgers::*;
pub use metadata::*;
pub use transactions::*;
