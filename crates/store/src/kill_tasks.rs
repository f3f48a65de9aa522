//! Kill tasks: rules that kill matching sessions of an instance until they expire or are stopped.

use std::time::Duration;

use clew_model::{InstanceId, KillCriteria, ProjectId};
use serde_json::Value;

/// A kill task to add.
#[derive(Debug, Clone)]
pub struct NewKillTask {
    /// Criteria of the sessions to kill.
    pub criteria: KillCriteria,
    /// Whether the statement filter is compared with templates: the caller may not see statements.
    pub masked: bool,
    /// Duration. `None` for a task without expiry.
    pub duration: Option<Duration>,
    /// Details for the audit event. Statement filters are templates.
    pub audit_detail: Value,
}

/// State of a kill task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KillTaskState {
    /// Running: matching sessions are killed.
    Running,
    /// Its duration has expired.
    Finished,
    /// Stopped by a user, or by turning the kill switch off.
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

/// A stored kill task. Times are milliseconds since 1970 (UTC).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KillTask {
    /// Unique id: the time of its creation, or the next free value.
    pub id: i64,
    /// Instance whose sessions are killed.
    pub instance_id: InstanceId,
    /// Criteria of the sessions to kill.
    pub criteria: KillCriteria,
    /// Whether the statement filter is compared with templates.
    pub masked: bool,
    /// Start time.
    pub started_at: i64,
    /// Expiry. `None` for a task without expiry.
    pub ends_at: Option<i64>,
    /// Time at which it was stopped.
    pub stopped_at: Option<i64>,
    /// State at the time of the read.
    pub state: KillTaskState,
}

/// Running kill tasks of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceKillTasks {
    /// Project of the instance.
    pub project_id: ProjectId,
    /// Instance whose sessions are killed.
    pub instance_id: InstanceId,
    /// Running tasks, oldest first.
    pub tasks: Vec<KillTask>,
}
