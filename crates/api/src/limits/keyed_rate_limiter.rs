//! Rate limiter with a quota per key.

use std::convert::Infallible;
use std::fmt;
use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::state::keyed::{HashMapStateStore, ShrinkableKeyedStateStore};
use governor::{Quota, RateLimiter};

/// Number of rate limit checks after which unused keys are removed to bound memory usage.
const RATE_LIMIT_CHECKS_BETWEEN_CLEANUPS: u32 = 4096;

pub(super) struct KeyedRateLimiter<K: Hash + Eq + Clone, C: Clock = DefaultClock> {
    limiter: Limiter<K, C>,
    clock: C,
    burst: NonZeroU32,
    checks: AtomicU32,
}

type Limiter<K, C> = RateLimiter<
    RateLimitCheck<K>,
    PeekableStateStore<K>,
    C,
    governor::middleware::NoOpMiddleware<<C as Clock>::Instant>,
>;

impl<K: Hash + Eq + Clone> KeyedRateLimiter<K> {
    /// Returns `None` (no limit) if the rate or the burst size is 0.
    pub(super) fn new(per_second: u32, burst: u32) -> Option<Self> {
        let period = Duration::from_secs(1).checked_div(per_second)?;
        Self::with_period(period, burst)
    }

    pub(super) fn with_period(period: Duration, burst: u32) -> Option<Self> {
        Self::with_clock(period, burst, DefaultClock::default())
    }
}

impl<K: Hash + Eq + Clone, C: Clock + Clone> KeyedRateLimiter<K, C> {
    fn with_clock(period: Duration, burst: u32, clock: C) -> Option<Self> {
        let burst = NonZeroU32::new(burst)?;
        let quota = Quota::with_period(period)?.allow_burst(burst);
        let limiter = RateLimiter::new(quota, PeekableStateStore(HashMapStateStore::default()), clock.clone());
        Some(Self { limiter, clock, burst, checks: AtomicU32::new(0) })
    }

    /// If no permit is available, returns the time until the next permit as the error.
    pub(super) fn consume_permit(&self, key: &K) -> Result<(), Duration> {
        self.check_key(&RateLimitCheck { key: key.clone(), consumes: true })
    }

    /// Consumes min(`count`, burst size) permits, or none if fewer permits are available.
    pub(super) fn consume_permits(&self, key: &K, count: u32) -> Result<(), Duration> {
        let count = NonZeroU32::new(count.min(self.burst.get())).unwrap_or(NonZeroU32::MIN);
        let outcome = self.limiter.check_key_n(&RateLimitCheck { key: key.clone(), consumes: true }, count);
        // `InsufficientCapacity` cannot occur because the count does not exceed the burst size.
        outcome.map_or(Ok(()), |outcome| outcome.map_err(|until| until.wait_time_from(self.clock.now())))
    }

    pub(super) fn peek(&self, key: &K) -> Result<(), Duration> {
        self.check_key(&RateLimitCheck { key: key.clone(), consumes: false })
    }

    fn check_key(&self, check: &RateLimitCheck<K>) -> Result<(), Duration> {
        if self.checks.fetch_add(1, Ordering::Relaxed) % RATE_LIMIT_CHECKS_BETWEEN_CLEANUPS
            == RATE_LIMIT_CHECKS_BETWEEN_CLEANUPS - 1
        {
            self.limiter.retain_recent();
            self.limiter.shrink_to_fit();
        }
        self.limiter.check_key(check).map_err(|until| until.wait_time_from(self.clock.now()))
    }
}

impl<K: Hash + Eq + Clone, C: Clock> fmt::Debug for KeyedRateLimiter<K, C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("KeyedRateLimiter").field("keys", &self.limiter.len()).finish_non_exhaustive()
    }
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct RateLimitCheck<K> {
    key: K,
    consumes: bool,
}

/// State store for `governor` that can check a rate limit without consuming a permit.
struct PeekableStateStore<K: Hash + Eq + Clone>(HashMapStateStore<K>);

impl<K: Hash + Eq + Clone> StateStore for PeekableStateStore<K> {
    type Key = RateLimitCheck<K>;

    fn measure_and_replace<T, F, E>(&self, check: &RateLimitCheck<K>, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        if check.consumes {
            return self.0.measure_and_replace(&check.key, measure);
        }
        let peeked: Result<Infallible, Result<T, E>> =
            self.0.measure_and_replace(&check.key, |state| Err(measure(state).map(|(outcome, _)| outcome)));
        match peeked {
            Ok(never) => match never {},
            Err(outcome) => outcome,
        }
    }
}

impl<K: Hash + Eq + Clone> ShrinkableKeyedStateStore<RateLimitCheck<K>> for PeekableStateStore<K> {
    fn retain_recent(&self, drop_below: Nanos) {
        self.0.retain_recent(drop_below);
    }

    fn shrink_to_fit(&self) {
        ShrinkableKeyedStateStore::<K>::shrink_to_fit(&self.0);
    }

    fn len(&self) -> usize {
        ShrinkableKeyedStateStore::<K>::len(&self.0)
    }

    fn is_empty(&self) -> bool {
        ShrinkableKeyedStateStore::<K>::is_empty(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    const PERIOD: Duration = Duration::from_millis(100);

    fn limiter(burst: u32) -> (KeyedRateLimiter<u32, FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        (KeyedRateLimiter::with_clock(PERIOD, burst, clock.clone()).unwrap(), clock)
    }

    #[test]
    fn permits_are_replenished_over_time() {
        let (limiter, clock) = limiter(3);
        for _ in 0..3 {
            assert_eq!(limiter.consume_permit(&1), Ok(()));
        }
        assert_eq!(limiter.consume_permit(&1), Err(PERIOD));
        assert_eq!(limiter.consume_permit(&2), Ok(()), "another key");
        clock.advance(PERIOD / 4);
        assert_eq!(limiter.consume_permit(&1), Err(PERIOD * 3 / 4));
        clock.advance(PERIOD * 3 / 4);
        assert_eq!(limiter.consume_permit(&1), Ok(()));
        assert_eq!(limiter.consume_permit(&1), Err(PERIOD));
        clock.advance(PERIOD * 100);
        for _ in 0..3 {
            assert_eq!(limiter.consume_permit(&1), Ok(()), "permits accumulate up to the burst size");
        }
        assert_eq!(limiter.consume_permit(&1), Err(PERIOD));
    }

    #[test]
    fn check_n_consumes_all_permits_or_none() {
        let (limiter, clock) = limiter(4);
        assert_eq!(limiter.consume_permit(&1), Ok(()));
        for _ in 0..3 {
            assert_eq!(limiter.consume_permits(&1, 4), Err(PERIOD), "a refused check consumes nothing");
        }
        clock.advance(PERIOD);
        assert_eq!(limiter.consume_permits(&1, 9), Ok(()), "at most the burst");
        assert_eq!(limiter.consume_permit(&1), Err(PERIOD));
    }

    #[test]
    fn peek_consumes_nothing() {
        let (limiter, clock) = limiter(2);
        for _ in 0..100 {
            assert_eq!(limiter.peek(&1), Ok(()));
        }
        assert_eq!(
            (limiter.consume_permit(&1), limiter.peek(&1), limiter.consume_permit(&1)),
            (Ok(()), Ok(()), Ok(()))
        );
        for _ in 0..100 {
            assert_eq!(limiter.peek(&1), Err(PERIOD));
        }
        clock.advance(PERIOD);
        assert_eq!((limiter.peek(&1), limiter.consume_permit(&1)), (Ok(()), Ok(())));
    }

    #[test]
    fn idle_keys_are_removed() {
        let (limiter, clock) = limiter(2);
        for key in 0..RATE_LIMIT_CHECKS_BETWEEN_CLEANUPS * 10 {
            assert_eq!(limiter.consume_permit(&key), Ok(()));
            clock.advance(PERIOD);
        }
        assert!(limiter.limiter.len() <= RATE_LIMIT_CHECKS_BETWEEN_CLEANUPS as usize + 2, "{limiter:?}");
    }

    #[test]
    fn keys_in_use_stay() {
        let (limiter, clock) = limiter(2);
        assert_eq!((limiter.consume_permit(&0), limiter.consume_permit(&0)), (Ok(()), Ok(())));
        for key in 1..=RATE_LIMIT_CHECKS_BETWEEN_CLEANUPS * 2 {
            let _ = limiter.peek(&key);
        }
        assert_eq!(limiter.consume_permit(&0), Err(PERIOD));
        clock.advance(PERIOD);
        assert_eq!(limiter.consume_permit(&0), Ok(()));
    }

    #[test]
    fn zero_disables_the_limiter() {
        assert!(KeyedRateLimiter::<u32>::new(0, 1).is_none() && KeyedRateLimiter::<u32>::new(1, 0).is_none());
        assert!(KeyedRateLimiter::<u32>::new(u32::MAX, 1).is_none(), "the period is below the clock resolution");
    }
}
