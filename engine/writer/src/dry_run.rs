//! Dry runs: the events that would happen, and their effects.

use std::collections::HashMap;

use recount_core::Tag;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::domain::{Domain, Encoded};
use crate::draft::{Draft, SubmissionDraft, members};
use crate::submission::{Accepted, DraftedEvent, Events};

impl<D: Domain> Draft<'_, D> {
    /// Drafts the events of a dry run for the commands that follow and for the explanation. The drafts are undone at
    /// the end of the submission.
    ///
    /// The explanation reads every entity that the events concern, even one that the decision did not read.
    pub(crate) fn preview(
        &mut self,
        command: &D::Command,
        events: &[D::Event],
        drafted: &mut SubmissionDraft<D>,
    ) -> Accepted {
        let encoded: Vec<Encoded> = events.iter().map(D::encode).collect();
        let before = self.concerned(&encoded, drafted);
        let entities = &mut self.writer.entities;
        // A draft at this position never gets into the log and does not outlive the submission.
        let position = self.prepared.append.next_tip().position;
        for (event, encoded) in events.iter().zip(&encoded) {
            entities.draft(encoded, position, event, &mut drafted.undo);
        }
        let mut answer = members(&D::answer(command));
        if drafted.missing.is_empty() {
            let find_before = |tag: &Tag| before.get(tag)?.as_ref();
            answer.extend(members(&D::explain(events, &find_before, &|tag| entities.find(tag))));
        }
        answer.insert("dry_run".to_owned(), Value::Bool(true));
        let events = encoded.into_iter().map(drafted_event).collect();
        Accepted { position, events: Events::WouldHappen(events), answer }
    }

    /// The entities that the events concern, as they are now. Notes those that are not loaded.
    fn concerned(
        &mut self,
        encoded: &[Encoded],
        drafted: &mut SubmissionDraft<D>,
    ) -> HashMap<Tag, Option<D::Entity>> {
        let writer = &mut *self.writer;
        // An earlier submission of the batch may have changed an entity that was not in memory, and that change is not
        // in memory either. So only the first submission may treat an entity as new.
        let is_first = self.prepared.append.events() == 0;
        let mut concerned = HashMap::new();
        for tag in encoded.iter().flat_map(|event| &event.tags) {
            if is_first {
                writer.pin(tag.clone(), &mut drafted.missing);
            } else if !writer.entities.is_pinned(tag) && !writer.entities.pin_kept(tag) {
                drafted.missing.push(tag.clone());
            }
            if !concerned.contains_key(tag) {
                concerned.insert(tag.clone(), writer.entities.find(tag).cloned());
            }
        }
        concerned
    }
}

fn drafted_event(encoded: Encoded) -> DraftedEvent {
    let Encoded { event_type, version, data, .. } = encoded;
    DraftedEvent { event_type, version, data: RawValue::from_string(data).expect("an event's data is JSON") }
}
