//! Tracks the database's version counters. Cached values become invalid when a version counter changes.
//!
//! One database query serves all pending requests for the data version.
//! A query starts after the requests that it answers, so the result reflects all commits made before these requests.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::database::{ChangeDetector, DataVersion};
use crate::error::StoreError;

const MAX_REQUESTS_PER_DATA_VERSION_QUERY: usize = 1024;

type ReplySender = oneshot::Sender<Result<DataVersion, StoreError>>;

#[derive(Clone)]
pub(crate) struct DataVersionTracker {
    requests: mpsc::UnboundedSender<ReplySender>,
}

impl DataVersionTracker {
    /// The background task terminates when the last clone of the tracker is dropped.
    pub(crate) fn spawn(detector: ChangeDetector) -> Self {
        let (requests, receiver) = mpsc::unbounded_channel();
        tokio::spawn(run_data_version_queries(detector, receiver));
        Self { requests }
    }

    /// Returns a data version that was current at some point during the call.
    pub(crate) async fn current_data_version(&self) -> Result<DataVersion, StoreError> {
        let (reply, response) = oneshot::channel();
        self.requests.send(reply).map_err(|_| StoreError::Stopped)?;
        response.await.unwrap_or(Err(StoreError::Stopped))
    }
}

async fn run_data_version_queries(mut detector: ChangeDetector, mut receiver: mpsc::UnboundedReceiver<ReplySender>) {
    let mut pending = Vec::new();
    // Requests that arrive after this call wait for the next query.
    while receiver.recv_many(&mut pending, MAX_REQUESTS_PER_DATA_VERSION_QUERY).await > 0 {
        let version = detector.current_data_version().await.map_err(Arc::new);
        for reply in pending.drain(..) {
            // The caller may have been canceled.
            let _ =
                reply.send(version.clone().map_err(|error| StoreError::from_shared("query the data version", error)));
        }
    }
}
