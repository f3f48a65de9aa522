//! Intelligent kills: asked for, taken up once, ended.

use std::fmt;
use std::str::FromStr;

use clew_model::{InstanceId, NodeId, Origin, ProjectId, TaskStatus};

/// Names an intelligent kill: the moment when it was asked for, in milliseconds since 1970 (UTC), or the first one after that which is
/// free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IntelligentKillId(pub(crate) i64);

impl IntelligentKillId {
    /// That moment.
    #[must_use]
    pub fn milliseconds(self) -> i64 {
        self.0
    }
}

impl fmt::Display for IntelligentKillId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:013}", self.0)
    }
}

/// A text that names no intelligent kill.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an intelligent kill is named by 13 digits")]
pub struct NotAnIntelligentKillId;

impl FromStr for IntelligentKillId {
    type Err = NotAnIntelligentKillId;

    fn from_str(text: &str) -> Result<Self, NotAnIntelligentKillId> {
        let digits = text.len() == 13 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| digits).map(Self).ok_or(NotAnIntelligentKillId)
    }
}

/// An intelligent kill that is asked for.
#[derive(Debug, Clone)]
pub struct NewIntelligentKill {
    /// Who asks, and from where.
    pub by: Origin,
    /// The project of …
    pub project_id: ProjectId,
    /// … the instance of …
    pub instance_id: InstanceId,
    /// … the node whose sessions are killed.
    pub node_id: NodeId,
}

/// An intelligent kill as it stands.
#[derive(Debug, Clone)]
pub struct IntelligentKill {
    /// Its name.
    pub id: IntelligentKillId,
    /// What was asked for.
    pub asked: NewIntelligentKill,
    /// Where it is.
    pub status: TaskStatus,
    /// Why it ended without having done its work, if it did. Some sessions may have been killed all the same.
    pub reason: Option<String>,
    /// When it ended, in milliseconds since 1970 (UTC), if it did.
    pub ended_at: Option<i64>,
}

/// Which intelligent kills are meant: those of a node that have ended, and were asked for from one moment on and before another, in
/// milliseconds since 1970 (UTC).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntelligentKillFilter {
    /// The instance of …
    pub instance_id: InstanceId,
    /// … the node.
    pub node_id: NodeId,
    /// From this moment on.
    pub from: i64,
    /// Before this moment.
    pub to: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_13_digits() {
        let id: IntelligentKillId = "1775616550000".parse().unwrap();
        assert_eq!((id.milliseconds(), id.to_string().as_str()), (1_775_616_550_000, "1775616550000"));
        for wrong in ["", "1", "+775616550000", "17756165500000", "177561655000x", "１７７５６"] {
            assert!(wrong.parse::<IntelligentKillId>().is_err(), "{wrong}");
        }
    }
}
