//! How often kill tasks look at a node: each second, and less often where a look takes more than a tenth of that.

use std::time::Duration;

/// Between two looks at a node, from begin to begin, if it is quick.
pub(super) const EVERY: Duration = Duration::from_secs(1);
/// Between two looks at most: a rule that is late is better than one that never comes.
const LONGEST: Duration = Duration::from_secs(30);
/// A look may take one part in so many of the time until the next.
const PARTS: u32 = 10;

/// How long looks at a node take, as far as it matters for the next one.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Between two looks, while the node is a slow one.
    slowed: Option<Duration>,
}

/// A node became slow, or quick again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// The next look comes only after this.
    Slowed(Duration),
    /// It is looked at each second.
    Quick,
}

impl Pace {
    /// Keeps how long a look took. A slow node is quick again once a look takes half of what it may: a node at the edge does not change
    /// with each look.
    pub(super) fn looked(&mut self, took: Duration) -> Option<Change> {
        let was_slow = self.slowed.is_some();
        let may_take = EVERY / PARTS;
        let is_slow = took > may_take || (was_slow && took > may_take / 2);
        self.slowed = is_slow.then(|| (took * PARTS).clamp(EVERY, LONGEST));
        match self.slowed {
            Some(interval) if !was_slow => Some(Change::Slowed(interval)),
            None if was_slow => Some(Change::Quick),
            _ => None,
        }
    }

    /// Between two looks, from begin to begin; nothing for a quick node.
    pub(super) fn slowed(&self) -> Option<Duration> {
        self.slowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_takes_a_tenth_of_the_time_at_most() {
        for (took, slowed) in
            [(0, None), (100, None), (101, Some(1010)), (450, Some(4500)), (3000, Some(30_000)), (10_000, Some(30_000))]
        {
            let mut pace = Pace::default();
            let slowed = slowed.map(Duration::from_millis);
            assert_eq!(pace.looked(Duration::from_millis(took)), slowed.map(Change::Slowed), "{took}");
            assert_eq!(pace.slowed(), slowed, "{took}");
        }
    }

    #[test]
    fn only_a_change_is_told_and_quick_is_quick_at_once() {
        let mut pace = Pace::default();
        let looks = [20, 500, 900, 90, 60, 50, 50, 101].map(|took| pace.looked(Duration::from_millis(took)));
        let slowed = |milliseconds| Some(Change::Slowed(Duration::from_millis(milliseconds)));
        assert_eq!(looks, [None, slowed(5000), None, None, None, Some(Change::Quick), None, slowed(1010)]);
        pace.looked(Duration::from_millis(90));
        assert_eq!(pace.slowed(), Some(EVERY), "slow, but not too slow for once a second");
    }
}
