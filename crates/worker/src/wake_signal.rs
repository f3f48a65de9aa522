//! Wakes a queue's worker when work may be available, and sets the interval at which the worker polls the store.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

/// Polling detects expired task leases. Clew sends no notification when a lease expires.
/// Polling detects changes whose notifications were lost while the `LISTEN` connection was down.
const MIN_POLL_INTERVAL_WITH_NOTIFICATIONS: Duration = Duration::from_secs(2);

/// Signal that wakes a queue's worker when a task may be available. Clones share the signal.
#[derive(Debug, Clone, Default)]
pub(crate) struct WakeSignal {
    notify: Arc<Notify>,
    /// True while the PostgreSQL `LISTEN` connection is established.
    is_listening: Arc<AtomicBool>,
}

impl WakeSignal {
    pub(crate) fn wake(&self) {
        self.notify.notify_one();
    }

    /// Waits until [`Self::wake`] is called or the poll interval has elapsed.
    pub(crate) async fn wait(&self, poll_interval: Duration) {
        tokio::select! {
            () = self.notify.notified() => {}
            () = sleep(self.poll_interval(poll_interval)) => {}
        }
    }

    /// Returns the interval for polling the store, which is at least 2 s while the `LISTEN` connection is established.
    pub(crate) fn poll_interval(&self, without_listen: Duration) -> Duration {
        if self.is_listening.load(Ordering::Relaxed) {
            without_listen.max(MIN_POLL_INTERVAL_WITH_NOTIFICATIONS)
        } else {
            without_listen
        }
    }

    /// Records whether the `LISTEN` connection is open, and wakes the worker in case notifications were lost.
    pub(crate) fn set_listen_connection_state(&self, listening: bool) {
        self.is_listening.store(listening, Ordering::Relaxed);
        self.wake();
    }
}
