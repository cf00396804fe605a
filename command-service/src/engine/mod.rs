//! The engine: commands of any domain become events in a log.
//!
//! [`Engine`] takes [`Submission`]s and hands each to the one [`writer`] of its log in this process. What the engine
//! must know of a domain is the trait [`Domain`], and nothing else: no word of any domain stands in here.
//!
//! A submission can be a dry run: it is decided at its place among the others, and what it drafted is taken back.

mod batch;
mod domain;
mod draft;
mod dry_run;
mod entities;
mod registry;
mod seen;
mod steps;
mod submission;
mod tuning;
mod waiting;
mod writer;

pub use domain::{Domain, Encoded, Find, Undecodable};
pub use recount_event_store::DeadlineChange;
pub use registry::Engine;
pub use submission::{
    Accepted, DraftedEvent, EventRef, Events, IdempotencyKey, Outcome, Refusal, Submission,
    SubmissionOutcome, SubmitError,
};
pub use tuning::Tuning;
