//! The limits of the engine, each with its reason.

use std::time::Duration;

/// The limits that an operator may want to change.
#[derive(Clone, Debug)]
pub struct Tuning {
    /// Submissions that may wait for the writer of one log. More are refused at once: in a longer queue callers would wait
    /// longer than they are willing to.
    pub inbox_submissions_max: usize,
    /// Bytes of submissions that may wait for the writer of one log: the memory that its inbox may take.
    pub inbox_bytes_max: usize,
    /// Commands that are decided and committed together, unless a single submission has more. Beyond a few hundred a
    /// larger batch saves hardly anything and makes the first callers wait for the last.
    pub batch_commands_max: usize,
    /// Entities that a writer keeps in memory.
    pub entities_max: usize,
    /// Bytes of memory in which all writers of the process together remember which tags are in their logs, at about three
    /// bytes a tag. Where they do not suffice, writers look tags up in the store, which is slower and has no other effect.
    pub seen_bytes_max: usize,
    /// Events of one entity after which a snapshot of it is saved, so that loading it reads about as many at most.
    pub snapshot_every: u32,
    /// The same in bytes of event data: events may be large. More, if the snapshot is larger.
    pub snapshot_bytes: usize,
    /// How long the outcomes of commands with an idempotency key are kept, at least a day. A command that is repeated later
    /// is a new one. If processes differ, the shortest time counts.
    pub outcome_retention: Duration,
    /// How long an idle writer stays. Then it ends and frees its memory.
    pub idle: Duration,
    /// How long a submission may take before its caller gets an error and should repeat it.
    pub command_timeout: Duration,
}

impl Default for Tuning {
    fn default() -> Tuning {
        Tuning {
            inbox_submissions_max: 4_096,
            inbox_bytes_max: 64 << 20,
            batch_commands_max: 512,
            entities_max: 1 << 18,
            seen_bytes_max: 256 << 20,
            snapshot_every: 1_000,
            snapshot_bytes: 256 << 10,
            outcome_retention: Duration::from_hours(90 * 24),
            idle: Duration::from_secs(60),
            command_timeout: Duration::from_secs(10),
        }
    }
}
