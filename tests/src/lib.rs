//! Shared parts of the end-to-end tests: the cases, the processes of the real binary, its HTTP, and load on it.

pub mod cases;
pub mod http;
pub mod ledger;
pub mod load;
pub mod process;
