//! Collects the sessions of a database node, writes them to a result and records the outcome of the task.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use clew_model::{CollectionTaskOutcome, Failure, FailureKind, Limitation, Node, SessionSelection};
use clew_store::{ClaimedTask, LoginTrigger, PublishedResult, StoreError};
use futures_util::FutureExt;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::collection_queue::SessionCollectionQueue;
use crate::collection_slots::CollectionSlot;
use crate::login_backoff::LoginPermit;
use crate::pending_result::{self, PendingResult};

const PANIC_FAILURE_DETAIL: &str =
    "internal error during the collection; this is a bug in Clew, see the server's log for details";
const STORE_ACCESS_RETRY_DELAY: Duration = Duration::from_millis(250);

pub(crate) struct SessionCollectionJob {
    pub(crate) queue: SessionCollectionQueue,
    pub(crate) claimed: ClaimedTask,
    /// Time immediately before the claim, so the lease expires for the worker slightly earlier than in the store.
    pub(crate) claimed_at: Instant,
}

struct CollectedResult {
    rows: u64,
    limitations: Vec<Limitation>,
    pending: PendingResult,
}

impl SessionCollectionJob {
    /// Cancels the collection and requeues the task if `release` is canceled.
    pub(crate) async fn run(self, mut slot: CollectionSlot, release: CancellationToken) {
        self.collect_in_slot(&mut slot, release).await;
        drop(slot);
        self.queue.wake.wake();
    }

    async fn collect_in_slot(&self, slot: &mut CollectionSlot, release: CancellationToken) {
        let task = &self.claimed.task.request;
        // A canceled branch cannot have recorded the outcome, which is recorded after `select!`.
        let outcome = tokio::select! {
            biased;
            () = release.cancelled() => return self.requeue_collection().await,
            () = self.renew_lease_until_lost() => {
                warn!(task.request_id = %task.request_id, "lease lost; collected rows discarded");
                return;
            }
            outcome = AssertUnwindSafe(self.collect_rows(slot)).catch_unwind() => outcome.unwrap_or_else(|_| Err(Failure::new(FailureKind::RetriesExhausted, PANIC_FAILURE_DETAIL))),
        };
        self.record_collection_outcome(outcome).await;
    }

    async fn renew_lease_until_lost(&self) {
        let (request_id, fence) = (&self.claimed.task.request.request_id, self.claimed.fence);
        let (tasks, lease) = (self.queue.store.tasks(), self.queue.settings.lease);
        let mut expires_at = self.claimed_at + lease;
        loop {
            sleep_until((Instant::now() + lease / 3).min(expires_at)).await;
            let requested_at = Instant::now();
            match timeout_at(expires_at, tasks.renew_lease(request_id, fence, lease)).await {
                Ok(Ok(true)) => expires_at = requested_at + lease,
                Ok(Ok(false)) | Err(_) => return,
                Ok(Err(error)) => {
                    warn!(task.request_id = %request_id, %error, "could not renew the lease; retrying");
                    if Instant::now() >= expires_at {
                        return;
                    }
                }
            }
        }
    }

    async fn collect_rows(&self, slot: &mut CollectionSlot) -> Result<CollectedResult, Failure> {
        let task = &self.claimed.task;
        if task.attempts > self.queue.settings.max_attempts {
            let attempts = self.queue.settings.max_attempts;
            let detail = format!(
                "claimed {attempts} times, and each time the worker stopped or lost the lease before completion"
            );
            return Err(Failure::new(FailureKind::RetriesExhausted, detail));
        }
        let node = self.load_target_node().await?;
        let selection = self.load_session_selection().await?;
        // A user requested the first attempt. Further attempts are automatic, after a lost lease.
        let cause = if task.attempts > 1 { LoginTrigger::Automatic } else { LoginTrigger::Requested };
        let login = LoginPermit::request_permit(&self.queue.store, &node.id, cause).await?;
        let read_future = self.queue.reader.read_sessions(&node.url, &selection, task.request.masked);
        let read = slot.wait_for_session_rows(&node.id, read_future).await;
        login.record_login_outcome(&node, read.as_ref().err()).await;
        let mut rows = read?;
        let (row_count, limitations) = (rows.count, std::mem::take(&mut rows.limitations));
        let results = self.queue.store.result_store();
        let pending = pending_result::write_result(results, &task.request.request_id, self.claimed.fence, rows).await?;
        Ok(CollectedResult { rows: row_count, limitations, pending })
    }

    async fn load_target_node(&self) -> Result<Node, Failure> {
        let id = &self.claimed.task.request.node_id;
        match self.query_store_with_retries(|| self.queue.store.instances().find_node_with_password(id)).await {
            Ok(Some(node)) => Ok(node),
            Ok(None) => Err(Failure::new(FailureKind::NodeRemoved, format!("node {id} was removed"))),
            Err(error) => Err(Failure::new(FailureKind::StoreFailed, format!("could not look up node {id}: {error}"))),
        }
    }

    async fn load_session_selection(&self) -> Result<SessionSelection, Failure> {
        let task = &self.claimed.task.request;
        let mut selection = task.selection.clone();
        if selection.threshold.is_none() {
            let threshold = self
                .query_store_with_retries(|| {
                    self.queue.store.instances().find_slow_session_threshold(&task.instance_id)
                })
                .await;
            selection.threshold = threshold.map_err(|error| {
                let detail = format!("could not look up the slow threshold of instance {}: {error}", task.instance_id);
                Failure::new(FailureKind::StoreFailed, detail)
            })?;
        }
        Ok(selection)
    }

    /// The metadata database may be temporarily unavailable, for example during a restart.
    async fn query_store_with_retries<T, F>(&self, query: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let deadline = Instant::now() + self.queue.settings.lease;
        loop {
            match query().await {
                Err(error @ StoreError::Database { .. }) if Instant::now() < deadline => {
                    debug!(%error, "could not query the metadata database; retrying");
                    sleep(STORE_ACCESS_RETRY_DELAY).await;
                }
                result => return result,
            }
        }
    }

    /// If Clew cannot store the outcome, a worker repeats the collection task after the lease of the task expires.
    async fn record_collection_outcome(&self, outcome: Result<CollectedResult, Failure>) {
        let (request_id, fence) = (&self.claimed.task.request.request_id, self.claimed.fence);
        let (recorded, mut result) = match outcome {
            Ok(CollectedResult { rows, limitations, pending }) => {
                let PublishedResult { name, bytes, sha256 } = pending.published.clone();
                (CollectionTaskOutcome::Finished { result_name: name, rows, bytes, sha256, limitations }, Some(pending))
            }
            Err(failure) => (CollectionTaskOutcome::Failed(failure), None),
        };
        let deadline = Instant::now() + self.queue.settings.lease;
        loop {
            match self.queue.store.tasks().complete_task(request_id, fence, &recorded).await {
                Ok(true) => break,
                Ok(false) => {
                    warn!(task.request_id = %request_id, "lease lost before completion; outcome discarded");
                    return;
                }
                // The store may have recorded the outcome despite the error. The task then references the result.
                Err(error) => {
                    if let Some(result) = &mut result {
                        result.commit_result();
                    }
                    if Instant::now() >= deadline {
                        error!(task.request_id = %request_id, %error, "could not record the outcome of a collection");
                        return;
                    }
                    debug!(task.request_id = %request_id, %error, "could not record the outcome yet; retrying");
                }
            }
            sleep(STORE_ACCESS_RETRY_DELAY).await;
        }
        self.queue.completions.notify_waiters(request_id);
        if let Some(result) = &mut result {
            result.commit_result();
        }
        self.report_collection_outcome(&recorded);
    }

    fn report_collection_outcome(&self, recorded: &CollectionTaskOutcome) {
        let task = &self.claimed.task.request;
        match recorded {
            CollectionTaskOutcome::Finished { rows, bytes, .. } => {
                let seconds = self.claimed_at.elapsed().as_secs_f64();
                info!(
                    task.request_id = %task.request_id, node.id = %task.node_id,
                    result.rows = rows, result.bytes = bytes, task.seconds = seconds, "collection completed"
                );
                self.queue.observer.record_collection_success(*rows, seconds);
            }
            CollectionTaskOutcome::Failed(failure) => {
                warn!(task.request_id = %task.request_id, node.id = %task.node_id, %failure, "collection failed");
                self.queue.observer.record_collection_failure(failure.kind);
            }
        }
    }

    async fn requeue_collection(&self) {
        let request_id = &self.claimed.task.request.request_id;
        match self.queue.store.tasks().release_task(request_id, self.claimed.fence).await {
            Ok(true) => info!(task.request_id = %request_id, "collection released"),
            Ok(false) => debug!(task.request_id = %request_id, "collection not released, because its lease was lost"),
            Err(error) => {
                warn!(task.request_id = %request_id, %error, "could not release the collection; its lease will expire");
            }
        }
    }
}
