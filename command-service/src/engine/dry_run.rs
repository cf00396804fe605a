//! What a dry run is told: the events that would happen, and what they would do.

use std::collections::HashMap;

use recount_events::Tag;
use serde_json::Value;
use serde_json::value::RawValue;

use super::domain::{Domain, Encoded};
use super::draft::{Draft, Progress};
use super::submission::{Accepted, DraftedEvent, Events};

impl<D: Domain> Draft<'_, D> {
    /// Drafts what a command of a dry run would bring about, for the commands that follow it and the explanation. The
    /// submission takes it back.
    ///
    /// The explanation takes every entity that the events concern, also one that the decision did not read.
    pub(super) fn preview(
        &mut self,
        command: &D::Command,
        events: &[D::Event],
        progress: &mut Progress<D>,
    ) -> Accepted {
        let encoded: Vec<Encoded> = events.iter().map(D::encode).collect();
        let before = self.concerned(&encoded, progress);
        let entities = &mut self.writer.entities;
        // What is drafted at this position does not get into the log, nor outlive the submission.
        let position = self.prepared.append.next_position();
        for (event, Encoded { tags, .. }) in events.iter().zip(&encoded) {
            entities.draft(tags, position, event, &mut progress.undo);
        }
        let mut answer = D::answer(command);
        if progress.missed.is_empty() {
            let find_before = |tag: &Tag| before.get(tag)?.as_ref();
            answer.extend(D::explain(events, &find_before, &|tag| entities.find(tag)));
        }
        answer.insert("dry_run".to_owned(), Value::Bool(true));
        let drafted = encoded.into_iter().map(drafted).collect();
        Accepted { position, events: Events::WouldHappen(drafted), answer }
    }

    /// The entities that the events concern, as they are now. Notes those that are not loaded.
    fn concerned(
        &mut self,
        encoded: &[Encoded],
        progress: &mut Progress<D>,
    ) -> HashMap<Tag, Option<D::Entity>> {
        let writer = &mut *self.writer;
        // What an earlier submission of the batch did to an entity that was not in memory, nobody has kept.
        let is_first = self.prepared.append.events() == 0;
        let mut concerned = HashMap::new();
        for tag in encoded.iter().flat_map(|event| &event.tags) {
            if is_first {
                writer.pin(tag.clone(), &mut progress.missed);
            } else if !writer.entities.is_pinned(tag) && !writer.entities.pin_kept(tag) {
                progress.missed.push(tag.clone());
            }
            if !concerned.contains_key(tag) {
                concerned.insert(tag.clone(), writer.entities.find(tag).cloned());
            }
        }
        concerned
    }
}

fn drafted(encoded: Encoded) -> DraftedEvent {
    let Encoded { event_type, version, data, .. } = encoded;
    DraftedEvent { event_type, version, data: RawValue::from_string(data).expect("an event's data is JSON") }
}
