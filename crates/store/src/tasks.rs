//! Collection tasks and their states.

use std::time::Duration;

use clew_model::{Failure, InstanceId, NodeId, ProjectId, RequestId, Selection, TaskStatus};

/// A task to queue.
#[derive(Debug, Clone)]
pub struct NewCollectionTask {
    /// Unique id, chosen by the caller.
    pub request_id: RequestId,
    /// Project of the requester.
    pub project_id: ProjectId,
    /// Instance of the node.
    pub instance_id: InstanceId,
    /// Node to read.
    pub node_id: NodeId,
    /// Filter and order of the sessions.
    pub selection: Selection,
    /// Whether statements are stored as templates.
    pub masked: bool,
}

/// A stored task. Times are milliseconds since 1970 (UTC).
#[derive(Debug, Clone)]
pub struct CollectionTask {
    /// Unique id.
    pub request_id: RequestId,
    /// Project of the requester.
    pub project_id: ProjectId,
    /// Instance of the node.
    pub instance_id: InstanceId,
    /// Node to read.
    pub node_id: NodeId,
    /// Filter and order of the sessions.
    pub selection: Selection,
    /// Whether statements are stored as templates.
    pub masked: bool,
    /// Current state.
    pub status: TaskStatus,
    /// Failure, if the task failed.
    pub failure: Option<Failure>,
    /// Result, if the task finished.
    pub result: Option<ResultRecord>,
    /// Number of attempts.
    pub attempts: u32,
    /// Time of queueing.
    pub created_at: i64,
    /// End time. `None` until the task ends.
    pub ended_at: Option<i64>,
}

/// Request of a worker for tasks.
#[derive(Debug, Clone)]
pub struct ClaimRequest {
    /// Name of the worker.
    pub worker: String,
    /// Duration of the leases, unless renewed.
    pub lease: Duration,
    /// Maximum number of concurrent tasks per node, over all workers.
    pub max_per_node: u32,
    /// Nodes to exclude.
    pub excluded_nodes: Vec<NodeId>,
    /// Maximum number of tasks.
    pub max_tasks: usize,
}

/// Claimed tasks.
#[derive(Debug, Default)]
pub struct ClaimedTasks {
    /// Tasks that the worker holds.
    pub tasks: Vec<ClaimedTask>,
    /// Failures of tasks that could not be claimed because their stored data cannot be parsed. These tasks have ended.
    pub damaged: Vec<Failure>,
}

/// A claimed task.
#[derive(Debug, Clone)]
pub struct ClaimedTask {
    /// The task.
    pub task: CollectionTask,
    /// Fencing token: only the latest holder can end the task.
    pub fence: i64,
}

/// Metadata of a stored result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultRecord {
    /// Name in the result store.
    pub name: String,
    /// Number of rows.
    pub rows: u64,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 of the content, in hexadecimal.
    pub sha256: String,
}
