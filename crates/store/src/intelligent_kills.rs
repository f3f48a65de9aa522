//! Types for intelligent kills.

use std::fmt;
use std::str::FromStr;

use clew_model::{AuditOrigin, InstanceId, NodeId, ProjectId, TaskStatus};

/// Id of an intelligent kill: the Unix timestamp of the request in milliseconds.
/// If the timestamp is not greater than the highest stored id, the new id is the highest stored id plus one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IntelligentKillId(pub(crate) i64);

impl IntelligentKillId {
    /// Returns the request time as a Unix timestamp in milliseconds.
    #[must_use]
    pub fn requested_at_millis(self) -> i64 {
        self.0
    }
}

impl fmt::Display for IntelligentKillId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:013}", self.0)
    }
}

/// Error from parsing an [`IntelligentKillId`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the id of an intelligent kill has 13 digits")]
pub struct ParseIntelligentKillIdError;

impl FromStr for IntelligentKillId {
    type Err = ParseIntelligentKillIdError;

    fn from_str(text: &str) -> Result<Self, ParseIntelligentKillIdError> {
        let digits = text.len() == 13 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| digits).map(Self).ok_or(ParseIntelligentKillIdError)
    }
}

/// Request for an intelligent kill.
#[derive(Debug, Clone)]
pub struct NewIntelligentKill {
    /// User that requested the intelligent kill.
    pub by: AuditOrigin,
    /// Project that contains the instance.
    pub project_id: ProjectId,
    /// Instance that contains the node.
    pub instance_id: InstanceId,
    /// Node on which sessions are killed.
    pub node_id: NodeId,
}

/// Stored intelligent kill.
#[derive(Debug, Clone)]
pub struct IntelligentKill {
    /// Unique id.
    pub id: IntelligentKillId,
    /// The request.
    pub request: NewIntelligentKill,
    /// Current state.
    pub status: TaskStatus,
    /// Reason for the failure, or `None` if the intelligent kill has not failed.
    /// Clew may have killed some sessions before the failure.
    pub reason: Option<String>,
    /// End time, as a Unix timestamp in milliseconds, or `None` if the intelligent kill has not finished.
    pub ended_at: Option<i64>,
}

/// Filter for completed intelligent kills of a node. Times are Unix timestamps in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntelligentKillFilter {
    /// Instance that contains the node.
    pub instance_id: InstanceId,
    /// Node on which sessions were killed.
    pub node_id: NodeId,
    /// Start of the range of request times (inclusive).
    pub from: i64,
    /// End of the range of request times (exclusive).
    pub to: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_13_digits() {
        let id: IntelligentKillId = "1775616550000".parse().unwrap();
        assert_eq!((id.requested_at_millis(), id.to_string().as_str()), (1_775_616_550_000, "1775616550000"));
        for wrong in ["", "1", "+775616550000", "17756165500000", "177561655000x", "１７７５６"] {
            assert!(wrong.parse::<IntelligentKillId>().is_err(), "{wrong}");
        }
    }
}
