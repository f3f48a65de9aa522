//! The queue: lease and fencing token. `docs/decisions/0002-queue-by-lease-and-fence.md` says why.

mod claim;
mod writes;

use std::time::Duration;

use clew_model::{Failure, FailureKind, RequestId, TaskOutcome, TaskStatus};

use super::rows::{milliseconds, parsed};
use crate::database::{Row, query, query_pair, query_scalar};
use crate::error::StoreError;
use crate::serving_lock::ServingLock;
use crate::store::Store;
use crate::tasks::{NewTask, ResultRecord, Task};
use writes::{EndTask, QueueTask, ReleaseTask, RenewLease};

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
        let row = query("SELECT * FROM tasks WHERE request_id = $1")
            .bind(id.as_str())
            .fetch_optional(&self.database)
            .await
            .map_err(StoreError::database("look up a collection"))?;
        row.as_ref().map(task).transpose()
    }

    /// How many tasks there are of each status; statuses without any are there with 0.
    pub async fn task_counts(&self) -> Result<Vec<(TaskStatus, u64)>, StoreError> {
        let rows: Vec<(String, i64)> = query_pair("SELECT status, COUNT(*) FROM tasks GROUP BY status")
            .fetch_all(&self.database)
            .await
            .map_err(StoreError::database("count collections"))?;
        let count =
            |status: TaskStatus| rows.iter().find(|(name, _)| name == status.name()).map_or(0, |(_, count)| *count);
        Ok(TaskStatus::ALL.map(|status| (status, count(status).unsigned_abs())).into())
    }

    /// Removes tasks that ended before a moment, in milliseconds since 1970 (UTC). Returns the names of their results.
    pub async fn remove_ended_before(&self, moment: i64) -> Result<Vec<String>, StoreError> {
        let failed = StoreError::database("remove old collections");
        let mut transaction = self.database.begin_writing().await.map_err(&failed)?;
        let names: Vec<Option<String>> = query_scalar("DELETE FROM tasks WHERE ended_at < $1 RETURNING result_name")
            .bind(moment)
            .fetch_all(&mut transaction)
            .await
            .map_err(&failed)?;
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

#[cfg(test)]
mod tests {
    use clew_testkit::PostgreSql;
    use sqlx::AssertSqlSafe;

    use super::*;
    use crate::database::Database;

    #[tokio::test]
    async fn no_statement_of_the_queue_looks_through_the_whole_table() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.db");
        std::fs::write(&file, "").unwrap();
        let database = Database::create(&file).await.unwrap();
        for statement in [claim::CLAIM, writes::TURN, writes::QUEUE] {
            let plan = query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}")));
            let plan: Vec<String> =
                plan.fetch_all(&database).await.unwrap().iter().map(|row| row.try_get("detail").unwrap()).collect();
            let looks: Vec<_> = plan.iter().filter(|step| step.contains(" tasks")).collect();
            assert!(!looks.is_empty(), "{plan:#?}");
            for step in looks {
                let by = ["USING INDEX", "USING COVERING INDEX", "USING INTEGER PRIMARY KEY"];
                assert!(by.iter().any(|by| step.contains(by)), "{plan:#?}");
            }
            assert!(!plan.iter().any(|step| step.contains("FOR ORDER BY")), "{plan:#?}");
        }
    }

    /// As it is after a day: many that have ended, some that wait, few that run.
    const A_DAY: &str = "INSERT INTO tasks (request_id, project_id, instance_id, node_id, selection, turn, status, created_at, \
             lease_until, result_name, ended_at) \
         SELECT 'task' || n, 'p' || n % 10, 'i' || n % 1000, 'n' || n % 3000, '{}', n, \
             CASE WHEN n <= 98000 THEN 'finished' WHEN n <= 99900 THEN 'queued' ELSE 'running' END, n, \
             CASE WHEN n > 99900 THEN 1000000 END, CASE WHEN n <= 98000 THEN 'r' END, CASE WHEN n <= 98000 THEN n END \
         FROM generate_series(1, 100000) AS n";

    #[tokio::test]
    async fn nor_does_one_on_a_server() {
        let server = PostgreSql::start().await.unwrap();
        let database = Database::on(&server.url().parse().unwrap()).await.unwrap();
        query(A_DAY).execute(&database).await.unwrap();
        query("ANALYZE tasks").execute(&database).await.unwrap();
        let mut connection = database.begin_writing().await.unwrap();
        // A plan that must do for any values, as the server makes one of what it is asked often.
        query("SET LOCAL plan_cache_mode = force_generic_plan").execute(&mut connection).await.unwrap();
        for (name, statement, values, indexes) in [
            (
                "claim",
                claim::CLAIM_ON_A_SERVER,
                "'w', 2000000, 10000, 2, '[]'",
                &["tasks_running", "tasks_waiting"][..],
            ),
            ("turn", writes::TURN, "'p1', 'i1'", &["tasks_waiting_by_instance"]),
            ("queue", writes::QUEUE, "'new', 'p1', 'i1', 'n1', '{}', false, 5, 7, 100", &["tasks_waiting_by_node"]),
            ("status", "SELECT * FROM tasks WHERE request_id = $1", "'task7'", &["tasks_pkey"]),
        ] {
            let prepare = query(AssertSqlSafe(format!("PREPARE {name} AS {statement}")));
            prepare.execute(&mut connection).await.unwrap();
            let plan = query_scalar::<String>(AssertSqlSafe(format!("EXPLAIN EXECUTE {name} ({values})")));
            let plan = plan.fetch_all(&mut connection).await.unwrap();
            for index in indexes {
                let by = format!("{index} ");
                assert!(plan.iter().any(|step| format!("{step} ").contains(&by)), "{index}: {plan:#?}");
            }
            assert!(!plan.iter().any(|step| step.contains("Seq Scan on tasks")), "{plan:#?}");
        }
    }
}
