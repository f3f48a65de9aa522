//! A change and its row in the audit: both are kept, or neither.

use clew_model::AuditEvent;

use super::audit;
use crate::audit::AuditCheckpoint;
use crate::database::Connection;
use crate::derived_keys::DerivedKeys;
use crate::error::StoreError;
use crate::store::Store;

/// A transaction that ends with what it has done being written to the audit. Dropped before, it leaves nothing.
pub(super) struct Change<'a> {
    store: &'a Store,
    transaction: Connection,
    doing: &'static str,
    /// The newest row of the audit that the transaction has appended.
    newest: Option<AuditCheckpoint>,
}

impl Store {
    /// Begins a change. From here on no other writer comes between, of this process or another.
    pub(super) async fn change(&self, doing: &'static str) -> Result<Change<'_>, StoreError> {
        let begun = self.database.begin_writing().await;
        Ok(Change { store: self, transaction: begun.map_err(StoreError::database(doing))?, doing, newest: None })
    }
}

impl Change<'_> {
    pub(super) fn connection(&mut self) -> &mut Connection {
        &mut self.transaction
    }

    /// For `map_err` on the database's errors.
    pub(super) fn failed(&self) -> impl Fn(sqlx::Error) -> StoreError + use<> {
        StoreError::database(self.doing)
    }

    /// Writes the event to the audit and makes everything durable.
    pub(super) async fn done(self, event: &AuditEvent) -> Result<(), StoreError> {
        self.done_each(std::slice::from_ref(event)).await
    }

    /// The same for a change of many things: an event for each of them, in this order.
    pub(super) async fn done_each(mut self, events: &[AuditEvent]) -> Result<(), StoreError> {
        let at = self.store.clock.milliseconds();
        let events: Vec<_> = events.iter().map(|event| (at, event)).collect();
        self.append(&self.store.keys, &events).await?;
        self.commit().await
    }

    /// Appends events to the audit, each with its moment in milliseconds since 1970 (UTC), under these keys.
    pub(super) async fn append(&mut self, keys: &DerivedKeys, events: &[(i64, &AuditEvent)]) -> Result<(), StoreError> {
        if events.is_empty() {
            return Ok(());
        }
        let seen_links = &self.store.seen_links;
        self.newest = Some(audit::append(&mut self.transaction, keys, seen_links, events).await?);
        Ok(())
    }

    /// Makes everything durable, and remembers the newest row that was appended to the audit.
    pub(super) async fn commit(self) -> Result<(), StoreError> {
        self.transaction.commit().await.map_err(StoreError::database(self.doing))?;
        if let Some(newest) = self.newest {
            self.store.seen_links.record(newest);
        }
        Ok(())
    }
}
