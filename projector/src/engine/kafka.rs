//! Kafka as a source: the fast path, with the store behind it for whatever Kafka does not bring.

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use recount_events::{LogKey, LogName, Position, RecordedEvent};
use recount_messaging::{Batch, Consumer, MessagingError, Topic, ensure_topic};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::catch_up::{Engine, Setback};
use super::projection::Projection;
use super::sweep::Sweep;

/// Events taken from Kafka at once: some batches of some logs.
const TAKE_EVENTS_MAX: usize = 5_000;
const TAKE_TIME_MAX: Duration = Duration::from_millis(500);
/// Logs that are written at the same time.
const CONCURRENT_LOGS_MAX: usize = 4;
/// After a failure; doubled each time up to the maximum.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// A log whose head has been ahead for this long, with nothing coming, is repaired from the store.
const REPAIR_INTERVAL: Duration = Duration::from_secs(2);

/// Keeps a build up to date from Kafka until the token is cancelled, and from the store where Kafka brings nothing.
///
/// A Kafka that is not there is no error: until it comes, the repairs keep the build at most some seconds behind.
///
/// Fails at once, before there is anything to await, if the settings for Kafka are not usable. Must be called within
/// a tokio runtime.
pub fn follow_kafka<P: Projection>(
    engine: Engine<P>,
    topic: Topic,
    token: CancellationToken,
) -> Result<impl Future<Output = ()> + Send + 'static, MessagingError> {
    // With the topic in its name, two deployments on one Kafka do not share a group.
    let group = format!("recount-projector-{}-{}", engine.build(), topic.name);
    let consumer = Consumer::new(&topic, &group)?;
    Ok(async move {
        tokio::join!(make_topic(&topic, &token), consume(&engine, consumer, &token), repair(&engine, &token));
    })
}

/// Tries until there is a topic: whoever starts first makes it.
async fn make_topic(topic: &Topic, token: &CancellationToken) {
    let mut pause = PAUSE_MIN;
    while let Err(error) = ensure_topic(topic).await {
        tracing::warn!(topic = topic.name, %error, "there is no topic yet; the store is read instead");
        if is_cancelled_within(token, pause).await {
            return;
        }
        pause = PAUSE_MAX.min(pause * 2);
    }
}

async fn consume<P: Projection>(engine: &Engine<P>, mut consumer: Consumer, token: &CancellationToken) {
    let mut out_of_order = false;
    loop {
        let taken = tokio::select! {
            () = token.cancelled() => break,
            taken = consumer.next_batch(TAKE_EVENTS_MAX, TAKE_TIME_MAX) => taken,
        };
        match taken {
            Ok(mut batch) => {
                if std::mem::take(&mut out_of_order) {
                    tracing::info!("Kafka answers again");
                }
                count_rejected(engine, &batch);
                let events = std::mem::take(&mut batch.events);
                if !apply(engine, by_log(events), token).await {
                    break;
                }
                consumer.commit(&batch);
            }
            Err(error) => {
                if !std::mem::replace(&mut out_of_order, true) {
                    let reason = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::warn!(%error, reason, "Kafka brings nothing; the store is read instead");
                }
                if is_cancelled_within(token, PAUSE_MIN).await {
                    break;
                }
            }
        }
    }
    consumer.close().await;
}

/// Applies a batch, however often the database fails. False if it was given up because the process ends.
async fn apply<P: Projection>(
    engine: &Engine<P>,
    mut waiting: HashMap<LogName, Vec<RecordedEvent>>,
    token: &CancellationToken,
) -> bool {
    let mut pause = PAUSE_MIN;
    while !waiting.is_empty() {
        let results: Vec<_> = stream::iter(waiting)
            .map(|(name, events)| {
                let engine = engine.clone();
                // A task each, so that several logs use several cores.
                tokio::spawn(async move {
                    let outcome = engine.feed(&name, &events).await;
                    (name, events, outcome)
                })
            })
            .buffer_unordered(CONCURRENT_LOGS_MAX)
            .collect()
            .await;
        waiting = results.into_iter().filter_map(|fed| held_up(engine, fed)).collect();
        if !waiting.is_empty() {
            if is_cancelled_within(token, pause).await {
                return false;
            }
            pause = PAUSE_MAX.min(pause * 2);
        }
    }
    true
}

type Fed = (LogName, Vec<RecordedEvent>, Result<super::Outcome, Setback>);

/// What is to be tried again. A log that is stopped or in other hands is not: the repairs see to it.
fn held_up<P: Projection>(
    engine: &Engine<P>,
    fed: Result<Fed, tokio::task::JoinError>,
) -> Option<(LogName, Vec<RecordedEvent>)> {
    match fed {
        Ok((_, _, Ok(_))) => {
            engine.status().works();
            None
        }
        Ok((name, events, Err(setback))) => {
            engine.status().failed(&setback);
            Some((name, events))
        }
        Err(panicked) => {
            tracing::error!(%panicked, "events of a log could not be applied; they are left to the repairs");
            None
        }
    }
}

/// The events of each log in rising order. A topic may hold a stretch twice, after a relay was interrupted.
fn by_log(events: Vec<(LogName, RecordedEvent)>) -> HashMap<LogName, Vec<RecordedEvent>> {
    let mut logs: HashMap<LogName, Vec<RecordedEvent>> = HashMap::new();
    for (name, event) in events {
        logs.entry(name).or_default().push(event);
    }
    for events in logs.values_mut() {
        events.sort_by_key(|event| event.position);
        events.dedup_by_key(|event| event.position);
    }
    logs
}

fn count_rejected<P: Projection>(engine: &Engine<P>, batch: &Batch) {
    if !batch.rejected.is_empty() {
        metrics::counter!("recount_projection_rejected_records_total", "build" => engine.build().to_owned())
            .increment(batch.rejected.len() as u64);
    }
}

/// Reads from the store what Kafka did not bring: it is gone, the topic is lost, its records have expired.
async fn repair<P: Projection>(engine: &Engine<P>, token: &CancellationToken) {
    let mut sweep = Sweep::new(engine.clone(), token.clone());
    // Where head and build were at the last look.
    let mut last: HashMap<LogKey, (Position, Position)> = HashMap::new();
    loop {
        match look(engine, &mut sweep).await {
            Ok(()) => {
                let stuck = sweep.due().into_iter().filter(|log| {
                    let at = engine.applied(*log);
                    last.get(log).is_some_and(|(head, before)| at == *before && at < *head)
                });
                let stuck: Vec<LogKey> = stuck.collect();
                if !stuck.is_empty() {
                    tracing::debug!(logs = stuck.len(), "read from the store what Kafka did not bring");
                    // One turn after another, as long as it helps.
                    while sweep.bring_forward(&stuck).await && !token.is_cancelled() {}
                }
            }
            Err(setback) => {
                engine.status().failed(&setback);
                sweep.forget();
            }
        }
        last =
            sweep.behind().iter().map(|(log, behind)| (*log, (behind.head, engine.applied(*log)))).collect();
        if is_cancelled_within(token, REPAIR_INTERVAL).await {
            return;
        }
    }
}

/// Looks where the heads are, and where the build is now: other members of the group move it too.
async fn look<P: Projection>(engine: &Engine<P>, sweep: &mut Sweep<P>) -> Result<(), Setback> {
    sweep.look().await?;
    let behind: Vec<i64> = sweep.behind().keys().map(|log| log.0).collect();
    if behind.is_empty() {
        engine.status().works();
    } else {
        engine.refresh(Some(&behind)).await?;
        sweep.settle();
    }
    Ok(())
}

async fn is_cancelled_within(token: &CancellationToken, time: Duration) -> bool {
    tokio::select! {
        () = token.cancelled() => true,
        () = sleep(time) => false,
    }
}
