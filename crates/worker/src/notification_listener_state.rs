//! Tracks whether the PostgreSQL `LISTEN` connection works, and sets the interval for polling the store accordingly.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Polling detects expired leases, for which no notification is sent.
/// Polling detects changes whose notifications were lost while the `LISTEN` connection was down.
const MIN_POLL_INTERVAL_WHILE_LISTENING: Duration = Duration::from_secs(2);

/// Flag that is true while the PostgreSQL `LISTEN` connection receives notifications.
#[derive(Debug, Clone, Default)]
pub(crate) struct NotificationListenerState(Arc<AtomicBool>);

impl NotificationListenerState {
    /// Returns the poll interval, which is at least 2 s while the process receives PostgreSQL notifications.
    pub(crate) fn poll_interval(&self, without_listen: Duration) -> Duration {
        if self.0.load(Ordering::Relaxed) {
            without_listen.max(MIN_POLL_INTERVAL_WHILE_LISTENING)
        } else {
            without_listen
        }
    }

    pub(crate) fn set_listening(&self, listening: bool) {
        self.0.store(listening, Ordering::Relaxed);
    }
}
