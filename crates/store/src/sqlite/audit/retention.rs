//! Removing what is old, without breaking the chain: the checkpoint moves first, and only what lies before it can be removed.

use clew_model::{AuditEvent, Origin, Outcome};
use serde_json::json;
use sqlx::{Row as _, SqliteConnection};

use super::super::rows::hash;
use super::chain::{CHECKPOINT, End, append};
use super::verification::Walk;
use crate::error::StoreError;
use crate::store::Store;

/// Rows that are removed in one transaction at most: others write meanwhile.
const MOST_AT_ONCE: i64 = 5000;
/// Problems that the record of a removal names.
const MOST_NAMED: usize = 20;

impl Store {
    /// Removes the rows of the audit that were written before a moment, in milliseconds since 1970 (UTC), and writes down how
    /// many. Returns that. What was wrong with them is written down too: with them it would be forgotten.
    pub async fn prune_audit(&self, by: &Origin, before: i64) -> Result<u64, StoreError> {
        let mut removed = 0;
        loop {
            let count = self.prune_some(by, before).await?;
            removed += count;
            if count == 0 {
                return Ok(removed);
            }
        }
    }

    async fn prune_some(&self, by: &Origin, before: i64) -> Result<u64, StoreError> {
        let key = &self.keys.audit;
        let mut change = self.change("remove old rows of the audit").await?;
        let Some(last) = last_to_go(change.connection(), before).await? else { return Ok(0) };
        let mut walk = Walk::new(End::read(change.connection(), key, CHECKPOINT).await?);
        walk.through(change.connection(), key, last.seq).await?;
        let kept_from = End { seq: last.seq.saturating_add(1), mac: last.mac };
        kept_from.write(change.connection(), key, CHECKPOINT).await?;
        let removed = sqlx::query("DELETE FROM audit WHERE seq <= ?")
            .bind(last.seq)
            .execute(change.connection())
            .await
            .map_err(change.failed())?
            .rows_affected();
        let problems = walk.problems();
        let event = AuditEvent {
            outcome: if problems.is_empty() { Outcome::Done } else { Outcome::Failed },
            detail: json!({
                "rows": removed, "through": last.seq,
                "problems": problems.iter().take(MOST_NAMED).collect::<Vec<_>>(),
            }),
            ..AuditEvent::done(by, "PruneAudit", "audit")
        };
        append(change.connection(), key, &[(self.clock.milliseconds(), &event)]).await?;
        change.commit().await?;
        Ok(removed)
    }
}

/// The last of the oldest rows that go at once; the newest row of all always stays.
async fn last_to_go(connection: &mut SqliteConnection, before: i64) -> Result<Option<End>, StoreError> {
    let failed = StoreError::database("look for old rows of the audit");
    let row = sqlx::query(
        "SELECT seq, mac FROM (SELECT seq, mac FROM audit WHERE seq < IFNULL( \
             (SELECT MIN(seq) FROM audit WHERE at >= ?1), (SELECT MAX(seq) FROM audit)) ORDER BY seq LIMIT ?2) \
         ORDER BY seq DESC LIMIT 1",
    )
    .bind(before)
    .bind(MOST_AT_ONCE)
    .fetch_optional(connection)
    .await
    .map_err(&failed)?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(End { seq: row.try_get("seq").map_err(&failed)?, mac: hash(&row, "mac").unwrap_or([0; 32]) }))
}
