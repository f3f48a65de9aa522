//! Sends a worker's heartbeats to the store, which detects network zones without a running worker.

use std::time::Duration;

use clew_store::Store;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::debug;

/// The store treats a worker as stopped 20 s after its last heartbeat.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(5);
const WORKER_DEREGISTRATION_TIMEOUT: Duration = Duration::from_secs(2);

/// If a network zone has no active worker, a collection task that has been queued for 10 minutes fails.
pub(crate) async fn send_heartbeats(store: &Store, worker: &str) {
    let mut ticks = interval(HEARTBEAT_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = store.zones().record_worker_heartbeat(worker).await {
            debug!(%error, "could not record the heartbeat of this worker");
        }
    }
}

/// Removes a worker from the store after the worker has stopped claiming collection tasks.
pub(crate) async fn deregister_worker(store: &Store, worker: &str) {
    if !matches!(timeout(WORKER_DEREGISTRATION_TIMEOUT, store.zones().remove_worker(worker)).await, Ok(Ok(()))) {
        debug!("could not deregister this worker");
    }
}
