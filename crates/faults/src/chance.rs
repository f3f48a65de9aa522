//! Chance that can be had again: numbers from a seed.

use std::ops::Range;
use std::time::Duration;

/// SplitMix64 (Steele, Lea, Flood 2014): small, and good enough to pick moments and victims.
#[derive(Debug, Clone)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn of(seed: u64) -> Self {
        Self(seed)
    }

    /// One that goes its own way from here.
    pub(crate) fn branch(&mut self) -> Self {
        Self(self.next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 where that is 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next() % end).unwrap_or(0)
    }

    pub(crate) fn coin(&mut self) -> bool {
        self.below(2) == 0
    }

    /// A time in a range, in milliseconds.
    pub(crate) fn milliseconds(&mut self, range: Range<u64>) -> Duration {
        let span = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
        Duration::from_millis(range.start + u64::try_from(self.below(span)).unwrap_or(0))
    }

    /// One of them.
    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.below(from.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers_within_their_range() {
        let numbers = |seed| {
            let mut chance = Chance::of(seed);
            (0..100).map(|_| chance.below(10)).collect::<Vec<_>>()
        };
        assert_eq!(numbers(7), numbers(7));
        assert_ne!(numbers(7), numbers(8));
        let seen: std::collections::BTreeSet<_> = numbers(7).into_iter().collect();
        assert_eq!(seen.len(), 10, "{seen:?}");
        let mut chance = Chance::of(1);
        assert!((0..100).all(|_| (5..9).contains(&chance.milliseconds(5..9).as_millis())));
        assert_eq!(chance.below(0), 0);
    }
}
