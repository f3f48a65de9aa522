//! The worker: takes collections up as they come, and lets go of them in order.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use clew_model::{InstanceId, NodeId, ProjectId, RequestId, Selection};
use clew_store::{Claim, ClaimedTask, Claims, NewTask, Store, StoreError, Task};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};
use uuid::Uuid;

use crate::at_work;
use crate::collection::Collection;
use crate::endings::Endings;
use crate::hearing::Hearing;
use crate::observer::Observer;
use crate::places::{Place, Places};
use crate::reader::{NodeReader, ServerReader};
use crate::retention;
use crate::settings::Settings;

/// Between two looks at whether S3 takes results again.
const REFUSED_AGAIN: Duration = Duration::from_secs(2);
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
    endings: Endings,
    hearing: Hearing,
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
        Self {
            store,
            settings: Arc::new(settings),
            reader,
            observer,
            wake: Arc::default(),
            endings: Endings::default(),
            hearing: Hearing::default(),
        }
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

    /// The collection once it has ended; as it is where it has not within `limit`, or [`Collections::end_waits`] was called; nothing
    /// if it is not known.
    pub async fn wait_for_end(&self, request_id: &RequestId, limit: Duration) -> Result<Option<Task>, StoreError> {
        let waiter = self.endings.wait_for(request_id);
        let until = Instant::now() + limit;
        loop {
            // Before the look: what ends after it is told.
            let last = waiter.is_told() || Instant::now() >= until;
            let task = self.store.task(request_id).await?;
            if last || task.as_ref().is_none_or(|task| task.status.is_final()) {
                return Ok(task);
            }
            tokio::select! {
                () = waiter.told() => {}
                () = sleep_until(until.min(Instant::now() + self.hearing.pause(self.settings.look_for_end))) => {}
            }
        }
    }

    /// Lets everybody go who waits for the end of a collection, now or later: the process stops.
    pub fn end_waits(&self) {
        self.endings.give_up();
    }

    /// Lets the worker look, if there is one: another process says that something may be claimable.
    pub(crate) fn look(&self) {
        self.wake.notify_one();
    }

    /// Tells those who wait for it that another process has ended a collection.
    pub(crate) fn has_ended(&self, request_id: &RequestId) {
        self.endings.tell(request_id);
    }

    pub(crate) fn hearing(&self) -> &Hearing {
        &self.hearing
    }

    /// How many wait for the end of a collection.
    #[must_use]
    pub fn waiters(&self) -> usize {
        self.endings.waiters()
    }

    /// Does collections until `shutdown`, then finishes what runs, or hands it back after [`Settings::grace`], and returns.
    /// One that was handed back is taken up by the next worker as if this one had never had it.
    pub async fn run(self, shutdown: CancellationToken) {
        let hand_back = CancellationToken::new();
        // Should this future be dropped, what it started must not go on alone.
        let _on_drop = hand_back.clone().drop_guard();
        let running = TaskTracker::new();
        let worker = format!("{}-{}", std::process::id(), Uuid::new_v4().simple());
        tokio::select! {
            () = self.take_up(&worker, &running, &shutdown, &hand_back) => {}
            () = retention::run(self.store.clone(), &self.settings) => {}
            () = at_work::say(&self.store, &worker) => {}
        }
        at_work::say_no_more(&self.store, &worker).await;
        running.close();
        info!(tasks.running = running.len(), "stopping: no more collections are taken up");
        if tokio::time::timeout(self.settings.grace, running.wait()).await.is_err() {
            hand_back.cancel();
            running.wait().await;
        }
        clew_mysql::settle_kills(KILL_GRACE).await;
    }

    /// Claims whenever there is room and something to claim, as much as there is room for, until `shutdown`. A claim is never dropped
    /// half-way: the store might have made it.
    async fn take_up(
        &self,
        worker: &str,
        running: &TaskTracker,
        shutdown: &CancellationToken,
        hand_back: &CancellationToken,
    ) {
        let places = Places::new(&self.settings);
        let mut store_fails = false;
        loop {
            let Some(Ok(free)) = shutdown.run_until_cancelled(places.free()).await else { return };
            if shutdown.run_until_cancelled(self.until_results_are_taken()).await.is_none() {
                return;
            }
            let taken = Instant::now();
            let claims = self.claim(worker, &places, free.len()).await;
            match &claims {
                // Once, not twice a second.
                Err(error) if !store_fails => warn!(%error, "could not look for collections; will try again"),
                Ok(_) if store_fails => info!("can look for collections again"),
                _ => {}
            }
            store_fails = claims.is_err();
            let Claims { tasks, damaged } = claims.unwrap_or_default();
            for failure in damaged {
                warn!(%failure, "ended a collection that could not be taken up");
                self.observer.failed(failure.kind);
            }
            let all_are_taken = tasks.len() == free.len();
            for (claimed, place) in tasks.into_iter().zip(free) {
                running.spawn(self.collection(claimed, taken).run_in(place, self.wake.clone(), hand_back.clone()));
            }
            if all_are_taken {
                continue;
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.wake.notified() => {}
                () = sleep(self.hearing.pause(self.settings.look_again)) => {}
            }
        }
    }

    /// Waits as long as S3 refuses this machine for its clock.
    async fn until_results_are_taken(&self) {
        let mut refused = false;
        while !self.store.results().takes_results().await {
            if !refused {
                warn!("S3 refuses the clock of this machine: no more collections are taken up until it is right");
            }
            refused = true;
            sleep(REFUSED_AGAIN).await;
        }
        if refused {
            info!("S3 takes results of this machine again");
        }
    }

    async fn claim(&self, worker: &str, places: &Places, most: usize) -> Result<Claims, StoreError> {
        let Settings { lease, per_node, .. } = *self.settings;
        let claim = Claim { worker: worker.to_owned(), lease, per_node, set_aside: places.set_aside(), most };
        self.store.claim_tasks(claim).await
    }

    fn collection(&self, claimed: ClaimedTask, taken: Instant) -> Collection {
        Collection {
            store: self.store.clone(),
            settings: self.settings.clone(),
            reader: self.reader.clone(),
            observer: self.observer.clone(),
            endings: self.endings.clone(),
            claimed,
            taken,
        }
    }
}

impl Collection {
    /// Runs in its place, and tells the worker when both are free again.
    async fn run_in(self, mut place: Place, wake: Arc<Notify>, hand_back: CancellationToken) {
        self.run(&mut place, hand_back).await;
        drop(place);
        wake.notify_one();
    }
}

impl fmt::Debug for Collections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collections").field("settings", &self.settings).finish_non_exhaustive()
    }
}
