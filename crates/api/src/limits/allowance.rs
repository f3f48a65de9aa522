//! An allowance that comes back with time, for each of many keys.

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

/// Keys are forgotten after so many uses, if they have all of their allowance again: so there are never many more of them than are
/// in use, however many addresses a stranger asks from.
const USES_BETWEEN_SWEEPS: u32 = 4096;

/// What each key has left.
pub(super) struct Allowance<K: Hash + Eq + Clone, C: Clock = DefaultClock> {
    limiter: Limiter<K, C>,
    clock: C,
    burst: NonZeroU32,
    uses: AtomicU32,
}

type Limiter<K, C> = RateLimiter<Use<K>, States<K>, C, governor::middleware::NoOpMiddleware<<C as Clock>::Instant>>;

impl<K: Hash + Eq + Clone> Allowance<K> {
    /// So many a second in the long run, so many at once. None if either is 0: that is no limit.
    pub(super) fn new(per_second: u32, burst: u32) -> Option<Self> {
        let period = Duration::from_secs(1).checked_div(per_second)?;
        Self::every(period, burst)
    }

    /// One in each period in the long run, so many at once.
    pub(super) fn every(period: Duration, burst: u32) -> Option<Self> {
        Self::with_clock(period, burst, DefaultClock::default())
    }
}

impl<K: Hash + Eq + Clone, C: Clock + Clone> Allowance<K, C> {
    fn with_clock(period: Duration, burst: u32, clock: C) -> Option<Self> {
        let burst = NonZeroU32::new(burst)?;
        let quota = Quota::with_period(period)?.allow_burst(burst);
        let limiter = RateLimiter::new(quota, States(HashMapStateStore::default()), clock.clone());
        Some(Self { limiter, clock, burst, uses: AtomicU32::new(0) })
    }

    /// Takes one; if there is none, says how long it takes until there is.
    pub(super) fn take(&self, key: &K) -> Result<(), Duration> {
        self.check(&Use { key: key.clone(), takes: true })
    }

    /// Takes so many or none, at most the burst: more would never be there.
    pub(super) fn take_all(&self, key: &K, count: u32) -> Result<(), Duration> {
        let count = NonZeroU32::new(count.min(self.burst.get())).unwrap_or(NonZeroU32::MIN);
        let taken = self.limiter.check_key_n(&Use { key: key.clone(), takes: true }, count);
        // Never more than the burst.
        taken.map_or(Ok(()), |taken| taken.map_err(|until| until.wait_time_from(self.clock.now())))
    }

    /// Whether there is one left; if not, how long it takes until there is.
    pub(super) fn left(&self, key: &K) -> Result<(), Duration> {
        self.check(&Use { key: key.clone(), takes: false })
    }

    fn check(&self, used: &Use<K>) -> Result<(), Duration> {
        if self.uses.fetch_add(1, Ordering::Relaxed) % USES_BETWEEN_SWEEPS == USES_BETWEEN_SWEEPS - 1 {
            self.limiter.retain_recent();
            self.limiter.shrink_to_fit();
        }
        self.limiter.check_key(used).map_err(|until| until.wait_time_from(self.clock.now()))
    }
}

impl<K: Hash + Eq + Clone, C: Clock> fmt::Debug for Allowance<K, C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Allowance").field("keys", &self.limiter.len()).finish_non_exhaustive()
    }
}

/// A look at the allowance of a key, which takes one or only looks.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Use<K> {
    key: K,
    takes: bool,
}

/// The library always takes when it looks. Here a look that must not take leaves the state as it was.
struct States<K: Hash + Eq + Clone>(HashMapStateStore<K>);

impl<K: Hash + Eq + Clone> StateStore for States<K> {
    type Key = Use<K>;

    fn measure_and_replace<T, F, E>(&self, used: &Use<K>, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        if used.takes {
            return self.0.measure_and_replace(&used.key, measure);
        }
        let looked: Result<Infallible, Result<T, E>> =
            self.0.measure_and_replace(&used.key, |state| Err(measure(state).map(|(outcome, _)| outcome)));
        match looked {
            Ok(never) => match never {},
            Err(outcome) => outcome,
        }
    }
}

impl<K: Hash + Eq + Clone> ShrinkableKeyedStateStore<Use<K>> for States<K> {
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

    fn allowance(burst: u32) -> (Allowance<u32, FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        (Allowance::with_clock(PERIOD, burst, clock.clone()).unwrap(), clock)
    }

    #[test]
    fn what_was_taken_comes_back_with_time() {
        let (allowance, clock) = allowance(3);
        for _ in 0..3 {
            assert_eq!(allowance.take(&1), Ok(()));
        }
        assert_eq!(allowance.take(&1), Err(PERIOD));
        assert_eq!(allowance.take(&2), Ok(()), "another key");
        clock.advance(PERIOD / 4);
        assert_eq!(allowance.take(&1), Err(PERIOD * 3 / 4));
        clock.advance(PERIOD * 3 / 4);
        assert_eq!(allowance.take(&1), Ok(()));
        assert_eq!(allowance.take(&1), Err(PERIOD));
        clock.advance(PERIOD * 100);
        for _ in 0..3 {
            assert_eq!(allowance.take(&1), Ok(()), "no more than the burst is saved up");
        }
        assert_eq!(allowance.take(&1), Err(PERIOD));
    }

    #[test]
    fn all_are_taken_or_none() {
        let (allowance, clock) = allowance(4);
        assert_eq!(allowance.take(&1), Ok(()));
        for _ in 0..3 {
            assert_eq!(allowance.take_all(&1, 4), Err(PERIOD), "a refusal takes nothing");
        }
        clock.advance(PERIOD);
        assert_eq!(allowance.take_all(&1, 9), Ok(()), "at most the burst");
        assert_eq!(allowance.take(&1), Err(PERIOD));
    }

    #[test]
    fn looking_takes_nothing() {
        let (allowance, clock) = allowance(2);
        for _ in 0..100 {
            assert_eq!(allowance.left(&1), Ok(()));
        }
        assert_eq!((allowance.take(&1), allowance.left(&1), allowance.take(&1)), (Ok(()), Ok(()), Ok(())));
        for _ in 0..100 {
            assert_eq!(allowance.left(&1), Err(PERIOD));
        }
        clock.advance(PERIOD);
        assert_eq!((allowance.left(&1), allowance.take(&1)), (Ok(()), Ok(())));
    }

    #[test]
    fn keys_that_are_no_longer_used_are_forgotten() {
        let (allowance, clock) = allowance(2);
        for key in 0..USES_BETWEEN_SWEEPS * 10 {
            assert_eq!(allowance.take(&key), Ok(()));
            clock.advance(PERIOD);
        }
        assert!(allowance.limiter.len() <= USES_BETWEEN_SWEEPS as usize + 2, "{allowance:?}");
    }

    #[test]
    fn keys_in_use_are_kept() {
        let (allowance, clock) = allowance(2);
        assert_eq!((allowance.take(&0), allowance.take(&0)), (Ok(()), Ok(())));
        for key in 1..=USES_BETWEEN_SWEEPS * 2 {
            let _ = allowance.left(&key);
        }
        assert_eq!(allowance.take(&0), Err(PERIOD));
        clock.advance(PERIOD);
        assert_eq!(allowance.take(&0), Ok(()));
    }

    #[test]
    fn nought_is_no_allowance_at_all() {
        assert!(Allowance::<u32>::new(0, 1).is_none() && Allowance::<u32>::new(1, 0).is_none());
        assert!(Allowance::<u32>::new(u32::MAX, 1).is_none(), "finer than the clock");
    }
}
