//! Commits changes together with their audit events in one transaction.

use std::sync::Arc;

use clew_model::AuditEvent;

use super::audit::{CheckpointTracker, append_audit_rows};
use crate::audit::AuditCheckpoint;
use crate::clock::Clock;
use crate::database::{Database, Transaction};
use crate::derived_keys::DerivedKeys;
use crate::error::StoreError;

/// Database handle for transactions that append audit events. Clones share the state.
#[derive(Clone)]
pub(super) struct AuditedDatabase {
    pub(super) database: Database,
    pub(super) keys: Arc<DerivedKeys>,
    pub(super) clock: Clock,
    pub(super) checkpoint_tracker: CheckpointTracker,
}

impl AuditedDatabase {
    /// Begins a transaction that holds the write lock.
    /// `action` describes the transaction in error messages.
    pub(super) async fn begin(&self, action: &'static str) -> Result<AuditedTransaction, StoreError> {
        let transaction = self.database.begin_write().await.map_err(StoreError::database_error(action))?;
        Ok(AuditedTransaction { database: self.clone(), transaction, action, newest: None })
    }
}

/// Write transaction with audit events. Dropping an uncommitted transaction rolls it back.
pub(super) struct AuditedTransaction {
    database: AuditedDatabase,
    transaction: Transaction,
    action: &'static str,
    /// Newest audit row that this transaction has appended.
    newest: Option<AuditCheckpoint>,
}

impl AuditedTransaction {
    pub(super) fn transaction(&mut self) -> &mut Transaction {
        &mut self.transaction
    }

    /// Returns a closure for `map_err` that converts a database error to a [`StoreError`].
    pub(super) fn map_to_store_error(&self) -> impl Fn(sqlx::Error) -> StoreError + use<> {
        StoreError::database_error(self.action)
    }

    /// Appends the event to the audit log and commits.
    pub(super) async fn commit_with_event(self, event: &AuditEvent) -> Result<(), StoreError> {
        self.commit_with_events(std::slice::from_ref(event)).await
    }

    /// Appends the events to the audit log in the given order and commits.
    pub(super) async fn commit_with_events(mut self, events: &[AuditEvent]) -> Result<(), StoreError> {
        let at = self.database.clock.unix_millis();
        let events: Vec<_> = events.iter().map(|event| (at, event)).collect();
        let keys = Arc::clone(&self.database.keys);
        self.append_events(&keys, &events).await?;
        self.commit().await
    }

    /// Appends events to the audit log, each with its Unix timestamp in milliseconds. Computes the MACs with `keys`.
    pub(super) async fn append_events(
        &mut self,
        keys: &DerivedKeys,
        events: &[(i64, &AuditEvent)],
    ) -> Result<(), StoreError> {
        if events.is_empty() {
            return Ok(());
        }
        let checkpoint_tracker = &self.database.checkpoint_tracker;
        self.newest = Some(append_audit_rows(&mut self.transaction, keys, checkpoint_tracker, events).await?);
        Ok(())
    }

    /// Commits, then records the newest appended audit row in the checkpoint tracker.
    pub(super) async fn commit(self) -> Result<(), StoreError> {
        self.transaction.commit().await.map_err(StoreError::database_error(self.action))?;
        if let Some(newest) = self.newest {
            self.database.checkpoint_tracker.record_newest_row(newest);
        }
        Ok(())
    }
}
