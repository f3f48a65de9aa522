//! What the audit gives back: rows, and whether they are all there and as they were written.

use std::fmt;

use clew_model::{AuditEvent, DomainId, InstanceId, NodeId, Outcome, ProjectId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A row of the audit.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditRecord {
    /// Its position, counted from 1 without gaps.
    pub seq: i64,
    /// When it was written, in milliseconds since 1970 (UTC).
    pub at: i64,
    /// What happened.
    pub event: AuditEvent,
    /// Its link of the chain, in hexadecimal. Kept elsewhere, it tells later whether the whole file was put back to an earlier state:
    /// nothing inside the file can.
    pub link: String,
}

/// The newest row of the audit at one moment. Stored outside of Clew, it proves later that rows up to it were removed
/// ([`crate::Store::verify_audit`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditCheckpoint {
    /// Position of the row; 0 where there was none.
    pub seq: i64,
    /// Its link of the chain, in hexadecimal.
    pub link: String,
    /// When it was the newest row, in milliseconds since 1970 (UTC).
    pub at: i64,
}

/// Which rows of the audit are meant. What is `None` does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// About this domain, or done by one of its users.
    pub domain: Option<DomainId>,
    /// Not before this moment, in milliseconds since 1970 (UTC).
    pub from: Option<i64>,
    /// Before this moment, in milliseconds since 1970 (UTC).
    pub to: Option<i64>,
    /// Name or id of who did it.
    pub actor: Option<String>,
    /// Name of the operation.
    pub operation: Option<String>,
    /// About this project.
    pub project: Option<ProjectId>,
    /// About this instance.
    pub instance: Option<InstanceId>,
    /// About this node.
    pub node: Option<NodeId>,
    /// Ended so.
    pub outcome: Option<Outcome>,
    /// By this request.
    pub request_id: Option<String>,
}

/// What a look at the whole audit found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditVerification {
    /// How many rows there are.
    pub rows: u64,
    /// Position of the first, if there is one.
    pub first: Option<i64>,
    /// Position of the last, if there is one.
    pub last: Option<i64>,
    /// The chain's newest link: [`AuditRecord::link`] of the last row.
    pub newest: String,
    /// What is wrong, in the order of the rows, up to [`AuditVerification::MOST_PROBLEMS`].
    pub problems: Vec<AuditProblem>,
    /// How many more problems there are.
    pub more_problems: u64,
}

impl AuditVerification {
    /// So many problems are named one by one.
    pub const MOST_PROBLEMS: usize = 1000;

    /// Whether every row is there and as it was written.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }
}

/// Something that is wrong with the audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditProblem {
    /// The row that it is at. Of rows that are missing, the first.
    pub position: i64,
    /// What it is.
    pub what: AuditFault,
}

/// What can be wrong at a position of the audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditFault {
    /// The row is not as it was written, or Clew did not write it.
    Changed,
    /// Rows are missing from the position up to this one.
    Missing {
        /// The last that is missing.
        through: i64,
    },
    /// All rows before this one are missing from the position on; retention did not remove them.
    MissingBefore {
        /// The first that is there.
        first: i64,
    },
    /// All rows after this one are missing, up to the position.
    MissingAfter {
        /// The last that is there; nothing if there is none.
        last: Option<i64>,
    },
    /// The row is whole, but not the one that came after its neighbour: parts of two copies were put together.
    OutOfOrder,
    /// When the row was written, the record of the newest one had been changed: rows before it may be missing.
    AfterChangedHead,
    /// The record of the newest row was changed: rows after the last may be missing.
    HeadChanged,
    /// The record of the oldest row was changed: rows before the first may be missing.
    CheckpointChanged,
    /// The row was the newest one at this moment, in milliseconds since 1970 (UTC), and is missing: rows up to it were removed.
    SeenMissing {
        /// The moment.
        at: i64,
    },
    /// The row was the newest one at this moment, and another row is at its position: rows up to it were removed, and others were added.
    SeenReplaced {
        /// The moment.
        at: i64,
    },
}

fn moment(milliseconds: i64) -> String {
    Timestamp::from_millisecond(milliseconds)
        .map_or_else(|_| "an unknown moment".to_owned(), |moment| moment.to_string())
}

impl fmt::Display for AuditProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.position;
        match self.what {
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
            AuditFault::SeenMissing { at: seen } => {
                write!(
                    f,
                    "row {at} is missing, which was the newest one at {}: the end of the audit was removed",
                    moment(seen)
                )
            }
            AuditFault::SeenReplaced { at: seen } => {
                write!(
                    f,
                    "row {at} is not the row that was the newest one at {}: the end of the audit was removed",
                    moment(seen)
                )
            }
        }
    }
}
