//! Removes old audit rows and advances the checkpoint record to the oldest remaining row.

use clew_model::{AuditEvent, AuditOrigin, AuditOutcome};
use serde_json::json;

use crate::audit::chain_records::{CHECKPOINT_RECORD_NAME, ChainPosition, PREVIOUS_MAC_OF_FIRST_ROW};
use crate::audit::mac_keys::AuditMacKeys;
use crate::audit::verification::ChainVerifier;
use crate::database::{Transaction, params, query, query_as};
use crate::error::StoreError;
use crate::store_handles::AuditStore;

/// Small batches block other writers only briefly.
const MAX_PRUNED_ROWS_PER_TRANSACTION: i64 = 1000;
const MAX_INTEGRITY_PROBLEMS_PER_EVENT: usize = 20;

impl AuditStore<'_> {
    /// Removes audit rows that are older than `before`, a Unix timestamp in milliseconds.
    /// Returns the number of removed audit rows.
    /// Each batch also appends, in the same transaction, an audit event with its row count and any integrity problems.
    pub async fn prune_audit_log(self, by: &AuditOrigin, before: i64) -> Result<u64, StoreError> {
        let mut removed = 0;
        // This call does not remove its own audit events, regardless of their timestamps.
        let newest: Option<i64> = query_as("look for old audit rows", "SELECT MAX(seq) FROM audit", params![])
            .fetch_one(&self.store.database)
            .await?;
        let Some(newest) = newest else { return Ok(0) };
        loop {
            let count = self.prune_audit_row_batch(by, before, newest).await?;
            removed += count;
            if count == 0 {
                return Ok(removed);
            }
        }
    }

    async fn prune_audit_row_batch(self, by: &AuditOrigin, before: i64, newest: i64) -> Result<u64, StoreError> {
        let mut tx = self.store.begin_audited_transaction("remove old audit rows").await?;
        let Some(last) = find_last_removable_row(tx.transaction(), before, newest).await? else { return Ok(0) };
        let keys = AuditMacKeys::load_audit_mac_keys(tx.transaction(), &self.store.sealer, &self.store.keys).await?;
        let mut verifier = ChainVerifier::start_at_checkpoint(tx.transaction(), &keys).await?;
        verifier.verify_rows_up_to_seq(tx.transaction(), &keys, last.seq).await?;
        let checkpoint = ChainPosition { seq: last.seq.saturating_add(1), mac: last.mac };
        checkpoint.write_chain_record(tx.transaction(), keys.current_mac_key(), CHECKPOINT_RECORD_NAME).await?;
        let removed = tx.execute("DELETE FROM audit WHERE seq <= $1", params![last.seq]).await?;
        let problems = verifier.describe_problems();
        let event = AuditEvent {
            outcome: if problems.is_empty() { AuditOutcome::Succeeded } else { AuditOutcome::Failed },
            detail: json!({
                "rows": removed, "through": last.seq,
                "problems": problems.iter().take(MAX_INTEGRITY_PROBLEMS_PER_EVENT).collect::<Vec<_>>(),
            }),
            ..AuditEvent::for_successful_operation(by, "PruneAudit", "audit")
        };
        tx.append_events(&self.store.keys, &[(self.store.clock.unix_millis(), &event)]).await?;
        tx.commit().await?;
        Ok(removed)
    }
}

/// Never returns the newest audit row, which must remain in the audit log.
async fn find_last_removable_row(
    transaction: &mut Transaction,
    before: i64,
    newest: i64,
) -> Result<Option<ChainPosition>, StoreError> {
    let sql = "WITH kept AS (SELECT seq, at, mac FROM audit \
            WHERE seq >= (SELECT seq FROM audit_ends WHERE name = 'checkpoint') AND seq < $2), \
        young AS (SELECT MIN(seq) AS seq FROM kept WHERE at >= $1) \
        SELECT seq, mac FROM (SELECT seq, mac FROM kept WHERE seq < COALESCE((SELECT seq FROM young), $2) \
            ORDER BY seq LIMIT $3) AS oldest ORDER BY seq DESC LIMIT 1";
    let parameters = params![before, newest, MAX_PRUNED_ROWS_PER_TRANSACTION];
    let row = query("look for old audit rows", sql, parameters).fetch_optional(transaction).await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(ChainPosition { seq: row.get("seq")?, mac: row.get("mac").unwrap_or(PREVIOUS_MAC_OF_FIRST_ROW) }))
}
