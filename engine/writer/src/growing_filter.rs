//! A set that only grows, as Bloom filters, each larger than the previous one.

use crate::bloom::{Bits, Bloom};
use crate::filter_memory::{FilterMemory, FilterRoom};

/// The first filter is small, because most logs are, and a process may write thousands of them.
const FIRST_CAPACITY: usize = 1 << 10;
/// Each filter is this many times larger than the previous one: a log needs few filters.
const GROWTH: usize = 4;
/// And none is much too large.
const LAST_CAPACITY: usize = 1 << 20;

#[derive(Debug)]
pub(crate) struct GrowingFilter {
    filters: Vec<(Bloom, FilterRoom)>,
    /// How many more items the last filter takes.
    room: usize,
    items: usize,
    memory: FilterMemory,
}

impl GrowingFilter {
    pub(crate) fn new(memory: &FilterMemory) -> GrowingFilter {
        GrowingFilter { filters: Vec::new(), room: 0, items: 0, memory: memory.clone() }
    }

    /// Adds an item. False if there is no memory for it; then it is not in the set.
    #[must_use]
    pub(crate) fn insert(&mut self, item: i64) -> bool {
        // An item that comes a thousand times takes room only once.
        if self.may_contain(item) {
            return true;
        }
        if self.room == 0 {
            let size = u32::try_from(self.filters.len()).unwrap_or(u32::MAX);
            let capacity = FIRST_CAPACITY.saturating_mul(GROWTH.saturating_pow(size)).min(LAST_CAPACITY);
            let Some(memory) = self.memory.take(Bloom::bytes_for(capacity)) else { return false };
            self.filters.push((Bloom::for_items(capacity), memory));
            self.room = capacity;
        }
        self.room -= 1;
        self.items += 1;
        if let Some((filter, _)) = self.filters.last_mut() {
            filter.insert(item);
        }
        true
    }

    pub(crate) fn may_contain(&self, item: i64) -> bool {
        // The last filter has the newest items, so most items are found there.
        self.filters.iter().rev().any(|(filter, _)| filter.may_contain(item))
    }

    pub(crate) fn items(&self) -> usize {
        self.items
    }

    pub(crate) fn memory(&self) -> &FilterMemory {
        &self.memory
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_item_takes_room_once() {
        let mut filter = GrowingFilter::new(&FilterMemory::new(1 << 20));
        for _ in 0..3 {
            assert!((0..10_000).all(|item| filter.insert(item)));
        }
        assert!((9_990..=10_000).contains(&filter.items), "{} items", filter.items);
        assert_eq!(filter.filters.len(), 3);
        assert!((0..10_000).all(|item| filter.may_contain(item)));
    }

    #[test]
    fn a_filter_takes_no_more_memory_than_there_is() {
        let memory = FilterMemory::new(20 << 10);
        let mut filter = GrowingFilter::new(&memory);
        let taken = (0..10_000).take_while(|item| filter.insert(*item)).count();
        // The second filter takes 12 KiB; there is no room for a third.
        assert!((1_024 + 4_096..1_024 + 4_110).contains(&taken), "{taken} items");
        assert_eq!(memory.left(), 5 << 10);
        drop(filter);
        assert_eq!(memory.left(), 20 << 10);
    }
}
