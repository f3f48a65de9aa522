//! Append-only audit log. The MAC of each row covers the MAC of the previous row.
//!
//! A change and its audit row are committed in the same transaction.

/// Queries list the columns, because a prepared `SELECT *` fails on PostgreSQL after an upgrade adds a column.
macro_rules! audit_columns {
    () => {
        "seq, at, actor_kind, actor_id, actor_name, actor_domain_id, peer, request_id, operation, domain_id, project_id, \
         instance_id, node_id, target, outcome, code, detail, previous, mac"
    };
}

pub(crate) mod chain;
pub(crate) mod chain_records;
pub(crate) mod checkpoint_tracker;
pub(crate) mod checkpoints;
pub(crate) mod mac_keys;
pub(crate) mod repeated_refusals;
pub(crate) mod retention;
pub(crate) mod row;
pub(crate) mod verification;

use std::fmt;

use clew_model::{AuditEvent, AuditOutcome, DomainId, InstanceId, NodeId, ProjectId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub(crate) use crate::audit::chain::{append_audit_rows, initialize_audit_chain};
pub(crate) use crate::audit::checkpoint_tracker::CheckpointTracker;
pub(crate) use crate::audit::mac_keys::{AuditMacKeys, rotate_audit_mac_key};
use crate::database::{params, query_as};
use crate::error::StoreError;
use crate::store_handles::AuditStore;

/// Row of the audit log.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditRecord {
    /// Sequence number of the audit row. Sequence numbers start at 1 and have no gaps.
    pub seq: i64,
    /// Time of the audit row, as a Unix timestamp in milliseconds.
    pub at: i64,
    /// The recorded event.
    pub event: AuditEvent,
    /// Hex-encoded MAC of the row. The MAC input includes the previous row's MAC.
    pub link: String,
}

/// Sequence number and MAC of the newest audit row at the time of the checkpoint.
/// [`crate::AuditStore::verify_audit_log`] detects whether audit rows were removed after the checkpoint was created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditCheckpoint {
    /// Sequence number of the newest audit row at the time of the checkpoint, or 0 if the audit log was empty.
    pub seq: i64,
    /// Hex-encoded MAC of the audit row.
    pub link: String,
    /// Creation time of the checkpoint, as a Unix timestamp in milliseconds.
    pub at: i64,
}

/// Filter for audit rows. Fields that are `None` match all rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Domain of the event or of its actor.
    pub domain: Option<DomainId>,
    /// Start of the time range (inclusive), as a Unix timestamp in milliseconds.
    pub from: Option<i64>,
    /// End of the time range (exclusive), as a Unix timestamp in milliseconds.
    pub to: Option<i64>,
    /// Name or id of the actor.
    pub actor: Option<String>,
    /// Name of the operation.
    pub operation: Option<String>,
    /// Project of the event.
    pub project: Option<ProjectId>,
    /// Instance of the event.
    pub instance: Option<InstanceId>,
    /// Node of the event.
    pub node: Option<NodeId>,
    /// Outcome of the operation.
    pub outcome: Option<AuditOutcome>,
    /// Id of the request.
    pub request_id: Option<String>,
}

/// Result of verifying the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditVerification {
    /// Number of verified rows.
    pub rows: u64,
    /// Sequence number of the first audit row, or `None` if the audit log is empty.
    pub first: Option<i64>,
    /// Sequence number of the last audit row, or `None` if the audit log is empty.
    pub last: Option<i64>,
    /// Hex-encoded MAC of the newest audit row; empty if the head record was tampered with.
    pub newest: String,
    /// Detected integrity problems, at most [`AuditVerification::MAX_LISTED_INTEGRITY_PROBLEMS`].
    pub problems: Vec<AuditIntegrityProblem>,
    /// Number of integrity problems beyond those in `problems`.
    pub more_problems: u64,
}

impl AuditVerification {
    /// Maximum number of reported problems.
    pub const MAX_LISTED_INTEGRITY_PROBLEMS: usize = 1000;

    /// Returns true if the verification found no problems in the audit log.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.problems.is_empty()
    }
}

/// Integrity problem in the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditIntegrityProblem {
    /// Sequence number of the affected audit row. If rows are missing, the number of the first or last missing row.
    pub position: i64,
    /// Type of the problem.
    pub fault: AuditIntegrityProblemKind,
}

/// Type of an integrity problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditIntegrityProblemKind {
    /// The audit row was modified or inserted outside Clew.
    Changed,
    /// Audit rows with the sequence numbers `position` to `through` are missing from the middle of the audit log.
    Missing {
        /// Sequence number of the last missing audit row.
        through: i64,
    },
    /// The oldest audit rows are missing: from the row at `position` up to, but not including, the row at `first`.
    /// The missing audit rows were not removed by a retention job.
    MissingBefore {
        /// Sequence number of the oldest remaining audit row.
        first: i64,
    },
    /// All audit rows after `last` are missing. `position` is the sequence number of the newest missing row.
    MissingAfter {
        /// Sequence number of the newest row that the audit log contains, or `None` if the audit log is empty.
        last: Option<i64>,
    },
    /// The row's MAC is valid, but the row does not follow the previous row. The row may come from another database.
    OutOfOrder,
    /// Clew appended the row after the head record was tampered with, so preceding rows may be missing.
    AfterChangedHead,
    /// The record that identifies the newest audit row was tampered with, so the newest rows may be missing.
    HeadChanged,
    /// The checkpoint record was tampered with, so the oldest audit rows may be missing.
    CheckpointChanged,
    /// The audit row that a checkpoint refers to is missing, because the newest audit rows were removed.
    RecordedRowMissing {
        /// Creation time of the checkpoint, as a Unix timestamp in milliseconds.
        at: i64,
    },
    /// The audit row of a checkpoint has a different MAC, because the newest audit rows were rewritten.
    RecordedRowReplaced {
        /// Creation time of the checkpoint, as a Unix timestamp in milliseconds.
        at: i64,
    },
}

fn format_timestamp(milliseconds: i64) -> String {
    Timestamp::from_millisecond(milliseconds).map_or_else(|_| "an unknown time".to_owned(), |time| time.to_string())
}

impl fmt::Display for AuditIntegrityProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use AuditIntegrityProblemKind as Kind;

        let at = self.position;
        match self.fault {
            Kind::Changed => write!(f, "row {at} was changed"),
            Kind::Missing { through } if through == at => write!(f, "row {at} is missing"),
            Kind::Missing { through } => write!(f, "rows {at} to {through} are missing"),
            Kind::MissingBefore { first } => write!(f, "rows before {first} are missing, from {at} on"),
            Kind::MissingAfter { last: Some(last) } => write!(f, "rows after {last} are missing, up to {at}"),
            Kind::MissingAfter { last: None } => write!(f, "all rows are missing, up to {at}"),
            Kind::OutOfOrder => {
                write!(f, "row {at} does not continue the chain of MACs: row {at} or the previous row was replaced")
            }
            Kind::AfterChangedHead => write!(
                f,
                "the head record was changed before row {at} was written: rows before row {at} may be missing"
            ),
            Kind::HeadChanged => write!(f, "the head record was changed: rows after {at} may be missing"),
            Kind::CheckpointChanged => write!(f, "the checkpoint record was changed: rows before {at} may be missing"),
            Kind::RecordedRowMissing { at: seen } => write!(
                f,
                "row {at} is missing, although it was the newest row at {}: the end of the audit log was removed",
                format_timestamp(seen)
            ),
            Kind::RecordedRowReplaced { at: seen } => write!(
                f,
                "row {at} differs from the newest row at {}: the end of the audit log was replaced",
                format_timestamp(seen)
            ),
        }
    }
}

macro_rules! select_matching_rows_sql {
    ($side:literal, $order:literal) => {
        concat!(
            "SELECT ",
            audit_columns!(),
            " FROM audit WHERE seq ",
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

const SELECT_AUDIT_ROWS_AFTER_SEQ_SQL: &str = select_matching_rows_sql!(">", "seq");
const SELECT_AUDIT_ROWS_BEFORE_SEQ_SQL: &str = select_matching_rows_sql!("<", "seq DESC");

impl AuditStore<'_> {
    /// Appends an event to the audit log. The function returns after the event has been committed durably.
    pub async fn append_audit_event(self, event: &AuditEvent) -> Result<(), StoreError> {
        self.store.append_audit_event_in_batch(event.clone()).await
    }

    /// Returns up to `limit` matching audit rows with sequence numbers above `after_seq`, oldest first.
    pub async fn list_audit_rows_after_seq(
        self,
        filter: &AuditFilter,
        after_seq: i64,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, StoreError> {
        self.select_audit_rows(SELECT_AUDIT_ROWS_AFTER_SEQ_SQL, filter, after_seq, limit).await
    }

    /// Returns up to `limit` matching audit rows with sequence numbers below `before_seq`, newest first.
    pub async fn list_audit_rows_before_seq(
        self,
        filter: &AuditFilter,
        before_seq: i64,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, StoreError> {
        self.select_audit_rows(SELECT_AUDIT_ROWS_BEFORE_SEQ_SQL, filter, before_seq, limit).await
    }

    async fn select_audit_rows(
        self,
        statement: &'static str,
        filter: &AuditFilter,
        seq: i64,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, StoreError> {
        let parameters = params![
            seq,
            filter.domain.as_ref(),
            filter.from,
            filter.to,
            &filter.actor,
            &filter.operation,
            filter.project.as_ref(),
            filter.instance.as_ref(),
            filter.node.as_ref(),
            filter.outcome.map(AuditOutcome::name),
            &filter.request_id,
            limit
        ];
        query_as("read the audit log", statement, parameters).fetch_all(&self.store.database).await
    }
}
