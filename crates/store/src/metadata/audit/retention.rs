//! Removing what is old, without breaking the chain: the checkpoint moves first, and only what lies before it can be removed.

use clew_model::{AuditEvent, Origin, Outcome};
use serde_json::json;

use super::super::rows::hash;
use super::chain::{CHECKPOINT, End, NOTHING};
use super::keys::AuditKeys;
use super::verification::Walk;
use crate::database::{Connection, query, query_scalar};
use crate::error::StoreError;
use crate::store::Store;

/// Rows that are removed in one transaction at most: others write meanwhile.
const MOST_AT_ONCE: i64 = 1000;
/// Problems that the record of a removal names.
const MOST_NAMED: usize = 20;

impl Store {
    /// Removes the rows of the audit that were written before a moment, in milliseconds since 1970 (UTC), and writes down how
    /// many. Returns that. What was wrong with them is written down too: with them it would be forgotten.
    pub async fn prune_audit(&self, by: &Origin, before: i64) -> Result<u64, StoreError> {
        let mut removed = 0;
        // What is written down on the way stays, whatever the moment.
        let newest: Option<i64> = query_scalar("SELECT MAX(seq) FROM audit")
            .fetch_one(&self.database)
            .await
            .map_err(StoreError::database("look for old rows of the audit"))?;
        let Some(newest) = newest else { return Ok(0) };
        loop {
            let count = self.prune_some(by, before, newest).await?;
            removed += count;
            if count == 0 {
                return Ok(removed);
            }
        }
    }

    async fn prune_some(&self, by: &Origin, before: i64, newest: i64) -> Result<u64, StoreError> {
        let mut change = self.change("remove old rows of the audit").await?;
        let Some(last) = last_to_go(change.connection(), before, newest).await? else { return Ok(0) };
        let keys = AuditKeys::read(change.connection(), &self.sealer, &self.keys).await?;
        let mut walk = Walk::begin(change.connection(), &keys).await?;
        walk.through(change.connection(), &keys, last.seq).await?;
        let kept_from = End { seq: last.seq.saturating_add(1), mac: last.mac };
        kept_from.write(change.connection(), keys.now(), CHECKPOINT).await?;
        let removed = query("DELETE FROM audit WHERE seq <= $1")
            .bind(last.seq)
            .execute(change.connection())
            .await
            .map_err(change.failed())?;
        let problems = walk.problems();
        let event = AuditEvent {
            outcome: if problems.is_empty() { Outcome::Done } else { Outcome::Failed },
            detail: json!({
                "rows": removed, "through": last.seq,
                "problems": problems.iter().take(MOST_NAMED).collect::<Vec<_>>(),
            }),
            ..AuditEvent::done(by, "PruneAudit", "audit")
        };
        change.append(&self.keys, &[(self.clock.milliseconds(), &event)]).await?;
        change.commit().await?;
        Ok(removed)
    }
}

/// The last of the oldest rows that go at once. The newest always stays.
async fn last_to_go(connection: &mut Connection, before: i64, newest: i64) -> Result<Option<End>, StoreError> {
    let failed = StoreError::database("look for old rows of the audit");
    let row = query(
        "WITH kept AS (SELECT seq, at, mac FROM audit \
             WHERE seq >= (SELECT seq FROM audit_ends WHERE name = 'checkpoint') AND seq < $2), \
         young AS (SELECT MIN(seq) AS seq FROM kept WHERE at >= $1) \
         SELECT seq, mac FROM (SELECT seq, mac FROM kept WHERE seq < COALESCE((SELECT seq FROM young), $2) \
             ORDER BY seq LIMIT $3) AS oldest ORDER BY seq DESC LIMIT 1",
    )
    .bind(before)
    .bind(newest)
    .bind(MOST_AT_ONCE)
    .fetch_optional(connection)
    .await
    .map_err(&failed)?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(End { seq: row.try_get("seq").map_err(&failed)?, mac: hash(&row, "mac").unwrap_or(NOTHING) }))
}
