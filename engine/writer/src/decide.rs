//! Step 3: decide the commands of a batch.

use crate::batch::{Batch, PreparedAppend};
use crate::domain::Domain;
use crate::draft::Draft;
use crate::load::LOAD_ROUNDS_MAX;
use crate::writer::{AttemptError, Writer};

impl<D: Domain> Writer<D> {
    /// Decides the commands of the batch one after another, each on what those before it did.
    pub(crate) fn decide(&mut self, batch: &mut Batch<D>) -> Result<PreparedAppend, AttemptError> {
        let mut draft = Draft::new(self);
        let mut outcomes = Vec::new();
        let mut undecided = None;
        let mut first_event_id = None;
        for (index, pending) in batch.submissions().enumerate() {
            match draft.submission(&pending.submission) {
                Ok(outcome) => {
                    first_event_id = first_event_id.or_else(|| draft.first_event_id());
                    draft.record(&pending.submission, &outcome);
                    outcomes.push(outcome);
                }
                Err(missing) => {
                    undecided = Some((index, missing));
                    break;
                }
            }
        }
        let prepared = draft.into_prepared();
        match undecided {
            // An earlier command of the same submission led to this entity, or the events of a dry run concern it.
            Some((0, missing)) => {
                return Err(if batch.want(0, missing) < LOAD_ROUNDS_MAX {
                    AttemptError::Incomplete
                } else {
                    AttemptError::Refused("a decision keeps reading entities that it did not name".to_owned())
                });
            }
            // An earlier submission may have led to it: in the next batch that one is in the log.
            Some((index, _)) => batch.defer_from(index),
            None => {}
        }
        batch.set_decided(outcomes, first_event_id);
        Ok(prepared)
    }
}
