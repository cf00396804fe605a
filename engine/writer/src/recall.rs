//! Step 1: answer the submissions that have an outcome already.

use crate::batch::Batch;
use crate::domain::Domain;
use crate::writer::{AttemptError, Writer};

impl<D: Domain> Writer<D> {
    /// Answers each submission whose key has a recorded outcome with that outcome.
    pub(crate) async fn recall(&mut self, batch: &mut Batch<D>) -> Result<(), AttemptError> {
        let keys = batch.keys_to_look_up(&mut self.seen);
        if !keys.is_empty() {
            let recorded = self.store.reader().outcomes(self.log, &keys).await?;
            if !recorded.is_empty() {
                self.seen.keys.found();
            }
            batch.answer_recorded(&recorded, self.log_id);
        }
        Ok(())
    }
}
