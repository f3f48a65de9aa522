//! Clock of the database server, used by all processes that share the database.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Tracks the server time of the last write transaction and the monotonic time at which the process received it.
/// The local monotonic clock measures the time since the last write transaction. Clones share the state.
#[derive(Debug, Clone)]
pub(super) struct DatabaseClock(Arc<Mutex<(Instant, i64)>>);

impl DatabaseClock {
    /// Creates a clock from the current server time, a Unix timestamp in milliseconds.
    pub(super) fn new(milliseconds: i64) -> Self {
        Self(Arc::new(Mutex::new((Instant::now(), milliseconds))))
    }

    /// Sets the current server time, a Unix timestamp in milliseconds.
    pub(super) fn set_server_time(&self, milliseconds: i64) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (Instant::now(), milliseconds);
    }

    /// Returns the current server time, as a Unix timestamp in milliseconds.
    pub(super) fn unix_millis(&self) -> i64 {
        let (received, milliseconds) = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        milliseconds.saturating_add(i64::try_from(received.elapsed().as_millis()).unwrap_or(i64::MAX))
    }
}
