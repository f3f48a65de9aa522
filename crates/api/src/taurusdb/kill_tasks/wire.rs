//! Wire format of kill tasks.

use clew_model::NodeId;
use clew_store::{KillTask, KillTaskState, LoginBackoff};
use serde::Serialize;
use utoipa::ToSchema;

use super::{AUTO_TASK_TYPE, MANUAL_TASK_TYPE};
use crate::statement_text::MASKED_FRAGMENT;

/// Criteria and duration of a new kill task. Criteria are joined by AND.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "schema of the body; the handler parses it field by field for exact errors")]
pub(crate) struct AddKillTask {
    /// Account name, exact match
    #[schema(min_length = 1, max_length = 32, pattern = "^[A-Za-z0-9_\\-]+$")]
    user: Option<String>,
    /// Client address: host or host:port
    #[schema(min_length = 1, max_length = 255)]
    host: Option<String>,
    /// Default database, exact match
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_\\-]+$")]
    db: Option<String>,
    /// Command type, case-insensitive: Sleep, Query, …
    #[schema(min_length = 1, max_length = 255)]
    command: Option<String>,
    /// Substring of the statement, case-insensitive
    #[schema(min_length = 1, max_length = 1024)]
    info: Option<String>,
    /// Minimum time in the current state, in seconds; a string of digits is accepted
    #[schema(minimum = 1, maximum = 2_147_483_647)]
    time: i32,
    /// Type: auto stops after task_duration, manual runs until stopped
    #[schema(example = "auto")]
    task_type: String,
    /// Duration of an auto task in seconds, forbidden for a manual task; a string of digits is accepted
    #[schema(minimum = 10, maximum = 31_535_999)]
    task_duration: Option<i32>,
    /// Include sessions whose kill can damage or partially change a non-transactional table, by default spared.
    /// Examples are REPAIR, ALTER and UPDATE of a MyISAM table. Clew extension
    include_unsafe: Option<bool>,
    /// Instance name, which confirms a task that kills every user session: without user, host, db, command and info.
    /// Required from the web page, optional for other clients. Clew extension
    confirmed_instance_name: Option<String>,
}

/// Response to a new kill task.
#[derive(Serialize, ToSchema)]
pub(crate) struct KillTaskAdded {
    pub(super) success: bool,
    /// Id of the task. Clew extension
    #[schema(example = "1795542000000")]
    pub(super) task_id: String,
}

/// Request to stop a kill task.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "schema of the body; the handler parses it field by field for exact errors")]
pub(crate) struct StopKillTask {
    /// Id from the list of tasks
    task_id: String,
}

/// Confirmation of a successful request.
#[derive(Serialize, ToSchema)]
pub(crate) struct Success {
    pub(super) success: bool,
}

/// Kill tasks of an instance.
#[derive(Serialize, ToSchema)]
pub(crate) struct KillTasks {
    /// Tasks, newest first
    pub(super) processes: Vec<KillTaskView>,
}

/// A kill task. A null criterion matches every session.
#[derive(Serialize, ToSchema)]
pub(crate) struct KillTaskView {
    /// Id of the task
    id: String,
    instance_id: String,
    #[schema(required)]
    user: Option<String>,
    #[schema(required)]
    host: Option<String>,
    #[schema(required)]
    db: Option<String>,
    #[schema(required)]
    command: Option<String>,
    /// Substring of the statement; *** if statements are masked or the caller may not list sessions
    #[schema(required)]
    info: Option<String>,
    /// Minimum time in the current state, in seconds
    time: u32,
    /// Type: auto or manual
    task_type: &'static str,
    /// Duration in seconds; null for a manual task
    #[schema(required)]
    task_duration: Option<i64>,
    /// State: running, finished or stopped
    task_state: &'static str,
    /// Start time, in milliseconds since 1970
    start_time: i64,
    /// Actual or planned end time, in milliseconds since 1970; null for a running manual task
    #[schema(required)]
    end_time: Option<i64>,
    /// Nodes that refuse Clew's login, so that the running task kills nothing there. Clew extension
    refused_nodes: Vec<RefusedNode>,
    /// True if unsafe sessions are killed too; otherwise omitted. Clew extension
    #[serde(skip_serializing_if = "is_false")]
    #[schema(required = false)]
    include_unsafe: bool,
}

/// A node that refuses the login of Clew's database account.
#[derive(Serialize, ToSchema, Clone)]
pub(crate) struct RefusedNode {
    node_id: String,
    /// Error message of the last refused login
    reason: String,
    /// Number of consecutive refused logins
    refused_logins: u32,
    /// Time of the next automatic login, in milliseconds since 1970
    next_attempt_time: i64,
}

impl RefusedNode {
    pub(super) fn new((node, backoff): (NodeId, LoginBackoff)) -> Self {
        Self {
            node_id: node.to_string(),
            reason: backoff.reason,
            refused_logins: backoff.refusals,
            next_attempt_time: backoff.retry_at,
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl KillTaskView {
    /// Creates the view of a task. `refused` lists the instance's nodes that refuse the login.
    ///
    /// With `masked`, a placeholder replaces the statement substring.
    pub(super) fn new(task: KillTask, masked: bool, refused: &[RefusedNode]) -> Self {
        let criteria = task.criteria;
        let info = |part: String| if masked { MASKED_FRAGMENT.to_owned() } else { part };
        Self {
            id: task.id.to_string(),
            instance_id: task.instance_id.to_string(),
            user: criteria.user,
            host: criteria.host.map(|host| host.to_string()),
            db: criteria.database,
            command: criteria.command,
            info: criteria.sql_key.map(info),
            time: criteria.seconds,
            task_type: if task.ends_at.is_some() { AUTO_TASK_TYPE } else { MANUAL_TASK_TYPE },
            task_duration: task.ends_at.map(|end| (end - task.started_at) / 1000),
            task_state: task.state.name(),
            start_time: task.started_at,
            end_time: task.stopped_at.or(task.ends_at),
            refused_nodes: if task.state == KillTaskState::Running { refused.to_vec() } else { Vec::new() },
            include_unsafe: criteria.include_unsafe,
        }
    }
}
