//! The bounds of the engine, each with its reason.

use std::time::Duration;

/// The bounds that an operator may want to move.
#[derive(Clone, Debug)]
pub struct Tuning {
    /// Submissions that may wait for one log's writer. More are refused at once, with a time to come back: a queue
    /// that is longer than this makes callers wait longer than they do.
    pub inbox_submissions_max: usize,
    /// Bytes of submissions that may wait for one log's writer: what the inbox may cost in memory.
    pub inbox_bytes_max: usize,
    /// Commands that are decided and committed together, unless one submission alone has more. Beyond a few hundred
    /// a larger group saves hardly anything and makes the first callers wait for the last.
    pub batch_commands_max: usize,
    /// Entities that a writer keeps in memory.
    pub entities_max: usize,
    /// Tags and keys that a writer remembers to have been seen, at about three bytes each. A log with more is looked up
    /// in the store, which is slower and nothing else.
    pub seen_max: usize,
    /// Events of one entity after which a snapshot of it is kept, so that loading it reads no more than these.
    pub snapshot_every: u32,
    /// How long a writer without work stays. Its memory is then given back.
    pub idle: Duration,
    /// How long a submission may take before its caller is told to repeat it.
    pub patience: Duration,
}

impl Default for Tuning {
    fn default() -> Tuning {
        Tuning {
            inbox_submissions_max: 4_096,
            inbox_bytes_max: 64 << 20,
            batch_commands_max: 512,
            entities_max: 1 << 18,
            seen_max: 1 << 25,
            snapshot_every: 1_000,
            idle: Duration::from_secs(60),
            patience: Duration::from_secs(10),
        }
    }
}
