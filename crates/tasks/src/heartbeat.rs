//! Heartbeats of a worker. The store uses heartbeats to detect zones without a live worker.

use std::time::Duration;

use clew_store::Store;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::debug;

/// Time between two heartbeats. The store treats a worker as gone 20 seconds after its last heartbeat.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(5);
/// Timeout of the request that deregisters the worker.
const DEREGISTER_TIMEOUT: Duration = Duration::from_secs(2);

/// Sends heartbeats and never returns. Collections of a zone without heartbeats fail after some minutes.
pub(crate) async fn send_heartbeats(store: &Store, worker: &str) {
    let mut ticks = interval(HEARTBEAT_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = store.record_heartbeat(worker).await {
            debug!(%error, "could not say that this worker is at work");
        }
    }
}

/// Deregisters a worker that claims no more collections.
pub(crate) async fn deregister_worker(store: &Store, worker: &str) {
    if !matches!(timeout(DEREGISTER_TIMEOUT, store.remove_worker(worker)).await, Ok(Ok(()))) {
        debug!("could not say that this worker has stopped");
    }
}
