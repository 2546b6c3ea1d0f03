//! The generator of everything that a seed decides.

/// SplitMix64: small, and the same numbers on every machine for ever.
#[derive(Clone, Debug)]
pub(super) struct Rng(u64);

impl Rng {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number below `end`, which is not 0.
    pub(super) fn below(&mut self, end: usize) -> usize {
        // The high half of a product: as even as anybody needs here, and no division.
        ((u128::from(self.next()) * end as u128) >> 64) as usize
    }

    /// A number below `end`, rather a small one.
    pub(super) fn small(&mut self, end: usize) -> usize {
        self.below(end).min(self.below(end))
    }

    /// True once in `n` times; never for 0.
    pub(super) fn one_in(&mut self, n: u32) -> bool {
        n != 0 && self.below(n as usize) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published first numbers for the seed 1234567: a seed means the same for ever.
    #[test]
    fn the_numbers_are_those_of_splitmix() {
        let mut rng = Rng::new(1_234_567);
        assert_eq!(rng.next(), 6_457_827_717_110_365_317);
        assert_eq!(rng.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn numbers_stay_below_their_end() {
        let mut rng = Rng::new(1);
        let mut seen = [0_u32; 3];
        for _ in 0..3_000 {
            seen[rng.below(3)] += 1;
        }
        assert!(seen.iter().all(|count| *count > 800), "{seen:?}");
        assert!(!rng.one_in(0) && rng.one_in(1));
    }
}
