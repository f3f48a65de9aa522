//! Types for kill tasks. A kill task repeatedly kills the matching sessions on an instance.

use std::time::Duration;

use clew_model::{InstanceId, KillCriteria, ProjectId};
use serde_json::Value;

/// Kill task to add.
#[derive(Debug, Clone)]
pub struct NewKillTask {
    /// Criteria that select the sessions to kill.
    pub criteria: KillCriteria,
    /// True if the statement filter is applied to statement templates because the caller must not see statements.
    pub masked: bool,
    /// Task duration, or `None` if the task does not expire.
    pub duration: Option<Duration>,
    /// Details of the kill task for the audit event, with statement templates instead of statements.
    pub audit_detail: Value,
}

/// State of a kill task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KillTaskState {
    /// The kill task is running: a worker kills matching sessions.
    Running,
    /// The duration of the task has expired.
    Finished,
    /// A user stopped the kill task or disabled kill tasks for the instance.
    Stopped,
}

impl KillTaskState {
    /// Name in responses.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Stopped => "stopped",
        }
    }
}

/// Stored kill task. Times are Unix timestamps in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KillTask {
    /// Unique id: the creation time of the task as a Unix timestamp in milliseconds.
    /// If another task already has this id or a higher id, the id is the highest existing id plus one.
    pub id: i64,
    /// Instance on which sessions are killed.
    pub instance_id: InstanceId,
    /// Criteria that select the sessions to kill.
    pub criteria: KillCriteria,
    /// True if the statement filter is applied to statement templates instead of statements.
    pub masked: bool,
    /// Start time.
    pub started_at: i64,
    /// Expiration time, or `None` if the kill task does not expire.
    pub ends_at: Option<i64>,
    /// Time when the task was stopped.
    pub stopped_at: Option<i64>,
    /// State of the kill task when the database was queried.
    pub state: KillTaskState,
}

/// Running kill tasks of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceKillTasks {
    /// Project that contains the instance.
    pub project_id: ProjectId,
    /// Instance on which sessions are killed.
    pub instance_id: InstanceId,
    /// Running tasks, oldest first.
    pub tasks: Vec<KillTask>,
}
