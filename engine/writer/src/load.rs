//! Step 2: load the entities that the commands of a batch read.

use recount_core::Tag;
use recount_store::{PageLimit, WantedEntity};

use crate::batch::Batch;
use crate::domain::Domain;
use crate::loading::LoadError;
use crate::writer::{AttemptError, Writer};

/// Rounds of asking a domain which entities it needs. A domain that still names more would never end.
pub(crate) const LOAD_ROUNDS_MAX: u8 = 8;

/// A page of events: a statement of some ten milliseconds, which a connection that breaks leaves running in vain, and as
/// much as may have to be read again.
const PAGE: PageLimit = PageLimit { events_max: 10_000, stored_bytes_max: 2 << 20 };

/// No snapshot has this version.
const NO_SNAPSHOT: i16 = i16::MIN;

impl<D: Domain> Writer<D> {
    /// Brings every entity that the commands of the batch read into memory. One query loads all that are missing, unless
    /// their histories are long.
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
                self.load_missing(&missing, batch).await?;
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

    async fn load_missing(&mut self, missing: &[Tag], batch: &Batch<D>) -> Result<(), AttemptError> {
        metrics::counter!("recount_entities_loaded_total").increment(missing.len() as u64);
        let loaded = match self.load_pages(missing, D::SNAPSHOT_VERSION, batch).await {
            Err(LoadError::Snapshot(error)) => {
                tracing::warn!(log = %self.name, %error, "a snapshot cannot be read; the events are read instead");
                self.loader.clear();
                self.load_pages(missing, NO_SNAPSHOT, batch).await
            }
            loaded => loaded,
        };
        match loaded {
            Ok(()) => {
                self.entities.pin_loaded(self.loader.take());
                Ok(())
            }
            Err(LoadError::Store(error)) => Err(error.into()),
            Err(LoadError::TipMoved) => Err(AttemptError::TipMoved),
            Err(LoadError::GivenUp) => Err(AttemptError::GivenUp),
            Err(LoadError::Event(error)) => Err(AttemptError::Refused(error.to_string())),
            Err(LoadError::Snapshot(error)) => Err(AttemptError::Refused(error.to_string())),
        }
    }

    /// Loads entities in pages. Snapshots are saved in between: however long a history is, even a process that is ended
    /// half-way has brought its end nearer.
    async fn load_pages(
        &mut self,
        missing: &[Tag],
        snapshot_version: i16,
        batch: &Batch<D>,
    ) -> Result<(), LoadError> {
        self.loader.begin(missing, &self.tuning);
        loop {
            let (loader, seen) = (&self.loader, &self.seen);
            let wanted =
                |tag| WantedEntity { tag, read: loader.read(tag), last_segment: seen.last_segment(tag) };
            let wanted: Vec<WantedEntity<'_>> = missing.iter().map(wanted).collect();
            let loader = &mut self.loader;
            let read = self
                .store
                .reader()
                .load_entities(self.log, self.tip, &wanted, snapshot_version, PAGE, |row| loader.add_row(row))
                .await?;
            // A decision rests on the history up to one tip, the one that the append compares.
            let Some(read) = read else { return Err(LoadError::TipMoved) };
            self.loader.read_through(read);
            self.save_snapshots(|writer| writer.loader.due_snapshots(&writer.tuning));
            if read >= self.tip.position {
                return Ok(());
            }
            if !batch.is_awaited() {
                return Err(LoadError::GivenUp);
            }
        }
    }
}
