//! Types for collection tasks and their claims.

use std::time::Duration;

use clew_model::{Failure, InstanceId, NodeId, ProjectId, RequestId, SessionSelection, TaskStatus};

/// Collection task to enqueue.
#[derive(Debug, Clone)]
pub struct NewCollectionTask {
    /// Unique id, which the caller generates.
    pub request_id: RequestId,
    /// Project for which the task was requested.
    pub project_id: ProjectId,
    /// Instance that contains the node.
    pub instance_id: InstanceId,
    /// Node whose sessions are collected.
    pub node_id: NodeId,
    /// Filter and sort order of the sessions.
    pub selection: SessionSelection,
    /// True if the result contains statement templates instead of statements.
    pub masked: bool,
}

/// Stored collection task. Times are Unix timestamps in milliseconds.
#[derive(Debug, Clone)]
pub struct CollectionTask {
    /// Unique id.
    pub request_id: RequestId,
    /// Project for which the task was requested.
    pub project_id: ProjectId,
    /// Instance that contains the node.
    pub instance_id: InstanceId,
    /// Node whose sessions are collected.
    pub node_id: NodeId,
    /// Filter and sort order of the sessions.
    pub selection: SessionSelection,
    /// True if the result contains statement templates instead of statements.
    pub masked: bool,
    /// Current state.
    pub status: TaskStatus,
    /// Failure reason, if the collection task failed.
    pub failure: Option<Failure>,
    /// Metadata of the collection result, if the task succeeded.
    pub result: Option<ResultRecord>,
    /// Number of attempts started so far.
    pub attempts: u32,
    /// Time when the task was queued.
    pub created_at: i64,
    /// Time when the collection task finished, or `None` if it has not finished.
    pub ended_at: Option<i64>,
}

/// Worker's request to claim tasks.
#[derive(Debug, Clone)]
pub struct ClaimRequest {
    /// Name of the worker.
    pub worker: String,
    /// Duration of each lease until its first renewal.
    pub lease: Duration,
    /// Maximum number of concurrent tasks per node, across all workers.
    pub max_per_node: u32,
    /// Nodes for which the worker does not claim tasks.
    pub excluded_nodes: Vec<NodeId>,
    /// Maximum number of tasks to claim.
    pub max_tasks: usize,
}

/// Result of a claim.
#[derive(Debug, Default)]
pub struct ClaimedTasks {
    /// Tasks that the worker has claimed.
    pub tasks: Vec<ClaimedTask>,
    /// Failures of tasks that were marked as failed because their stored data is invalid.
    pub damaged: Vec<Failure>,
}

/// Claimed task with its fencing token.
#[derive(Debug, Clone)]
pub struct ClaimedTask {
    /// The task.
    pub task: CollectionTask,
    /// Fencing token. Only the holder of the current token can renew the lease and complete or release the task.
    pub fence: i64,
}

/// Metadata of a stored collection result.
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
