//! Commits changes together with their audit events in one transaction.

use std::sync::Arc;

use clew_model::{AuditEvent, AuditOrigin, DomainId};
use serde_json::Value;
use sqlx::SqlSafeStr;

use crate::audit::{AuditCheckpoint, CheckpointTracker, append_audit_rows};
use crate::clock::Clock;
use crate::database::{Database, FromOwnedRow, Parameter, Transaction, query, query_as};
use crate::derived_keys::DerivedKeys;
use crate::error::StoreError;

#[derive(Clone)]
pub(crate) struct AuditedDatabase {
    pub(crate) database: Database,
    pub(crate) keys: Arc<DerivedKeys>,
    pub(crate) clock: Clock,
    pub(crate) checkpoint_tracker: CheckpointTracker,
}

impl AuditedDatabase {
    pub(crate) async fn begin(&self, action: &'static str) -> Result<AuditedTransaction, StoreError> {
        let transaction = self.database.begin_write_transaction(action).await?;
        Ok(AuditedTransaction { database: self.clone(), transaction, action, newest: None })
    }
}

/// Dropping an uncommitted transaction rolls it back.
pub(crate) struct AuditedTransaction {
    database: AuditedDatabase,
    transaction: Transaction,
    action: &'static str,
    newest: Option<AuditCheckpoint>,
}

impl AuditedTransaction {
    pub(crate) fn transaction(&mut self) -> &mut Transaction {
        &mut self.transaction
    }

    pub(crate) fn unix_seconds(&self) -> i64 {
        self.database.clock.unix_seconds()
    }

    pub(crate) async fn execute<'q>(
        &mut self,
        sql: impl SqlSafeStr,
        parameters: impl IntoIterator<Item = Parameter<'q>>,
    ) -> Result<u64, StoreError> {
        query(self.action, sql, parameters).execute(&mut self.transaction).await
    }

    pub(crate) async fn fetch_one<'q, T: FromOwnedRow>(
        &mut self,
        sql: impl SqlSafeStr,
        parameters: impl IntoIterator<Item = Parameter<'q>>,
    ) -> Result<T, StoreError> {
        query_as(self.action, sql, parameters).fetch_one(&mut self.transaction).await
    }

    pub(crate) async fn fetch_optional<'q, T: FromOwnedRow>(
        &mut self,
        sql: impl SqlSafeStr,
        parameters: impl IntoIterator<Item = Parameter<'q>>,
    ) -> Result<Option<T>, StoreError> {
        query_as(self.action, sql, parameters).fetch_optional(&mut self.transaction).await
    }

    pub(crate) async fn fetch_all<'q, T: FromOwnedRow>(
        &mut self,
        sql: impl SqlSafeStr,
        parameters: impl IntoIterator<Item = Parameter<'q>>,
    ) -> Result<Vec<T>, StoreError> {
        query_as(self.action, sql, parameters).fetch_all(&mut self.transaction).await
    }

    pub(crate) async fn commit_with_event(self, event: &AuditEvent) -> Result<(), StoreError> {
        self.commit_with_events(std::slice::from_ref(event)).await
    }

    pub(crate) async fn commit_domain_change(
        self,
        by: &AuditOrigin,
        operation: &str,
        target: impl Into<String>,
        domain: DomainId,
        detail: Value,
    ) -> Result<(), StoreError> {
        let event = AuditEvent::for_successful_operation(by, operation, target);
        self.commit_with_event(&AuditEvent { domain_id: Some(domain), detail, ..event }).await
    }

    pub(crate) async fn commit_with_events(mut self, events: &[AuditEvent]) -> Result<(), StoreError> {
        let at = self.database.clock.unix_millis();
        let events: Vec<_> = events.iter().map(|event| (at, event)).collect();
        let keys = Arc::clone(&self.database.keys);
        self.append_events(&keys, &events).await?;
        self.commit().await
    }

    /// Each event is paired with a Unix timestamp in milliseconds.
    pub(crate) async fn append_events(
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

    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        self.transaction.commit(self.action).await?;
        if let Some(newest) = self.newest {
            self.database.checkpoint_tracker.record_newest_row(newest);
        }
        Ok(())
    }
}
