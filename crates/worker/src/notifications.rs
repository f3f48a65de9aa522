//! Receives notifications from other processes that share the store, and wakes workers and waiting callers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clew_store::{Store, StoreEvent};
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::collection_queue::SessionCollectionQueue;
use crate::intelligent_kills::IntelligentKillQueue;

/// Polling detects expired leases, for which no notification is sent.
/// Polling detects changes whose notifications were lost while the `LISTEN` connection was down.
const MIN_POLL_INTERVAL_WHILE_LISTENING: Duration = Duration::from_secs(2);

/// Signal that wakes the worker of a queue when the store may contain claimable work. Clones share state.
#[derive(Debug, Clone, Default)]
pub(crate) struct WakeSignal {
    notify: Arc<Notify>,
    /// True while the PostgreSQL `LISTEN` connection receives notifications.
    is_listening: Arc<AtomicBool>,
}

impl WakeSignal {
    pub(crate) fn wake(&self) {
        self.notify.notify_one();
    }

    /// Returns after a call of [`Self::wake`], or when the worker must poll the store.
    pub(crate) async fn wait(&self, poll_interval: Duration) {
        tokio::select! {
            () = self.notify.notified() => {}
            () = sleep(self.poll_interval(poll_interval)) => {}
        }
    }

    /// Returns the poll interval, which is at least 2 s while the process receives PostgreSQL notifications.
    pub(crate) fn poll_interval(&self, without_listen: Duration) -> Duration {
        if self.is_listening.load(Ordering::Relaxed) {
            without_listen.max(MIN_POLL_INTERVAL_WHILE_LISTENING)
        } else {
            without_listen
        }
    }

    /// Sets the state of the `LISTEN` connection, and wakes the worker, because notifications may have been lost.
    fn set_listening(&self, listening: bool) {
        self.is_listening.store(listening, Ordering::Relaxed);
        self.wake();
    }
}

/// Wakes workers and waiting callers in this process when another process sends a notification.
/// Returns after the `shutdown` token is cancelled, or immediately if the store supports no notifications.
///
/// Workers and waiting callers do not depend on notifications, because they also poll the store.
pub async fn dispatch_store_events(
    store: Store,
    collections: SessionCollectionQueue,
    kills: IntelligentKillQueue,
    shutdown: CancellationToken,
) {
    let Some(mut events) = store.subscribe_to_events() else { return };
    let mut was_disconnected = false;
    while let Some(event) = shutdown.run_until_cancelled(events.next()).await {
        match event {
            StoreEvent::TaskQueued => collections.wake.wake(),
            StoreEvent::IntelligentKillQueued => kills.wake.wake(),
            StoreEvent::TaskEnded(request_id) => collections.completions.notify_waiters(&request_id),
            StoreEvent::Connected | StoreEvent::Disconnected => {
                let listening = event == StoreEvent::Connected;
                collections.wake.set_listening(listening);
                kills.wake.set_listening(listening);
                if !listening {
                    warn!("LISTEN connection lost; polling until it is restored");
                } else if was_disconnected {
                    info!("LISTEN connection restored");
                }
                was_disconnected = !listening;
            }
        }
    }
}
