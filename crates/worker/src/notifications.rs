//! Receives notifications from other processes that share the store, and wakes workers and waiting callers.

use clew_store::{Store, StoreEvent};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::collection_queue::SessionCollectionQueue;
use crate::intelligent_kills::IntelligentKillQueue;

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
        let listening = match event {
            StoreEvent::TaskQueued => {
                collections.wake_worker();
                continue;
            }
            StoreEvent::IntelligentKillQueued => {
                kills.wake_worker();
                continue;
            }
            StoreEvent::TaskEnded(request_id) => {
                collections.notify_collection_completed(&request_id);
                continue;
            }
            StoreEvent::Connected => true,
            StoreEvent::Disconnected => false,
        };
        collections.notification_listener_state().set_listening(listening);
        kills.notification_listener_state().set_listening(listening);
        // Poll once, because earlier notifications may have been lost.
        collections.wake_worker();
        kills.wake_worker();
        match (listening, was_disconnected) {
            (false, _) => {
                warn!("LISTEN connection lost; polling until it is restored");
            }
            (true, true) => info!("LISTEN connection restored"),
            (true, false) => {}
        }
        was_disconnected = !listening;
    }
}
