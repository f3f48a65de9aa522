//! Tasks: collections that wait, run or have ended.

use std::time::Duration;

use clew_model::{Failure, InstanceId, NodeId, ProjectId, RequestId, Selection, TaskStatus};

/// A task to be queued.
#[derive(Debug, Clone)]
pub struct NewTask {
    /// Its id, made by the caller.
    pub request_id: RequestId,
    /// The project that asks.
    pub project_id: ProjectId,
    /// The instance …
    pub instance_id: InstanceId,
    /// … and its node to read.
    pub node_id: NodeId,
    /// Which sessions, in what order.
    pub selection: Selection,
    /// Whether statements are kept as templates.
    pub masked: bool,
}

/// A task as it stands. Times are milliseconds since 1970 (UTC).
#[derive(Debug, Clone)]
pub struct Task {
    /// Its id.
    pub request_id: RequestId,
    /// The project that asked.
    pub project_id: ProjectId,
    /// The instance …
    pub instance_id: InstanceId,
    /// … and its node to read.
    pub node_id: NodeId,
    /// Which sessions, in what order.
    pub selection: Selection,
    /// Whether statements are kept as templates.
    pub masked: bool,
    /// Where it is.
    pub status: TaskStatus,
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
    /// Its result, if it finished.
    pub result: Option<ResultRecord>,
    /// How often it was taken up.
    pub attempts: u32,
    /// When it was queued.
    pub created_at: i64,
    /// When it ended, if it did.
    pub ended_at: Option<i64>,
}

/// What a worker asks for.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Its name.
    pub worker: String,
    /// For how long it holds what it gets, unless it asks for more.
    pub lease: Duration,
    /// Tasks of one node that run at once, over all workers.
    pub per_node: u32,
    /// Nodes whose tasks it does not take now.
    pub set_aside: Vec<NodeId>,
    /// So many tasks it takes at most.
    pub most: usize,
}

/// What it got.
#[derive(Debug, Default)]
pub struct Claims {
    /// Tasks that it holds from now on.
    pub tasks: Vec<ClaimedTask>,
    /// Why some that came before them have ended instead: what is stored of them cannot be understood.
    pub damaged: Vec<Failure>,
}

/// A task that a worker holds.
#[derive(Debug, Clone)]
pub struct ClaimedTask {
    /// The task.
    pub task: Task,
    /// The fencing token: only its newest holder can end the task.
    pub fence: i64,
}

/// What is known of a stored result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultRecord {
    /// Its name in the result store.
    pub name: String,
    /// Its rows.
    pub rows: u64,
    /// Its bytes.
    pub bytes: u64,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
}
