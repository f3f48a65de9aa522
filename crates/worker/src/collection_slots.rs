//! Limits a worker's concurrent session reads. Stalled reads do not count toward the limit for active reads.
//!
//! An active read uses memory and CPU time, while a stalled read only occupies a connection.
//! A stalled read releases its active-read permit and acquires a new permit when the node sends data.

use std::collections::HashSet;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use clew_model::{Failure, FailureKind, NodeId};
use parking_lot::Mutex;
use tokio::sync::{AcquireError, Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::coop::consume_budget;
use tokio::time::timeout;

use crate::node_reader::{ReadFuture, SessionRows};
use crate::settings::WorkerSettings;

#[derive(Debug, Clone)]
pub(crate) struct CollectionSlotPool {
    active: Arc<Semaphore>,
    total: Arc<Semaphore>,
    max_stalled: usize,
    stall_timeout: Duration,
    stalled: Arc<Mutex<StalledNodes>>,
}

/// Nodes that did not respond in time during the current or most recent session read.
#[derive(Debug, Default)]
struct StalledNodes {
    nodes: HashSet<NodeId>,
    /// Number of running reads that have stalled at least once, or whose node was in `nodes` when the read started.
    stalled_read_count: usize,
}

#[derive(Debug)]
pub(crate) struct CollectionSlot {
    pool: CollectionSlotPool,
    /// `None` while the read is stalled.
    active: Option<OwnedSemaphorePermit>,
    _total: OwnedSemaphorePermit,
}

impl CollectionSlotPool {
    pub(crate) fn new(settings: &WorkerSettings) -> Self {
        let active = settings.concurrency.max(1);
        Self {
            active: Arc::new(Semaphore::new(active)),
            total: Arc::new(Semaphore::new(active.saturating_add(settings.max_stalled))),
            max_stalled: settings.max_stalled,
            stall_timeout: settings.stall_timeout,
            stalled: Arc::default(),
        }
    }

    /// Waits until at least one slot is free.
    pub(crate) async fn acquire_free_slots(&self) -> Result<Vec<CollectionSlot>, AcquireError> {
        let total = self.total.clone().acquire_owned().await?;
        let mut free = vec![self.create_slot(total, self.active.clone().acquire_owned().await?)];
        while let Ok(total) = self.total.clone().try_acquire_owned()
            && let Ok(active) = self.active.clone().try_acquire_owned()
        {
            free.push(self.create_slot(total, active));
        }
        Ok(free)
    }

    fn create_slot(&self, total: OwnedSemaphorePermit, active: OwnedSemaphorePermit) -> CollectionSlot {
        CollectionSlot { pool: self.clone(), active: Some(active), _total: total }
    }

    /// While fewer than `max_stalled` reads are stalled, the worker may claim tasks for all nodes.
    pub(crate) fn nodes_excluded_from_claims(&self) -> Vec<NodeId> {
        let stalled = self.stalled.lock();
        if stalled.stalled_read_count < self.max_stalled { Vec::new() } else { stalled.nodes.iter().cloned().collect() }
    }

    fn update_stalled_nodes(&self, node: &NodeId, read: &Result<SessionRows, Failure>) {
        let mut stalled = self.stalled.lock();
        match read {
            Err(failure) if matches!(failure.kind, FailureKind::TimedOut | FailureKind::Busy) => {
                stalled.nodes.insert(node.clone())
            }
            _ => stalled.nodes.remove(node),
        };
    }
}

impl CollectionSlot {
    /// Releases the permit for active reads while the node sends no data.
    pub(crate) async fn wait_for_session_rows(
        &mut self,
        node: &NodeId,
        mut read: ReadFuture<'_>,
    ) -> Result<SessionRows, Failure> {
        let was_stalled = self.pool.stalled.lock().nodes.contains(node);
        let mut stalled = was_stalled.then(|| StalledReadGuard::register_stalled_read(&self.pool, node));
        let stall_timeout = if stalled.is_some() { Duration::ZERO } else { self.pool.stall_timeout };
        let signal = Arc::new(NotifyWaker::default());
        let waker = Waker::from(signal.clone());
        loop {
            self.acquire_permit_for_active_read().await;
            if let Poll::Ready(rows) = read.as_mut().poll(&mut Context::from_waker(&waker)) {
                self.pool.update_stalled_nodes(node, &rows);
                return rows;
            }
            // A read with an exhausted cooperative budget wakes itself, so other tasks must run first.
            consume_budget().await;
            if timeout(stall_timeout, signal.0.notified()).await.is_err() {
                stalled.get_or_insert_with(|| StalledReadGuard::register_stalled_read(&self.pool, node));
                self.active = None;
                signal.0.notified().await;
            }
        }
    }

    async fn acquire_permit_for_active_read(&mut self) {
        if self.active.is_none() {
            // An error would mean that the semaphore is closed, but the pool never closes it.
            self.active = self.pool.active.clone().acquire_owned().await.ok();
        }
    }
}

struct StalledReadGuard(CollectionSlotPool);

impl StalledReadGuard {
    fn register_stalled_read(pool: &CollectionSlotPool, node: &NodeId) -> Self {
        let mut stalled = pool.stalled.lock();
        stalled.nodes.insert(node.clone());
        stalled.stalled_read_count += 1;
        drop(stalled);
        Self(pool.clone())
    }
}

impl Drop for StalledReadGuard {
    fn drop(&mut self) {
        let mut stalled = self.0.stalled.lock();
        stalled.stalled_read_count = stalled.stalled_read_count.saturating_sub(1);
    }
}

#[derive(Default)]
struct NotifyWaker(Notify);

impl Wake for NotifyWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.notify_one();
    }
}
