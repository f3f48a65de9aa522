//! One claimed collection, from the claim to its end.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use clew_model::{Failure, FailureKind, Node, Selection, TaskOutcome};
use clew_mysql::Statements;
use clew_store::{ClaimedTask, LoginCause, Store, StoreError};
use futures_util::FutureExt;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::endings::Endings;
use crate::logins::Login;
use crate::observer::Observer;
use crate::places::Place;
use crate::reader::NodeReader;
use crate::result_file::{self, NewResult};
use crate::{lease, settings::Settings};

/// Wait between tries of what the store did not do.
const AGAIN: Duration = Duration::from_millis(250);

/// A collection that this worker holds.
pub(crate) struct Collection {
    pub(crate) store: Store,
    pub(crate) settings: Arc<Settings>,
    pub(crate) reader: Arc<dyn NodeReader>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) endings: Endings,
    pub(crate) claimed: ClaimedTask,
    /// A moment not after the claim: the lease runs from here.
    pub(crate) taken: Instant,
}

/// A result, and how many rows it has.
type Collected = (u64, NewResult);

impl Collection {
    /// Reads, writes and records the end; gives up when the lease is lost, and hands back when `hand_back` says so.
    pub(crate) async fn run(self, place: &mut Place, hand_back: CancellationToken) {
        let task = &self.claimed.task;
        // What is dropped by a branch that came first cannot have recorded an end: that is done after this.
        let outcome = tokio::select! {
            biased;
            () = hand_back.cancelled() => return self.hand_back().await,
            () = lease::hold(&self.store, &task.request_id, self.claimed.fence, self.taken, self.settings.lease) => {
                warn!(task.request_id = %task.request_id, "lost the lease; what was collected is thrown away");
                return;
            }
            outcome = AssertUnwindSafe(self.collect(place)).catch_unwind() => outcome.unwrap_or_else(|_| Err(panicked())),
        };
        self.end(outcome).await;
    }

    async fn collect(&self, place: &mut Place) -> Result<Collected, Failure> {
        let task = &self.claimed.task;
        if task.attempts > self.settings.max_attempts {
            return Err(gave_up(self.settings.max_attempts));
        }
        let node = self.node().await?;
        let selection = self.selection().await?;
        // The first attempt was requested by a user; further ones follow a lost lease.
        let cause = if task.attempts > 1 { LoginCause::Automatic } else { LoginCause::Requested };
        let login = Login::request(&self.store, &node.id, cause).await?;
        let reading = self.reader.read(&node.url, &selection, Statements::masked(task.masked));
        let read = place.read(&node.id, reading).await;
        login.record(&node, read.as_ref().err()).await;
        let rows = read?;
        let count = rows.count();
        let result = result_file::write(self.store.results(), &task.request_id, self.claimed.fence, rows).await?;
        Ok((count, result))
    }

    async fn node(&self) -> Result<Node, Failure> {
        let id = &self.claimed.task.node_id;
        match self.looked_up(|| self.store.node_to_read(id)).await {
            Ok(Some(node)) => Ok(node),
            Ok(None) => Err(Failure::new(FailureKind::NodeGone, format!("node {id} was removed"))),
            Err(error) => Err(Failure::new(FailureKind::StoreFailed, format!("could not look up node {id}: {error}"))),
        }
    }

    /// What was asked for; where no threshold was, the instance's own.
    async fn selection(&self) -> Result<Selection, Failure> {
        let task = &self.claimed.task;
        let mut selection = task.selection.clone();
        if selection.threshold.is_none() {
            let looked_up = self.looked_up(|| self.store.slow_threshold(&task.instance_id)).await;
            selection.threshold = looked_up.map_err(|error| {
                let what = format!("could not look up the slow threshold of instance {}: {error}", task.instance_id);
                Failure::new(FailureKind::StoreFailed, what)
            })?;
        }
        Ok(selection)
    }

    /// What the store knows. A database that does not answer is asked again for as long as a lease lasts: it may be restarted, and whoever
    /// waits for the collection has nothing from an error. One that does not come back loses the lease.
    async fn looked_up<T, F>(&self, look_up: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let until = Instant::now() + self.settings.lease;
        loop {
            match look_up().await {
                Err(StoreError::Database { .. }) if Instant::now() < until => sleep(AGAIN).await,
                looked_up => return looked_up,
            }
        }
    }

    /// Records the end. A store that does not take it is asked again for as long as a lease lasts; after that the task is
    /// taken up anew once its lease has lapsed.
    async fn end(&self, outcome: Result<Collected, Failure>) {
        let (request_id, fence) = (&self.claimed.task.request_id, self.claimed.fence);
        let (recorded, mut result) = match outcome {
            Ok((rows, result)) => (finished(rows, &result), Some(result)),
            Err(failure) => (TaskOutcome::Failed(failure), None),
        };
        let until = Instant::now() + self.settings.lease;
        loop {
            match self.store.end_task(request_id, fence, &recorded).await {
                Ok(true) => break,
                Ok(false) => {
                    warn!(task.request_id = %request_id, "lost the lease before the end; the outcome is thrown away");
                    return;
                }
                // It may have been recorded all the same: then the task names the result.
                Err(error) => {
                    if let Some(result) = &mut result {
                        result.keep();
                    }
                    if Instant::now() >= until {
                        error!(task.request_id = %request_id, %error, "could not record the end of a collection");
                        return;
                    }
                    debug!(task.request_id = %request_id, %error, "could not record the end of a collection yet");
                }
            }
            sleep(AGAIN).await;
        }
        self.endings.tell(request_id);
        if let Some(result) = &mut result {
            result.keep();
        }
        self.tell(&recorded);
    }

    fn tell(&self, recorded: &TaskOutcome) {
        let task = &self.claimed.task;
        match recorded {
            TaskOutcome::Finished { rows, bytes, .. } => {
                let seconds = self.taken.elapsed().as_secs_f64();
                info!(
                    task.request_id = %task.request_id, node.id = %task.node_id,
                    result.rows = rows, result.bytes = bytes, task.seconds = seconds, "collected"
                );
                self.observer.collected(*rows, seconds);
            }
            TaskOutcome::Failed(failure) => {
                warn!(task.request_id = %task.request_id, node.id = %task.node_id, %failure, "could not collect");
                self.observer.failed(failure.kind);
            }
        }
    }

    async fn hand_back(&self) {
        let request_id = &self.claimed.task.request_id;
        match self.store.release_task(request_id, self.claimed.fence).await {
            Ok(true) => info!(task.request_id = %request_id, "handed back"),
            Ok(false) => debug!(task.request_id = %request_id, "had nothing to hand back: the lease was lost"),
            Err(error) => warn!(task.request_id = %request_id, %error, "could not hand back; the lease will lapse"),
        }
    }
}

fn finished(rows: u64, result: &NewResult) -> TaskOutcome {
    let published = result.published();
    TaskOutcome::Finished {
        result_name: published.name.clone(),
        rows,
        bytes: published.bytes,
        sha256: published.sha256.clone(),
    }
}

fn gave_up(attempts: u32) -> Failure {
    Failure::new(
        FailureKind::GaveUp,
        format!("taken up {attempts} times, and each time the worker ended or lost it before it was done"),
    )
}

fn panicked() -> Failure {
    Failure::new(
        FailureKind::GaveUp,
        "Clew broke while collecting; this is a bug, the server's log has the particulars",
    )
}
