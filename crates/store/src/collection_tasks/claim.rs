//! Claims queued tasks for workers.

use clew_model::{Failure, FailureKind, SessionSelection};

use crate::collection_tasks::{ClaimedTask, SessionCollectionTask, TaskClaimOutcome, TaskClaimRequest};
use crate::database::group_commit::BatchedWrite;
use crate::database::{FromRow, Row, Transaction, duration_to_millis, params, query, query_as};
use crate::error::StoreError;
use crate::store_handles::TaskStore;

/// A task with an expired lease takes priority over queued tasks.
/// After `n` attempts, a task can be claimed again `n - 1` lease durations after its lease has expired.
macro_rules! claim_task_sql {
    ($excluded_nodes:literal, $zones:literal, $skip_locked:literal) => {
        concat!(
            "WITH others (node_id) AS ( \
                 SELECT node_id FROM tasks WHERE status = 'running' AND lease_until > $2 GROUP BY node_id HAVING COUNT(*) >= $4 \
                 UNION ALL ",
            $excluded_nodes,
            ") UPDATE tasks SET status = 'running', worker = $1, fence = fence + 1, attempts = attempts + 1, lease_until = $2 + $3 \
             WHERE rowid = COALESCE( \
                 (SELECT rowid FROM tasks WHERE status = 'running' AND lease_until <= $2 \
                  AND lease_until + (attempts - 1) * $3 <= $2 AND zone IN (SELECT zone FROM ",
            $zones,
            ") AND node_id NOT IN (SELECT node_id FROM others) ORDER BY lease_until LIMIT 1",
            $skip_locked,
            "), (SELECT rowid FROM tasks WHERE rowid IN (SELECT (SELECT rowid FROM tasks WHERE status = 'queued' AND zone = own.zone \
                      AND node_id NOT IN (SELECT node_id FROM others) ORDER BY turn, rowid LIMIT 1",
            $skip_locked,
            ") FROM ",
            $zones,
            ") ORDER BY turn, rowid LIMIT 1)) RETURNING rowid, ",
            task_columns!(),
        )
    };
}

pub(crate) const SQLITE_CLAIM_TASK_SQL: &str =
    claim_task_sql!("SELECT value FROM json_each($5)", "(SELECT value AS zone FROM json_each($6)) AS own", "");
/// `SKIP LOCKED` allows several workers to claim different tasks concurrently.
pub(crate) const POSTGRES_CLAIM_TASK_SQL: &str = claim_task_sql!(
    "SELECT value FROM json_array_elements_text($5::json) AS aside (value)",
    "json_array_elements_text($6::json) AS own (zone)",
    " FOR UPDATE SKIP LOCKED"
);

/// The master key id reveals a concurrent master key rotation.
pub(crate) const HAS_CLAIMABLE_TASK_SQL: &str = "SELECT EXISTS (SELECT 1 FROM tasks WHERE status = 'queued') \
     OR EXISTS (SELECT 1 FROM tasks WHERE status = 'running' AND lease_until <= $1), \
     (SELECT value FROM settings WHERE name = 'master_key_id')";

/// Resets the task's session filter and sort order to the defaults, because the stored values may be invalid.
const MARK_CORRUPT_TASK_FAILED_SQL: &str = "UPDATE tasks SET status = 'error', failure_kind = $2, failure_detail = $3, selection = $4, \
         ended_at = $5, lease_until = NULL WHERE rowid = $1";

impl TaskStore<'_> {
    /// Claims collection tasks for a worker, up to the limits in the [`TaskClaimRequest`].
    /// Claims tasks with an expired lease first, and then queued tasks in ascending order of their fair-queue positions.
    /// `docs/decisions/0019-fair-scheduling-of-many-nodes.md` describes the order of queued tasks.
    pub async fn claim_tasks(self, claim: TaskClaimRequest) -> Result<TaskClaimOutcome, StoreError> {
        let excluded_nodes =
            serde_json::to_string(&claim.excluded_nodes).map_err(StoreError::corrupt_value_error("ids of nodes"))?;
        let now = self.store.clock.unix_millis();
        // Most polls find no task. The read-only query avoids the write lock, which would delay other writers.
        if self.store.database.is_shared() && !self.has_claimable_task(now).await? {
            return Ok(TaskClaimOutcome::default());
        }
        self.store
            .execute_write_in_batch(ClaimTasksWrite {
                claim,
                excluded_nodes,
                zones: self.store.reachable_zones_json(),
                now,
            })
            .await
    }

    async fn has_claimable_task(self, now: i64) -> Result<bool, StoreError> {
        let (has_claimable, key): (bool, Option<Vec<u8>>) =
            query_as("look for queued collections", HAS_CLAIMABLE_TASK_SQL, params![now])
                .fetch_one(&self.store.database)
                .await?;
        self.store.keys.ensure_key_id_matches(key.as_deref())?;
        Ok(has_claimable)
    }
}

struct ClaimTasksWrite {
    claim: TaskClaimRequest,
    excluded_nodes: String,
    zones: String,
    now: i64,
}

impl BatchedWrite for ClaimTasksWrite {
    type Output = TaskClaimOutcome;

    fn action(&self) -> &'static str {
        "claim collections"
    }

    async fn execute_write(&self, transaction: &mut Transaction) -> Result<TaskClaimOutcome, StoreError> {
        let mut claims = TaskClaimOutcome::default();
        while claims.tasks.len() < self.claim.max_tasks {
            let Some(row) = self.claim_one_task(transaction).await? else { break };
            match ClaimedTask::from_row(&row) {
                Ok(task) => claims.tasks.push(task),
                Err(StoreError::Damaged { what, .. }) => {
                    claims.damaged.push(self.mark_corrupt_task_failed(transaction, &row, what).await?);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(claims)
    }
}

impl ClaimTasksWrite {
    async fn claim_one_task(&self, transaction: &mut Transaction) -> Result<Option<Row>, StoreError> {
        let claim = match transaction {
            Transaction::Sqlite(_) => SQLITE_CLAIM_TASK_SQL,
            Transaction::Postgres(_) => POSTGRES_CLAIM_TASK_SQL,
        };
        let parameters = params![
            &self.claim.worker,
            self.now,
            duration_to_millis(self.claim.lease),
            self.claim.max_per_node,
            &self.excluded_nodes,
            &self.zones
        ];
        query(self.action(), claim, parameters).fetch_optional(transaction).await
    }

    async fn mark_corrupt_task_failed(
        &self,
        transaction: &mut Transaction,
        row: &Row,
        what: &str,
    ) -> Result<Failure, StoreError> {
        let failure = Failure::new(FailureKind::StoreFailed, format!("the stored {what} cannot be parsed"));
        let nothing = serde_json::to_string(&SessionSelection::default())
            .map_err(StoreError::corrupt_value_error("selection"))?;
        let parameters = params![row.get::<i64>("rowid")?, failure.kind.name(), &failure.detail, nothing, self.now];
        query("end a damaged collection", MARK_CORRUPT_TASK_FAILED_SQL, parameters).execute(transaction).await?;
        Ok(failure)
    }
}

impl FromRow for ClaimedTask {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let fence = row.get("fence")?;
        Ok(Self { task: SessionCollectionTask::from_row(row)?, fence })
    }
}
