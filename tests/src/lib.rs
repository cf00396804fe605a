//! What the tests share: a second domain, which keeps the engine generic, worlds to run things in, and hands on the
//! real binary: its processes, its HTTP, load on it and a count of what came of the load.

pub mod cases;
pub mod http;
pub mod ledger;
pub mod load;
pub mod process;
pub mod theatre;
pub mod world;
