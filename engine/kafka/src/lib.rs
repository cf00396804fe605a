//! Everything Kafka: the log on a topic, and the topic into any sink.
//!
//! - [`relay`] publishes every log, in order, once its events are durable;
//! - [`follow`] feeds an [`EventSink`](recount_core::EventSink), such as a projection, from the topic;
//! - [`record`] is the one place that knows the form of a record (CloudEvents 1.0, binary mode);
//! - [`Publisher`] and [`Consumer`] are the two ends of the topic, and [`ensure_topic`] makes it.
//!
//! The log in the store is the truth and Kafka a copy of it: delivery is at least once, and whoever reads the topic
//! compares positions to skip duplicates and to find gaps.
//!
//! ```no_run
//! use recount_core::EventSink;
//! use recount_kafka::{Topic, follow, relay};
//! use recount_store::LogReader;
//! use tokio_util::sync::CancellationToken;
//!
//! # async fn example(pool: sqlx::PgPool, projection: impl EventSink) -> Result<(), Box<dyn std::error::Error>> {
//! let topic = Topic::at("127.0.0.1:9092").named("box-office.events");
//! let stopping = CancellationToken::new();
//! // In the process that writes:
//! let store = relay::RelayStore::new(pool.clone());
//! tokio::spawn(relay::run(LogReader::new(pool), store, topic.clone(), uuid::Uuid::now_v7(), stopping.clone()));
//! // In the process that reads:
//! let group = format!("box-office-{}", topic.name);
//! tokio::spawn(follow(projection, topic, &group, stopping)?);
//! # Ok(())
//! # }
//! ```
//!
//! # Who may rely on it
//!
//! Services that publish to Kafka or read from it. It is the only crate of the wing that builds librdkafka, so a program
//! without Kafka leaves it out. Its public API follows semantic versioning. What must not be here: any word of a domain,
//! the progress of a projection, appending to a log.

mod client;
mod consumer;
mod error;
mod follow;
mod publisher;
pub mod record;
pub mod relay;
mod topic;

pub use consumer::{Batch, Consumer, Rejected};
pub use error::MessagingError;
pub use follow::follow;
pub use publisher::{Delivered, Publisher};
pub use topic::{Topic, ensure_topic, reachable};
