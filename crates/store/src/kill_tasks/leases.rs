//! Leases that assign all kill tasks of an instance to the same worker.

use std::collections::BTreeSet;
use std::time::Duration;

use clew_model::InstanceId;
use sqlx::AssertSqlSafe;

use crate::data_dir_lock::DataDirLock;
use crate::database::{params, query, query_as};
use crate::error::StoreError;
use crate::kill_tasks::{InstanceKillTasks, RUNNING_KILL_TASK_CONDITION_SQL, duration_to_millis, kill_task_from_row};
use crate::store_handles::KillTaskStore;

impl KillTaskStore<'_> {
    /// Returns the running kill tasks of each instance. Skips instances that have a node this process cannot reach.
    pub async fn list_instances_with_kill_tasks(self) -> Result<Vec<InstanceKillTasks>, StoreError> {
        let (now, zones) = (self.store.clock.unix_millis(), self.store.database.subquery_for_json_array_strings("$3"));
        let sql = format!(
            "SELECT {}, i.project_id FROM kill_tasks t \
                 JOIN kill_switches s ON s.instance_id = t.instance_id AND s.is_on = $1 \
                 JOIN instances i ON i.id = t.instance_id WHERE {RUNNING_KILL_TASK_CONDITION_SQL} AND NOT EXISTS \
                     (SELECT 1 FROM nodes n WHERE n.instance_id = t.instance_id AND n.zone NOT IN ({zones})) \
                 ORDER BY t.instance_id, t.id",
            kill_task_columns!()
        );
        let parameters = params![true, now, self.store.reachable_zones_json()];
        let rows = query("look for kill tasks", AssertSqlSafe(sql), parameters).fetch_all(&self.store.database).await?;
        let mut rounds: Vec<InstanceKillTasks> = Vec::new();
        for row in &rows {
            let task = kill_task_from_row(row, now)?;
            match rounds.last_mut() {
                Some(last) if last.instance_id == task.instance_id => last.tasks.push(task),
                _ => rounds.push(InstanceKillTasks {
                    project_id: row.get("project_id")?,
                    instance_id: task.instance_id.clone(),
                    tasks: vec![task],
                }),
            }
        }
        Ok(rounds)
    }

    /// Acquires or renews the lease that allows a worker to run the kill tasks of an instance.
    /// Returns false if another worker holds the lease or kill tasks are disabled for the instance.
    pub async fn acquire_kill_task_lease(
        self,
        instance: &InstanceId,
        worker: &str,
        lease: Duration,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE kill_switches SET worker = $1, lease_until = $2 + $3 \
            WHERE instance_id = $4 AND is_on AND (worker = $1 OR lease_until IS NULL OR lease_until <= $2)";
        let parameters = params![worker, self.store.clock.unix_millis(), duration_to_millis(lease), instance];
        let held = query("acquire the lease of kill tasks", sql, parameters).execute(&self.store.database).await?;
        Ok(held > 0)
    }

    /// Returns the ids of the instance's running kill tasks, or no ids if `worker` does not hold the instance's lease.
    pub async fn list_leased_kill_task_ids(
        self,
        instance: &InstanceId,
        worker: &str,
    ) -> Result<BTreeSet<i64>, StoreError> {
        let sql = format!(
            "SELECT t.id FROM kill_tasks t JOIN kill_switches s ON s.instance_id = t.instance_id AND s.is_on \
             WHERE t.instance_id = $1 AND {RUNNING_KILL_TASK_CONDITION_SQL} AND s.worker = $3 AND s.lease_until > $2"
        );
        let parameters = params![instance, self.store.clock.unix_millis(), worker];
        let ids: Vec<i64> =
            query_as("look up kill tasks", AssertSqlSafe(sql), parameters).fetch_all(&self.store.database).await?;
        Ok(ids.into_iter().collect())
    }

    /// Releases all kill task leases of a worker, so that other workers can take over the kill tasks immediately.
    pub async fn release_kill_task_leases(self, worker: &str) -> Result<(), StoreError> {
        let sql = "UPDATE kill_switches SET worker = NULL, lease_until = NULL WHERE worker = $1";
        query("release kill tasks", sql, params![worker]).execute(&self.store.database).await?;
        Ok(())
    }

    /// Releases all leases for kill tasks.
    /// The caller must hold the lock that prevents other Clew servers from using the data directory.
    /// Keeps all leases if several machines share the database, because workers on other machines may hold leases.
    pub async fn release_all_kill_task_leases(self, _lock: &DataDirLock) -> Result<u64, StoreError> {
        if self.store.database.is_shared() {
            return Ok(0);
        }
        let sql = "UPDATE kill_switches SET worker = NULL, lease_until = NULL WHERE worker IS NOT NULL";
        query("end the leases of kill tasks", sql, params![]).execute(&self.store.database).await
    }
}
