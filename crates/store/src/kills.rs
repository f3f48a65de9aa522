//! Killed sessions with source and outcome.

use clew_model::{InstanceId, NodeId, ProjectId};

/// Source of a kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KillSource {
    /// A user selected the session.
    Manual,
    /// An intelligent kill.
    Intelligent,
    /// A kill task.
    Task,
}

impl KillSource {
    /// All variants.
    pub const ALL: [Self; 3] = [Self::Manual, Self::Intelligent, Self::Task];

    /// Stored name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Intelligent => "intelligent",
            Self::Task => "task",
        }
    }

    /// Parses a stored name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.name() == name)
    }
}

/// Outcome of a kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KillEnd {
    /// The session or its statement has ended.
    Killed,
    /// The server accepted the kill and is rolling back.
    RollingBack,
    /// The server accepted the kill, without an effect so far.
    Ending,
    /// The session had ended before.
    AlreadyGone,
    /// Nothing was killed: the session is protected.
    Refused,
    /// Nothing was killed: the server was unreachable or denied the kill.
    Failed,
    /// Clew terminated meanwhile: it is unknown whether the kill was sent.
    Unknown,
}

impl KillEnd {
    /// All variants.
    pub const ALL: [Self; 7] =
        [Self::Killed, Self::RollingBack, Self::Ending, Self::AlreadyGone, Self::Refused, Self::Failed, Self::Unknown];

    /// Stored name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Killed => "killed",
            Self::RollingBack => "rolling_back",
            Self::Ending => "ending",
            Self::AlreadyGone => "already_gone",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }

    /// Parses a stored name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|end| end.name() == name)
    }

    /// Whether the session or statement has ended or is ending.
    #[must_use]
    pub fn is_success(self) -> bool {
        matches!(self, Self::Killed | Self::RollingBack | Self::Ending | Self::AlreadyGone)
    }
}

/// A kill to record before it is sent. In texts, bytes that are not UTF-8 are escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKill {
    /// Project of the instance.
    pub project_id: ProjectId,
    /// Instance of the node.
    pub instance_id: InstanceId,
    /// Node of the session.
    pub node_id: NodeId,
    /// Source of the kill.
    pub source: KillSource,
    /// Id of the intelligent kill or the kill task.
    pub task_id: Option<String>,
    /// Target of the kill: `connection` or `query`.
    pub kind: &'static str,
    /// Reason given by the user. May be empty.
    pub reason: String,
    /// Id of the session on the server.
    pub session_id: u64,
    /// Account of the session.
    pub user: String,
    /// Address of the client.
    pub host: String,
    /// Default database.
    pub database: Option<String>,
    /// Command type.
    pub command: String,
    /// Time in the current state, in seconds.
    pub seconds: u64,
    /// State of the session.
    pub state: Option<String>,
    /// Template of the statement. The statement itself is never stored.
    pub template: Option<String>,
}

/// A stored kill. Times are milliseconds since 1970 (UTC).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KillRecord {
    /// Unique id. Ids increase.
    pub id: i64,
    /// Project of the instance.
    pub project_id: ProjectId,
    /// Instance of the node.
    pub instance_id: InstanceId,
    /// Node of the session.
    pub node_id: NodeId,
    /// Source of the kill.
    pub source: KillSource,
    /// Id of the intelligent kill or the kill task.
    pub task_id: Option<String>,
    /// Target of the kill: `connection` or `query`.
    pub kind: String,
    /// Reason given by the user. May be empty.
    pub reason: String,
    /// Id of the session on the server.
    pub session_id: u64,
    /// Account of the session.
    pub user: String,
    /// Address of the client.
    pub host: String,
    /// Default database.
    pub database: Option<String>,
    /// Command type.
    pub command: String,
    /// Time in the current state, in seconds.
    pub seconds: u64,
    /// State of the session.
    pub state: Option<String>,
    /// Template of the statement.
    pub template: Option<String>,
    /// Time of the request. The kill was sent after it, if at all.
    pub requested_at: i64,
    /// Outcome. `None` until the outcome is recorded.
    pub outcome: Option<KillEnd>,
    /// Details of the outcome.
    pub detail: Option<String>,
    /// Time at which the outcome was recorded.
    pub ended_at: Option<i64>,
}

/// Filter of kills. `None` matches all kills.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KillFilter {
    /// Instance of the kill.
    pub instance_id: InstanceId,
    /// Node of the kill.
    pub node_id: Option<NodeId>,
    /// Source of the kill.
    pub source: Option<KillSource>,
    /// Id of the intelligent kill or the kill task.
    pub task_id: Option<String>,
    /// Earliest request time, inclusive, in milliseconds since 1970 (UTC).
    pub from: Option<i64>,
    /// Latest request time, exclusive, in milliseconds since 1970 (UTC).
    pub to: Option<i64>,
}

impl KillFilter {
    /// Matches all kills of an instance.
    #[must_use]
    pub fn for_instance(instance_id: InstanceId) -> Self {
        Self { instance_id, node_id: None, source: None, task_id: None, from: None, to: None }
    }
}
