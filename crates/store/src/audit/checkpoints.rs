//! Creates audit checkpoints and detects truncation of the audit log.

use crate::audit::chain_records::{ChainPosition, HEAD_RECORD_NAME};
use crate::audit::mac_keys::AuditMacKeys;
use crate::audit::{AuditCheckpoint, AuditIntegrityProblem};
use crate::error::StoreError;
use crate::store_handles::AuditStore;

impl AuditStore<'_> {
    /// Returns a checkpoint of the newest audit row, which users can store outside the database.
    /// Fails if the audit log's head record was tampered with.
    pub async fn create_audit_checkpoint(self) -> Result<AuditCheckpoint, StoreError> {
        self.store.ensure_master_key_is_current().await?;
        let mut transaction = self.store.database.begin_read_transaction("read the newest audit row").await?;
        let keys = AuditMacKeys::load_audit_mac_keys(&mut transaction, &self.store.sealer, &self.store.keys).await?;
        let head = ChainPosition::read_chain_record(&mut transaction, keys.current_mac_key(), HEAD_RECORD_NAME).await?;
        let head = head.ok_or_else(|| StoreError::Damaged {
            what: "audit",
            reason: "the head record was changed; run clew audit verify to find missing rows".to_owned(),
        })?;
        Ok(AuditCheckpoint { seq: head.seq, link: hex::encode(head.mac), at: self.store.clock.unix_millis() })
    }

    /// Checks that the newest audit row known to this process still exists.
    /// Returns the oldest detected problem that is not yet acknowledged ([`AuditStore::acknowledge_lost_audit_rows`]).
    pub async fn detect_audit_truncation(self) -> Result<Option<AuditIntegrityProblem>, StoreError> {
        let newest = self.store.checkpoint_tracker.newest_checkpoint();
        let mut transaction =
            self.store.database.begin_read_transaction("compare the audit log with the recorded checkpoint").await?;
        let keys = AuditMacKeys::load_audit_mac_keys(&mut transaction, &self.store.sealer, &self.store.keys).await?;
        let head = ChainPosition::read_chain_record(&mut transaction, keys.current_mac_key(), HEAD_RECORD_NAME).await?;
        self.store
            .checkpoint_tracker
            .verify_newest_row_exists(&mut transaction, keys.current_mac_key(), head, newest)
            .await?;
        if let Some(head) = head {
            let at = self.store.clock.unix_millis();
            self.store.checkpoint_tracker.record_newest_row(AuditCheckpoint {
                seq: head.seq,
                link: hex::encode(head.mac),
                at,
            });
        }
        Ok(self.store.checkpoint_tracker.oldest_unreported_integrity_problem())
    }

    /// Acknowledges an integrity problem, so that [`AuditStore::detect_audit_truncation`] no longer returns it.
    pub fn acknowledge_lost_audit_rows(self, loss: &AuditIntegrityProblem) {
        self.store.checkpoint_tracker.mark_integrity_problem_reported(loss);
    }
}
