//! Kill tasks as they go over the wire.

use clew_model::NodeId;
use clew_store::{KillTask, KillTaskState, LoginBackoff};
use serde::Serialize;
use utoipa::ToSchema;

use super::{AUTO, MANUAL};
use crate::statement_text::HIDDEN;

/// Whom a task kills, and for how long. Criteria are joined by AND.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body, which is read field by field to name what is wrong")]
pub(crate) struct AddKillTask {
    /// Account, exact
    #[schema(min_length = 1, max_length = 32, pattern = "^[A-Za-z0-9_\\-]+$")]
    user: Option<String>,
    /// Client address: host, or host:port
    #[schema(min_length = 1, max_length = 255)]
    host: Option<String>,
    /// Default database, exact
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_\\-]+$")]
    db: Option<String>,
    /// Kind of command, in any case: Sleep, Query, …
    #[schema(min_length = 1, max_length = 255)]
    command: Option<String>,
    /// Part of the statement, in any case
    #[schema(min_length = 1, max_length = 1024)]
    info: Option<String>,
    /// Least seconds in the current state; also as a text of digits
    #[schema(minimum = 1, maximum = 2_147_483_647)]
    time: i32,
    /// auto ends by itself, manual when somebody stops it
    #[schema(example = "auto")]
    task_type: String,
    /// Seconds that an auto task runs; a manual one has none. Also as a text of digits
    #[schema(minimum = 10, maximum = 31_535_999)]
    task_duration: Option<i32>,
    /// Kill also sessions whose end can damage or half-change a table without transactions, as REPAIR, ALTER or UPDATE of a MyISAM table;
    /// by default these are spared. An addition of Clew's
    include_unsafe: Option<bool>,
    /// Name of the instance, which confirms a task without user, host, db, command and info: it kills every user session. The web page must
    /// send it; other clients may. An addition of Clew's
    confirmed_instance_name: Option<String>,
}

/// A task was added.
#[derive(Serialize, ToSchema)]
pub(crate) struct KillTaskAdded {
    pub(super) success: bool,
    /// Names the task. An addition of Clew's
    #[schema(example = "1795542000000")]
    pub(super) task_id: String,
}

/// A task to stop.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body, which is read field by field to name what is wrong")]
pub(crate) struct StopKillTask {
    /// As the list of tasks has it
    task_id: String,
}

/// It was done.
#[derive(Serialize, ToSchema)]
pub(crate) struct Success {
    pub(super) success: bool,
}

/// The tasks of an instance.
#[derive(Serialize, ToSchema)]
pub(crate) struct KillTasks {
    /// The newest first
    pub(super) processes: Vec<KillTaskView>,
}

/// A task. What is null does not matter to it.
#[derive(Serialize, ToSchema)]
pub(crate) struct KillTaskView {
    /// Names the task
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
    /// Part of the statement; *** where the project masks statements or the caller may not list sessions
    #[schema(required)]
    info: Option<String>,
    /// Least seconds in the current state
    time: u32,
    /// auto or manual
    task_type: &'static str,
    /// Seconds; null if somebody has to stop it
    #[schema(required)]
    task_duration: Option<i64>,
    /// running, finished or stopped
    task_state: &'static str,
    /// Milliseconds since 1970
    start_time: i64,
    /// When it ended or will end, in milliseconds since 1970; null if nobody knows yet
    #[schema(required)]
    end_time: Option<i64>,
    /// Nodes on which a running task kills nothing, because they refuse the login. An addition of Clew's
    refused_nodes: Vec<RefusedNode>,
    /// Whether unsafe sessions are killed too; left out if not. An addition of Clew's
    #[serde(skip_serializing_if = "is_false")]
    #[schema(required = false)]
    include_unsafe: bool,
}

/// A node that refuses the login of Clew's account.
#[derive(Serialize, ToSchema, Clone)]
pub(crate) struct RefusedNode {
    node_id: String,
    /// Message of the last refusal
    reason: String,
    /// Refused logins in a row
    refused_logins: u32,
    /// Next automatic login, in milliseconds since 1970
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
    /// `masked` for those who may see templates only; `refused` are the instance's nodes that refuse the login.
    pub(super) fn new(task: KillTask, masked: bool, refused: &[RefusedNode]) -> Self {
        let wanted = task.criteria;
        let info = |part: String| if masked { HIDDEN.to_owned() } else { part };
        Self {
            id: task.id.to_string(),
            instance_id: task.instance_id.to_string(),
            user: wanted.user,
            host: wanted.host.map(|host| host.to_string()),
            db: wanted.database,
            command: wanted.command,
            info: wanted.sql_key.map(info),
            time: wanted.seconds,
            task_type: if task.ends_at.is_some() { AUTO } else { MANUAL },
            task_duration: task.ends_at.map(|end| (end - task.started_at) / 1000),
            task_state: task.state.name(),
            start_time: task.started_at,
            end_time: task.stopped_at.or(task.ends_at),
            refused_nodes: if task.state == KillTaskState::Running { refused.to_vec() } else { Vec::new() },
            include_unsafe: wanted.include_unsafe,
        }
    }
}
