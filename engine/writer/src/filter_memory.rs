//! The memory that the filters of all writers of a process may take together.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const UNIT: usize = 1_024;

/// A budget in bytes. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct FilterMemory(Arc<Semaphore>);

/// Memory that was taken from the budget. Dropping it gives it back.
pub(crate) type FilterRoom = OwnedSemaphorePermit;

impl FilterMemory {
    pub(crate) fn new(bytes: usize) -> FilterMemory {
        FilterMemory(Arc::new(Semaphore::new((bytes / UNIT).min(Semaphore::MAX_PERMITS))))
    }

    /// Room for so many bytes, if there is any left.
    pub(crate) fn take(&self, bytes: usize) -> Option<FilterRoom> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).ok()?;
        Arc::clone(&self.0).try_acquire_many_owned(units).ok()
    }

    /// How many bytes are left.
    pub(crate) fn left(&self) -> usize {
        self.0.available_permits() * UNIT
    }
}
