//! Worker loop that claims and runs queued collection tasks until the worker shuts down.

use std::time::Duration;

use clew_store::{StoreError, TaskClaimOutcome, TaskClaimRequest};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};
use uuid::Uuid;

use crate::collection_job::SessionCollectionJob;
use crate::collection_queue::SessionCollectionQueue;
use crate::collection_slots::CollectionSlotPool;
use crate::retention::{self, run_periodically};
use crate::settings::WorkerSettings;
use crate::task_results::log_first_failure;

const RESULT_STORE_CHECK_INTERVAL: Duration = Duration::from_secs(2);
/// The store considers a worker stopped if the worker's last heartbeat is more than 20 s old.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(5);
const WORKER_DEREGISTRATION_TIMEOUT: Duration = Duration::from_secs(2);

impl SessionCollectionQueue {
    /// Runs collection tasks until the `shutdown` token is canceled.
    /// When `shutdown` is canceled, waits up to [`WorkerSettings::grace`] for running tasks to complete.
    /// When the grace period ends, requeues the tasks that have not completed.
    ///
    /// Other workers can claim requeued tasks. A requeued attempt does not count toward the attempt limit.
    pub async fn run(self, shutdown: CancellationToken) {
        let release = CancellationToken::new();
        // Dropping this future releases the running collection tasks.
        let _on_drop = release.clone().drop_guard();
        let running = TaskTracker::new();
        let worker = format!("{}-{}", std::process::id(), Uuid::new_v4().simple());
        tokio::select! {
            () = self.claim_collections_until_shutdown(&worker, &running, &shutdown, &release) => {}
            () = retention::run_retention_jobs(self.store.clone(), &self.settings) => {}
            () = self.send_heartbeats(&worker) => {}
        }
        let deregistration = timeout(WORKER_DEREGISTRATION_TIMEOUT, self.store.zones().remove_worker(&worker)).await;
        if !matches!(deregistration, Ok(Ok(()))) {
            debug!("could not deregister this worker");
        }
        running.close();
        info!(tasks.running = running.len(), "shutdown started; no more collections are claimed");
        if timeout(self.settings.grace, running.wait()).await.is_err() {
            release.cancel();
            running.wait().await;
        }
    }

    /// A shutdown does not interrupt a worker that is claiming a task, because the store may already have committed the claim.
    async fn claim_collections_until_shutdown(
        &self,
        worker: &str,
        running: &TaskTracker,
        shutdown: &CancellationToken,
        release: &CancellationToken,
    ) {
        let pool = CollectionSlotPool::new(&self.settings);
        let mut is_failing = false;
        loop {
            let Some(Ok(free)) = shutdown.run_until_cancelled(pool.acquire_free_slots()).await else { return };
            if shutdown.run_until_cancelled(self.wait_until_result_store_writable()).await.is_none() {
                return;
            }
            let claimed_at = Instant::now();
            let claims = self.claim_collections(worker, &pool, free.len()).await;
            log_first_failure!(
                is_failing,
                &claims,
                "could not claim collections; retrying",
                "claiming of collections works again"
            );
            let TaskClaimOutcome { tasks, damaged } = claims.unwrap_or_default();
            for failure in damaged {
                warn!(%failure, "collection failed, because its row is damaged");
                self.observer.record_collection_failure(failure.kind);
            }
            let all_slots_used = tasks.len() == free.len();
            for (claimed, slot) in tasks.into_iter().zip(free) {
                let job = SessionCollectionJob { queue: self.clone(), claimed, claimed_at };
                running.spawn(job.run(slot, release.clone()));
            }
            if all_slots_used {
                continue;
            }
            if shutdown.run_until_cancelled(self.wake.wait(self.settings.poll_interval)).await.is_none() {
                return;
            }
        }
    }

    /// S3 rejects all requests while the clock of the worker's machine is wrong.
    async fn wait_until_result_store_writable(&self) {
        let mut refused = false;
        while !self.store.result_store().is_writable().await {
            if !refused {
                warn!("S3 rejects requests because the clock of this machine is wrong; no collections are claimed");
            }
            refused = true;
            sleep(RESULT_STORE_CHECK_INTERVAL).await;
        }
        if refused {
            info!("S3 accepts requests again");
        }
    }

    async fn claim_collections(
        &self,
        worker: &str,
        pool: &CollectionSlotPool,
        max_tasks: usize,
    ) -> Result<TaskClaimOutcome, StoreError> {
        let WorkerSettings { lease, max_running_per_node: per_node, .. } = *self.settings;
        let excluded_nodes = pool.nodes_excluded_from_claims();
        let claim =
            TaskClaimRequest { worker: worker.to_owned(), lease, max_per_node: per_node, excluded_nodes, max_tasks };
        self.store.tasks().claim_tasks(claim).await
    }

    /// The store uses the heartbeats to detect network zones without a running worker.
    async fn send_heartbeats(&self, worker: &str) {
        run_periodically(HEARTBEAT_INTERVAL, || async {
            if let Err(error) = self.store.zones().record_worker_heartbeat(worker).await {
                debug!(%error, "could not record the heartbeat of this worker");
            }
        })
        .await;
    }
}
