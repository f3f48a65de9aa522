//! Append-only audit log. The MAC of each row covers the MAC of the previous row.
//!
//! A change and its audit row are committed in the same transaction.

mod chain;
mod chain_records;
mod checkpoint_tracker;
mod checkpoints;
mod mac_keys;
mod retention;
mod row;
mod verification;

use clew_model::{AuditEvent, AuditOutcome};

pub(crate) use chain::append_audit_rows;
pub(crate) use chain::initialise_audit_chain;
pub(crate) use checkpoint_tracker::CheckpointTracker;
pub(crate) use mac_keys::{AuditMacKeys, rotate_chain_mac_key};

use crate::audit::{AuditFilter, AuditRecord};
use crate::database::query;
use crate::error::StoreError;
use crate::handles::AuditStore;

macro_rules! select_matching_rows_sql {
    ($side:literal, $order:literal) => {
        concat!(
            "SELECT * FROM audit WHERE seq ",
            $side,
            " $1 AND ($2 IS NULL OR domain_id = $2 OR actor_domain_id = $2) AND ($3 IS NULL OR at >= $3) \
             AND ($4 IS NULL OR at < $4) AND ($5 IS NULL OR actor_name = $5 OR actor_id = $5) AND ($6 IS NULL OR operation = $6) \
             AND ($7 IS NULL OR project_id = $7) AND ($8 IS NULL OR instance_id = $8) AND ($9 IS NULL OR node_id = $9) \
             AND ($10 IS NULL OR outcome = $10) AND ($11 IS NULL OR request_id = $11) ORDER BY ",
            $order,
            " LIMIT $12"
        )
    };
}

const SELECT_AUDIT_ROWS_AFTER_SEQ: &str = select_matching_rows_sql!(">", "seq");
const SELECT_AUDIT_ROWS_BEFORE_SEQ: &str = select_matching_rows_sql!("<", "seq DESC");

impl AuditStore<'_> {
    /// Appends an event to the audit log. When this function returns, the event is durable.
    pub async fn append_audit_event(self, event: &AuditEvent) -> Result<(), StoreError> {
        self.store.append_audit_event_in_batch(event.clone()).await
    }

    /// Returns up to `limit` matching audit rows after a sequence number, oldest first.
    pub async fn list_audit_rows_after_seq(
        self,
        filter: &AuditFilter,
        after_seq: i64,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, StoreError> {
        self.select_audit_rows(SELECT_AUDIT_ROWS_AFTER_SEQ, filter, after_seq, limit).await
    }

    /// Returns up to `limit` matching audit rows before a sequence number, newest first.
    pub async fn list_audit_rows_before_seq(
        self,
        filter: &AuditFilter,
        before_seq: i64,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, StoreError> {
        self.select_audit_rows(SELECT_AUDIT_ROWS_BEFORE_SEQ, filter, before_seq, limit).await
    }

    async fn select_audit_rows(
        self,
        statement: &'static str,
        filter: &AuditFilter,
        seq: i64,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, StoreError> {
        let rows = query(statement)
            .bind(seq)
            .bind(filter.domain.as_ref().map(clew_model::DomainId::as_str))
            .bind(filter.from)
            .bind(filter.to)
            .bind(&filter.actor)
            .bind(&filter.operation)
            .bind(filter.project.as_ref().map(clew_model::ProjectId::as_str))
            .bind(filter.instance.as_ref().map(clew_model::InstanceId::as_str))
            .bind(filter.node.as_ref().map(clew_model::NodeId::as_str))
            .bind(filter.outcome.map(AuditOutcome::name))
            .bind(&filter.request_id)
            .bind(limit)
            .fetch_all(&self.store.database)
            .await
            .map_err(StoreError::database_error("read the audit log"))?;
        rows.iter().map(row::audit_record_from_row).collect()
    }
}
