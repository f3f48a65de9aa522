//! Provides the time of the database server, which all Clew processes that share the database use.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

/// Clock that derives the current server time from the server time received in the last write transaction.
#[derive(Debug, Clone)]
pub(super) struct DatabaseClock(Arc<Mutex<(Instant, i64)>>);

impl DatabaseClock {
    /// `milliseconds` is a Unix timestamp.
    pub(super) fn new(milliseconds: i64) -> Self {
        Self(Arc::new(Mutex::new((Instant::now(), milliseconds))))
    }

    pub(super) fn record_server_time(&self, milliseconds: i64) {
        *self.0.lock() = (Instant::now(), milliseconds);
    }

    pub(super) fn unix_millis(&self) -> i64 {
        let (received, milliseconds) = *self.0.lock();
        milliseconds.saturating_add(i64::try_from(received.elapsed().as_millis()).unwrap_or(i64::MAX))
    }
}
