//! Kill tasks: rules that kill sessions of an instance by themselves, for a while or until somebody stops them.

use std::time::Duration;

use clew_model::{InstanceId, KillCriteria, ProjectId};
use serde_json::Value;

/// A task to be added.
#[derive(Debug, Clone)]
pub struct NewKillTask {
    /// Sessions that it kills.
    pub criteria: KillCriteria,
    /// Whether the part of the statement is compared with templates: the caller may not see statements.
    pub masked: bool,
    /// Time until it ends by itself; without it, it runs until it is stopped.
    pub duration: Option<Duration>,
    /// Particulars for the audit. Part of a statement is there as a template.
    pub audit_detail: Value,
}

/// Where a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KillTaskState {
    /// It kills.
    Running,
    /// Its time is over.
    Finished,
    /// Somebody stopped it, or turned the switch of the instance off.
    Stopped,
}

impl KillTaskState {
    /// As it is shown.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Stopped => "stopped",
        }
    }
}

/// A task as it stands. Times are milliseconds since 1970 (UTC).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KillTask {
    /// Its number: the moment at which it was added, or a little after.
    pub id: i64,
    /// The instance whose sessions it kills.
    pub instance_id: InstanceId,
    /// Sessions that it kills.
    pub criteria: KillCriteria,
    /// Whether the part of the statement is looked for in templates.
    pub masked: bool,
    /// When it was added.
    pub started_at: i64,
    /// When it ends by itself; nothing if only somebody can end it.
    pub ends_at: Option<i64>,
    /// When somebody ended it.
    pub stopped_at: Option<i64>,
    /// Where it was when it was read.
    pub state: KillTaskState,
}

/// An instance with tasks to run, whoever runs them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KillRounds {
    /// The project of …
    pub project_id: ProjectId,
    /// … the instance.
    pub instance_id: InstanceId,
    /// Its running tasks, the oldest first.
    pub tasks: Vec<KillTask>,
}
