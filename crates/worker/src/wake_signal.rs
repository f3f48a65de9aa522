//! Wakes a queue's worker when work may be available, and sets the interval at which the worker polls the store.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

/// Polling detects expired leases, for which no notification is sent, and changes whose notifications were lost.
const MIN_POLL_INTERVAL_WITH_NOTIFICATIONS: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Default)]
pub(crate) struct WakeSignal {
    notify: Arc<Notify>,
    is_listening: Arc<AtomicBool>,
}

impl WakeSignal {
    pub(crate) fn wake(&self) {
        self.notify.notify_one();
    }

    pub(crate) async fn wait(&self, poll_interval: Duration) {
        tokio::select! {
            () = self.notify.notified() => {}
            () = sleep(self.poll_interval(poll_interval)) => {}
        }
    }

    pub(crate) fn poll_interval(&self, without_listen: Duration) -> Duration {
        if self.is_listening.load(Ordering::Relaxed) {
            without_listen.max(MIN_POLL_INTERVAL_WITH_NOTIFICATIONS)
        } else {
            without_listen
        }
    }

    /// Wakes the worker, because notifications may have been lost while the connection was down.
    pub(crate) fn set_listening(&self, listening: bool) {
        self.is_listening.store(listening, Ordering::Relaxed);
        self.wake();
    }
}
