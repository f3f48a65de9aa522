//! Queue of tasks that collect the sessions of nodes. A worker that claims a task receives a lease and a fencing token.
//! See `docs/decisions/0002-queue-with-leases-and-fencing-tokens.md`.

mod batched_writes;
mod claim;
#[cfg(test)]
mod query_plan_tests;

use std::time::Duration;

use clew_model::{
    AuditEvent, AuditOrigin, Failure, FailureKind, InstanceId, NodeId, ProjectId, RequestId, TaskOutcome, TaskStatus,
};

use super::row_mapping::{duration_to_millis, parse_column, parse_nullable_column};
use crate::data_dir_lock::DataDirLock;
use crate::database::{Row, query, query_scalar, query_two_columns};
use crate::error::StoreError;
use crate::handles::TaskStore;
use crate::tasks::{NewSessionCollectionTask, ResultMetadata, SessionCollectionTask};
use batched_writes::{TaskCompletionWrite, TaskEnqueueWrite, TaskLeaseRenewalWrite, TaskReleaseWrite};

const SELECT_TASKS_BY_NODE: &str = "SELECT * FROM tasks WHERE project_id = $1 AND instance_id = $2 AND node_id = $3 \
     ORDER BY created_at DESC, request_id LIMIT $4";
const SELECT_TASK_BY_ID: &str = "SELECT * FROM tasks WHERE request_id = $1";
/// Database triggers maintain the table `task_counts`.
const SELECT_TASK_COUNTS: &str = "SELECT status, count FROM task_counts";
const DELETE_TASKS_ENDED_BEFORE: &str = "DELETE FROM tasks WHERE ended_at < $1 RETURNING result_name";

impl TaskStore<'_> {
    /// Enqueues a task. Fails with [`StoreError::QueueFull`] if `queue_limit` tasks are queued for the node.
    pub async fn enqueue_task(self, task: &NewSessionCollectionTask, queue_limit: u32) -> Result<(), StoreError> {
        let selection = serde_json::to_string(&task.selection).map_err(StoreError::damaged_value_error("selection"))?;
        let now = self.store.clock.unix_millis();
        if self
            .store
            .execute_write_in_batch(TaskEnqueueWrite { task: task.clone(), selection, now, queue_limit })
            .await?
        {
            return Ok(());
        }
        Err(StoreError::QueueFull { node: task.node_id.clone(), limit: queue_limit })
    }

    /// Extends the lease of a task. Returns false if another worker holds the task or the task has finished.
    /// Returns false if the lease has expired, because another task for the node may have started.
    pub async fn renew_lease(self, id: &RequestId, fence: i64, lease: Duration) -> Result<bool, StoreError> {
        let now = self.store.clock.unix_millis();
        self.store
            .execute_write_in_batch(TaskLeaseRenewalWrite {
                id: id.clone(),
                fence,
                now,
                until: now.saturating_add(duration_to_millis(lease)),
            })
            .await
    }

    /// Completes a task. Returns false if another worker holds the task or the task has already finished.
    pub async fn complete_task(self, id: &RequestId, fence: i64, outcome: &TaskOutcome) -> Result<bool, StoreError> {
        let now = self.store.clock.unix_millis();
        self.store
            .execute_write_in_batch(TaskCompletionWrite { id: id.clone(), fence, outcome: outcome.clone(), now })
            .await
    }

    /// Returns a task to the queue. The attempt is not counted.
    /// Returns false if another worker holds the task or the task has finished.
    pub async fn release_task(self, id: &RequestId, fence: i64) -> Result<bool, StoreError> {
        self.store.execute_write_in_batch(TaskReleaseWrite { id: id.clone(), fence }).await
    }

    /// Expires all leases of tasks and intelligent kills. Returns the number of expired leases.
    /// The caller must hold the lock on the data directory, so that no other server holds the leases.
    /// Does nothing if the database is shared, because workers on other machines may hold leases.
    pub async fn expire_all_leases(self, _lock: &DataDirLock) -> Result<u64, StoreError> {
        let mut count = 0;
        if self.store.database.is_shared() {
            return Ok(count);
        }
        for statement in [
            "UPDATE tasks SET lease_until = $1 WHERE status = 'running' AND lease_until > $1",
            "UPDATE intelligent_kills SET lease_until = $1 WHERE status = 'running' AND lease_until > $1",
        ] {
            let ended = query(statement)
                .bind(self.store.clock.unix_millis())
                .execute(&self.store.database)
                .await
                .map_err(StoreError::database_error("end the leases of collections"))?;
            count += ended;
        }
        Ok(count)
    }

    /// Returns a task by id.
    pub async fn find_task(self, id: &RequestId) -> Result<Option<SessionCollectionTask>, StoreError> {
        let row = query(SELECT_TASK_BY_ID)
            .bind(id.as_str())
            .fetch_optional(&self.store.database)
            .await
            .map_err(StoreError::database_error("look up a collection"))?;
        row.as_ref().map(task_from_row).transpose()
    }

    /// Returns up to `limit` tasks for a node, newest first.
    pub async fn list_node_tasks(
        self,
        project: &ProjectId,
        instance: &InstanceId,
        node: &NodeId,
        limit: u32,
    ) -> Result<Vec<SessionCollectionTask>, StoreError> {
        let rows = query(SELECT_TASKS_BY_NODE)
            .bind(project.as_str())
            .bind(instance.as_str())
            .bind(node.as_str())
            .bind(limit)
            .fetch_all(&self.store.database)
            .await
            .map_err(StoreError::database_error("list collections"))?;
        rows.iter().map(task_from_row).collect()
    }

    /// Removes a finished task and its result.
    /// Returns false without making changes if the task does not exist or has not finished.
    pub async fn remove_task(self, by: &AuditOrigin, id: &RequestId) -> Result<bool, StoreError> {
        let mut tx = self.store.begin_audited_transaction("remove a collection").await?;
        let rows = query(
            "DELETE FROM tasks WHERE request_id = $1 AND ended_at IS NOT NULL \
             RETURNING *, (SELECT p.domain_id FROM projects p WHERE p.id = project_id) AS domain_id",
        )
        .bind(id.as_str())
        .fetch_all(tx.transaction())
        .await
        .map_err(tx.map_to_store_error())?;
        let Some(row) = rows.first() else { return Ok(false) };
        let removed = task_from_row(row)?;
        let event = AuditEvent {
            domain_id: parse_nullable_column(row, "domain_id")?,
            project_id: Some(removed.project_id),
            instance_id: Some(removed.instance_id),
            node_id: Some(removed.node_id),
            ..AuditEvent::for_successful_operation(by, "DeleteRealtimeSession", id.to_string())
        };
        tx.commit_with_event(&event).await?;
        if let Some(result) = removed.result {
            // If removing the result fails, garbage collection removes it later.
            let _ = self.store.result_store().remove_result(&result.name).await;
        }
        Ok(true)
    }

    /// Returns the number of tasks for each status. Statuses without tasks are included.
    pub async fn count_tasks_by_status(self) -> Result<Vec<(TaskStatus, u64)>, StoreError> {
        let rows: Vec<(String, i64)> = query_two_columns(SELECT_TASK_COUNTS)
            .fetch_all(&self.store.database)
            .await
            .map_err(StoreError::database_error("count collections"))?;
        let count =
            |status: TaskStatus| rows.iter().find(|(name, _)| name == status.name()).map_or(0, |(_, count)| *count);
        Ok(TaskStatus::ALL.map(|status| (status, count(status).unsigned_abs())).into())
    }

    /// Removes tasks that finished before `cutoff`, a Unix timestamp in milliseconds.
    /// Returns the names of their results.
    pub async fn remove_tasks_ended_before(self, cutoff: i64) -> Result<Vec<String>, StoreError> {
        let failed = StoreError::database_error("remove old collections");
        let mut transaction = self.store.database.begin_write_transaction().await.map_err(&failed)?;
        let names: Vec<Option<String>> =
            query_scalar(DELETE_TASKS_ENDED_BEFORE).bind(cutoff).fetch_all(&mut transaction).await.map_err(&failed)?;
        transaction.commit().await.map_err(failed)?;
        Ok(names.into_iter().flatten().collect())
    }

    /// Returns the names of all results that belong to a task.
    pub async fn list_referenced_result_names(self) -> Result<Vec<String>, StoreError> {
        query_scalar("SELECT result_name FROM tasks WHERE result_name IS NOT NULL")
            .fetch_all(&self.store.database)
            .await
            .map_err(StoreError::database_error("list results"))
    }
}

fn task_from_row(row: &Row) -> Result<SessionCollectionTask, StoreError> {
    let failed = StoreError::database_error("read a collection");
    let status: String = row.try_get("status").map_err(&failed)?;
    let selection: String = row.try_get("selection").map_err(&failed)?;
    Ok(SessionCollectionTask {
        request_id: parse_column(row, "request_id")?,
        project_id: parse_column(row, "project_id")?,
        instance_id: parse_column(row, "instance_id")?,
        node_id: parse_column(row, "node_id")?,
        selection: serde_json::from_str(&selection).map_err(StoreError::damaged_value_error("selection"))?,
        masked: row.try_get("masked").map_err(&failed)?,
        status: TaskStatus::from_name(&status)
            .ok_or_else(|| StoreError::Damaged { what: "status of a collection", reason: status })?,
        failure: failure_from_row(row)?,
        result: result_from_row(row)?,
        attempts: u32::try_from(row.try_get::<i64, _>("attempts").map_err(&failed)?).unwrap_or(u32::MAX),
        created_at: row.try_get("created_at").map_err(&failed)?,
        ended_at: row.try_get("ended_at").map_err(&failed)?,
    })
}

fn failure_from_row(row: &Row) -> Result<Option<Failure>, StoreError> {
    let failed = StoreError::database_error("read a failure");
    let Some(kind): Option<String> = row.try_get("failure_kind").map_err(&failed)? else { return Ok(None) };
    let detail: Option<String> = row.try_get("failure_detail").map_err(&failed)?;
    let parsed = FailureKind::ALL.into_iter().find(|variant| variant.name() == kind);
    let kind = parsed.ok_or_else(|| StoreError::Damaged { what: "type of a failure", reason: kind })?;
    Ok(Some(Failure::new(kind, detail.unwrap_or_default())))
}

fn result_from_row(row: &Row) -> Result<Option<ResultMetadata>, StoreError> {
    let failed = StoreError::database_error("read a result");
    let Some(name): Option<String> = row.try_get("result_name").map_err(&failed)? else { return Ok(None) };
    let limitations: Option<String> = row.try_get("result_limitations").map_err(&failed)?;
    let count = |column| row.try_get::<i64, _>(column).map(i64::unsigned_abs).map_err(&failed);
    Ok(Some(ResultMetadata {
        name,
        rows: count("result_rows")?,
        bytes: count("result_bytes")?,
        sha256: row.try_get("result_sha256").map_err(&failed)?,
        limitations: limitations.and_then(|json| serde_json::from_str(&json).ok()),
    }))
}
