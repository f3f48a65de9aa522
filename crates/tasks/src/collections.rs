//! The worker: takes collections up as they come, and lets go of them in order.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use clew_model::{InstanceId, NodeId, ProjectId, RequestId, Selection};
use clew_store::{ClaimedTask, NewTask, Store, StoreError};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};
use uuid::Uuid;

use crate::collection::Collection;
use crate::observer::Observer;
use crate::reader::{NodeReader, ServerReader};
use crate::retention;
use crate::settings::Settings;

/// What nobody of this process says is seen at the latest after this: tasks of other processes, leases that lapsed.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// How long the end of a worker waits for handed-back reads to be killed on their servers.
const KILL_GRACE: Duration = Duration::from_secs(2);

/// The collections of a store: takes new ones in and, while [`Collections::run`] runs, does them. Clones share everything.
#[derive(Clone)]
pub struct Collections {
    store: Store,
    settings: Arc<Settings>,
    reader: Arc<dyn NodeReader>,
    observer: Arc<dyn Observer>,
    /// Something may have become claimable.
    wake: Arc<Notify>,
}

impl Collections {
    /// Collections that are read from real servers.
    #[must_use]
    pub fn new(store: Store, settings: Settings, observer: Arc<dyn Observer>) -> Self {
        let reader = ServerReader { limits: settings.limits, formula_guard: settings.formula_guard };
        Self::with_reader(store, settings, observer, Arc::new(reader))
    }

    /// Collections that are read by `reader`.
    #[must_use]
    pub fn with_reader(
        store: Store,
        settings: Settings,
        observer: Arc<dyn Observer>,
        reader: Arc<dyn NodeReader>,
    ) -> Self {
        Self { store, settings: Arc::new(settings), reader, observer, wake: Arc::default() }
    }

    /// Puts a collection in its node's queue and wakes the worker. It is durable once this returns. A `masked` one keeps
    /// templates of statements, never a literal.
    ///
    /// Fails with [`StoreError::QueueFull`] where too many of the node wait already.
    pub async fn submit(
        &self,
        project_id: ProjectId,
        instance_id: InstanceId,
        node_id: NodeId,
        selection: Selection,
        masked: bool,
    ) -> Result<RequestId, StoreError> {
        let request_id = RequestId::generate();
        let task = NewTask { request_id: request_id.clone(), project_id, instance_id, node_id, selection, masked };
        self.store.insert_task(&task, self.settings.queue_per_node).await?;
        self.wake.notify_one();
        Ok(request_id)
    }

    /// Does collections until `shutdown`, then finishes what runs, or hands it back after [`Settings::grace`], and returns.
    /// One that was handed back is taken up by the next worker as if this one had never had it.
    pub async fn run(self, shutdown: CancellationToken) {
        let hand_back = CancellationToken::new();
        // Should this future be dropped, what it started must not go on alone.
        let _on_drop = hand_back.clone().drop_guard();
        let running = TaskTracker::new();
        tokio::select! {
            () = self.take_up(&running, &shutdown, &hand_back) => {}
            () = retention::run(self.store.clone(), &self.settings) => {}
        }
        running.close();
        info!(tasks.running = running.len(), "stopping: no more collections are taken up");
        if tokio::time::timeout(self.settings.grace, running.wait()).await.is_err() {
            hand_back.cancel();
            running.wait().await;
        }
        clew_mysql::settle_kills(KILL_GRACE).await;
    }

    /// Claims whenever there is room and something to claim, until `shutdown`. A claim is never dropped half-way: the store
    /// might have made it.
    async fn take_up(&self, running: &TaskTracker, shutdown: &CancellationToken, hand_back: &CancellationToken) {
        let worker = format!("{}-{}", std::process::id(), Uuid::new_v4().simple());
        let room = Arc::new(Semaphore::new(self.settings.concurrency.max(1)));
        let mut store_fails = false;
        loop {
            let Some(Ok(place)) = shutdown.run_until_cancelled(room.clone().acquire_owned()).await else { return };
            let taken = Instant::now();
            let claim = self.store.claim_task(&worker, self.settings.lease, self.settings.per_node).await;
            match &claim {
                // Once, not twice a second.
                Err(error) if !store_fails => warn!(%error, "could not look for collections; will try again"),
                Ok(_) if store_fails => info!("can look for collections again"),
                _ => {}
            }
            store_fails = claim.is_err();
            if let Ok(Some(claimed)) = claim {
                running.spawn(self.collection(claimed, taken).run_in(place, self.wake.clone(), hand_back.clone()));
                continue;
            }
            drop(place);
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.wake.notified() => {}
                () = sleep(LOOK_AGAIN) => {}
            }
        }
    }

    fn collection(&self, claimed: ClaimedTask, taken: Instant) -> Collection {
        Collection {
            store: self.store.clone(),
            settings: self.settings.clone(),
            reader: self.reader.clone(),
            observer: self.observer.clone(),
            claimed,
            taken,
        }
    }
}

impl Collection {
    /// Runs in its place, and tells the worker when both are free again.
    async fn run_in(self, place: OwnedSemaphorePermit, wake: Arc<Notify>, hand_back: CancellationToken) {
        self.run(hand_back).await;
        drop(place);
        wake.notify_one();
    }
}

impl fmt::Debug for Collections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collections").field("settings", &self.settings).finish_non_exhaustive()
    }
}
