//! Before the first batch: opening a log.

use std::sync::Arc;

use recount_core::LogName;
use recount_store::Log;
use tokio::sync::Semaphore;

use crate::domain::Domain;
use crate::entities::Entities;
use crate::loading::EntityLoader;
use crate::pending::PendingSubmission;
use crate::seen::SeenFilter;
use crate::submission::SubmitError;
use crate::tag_history::TagSource;
use crate::writer::{AttemptError, Backoff, Context, STATEMENT_TIMEOUT, Writer, within};

impl<D: Domain> Writer<D> {
    /// Opens the log for these submissions, and retries while one of them has time left. If it returns no writer, it
    /// has answered all of them.
    pub(crate) async fn open_for(
        context: &Context,
        log: &LogName,
        pending: &mut Vec<PendingSubmission<D>>,
    ) -> Option<Writer<D>> {
        let mut backoff = Backoff::default();
        loop {
            refuse(pending, PendingSubmission::is_overdue, &SubmitError::Unavailable);
            if pending.is_empty() {
                return None;
            }
            let refusal = match within(STATEMENT_TIMEOUT, Writer::open(context, log)).await {
                Ok(Some(opened)) => return Some(opened),
                Ok(None) => SubmitError::LogUnknown,
                Err(AttemptError::Refused(reason)) => {
                    tracing::error!(%log, reason, "a log cannot be opened");
                    SubmitError::Internal
                }
                Err(error) => {
                    tracing::warn!(%log, ?error, "a log cannot be opened yet; it is tried again");
                    backoff.pause().await;
                    continue;
                }
            };
            refuse(pending, |_| true, &refusal);
        }
    }

    pub(crate) async fn open(context: &Context, log: &LogName) -> Result<Option<Writer<D>>, AttemptError> {
        let Context { store, tuning, history_reads, filter_memory, .. } = context;
        // Another name may have the same key.
        let found = store.reader().log(log.key()).await?.filter(|found| found.name == *log);
        let Some(Log { key, id, name, tip, fence, recorded_at }) = found else {
            return Ok(None);
        };
        let frontier = store.reader().frontier(key, tip).await?;
        let tags = TagSource {
            store: store.clone(),
            log: key,
            memory: filter_memory.clone(),
            history_reads: history_reads.clone(),
        };
        Ok(Some(Writer {
            log: key,
            log_id: id,
            name,
            store: store.clone(),
            environment: context.environment.clone(),
            tuning: tuning.clone(),
            tip,
            frontier,
            fence,
            recorded_at,
            entities: Entities::new(tuning.entities_max),
            loader: EntityLoader::new(),
            seen: SeenFilter::new(tags, tip.position),
            notifier: context.notifier.clone(),
            snapshots: Arc::new(Semaphore::new(1)),
        }))
    }
}

fn refuse<D: Domain>(
    pending: &mut Vec<PendingSubmission<D>>,
    which: impl Fn(&PendingSubmission<D>) -> bool,
    error: &SubmitError,
) {
    pending
        .extract_if(.., |pending| which(pending))
        .for_each(|mut pending| pending.answer(Err(error.clone())));
}
