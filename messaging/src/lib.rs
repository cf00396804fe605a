//! The feed on Kafka: the fast path from the log to whoever follows it.
//!
//! [`Publisher`] produces the events of a log, [`Consumer`] reads them back, [`record`] is the one place that knows
//! how an event looks as a Kafka record (CloudEvents, binary mode), and [`ensure_topic`] makes the topic.
//!
//! The log in the store is the truth and Kafka a copy of it: delivery is at least once, and a consumer compares
//! positions to skip duplicates and to find gaps. What must not be here: any knowledge of what the events mean, any
//! progress of a projection, any access to the store.

mod client;
mod consumer;
mod error;
mod publisher;
pub mod record;
mod topic;

pub use consumer::{Batch, Consumer, Rejected};
pub use error::MessagingError;
pub use publisher::{Delivered, Publisher};
pub use topic::{Topic, ensure_topic, reachable};
