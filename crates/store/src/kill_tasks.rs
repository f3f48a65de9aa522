//! Types for kill tasks. A kill task repeatedly kills the sessions on an instance that match its criteria.

use std::time::Duration;

use clew_model::{InstanceId, KillCriteria, ProjectId};
use serde_json::Value;

/// Kill task to add.
#[derive(Debug, Clone)]
pub struct NewKillTask {
    /// Criteria that select the sessions to kill.
    pub criteria: KillCriteria,
    /// True if the statement filter matches statement templates, because the user is not allowed to see statements.
    pub masked: bool,
    /// Duration of the task, or `None` if the task runs until it is stopped.
    pub duration: Option<Duration>,
    /// Criteria and duration for the audit event. A placeholder replaces the text of the statement filter.
    pub audit_detail: Value,
}

/// State of a kill task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KillTaskState {
    /// A worker kills matching sessions.
    Running,
    /// The duration of the kill task has elapsed.
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
    /// Unique id: the Unix timestamp of the task's creation in milliseconds.
    /// If the timestamp is not greater than the highest stored id, the new id is the highest stored id plus one.
    pub id: i64,
    /// Instance on which sessions are killed.
    pub instance_id: InstanceId,
    /// Criteria that select the sessions to kill.
    pub criteria: KillCriteria,
    /// True if the statement filter matches statement templates instead of full statements.
    pub masked: bool,
    /// Start time.
    pub started_at: i64,
    /// End time, or `None` if the kill task runs until it is stopped.
    pub ends_at: Option<i64>,
    /// Time when the kill task was stopped, or `None` if it was not stopped.
    pub stopped_at: Option<i64>,
    /// State of the kill task at the time of the database query.
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
