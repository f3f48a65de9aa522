//! Clock that provides the current time for leases, expiration times and timestamps in the store.

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Wall clock, which tests can replace with a simulated clock.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> i64 + Send + Sync>);

impl Clock {
    /// Creates a clock from a function that returns a Unix timestamp in milliseconds.
    pub fn new(milliseconds: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(milliseconds))
    }

    pub(crate) fn unix_millis(&self) -> i64 {
        (self.0)()
    }

    pub(crate) fn unix_seconds(&self) -> i64 {
        self.unix_millis().div_euclid(1000)
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
        })
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
