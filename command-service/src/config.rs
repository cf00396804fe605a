//! The settings of the role.

use std::time::Duration;

use clap::Args;
use recount_kafka::Topic;
use recount_service_kit::config::{DatabaseArgs, KafkaArgs, ListenArgs, SafetyArgs};
use recount_writer::Tuning;

/// The settings of `recount command-service`.
#[derive(Args, Clone, Debug)]
pub struct CommandServiceConfig {
    #[command(flatten)]
    pub database: DatabaseArgs,
    #[command(flatten)]
    pub safety: SafetyArgs,
    #[command(flatten)]
    pub listen: ListenArgs,
    #[command(flatten)]
    pub kafka: KafkaArgs,
    #[command(flatten)]
    pub engine: EngineArgs,
}

impl CommandServiceConfig {
    pub(crate) fn topic(&self) -> Option<Topic> {
        self.kafka.kafka.as_deref().map(|brokers| topic(&self.kafka, brokers))
    }
}

/// The topic of these settings, on these brokers.
pub fn topic(args: &KafkaArgs, brokers: &str) -> Topic {
    Topic {
        partitions: args.partitions,
        properties: args.client_properties(),
        ..Topic::at(brokers).named(&args.topic)
    }
}

/// The limits of the engine that an operator may want to change.
#[derive(Args, Clone, Debug)]
pub struct EngineArgs {
    /// Submissions that may wait for one ledger. Further ones are refused with 503 and Retry-After.
    #[arg(long, env = "RECOUNT_INBOX_MAX", default_value_t = 4_096, value_parser = clap::value_parser!(u32).range(1..))]
    pub inbox_max: u32,
    /// Entities of one ledger (mostly accounts) that are kept in memory.
    #[arg(long, env = "RECOUNT_ENTITIES_MAX", default_value_t = 1 << 18, value_parser = clap::value_parser!(u32).range(1..))]
    pub entities_max: u32,
    /// Memory for what tells new ids from known ones, in MiB, for all ledgers of the process together. About three bytes for
    /// each transaction, and as much for each reference.
    #[arg(long, env = "RECOUNT_SEEN_MEMORY", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    pub seen_memory: u32,
    /// How long the outcome of a command with an idempotency key is kept, in days. A command that is repeated later is a new
    /// one.
    #[arg(long, env = "RECOUNT_IDEMPOTENCY_RETENTION", default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub idempotency_retention: u32,
    /// The time that a command may take, in seconds. After it the caller is asked to repeat the command.
    #[arg(long = "command-patience", env = "RECOUNT_COMMAND_PATIENCE", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=60))]
    pub command_timeout: u64,
}

impl EngineArgs {
    pub fn tuning(&self) -> Tuning {
        Tuning {
            inbox_submissions_max: usize::try_from(self.inbox_max).unwrap_or(usize::MAX),
            entities_max: usize::try_from(self.entities_max).unwrap_or(usize::MAX),
            seen_bytes_max: usize::try_from(self.seen_memory).unwrap_or(usize::MAX).saturating_mul(1 << 20),
            outcome_retention: Duration::from_hours(24 * u64::from(self.idempotency_retention)),
            command_timeout: Duration::from_secs(self.command_timeout),
            ..Tuning::default()
        }
    }
}
