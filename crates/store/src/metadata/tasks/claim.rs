//! Taking tasks up.

use clew_model::{Failure, FailureKind, Selection};

use super::task;
use crate::database::{Connection, Row, query, query_pair};
use crate::error::StoreError;
use crate::metadata::batches::Write;
use crate::metadata::rows::milliseconds;
use crate::store::Store;
use crate::tasks::{Claim, ClaimedTask, Claims};

/// One whose worker has not been heard of, which waits for a lease more each time after the first, or else the one whose turn it is of each
/// zone, and of these the first; of a node that is neither busy nor set aside.
macro_rules! claim {
    ($set_aside:literal, $zones:literal, $passing_over:literal) => {
        concat!(
            "WITH others (node_id) AS ( \
                 SELECT node_id FROM tasks WHERE status = 'running' AND lease_until > $2 GROUP BY node_id HAVING COUNT(*) >= $4 \
                 UNION ALL ",
            $set_aside,
            ") UPDATE tasks SET status = 'running', worker = $1, fence = fence + 1, attempts = attempts + 1, lease_until = $2 + $3 \
             WHERE rowid = COALESCE( \
                 (SELECT rowid FROM tasks WHERE status = 'running' AND lease_until <= $2 \
                  AND lease_until + (attempts - 1) * $3 <= $2 AND zone IN (SELECT zone FROM ",
            $zones,
            ") AND node_id NOT IN (SELECT node_id FROM others) ORDER BY lease_until LIMIT 1",
            $passing_over,
            "), (SELECT rowid FROM tasks WHERE rowid IN (SELECT (SELECT rowid FROM tasks WHERE status = 'queued' AND zone = own.zone \
                      AND node_id NOT IN (SELECT node_id FROM others) ORDER BY turn, rowid LIMIT 1",
            $passing_over,
            ") FROM ",
            $zones,
            ") ORDER BY turn, rowid LIMIT 1)) RETURNING rowid, *",
        )
    };
}

/// The statement for a file, …
pub(super) const CLAIM: &str =
    claim!("SELECT value FROM json_each($5)", "(SELECT value AS zone FROM json_each($6)) AS own", "");
/// … and for a server's database, where somebody who takes no turn may be at work on a row: it is passed over.
pub(super) const CLAIM_ON_A_SERVER: &str = claim!(
    "SELECT value FROM json_array_elements_text($5::json) AS aside (value)",
    "json_array_elements_text($6::json) AS own (zone)",
    " FOR UPDATE SKIP LOCKED"
);

/// Whether there is anything to take up, and with which master key.
pub(super) const ANYTHING: &str = "SELECT EXISTS (SELECT 1 FROM tasks WHERE status = 'queued') \
     OR EXISTS (SELECT 1 FROM tasks WHERE status = 'running' AND lease_until <= $1), \
     (SELECT value FROM settings WHERE name = 'master_key_id')";

/// What cannot be understood would be taken up again and again. Nobody needs what was asked for once it has ended.
const END_DAMAGED: &str = "UPDATE tasks SET status = 'error', failure_kind = $2, failure_detail = $3, selection = $4, \
         ended_at = $5, lease_until = NULL WHERE rowid = $1";

impl Store {
    /// Takes tasks up: those first whose lease has lapsed, then in turn (`docs/decisions/0019`), as many as there are and may run.
    pub async fn claim_tasks(&self, claim: Claim) -> Result<Claims, StoreError> {
        let set_aside = serde_json::to_string(&claim.set_aside).map_err(StoreError::damaged("ids of nodes"))?;
        let now = self.clock.milliseconds();
        // Many workers look, and mostly there is nothing: none of them should keep those waiting who have something to write.
        if self.database.is_shared() && !self.has_claimable(now).await? {
            return Ok(Claims::default());
        }
        self.write(ClaimTasks { claim, set_aside, zones: self.own_zones(), now }).await
    }

    async fn has_claimable(&self, now: i64) -> Result<bool, StoreError> {
        let looked = query_pair::<bool, Option<Vec<u8>>>(ANYTHING).bind(now).fetch_one(&self.database).await;
        let (anything, key) = looked.map_err(StoreError::database("look for collections"))?;
        if self.keys.is(key.as_deref()) { Ok(anything) } else { Err(StoreError::MasterKeyRotated) }
    }
}

struct ClaimTasks {
    claim: Claim,
    set_aside: String,
    zones: String,
    now: i64,
}

impl Write for ClaimTasks {
    type Answer = Claims;
    const DOING: &'static str = "take up collections";

    async fn write(&self, connection: &mut Connection) -> Result<Claims, StoreError> {
        let mut claims = Claims::default();
        while claims.tasks.len() < self.claim.most {
            let Some(row) = self.claim_one(connection).await? else { break };
            match claimed(&row) {
                Ok(task) => claims.tasks.push(task),
                Err(StoreError::Damaged { what, .. }) => claims.damaged.push(self.end(connection, &row, what).await?),
                Err(error) => return Err(error),
            }
        }
        Ok(claims)
    }
}

impl ClaimTasks {
    async fn claim_one(&self, connection: &mut Connection) -> Result<Option<Row>, StoreError> {
        let claim = match connection {
            Connection::Sqlite(_) => CLAIM,
            Connection::Postgres(_) => CLAIM_ON_A_SERVER,
        };
        query(claim)
            .bind(&self.claim.worker)
            .bind(self.now)
            .bind(milliseconds(self.claim.lease))
            .bind(self.claim.per_node)
            .bind(&self.set_aside)
            .bind(&self.zones)
            .fetch_optional(connection)
            .await
            .map_err(StoreError::database(Self::DOING))
    }

    async fn end(&self, connection: &mut Connection, row: &Row, what: &str) -> Result<Failure, StoreError> {
        let failed = StoreError::database("end a collection that cannot be understood");
        let failure = Failure::new(FailureKind::StoreFailed, format!("the stored {what} cannot be understood"));
        let nothing = serde_json::to_string(&Selection::default()).map_err(StoreError::damaged("selection"))?;
        query(END_DAMAGED)
            .bind(row.try_get::<i64, _>("rowid").map_err(&failed)?)
            .bind(failure.kind.name())
            .bind(&failure.detail)
            .bind(nothing)
            .bind(self.now)
            .execute(connection)
            .await
            .map_err(failed)?;
        Ok(failure)
    }
}

fn claimed(row: &Row) -> Result<ClaimedTask, StoreError> {
    let fence = row.try_get("fence").map_err(StoreError::database("read a collection"))?;
    Ok(ClaimedTask { task: task(row)?, fence })
}
