//! The tags of a complete segment of a log as a filter, in memory as it is stored.

use crate::bloom::{Bits, Bloom};
use crate::filter_memory::FilterRoom;

/// The version of the stored form. Raise it with each change: filters of other versions are ignored and replaced.
pub(crate) const TAG_FILTER_VERSION: i16 = 1;

/// Tags of a part.
const PART_TAGS: usize = 1 << 16;
/// The last tag of a part and the number of its words.
const HEADER: usize = 12;

/// The filter of a segment.
///
/// The stored form, version 1: parts one after another, each for a range of tag hashes, in the order of the hashes as signed
/// numbers. A part is the last hash in it (8 bytes), the number of its words (4 bytes), and the words of its Bloom filter
/// (8 bytes each: see [`Bits`]); all little-endian. A hash belongs to the first part whose last hash is not below it. So a
/// look-up asks one part, and its rate of mistakes does not grow with the segment.
#[derive(Debug)]
pub(crate) struct TagFilter {
    bytes: Box<[u8]>,
    parts: Vec<Part>,
    _room: FilterRoom,
}

#[derive(Clone, Copy, Debug)]
struct Part {
    last: i64,
    first_word: usize,
    words: usize,
}

impl TagFilter {
    /// Reads the stored form; `None` if these bytes are not of it.
    pub(crate) fn from_bytes(bytes: Vec<u8>, room: FilterRoom) -> Option<TagFilter> {
        let mut parts: Vec<Part> = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let last = i64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?);
            let words = u32::from_le_bytes(bytes.get(at + 8..at + HEADER)?.try_into().ok()?);
            let words = usize::try_from(words).ok()?;
            let first_word = at + HEADER;
            at = first_word.checked_add(words.checked_mul(8)?)?;
            if words == 0 || at > bytes.len() || parts.last().is_some_and(|before| before.last >= last) {
                return None;
            }
            parts.push(Part { last, first_word, words });
        }
        Some(TagFilter { bytes: bytes.into_boxed_slice(), parts, _room: room })
    }

    pub(crate) fn may_contain(&self, tag: i64) -> bool {
        let part = self.parts.partition_point(|part| part.last < tag);
        self.parts.get(part).is_some_and(|part| PartBits { filter: self, part: *part }.may_contain(tag))
    }
}

struct PartBits<'a> {
    filter: &'a TagFilter,
    part: Part,
}

impl Bits for PartBits<'_> {
    fn words(&self) -> usize {
        self.part.words
    }

    fn word(&self, index: usize) -> u64 {
        let at = self.part.first_word + 8 * index;
        let word = &self.filter.bytes[at..at + 8];
        word.try_into().map_or(u64::MAX, u64::from_le_bytes)
    }
}

/// Builds the stored form from the tags of a segment in the order of their hashes.
#[derive(Debug, Default)]
pub(crate) struct TagFilterBuilder {
    bytes: Vec<u8>,
    /// The tags of the part that is not written yet.
    tags: Vec<i64>,
}

impl TagFilterBuilder {
    /// Adds a tag. It may come several times in a row.
    pub(crate) fn push(&mut self, tag: i64) {
        if self.tags.last() == Some(&tag) {
            return;
        }
        debug_assert!(self.tags.last().is_none_or(|last| *last < tag), "tags come in order");
        if self.tags.len() == PART_TAGS {
            self.write_part();
        }
        self.tags.push(tag);
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.write_part();
        self.bytes
    }

    fn write_part(&mut self) {
        let Some(last) = self.tags.last() else { return };
        let mut filter = Bloom::for_items(self.tags.len());
        self.tags.iter().for_each(|tag| filter.insert(*tag));
        let words = u32::try_from(filter.as_words().len()).expect("a part has a fixed number of tags");
        self.bytes.extend_from_slice(&last.to_le_bytes());
        self.bytes.extend_from_slice(&words.to_le_bytes());
        self.bytes.extend(filter.as_words().iter().flat_map(|word| word.to_le_bytes()));
        self.tags.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter_memory::FilterMemory;

    fn read(bytes: Vec<u8>) -> Option<TagFilter> {
        let room = FilterMemory::new(1 << 20).take(bytes.len()).unwrap();
        TagFilter::from_bytes(bytes, room)
    }

    /// Spread over all 64 bits, as hashes are.
    fn tag(n: i64) -> i64 {
        n.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64.cast_signed())
    }

    #[test]
    fn a_stored_filter_contains_its_tags_and_hardly_any_other() {
        let mut tags: Vec<i64> = (0..150_000).map(tag).collect();
        tags.sort_unstable();
        let mut builder = TagFilterBuilder::default();
        // Pages overlap.
        tags.iter().for_each(|tag| (0..2).for_each(|_| builder.push(*tag)));
        let filter = read(builder.finish()).unwrap();
        assert_eq!(filter.parts.len(), 3);
        assert!(tags.iter().all(|tag| filter.may_contain(*tag)));
        let mistakes = (150_000..650_000).filter(|n| filter.may_contain(tag(*n))).count();
        assert!(mistakes < 25, "{mistakes} mistakes in half a million");
    }

    #[test]
    fn a_segment_without_tags_has_an_empty_filter() {
        assert!(!read(TagFilterBuilder::default().finish()).unwrap().may_contain(7));
    }

    #[test]
    fn damaged_bytes_are_no_filter() {
        let mut builder = TagFilterBuilder::default();
        (0..100).for_each(|tag| builder.push(tag));
        let bytes = builder.finish();
        assert!(read(bytes.clone()).is_some());
        assert!(read(bytes[..bytes.len() - 1].to_vec()).is_none());
        assert!(read([&bytes[..], &bytes[..]].concat()).is_none(), "parts are in order");
        assert!(read(vec![0; HEADER]).is_none());
    }
}
