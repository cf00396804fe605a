//! Kafka: publishing logs to a topic, and feeding any sink from it.
//!
//! - [`relay`] publishes every log, in order, once its events are durable;
//! - [`follow`] feeds an [`EventSink`](recount_core::EventSink), such as a projection, from the topic;
//! - [`record`] defines the form of a record (CloudEvents 1.0 in binary mode);
//! - [`Publisher`] and [`Consumer`] are the two ends of the topic, and [`ensure_topic`] creates it.
//!
//! The log in the store is the source of truth, and the topic is a copy of it. Delivery is at least once: a consumer
//! compares positions and hashes to skip duplicates, to find gaps, and to tell its log from others.
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
//! let (id, status) = (uuid::Uuid::now_v7(), relay::Status::default());
//! tokio::spawn(relay::run(LogReader::new(pool), store, topic.clone(), id, status.clone(), stopping.clone()));
//! // In the process that reads:
//! let group = format!("box-office-{}", topic.name);
//! tokio::spawn(follow(projection, topic, &group, stopping)?);
//! # Ok(())
//! # }
//! ```
//!
//! # Audience and stability
//!
//! For services that publish to Kafka or read from it. It is the only crate of the engine that builds librdkafka, so a
//! program without Kafka can leave it out. Its public API follows semantic versioning. The words of a domain, the
//! progress of a projection and appending to a log do not belong here.

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
