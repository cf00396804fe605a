//! The steps of a batch before its commit: recall what has an outcome, load what is needed, decide.

use recount_events::Tag;

use super::batch::{Batch, Prepared};
use super::domain::Domain;
use super::draft::Draft;
use super::entities::{Loading, Unreadable};
use super::writer::{Setback, Writer};

/// Rounds of "what else do you need?" before a domain is taken to ask in circles.
const LOAD_ROUNDS_MAX: u8 = 8;

/// No snapshot has this version.
const NO_SNAPSHOT: i16 = i16::MIN;

impl<D: Domain> Writer<D> {
    /// Answers the submissions that were made before with what was recorded then.
    pub(super) async fn recall(&mut self, batch: &mut Batch<D>) -> Result<(), Setback> {
        let keys = batch.keys_to_look_up(&mut self.seen);
        if !keys.is_empty() {
            let recorded = self.store.outcomes(self.log, &keys).await?;
            batch.answer_recorded(&recorded);
        }
        Ok(())
    }

    /// Brings every entity that the commands of the batch read into memory: those that are not there with one query.
    pub(super) async fn load(&mut self, batch: &Batch<D>) -> Result<(), Setback> {
        for round in 0..LOAD_ROUNDS_MAX {
            let mut more = false;
            let mut missing: Vec<Tag> = Vec::new();
            for tag in batch.submissions().flat_map(|waiting| waiting.wanted()) {
                self.pin(tag.clone(), &mut missing);
            }
            let asked = batch.commands().filter(|command| round == 0 || D::needs_more_when_loaded(command));
            for command in asked {
                for tag in D::needs(command, &|tag| self.entities.find(tag)) {
                    let new = self.pin(tag, &mut missing);
                    more |= new && D::needs_more_when_loaded(command);
                }
            }
            if !missing.is_empty() {
                missing.sort_unstable();
                missing.dedup();
                self.load_missing(&missing).await?;
            }
            if !more {
                return Ok(());
            }
        }
        Err(Setback::Refused("a command needs entities without end".to_owned()))
    }

    /// Brings an entity into the batch, or puts it to those that have to be loaded. Answers whether it was in neither.
    pub(super) fn pin(&mut self, tag: Tag, missing: &mut Vec<Tag>) -> bool {
        if self.entities.is_pinned(&tag) {
            return false;
        }
        if !self.entities.pin_kept(&tag) {
            if self.seen.tag_is_new(&tag) {
                self.entities.pin_new(tag);
            } else {
                missing.push(tag);
            }
        }
        true
    }

    async fn load_missing(&mut self, missing: &[Tag]) -> Result<(), Setback> {
        metrics::counter!("recount_entities_loaded_total").increment(missing.len() as u64);
        let loaded = match self.load_with(missing, D::SNAPSHOT_VERSION).await {
            Err(Unreadable::Snapshot(error)) => {
                tracing::warn!(log = self.log.0, %error, "a snapshot cannot be read; the events are read instead");
                self.load_with(missing, NO_SNAPSHOT).await
            }
            loaded => loaded,
        };
        match loaded {
            Ok(loading) => {
                self.entities.pin_loaded(loading);
                Ok(())
            }
            Err(Unreadable::Store(error)) => Err(error.into()),
            Err(Unreadable::Event(error)) => Err(Setback::Refused(error.to_string())),
            Err(Unreadable::Snapshot(error)) => Err(Setback::Refused(error.to_string())),
        }
    }

    async fn load_with(&self, missing: &[Tag], snapshot_version: i16) -> Result<Loading<D>, Unreadable> {
        let mut loading = Loading::<D>::new(missing);
        self.store.load_entities(self.log, missing, snapshot_version, |row| loading.take(row)).await?;
        Ok(loading)
    }

    /// Decides the commands of the batch one after another, each on what those before it did.
    pub(super) fn decide(&mut self, batch: &mut Batch<D>) -> Result<Prepared, Setback> {
        let mut draft = Draft::new(self);
        let mut outcomes = Vec::new();
        let mut undecided = None;
        let mut first_event_id = None;
        for (index, waiting) in batch.submissions().enumerate() {
            match draft.submission(&waiting.submission) {
                Ok(outcome) => {
                    first_event_id = first_event_id.or_else(|| draft.first_event_id());
                    draft.record(&waiting.submission, &outcome);
                    outcomes.push(outcome);
                }
                Err(missed) => {
                    undecided = Some((index, missed));
                    break;
                }
            }
        }
        let prepared = draft.into_prepared();
        match undecided {
            // It reads an entity because of what an earlier command of its own does, or is a dry run and concerns one.
            Some((0, missed)) => {
                return Err(if batch.want(0, missed) < LOAD_ROUNDS_MAX {
                    Setback::Incomplete
                } else {
                    Setback::Refused("a decision reads ever more entities that it did not name".to_owned())
                });
            }
            // It may be because of what an earlier submission does: in the next batch that is in the log.
            Some((index, _)) => batch.defer_from(index),
            None => {}
        }
        batch.set_decided(outcomes, first_event_id);
        Ok(prepared)
    }
}
