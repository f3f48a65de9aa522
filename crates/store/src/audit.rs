//! Audit records, filters and verification results.

use std::fmt;

use clew_model::{AuditEvent, DomainId, InstanceId, NodeId, Outcome, ProjectId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A row of the audit.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditRecord {
    /// Sequence number, from 1 without gaps.
    pub seq: i64,
    /// Time of the write, in milliseconds since 1970 (UTC).
    pub at: i64,
    /// The recorded event.
    pub event: AuditEvent,
    /// MAC of the row in hexadecimal, which links it to the rows before it.
    /// A copy outside of the database detects a rollback of the whole database, which the audit itself cannot.
    pub link: String,
}

/// The newest row of the audit at a point in time.
/// A copy outside of Clew proves a later removal of rows up to it ([`crate::Store::verify_audit`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditCheckpoint {
    /// Sequence number of the row. 0 for an empty audit.
    pub seq: i64,
    /// MAC of the row, in hexadecimal.
    pub link: String,
    /// Time at which it was the newest row, in milliseconds since 1970 (UTC).
    pub at: i64,
}

/// Filter of audit rows. `None` matches all rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Domain of the event or of its actor.
    pub domain: Option<DomainId>,
    /// Earliest time, inclusive, in milliseconds since 1970 (UTC).
    pub from: Option<i64>,
    /// Latest time, exclusive, in milliseconds since 1970 (UTC).
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
    pub outcome: Option<Outcome>,
    /// Id of the request.
    pub request_id: Option<String>,
}

/// Result of a verification of the audit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditVerification {
    /// Number of rows.
    pub rows: u64,
    /// Sequence number of the first row, if any.
    pub first: Option<i64>,
    /// Sequence number of the last row, if any.
    pub last: Option<i64>,
    /// MAC of the newest row ([`AuditRecord::link`]).
    pub newest: String,
    /// Detected problems in the order of the rows, up to [`AuditVerification::MAX_PROBLEMS`].
    pub problems: Vec<AuditProblem>,
    /// Number of problems above the maximum.
    pub more_problems: u64,
}

impl AuditVerification {
    /// Maximum number of reported problems.
    pub const MAX_PROBLEMS: usize = 1000;

    /// Whether all rows are present and unchanged.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }
}

/// An integrity problem of the audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditProblem {
    /// Sequence number of the affected row. For missing rows, the first one.
    pub position: i64,
    /// Type of the problem.
    pub fault: AuditFault,
}

/// Types of integrity problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditFault {
    /// The row was changed, or it was not written by Clew.
    Changed,
    /// Rows are missing from the position up to `through`.
    Missing {
        /// Last missing row.
        through: i64,
    },
    /// All rows from the position to `first` are missing, and retention did not remove them.
    MissingBefore {
        /// First existing row.
        first: i64,
    },
    /// All rows after `last` up to the position are missing.
    MissingAfter {
        /// Last existing row. `None` if the audit is empty.
        last: Option<i64>,
    },
    /// The row is authentic but does not follow the row before it: parts of two copies were combined.
    OutOfOrder,
    /// The head was changed before this row was written: earlier rows may be missing.
    AfterChangedHead,
    /// The head was changed: later rows may be missing.
    HeadChanged,
    /// The checkpoint was changed: earlier rows may be missing.
    CheckpointChanged,
    /// A row that was once the newest one is missing: rows up to it were removed.
    RecordedRowMissing {
        /// Time at which it was the newest row, in milliseconds since 1970 (UTC).
        at: i64,
    },
    /// A row that was once the newest one was replaced: rows up to it were removed and others were added.
    RecordedRowReplaced {
        /// Time at which it was the newest row, in milliseconds since 1970 (UTC).
        at: i64,
    },
}

fn format_timestamp(milliseconds: i64) -> String {
    Timestamp::from_millisecond(milliseconds).map_or_else(|_| "an unknown moment".to_owned(), |time| time.to_string())
}

impl fmt::Display for AuditProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.position;
        match self.fault {
            AuditFault::Changed => write!(f, "row {at} was changed"),
            AuditFault::Missing { through } if through == at => write!(f, "row {at} is missing"),
            AuditFault::Missing { through } => write!(f, "rows {at} to {through} are missing"),
            AuditFault::MissingBefore { first } => write!(f, "rows before {first} are missing, from {at} on"),
            AuditFault::MissingAfter { last: Some(last) } => write!(f, "rows after {last} are missing, up to {at}"),
            AuditFault::MissingAfter { last: None } => write!(f, "all rows are missing, up to {at}"),
            AuditFault::OutOfOrder => write!(f, "row {at} does not follow the row before it: one of them was replaced"),
            AuditFault::AfterChangedHead => {
                write!(f, "before row {at} was written, the head had been changed: rows before it may be missing")
            }
            AuditFault::HeadChanged => write!(f, "the head was changed: rows after {at} may be missing"),
            AuditFault::CheckpointChanged => write!(f, "the checkpoint was changed: rows before {at} may be missing"),
            AuditFault::RecordedRowMissing { at: seen } => {
                write!(
                    f,
                    "row {at} is missing, which was the newest one at {}: the end of the audit was removed",
                    format_timestamp(seen)
                )
            }
            AuditFault::RecordedRowReplaced { at: seen } => {
                write!(
                    f,
                    "row {at} is not the row that was the newest one at {}: the end of the audit was removed",
                    format_timestamp(seen)
                )
            }
        }
    }
}
