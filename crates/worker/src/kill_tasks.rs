//! Polls each node that has kill tasks, usually once per second, and kills the sessions that match a kill task.
//!
//! Only the worker that holds an instance's lease executes kill tasks on the instance's nodes.
//! The worker never runs two polls of one node concurrently, and a hung node does not delay polls of other nodes.

mod node_poll;
mod node_state;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use clew_model::{InstanceId, NodeId};
use clew_store::{InstanceKillTasks, Store, StoreError};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;
use uuid::Uuid;

use crate::adaptive_poll_interval::DEFAULT_NODE_POLL_INTERVAL;
use crate::kill_executor::KillExecutor;
use crate::observer::WorkerObserver;
use crate::settings::WorkerSettings;
use crate::task_results::log_first_failure;
use node_poll::{NodePoll, PollContext};
use node_state::NodePollStates;

/// Worker that runs kill tasks.
pub struct KillTaskWorker {
    context: PollContext,
    lease: Duration,
    grace: Duration,
    leases: HashMap<InstanceId, Instant>,
    nodes: NodePollStates,
}

impl KillTaskWorker {
    /// Creates a worker that uses the executor `kills` to kill sessions.
    #[must_use]
    pub fn new(
        store: Store,
        kills: KillExecutor,
        settings: &WorkerSettings,
        observer: Arc<dyn WorkerObserver>,
    ) -> Self {
        Self {
            context: PollContext {
                store,
                kills,
                observer,
                connector: settings.connector.clone(),
                worker: format!("{}-{}", std::process::id(), Uuid::new_v4().simple()),
            },
            lease: settings.lease,
            grace: settings.grace,
            leases: HashMap::new(),
            nodes: NodePollStates::default(),
        }
    }

    /// Runs kill tasks until the `shutdown` token is canceled.
    /// During a shutdown, the worker cancels read operations and waits up to [`WorkerSettings::grace`] for running kills.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let running = TaskTracker::new();
        let mut ticks = interval(DEFAULT_NODE_POLL_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_failing = false;
        while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
            let started = self.start_due_node_polls(&running, &shutdown).await;
            log_first_failure!(
                is_failing,
                &started,
                "could not load kill tasks; retrying",
                "loading of kill tasks works again"
            );
        }
        running.close();
        if timeout(self.grace, running.wait()).await.is_err() {
            warn!(ticks.running = running.len(), "kill task worker stopped while kills are running");
        }
        if let Err(error) = self.context.store.kill_tasks().release_kill_task_leases(&self.context.worker).await {
            warn!(%error, "could not release the leases of kill tasks; they will expire");
        }
    }

    async fn start_due_node_polls(
        &mut self,
        running: &TaskTracker,
        shutdown: &CancellationToken,
    ) -> Result<(), StoreError> {
        let all = self.context.store.kill_tasks().list_instances_with_kill_tasks().await?;
        self.leases.retain(|leased, _| all.iter().any(|kill_tasks| kill_tasks.instance_id == *leased));
        let mut active_nodes = HashSet::new();
        for kill_tasks in all {
            if let Some(lease_end) = self.acquire_instance_lease(&kill_tasks.instance_id).await? {
                active_nodes
                    .extend(self.start_node_polls_of_instance(&kill_tasks, lease_end, running, shutdown).await?);
            }
        }
        for node in self.nodes.retain_active_nodes(&active_nodes) {
            self.context.observer.record_poll_interval_change(&node, None);
        }
        Ok(())
    }

    /// Returns `None` if another worker holds the lease or kill tasks are disabled.
    async fn acquire_instance_lease(&mut self, instance: &InstanceId) -> Result<Option<Instant>, StoreError> {
        let now = Instant::now();
        if let Some(lease_end) = self.leases.get(instance).filter(|lease_end| **lease_end > now + self.lease * 2 / 3) {
            return Ok(Some(*lease_end));
        }
        if self.context.store.kill_tasks().acquire_kill_task_lease(instance, &self.context.worker, self.lease).await? {
            self.leases.insert(instance.clone(), now + self.lease);
            return Ok(Some(now + self.lease));
        }
        self.leases.remove(instance);
        Ok(None)
    }

    /// Returns the ids of all nodes of the instance, including nodes that are not due for polling.
    async fn start_node_polls_of_instance(
        &self,
        kill_tasks: &InstanceKillTasks,
        lease_end: Instant,
        running: &TaskTracker,
        shutdown: &CancellationToken,
    ) -> Result<Vec<NodeId>, StoreError> {
        let mut nodes = Vec::new();
        for node in self.context.store.instances().list_nodes_with_passwords(&kill_tasks.instance_id).await? {
            nodes.push(node.id.clone());
            let Some(guard) = self.nodes.start_node_poll_if_due(&node.id, Instant::now()) else { continue };
            let tick = NodePoll { context: self.context.clone(), kill_tasks: kill_tasks.clone(), lease_end, node };
            running.spawn(tick.run(guard, shutdown.clone()));
        }
        Ok(nodes)
    }
}
