//! Concurrency limits of a worker: slots for active reads, and extra capacity for stalled reads.
//!
//! An active read costs memory and CPU; a stalled read costs one connection.
//! A read therefore releases its active permit while its node sends nothing. Another collection then acquires the permit.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use clew_model::{Failure, FailureKind, NodeId};
use tokio::sync::{AcquireError, Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::coop::consume_budget;
use tokio::time::timeout;

use crate::reader::{ReadFuture, Rows};
use crate::settings::Settings;

/// Pool of the slots of a worker. Clones share state.
#[derive(Debug, Clone)]
pub(crate) struct SlotPool {
    /// Permits of active reads.
    active: Arc<Semaphore>,
    /// Permits of all reads, which also limit connections.
    total: Arc<Semaphore>,
    /// Number of stalled reads at which the worker claims no more collections of stalled nodes.
    max_stalled: usize,
    stall_timeout: Duration,
    stalled: Arc<Mutex<StalledNodes>>,
}

/// Nodes whose current or last read stalled.
#[derive(Debug, Default)]
struct StalledNodes {
    nodes: HashSet<NodeId>,
    /// Number of stalled reads in progress.
    reads: usize,
}

/// Slot of one collection. Dropping it releases its permits.
#[derive(Debug)]
pub(crate) struct Slot {
    pool: SlotPool,
    /// `None` while the read is stalled.
    active: Option<OwnedSemaphorePermit>,
    _total: OwnedSemaphorePermit,
}

impl SlotPool {
    pub(crate) fn new(settings: &Settings) -> Self {
        let active = settings.concurrency.max(1);
        Self {
            active: Arc::new(Semaphore::new(active)),
            total: Arc::new(Semaphore::new(active.saturating_add(settings.max_stalled))),
            max_stalled: settings.max_stalled,
            stall_timeout: settings.stall_timeout,
            stalled: Arc::default(),
        }
    }

    /// Waits for a free slot, then returns all free slots.
    pub(crate) async fn acquire_free(&self) -> Result<Vec<Slot>, AcquireError> {
        let total = self.total.clone().acquire_owned().await?;
        let mut free = vec![self.slot(total, self.active.clone().acquire_owned().await?)];
        while let Ok(total) = self.total.clone().try_acquire_owned()
            && let Ok(active) = self.active.clone().try_acquire_owned()
        {
            free.push(self.slot(total, active));
        }
        Ok(free)
    }

    fn slot(&self, total: OwnedSemaphorePermit, active: OwnedSemaphorePermit) -> Slot {
        Slot { pool: self.clone(), active: Some(active), _total: total }
    }

    /// Stalled nodes, once the limit of stalled reads is reached; otherwise empty.
    /// The worker claims no collections of these nodes.
    pub(crate) fn excluded_nodes(&self) -> Vec<NodeId> {
        let stalled = self.stalled();
        if stalled.reads < self.max_stalled { Vec::new() } else { stalled.nodes.iter().cloned().collect() }
    }

    fn stalled(&self) -> MutexGuard<'_, StalledNodes> {
        self.stalled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Marks the node as stalled if the read timed out, or if Clew's own connections to the node were busy.
    fn record_outcome(&self, node: &NodeId, read: &Result<Rows, Failure>) {
        let mut stalled = self.stalled();
        match read {
            Err(failure) if matches!(failure.kind, FailureKind::TimedOut | FailureKind::Busy) => {
                stalled.nodes.insert(node.clone())
            }
            _ => stalled.nodes.remove(node),
        };
    }
}

impl Slot {
    /// Runs a read. Releases the active permit while the node sends nothing for [`Settings::stall_timeout`].
    ///
    /// If the last read of the node stalled, the permit is released at once.
    pub(crate) async fn read(&mut self, node: &NodeId, mut read: ReadFuture<'_>) -> Result<Rows, Failure> {
        let mut stalled = StalledRead::start_if_stalled(&self.pool, node);
        let stall_timeout = if stalled.is_some() { Duration::ZERO } else { self.pool.stall_timeout };
        let signal = Arc::new(WakeSignal::default());
        let waker = Waker::from(signal.clone());
        loop {
            self.acquire_active().await;
            if let Poll::Ready(rows) = read.as_mut().poll(&mut Context::from_waker(&waker)) {
                self.pool.record_outcome(node, &rows);
                return rows;
            }
            // A read that exhausted its cooperative budget wakes itself. Other tasks must run first.
            consume_budget().await;
            if timeout(stall_timeout, signal.0.notified()).await.is_err() {
                stalled.get_or_insert_with(|| StalledRead::start(&self.pool, node));
                self.active = None;
                signal.0.notified().await;
            }
        }
    }

    /// Acquires an active permit unless the slot has one.
    async fn acquire_active(&mut self) {
        if self.active.is_none() {
            // An error would mean a closed semaphore; the pool never closes it.
            self.active = self.pool.active.clone().acquire_owned().await.ok();
        }
    }
}

/// Guard of a stalled read: counted in [`StalledNodes::reads`] until dropped.
struct StalledRead(SlotPool);

impl StalledRead {
    /// Starts a stalled read if the last read of the node stalled.
    fn start_if_stalled(pool: &SlotPool, node: &NodeId) -> Option<Self> {
        let is_stalled = pool.stalled().nodes.contains(node);
        is_stalled.then(|| Self::start(pool, node))
    }

    fn start(pool: &SlotPool, node: &NodeId) -> Self {
        let mut stalled = pool.stalled();
        stalled.nodes.insert(node.clone());
        stalled.reads += 1;
        drop(stalled);
        Self(pool.clone())
    }
}

impl Drop for StalledRead {
    fn drop(&mut self) {
        let mut stalled = self.0.stalled();
        stalled.reads = stalled.reads.saturating_sub(1);
    }
}

/// Waker of a read: notifies the slot that the read can make progress.
#[derive(Default)]
struct WakeSignal(Notify);

impl Wake for WakeSignal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.notify_one();
    }
}
