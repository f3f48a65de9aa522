//! Adaptive interval between the reads of a node. Kill tasks and the live list of the page use it.
//!
//! The interval equals its target, and is longer while a read takes more than a tenth of the target.

use std::time::Duration;

/// Default target: time from the start of a read to the start of the next one.
pub(crate) const DEFAULT_INTERVAL: Duration = Duration::from_secs(1);
/// Maximum interval for a slow node, unless the target is longer.
const MAX_INTERVAL: Duration = Duration::from_secs(30);
/// Minimum ratio of the interval to the duration of a read.
const MIN_INTERVAL_RATIO: u32 = 10;

/// Interval between the reads of a node, adapted to the duration of the last read.
#[derive(Debug)]
pub struct AdaptiveInterval {
    /// Interval for a fast node.
    target: Duration,
    /// Interval for a slow node; `None` while the node is fast.
    slow_interval: Option<Duration>,
}

impl Default for AdaptiveInterval {
    /// A target of one second.
    fn default() -> Self {
        Self::with_target(DEFAULT_INTERVAL)
    }
}

/// Change of a node from fast to slow, or back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntervalChange {
    /// The node became slow: its interval is now longer than the target.
    Lengthened(Duration),
    /// The node became fast: its interval equals the target again.
    Restored,
}

impl AdaptiveInterval {
    /// Creates an interval with the given target.
    #[must_use]
    pub fn with_target(target: Duration) -> Self {
        Self { target, slow_interval: None }
    }

    /// Sets the target. The next recorded read decides whether the node is too slow for it.
    pub fn set_target(&mut self, every: Duration) {
        self.target = every;
    }

    /// Records the duration of a read, and returns the change that it causes.
    ///
    /// A slow node becomes fast once a read takes at most a twentieth of the target.
    /// This hysteresis prevents a node near the limit from changing with each read.
    pub fn record(&mut self, took: Duration) -> Option<IntervalChange> {
        let was_slow = self.slow_interval.is_some();
        let max_duration = self.target / MIN_INTERVAL_RATIO;
        let is_slow = took > max_duration || (was_slow && took > max_duration / 2);
        self.slow_interval =
            is_slow.then(|| (took * MIN_INTERVAL_RATIO).clamp(self.target, MAX_INTERVAL.max(self.target)));
        match self.slow_interval {
            Some(interval) if !was_slow => Some(IntervalChange::Lengthened(interval)),
            None if was_slow => Some(IntervalChange::Restored),
            _ => None,
        }
    }

    /// Interval for a slow node; `None` while the node is fast.
    #[must_use]
    pub fn slow_interval(&self) -> Option<Duration> {
        self.slow_interval
    }

    /// Time from the start of a read to the start of the next one.
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.slow_interval.unwrap_or(self.target).max(self.target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interval_is_at_least_ten_times_the_read_duration() {
        for (took, slow_interval) in
            [(0, None), (100, None), (101, Some(1010)), (450, Some(4500)), (3000, Some(30_000)), (10_000, Some(30_000))]
        {
            let mut pace = AdaptiveInterval::default();
            let slow_interval = slow_interval.map(Duration::from_millis);
            assert_eq!(
                pace.record(Duration::from_millis(took)),
                slow_interval.map(IntervalChange::Lengthened),
                "{took}"
            );
            assert_eq!(pace.slow_interval(), slow_interval, "{took}");
        }
    }

    #[test]
    fn only_changes_are_returned_and_a_fast_read_ends_the_slow_interval() {
        let mut pace = AdaptiveInterval::default();
        let changes = [20, 500, 900, 90, 60, 50, 50, 101].map(|took| pace.record(Duration::from_millis(took)));
        let slowed = |milliseconds| Some(IntervalChange::Lengthened(Duration::from_millis(milliseconds)));
        assert_eq!(changes, [None, slowed(5000), None, None, None, Some(IntervalChange::Restored), None, slowed(1010)]);
        pace.record(Duration::from_millis(90));
        assert_eq!(pace.slow_interval(), Some(DEFAULT_INTERVAL), "slow node with an interval of one second");
    }

    #[test]
    fn interval_follows_the_target_within_the_limit_for_slow_nodes() {
        let (second, ten) = (Duration::from_secs(1), Duration::from_secs(10));
        let mut pace = AdaptiveInterval::with_target(ten);
        assert_eq!((pace.record(second), pace.interval()), (None, ten));
        pace.set_target(second);
        assert_eq!(pace.interval(), second);
        assert_eq!((pace.record(second), pace.interval()), (Some(IntervalChange::Lengthened(ten)), ten));
        pace.set_target(Duration::from_mins(1));
        assert_eq!(pace.interval(), Duration::from_mins(1));
        pace.record(ten);
        assert_eq!(
            pace.interval(),
            Duration::from_secs(100).min(Duration::from_mins(1)),
            "interval longer than the target"
        );
    }
}
