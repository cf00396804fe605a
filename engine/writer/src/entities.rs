//! The entities in the memory of a writer: those that it keeps, and those of the current batch.
//!
//! Those that are being loaded are in `loading.rs`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::num::NonZeroUsize;

use lru::LruCache;
use recount_core::{EventHash, Position, RecordedEvent, Tag, Tip};
use recount_store::{Append, Snapshot};
use serde::Serialize;

use crate::domain::{Domain, Encoded};
use crate::tuning::Tuning;

/// Randomly seeded like the standard hasher, and several times as fast for short keys.
type QuickHasher = lru::DefaultHasher;

/// The state of an entity, and the last event in it.
#[derive(Debug)]
pub(crate) struct EntityState<E> {
    state: Option<E>,
    position: Position,
    /// The hash of that event; `None` as long as it is a draft, and before the first event.
    hash: Option<EventHash>,
    /// What was folded since the last snapshot.
    unsaved: Folded,
    /// The size of the last snapshot.
    snapshot_bytes: usize,
}

/// How much was folded into an entity.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Folded {
    pub events: u32,
    /// Of event data.
    pub bytes: usize,
}

impl Folded {
    pub(crate) fn add(&mut self, event_bytes: usize) {
        self.events = self.events.saturating_add(1);
        self.bytes = self.bytes.saturating_add(event_bytes);
    }

    /// Whether it is so much that it should not have to be read again.
    pub(crate) fn is_much(self, tuning: &Tuning) -> bool {
        self.events >= tuning.snapshot_every || self.bytes >= tuning.snapshot_bytes
    }
}

impl<E> EntityState<E> {
    pub(crate) fn empty() -> EntityState<E> {
        EntityState {
            state: None,
            position: Position::START,
            hash: None,
            unsaved: Folded::default(),
            snapshot_bytes: 0,
        }
    }

    /// The state that a snapshot has.
    pub(crate) fn of_snapshot(state: E, tip: Tip, bytes: usize) -> EntityState<E> {
        EntityState {
            state: Some(state),
            position: tip.position,
            hash: Some(tip.hash),
            unsaved: Folded::default(),
            snapshot_bytes: bytes,
        }
    }

    pub(crate) fn position(&self) -> Position {
        self.position
    }

    /// A snapshot, if one is due. From now on the entity counts as saved. A state that is larger than the events that would
    /// make a snapshot due waits until as much was folded, so that snapshots never cost more than the events did.
    pub(crate) fn due_snapshot<D>(&mut self, tag: &Tag, tuning: &Tuning) -> Option<Snapshot>
    where
        D: Domain<Entity = E>,
        E: Serialize,
    {
        if !self.unsaved.is_much(tuning)
            || (self.unsaved.events < tuning.snapshot_every && self.unsaved.bytes < self.snapshot_bytes)
        {
            return None;
        }
        let state = self.state.as_ref().filter(|state| D::is_snapshotted(state))?;
        let tip = Tip { position: self.position, hash: self.hash? };
        let state = serde_json::to_string(state).expect("an entity has only string keys");
        self.unsaved = Folded::default();
        self.snapshot_bytes = state.len();
        Some(Snapshot { entity: tag.clone(), version: D::SNAPSHOT_VERSION, tip, state })
    }
}

impl<E: Clone> Clone for EntityState<E> {
    fn clone(&self) -> EntityState<E> {
        let EntityState { position, hash, unsaved, snapshot_bytes, .. } = *self;
        EntityState { state: self.state.clone(), position, hash, unsaved, snapshot_bytes }
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

    pub(crate) fn pin_loaded(&mut self, loaded: impl IntoIterator<Item = (Tag, EntityState<D::Entity>)>) {
        self.committed.extend(loaded);
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
    pub(crate) fn draft(
        &mut self,
        encoded: &Encoded,
        position: Position,
        event: &D::Event,
        undo: &mut Undo<D>,
    ) {
        for tag in &encoded.tags {
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
            entity.unsaved.add(encoded.data.len());
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
    pub(crate) fn catch_up(&mut self, recorded: &RecordedEvent, event: &D::Event) {
        for tag in &recorded.tags {
            let entity = match self.committed.get_mut(tag) {
                Some(entity) => entity,
                None => match self.kept.peek_mut(tag) {
                    Some(entity) => entity,
                    None => continue,
                },
            };
            apply::<D>(tag, entity, Tip::at(recorded), event, recorded.data.len());
        }
    }

    /// Snapshots of those entities of the batch that have changed enough since their last snapshot. From now on they count
    /// as saved.
    pub(crate) fn due_snapshots(&mut self, tuning: &Tuning) -> Vec<Snapshot> {
        let due = |(tag, entity): (&Tag, &mut EntityState<D::Entity>)| entity.due_snapshot::<D>(tag, tuning);
        self.committed.iter_mut().filter_map(due).collect()
    }
}

/// Folds an event into an entity, unless the entity has it already: an event that concerns several entities may precede
/// the snapshot of one of them.
pub(crate) fn apply<D: Domain>(
    tag: &Tag,
    entity: &mut EntityState<D::Entity>,
    tip: Tip,
    event: &D::Event,
    event_bytes: usize,
) {
    if entity.position < tip.position {
        D::evolve(tag, &mut entity.state, event);
        (entity.position, entity.hash) = (tip.position, Some(tip.hash));
        entity.unsaved.add(event_bytes);
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
