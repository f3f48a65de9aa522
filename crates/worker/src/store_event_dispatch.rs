//! Wakes workers and waiting callers when another process that shares the store sends a notification.

use clew_store::{Store, StoreEvent};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::collection_queue::SessionCollectionQueue;
use crate::intelligent_kills::IntelligentKillQueue;

/// Wakes this process's workers and waiting callers when the metadata database sends a notification.
/// Returns after the `shutdown` token is canceled, or immediately if the store supports no notifications.
///
/// A lost notification causes only a delay, because workers and waiting callers also poll the store.
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
