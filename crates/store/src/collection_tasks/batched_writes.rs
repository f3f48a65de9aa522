//! Batched writes of the task queue.

use crate::collection_tasks::NewSessionCollectionTask;
use crate::database::group_commit::BatchedWrite;
use crate::database::{Parameter, Transaction, params, query, query_as};
use crate::error::StoreError;

/// Computes the position of a new task in the fair queue. The column `turn` stores the position.
/// The formula for the fair-queue position is `max(front, instance_last) + other_instances + 1`.
/// `front` is the highest fair-queue position among the running tasks.
/// If no task is running, `front` is the lowest fair-queue position among the queued tasks of the new task's zone.
/// `instance_last` is the highest fair-queue position of any queued task for the same instance.
/// `other_instances` is the number of other instances in the project that have queued tasks.
/// To limit its execution time, the query counts at most 64 instances with queued tasks.
pub(crate) const SELECT_FAIR_QUEUE_POSITION_SQL: &str = "WITH RECURSIVE others (id, number) AS ( \
         SELECT MIN(instance_id), 1 FROM tasks WHERE status = 'queued' AND project_id = $1 AND instance_id > '' \
         UNION ALL \
         SELECT (SELECT MIN(instance_id) FROM tasks WHERE status = 'queued' AND project_id = $1 AND instance_id > others.id), \
             number + 1 FROM others WHERE others.id IS NOT NULL AND number < 64) \
     SELECT 1 + (SELECT COUNT(*) FROM others WHERE id <> $2) + (SELECT MAX(turn) FROM ( \
         SELECT MAX(turn) AS turn FROM tasks WHERE status = 'queued' AND project_id = $1 AND instance_id = $2 UNION ALL \
         SELECT COALESCE((SELECT MAX(turn) FROM tasks WHERE status = 'running'), \
             (SELECT MIN(turn) FROM tasks WHERE status = 'queued' AND zone = COALESCE((SELECT zone FROM nodes WHERE id = $3), '')), \
             0)) AS turns)";

pub(crate) const INSERT_TASK_SQL: &str = "INSERT INTO tasks \
         (request_id, project_id, instance_id, node_id, selection, masked, status, created_at, turn, zone) \
     SELECT $1, $2, $3, $4, $5, $6, 'queued', $7, $8, COALESCE((SELECT zone FROM nodes WHERE id = $4), '') \
     WHERE (SELECT COUNT(*) FROM tasks WHERE node_id = $4 AND status = 'queued') < $9";

pub(crate) const RENEW_TASK_LEASE_SQL: &str = "UPDATE tasks SET lease_until = $1 \
     WHERE request_id = $2 AND fence = $3 AND status = 'running' AND lease_until > $4";
pub(crate) const COMPLETE_TASK_SQL: &str = "UPDATE tasks SET status = $1, failure_kind = $2, failure_detail = $3, result_name = $4, result_rows = $5, \
         result_bytes = $6, result_sha256 = $7, result_limitations = $8, ended_at = $9, lease_until = NULL \
     WHERE request_id = $10 AND fence = $11 AND status = 'running'";
pub(crate) const RELEASE_TASK_SQL: &str = "UPDATE tasks SET status = 'queued', worker = NULL, lease_until = NULL, attempts = attempts - 1 \
     WHERE request_id = $1 AND fence = $2 AND status = 'running'";

pub(crate) struct EnqueueTaskWrite {
    pub(crate) task: NewSessionCollectionTask,
    pub(crate) selection: String,
    pub(crate) now: i64,
    pub(crate) queue_limit: u32,
}

impl BatchedWrite for EnqueueTaskWrite {
    /// False if the queue of the node is full.
    type Output = bool;

    fn action(&self) -> &'static str {
        "queue a collection"
    }

    async fn execute_write(&self, transaction: &mut Transaction) -> Result<bool, StoreError> {
        let parameters = params![&self.task.project_id, &self.task.instance_id, &self.task.node_id];
        let turn: i64 =
            query_as(self.action(), SELECT_FAIR_QUEUE_POSITION_SQL, parameters).fetch_one(&mut *transaction).await?;
        let parameters = params![
            &self.task.request_id,
            &self.task.project_id,
            &self.task.instance_id,
            &self.task.node_id,
            &self.selection,
            self.task.masked,
            self.now,
            turn,
            self.queue_limit
        ];
        let queued = query(self.action(), INSERT_TASK_SQL, parameters).execute(transaction).await?;
        Ok(queued > 0)
    }
}

/// The output is false if the worker no longer holds the task.
pub(crate) struct ClaimedTaskUpdate {
    pub(crate) action: &'static str,
    pub(crate) sql: &'static str,
    pub(crate) parameters: Vec<Parameter<'static>>,
}

impl BatchedWrite for ClaimedTaskUpdate {
    type Output = bool;

    fn action(&self) -> &'static str {
        self.action
    }

    async fn execute_write(&self, transaction: &mut Transaction) -> Result<bool, StoreError> {
        let update = query(self.action, self.sql, self.parameters.iter().cloned());
        Ok(update.execute(transaction).await? > 0)
    }
}
