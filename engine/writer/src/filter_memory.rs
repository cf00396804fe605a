//! The memory that the filters of all writers of a process may take together.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const UNIT: usize = 1_024;

/// Of the budget this part is for what is new: a large log must not take all of it with what is old, or no other log has
/// any.
const RESERVE: usize = 8;

/// A budget in bytes. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct FilterMemory {
    free: Arc<Semaphore>,
    reserved: usize,
}

/// Memory that was taken from the budget. Dropping it gives it back.
pub(crate) type FilterRoom = OwnedSemaphorePermit;

impl FilterMemory {
    pub(crate) fn new(bytes: usize) -> FilterMemory {
        let units = (bytes / UNIT).min(Semaphore::MAX_PERMITS);
        FilterMemory { free: Arc::new(Semaphore::new(units)), reserved: units / RESERVE * UNIT }
    }

    /// Room for so many bytes, if there is any left.
    pub(crate) fn take(&self, bytes: usize) -> Option<FilterRoom> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).ok()?;
        Arc::clone(&self.free).try_acquire_many_owned(units).ok()
    }

    /// Room for so many bytes of what is old, if there is any left that is not reserved.
    pub(crate) fn take_for_history(&self, bytes: usize) -> Option<FilterRoom> {
        (self.left() >= bytes.saturating_add(self.reserved)).then(|| self.take(bytes)).flatten()
    }

    /// How many bytes are left.
    pub(crate) fn left(&self) -> usize {
        self.free.available_permits() * UNIT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_old_leaves_room_for_what_is_new() {
        let memory = FilterMemory::new(80 << 10);
        assert!(memory.take_for_history(71 << 10).is_none());
        let old = memory.take_for_history(70 << 10).unwrap();
        assert!(memory.take_for_history(1 << 10).is_none());
        let new = memory.take(10 << 10).unwrap();
        assert!(memory.take(1).is_none());
        drop((old, new));
        assert_eq!(memory.left(), 80 << 10);
    }
}
