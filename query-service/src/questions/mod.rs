//! The questions that clients can ask, without a transport: a module for each, with its filter, its SQL and its results.
//!
//! A transport opens a [`Snapshot`](crate::read::Snapshot) and asks one or more questions of it, so that every part of its
//! answer reflects the same position. The one exception is [`events`], which reads the log itself, through a `LogReader`.
//! Nothing here knows HTTP; errors are typed, and the transport maps them.
//!
//! Result types derive `Serialize` and utoipa's `ToSchema`: a schema describes data, whatever carries it, and the
//! alternative is a twin of each type for each transport. Their descriptions therefore name no addresses.

pub(crate) mod account_balances;
pub(crate) mod accounts;
pub(crate) mod amount;
pub(crate) mod assets;
pub(crate) mod customers;
mod error;
pub(crate) mod events;
pub(crate) mod holds;
pub(crate) mod ledgers;
pub(crate) mod metadata_history;
mod page;
mod policy;
pub(crate) mod statement;
pub(crate) mod transactions;
pub(crate) mod trial_balance;

pub(crate) use error::{Entity, QuestionError};
pub(crate) use page::{PageLimit, PageRequest, Rows};
