//! What workers ask: which instances have tasks to run, and who runs them. Time is the store's clock.

use std::collections::BTreeSet;
use std::time::Duration;

use clew_model::InstanceId;
use sqlx::AssertSqlSafe;

use super::super::rows::parsed;
use super::{OPEN, kill_task, milliseconds};
use crate::database::{query, query_scalar};
use crate::error::StoreError;
use crate::kill_tasks::KillRounds;
use crate::serving_lock::ServingLock;
use crate::store::Store;

impl Store {
    /// The instances whose switch is on and that have running tasks, if this process reaches all of their nodes.
    pub async fn kill_rounds(&self) -> Result<Vec<KillRounds>, StoreError> {
        let (now, zones) = (self.clock.milliseconds(), self.database.texts("$3"));
        let rows = query(AssertSqlSafe(format!(
            "SELECT t.*, i.project_id FROM kill_tasks t JOIN kill_switches s ON s.instance_id = t.instance_id AND s.is_on = $1 \
             JOIN instances i ON i.id = t.instance_id WHERE {OPEN} AND NOT EXISTS \
                 (SELECT 1 FROM nodes n WHERE n.instance_id = t.instance_id AND n.zone NOT IN ({zones})) \
             ORDER BY t.instance_id, t.id"
        )))
        .bind(true)
        .bind(now)
        .bind(self.own_zones())
        .fetch_all(&self.database)
        .await
        .map_err(StoreError::database("look for kill tasks"))?;
        let mut rounds: Vec<KillRounds> = Vec::new();
        for row in &rows {
            let task = kill_task(row, now)?;
            match rounds.last_mut() {
                Some(last) if last.instance_id == task.instance_id => last.tasks.push(task),
                _ => rounds.push(KillRounds {
                    project_id: parsed(row, "project_id")?,
                    instance_id: task.instance_id.clone(),
                    tasks: vec![task],
                }),
            }
        }
        Ok(rounds)
    }

    /// Makes a worker the one that runs the tasks of an instance, for another `lease`. False if another one does, or the switch is off.
    pub async fn hold_kill_rounds(
        &self,
        instance: &InstanceId,
        worker: &str,
        lease: Duration,
    ) -> Result<bool, StoreError> {
        let held = query(
            "UPDATE kill_switches SET worker = $1, lease_until = $2 + $3 \
             WHERE instance_id = $4 AND is_on AND (worker = $1 OR lease_until IS NULL OR lease_until <= $2)",
        )
        .bind(worker)
        .bind(self.clock.milliseconds())
        .bind(milliseconds(lease))
        .bind(instance.as_str())
        .execute(&self.database)
        .await
        .map_err(StoreError::database("take up kill tasks"))?;
        Ok(held > 0)
    }

    /// Which tasks of an instance this worker may kill for at this moment: those that still run, if it holds the lease.
    pub async fn kill_tasks_to_run(&self, instance: &InstanceId, worker: &str) -> Result<BTreeSet<i64>, StoreError> {
        let ids: Vec<i64> = query_scalar(AssertSqlSafe(format!(
            "SELECT t.id FROM kill_tasks t JOIN kill_switches s ON s.instance_id = t.instance_id AND s.is_on \
             WHERE t.instance_id = $1 AND {OPEN} AND s.worker = $3 AND s.lease_until > $2"
        )))
        .bind(instance.as_str())
        .bind(self.clock.milliseconds())
        .bind(worker)
        .fetch_all(&self.database)
        .await
        .map_err(StoreError::database("look up kill tasks"))?;
        Ok(ids.into_iter().collect())
    }

    /// Lets go of everything that a worker holds, so that the next one need not wait.
    pub async fn release_kill_rounds(&self, worker: &str) -> Result<(), StoreError> {
        query("UPDATE kill_switches SET worker = NULL, lease_until = NULL WHERE worker = $1")
            .bind(worker)
            .execute(&self.database)
            .await
            .map_err(StoreError::database("hand back kill tasks"))?;
        Ok(())
    }

    /// Ends every lease at once: whoever holds the lock knows that the workers of this data directory are gone. Of a database that others
    /// share it does not know that, and ends none.
    pub async fn end_all_kill_leases(&self, _lock: &ServingLock) -> Result<u64, StoreError> {
        if self.database.is_shared() {
            return Ok(0);
        }
        let ended = query("UPDATE kill_switches SET worker = NULL, lease_until = NULL WHERE worker IS NOT NULL")
            .execute(&self.database)
            .await
            .map_err(StoreError::database("take over kill tasks"))?;
        Ok(ended)
    }
}
