//! Entities that are being loaded, page by page.

use std::collections::HashMap;
use std::num::NonZeroUsize;

use lru::LruCache;
use recount_core::{Position, Tag};
use recount_store::{EntityRow, Snapshot, StoreError};

use crate::domain::{Domain, Undecodable};
use crate::entities::{EntityState, Folded, apply};
use crate::tuning::Tuning;

/// Entities that are kept between attempts to load them. Only such with long histories are.
const INTERRUPTED_MAX: NonZeroUsize = NonZeroUsize::new(256).unwrap();

/// Why entities could not be loaded.
#[derive(Debug)]
pub(crate) enum LoadError {
    /// A snapshot is only a cache: the entity can be loaded from its events.
    Snapshot(serde_json::Error),
    Event(Undecodable),
    Store(StoreError),
    /// The log does not end at the tip that the writer stands on.
    TipMoved,
    /// No caller waits any more. The next load goes on where this one was.
    GivenUp,
}

impl From<StoreError> for LoadError {
    fn from(error: StoreError) -> LoadError {
        LoadError::Store(error)
    }
}

/// Builds entities from the rows of the store.
///
/// A load that is interrupted, because callers lose patience, the store does not answer or another process appends, loses
/// nothing: the next one goes on where it was. That holds while the writer stays on one history of its log.
#[derive(Debug)]
pub(crate) struct EntityLoader<D: Domain> {
    entities: HashMap<Tag, Loading<D::Entity>>,
    /// The position up to which this load has read; `None` until the snapshots have been.
    through: Option<Position>,
    /// Entities of loads that were interrupted, if much of them was read.
    interrupted: LruCache<Tag, Loading<D::Entity>>,
}

#[derive(Debug)]
struct Loading<E> {
    entity: EntityState<E>,
    /// The position up to which earlier loads have read; `None` if not even the snapshot was.
    read: Option<Position>,
    folded: Folded,
}

impl<E> Loading<E> {
    fn read(&self, through: Option<Position>) -> Option<Position> {
        match (self.read, through) {
            (None, None) => None,
            (read, through) => read.max(through).max(Some(self.entity.position())),
        }
    }
}

impl<D: Domain> EntityLoader<D> {
    pub(crate) fn new() -> EntityLoader<D> {
        EntityLoader { entities: HashMap::new(), through: None, interrupted: LruCache::new(INTERRUPTED_MAX) }
    }

    /// Begins to load these entities, and goes on with those that an earlier load has read much of.
    pub(crate) fn begin(&mut self, tags: &[Tag], tuning: &Tuning) {
        let through = self.through.take();
        for (tag, mut loading) in self.entities.drain() {
            if loading.folded.is_much(tuning) {
                loading.read = loading.read(through);
                self.interrupted.put(tag, loading);
            }
        }
        for tag in tags {
            let loading = self.interrupted.pop(tag).unwrap_or_else(|| Loading {
                entity: EntityState::empty(),
                read: None,
                folded: Folded::default(),
            });
            self.entities.insert(tag.clone(), loading);
        }
    }

    /// Forgets what was read: the log has another history, or a snapshot cannot be read.
    pub(crate) fn clear(&mut self) {
        self.entities.clear();
        self.interrupted.clear();
        self.through = None;
    }

    /// The position up to which this entity has been read; `None` if not even its snapshot was.
    pub(crate) fn read(&self, tag: &Tag) -> Option<Position> {
        self.entities.get(tag)?.read(self.through)
    }

    /// Notes that a page was read, and with it all events up to this position.
    pub(crate) fn read_through(&mut self, position: Position) {
        self.through = self.through.max(Some(position));
    }

    /// The entities, once they are complete.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = (Tag, EntityState<D::Entity>)> + use<'_, D> {
        self.through = None;
        self.entities.drain().map(|(tag, loading)| (tag, loading.entity))
    }

    /// Snapshots of the entities as far as they are read, where they are due. From now on they count as saved.
    pub(crate) fn due_snapshots(&mut self, tuning: &Tuning) -> Vec<Snapshot> {
        let due =
            |(tag, loading): (&Tag, &mut Loading<D::Entity>)| loading.entity.due_snapshot::<D>(tag, tuning);
        self.entities.iter_mut().filter_map(due).collect()
    }

    /// Adds a row of the store.
    pub(crate) fn add_row(&mut self, row: EntityRow) -> Result<(), LoadError> {
        match row {
            EntityRow::Snapshot(snapshot) => {
                if let Some(loading) = self.entities.get_mut(&snapshot.entity) {
                    let state = serde_json::from_str(&snapshot.state).map_err(LoadError::Snapshot)?;
                    loading.entity = EntityState::of_snapshot(state, snapshot.tip, snapshot.state.len());
                }
            }
            EntityRow::Event { tip, event_type, version, tags, data } => {
                // Because of a colliding hash, an event may concern none of the entities.
                if tags.iter().any(|tag| self.entities.contains_key(tag)) {
                    let event = D::decode(&event_type, version, &data).map_err(LoadError::Event)?;
                    for tag in &tags {
                        if let Some(loading) = self.entities.get_mut(tag) {
                            apply::<D>(tag, &mut loading.entity, tip, &event, data.len());
                            loading.folded.add(data.len());
                        }
                    }
                }
                // Events come in order, so all before this one have been read.
                self.read_through(tip.position);
            }
        }
        Ok(())
    }
}
