//! Methods of [`Store`] that begin audited transactions and execute batched writes.

use clew_model::AuditEvent;

use crate::database::audited_transaction::{AuditedDatabase, AuditedTransaction};
use crate::database::group_commit::BatchedWrite;
use crate::error::StoreError;
use crate::store::Store;

impl Store {
    pub(crate) async fn begin_audited_transaction(
        &self,
        action: &'static str,
    ) -> Result<AuditedTransaction, StoreError> {
        self.audited_database().begin(action).await
    }

    /// Returns after the write is durable. Dropping the future does not cancel the write.
    pub(crate) async fn execute_write_in_batch<W: BatchedWrite>(&self, write: W) -> Result<W::Output, StoreError> {
        self.group_commit.execute_write(self.audited_database(), write).await
    }

    /// Returns when the event is durable.
    pub(crate) async fn append_audit_event_in_batch(&self, event: AuditEvent) -> Result<(), StoreError> {
        self.group_commit.append_event(self.audited_database(), event).await
    }

    fn audited_database(&self) -> AuditedDatabase {
        AuditedDatabase {
            database: self.database.clone(),
            keys: self.keys.clone(),
            clock: self.clock.clone(),
            checkpoint_tracker: self.checkpoint_tracker.clone(),
        }
    }
}
