//! The entities that a writer has in memory: those it keeps, and those of the batch in hand.

use std::cell::RefCell;
use std::collections::HashMap;
use std::num::NonZeroUsize;

use lru::LruCache;
use recount_core::{Position, Tag};
use recount_store::{EntityRow, Snapshot, StoreError};

use crate::domain::{Domain, Undecodable};

/// Seeded at random like the standard one, and several times as fast on short keys.
type QuickHasher = lru::DefaultHasher;

/// An entity's state, and the last event that is in it.
#[derive(Debug)]
pub(crate) struct Held<E> {
    state: Option<E>,
    position: Position,
    /// Events since the last snapshot.
    unsaved: u32,
}

impl<E> Held<E> {
    pub(crate) fn nothing() -> Held<E> {
        Held { state: None, position: Position::START, unsaved: 0 }
    }
}

impl<E: Clone> Clone for Held<E> {
    fn clone(&self) -> Held<E> {
        Held { state: self.state.clone(), position: self.position, unsaved: self.unsaved }
    }
}

/// Entities by tag. `kept` outlives a batch; `committed` and `drafted` are of the batch in hand.
///
/// Nothing of a batch in hand can be evicted: a decision that does not find an entity which exists would be wrong.
#[derive(Debug)]
pub(crate) struct Entities<D: Domain> {
    kept: LruCache<Tag, Held<D::Entity>>,
    /// What the batch reads, as it is in the log.
    committed: HashMap<Tag, Held<D::Entity>, QuickHasher>,
    /// What the batch has changed so far.
    drafted: HashMap<Tag, Held<D::Entity>, QuickHasher>,
}

impl<D: Domain> Entities<D> {
    pub(crate) fn new(kept_max: usize) -> Entities<D> {
        // A bounded one would take the memory for all of them at once, for each log.
        let mut kept = LruCache::unbounded();
        kept.resize(NonZeroUsize::new(kept_max).unwrap_or(NonZeroUsize::MIN));
        Entities { kept, committed: HashMap::default(), drafted: HashMap::default() }
    }

    pub(crate) fn is_pinned(&self, tag: &Tag) -> bool {
        self.committed.contains_key(tag)
    }

    /// Brings an entity that is kept into the batch, at any time: had the batch changed it, it would be there already.
    /// Answers whether it was kept.
    pub(crate) fn pin_kept(&mut self, tag: &Tag) -> bool {
        let kept = self.kept.pop(tag);
        let found = kept.is_some();
        self.committed.extend(kept.map(|held| (tag.clone(), held)));
        found
    }

    /// Brings an entity that nothing has happened to into the batch.
    pub(crate) fn pin_new(&mut self, tag: Tag) {
        self.committed.insert(tag, Held::nothing());
    }

    pub(crate) fn pin_loaded(&mut self, loaded: Loading<D>) {
        self.committed.extend(loaded.entities);
    }

    pub(crate) fn find(&self, tag: &Tag) -> Option<&D::Entity> {
        self.drafted.get(tag).or_else(|| self.committed.get(tag))?.state.as_ref()
    }

    /// Like [`Entities::find`], and notes what was asked for and is not in the batch.
    pub(crate) fn find_noting<'a>(&'a self, tag: &Tag, missed: &RefCell<Vec<Tag>>) -> Option<&'a D::Entity> {
        match self.drafted.get(tag).or_else(|| self.committed.get(tag)) {
            Some(held) => held.state.as_ref(),
            None => {
                missed.borrow_mut().push(tag.clone());
                None
            }
        }
    }

    /// Folds a decided event into the entities of the batch; it is not in the log yet. Puts what it replaces on `undo`.
    pub(crate) fn draft(&mut self, tags: &[Tag], position: Position, event: &D::Event, undo: &mut Undo<D>) {
        for tag in tags {
            // Concerned by the event, also if nobody in this batch reads it: what is kept of it stays up to date.
            if !self.is_pinned(tag) && !self.pin_kept(tag) {
                continue;
            }
            let before = self.drafted.get(tag);
            let Some(mut held) = before.or_else(|| self.committed.get(tag)).cloned() else { continue };
            if undo.wanted {
                undo.replaced.push((tag.clone(), before.cloned()));
            }
            D::evolve(tag, &mut held.state, event);
            held.position = position;
            held.unsaved += 1;
            self.drafted.insert(tag.clone(), held);
        }
    }

    /// Takes the drafts of a submission back.
    pub(crate) fn undo(&mut self, undo: Undo<D>) {
        for (tag, before) in undo.replaced.into_iter().rev() {
            match before {
                Some(held) => self.drafted.insert(tag, held),
                None => self.drafted.remove(&tag),
            };
        }
    }

    /// The batch is in the log: its drafts are the truth now.
    pub(crate) fn commit_drafts(&mut self) {
        self.committed.extend(self.drafted.drain());
    }

    /// The batch is not in the log: its drafts are void.
    pub(crate) fn discard_drafts(&mut self) {
        self.drafted.clear();
    }

    /// The batch is over.
    pub(crate) fn put_back(&mut self) {
        self.drafted.clear();
        for (tag, held) in self.committed.drain() {
            if held.state.as_ref().is_some_and(D::is_read_again) {
                self.kept.put(tag, held);
            }
        }
    }

    /// Forgets everything: it will be read from the log again.
    pub(crate) fn clear(&mut self) {
        self.kept.clear();
        self.committed.clear();
        self.drafted.clear();
    }

    /// Folds an event that somebody else appended into what is held of its entities.
    pub(crate) fn catch_up(&mut self, tags: &[Tag], position: Position, event: &D::Event) {
        for tag in tags {
            let held = match self.committed.get_mut(tag) {
                Some(held) => held,
                None => match self.kept.peek_mut(tag) {
                    Some(held) => held,
                    None => continue,
                },
            };
            apply::<D>(tag, held, position, event);
        }
    }

    /// Snapshots of the entities of the batch that have changed often enough since their last one. They count as
    /// saved from now on.
    pub(crate) fn due_snapshots(&mut self, every: u32) -> Vec<Snapshot> {
        let mut due = Vec::new();
        for (tag, held) in &mut self.committed {
            if held.unsaved < every {
                continue;
            }
            if let Some(state) = held.state.as_ref().filter(|state| D::is_snapshotted(state)) {
                held.unsaved = 0;
                due.push(Snapshot {
                    entity: tag.clone(),
                    version: D::SNAPSHOT_VERSION,
                    position: held.position,
                    state: serde_json::to_string(state).expect("an entity has only string keys"),
                });
            }
        }
        due
    }
}

/// An event counts once for an entity: what was loaded may be ahead of the head that the writer knew.
fn apply<D: Domain>(tag: &Tag, held: &mut Held<D::Entity>, position: Position, event: &D::Event) {
    if held.position < position {
        D::evolve(tag, &mut held.state, event);
        held.position = position;
        held.unsaved += 1;
    }
}

/// What a submission's drafts replaced, newest last.
#[derive(Debug)]
pub(crate) struct Undo<D: Domain> {
    wanted: bool,
    replaced: Vec<(Tag, Option<Held<D::Entity>>)>,
}

impl<D: Domain> Undo<D> {
    /// Nothing replaced. Only a dry run, and a submission of several commands, can have to be taken back.
    pub(crate) fn new(wanted: bool) -> Undo<D> {
        Undo { wanted, replaced: Vec::new() }
    }
}

/// Why entities could not be loaded.
#[derive(Debug)]
pub(crate) enum Unreadable {
    /// A snapshot is only a cache: the events tell as well.
    Snapshot(serde_json::Error),
    Event(Undecodable),
    Store(StoreError),
}

impl From<StoreError> for Unreadable {
    fn from(error: StoreError) -> Unreadable {
        Unreadable::Store(error)
    }
}

/// Entities on their way in from the store.
#[derive(Debug)]
pub(crate) struct Loading<D: Domain> {
    entities: HashMap<Tag, Held<D::Entity>>,
}

impl<D: Domain> Loading<D> {
    pub(crate) fn new(tags: &[Tag]) -> Loading<D> {
        Loading { entities: tags.iter().map(|tag| (tag.clone(), Held::nothing())).collect() }
    }

    /// Takes a row of the store in.
    pub(crate) fn take(&mut self, row: EntityRow) -> Result<(), Unreadable> {
        match row {
            EntityRow::Snapshot(snapshot) => {
                if let Some(held) = self.entities.get_mut(&snapshot.entity) {
                    let state = serde_json::from_str(&snapshot.state).map_err(Unreadable::Snapshot)?;
                    *held = Held { state: Some(state), position: snapshot.position, unsaved: 0 };
                }
            }
            EntityRow::Event { position, event_type, version, tags, data } => {
                // A hash may bring an event that concerns none of them.
                if tags.iter().any(|tag| self.entities.contains_key(tag)) {
                    let event = D::decode(&event_type, version, &data).map_err(Unreadable::Event)?;
                    for tag in &tags {
                        if let Some(held) = self.entities.get_mut(tag) {
                            apply::<D>(tag, held, position, &event);
                        }
                    }
                }
            }
        }
        Ok(())
    }
}
