//! Step 2: load the entities that the commands of a batch read.

use recount_core::Tag;

use crate::batch::Batch;
use crate::domain::Domain;
use crate::entities::{EntityLoader, LoadError};
use crate::writer::{AttemptError, Writer};

/// Rounds of asking a domain which entities it needs. A domain that still names more would never end.
pub(crate) const LOAD_ROUNDS_MAX: u8 = 8;

/// No snapshot has this version.
const NO_SNAPSHOT: i16 = i16::MIN;

impl<D: Domain> Writer<D> {
    /// Brings every entity that the commands of the batch read into memory. One query loads all that are missing.
    pub(crate) async fn load(&mut self, batch: &Batch<D>) -> Result<(), AttemptError> {
        for round in 0..LOAD_ROUNDS_MAX {
            let mut more = false;
            let mut missing: Vec<Tag> = Vec::new();
            for tag in batch.submissions().flat_map(|pending| pending.wanted()) {
                self.pin(tag.clone(), &mut missing);
            }
            let asking = batch.commands().filter(|command| round == 0 || D::needs_more_when_loaded(command));
            for command in asking {
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
        Err(AttemptError::Refused("a command names more entities in every round".to_owned()))
    }

    /// Brings an entity into the batch, or adds it to `missing` if it has to be loaded. Returns whether it was not in
    /// the batch before.
    pub(crate) fn pin(&mut self, tag: Tag, missing: &mut Vec<Tag>) -> bool {
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

    async fn load_missing(&mut self, missing: &[Tag]) -> Result<(), AttemptError> {
        metrics::counter!("recount_entities_loaded_total").increment(missing.len() as u64);
        let loaded = match self.load_with(missing, D::SNAPSHOT_VERSION).await {
            Err(LoadError::Snapshot(error)) => {
                tracing::warn!(log = %self.name, %error, "a snapshot cannot be read; the events are read instead");
                self.load_with(missing, NO_SNAPSHOT).await
            }
            loaded => loaded,
        };
        match loaded {
            Ok(loader) => {
                self.entities.pin_loaded(loader);
                Ok(())
            }
            Err(LoadError::Store(error)) => Err(error.into()),
            Err(LoadError::TipMoved) => Err(AttemptError::TipMoved),
            Err(LoadError::Event(error)) => Err(AttemptError::Refused(error.to_string())),
            Err(LoadError::Snapshot(error)) => Err(AttemptError::Refused(error.to_string())),
        }
    }

    async fn load_with(&self, missing: &[Tag], snapshot_version: i16) -> Result<EntityLoader<D>, LoadError> {
        let mut loader = EntityLoader::<D>::new(missing);
        let is_at_tip = self
            .store
            .reader()
            .load_entities(self.log, self.tip, missing, snapshot_version, |row| loader.add_row(row))
            .await?;
        // A decision rests on the history up to one tip, the one that the append compares.
        if is_at_tip { Ok(loader) } else { Err(LoadError::TipMoved) }
    }
}
