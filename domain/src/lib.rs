//! What may happen in a ledger: pure and synchronous.
//!
//! A [`Request`] asks for a change by a [`Command`]. [`needs`] names the entities that deciding it takes, [`decide`]
//! answers with events or a [`Rejection`], and [`evolve`] folds events into entities. [`explain`] says what a decision
//! would do to balances. That is all there is: no I/O, no clock, no randomness, no engine. Time and ids come in with the
//! command.
//!
//! `evolve` never validates: history is fact. `decide` never changes anything.

mod accounts;
mod assets;
pub mod balance;
mod chart;
mod command;
mod customers;
mod decide;
mod entity;
mod expectations;
mod explain;
mod funds;
mod holds;
mod metadata;
mod needs;
mod periods;
mod rejection;
mod reversals;
mod transactions;

pub use balance::{Balance, Figures, Sides};
pub use command::{
    CaptureHold, Command, Comparison, Expectation, Figure, OpenAccount, PlaceHold, PostTransaction, Request,
    ReversalTime, ReverseTransaction, ReversedPart,
};
pub use decide::decide;
pub use entity::{
    Account, Chart, Customer, Description, Entity, Hold, HoldStatus, Ledger, States, Terms, Transaction,
    evolve,
};
pub use explain::{BalanceChange, explain};
pub use metadata::METADATA_BYTES_MAX;
pub use needs::{needs, needs_more_when_loaded};
pub use rejection::{Listed, Moment, Rejection, RejectionCode};
pub use transactions::{ENTRIES_MAX, ENTRIES_MIN};

/// What becomes of a command: events, none if it is so already, or the reason why not.
pub type Decision = Result<Vec<recount_events::ledger::LedgerEvent>, Rejection>;
