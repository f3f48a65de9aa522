//! Increases the poll interval of a slow node, so that kill tasks and live session lists read the node less often.
//!
//! Clew polls a node less often if a read takes more than 10% of the target interval.

use std::time::Duration;

pub(crate) const DEFAULT_NODE_POLL_INTERVAL: Duration = Duration::from_secs(1);
const MAX_POLL_INTERVAL: Duration = Duration::from_secs(30);
const READ_DURATION_MULTIPLIER: u32 = 10;

/// Poll interval of a node, adapted to the duration of the most recent read.
#[derive(Debug)]
pub struct AdaptivePollInterval {
    target: Duration,
    lengthened_interval: Option<Duration>,
}

impl Default for AdaptivePollInterval {
    fn default() -> Self {
        Self { target: DEFAULT_NODE_POLL_INTERVAL, lengthened_interval: None }
    }
}

/// Change of a node's poll interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PollIntervalChange {
    /// The poll interval was lengthened, because a read took more than 10% of the target interval.
    Lengthened(Duration),
    /// The poll interval was reset to the target interval, because a read took at most 5% of the target interval.
    Restored,
}

impl AdaptivePollInterval {
    /// Sets the target interval.
    pub fn set_target_interval(&mut self, every: Duration) {
        self.target = every;
    }

    /// Records the duration of a read.
    /// Returns a [`PollIntervalChange`] if the poll interval is lengthened from the target interval or reset to it.
    ///
    /// The threshold for resetting is half the threshold for lengthening, to prevent oscillation.
    pub fn adapt_to_read_duration(&mut self, took: Duration) -> Option<PollIntervalChange> {
        let was_slow = self.lengthened_interval.is_some();
        let max_duration = self.target / READ_DURATION_MULTIPLIER;
        let is_slow = took > max_duration || (was_slow && took > max_duration / 2);
        self.lengthened_interval =
            is_slow.then(|| (took * READ_DURATION_MULTIPLIER).clamp(self.target, MAX_POLL_INTERVAL.max(self.target)));
        match self.lengthened_interval {
            Some(interval) if !was_slow => Some(PollIntervalChange::Lengthened(interval)),
            None if was_slow => Some(PollIntervalChange::Restored),
            _ => None,
        }
    }

    /// Returns the lengthened poll interval of a slow node, or `None` if the target interval applies.
    #[must_use]
    pub fn lengthened_poll_interval(&self) -> Option<Duration> {
        self.lengthened_interval
    }

    /// Returns the current poll interval, which is the time between the starts of consecutive reads.
    #[must_use]
    pub fn current_interval(&self) -> Duration {
        self.lengthened_interval.unwrap_or(self.target).max(self.target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interval_is_at_least_ten_times_the_read_duration() {
        for (took, lengthened_interval) in
            [(0, None), (100, None), (101, Some(1010)), (450, Some(4500)), (3000, Some(30_000)), (10_000, Some(30_000))]
        {
            let mut interval = AdaptivePollInterval::default();
            let lengthened_interval = lengthened_interval.map(Duration::from_millis);
            assert_eq!(
                interval.adapt_to_read_duration(Duration::from_millis(took)),
                lengthened_interval.map(PollIntervalChange::Lengthened),
                "{took}"
            );
            assert_eq!(interval.lengthened_poll_interval(), lengthened_interval, "{took}");
        }
    }

    #[test]
    fn only_changes_are_returned_and_a_fast_read_ends_the_slow_interval() {
        let mut interval = AdaptivePollInterval::default();
        let changes = [20, 500, 900, 90, 60, 50, 50, 101]
            .map(|took| interval.adapt_to_read_duration(Duration::from_millis(took)));
        let slowed = |milliseconds| Some(PollIntervalChange::Lengthened(Duration::from_millis(milliseconds)));
        assert_eq!(
            changes,
            [None, slowed(5000), None, None, None, Some(PollIntervalChange::Restored), None, slowed(1010)]
        );
        interval.adapt_to_read_duration(Duration::from_millis(90));
        assert_eq!(
            interval.lengthened_poll_interval(),
            Some(DEFAULT_NODE_POLL_INTERVAL),
            "slow node with an interval of one second"
        );
    }

    #[test]
    fn interval_follows_the_target_within_the_limit_for_slow_nodes() {
        let (second, ten) = (Duration::from_secs(1), Duration::from_secs(10));
        let mut interval = AdaptivePollInterval { target: ten, lengthened_interval: None };
        assert_eq!((interval.adapt_to_read_duration(second), interval.current_interval()), (None, ten));
        interval.set_target_interval(second);
        assert_eq!(interval.current_interval(), second);
        assert_eq!(
            (interval.adapt_to_read_duration(second), interval.current_interval()),
            (Some(PollIntervalChange::Lengthened(ten)), ten)
        );
        interval.set_target_interval(Duration::from_mins(1));
        assert_eq!(interval.current_interval(), Duration::from_mins(1));
        interval.adapt_to_read_duration(ten);
        assert_eq!(
            interval.current_interval(),
            Duration::from_secs(100).min(Duration::from_mins(1)),
            "interval longer than the target"
        );
    }
}
