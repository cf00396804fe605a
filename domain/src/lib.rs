//! What may happen in a ledger: pure and synchronous.
//!
//! A [`Command`] asks for a change. [`needs`] names the entities that deciding it takes, [`decide`] answers with
//! events or a [`Rejection`], and [`evolve`] folds events into entities. That is all there is: no I/O, no clock, no
//! randomness, no engine. Time and ids come in with the command.
//!
//! `evolve` never validates: history is fact. `decide` never changes anything.

mod accounts;
mod assets;
mod command;
mod decide;
mod entity;
mod rejection;
mod transactions;

pub use command::{Command, OpenAccount, PostTransaction, ReverseTransaction};
pub use decide::{decide, needs};
pub use entity::{Account, Balance, Entity, States, Transaction, evolve};
pub use rejection::{Rejection, RejectionCode};
pub use transactions::ENTRIES_MAX;
