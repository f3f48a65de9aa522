//! The queue: lease and fencing token. `docs/decisions/0002-queue-by-lease-and-fence.md` says why.

mod claim;
#[cfg(test)]
mod plans;
mod writes;

use std::time::Duration;

use clew_model::{
    AuditEvent, Failure, FailureKind, InstanceId, NodeId, Origin, ProjectId, RequestId, TaskOutcome, TaskStatus,
};

use super::rows::{milliseconds, parsed, parsed_if_there};
use crate::database::{Row, query, query_pair, query_scalar};
use crate::error::StoreError;
use crate::serving_lock::ServingLock;
use crate::store::Store;
use crate::tasks::{NewTask, ResultRecord, Task};
use writes::{EndTask, QueueTask, ReleaseTask, RenewLease};

/// A task by its id.
/// The newest of a node.
const LIST: &str = "SELECT * FROM tasks WHERE project_id = $1 AND instance_id = $2 AND node_id = $3 \
     ORDER BY created_at DESC, request_id LIMIT $4";
const STATUS: &str = "SELECT * FROM tasks WHERE request_id = $1";
/// How many there are of each status, as triggers count them.
const COUNTS: &str = "SELECT status, count FROM task_counts";
/// Removes what ended before a moment.
const REMOVE: &str = "DELETE FROM tasks WHERE ended_at < $1 RETURNING result_name";

impl Store {
    /// Queues a task. Fails with [`StoreError::QueueFull`] where `queue_limit` tasks of its node wait already.
    pub async fn insert_task(&self, task: &NewTask, queue_limit: u32) -> Result<(), StoreError> {
        let selection = serde_json::to_string(&task.selection).map_err(StoreError::damaged("selection"))?;
        let now = self.clock.milliseconds();
        if self.write(QueueTask { task: task.clone(), selection, now, queue_limit }).await? {
            return Ok(());
        }
        Err(StoreError::QueueFull { node: task.node_id.clone(), limit: queue_limit })
    }

    /// Holds a task for another `lease`. False if someone else has it, it has ended, or the lease has lapsed: its place at
    /// the node may have been given to another task since.
    pub async fn renew_lease(&self, id: &RequestId, fence: i64, lease: Duration) -> Result<bool, StoreError> {
        let now = self.clock.milliseconds();
        self.write(RenewLease { id: id.clone(), fence, now, until: now.saturating_add(milliseconds(lease)) }).await
    }

    /// Ends a task. False, and nothing changed, if someone else has it, or it has ended.
    pub async fn end_task(&self, id: &RequestId, fence: i64, outcome: &TaskOutcome) -> Result<bool, StoreError> {
        let now = self.clock.milliseconds();
        self.write(EndTask { id: id.clone(), fence, outcome: outcome.clone(), now }).await
    }

    /// Puts a task back into the queue, as if it had not been taken up. False if someone else has it, or it has ended.
    pub async fn release_task(&self, id: &RequestId, fence: i64) -> Result<bool, StoreError> {
        self.write(ReleaseTask { id: id.clone(), fence }).await
    }

    /// Ends every lease at once. Whoever holds the lock knows that the workers of this data directory are gone: their tasks need
    /// not wait until their leases lapse by themselves. Of a database that others share it does not know that, and ends none. Returns how
    /// many there were.
    pub async fn end_all_leases(&self, _lock: &ServingLock) -> Result<u64, StoreError> {
        let mut count = 0;
        if self.database.is_shared() {
            return Ok(count);
        }
        for statement in [
            "UPDATE tasks SET lease_until = $1 WHERE status = 'running' AND lease_until > $1",
            "UPDATE intelligent_kills SET lease_until = $1 WHERE status = 'running' AND lease_until > $1",
        ] {
            let ended = query(statement)
                .bind(self.clock.milliseconds())
                .execute(&self.database)
                .await
                .map_err(StoreError::database("take over collections"))?;
            count += ended;
        }
        Ok(count)
    }

    /// A task by its id.
    pub async fn task(&self, id: &RequestId) -> Result<Option<Task>, StoreError> {
        let row = query(STATUS)
            .bind(id.as_str())
            .fetch_optional(&self.database)
            .await
            .map_err(StoreError::database("look up a collection"))?;
        row.as_ref().map(task).transpose()
    }

    /// The newest tasks of a node, at most `limit`.
    pub async fn tasks_of_node(
        &self,
        project: &ProjectId,
        instance: &InstanceId,
        node: &NodeId,
        limit: u32,
    ) -> Result<Vec<Task>, StoreError> {
        let rows = query(LIST)
            .bind(project.as_str())
            .bind(instance.as_str())
            .bind(node.as_str())
            .bind(limit)
            .fetch_all(&self.database)
            .await
            .map_err(StoreError::database("list collections"))?;
        rows.iter().map(task).collect()
    }

    /// Removes a task that has ended, and its result. False, and nothing changed, if there is none, or it has not ended.
    pub async fn remove_task(&self, by: &Origin, id: &RequestId) -> Result<bool, StoreError> {
        let mut change = self.change("remove a collection").await?;
        let rows = query(
            "DELETE FROM tasks WHERE request_id = $1 AND ended_at IS NOT NULL \
             RETURNING *, (SELECT p.domain_id FROM projects p WHERE p.id = project_id) AS domain_id",
        )
        .bind(id.as_str())
        .fetch_all(change.connection())
        .await
        .map_err(change.failed())?;
        let Some(row) = rows.first() else { return Ok(false) };
        let removed = task(row)?;
        let event = AuditEvent {
            domain_id: parsed_if_there(row, "domain_id")?,
            project_id: Some(removed.project_id),
            instance_id: Some(removed.instance_id),
            node_id: Some(removed.node_id),
            ..AuditEvent::done(by, "DeleteRealtimeSession", id.to_string())
        };
        change.done(&event).await?;
        if let Some(result) = removed.result {
            // What cannot be removed now is named by nobody: the sweep removes it.
            let _ = self.results().remove(&result.name).await;
        }
        Ok(true)
    }

    /// How many tasks there are of each status; statuses without any are there with 0.
    pub async fn task_counts(&self) -> Result<Vec<(TaskStatus, u64)>, StoreError> {
        let rows: Vec<(String, i64)> =
            query_pair(COUNTS).fetch_all(&self.database).await.map_err(StoreError::database("count collections"))?;
        let count =
            |status: TaskStatus| rows.iter().find(|(name, _)| name == status.name()).map_or(0, |(_, count)| *count);
        Ok(TaskStatus::ALL.map(|status| (status, count(status).unsigned_abs())).into())
    }

    /// Removes tasks that ended before a moment, in milliseconds since 1970 (UTC). Returns the names of their results.
    pub async fn remove_ended_before(&self, moment: i64) -> Result<Vec<String>, StoreError> {
        let failed = StoreError::database("remove old collections");
        let mut transaction = self.database.begin_writing().await.map_err(&failed)?;
        let names: Vec<Option<String>> =
            query_scalar(REMOVE).bind(moment).fetch_all(&mut transaction).await.map_err(&failed)?;
        transaction.commit().await.map_err(failed)?;
        Ok(names.into_iter().flatten().collect())
    }

    /// The names of all results that a task names.
    pub async fn known_result_names(&self) -> Result<Vec<String>, StoreError> {
        query_scalar("SELECT result_name FROM tasks WHERE result_name IS NOT NULL")
            .fetch_all(&self.database)
            .await
            .map_err(StoreError::database("list results"))
    }
}

fn task(row: &Row) -> Result<Task, StoreError> {
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
        attempts: u32::try_from(row.try_get::<i64, _>("attempts").map_err(&failed)?).unwrap_or(u32::MAX),
        created_at: row.try_get("created_at").map_err(&failed)?,
        ended_at: row.try_get("ended_at").map_err(&failed)?,
    })
}

fn failure(row: &Row) -> Result<Option<Failure>, StoreError> {
    let failed = StoreError::database("read a failure");
    let Some(kind): Option<String> = row.try_get("failure_kind").map_err(&failed)? else { return Ok(None) };
    let detail: Option<String> = row.try_get("failure_detail").map_err(&failed)?;
    let known = FailureKind::ALL.into_iter().find(|known| known.name() == kind);
    let kind = known.ok_or_else(|| StoreError::Damaged { what: "kind of a failure", reason: kind })?;
    Ok(Some(Failure::new(kind, detail.unwrap_or_default())))
}

fn result(row: &Row) -> Result<Option<ResultRecord>, StoreError> {
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
