//! Kills: who was to be killed, on whose word, and what became of it.

use clew_model::{InstanceId, NodeId, ProjectId};

/// What a kill came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KillSource {
    /// Somebody named the session.
    Manual,
    /// An intelligent kill.
    Intelligent,
    /// A kill task.
    Task,
}

impl KillSource {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Manual, Self::Intelligent, Self::Task];

    /// As it is stored.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Intelligent => "intelligent",
            Self::Task => "task",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.name() == name)
    }
}

/// What became of a kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KillEnd {
    /// The session is gone, or its statement has ended.
    Killed,
    /// The server took the kill and rolls back.
    RollingBack,
    /// The server took the kill; it had no effect yet.
    Ending,
    /// It had ended before.
    AlreadyGone,
    /// Nothing was killed: the session must live.
    Refused,
    /// Nothing was killed: the server could not be asked, or denied it.
    Failed,
    /// Clew ended in between: nobody knows whether the kill was sent.
    Unknown,
}

impl KillEnd {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Killed, Self::RollingBack, Self::Ending, Self::AlreadyGone, Self::Refused, Self::Failed, Self::Unknown];

    /// As it is stored.
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

    /// The one of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|end| end.name() == name)
    }

    /// Whether what was to be killed is gone, or is about to go.
    #[must_use]
    pub fn is_success(self) -> bool {
        matches!(self, Self::Killed | Self::RollingBack | Self::Ending | Self::AlreadyGone)
    }
}

/// A session that is about to be killed. Text is as it is shown: what was not UTF-8 is escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKill {
    /// The project of …
    pub project_id: ProjectId,
    /// … the instance of …
    pub instance_id: InstanceId,
    /// … the node that has the session.
    pub node_id: NodeId,
    /// What the kill comes from.
    pub source: KillSource,
    /// The intelligent kill, or the kill task.
    pub task_id: Option<String>,
    /// What is to end: `connection` or `query`.
    pub kind: &'static str,
    /// Why, in the words of who asked; may be empty.
    pub reason: String,
    /// Thread id.
    pub session_id: u64,
    /// Account.
    pub user: String,
    /// Client address.
    pub host: String,
    /// Default database.
    pub database: Option<String>,
    /// Kind of command.
    pub command: String,
    /// Seconds in the state that it was in.
    pub seconds: u64,
    /// What it was doing.
    pub state: Option<String>,
    /// Template of its statement. Never the statement itself.
    pub template: Option<String>,
}

/// A kill as it stands. Times are milliseconds since 1970 (UTC).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KilledSession {
    /// Its number, larger than that of every kill before.
    pub id: i64,
    /// The project of …
    pub project_id: ProjectId,
    /// … the instance of …
    pub instance_id: InstanceId,
    /// … the node that had the session.
    pub node_id: NodeId,
    /// What the kill came from.
    pub source: KillSource,
    /// The intelligent kill, or the kill task.
    pub task_id: Option<String>,
    /// What was to end: `connection` or `query`.
    pub kind: String,
    /// Why, in the words of who asked; may be empty.
    pub reason: String,
    /// Thread id.
    pub session_id: u64,
    /// Account.
    pub user: String,
    /// Client address.
    pub host: String,
    /// Default database.
    pub database: Option<String>,
    /// Kind of command.
    pub command: String,
    /// Seconds in the state that it was in.
    pub seconds: u64,
    /// What it was doing.
    pub state: Option<String>,
    /// Template of its statement.
    pub template: Option<String>,
    /// When it was decided. The kill was sent after that, if it was.
    pub asked_at: i64,
    /// What became of it; nothing as long as it is not known whether the kill was sent.
    pub outcome: Option<KillEnd>,
    /// Particulars of the outcome.
    pub detail: Option<String>,
    /// When the outcome was written down.
    pub ended_at: Option<i64>,
}

/// Which kills are meant. What is `None` does not matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KillFilter {
    /// Of this instance.
    pub instance_id: InstanceId,
    /// Of this node.
    pub node_id: Option<NodeId>,
    /// From this source.
    pub source: Option<KillSource>,
    /// Of this intelligent kill, or this kill task.
    pub task_id: Option<String>,
    /// Not before this moment, in milliseconds since 1970 (UTC).
    pub from: Option<i64>,
    /// Before this moment, in milliseconds since 1970 (UTC).
    pub to: Option<i64>,
}

impl KillFilter {
    /// All kills of an instance.
    #[must_use]
    pub fn of_instance(instance_id: InstanceId) -> Self {
        Self { instance_id, node_id: None, source: None, task_id: None, from: None, to: None }
    }
}
