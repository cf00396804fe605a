//! The entities of a ledger as decisions see them, and how events change them.

mod account;
mod chart;
mod customer;
mod evolve;
mod hold;
mod ledger;
mod states;
mod transaction;

pub use account::{Account, Terms};
pub use chart::Chart;
pub use customer::{Customer, CustomerData};
pub use evolve::evolve;
pub use hold::{Hold, HoldStatus};
pub use ledger::Ledger;
pub use states::{Entity, States};
pub use transaction::Transaction;
