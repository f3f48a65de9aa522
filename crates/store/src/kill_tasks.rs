//! Kill tasks. A kill task repeatedly kills the sessions on an instance that match the task's criteria.

/// The SQL queries name each column: on PostgreSQL, a prepared `SELECT *` fails after an upgrade adds a column.
macro_rules! kill_task_columns {
    () => {
        "t.id, t.instance_id, t.criteria, t.masked, t.started_at, t.ends_at, t.stopped_at"
    };
}

pub(crate) mod leases;

use std::time::Duration;

use clew_model::{AuditOrigin, InstanceId, KillCriteria, ProjectId};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::database::audited_transaction::AuditedTransaction;
use crate::database::{Row, duration_to_millis, params, query, query_as};
use crate::error::StoreError;
use crate::instances::tags::find_instance_name;
use crate::store_handles::KillTaskStore;

/// Kill task to add.
#[derive(Debug, Clone)]
pub struct NewKillTask {
    /// Criteria that select the sessions to kill.
    pub criteria: KillCriteria,
    /// True if the statement filter matches SQL templates instead of full statements.
    /// A user without permission to see statements can filter only by SQL templates.
    pub masked: bool,
    /// Duration of the task, or `None` if the task runs until it is stopped.
    pub duration: Option<Duration>,
    /// Criteria and duration for the audit event. A placeholder replaces the text of the statement filter.
    pub audit_detail: Value,
}

clew_model::named_enum! {
    /// State of a kill task.
    pub enum KillTaskState {
        /// A worker kills matching sessions.
        Running = "running",
        /// The kill task ended after its configured duration.
        Finished = "finished",
        /// A user stopped the kill task or disabled kill tasks for the instance.
        Stopped = "stopped",
    }
}

/// Stored kill task. Times are Unix timestamps in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KillTask {
    /// Unique id: the creation time of the task as a Unix timestamp in milliseconds.
    /// To keep ids unique, a new id is always greater than the highest existing id.
    pub id: i64,
    /// Instance on which sessions are killed.
    pub instance_id: InstanceId,
    /// Criteria that select the sessions to kill.
    pub criteria: KillCriteria,
    /// True if the statement filter matches SQL templates instead of full statements.
    pub masked: bool,
    /// Start time.
    pub started_at: i64,
    /// End time, or `None` if the kill task runs until it is stopped.
    pub ends_at: Option<i64>,
    /// Time when the kill task was stopped, or `None` if it was not stopped.
    pub stopped_at: Option<i64>,
    /// State of the kill task at the time of the database query.
    pub state: KillTaskState,
}

/// Running kill tasks of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceKillTasks {
    /// Project that contains the instance.
    pub project_id: ProjectId,
    /// Instance on which sessions are killed.
    pub instance_id: InstanceId,
    /// Running tasks, oldest first.
    pub tasks: Vec<KillTask>,
}

/// Section 2.8 of the TaurusDB API spec defines this limit.
const MAX_RUNNING_KILL_TASKS_PER_INSTANCE: u32 = 5;
/// Stopped and finished kill tasks also count.
const MAX_STORED_KILL_TASKS_PER_INSTANCE: u32 = 100;

/// The parameter `$2` is the current time.
const RUNNING_KILL_TASK_CONDITION_SQL: &str = "stopped_at IS NULL AND (ends_at IS NULL OR ends_at > $2)";

impl KillTaskStore<'_> {
    /// Returns true if kill tasks are enabled for the instance.
    pub async fn are_kill_tasks_enabled(self, instance: &InstanceId) -> Result<bool, StoreError> {
        let sql = "SELECT is_on FROM kill_switches WHERE instance_id = $1";
        let is_on: Option<bool> = query_as("read whether kill tasks are enabled", sql, params![instance])
            .fetch_optional(&self.store.database)
            .await?;
        Ok(is_on.unwrap_or(false))
    }

    /// Enables or disables kill tasks for an instance. Disabling kill tasks stops the instance's running kill tasks.
    /// Returns false if the instance does not exist or belongs to another project.
    pub async fn set_kill_tasks_enabled(
        self,
        by: &AuditOrigin,
        project: &ProjectId,
        instance: &InstanceId,
        on: bool,
    ) -> Result<bool, StoreError> {
        let mut tx = self.store.begin_audited_transaction("enable or disable kill tasks").await?;
        let Some(name) = find_instance_name(tx.transaction(), project, instance).await? else { return Ok(false) };
        let sql = "INSERT INTO kill_switches (instance_id, is_on) VALUES ($1, $2) \
            ON CONFLICT (instance_id) DO UPDATE SET is_on = excluded.is_on";
        tx.execute(sql, params![instance, on]).await?;
        if !on {
            self.stop_running_kill_tasks(&mut tx, instance).await?;
        }
        let detail = json!({ "status": if on { "ON" } else { "OFF" } });
        tx.commit_instance_change(by, "SwitchKillTasks", name, (project, instance), detail).await?;
        Ok(true)
    }

    async fn stop_running_kill_tasks(
        self,
        tx: &mut AuditedTransaction,
        instance: &InstanceId,
    ) -> Result<(), StoreError> {
        let sql = format!(
            "UPDATE kill_tasks SET stopped_at = $2 WHERE instance_id = $1 AND {RUNNING_KILL_TASK_CONDITION_SQL}"
        );
        tx.execute(AssertSqlSafe(sql), params![instance, self.store.clock.unix_millis()]).await?;
        Ok(())
    }

    /// Adds and starts a kill task. Returns the task id, or `None` if the instance is not in the project.
    ///
    /// Fails with [`StoreError::KillTasksDisabled`] if kill tasks are disabled for the instance.
    /// Fails with [`StoreError::TooManyKillTasks`] if the instance already has five running kill tasks.
    pub async fn add_kill_task(
        self,
        by: &AuditOrigin,
        project: &ProjectId,
        instance: &InstanceId,
        task: &NewKillTask,
    ) -> Result<Option<i64>, StoreError> {
        let mut tx = self.store.begin_audited_transaction("add a kill task").await?;
        let Some(name) = find_instance_name(tx.transaction(), project, instance).await? else { return Ok(None) };
        let is_on: Option<bool> =
            tx.fetch_optional("SELECT is_on FROM kill_switches WHERE instance_id = $1", params![instance]).await?;
        if is_on != Some(true) {
            return Err(StoreError::KillTasksDisabled);
        }
        let now = self.store.clock.unix_millis();
        let count =
            format!("SELECT COUNT(*) FROM kill_tasks WHERE instance_id = $1 AND {RUNNING_KILL_TASK_CONDITION_SQL}");
        let running: i64 = tx.fetch_one(AssertSqlSafe(count), params![instance, now]).await?;
        if running >= i64::from(MAX_RUNNING_KILL_TASKS_PER_INSTANCE) {
            return Err(StoreError::TooManyKillTasks(MAX_RUNNING_KILL_TASKS_PER_INSTANCE));
        }
        let id = insert_kill_task(&mut tx, instance, task, now).await?;
        let delete = format!(
            "DELETE FROM kill_tasks WHERE instance_id = $1 AND NOT ({RUNNING_KILL_TASK_CONDITION_SQL}) AND id NOT IN \
             (SELECT id FROM kill_tasks WHERE instance_id = $1 ORDER BY id DESC \
             LIMIT {MAX_STORED_KILL_TASKS_PER_INSTANCE})"
        );
        tx.execute(AssertSqlSafe(delete), params![instance, now]).await?;
        let detail = json!({ "task": id.to_string(), "asked": task.audit_detail });
        tx.commit_instance_change(by, "AddKillTask", name, (project, instance), detail).await?;
        Ok(Some(id))
    }

    /// Stops a kill task.
    /// Returns false if the project does not contain the instance or the instance has no kill task with this id.
    pub async fn stop_kill_task(
        self,
        by: &AuditOrigin,
        project: &ProjectId,
        instance: &InstanceId,
        id: i64,
    ) -> Result<bool, StoreError> {
        let mut tx = self.store.begin_audited_transaction("stop a kill task").await?;
        let Some(name) = find_instance_name(tx.transaction(), project, instance).await? else { return Ok(false) };
        let sql = "SELECT id FROM kill_tasks WHERE instance_id = $1 AND id = $2";
        let found: Option<i64> = tx.fetch_optional(sql, params![instance, id]).await?;
        if found.is_none() {
            return Ok(false);
        }
        let stop = format!("UPDATE kill_tasks SET stopped_at = $2 WHERE id = $1 AND {RUNNING_KILL_TASK_CONDITION_SQL}");
        tx.execute(AssertSqlSafe(stop), params![id, self.store.clock.unix_millis()]).await?;
        let detail = json!({ "task": id.to_string() });
        tx.commit_instance_change(by, "StopKillTask", name, (project, instance), detail).await?;
        Ok(true)
    }

    /// Returns all stored kill tasks of an instance, newest first.
    pub async fn list_kill_tasks(self, instance: &InstanceId) -> Result<Vec<KillTask>, StoreError> {
        let now = self.store.clock.unix_millis();
        let sql =
            concat!("SELECT ", kill_task_columns!(), " FROM kill_tasks t WHERE t.instance_id = $1 ORDER BY t.id DESC");
        let rows = query("list kill tasks", sql, params![instance]).fetch_all(&self.store.database).await?;
        rows.iter().map(|row| kill_task_from_row(row, now)).collect()
    }
}

async fn insert_kill_task(
    tx: &mut AuditedTransaction,
    instance: &InstanceId,
    task: &NewKillTask,
    now: i64,
) -> Result<i64, StoreError> {
    let criteria =
        serde_json::to_string(&task.criteria).map_err(StoreError::corrupt_value_error("criteria of a kill task"))?;
    tx.fetch_one(
        "INSERT INTO kill_tasks (id, instance_id, criteria, masked, started_at, ends_at) \
         VALUES ((SELECT MAX(id) FROM (SELECT $1 AS id UNION ALL SELECT MAX(id) + 1 FROM kill_tasks) AS ids), $2, \
         $3, $4, $1, $5) RETURNING id",
        params![
            now,
            instance,
            criteria,
            task.masked,
            task.duration.map(|duration| now.saturating_add(duration_to_millis(duration)))
        ],
    )
    .await
}

fn kill_task_from_row(row: &Row, now: i64) -> Result<KillTask, StoreError> {
    let criteria: String = row.get("criteria")?;
    let ends_at: Option<i64> = row.get("ends_at")?;
    let stopped_at: Option<i64> = row.get("stopped_at")?;
    let state = match (stopped_at, ends_at) {
        (Some(_), _) => KillTaskState::Stopped,
        (None, Some(end)) if end <= now => KillTaskState::Finished,
        (None, _) => KillTaskState::Running,
    };
    Ok(KillTask {
        id: row.get("id")?,
        instance_id: row.get("instance_id")?,
        criteria: serde_json::from_str(&criteria)
            .map_err(StoreError::corrupt_value_error("criteria of a kill task"))?,
        masked: row.get("masked")?,
        started_at: row.get("started_at")?,
        ends_at,
        stopped_at,
        state,
    })
}
