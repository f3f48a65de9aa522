//! Notifications from other processes that use the same store.

use clew_store::{Store, StoreEvent};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::intelligent_kills::IntelligentKills;
use crate::queue::CollectionQueue;

/// Receives the notifications of other processes until `shutdown`, and wakes the workers and waiters of this process.
///
/// Without this task, or while the connection is down, workers and waiters poll the store.
pub async fn listen(store: Store, collections: CollectionQueue, kills: IntelligentKills, shutdown: CancellationToken) {
    let Some(mut notices) = store.events() else { return };
    let mut was_disconnected = false;
    while let Some(notice) = shutdown.run_until_cancelled(notices.next()).await {
        let listening = match notice {
            StoreEvent::TaskQueued => {
                collections.wake();
                continue;
            }
            StoreEvent::IntelligentKillQueued => {
                kills.wake();
                continue;
            }
            StoreEvent::TaskEnded(request_id) => {
                collections.notify_completed(&request_id);
                continue;
            }
            StoreEvent::Connected => true,
            StoreEvent::Disconnected => false,
        };
        collections.listen_state().set_listening(listening);
        kills.listen_state().set_listening(listening);
        // Earlier notifications may have been lost: poll once.
        collections.wake();
        kills.wake();
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
