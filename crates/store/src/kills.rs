//! Types for recorded kills.

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

    /// Name in the database.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Intelligent => "intelligent",
            Self::Task => "task",
        }
    }

    /// Parses the name used in the database.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.name() == name)
    }
}

/// Outcome of a kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecordedKillOutcome {
    /// The session or its statement was terminated.
    Killed,
    /// The server accepted the kill and is rolling back the session's transaction.
    RollingBack,
    /// The server accepted the kill, but the session has not terminated yet.
    Ending,
    /// The session terminated before Clew sent the kill to the server.
    AlreadyGone,
    /// Clew protects the session from kills.
    Refused,
    /// The kill failed because the server was unreachable or rejected the request.
    Failed,
    /// Clew terminated before it recorded the outcome.
    Unknown,
}

impl RecordedKillOutcome {
    /// All variants.
    pub const ALL: [Self; 7] =
        [Self::Killed, Self::RollingBack, Self::Ending, Self::AlreadyGone, Self::Refused, Self::Failed, Self::Unknown];

    /// Name in the database.
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

    /// Parses the name used in the database.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|end| end.name() == name)
    }

    /// Returns true if the session or statement has terminated or is terminating.
    #[must_use]
    pub fn is_success(self) -> bool {
        matches!(self, Self::Killed | Self::RollingBack | Self::Ending | Self::AlreadyGone)
    }
}

/// Record that Clew stores before it kills a session. Invalid UTF-8 in text fields is escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKillRecord {
    /// Project that contains the instance.
    pub project_id: ProjectId,
    /// Instance that contains the node.
    pub instance_id: InstanceId,
    /// Node of the session.
    pub node_id: NodeId,
    /// Source of the kill.
    pub source: KillSource,
    /// Id of the intelligent kill or kill task that performed the kill, if any.
    pub task_id: Option<String>,
    /// `connection` if the session is killed, or `query` if only its current statement is killed.
    pub kind: &'static str,
    /// Reason that the user gave for the kill, or an empty string.
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
    /// Template of the statement. Clew does not store the statement itself.
    pub template: Option<String>,
}

/// Recorded kill. Times are Unix timestamps in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KillRecord {
    /// Unique id. Newer kills have higher ids.
    pub id: i64,
    /// Project that contains the instance.
    pub project_id: ProjectId,
    /// Instance that contains the node.
    pub instance_id: InstanceId,
    /// Node of the session.
    pub node_id: NodeId,
    /// Source of the kill.
    pub source: KillSource,
    /// Id of the intelligent kill or kill task that performed the kill, if any.
    pub task_id: Option<String>,
    /// `connection` if the session was killed, or `query` if only its current statement was killed.
    pub kind: String,
    /// Reason that the user gave for the kill, or an empty string.
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
    /// Time when Clew recorded the kill, immediately before it sent the kill to the server.
    pub requested_at: i64,
    /// Outcome of the kill, or `None` if no outcome has been recorded.
    pub outcome: Option<RecordedKillOutcome>,
    /// Details of the outcome.
    pub detail: Option<String>,
    /// Time when the outcome was recorded.
    pub ended_at: Option<i64>,
}

/// Filter for recorded kills. Fields that are `None` match all kills.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KillFilter {
    /// Instance of the kill.
    pub instance_id: InstanceId,
    /// Node of the kill.
    pub node_id: Option<NodeId>,
    /// Source of the kill.
    pub source: Option<KillSource>,
    /// Id of the intelligent kill or kill task that performed the kill, if any.
    pub task_id: Option<String>,
    /// Start of the range of request times (inclusive), as a Unix timestamp in milliseconds.
    pub from: Option<i64>,
    /// End of the range of request times (exclusive), as a Unix timestamp in milliseconds.
    pub to: Option<i64>,
}

impl KillFilter {
    /// Creates a filter that matches all kills on an instance.
    #[must_use]
    pub fn for_instance(instance_id: InstanceId) -> Self {
        Self { instance_id, node_id: None, source: None, task_id: None, from: None, to: None }
    }
}
