//! Applying events that a feed brings. The feed may repeat events, leave gaps, and bring events of other histories: the log
//! in the store is the truth.

use std::borrow::Cow;
use std::collections::HashSet;
use std::time::Duration;

use recount_core::{EventHash, EventSink, LogName, Position, RecordedEvent, Tip};
use tokio::time::{Instant, sleep};

use crate::follow::apply::Applied;
use crate::follow::engine::{CatchUpError, FeedOutcome, ProjectionEngine, TURN_EVENTS_MAX};
use crate::projection::Projection;

/// How long to wait for another process that holds a log. After that, the next look at the store finds the events.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const BUSY_RETRY_INTERVAL: Duration = Duration::from_millis(20);

impl<P: Projection> ProjectionEngine<P> {
    /// Applies events of one log from a feed, in rising order. There may be repeats and gaps.
    ///
    /// Gaps are filled from the store; one of more than a few thousand events is left to the
    /// [repair](crate::repair_from_store), so that other logs are fed meanwhile. Events that the store does not have are
    /// foreign, and are skipped and counted.
    pub async fn apply_feed(
        &self,
        name: &LogName,
        events: &[RecordedEvent],
    ) -> Result<FeedOutcome, CatchUpError> {
        let deadline = Instant::now() + BUSY_TIMEOUT;
        loop {
            let tip = self.tip(name).await?;
            if self.status().is_stopped(name.key()) {
                return Ok(FeedOutcome::Stopped);
            }
            let Some(tip) = tip else {
                self.status().foreign(name, events.len());
                return Ok(FeedOutcome::At(Position::START));
            };
            let fresh = &events[events.partition_point(|event| event.position <= tip.position)..];
            let Some(first) = fresh.first() else { return Ok(FeedOutcome::At(tip.position)) };
            let chain = Chain::of(tip, fresh);
            let outcome = if first.position > tip.position.next() {
                self.fill_gap(name, tip, fresh).await?
            } else if chain.events.is_empty() {
                self.ask_store(name, tip, fresh).await?
            } else {
                self.apply_chain(name, tip, &chain).await?
            };
            match outcome {
                FeedOutcome::At(position) if position > tip.position => {}
                // The build was elsewhere, and is where it was remembered to be no longer.
                FeedOutcome::At(_) if self.tip(name).await? != Some(tip) => {}
                FeedOutcome::Busy if Instant::now() < deadline => sleep(BUSY_RETRY_INTERVAL).await,
                other => return Ok(other),
            }
        }
    }

    async fn apply_chain(
        &self,
        name: &LogName,
        tip: Tip,
        chain: &Chain<'_>,
    ) -> Result<FeedOutcome, CatchUpError> {
        // Anybody who writes to the topic can compute a hash that fits. One hash stands for all before it, so the store is asked
        // for the last one only.
        if let Some(last) = chain.events.last()
            && !self.reader().contains(name.key(), Tip::at(last)).await?
        {
            return self.ask_store(name, tip, &chain.events).await;
        }
        Ok(match self.apply(name, tip, &chain.events).await? {
            Applied::Stored(stored) => {
                self.status().foreign(name, chain.foreign);
                FeedOutcome::At(stored.position)
            }
            Applied::Elsewhere(stored) => {
                FeedOutcome::At(stored.map_or(Position::START, |stored| stored.position))
            }
            Applied::Stopped(..) => FeedOutcome::Stopped,
            Applied::Busy => FeedOutcome::Busy,
        })
    }

    /// Reads from the store the events before the first one of the feed.
    async fn fill_gap(
        &self,
        name: &LogName,
        tip: Tip,
        fresh: &[RecordedEvent],
    ) -> Result<FeedOutcome, CatchUpError> {
        let before = Position(fresh[0].position.0 - 1);
        if before.0 - tip.position.0 > TURN_EVENTS_MAX {
            return Ok(FeedOutcome::At(tip.position));
        }
        let outcome = self.catch_up(name, before).await?;
        if matches!(outcome, FeedOutcome::At(position) if position < before) {
            self.status().foreign(name, fresh.len());
        }
        Ok(outcome)
    }

    /// No event, or more than one, follows from the tip: those at the next position are foreign or forged, or the log was
    /// rewritten. The store knows, and has the event that belongs there.
    async fn ask_store(
        &self,
        name: &LogName,
        tip: Tip,
        fresh: &[RecordedEvent],
    ) -> Result<FeedOutcome, CatchUpError> {
        let end = fresh.last().map_or(tip.position, |last| last.position);
        let until = end.min(Position(tip.position.0.saturating_add(TURN_EVENTS_MAX)));
        let outcome = self.catch_up(name, until).await?;
        if matches!(outcome, FeedOutcome::At(_)) {
            self.status().foreign(name, foreign(tip, fresh));
        }
        Ok(outcome)
    }
}

/// The events of a feed that follow from a tip.
struct Chain<'a> {
    events: Cow<'a, [RecordedEvent]>,
    /// The events beside them that do not.
    foreign: usize,
}

impl<'a> Chain<'a> {
    /// Takes each event that is unchanged and follows from the one before it, as far as no other one follows too.
    fn of(tip: Tip, events: &'a [RecordedEvent]) -> Chain<'a> {
        let (mut tip, mut taken, mut passed, mut foreign) = (tip, Vec::new(), 0, 0);
        for rivals in events.chunk_by(|one, other| one.position == other.position) {
            let mut following = rivals.iter().filter(|event| tip.leads_to(event));
            let Some(next) = following.next() else { break };
            if following.any(|other| other.hash != next.hash) {
                break;
            }
            foreign += rivals.iter().filter(|event| **event != *next).count();
            passed += rivals.len();
            taken.push(next);
            tip = Tip::at(next);
        }
        let events = if taken.len() == passed {
            Cow::Borrowed(&events[..passed])
        } else {
            Cow::Owned(taken.into_iter().cloned().collect())
        };
        Chain { events, foreign }
    }
}

/// How many events at the first position do not follow from the tip, or follow from such a one. If several follow from the
/// tip, one of them may be true.
fn foreign(tip: Tip, events: &[RecordedEvent]) -> usize {
    let mut hashes: HashSet<EventHash> = HashSet::new();
    let (mut foreign, mut following) = (0, 0);
    for event in events {
        let is_first = event.position == events[0].position;
        if is_first && tip.leads_to(event) {
            following += 1;
        } else if is_first || hashes.contains(&event.previous) {
            foreign += 1;
            // A forged event may bear the hash of a true one.
            if event.is_authentic() {
                hashes.insert(event.hash);
            }
        }
    }
    foreign + usize::max(following, 1) - 1
}

impl<P: Projection> EventSink for ProjectionEngine<P> {
    type Error = CatchUpError;

    async fn feed(&self, log: &LogName, events: &[RecordedEvent]) -> Result<(), CatchUpError> {
        match self.apply_feed(log, events).await {
            // A log that is stopped, far behind or held by another process is not fed again: the repair applies its events.
            Ok(_) => {
                self.status().log_works(log.key());
                self.status().mark_healthy();
                Ok(())
            }
            // Nor is a log with an error of its own, which would hold up the others.
            Err(error) if error.concerns_one_log() => {
                self.status().log_failed(log, &error);
                Ok(())
            }
            Err(error) => {
                self.status().failed(&error);
                Err(error)
            }
        }
    }

    fn count_unreadable(&self, records: usize) {
        metrics::counter!("recount_projection_rejected_records_total", "build" => self.build().to_owned())
            .increment(records as u64);
    }
}
