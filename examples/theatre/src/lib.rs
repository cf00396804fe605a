//! A theatre that sells seats: a second domain on Recount's engine, as a stranger would write it.
//!
//! - [`domain`]: the rules, pure
//! - [`read_model`]: how full each show is
//! - [`service`]: the HTTP API, and everything that runs behind it

pub mod domain;
pub mod read_model;
pub mod service;
