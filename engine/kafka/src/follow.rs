//! Following the topic: feeding the events to any sink.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use recount_core::{ErrorChain, EventSink, LogName, RecordedEvent};
use tokio::task::JoinError;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::consumer::Consumer;
use crate::error::MessagingError;
use crate::topic::{Topic, ensure_topic};

/// Events that are taken from Kafka at once: a few batches of a few logs.
const TAKE_EVENTS_MAX: usize = 5_000;
const TAKE_INTERVAL: Duration = Duration::from_millis(500);
/// Logs that are fed at the same time.
const CONCURRENT_LOGS_MAX: usize = 4;
/// The first and the longest pause after a failure. The pause doubles each time.
const BACKOFF_FIRST: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// Feeds a sink from Kafka until the token is cancelled.
///
/// If Kafka is away, the sink gets nothing, so run a repair from the store beside it. Offsets are committed only after
/// the sink has taken the events in. Processes with the same consumer `group` share the work, so every sink has a group of
/// its own, and two deployments on one Kafka do not share one.
///
/// # Errors
///
/// Fails immediately, not in the returned future, if the settings for Kafka are not usable. Must be called within a
/// tokio runtime.
pub fn follow<S: EventSink>(
    sink: S,
    topic: Topic,
    group: &str,
    token: CancellationToken,
) -> Result<impl Future<Output = ()> + Send + 'static, MessagingError> {
    let consumer = Consumer::new(&topic, group)?;
    Ok(async move {
        tokio::join!(create_topic(&topic, &token), consume(&sink, consumer, &token));
    })
}

/// Retries until the topic exists. The process that starts first creates it.
async fn create_topic(topic: &Topic, token: &CancellationToken) {
    let mut pause = BACKOFF_FIRST;
    while let Err(error) = ensure_topic(topic).await {
        tracing::warn!(topic = topic.name, %error, "the topic does not exist yet");
        if is_cancelled_within(token, pause).await {
            return;
        }
        pause = BACKOFF_MAX.min(pause * 2);
    }
}

async fn consume<S: EventSink>(sink: &S, mut consumer: Consumer, token: &CancellationToken) {
    let mut is_failing = false;
    loop {
        let taken = tokio::select! {
            () = token.cancelled() => break,
            taken = consumer.next_batch(TAKE_EVENTS_MAX, TAKE_INTERVAL) => taken,
        };
        match taken {
            Ok(mut batch) => {
                if std::mem::take(&mut is_failing) {
                    tracing::info!("Kafka delivers events again");
                }
                if !batch.rejected.is_empty() {
                    sink.count_unreadable(batch.rejected.len());
                }
                let events = std::mem::take(&mut batch.events);
                if !feed(sink, by_log(events), token).await {
                    break;
                }
                consumer.commit(&batch);
            }
            Err(error) => {
                if !std::mem::replace(&mut is_failing, true) {
                    tracing::warn!(error = %ErrorChain(&error), "Kafka delivers no events; retrying");
                }
                if is_cancelled_within(token, BACKOFF_FIRST).await {
                    break;
                }
            }
        }
    }
    consumer.close().await;
}

/// Feeds a batch, and retries if the sink fails. Returns false if it gave up because the process ends.
async fn feed<S: EventSink>(
    sink: &S,
    mut pending: HashMap<LogName, Vec<RecordedEvent>>,
    token: &CancellationToken,
) -> bool {
    let mut pause = BACKOFF_FIRST;
    while !pending.is_empty() {
        let results: Vec<_> = stream::iter(pending)
            .map(|(log, events)| {
                let sink = sink.clone();
                // A task each, so that several logs use several cores.
                tokio::spawn(async move {
                    let fed = sink.feed(&log, &events).await;
                    (log, events, fed)
                })
            })
            .buffer_unordered(CONCURRENT_LOGS_MAX)
            .collect()
            .await;
        let first_try = pause == BACKOFF_FIRST;
        pending = results.into_iter().filter_map(|fed| failed(fed, first_try)).collect();
        if !pending.is_empty() {
            if is_cancelled_within(token, pause).await {
                return false;
            }
            pause = BACKOFF_MAX.min(pause * 2);
        }
    }
    true
}

type Fed<E> = (LogName, Vec<RecordedEvent>, Result<(), E>);

/// The events to feed again.
fn failed<E: std::error::Error + 'static>(
    fed: Result<Fed<E>, JoinError>,
    first_try: bool,
) -> Option<(LogName, Vec<RecordedEvent>)> {
    match fed {
        Ok((_, _, Ok(()))) => None,
        Ok((log, events, Err(error))) => {
            // Once for a batch: the same failure is met with every try.
            if first_try {
                tracing::warn!(%log, error = %ErrorChain(&error), "events were not taken in and are fed again");
            }
            Some((log, events))
        }
        Err(panicked) => {
            tracing::error!(%panicked, "events of a log could not be taken in; they are left to the repair");
            None
        }
    }
}

/// The events of each log, ordered by position. A topic may have events twice, after a relay was interrupted. Events with
/// the same position and another hash are of different histories, and all of them are kept in the order of the topic: the
/// sink knows which one is of its log.
fn by_log(events: Vec<(LogName, RecordedEvent)>) -> HashMap<LogName, Vec<RecordedEvent>> {
    let mut logs: HashMap<LogName, Vec<RecordedEvent>> = HashMap::new();
    for (name, event) in events {
        logs.entry(name).or_default().push(event);
    }
    for events in logs.values_mut() {
        let mut seen = HashSet::with_capacity(events.len());
        events.retain(|event| seen.insert((event.position, event.hash)));
        events.sort_by_key(|event| event.position);
    }
    logs
}

async fn is_cancelled_within(token: &CancellationToken, time: Duration) -> bool {
    tokio::select! {
        () = token.cancelled() => true,
        () = sleep(time) => false,
    }
}

#[cfg(test)]
mod tests {
    use recount_core::{EventHash, Position, Tip};
    use uuid::Uuid;

    use super::*;

    fn event(log: &LogName, after: Tip, data: &str) -> RecordedEvent {
        let mut event = RecordedEvent {
            log: log.key(),
            position: after.position.next(),
            id: Uuid::nil(),
            event_type: "counted".to_owned(),
            version: 1,
            tags: Vec::new(),
            data: data.to_owned(),
            meta: "{}".to_owned(),
            recorded_at: chrono::DateTime::UNIX_EPOCH,
            previous: after.hash,
            hash: after.hash,
        };
        event.hash = EventHash::of(after.hash, &event.envelope());
        event
    }

    #[test]
    fn both_histories_of_a_log_reach_the_sink_and_each_event_once() {
        let log: LogName = "main".parse().unwrap();
        let first = event(&log, Tip::origin(Uuid::nil(), &log), "1");
        let lost = event(&log, Tip::at(&first), "2");
        let lost_last = event(&log, Tip::at(&lost), "3");
        let kept = event(&log, Tip::at(&first), "4");
        let foreign = event(&log, Tip::origin(Uuid::max(), &log), "1");
        // The old history, then the new one from its start.
        let topic = [&first, &lost, &lost_last, &first, &kept, &lost, &foreign];
        let fed = by_log(topic.into_iter().map(|event| (log.clone(), event.clone())).collect());
        assert_eq!(fed[&log], [first, foreign, lost, kept, lost_last]);
        assert_eq!(fed[&log][2].position, Position(2));
    }
}
