//! Limits each Clew process to two concurrent connections per node.
//!
//! Read operations use only one of the two connections per node.
//! One connection is reserved for kills, so that a kill never has to wait for a read operation.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clew_model::{Failure, FailureKind};
use parking_lot::Mutex;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Purpose of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConnectionPurpose {
    /// The connection is used to read data.
    /// Each process runs at most one read operation per node at a time. Further read operations wait in a queue.
    Reading,
    /// The connection is used to kill sessions or to read sessions before a kill.
    /// A kill may have to wait for other kills, but never for read operations.
    Killing,
}

/// Permits that limit the number of connections to each node. Clones share the permits.
#[derive(Debug, Clone, Default)]
pub(crate) struct ConnectionPermits {
    /// Maps node addresses to connection permits. Contains only nodes with an open or requested connection.
    by_node: Arc<Mutex<HashMap<String, Arc<NodeConnectionPermits>>>>,
}

impl ConnectionPermits {
    /// Fails if no connection permit becomes available within `max_wait`.
    pub(crate) async fn acquire(
        &self,
        address: &str,
        purpose: ConnectionPurpose,
        max_wait: Duration,
    ) -> Result<ConnectionPermit, Failure> {
        let (node, requested_at) = (self.find_or_create_node_permits(address), Instant::now());
        match timeout(max_wait, node.permits.acquire(purpose)).await {
            Ok(Ok(permit)) => {
                Ok(ConnectionPermit { purpose, requested_at, acquired_at: Instant::now(), _permit: permit, node })
            }
            Ok(Err(_)) | Err(_) => Err(node_busy_failure(address, purpose, max_wait)),
        }
    }

    fn find_or_create_node_permits(&self, address: &str) -> SharedConnectionPermits {
        let permits = self
            .by_node
            .lock()
            .entry(address.to_owned())
            .or_insert_with(|| Arc::new(NodeConnectionPermits::new()))
            .clone();
        SharedConnectionPermits { address: address.to_owned(), permits, all: self.clone() }
    }
}

/// Permit to open a connection to a node. The owner must close the connection before dropping the permit.
#[derive(Debug)]
pub(crate) struct ConnectionPermit {
    pub(crate) purpose: ConnectionPurpose,
    pub(crate) requested_at: Instant,
    pub(crate) acquired_at: Instant,
    // Fields are dropped in declaration order: the permit is released before the node's entry is removed.
    _permit: OwnedSemaphorePermit,
    node: SharedConnectionPermits,
}

impl ConnectionPermit {
    pub(crate) fn address(&self) -> &str {
        &self.node.address
    }
}

fn node_busy_failure(address: &str, purpose: ConnectionPurpose, max_wait: Duration) -> Failure {
    let doing = match purpose {
        ConnectionPurpose::Reading => {
            "Clew already reads this node, or kills the statement of an abandoned read, and allows one read at a time"
        }
        ConnectionPurpose::Killing => "Clew already has two connections to this node, which is the maximum",
    };
    Failure::new(
        FailureKind::Busy,
        format!("{address}: {doing}; no connection permit became available within {} s", max_wait.as_secs_f32()),
    )
}

#[derive(Debug)]
struct NodeConnectionPermits {
    reading: Arc<Semaphore>,
    killing: Arc<Semaphore>,
}

impl NodeConnectionPermits {
    fn new() -> Self {
        Self { reading: Arc::new(Semaphore::new(1)), killing: Arc::new(Semaphore::new(1)) }
    }

    /// Before a kill, acquires the kill permit or the read permit, whichever becomes available first.
    /// After one permit is acquired, `select!` drops the future that waits for the other permit.
    /// Dropping a future that waits for a permit removes the future from the semaphore's queue.
    async fn acquire(&self, purpose: ConnectionPurpose) -> Result<OwnedSemaphorePermit, AcquireError> {
        if purpose == ConnectionPurpose::Reading {
            return self.reading.clone().acquire_owned().await;
        }
        tokio::select! {
            biased;
            permit = self.killing.clone().acquire_owned() => permit,
            permit = self.reading.clone().acquire_owned() => permit,
        }
    }
}

/// Handle for a node's [`NodeConnectionPermits`]. Dropping the last handle deletes the permits.
#[derive(Debug)]
struct SharedConnectionPermits {
    address: String,
    permits: Arc<NodeConnectionPermits>,
    all: ConnectionPermits,
}

impl Drop for SharedConnectionPermits {
    fn drop(&mut self) {
        let mut busy = self.all.by_node.lock();
        // No other thread clones the entry while the mutex is held. Count 2 means this handle and the map entry.
        if Arc::strong_count(&self.permits) == 2 {
            busy.remove(&self.address);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    fn is_taken(permits: &ConnectionPermits, address: &str, purpose: ConnectionPurpose) -> bool {
        permits.acquire(address, purpose, LONG).now_or_never().is_none()
    }

    #[tokio::test]
    async fn one_read_and_one_kill_run_at_a_time() {
        let (permits, address) = (ConnectionPermits::default(), "budget-one.test:1");
        let reading = permits.acquire(address, ConnectionPurpose::Reading, LONG).await.unwrap();
        assert!(is_taken(&permits, address, ConnectionPurpose::Reading));
        let killing = permits.acquire(address, ConnectionPurpose::Killing, LONG).await.unwrap();
        assert!(is_taken(&permits, address, ConnectionPurpose::Killing));
        // Permits of different nodes are independent.
        assert!(!is_taken(&permits, "budget-other.test:1", ConnectionPurpose::Reading));
        drop(reading);
        // A kill may use the permit for reads; then no read can start.
        let second = permits.acquire(address, ConnectionPurpose::Killing, LONG).await.unwrap();
        assert!(is_taken(&permits, address, ConnectionPurpose::Reading));
        drop((killing, second));
        assert!(!is_taken(&permits, address, ConnectionPurpose::Reading));
    }

    #[tokio::test]
    async fn kill_does_not_queue_behind_reads() {
        let (permits, address) = (ConnectionPermits::default(), "budget-queue.test:1");
        let _reading = permits.acquire(address, ConnectionPurpose::Reading, LONG).await.unwrap();
        let mut queue: Vec<_> =
            (0..20).map(|_| Box::pin(permits.acquire(address, ConnectionPurpose::Reading, LONG))).collect();
        for waiting in &mut queue {
            assert!(waiting.now_or_never().is_none());
        }
        assert!(!is_taken(&permits, address, ConnectionPurpose::Killing));
    }

    #[tokio::test]
    async fn cancelled_wait_releases_its_permit() {
        let (permits, address) = (ConnectionPermits::default(), "budget-given-up.test:1");
        let reading = permits.acquire(address, ConnectionPurpose::Reading, LONG).await.unwrap();
        let mut first = Box::pin(permits.acquire(address, ConnectionPurpose::Reading, LONG));
        let mut second = Box::pin(permits.acquire(address, ConnectionPurpose::Reading, LONG));
        assert!((&mut first).now_or_never().is_none() && (&mut second).now_or_never().is_none());
        // The permit goes to the first waiter, which is dropped before it is polled, and then to the second.
        drop(reading);
        drop(first);
        let permit = (&mut second).now_or_never().expect("the permit is lost").unwrap();
        drop((permit, second));
        assert!(!permits.by_node.lock().contains_key(address), "the entry of an unused node is not removed");
    }

    #[tokio::test]
    async fn wait_for_a_permit_times_out_with_a_reason() {
        let (permits, address) = (ConnectionPermits::default(), "budget-end.test:1");
        let _reading = permits.acquire(address, ConnectionPurpose::Reading, LONG).await.unwrap();
        let _killing = permits.acquire(address, ConnectionPurpose::Killing, LONG).await.unwrap();
        for (purpose, reason) in [
            (ConnectionPurpose::Reading, "Clew already reads this node"),
            (ConnectionPurpose::Killing, "two connections"),
        ] {
            let failure = permits.acquire(address, purpose, Duration::from_millis(1)).await.unwrap_err();
            assert_eq!(failure.kind, FailureKind::Busy);
            assert!(failure.detail.contains(reason) && failure.detail.contains("0.001 s"), "{failure}");
        }
    }
}
