//! Pseudo-random numbers that are the same in every run.

use uuid::Uuid;

/// SplitMix64: good enough to spread a load, and very fast.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below the limit.
    pub(crate) fn below(&mut self, limit: u32) -> u32 {
        let product = (self.next() >> 32) * u64::from(limit);
        u32::try_from(product >> 32).expect("a product of two 32-bit numbers has 64 bits")
    }

    /// Two different numbers below the limit, which is at least 2.
    pub(crate) fn two_below(&mut self, limit: u32) -> (u32, u32) {
        let first = self.below(limit);
        let second = self.below(limit - 1);
        (first, if second >= first { second + 1 } else { second })
    }

    pub(crate) fn uuid(&mut self) -> Uuid {
        Uuid::from_u64_pair(self.next(), self.next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_one_sequence() {
        let mut random = Random::new(1_234_567);
        let expected = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!([random.next(), random.next(), random.next()], expected);
    }

    #[test]
    fn the_two_numbers_differ_and_are_below_the_limit() {
        let mut random = Random::new(7);
        let mut met = [[false; 3]; 3];
        for _ in 0..1_000 {
            let (first, second) = random.two_below(3);
            met[first as usize][second as usize] = true;
        }
        assert_eq!(met, [[false, true, true], [true, false, true], [true, true, false]]);
    }
}
