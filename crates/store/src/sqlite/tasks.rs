//! The queue: lease and fencing token. `docs/decisions/0002-queue-by-lease-and-fence.md` says why.

use std::time::Duration;

use clew_model::{Failure, FailureKind, RequestId, TaskOutcome, TaskStatus};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::rows::{milliseconds, parsed, signed};
use crate::error::StoreError;
use crate::serving_lock::ServingLock;
use crate::store::Store;
use crate::tasks::{ClaimedTask, NewTask, ResultRecord, Task};

/// The oldest task that can be taken up: it waits, or its worker has not been heard of; and its node is not busy.
const CLAIM: &str = "UPDATE tasks SET status = 'running', worker = ?1, fence = fence + 1, attempts = attempts + 1, \
         lease_until = ?2 + ?3 \
     WHERE request_id = (SELECT t.request_id FROM tasks t \
         WHERE (t.status = 'queued' OR (t.status = 'running' AND t.lease_until <= ?2)) \
           AND (SELECT COUNT(*) FROM tasks r WHERE r.node_id = t.node_id AND r.status = 'running' \
                AND r.lease_until > ?2) < ?4 \
         ORDER BY t.created_at, t.rowid LIMIT 1) \
     RETURNING *";

impl Store {
    /// Queues a task. Fails with [`StoreError::QueueFull`] where `queue_limit` tasks of its node wait already.
    pub async fn insert_task(&self, task: &NewTask, queue_limit: u32) -> Result<(), StoreError> {
        let selection = serde_json::to_string(&task.selection).map_err(StoreError::damaged("selection"))?;
        let inserted = sqlx::query(
            "INSERT INTO tasks (request_id, project_id, instance_id, node_id, selection, masked, status, created_at) \
             SELECT ?1, ?2, ?3, ?4, ?5, ?8, 'queued', ?6 \
             WHERE (SELECT COUNT(*) FROM tasks WHERE node_id = ?4 AND status = 'queued') < ?7",
        )
        .bind(task.request_id.as_str())
        .bind(task.project_id.as_str())
        .bind(task.instance_id.as_str())
        .bind(task.node_id.as_str())
        .bind(selection)
        .bind(self.clock.milliseconds())
        .bind(queue_limit)
        .bind(task.masked)
        .execute(&self.database.pool)
        .await
        .map_err(StoreError::database("queue a collection"))?;
        if inserted.rows_affected() == 0 {
            return Err(StoreError::QueueFull { node: task.node_id.clone(), limit: queue_limit });
        }
        Ok(())
    }

    /// Takes up the oldest task that waits, or whose lease has lapsed, of a node with fewer than `per_node` live ones.
    pub async fn claim_task(
        &self,
        worker: &str,
        lease: Duration,
        per_node: u32,
    ) -> Result<Option<ClaimedTask>, StoreError> {
        // All rows, not the first: only a statement that ran to its end tells whether its commit failed.
        let mut rows = sqlx::query(CLAIM)
            .bind(worker)
            .bind(self.clock.milliseconds())
            .bind(milliseconds(lease))
            .bind(per_node)
            .fetch_all(&self.database.pool)
            .await
            .map_err(StoreError::database("take up a collection"))?;
        let Some(row) = rows.pop() else { return Ok(None) };
        let fence = row.try_get("fence").map_err(StoreError::database("take up a collection"))?;
        Ok(Some(ClaimedTask { task: task(&row)?, fence }))
    }

    /// Holds a task for another `lease`. False if someone else has it, it has ended, or the lease has lapsed: its place at
    /// the node may have been given to another task since.
    pub async fn renew_lease(&self, id: &RequestId, fence: i64, lease: Duration) -> Result<bool, StoreError> {
        let renewed = sqlx::query(
            "UPDATE tasks SET lease_until = ?1 + ?2 \
             WHERE request_id = ?3 AND fence = ?4 AND status = 'running' AND lease_until > ?1",
        )
        .bind(self.clock.milliseconds())
        .bind(milliseconds(lease))
        .bind(id.as_str())
        .bind(fence)
        .execute(&self.database.pool)
        .await
        .map_err(StoreError::database("renew a lease"))?;
        Ok(renewed.rows_affected() > 0)
    }

    /// Ends a task. False, and nothing changed, if someone else has it, or it has ended.
    pub async fn end_task(&self, id: &RequestId, fence: i64, outcome: &TaskOutcome) -> Result<bool, StoreError> {
        let (status, failure, result) = match outcome {
            TaskOutcome::Finished { result_name, rows, bytes, sha256 } => {
                (TaskStatus::Finished, None, Some((result_name, signed(*rows), signed(*bytes), sha256)))
            }
            TaskOutcome::Failed(failure) => (TaskStatus::Error, Some(failure), None),
        };
        let ended = sqlx::query(
            "UPDATE tasks SET status = ?1, failure_kind = ?2, failure_detail = ?3, result_name = ?4, result_rows = ?5, \
                 result_bytes = ?6, result_sha256 = ?7, ended_at = ?8, lease_until = NULL \
             WHERE request_id = ?9 AND fence = ?10 AND status = 'running'",
        )
        .bind(status.name())
        .bind(failure.map(|failure| failure.kind.name()))
        .bind(failure.map(|failure| &failure.detail))
        .bind(result.map(|(name, ..)| name))
        .bind(result.map(|(_, rows, ..)| rows))
        .bind(result.map(|(_, _, bytes, _)| bytes))
        .bind(result.map(|(.., sha256)| sha256))
        .bind(self.clock.milliseconds())
        .bind(id.as_str())
        .bind(fence)
        .execute(&self.database.pool)
        .await
        .map_err(StoreError::database("record the end of a collection"))?;
        Ok(ended.rows_affected() > 0)
    }

    /// Puts a task back into the queue, as if it had not been taken up. False if someone else has it, or it has ended.
    pub async fn release_task(&self, id: &RequestId, fence: i64) -> Result<bool, StoreError> {
        let released = sqlx::query(
            "UPDATE tasks SET status = 'queued', worker = NULL, lease_until = NULL, attempts = attempts - 1 \
             WHERE request_id = ? AND fence = ? AND status = 'running'",
        )
        .bind(id.as_str())
        .bind(fence)
        .execute(&self.database.pool)
        .await
        .map_err(StoreError::database("hand back a collection"))?;
        Ok(released.rows_affected() > 0)
    }

    /// Ends every lease at once. Whoever holds the lock knows that the workers of this data directory are gone: their tasks need
    /// not wait until their leases lapse by themselves. Returns how many there were.
    pub async fn end_all_leases(&self, _lock: &ServingLock) -> Result<u64, StoreError> {
        let mut count = 0;
        for statement in [
            "UPDATE tasks SET lease_until = ?1 WHERE status = 'running' AND lease_until > ?1",
            "UPDATE intelligent_kills SET lease_until = ?1 WHERE status = 'running' AND lease_until > ?1",
        ] {
            let ended = sqlx::query(statement)
                .bind(self.clock.milliseconds())
                .execute(&self.database.pool)
                .await
                .map_err(StoreError::database("take over collections"))?;
            count += ended.rows_affected();
        }
        Ok(count)
    }

    /// A task by its id.
    pub async fn task(&self, id: &RequestId) -> Result<Option<Task>, StoreError> {
        let row = sqlx::query("SELECT * FROM tasks WHERE request_id = ?")
            .bind(id.as_str())
            .fetch_optional(&self.database.pool)
            .await
            .map_err(StoreError::database("look up a collection"))?;
        row.as_ref().map(task).transpose()
    }

    /// How many tasks there are of each status; statuses without any are there with 0.
    pub async fn task_counts(&self) -> Result<Vec<(TaskStatus, u64)>, StoreError> {
        let rows: Vec<(String, i64)> = sqlx::query_as("SELECT status, COUNT(*) FROM tasks GROUP BY status")
            .fetch_all(&self.database.pool)
            .await
            .map_err(StoreError::database("count collections"))?;
        let count =
            |status: TaskStatus| rows.iter().find(|(name, _)| name == status.name()).map_or(0, |(_, count)| *count);
        Ok(TaskStatus::ALL.map(|status| (status, count(status).unsigned_abs())).into())
    }

    /// Removes tasks that ended before a moment, in milliseconds since 1970 (UTC). Returns the names of their results.
    pub async fn remove_ended_before(&self, moment: i64) -> Result<Vec<String>, StoreError> {
        let names: Vec<Option<String>> =
            sqlx::query_scalar("DELETE FROM tasks WHERE ended_at < ? RETURNING result_name")
                .bind(moment)
                .fetch_all(&self.database.pool)
                .await
                .map_err(StoreError::database("remove old collections"))?;
        Ok(names.into_iter().flatten().collect())
    }

    /// The names of all results that a task names.
    pub async fn known_result_names(&self) -> Result<Vec<String>, StoreError> {
        sqlx::query_scalar("SELECT result_name FROM tasks WHERE result_name IS NOT NULL")
            .fetch_all(&self.database.pool)
            .await
            .map_err(StoreError::database("list results"))
    }
}

fn task(row: &SqliteRow) -> Result<Task, StoreError> {
    let failed = StoreError::database("read a collection");
    let status: String = row.try_get("status").map_err(&failed)?;
    let selection: String = row.try_get("selection").map_err(&failed)?;
    Ok(Task {
        request_id: parsed(row, "request_id")?,
        project_id: parsed(row, "project_id")?,
        instance_id: parsed(row, "instance_id")?,
        node_id: parsed(row, "node_id")?,
        selection: serde_json::from_str(&selection).map_err(StoreError::damaged("selection"))?,
        masked: row.try_get("masked").map_err(&failed)?,
        status: TaskStatus::from_name(&status)
            .ok_or_else(|| StoreError::Damaged { what: "status of a collection", reason: status })?,
        failure: failure(row)?,
        result: result(row)?,
        attempts: row.try_get("attempts").map_err(&failed)?,
        created_at: row.try_get("created_at").map_err(&failed)?,
        ended_at: row.try_get("ended_at").map_err(&failed)?,
    })
}

fn failure(row: &SqliteRow) -> Result<Option<Failure>, StoreError> {
    let failed = StoreError::database("read a failure");
    let Some(kind): Option<String> = row.try_get("failure_kind").map_err(&failed)? else { return Ok(None) };
    let detail: Option<String> = row.try_get("failure_detail").map_err(&failed)?;
    let known = FailureKind::ALL.into_iter().find(|known| known.name() == kind);
    let kind = known.ok_or_else(|| StoreError::Damaged { what: "kind of a failure", reason: kind })?;
    Ok(Some(Failure::new(kind, detail.unwrap_or_default())))
}

fn result(row: &SqliteRow) -> Result<Option<ResultRecord>, StoreError> {
    let failed = StoreError::database("read a result");
    let Some(name): Option<String> = row.try_get("result_name").map_err(&failed)? else { return Ok(None) };
    let count = |column| row.try_get::<i64, _>(column).map(i64::unsigned_abs).map_err(&failed);
    Ok(Some(ResultRecord {
        name,
        rows: count("result_rows")?,
        bytes: count("result_bytes")?,
        sha256: row.try_get("result_sha256").map_err(&failed)?,
    }))
}
