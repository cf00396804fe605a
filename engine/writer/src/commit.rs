//! Step 4: commit the batch, then answer its callers.

use std::time::Instant;

use recount_store::{Appended, Snapshot};

use crate::batch::{Batch, PreparedAppend};
use crate::domain::Domain;
use crate::writer::{AttemptError, STATEMENT_TIMEOUT, Writer};

impl<D: Domain> Writer<D> {
    /// Appends the batch. Once it is durable, its drafts are committed and its callers are answered.
    pub(crate) async fn commit(
        &mut self,
        batch: &mut Batch<D>,
        prepared: &PreparedAppend,
    ) -> Result<(), AttemptError> {
        let started = Instant::now();
        let appended = self.store.append(&prepared.append, STATEMENT_TIMEOUT).await?;
        tracing::debug!(events = prepared.append.events(), tip = %self.tip.position, ?appended, "appended");
        metrics::histogram!("recount_append_seconds").record(started.elapsed());
        metrics::counter!("recount_events_appended_total").increment(prepared.append.events() as u64);
        match appended {
            Appended::TipMoved => return Err(AttemptError::TipMoved),
            Appended::KeyTaken => return Err(AttemptError::KeyTaken),
            Appended::Done => {}
        }
        self.succeed(batch, prepared);
        Ok(())
    }

    fn succeed(&mut self, batch: &mut Batch<D>, prepared: &PreparedAppend) {
        self.entities.commit_drafts(&prepared.append);
        self.tip = prepared.append.next_tip();
        self.frontier = prepared.append.frontier().clone();
        self.recorded_at = prepared.recorded_at;
        self.seen.insert_tags(self.tip.position, &prepared.tags);
        batch.answer_decided(&mut self.seen);
        if prepared.append.events() > 0 {
            self.notifier.notify();
        }
        self.save_snapshots(|writer| writer.entities.due_snapshots(&writer.tuning));
        self.entities.put_back();
    }

    /// Saves the snapshots that are due, in the background. Snapshots are a cache: a failure costs only time.
    pub(crate) fn save_snapshots(&mut self, due: impl FnOnce(&mut Writer<D>) -> Vec<Snapshot>) {
        let Ok(permit) = self.snapshots.clone().try_acquire_owned() else {
            return;
        };
        let due = due(self);
        if due.is_empty() {
            return;
        }
        let (store, log) = (self.store.clone(), self.log);
        tokio::spawn(async move {
            if let Err(error) = store.save_snapshots(log, &due).await {
                tracing::debug!(%error, "snapshots were not saved; later ones will be");
            }
            drop(permit);
        });
    }
}
