//! Queue of session collection tasks. Callers can submit a task and wait for its completion.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use clew_model::{InstanceId, NodeId, ProjectId, RequestId, SessionSelection};
use clew_store::{NewSessionCollectionTask, SessionCollectionTask, Store, StoreError};
use tokio::time::{Instant, sleep_until};

use crate::completion_notifier::CompletionNotifier;
use crate::node_reader::{MySqlNodeReader, NodeReader};
use crate::observer::WorkerObserver;
use crate::settings::WorkerSettings;
use crate::wake_signal::WakeSignal;

/// Queue of the collection tasks in a store, with a worker that runs the tasks. Clones share state.
///
/// [`SessionCollectionQueue::run`] runs the worker until shutdown.
#[derive(Clone)]
pub struct SessionCollectionQueue {
    pub(crate) store: Store,
    pub(crate) settings: Arc<WorkerSettings>,
    pub(crate) reader: Arc<dyn NodeReader>,
    pub(crate) observer: Arc<dyn WorkerObserver>,
    pub(crate) wake: WakeSignal,
    pub(crate) completions: CompletionNotifier,
}

impl SessionCollectionQueue {
    /// Creates a queue whose worker reads sessions from MySQL-compatible servers.
    #[must_use]
    pub fn new(store: Store, settings: WorkerSettings, observer: Arc<dyn WorkerObserver>) -> Self {
        let reader = MySqlNodeReader { connector: settings.connector.clone(), formula_guard: settings.formula_guard };
        Self::with_node_reader(store, settings, observer, Arc::new(reader))
    }

    /// Creates a collection queue whose worker reads sessions with `reader`.
    #[must_use]
    pub fn with_node_reader(
        store: Store,
        settings: WorkerSettings,
        observer: Arc<dyn WorkerObserver>,
        reader: Arc<dyn NodeReader>,
    ) -> Self {
        Self {
            store,
            settings: Arc::new(settings),
            reader,
            observer,
            wake: WakeSignal::default(),
            completions: CompletionNotifier::default(),
        }
    }

    /// Adds a collection task to the node's queue and wakes the worker.
    /// After this function returns, the queued collection task survives a restart of Clew.
    ///
    /// If `masked` is true, the result contains SQL templates instead of full statements.
    ///
    /// Fails with [`StoreError::QueueFull`] if the node's queue is full.
    pub async fn submit_collection(
        &self,
        project_id: ProjectId,
        instance_id: InstanceId,
        node_id: NodeId,
        selection: SessionSelection,
        masked: bool,
    ) -> Result<RequestId, StoreError> {
        let request_id = RequestId::generate();
        let task = NewSessionCollectionTask {
            request_id: request_id.clone(),
            project_id,
            instance_id,
            node_id,
            selection,
            masked,
        };
        self.store.tasks().enqueue_task(&task, self.settings.max_queued_per_node).await?;
        self.wake.wake();
        Ok(request_id)
    }

    /// Waits until the collection task completes, `limit` elapses or [`Self::cancel_completion_waits`] is called.
    ///
    /// Returns the current state of the collection task, or `None` if the task does not exist.
    pub async fn wait_for_completion(
        &self,
        request_id: &RequestId,
        limit: Duration,
    ) -> Result<Option<SessionCollectionTask>, StoreError> {
        let waiter = self.completions.subscribe_to_completion(request_id);
        let deadline = Instant::now() + limit;
        loop {
            // Checked before the query, because a completion after the query notifies the waiter.
            let last = waiter.completed.is_cancelled() || Instant::now() >= deadline;
            let task = self.store.tasks().find_task(request_id).await?;
            if last || task.as_ref().is_none_or(|task| task.status.is_final()) {
                return Ok(task);
            }
            let interval = self.wake.poll_interval(self.settings.completion_poll_interval);
            tokio::select! {
                () = waiter.completed.cancelled() => {}
                () = sleep_until(deadline.min(Instant::now() + interval)) => {}
            }
        }
    }

    /// Makes all current and future calls to [`SessionCollectionQueue::wait_for_completion`] return immediately.
    pub fn cancel_completion_waits(&self) {
        self.completions.notify_all_and_close();
    }

    /// Returns the number of callers that are waiting for a collection task to complete.
    #[must_use]
    pub fn waiter_count(&self) -> usize {
        self.completions.waiter_count()
    }
}

impl fmt::Debug for SessionCollectionQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionCollectionQueue").field("settings", &self.settings).finish_non_exhaustive()
    }
}
