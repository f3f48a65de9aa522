//! Rate limiter with a quota per key, based on the generic cell rate algorithm (GCRA).

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

const CHECKS_BETWEEN_CLEANUPS: u32 = 4096;

/// Rate limiter with a quota per key.
#[derive(Debug)]
pub struct KeyedRateLimiter<K> {
    period: Duration,
    burst: u32,
    quotas: Mutex<RateLimiterState<K>>,
}

#[derive(Debug)]
struct RateLimiterState<K> {
    /// Maps each key to the time at which all of the key's permits are available again.
    replenished_at: HashMap<K, Instant>,
    checks: u32,
}

impl<K: Hash + Eq + Clone> KeyedRateLimiter<K> {
    /// Creates a rate limiter. A rate or burst size of 0 disables the limit.
    #[must_use]
    pub fn new(per_second: u32, burst: u32) -> Self {
        Self::with_period(Duration::from_secs(1).checked_div(per_second).unwrap_or_default(), burst)
    }

    /// Creates a rate limiter. Each key regains one permit per `period`, up to `burst` permits.
    #[must_use]
    pub fn with_period(period: Duration, burst: u32) -> Self {
        let period = if burst == 0 { Duration::ZERO } else { period };
        Self { period, burst, quotas: Mutex::new(RateLimiterState { replenished_at: HashMap::new(), checks: 0 }) }
    }

    /// Returns `true` if the rate limiter is disabled and therefore allows all requests.
    #[must_use]
    pub fn is_disabled(&self) -> bool {
        self.period.is_zero()
    }

    /// Consumes a permit. If no permit is available, returns the time until the next permit as the error.
    pub fn consume_permit(&self, key: &K) -> Result<(), Duration> {
        self.check_or_consume_permits(key, 1, true)
    }

    /// Consumes `count` permits, limited to the burst size. If not enough permits are available, consumes none.
    pub fn consume_permits(&self, key: &K, count: u32) -> Result<(), Duration> {
        self.check_or_consume_permits(key, count, true)
    }

    /// Checks whether a permit is available for `key`, but does not consume the permit.
    pub fn check_permit_available(&self, key: &K) -> Result<(), Duration> {
        self.check_or_consume_permits(key, 1, false)
    }

    fn check_or_consume_permits(&self, key: &K, count: u32, consumes: bool) -> Result<(), Duration> {
        if self.is_disabled() {
            return Ok(());
        }
        let mut quotas = self.quotas.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        quotas.checks += 1;
        if quotas.checks == CHECKS_BETWEEN_CLEANUPS {
            quotas.checks = 0;
            quotas.replenished_at.retain(|_, replenished_at| *replenished_at > now);
            quotas.replenished_at.shrink_to_fit();
        }
        let current = quotas.replenished_at.get(key).map_or(now, |replenished_at| now.max(*replenished_at));
        let replenished_at = current + self.period * count.min(self.burst);
        let wait = (replenished_at - now).saturating_sub(self.period * self.burst);
        if !wait.is_zero() {
            return Err(wait);
        }
        if consumes {
            quotas.replenished_at.insert(key.clone(), replenished_at);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const PERIOD: Duration = Duration::from_millis(100);

    #[tokio::test(start_paused = true)]
    async fn permits_are_replenished_over_time() {
        let limiter = KeyedRateLimiter::with_period(PERIOD, 3);
        for _ in 0..3 {
            assert_eq!(limiter.consume_permit(&1), Ok(()));
        }
        assert_eq!(limiter.consume_permit(&1), Err(PERIOD));
        assert_eq!(limiter.consume_permit(&2), Ok(()), "another key");
        advance(PERIOD / 4).await;
        assert_eq!(limiter.consume_permit(&1), Err(PERIOD * 3 / 4));
        advance(PERIOD * 3 / 4).await;
        assert_eq!(limiter.consume_permit(&1), Ok(()));
        assert_eq!(limiter.consume_permit(&1), Err(PERIOD));
        advance(PERIOD * 100).await;
        for _ in 0..3 {
            assert_eq!(limiter.consume_permit(&1), Ok(()), "permits accumulate up to the burst size");
        }
        assert_eq!(limiter.consume_permit(&1), Err(PERIOD));
    }

    #[tokio::test(start_paused = true)]
    async fn check_n_consumes_all_permits_or_none() {
        let limiter = KeyedRateLimiter::with_period(PERIOD, 4);
        assert_eq!(limiter.consume_permit(&1), Ok(()));
        for _ in 0..3 {
            assert_eq!(limiter.consume_permits(&1, 4), Err(PERIOD), "a refused check consumes nothing");
        }
        advance(PERIOD).await;
        assert_eq!(limiter.consume_permits(&1, 9), Ok(()), "at most the burst");
        assert_eq!(limiter.consume_permit(&1), Err(PERIOD));
    }

    #[tokio::test(start_paused = true)]
    async fn availability_check_consumes_nothing() {
        let limiter = KeyedRateLimiter::with_period(PERIOD, 2);
        for _ in 0..100 {
            assert_eq!(limiter.check_permit_available(&1), Ok(()));
        }
        assert_eq!(
            (limiter.consume_permit(&1), limiter.check_permit_available(&1), limiter.consume_permit(&1)),
            (Ok(()), Ok(()), Ok(()))
        );
        for _ in 0..100 {
            assert_eq!(limiter.check_permit_available(&1), Err(PERIOD));
        }
        advance(PERIOD).await;
        assert_eq!((limiter.check_permit_available(&1), limiter.consume_permit(&1)), (Ok(()), Ok(())));
    }

    #[tokio::test(start_paused = true)]
    async fn idle_keys_are_removed() {
        let limiter = KeyedRateLimiter::with_period(PERIOD, 2);
        for key in 0..CHECKS_BETWEEN_CLEANUPS * 10 {
            assert_eq!(limiter.consume_permit(&key), Ok(()));
            advance(PERIOD).await;
        }
        assert!(limiter.quotas.lock().unwrap().replenished_at.len() <= CHECKS_BETWEEN_CLEANUPS as usize + 2);
    }

    #[tokio::test(start_paused = true)]
    async fn keys_in_use_stay() {
        let limiter = KeyedRateLimiter::with_period(PERIOD, 2);
        assert_eq!((limiter.consume_permit(&0), limiter.consume_permit(&0)), (Ok(()), Ok(())));
        for key in 1..=CHECKS_BETWEEN_CLEANUPS * 2 {
            let _ = limiter.check_permit_available(&key);
        }
        assert_eq!(limiter.consume_permit(&0), Err(PERIOD));
        advance(PERIOD).await;
        assert_eq!(limiter.consume_permit(&0), Ok(()));
    }

    #[test]
    fn zero_disables_the_limiter() {
        for (per_second, burst) in [(0, 1), (1, 0), (u32::MAX, 1)] {
            let limiter = KeyedRateLimiter::new(per_second, burst);
            assert!(limiter.is_disabled(), "{per_second} {burst}");
            for _ in 0..100 {
                assert_eq!(
                    (limiter.check_permit_available(&1), limiter.consume_permits(&1, u32::MAX)),
                    (Ok(()), Ok(()))
                );
            }
        }
    }
}
