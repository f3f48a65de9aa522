//! How often a node is looked at again and again, by kill tasks and for the page: as often as is wanted, and less often where a look takes
//! more than a tenth of that.

use std::time::Duration;

/// Between two looks at a node, from begin to begin, if it is quick and nobody wants anything else.
pub(crate) const EVERY: Duration = Duration::from_secs(1);
/// A slow node is looked at so often at least: what comes late is better than what never comes.
const LONGEST: Duration = Duration::from_secs(30);
/// A look may take one part in so many of the time until the next.
const PARTS: u32 = 10;

/// How long looks at a node take, as far as it matters for the next one.
#[derive(Debug)]
pub struct Pace {
    /// Between two looks, if the node is quick.
    every: Duration,
    /// Between two looks, while the node is a slow one.
    slowed: Option<Duration>,
}

impl Default for Pace {
    /// Each second.
    fn default() -> Self {
        Self::every(EVERY)
    }
}

/// A node became slow, or quick again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaceChange {
    /// The next look comes only after this.
    Slowed(Duration),
    /// It is looked at as often as is wanted.
    Quick,
}

impl Pace {
    /// Looks that are wanted so often.
    #[must_use]
    pub fn every(every: Duration) -> Self {
        Self { every, slowed: None }
    }

    /// From now on, looks are wanted so often. A node that is too slow for that is found out by the next look.
    pub fn want(&mut self, every: Duration) {
        self.every = every;
    }

    /// Keeps how long a look took. A slow node is quick again once a look takes half of what it may: a node at the edge does not change
    /// with each look.
    pub fn looked(&mut self, took: Duration) -> Option<PaceChange> {
        let was_slow = self.slowed.is_some();
        let may_take = self.every / PARTS;
        let is_slow = took > may_take || (was_slow && took > may_take / 2);
        self.slowed = is_slow.then(|| (took * PARTS).clamp(self.every, LONGEST.max(self.every)));
        match self.slowed {
            Some(interval) if !was_slow => Some(PaceChange::Slowed(interval)),
            None if was_slow => Some(PaceChange::Quick),
            _ => None,
        }
    }

    /// Between two looks, from begin to begin; nothing for a quick node.
    #[must_use]
    pub fn slowed(&self) -> Option<Duration> {
        self.slowed
    }

    /// Between two looks, from begin to begin.
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.slowed.unwrap_or(self.every).max(self.every)
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
            assert_eq!(pace.looked(Duration::from_millis(took)), slowed.map(PaceChange::Slowed), "{took}");
            assert_eq!(pace.slowed(), slowed, "{took}");
        }
    }

    #[test]
    fn only_a_change_is_told_and_quick_is_quick_at_once() {
        let mut pace = Pace::default();
        let looks = [20, 500, 900, 90, 60, 50, 50, 101].map(|took| pace.looked(Duration::from_millis(took)));
        let slowed = |milliseconds| Some(PaceChange::Slowed(Duration::from_millis(milliseconds)));
        assert_eq!(looks, [None, slowed(5000), None, None, None, Some(PaceChange::Quick), None, slowed(1010)]);
        pace.looked(Duration::from_millis(90));
        assert_eq!(pace.slowed(), Some(EVERY), "slow, but not too slow for once a second");
    }

    #[test]
    fn who_wants_less_is_no_burden_and_nobody_gets_more_than_a_tenth() {
        let (second, ten) = (Duration::from_secs(1), Duration::from_secs(10));
        let mut pace = Pace::every(ten);
        assert_eq!((pace.looked(second), pace.interval()), (None, ten));
        pace.want(second);
        assert_eq!(pace.interval(), second);
        assert_eq!((pace.looked(second), pace.interval()), (Some(PaceChange::Slowed(ten)), ten));
        pace.want(Duration::from_mins(1));
        assert_eq!(pace.interval(), Duration::from_mins(1));
        pace.looked(ten);
        assert_eq!(
            pace.interval(),
            Duration::from_secs(100).min(Duration::from_mins(1)),
            "never less often than is wanted"
        );
    }
}
