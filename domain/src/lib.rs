//! The rules of a ledger: pure and synchronous.
//!
//! A [`Request`] asks for a change with a [`Command`]. [`needs`] names the entities that the decision reads, [`decide`]
//! returns events or a [`Rejection`], and [`evolve`] folds events into entities. [`explain`] lists the balances that a
//! decision changes. There is no I/O here, no clock, no randomness and no engine: time and ids come with the command.
//!
//! `evolve` never validates, because recorded events are facts. `decide` never changes state.

mod accounts;
mod assets;
pub mod balance;
mod chart;
mod command;
mod customers;
mod decide;
mod decision;
mod entity;
mod expectations;
mod explain;
mod funds;
mod holds;
mod metadata;
mod periods;
mod rejection;
mod reversals;
mod transactions;
mod used_accounts;

pub use balance::{Balance, Figures, Totals};
pub use command::*;
pub use decide::{decide, needs, needs_more_when_loaded};
pub use decision::Decision;
pub use entity::*;
pub use explain::{BalanceChange, explain};
pub use metadata::METADATA_BYTES_MAX;
pub use rejection::{AssetList, Rejection, RejectionCode, Timestamp};
pub use transactions::{ENTRIES_MAX, ENTRIES_MIN};
