//! Types for kill records: source, outcome and filter.

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

    /// Parses a stored name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.name() == name)
    }
}

/// Outcome of a kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecordedKillOutcome {
    /// The session or its statement has ended.
    Killed,
    /// The server accepted the kill and is rolling back the killed session's transaction.
    RollingBack,
    /// The server accepted the kill, but the session has not terminated yet.
    Ending,
    /// The session terminated before the kill was sent.
    AlreadyGone,
    /// Clew rejected the kill because the session is protected from kills.
    Refused,
    /// The kill failed because the server was unreachable or rejected the request.
    Failed,
    /// The outcome is unknown because Clew terminated before it recorded the outcome.
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

    /// Parses a stored name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|end| end.name() == name)
    }

    /// Returns true if the target session or statement has terminated or is terminating.
    #[must_use]
    pub fn is_success(self) -> bool {
        matches!(self, Self::Killed | Self::RollingBack | Self::Ending | Self::AlreadyGone)
    }
}

/// Kill record that is stored before the kill is sent to the server. Invalid UTF-8 in text fields is escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKill {
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
    /// Kill target: `connection` for the session, or `query` for its current statement.
    pub kind: &'static str,
    /// Reason for the kill as entered by the user, or an empty string.
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
    /// Statement template. Clew never stores the statement itself.
    pub template: Option<String>,
}

/// Stored kill. Times are Unix timestamps in milliseconds.
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
    /// Kill target: `connection` for the session, or `query` for its current statement.
    pub kind: String,
    /// Reason for the kill as entered by the user, or an empty string.
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
    /// Time when Clew recorded the kill, shortly before sending it to the server.
    pub requested_at: i64,
    /// Outcome of the kill, or `None` if no outcome is recorded yet.
    pub outcome: Option<RecordedKillOutcome>,
    /// Details of the outcome.
    pub detail: Option<String>,
    /// Time when the outcome was recorded.
    pub ended_at: Option<i64>,
}

/// Filter for kill records. An optional field set to `None` matches all records.
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
    /// Earliest request time (inclusive), as a Unix timestamp in milliseconds.
    pub from: Option<i64>,
    /// End of the request time range (exclusive), as a Unix timestamp in milliseconds.
    pub to: Option<i64>,
}

impl KillFilter {
    /// Creates a filter that matches all kill records of an instance.
    #[must_use]
    pub fn for_instance(instance_id: InstanceId) -> Self {
        Self { instance_id, node_id: None, source: None, task_id: None, from: None, to: None }
    }
}
