//! The time of the database, which all processes that share it have in common, however wrong their own clocks are.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// What the database's clock said last, which every transaction that writes hears, and when. Between, a clock that nobody sets tells how
/// much time went by. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct DatabaseClock(Arc<Mutex<(Instant, i64)>>);

impl DatabaseClock {
    /// Milliseconds since 1970 (UTC), heard now.
    pub(super) fn at(milliseconds: i64) -> Self {
        Self(Arc::new(Mutex::new((Instant::now(), milliseconds))))
    }

    pub(super) fn is(&self, milliseconds: i64) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (Instant::now(), milliseconds);
    }

    /// Milliseconds since 1970 (UTC), now.
    pub(super) fn milliseconds(&self) -> i64 {
        let (heard, milliseconds) = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        milliseconds.saturating_add(i64::try_from(heard.elapsed().as_millis()).unwrap_or(i64::MAX))
    }
}
