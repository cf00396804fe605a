//! The entities in the memory of a writer: those that it keeps, and those of the current batch.

use std::cell::RefCell;
use std::collections::HashMap;
use std::num::NonZeroUsize;

use lru::LruCache;
use recount_core::{EventHash, Position, Tag, Tip};
use recount_store::{Append, EntityRow, Snapshot, StoreError};

use crate::domain::{Domain, Undecodable};

/// Randomly seeded like the standard hasher, and several times as fast for short keys.
type QuickHasher = lru::DefaultHasher;

/// The state of an entity, and the last event in it.
#[derive(Debug)]
pub(crate) struct EntityState<E> {
    state: Option<E>,
    position: Position,
    /// The hash of that event; `None` as long as it is a draft, and before the first event.
    hash: Option<EventHash>,
    /// Events since the last snapshot.
    unsaved: u32,
}

impl<E> EntityState<E> {
    pub(crate) fn empty() -> EntityState<E> {
        EntityState { state: None, position: Position::START, hash: None, unsaved: 0 }
    }
}

impl<E: Clone> Clone for EntityState<E> {
    fn clone(&self) -> EntityState<E> {
        let EntityState { position, hash, unsaved, .. } = *self;
        EntityState { state: self.state.clone(), position, hash, unsaved }
    }
}

/// Entities by tag. `kept` outlives a batch; `committed` and `drafted` belong to the current batch.
///
/// No entity of the current batch can be evicted: a decision would be wrong if it did not find an entity that exists.
#[derive(Debug)]
pub(crate) struct Entities<D: Domain> {
    kept: LruCache<Tag, EntityState<D::Entity>>,
    /// The entities that the batch reads, as they are in the log.
    committed: HashMap<Tag, EntityState<D::Entity>, QuickHasher>,
    /// The entities that the batch has changed so far.
    drafted: HashMap<Tag, EntityState<D::Entity>, QuickHasher>,
}

impl<D: Domain> Entities<D> {
    pub(crate) fn new(kept_max: usize) -> Entities<D> {
        // A cache that is bounded from the start would allocate memory for all entities at once, for each log.
        let mut kept = LruCache::unbounded();
        kept.resize(NonZeroUsize::new(kept_max).unwrap_or(NonZeroUsize::MIN));
        Entities { kept, committed: HashMap::default(), drafted: HashMap::default() }
    }

    pub(crate) fn is_pinned(&self, tag: &Tag) -> bool {
        self.committed.contains_key(tag)
    }

    /// Moves a kept entity into the batch. This is correct at any time: an entity that the batch has changed is in it
    /// already. Returns whether the entity was kept.
    pub(crate) fn pin_kept(&mut self, tag: &Tag) -> bool {
        let kept = self.kept.pop(tag);
        let found = kept.is_some();
        self.committed.extend(kept.map(|entity| (tag.clone(), entity)));
        found
    }

    /// Brings an entity without events into the batch.
    pub(crate) fn pin_new(&mut self, tag: Tag) {
        self.committed.insert(tag, EntityState::empty());
    }

    pub(crate) fn pin_loaded(&mut self, loader: EntityLoader<D>) {
        self.committed.extend(loader.entities);
    }

    pub(crate) fn find(&self, tag: &Tag) -> Option<&D::Entity> {
        self.drafted.get(tag).or_else(|| self.committed.get(tag))?.state.as_ref()
    }

    /// Like [`Entities::find`], and adds the tag to `missing` if the entity is not in the batch.
    pub(crate) fn find_or_note<'a>(
        &'a self,
        tag: &Tag,
        missing: &RefCell<Vec<Tag>>,
    ) -> Option<&'a D::Entity> {
        match self.drafted.get(tag).or_else(|| self.committed.get(tag)) {
            Some(entity) => entity.state.as_ref(),
            None => {
                missing.borrow_mut().push(tag.clone());
                None
            }
        }
    }

    /// Folds a decided event, which is not in the log yet, into the entities of the batch. Adds the previous states to
    /// `undo`.
    pub(crate) fn draft(&mut self, tags: &[Tag], position: Position, event: &D::Event, undo: &mut Undo<D>) {
        for tag in tags {
            // The event concerns this entity even if no command of the batch reads it, so its kept state has to change.
            if !self.is_pinned(tag) && !self.pin_kept(tag) {
                continue;
            }
            let before = self.drafted.get(tag);
            let Some(mut entity) = before.or_else(|| self.committed.get(tag)).cloned() else { continue };
            if undo.is_needed {
                undo.replaced.push((tag.clone(), before.cloned()));
            }
            D::evolve(tag, &mut entity.state, event);
            (entity.position, entity.hash) = (position, None);
            entity.unsaved += 1;
            self.drafted.insert(tag.clone(), entity);
        }
    }

    /// Undoes the drafts of a submission.
    pub(crate) fn undo(&mut self, undo: Undo<D>) {
        for (tag, before) in undo.replaced.into_iter().rev() {
            match before {
                Some(entity) => self.drafted.insert(tag, entity),
                None => self.drafted.remove(&tag),
            };
        }
    }

    /// Makes the drafts committed: the batch is in the log.
    pub(crate) fn commit_drafts(&mut self, batch: &Append) {
        self.committed.extend(self.drafted.drain().map(|(tag, mut entity)| {
            entity.hash = batch.hash_at(entity.position);
            (tag, entity)
        }));
    }

    /// Drops the drafts: the batch is not in the log.
    pub(crate) fn discard_drafts(&mut self) {
        self.drafted.clear();
    }

    /// Ends the batch, and keeps the entities that later commands will read.
    pub(crate) fn put_back(&mut self) {
        self.drafted.clear();
        for (tag, entity) in self.committed.drain() {
            if entity.state.as_ref().is_some_and(D::is_read_again) {
                self.kept.put(tag, entity);
            }
        }
    }

    /// Forgets all entities, so that they are read from the log again.
    pub(crate) fn clear(&mut self) {
        self.kept.clear();
        self.committed.clear();
        self.drafted.clear();
    }

    /// Folds an event that another process appended into its entities, if they are in memory.
    pub(crate) fn catch_up(&mut self, tags: &[Tag], tip: Tip, event: &D::Event) {
        for tag in tags {
            let entity = match self.committed.get_mut(tag) {
                Some(entity) => entity,
                None => match self.kept.peek_mut(tag) {
                    Some(entity) => entity,
                    None => continue,
                },
            };
            apply::<D>(tag, entity, tip, event);
        }
    }

    /// Snapshots of those entities of the batch that have changed often enough since their last snapshot. From now on
    /// they count as saved.
    pub(crate) fn due_snapshots(&mut self, every: u32) -> Vec<Snapshot> {
        let mut due = Vec::new();
        for (tag, entity) in &mut self.committed {
            if entity.unsaved < every {
                continue;
            }
            let state = entity.state.as_ref().filter(|state| D::is_snapshotted(state));
            if let (Some(state), Some(hash)) = (state, entity.hash) {
                entity.unsaved = 0;
                due.push(Snapshot {
                    entity: tag.clone(),
                    version: D::SNAPSHOT_VERSION,
                    tip: Tip { position: entity.position, hash },
                    state: serde_json::to_string(state).expect("an entity has only string keys"),
                });
            }
        }
        due
    }
}

/// Folds an event into an entity, unless the entity has it already: an event that concerns several entities may precede
/// the snapshot of one of them.
fn apply<D: Domain>(tag: &Tag, entity: &mut EntityState<D::Entity>, tip: Tip, event: &D::Event) {
    if entity.position < tip.position {
        D::evolve(tag, &mut entity.state, event);
        (entity.position, entity.hash) = (tip.position, Some(tip.hash));
        entity.unsaved += 1;
    }
}

/// The states that the drafts of a submission replaced, the newest last.
#[derive(Debug)]
pub(crate) struct Undo<D: Domain> {
    is_needed: bool,
    replaced: Vec<(Tag, Option<EntityState<D::Entity>>)>,
}

impl<D: Domain> Undo<D> {
    /// Nothing is replaced yet. Only a dry run or a submission of several commands may have to be undone.
    pub(crate) fn new(is_needed: bool) -> Undo<D> {
        Undo { is_needed, replaced: Vec::new() }
    }
}

/// Why entities could not be loaded.
#[derive(Debug)]
pub(crate) enum LoadError {
    /// A snapshot is only a cache: the entity can be loaded from its events.
    Snapshot(serde_json::Error),
    Event(Undecodable),
    Store(StoreError),
    /// The log does not end at the tip that the writer stands on.
    TipMoved,
}

impl From<StoreError> for LoadError {
    fn from(error: StoreError) -> LoadError {
        LoadError::Store(error)
    }
}

/// Builds entities from the rows of the store.
#[derive(Debug)]
pub(crate) struct EntityLoader<D: Domain> {
    entities: HashMap<Tag, EntityState<D::Entity>>,
}

impl<D: Domain> EntityLoader<D> {
    pub(crate) fn new(tags: &[Tag]) -> EntityLoader<D> {
        EntityLoader { entities: tags.iter().map(|tag| (tag.clone(), EntityState::empty())).collect() }
    }

    /// Adds a row of the store.
    pub(crate) fn add_row(&mut self, row: EntityRow) -> Result<(), LoadError> {
        match row {
            EntityRow::Snapshot(snapshot) => {
                if let Some(entity) = self.entities.get_mut(&snapshot.entity) {
                    let state = serde_json::from_str(&snapshot.state).map_err(LoadError::Snapshot)?;
                    let Tip { position, hash } = snapshot.tip;
                    *entity = EntityState { state: Some(state), position, hash: Some(hash), unsaved: 0 };
                }
            }
            EntityRow::Event { tip, event_type, version, tags, data } => {
                // Because of a colliding hash, an event may concern none of the entities.
                if tags.iter().any(|tag| self.entities.contains_key(tag)) {
                    let event = D::decode(&event_type, version, &data).map_err(LoadError::Event)?;
                    for tag in &tags {
                        if let Some(entity) = self.entities.get_mut(tag) {
                            apply::<D>(tag, entity, tip, &event);
                        }
                    }
                }
            }
        }
        Ok(())
    }
}
