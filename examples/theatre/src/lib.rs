//! A theatre that sells seats: a second domain on Recount's engine, as a stranger would write it. [`domain`] holds the
//! rules, [`read_model`] tells how full each show is, [`service`] is the HTTP API and everything behind it.

pub mod domain;
pub mod read_model;
pub mod service;
