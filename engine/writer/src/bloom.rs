//! Bloom filters of 64-bit items: "certainly not" or "maybe".

/// With this many bits and probes, one item in 100,000 that is not in a filter seems to be.
const BITS_PER_ITEM: usize = 24;
const PROBES: u64 = 16;

/// The bits of a filter. Part of the stored form of [`TagFilter`](crate::tag_filter::TagFilter), version 1:
///
/// Probe `i` of 0 to 15 for an item is the bit `((a + i * b) * n) >> 64` of `n` bits, where `a = mix(item)`,
/// `b = mix(a) | 1`, the sum is modulo 2^64 and the product has 128 bits. Bit 0 is the lowest of the first word. `mix` is
/// the finaliser of SplitMix64 after adding its increment.
pub(crate) trait Bits {
    fn words(&self) -> usize;
    fn word(&self, index: usize) -> u64;

    /// Whether the item may be in the filter.
    fn may_contain(&self, item: i64) -> bool {
        let words = self.words();
        probes(item, words).all(|bit| self.word(bit / 64) & (1 << (bit % 64)) != 0)
    }
}

/// A filter for a number of items that is known before.
#[derive(Debug)]
pub(crate) struct Bloom(Box<[u64]>);

impl Bloom {
    pub(crate) fn for_items(items: usize) -> Bloom {
        Bloom(vec![0; Bloom::words_for(items)].into_boxed_slice())
    }

    /// How many bytes a filter for so many items takes.
    pub(crate) fn bytes_for(items: usize) -> usize {
        Bloom::words_for(items) * 8
    }

    fn words_for(items: usize) -> usize {
        (items.max(1) * BITS_PER_ITEM).div_ceil(64)
    }

    pub(crate) fn insert(&mut self, item: i64) {
        for bit in probes(item, self.0.len()) {
            self.0[bit / 64] |= 1 << (bit % 64);
        }
    }

    pub(crate) fn as_words(&self) -> &[u64] {
        &self.0
    }
}

impl Bits for Bloom {
    fn words(&self) -> usize {
        self.0.len()
    }

    fn word(&self, index: usize) -> u64 {
        self.0[index]
    }
}

fn probes(item: i64, words: usize) -> impl Iterator<Item = usize> {
    let bits = words as u128 * 64;
    let first = mix(item.cast_unsigned());
    let step = mix(first) | 1;
    (0..PROBES).map(move |probe| {
        let hash = first.wrapping_add(probe.wrapping_mul(step));
        // The product has at most 128 bits, and its upper half is below the number of bits.
        usize::try_from((u128::from(hash) * bits) >> 64).unwrap_or(usize::MAX)
    })
}

fn mix(item: u64) -> u64 {
    let mut z = item.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_contains_its_items_and_hardly_any_other() {
        let mut filter = Bloom::for_items(10_000);
        (0..10_000).for_each(|item| filter.insert(item));
        assert!((0..10_000).all(|item| filter.may_contain(item)));
        let mistakes = (10_000..1_010_000).filter(|item| filter.may_contain(*item)).count();
        assert!(mistakes < 40, "{mistakes} mistakes in a million");
        assert_eq!(Bloom::bytes_for(10_000), 30_000);
    }

    /// Filters are stored, and other processes read them.
    #[test]
    fn the_bits_of_an_item_stay_the_same() {
        let mut filter = Bloom::for_items(10);
        filter.insert(7);
        filter.insert(-7);
        assert_eq!(filter.as_words(), FIRST_BITS);
    }

    /// Computed by a program in another language, from the description of [`Bits`].
    const FIRST_BITS: [u64; 4] =
        [0x00400a0010401002, 0x2001180800480041, 0x0100080004402003, 0x8000080400600012];
}
