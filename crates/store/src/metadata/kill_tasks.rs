//! Kill tasks and their switches: what people do with them. What workers do with them is in `rounds.rs`.

mod rounds;

use clew_model::{AuditEvent, InstanceId, Origin, ProjectId};
use serde_json::json;
use sqlx::AssertSqlSafe;

use super::change::Change;
use super::projects::domain_of_project;
use super::rows::{milliseconds, parsed};
use super::tags::instance_name;
use crate::database::{Row, query, query_scalar};
use crate::error::StoreError;
use crate::kill_tasks::{KillTask, KillTaskState, NewKillTask};
use crate::store::Store;

/// Tasks of an instance that run at once (spec section 2.8).
const MOST_TASKS: u32 = 5;
/// Tasks of an instance that are kept, the ended ones among them.
const MOST_KEPT: u32 = 100;

/// A task that runs at the moment `?2`.
const OPEN: &str = "stopped_at IS NULL AND (ends_at IS NULL OR ends_at > $2)";

impl Store {
    /// Whether an instance lets its tasks kill.
    pub async fn kill_switch(&self, instance: &InstanceId) -> Result<bool, StoreError> {
        let is_on: Option<bool> = query_scalar("SELECT is_on FROM kill_switches WHERE instance_id = $1")
            .bind(instance.as_str())
            .fetch_optional(&self.database)
            .await
            .map_err(StoreError::database("look up a switch"))?;
        Ok(is_on.unwrap_or(false))
    }

    /// Turns the switch of an instance on or off. Off, it stops the tasks that run. False if the project has no instance of this id.
    pub async fn set_kill_switch(
        &self,
        by: &Origin,
        project: &ProjectId,
        instance: &InstanceId,
        on: bool,
    ) -> Result<bool, StoreError> {
        let mut change = self.change("turn a switch").await?;
        let Some(name) = instance_name(change.connection(), project, instance).await? else { return Ok(false) };
        query(
            "INSERT INTO kill_switches (instance_id, is_on) VALUES ($1, $2) \
             ON CONFLICT (instance_id) DO UPDATE SET is_on = excluded.is_on",
        )
        .bind(instance.as_str())
        .bind(on)
        .execute(change.connection())
        .await
        .map_err(change.failed())?;
        if !on {
            self.stop_all(&mut change, instance).await?;
        }
        let detail = json!({ "status": if on { "ON" } else { "OFF" } });
        let event = AuditEvent { detail, ..AuditEvent::done(by, "SwitchKillTasks", name) };
        self.kill_tasks_changed(change, event, project, instance).await?;
        Ok(true)
    }

    async fn stop_all(&self, change: &mut Change<'_>, instance: &InstanceId) -> Result<(), StoreError> {
        let failed = change.failed();
        query(AssertSqlSafe(format!("UPDATE kill_tasks SET stopped_at = $2 WHERE instance_id = $1 AND {OPEN}")))
            .bind(instance.as_str())
            .bind(self.clock.milliseconds())
            .execute(change.connection())
            .await
            .map_err(failed)?;
        Ok(())
    }

    /// Adds a task, which runs from now on. Returns its number; nothing if the project has no instance of this id.
    ///
    /// Fails with [`StoreError::KillSwitchOff`] where the instance lets no task kill, and with [`StoreError::TooManyKillTasks`] where
    /// it has as many running tasks as it can have.
    pub async fn add_kill_task(
        &self,
        by: &Origin,
        project: &ProjectId,
        instance: &InstanceId,
        task: &NewKillTask,
    ) -> Result<Option<i64>, StoreError> {
        let mut change = self.change("add a kill task").await?;
        let failed = change.failed();
        let Some(name) = instance_name(change.connection(), project, instance).await? else { return Ok(None) };
        let is_on: Option<bool> = query_scalar("SELECT is_on FROM kill_switches WHERE instance_id = $1")
            .bind(instance.as_str())
            .fetch_optional(change.connection())
            .await
            .map_err(&failed)?;
        if is_on != Some(true) {
            return Err(StoreError::KillSwitchOff);
        }
        let now = self.clock.milliseconds();
        let count = format!("SELECT COUNT(*) FROM kill_tasks WHERE instance_id = $1 AND {OPEN}");
        let open: i64 = query_scalar(AssertSqlSafe(count))
            .bind(instance.as_str())
            .bind(now)
            .fetch_one(change.connection())
            .await
            .map_err(&failed)?;
        if open >= i64::from(MOST_TASKS) {
            return Err(StoreError::TooManyKillTasks { limit: MOST_TASKS });
        }
        let id = insert(&mut change, instance, task, now).await?;
        query(AssertSqlSafe(format!(
            "DELETE FROM kill_tasks WHERE instance_id = $1 AND NOT ({OPEN}) AND id NOT IN \
             (SELECT id FROM kill_tasks WHERE instance_id = $1 ORDER BY id DESC LIMIT {MOST_KEPT})"
        )))
        .bind(instance.as_str())
        .bind(now)
        .execute(change.connection())
        .await
        .map_err(&failed)?;
        let detail = json!({ "task": id.to_string(), "asked": task.audit_detail });
        let event = AuditEvent { detail, ..AuditEvent::done(by, "AddKillTask", name) };
        self.kill_tasks_changed(change, event, project, instance).await?;
        Ok(Some(id))
    }

    /// Stops a task of an instance. One that is over already stays as it is. False if the project's instance has no task of this number.
    pub async fn stop_kill_task(
        &self,
        by: &Origin,
        project: &ProjectId,
        instance: &InstanceId,
        id: i64,
    ) -> Result<bool, StoreError> {
        let mut change = self.change("stop a kill task").await?;
        let failed = change.failed();
        let Some(name) = instance_name(change.connection(), project, instance).await? else { return Ok(false) };
        let there: Option<i64> = query_scalar("SELECT id FROM kill_tasks WHERE instance_id = $1 AND id = $2")
            .bind(instance.as_str())
            .bind(id)
            .fetch_optional(change.connection())
            .await
            .map_err(&failed)?;
        if there.is_none() {
            return Ok(false);
        }
        let stop = format!("UPDATE kill_tasks SET stopped_at = $2 WHERE id = $1 AND {OPEN}");
        query(AssertSqlSafe(stop))
            .bind(id)
            .bind(self.clock.milliseconds())
            .execute(change.connection())
            .await
            .map_err(&failed)?;
        let detail = json!({ "task": id.to_string() });
        let event = AuditEvent { detail, ..AuditEvent::done(by, "StopKillTask", name) };
        self.kill_tasks_changed(change, event, project, instance).await?;
        Ok(true)
    }

    async fn kill_tasks_changed(
        &self,
        mut change: Change<'_>,
        event: AuditEvent,
        project: &ProjectId,
        instance: &InstanceId,
    ) -> Result<(), StoreError> {
        let domain_id = Some(domain_of_project(change.connection(), project).await?);
        let (project_id, instance_id) = (Some(project.clone()), Some(instance.clone()));
        change.done(&AuditEvent { domain_id, project_id, instance_id, ..event }).await
    }

    /// The tasks of an instance, the newest first: those that run, and the latest that are over.
    pub async fn kill_tasks(&self, instance: &InstanceId) -> Result<Vec<KillTask>, StoreError> {
        let now = self.clock.milliseconds();
        let rows = query("SELECT * FROM kill_tasks WHERE instance_id = $1 ORDER BY id DESC")
            .bind(instance.as_str())
            .fetch_all(&self.database)
            .await
            .map_err(StoreError::database("list kill tasks"))?;
        rows.iter().map(|row| kill_task(row, now)).collect()
    }
}

/// Numbers grow, also where two tasks are added at the same moment.
async fn insert(
    change: &mut Change<'_>,
    instance: &InstanceId,
    task: &NewKillTask,
    now: i64,
) -> Result<i64, StoreError> {
    let failed = change.failed();
    let criteria = serde_json::to_string(&task.criteria).map_err(StoreError::damaged("criteria of a kill task"))?;
    query_scalar(
        "INSERT INTO kill_tasks (id, instance_id, criteria, masked, started_at, ends_at) \
         VALUES ((SELECT MAX(id) FROM (SELECT $1 AS id UNION ALL SELECT MAX(id) + 1 FROM kill_tasks) AS ids), $2, $3, $4, $1, $5) RETURNING id",
    )
    .bind(now)
    .bind(instance.as_str())
    .bind(criteria)
    .bind(task.masked)
    .bind(task.duration.map(|duration| now.saturating_add(milliseconds(duration))))
    .fetch_one(change.connection())
    .await
    .map_err(failed)
}

fn kill_task(row: &Row, now: i64) -> Result<KillTask, StoreError> {
    let failed = StoreError::database("read a kill task");
    let criteria: String = row.try_get("criteria").map_err(&failed)?;
    let ends_at: Option<i64> = row.try_get("ends_at").map_err(&failed)?;
    let stopped_at: Option<i64> = row.try_get("stopped_at").map_err(&failed)?;
    let state = match (stopped_at, ends_at) {
        (Some(_), _) => KillTaskState::Stopped,
        (None, Some(end)) if end <= now => KillTaskState::Finished,
        (None, _) => KillTaskState::Running,
    };
    Ok(KillTask {
        id: row.try_get("id").map_err(&failed)?,
        instance_id: parsed(row, "instance_id")?,
        criteria: serde_json::from_str(&criteria).map_err(StoreError::damaged("criteria of a kill task"))?,
        masked: row.try_get("masked").map_err(&failed)?,
        started_at: row.try_get("started_at").map_err(&failed)?,
        ends_at,
        stopped_at,
        state,
    })
}
