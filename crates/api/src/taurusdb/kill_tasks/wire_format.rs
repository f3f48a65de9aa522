//! Wire format of kill tasks.

use clew_model::NodeId;
use clew_store::{KillTask, KillTaskState, LoginBackoff};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{AUTO_TASK_TYPE, MANUAL_TASK_TYPE};
use crate::request_body::MaybeQuotedNumber;
use crate::statement_text::MASKED_SUBSTRING_PLACEHOLDER;

/// Criteria and duration of a new kill task. Sessions must match all criteria.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddKillTaskRequest {
    /// Account name, exact match
    #[schema(min_length = 1, max_length = 32, pattern = "^[A-Za-z0-9_\\-]+$")]
    pub(super) user: Option<String>,
    /// Client address: host or host:port
    #[schema(min_length = 1, max_length = 255)]
    pub(super) host: Option<String>,
    /// Default database, exact match
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_\\-]+$")]
    pub(super) db: Option<String>,
    /// Command type, such as Sleep or Query (case-insensitive)
    #[schema(min_length = 1, max_length = 255)]
    pub(super) command: Option<String>,
    /// Substring of the statement (case-insensitive)
    #[schema(min_length = 1, max_length = 1024)]
    pub(super) info: Option<String>,
    /// Minimum time in the current state, in seconds, as a number or a string of digits
    #[schema(value_type = i32, minimum = 1, maximum = 2_147_483_647)]
    pub(super) time: MaybeQuotedNumber,
    /// Type: auto (the task stops after task_duration) or manual (the task runs until a user stops the task)
    #[schema(example = "auto")]
    pub(super) task_type: String,
    /// Duration of an auto task, in seconds, as a number or a string of digits; not allowed for a manual task
    #[schema(value_type = Option<i32>, minimum = 10, maximum = 31_535_999)]
    pub(super) task_duration: Option<MaybeQuotedNumber>,
    /// If true, the task also kills sessions whose kill can damage or partially change a non-transactional table.
    /// Killing an UPDATE on a MyISAM table, for example, can leave the table partially changed.
    /// `include_unsafe` is a Clew extension to the TaurusDB API
    pub(super) include_unsafe: Option<bool>,
    /// Name of the DB instance, as confirmation that the task may kill all user sessions (Clew extension).
    /// The web console must send the instance name if user, host, db, command and info are all unset
    pub(super) confirmed_instance_name: Option<String>,
}

/// Response to a new kill task.
#[derive(Serialize, ToSchema)]
pub(crate) struct AddKillTaskResponse {
    pub(super) success: bool,
    /// Id of the task (Clew extension to the TaurusDB API)
    #[schema(example = "1795542000000")]
    pub(super) task_id: String,
}

/// Request to stop a kill task.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StopKillTaskRequest {
    /// Id of the task from the task list
    #[schema(value_type = String)]
    pub(super) task_id: MaybeQuotedNumber,
}

/// Confirmation of a successful request.
#[derive(Serialize, ToSchema)]
pub(crate) struct SuccessResponse {
    pub(super) success: bool,
}

/// Kill tasks of an instance.
#[derive(Serialize, ToSchema)]
pub(crate) struct KillTaskList {
    /// Tasks, newest first
    pub(super) processes: Vec<KillTaskView>,
}

/// Kill task. A criterion that is null does not restrict the sessions.
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
    /// Substring to find in the statement; *** if statements are masked or the caller cannot list sessions
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
    /// Start time, as a Unix timestamp in milliseconds
    start_time: i64,
    /// Actual or planned end time, as a Unix timestamp in milliseconds; null for a running manual task
    #[schema(required)]
    end_time: Option<i64>,
    /// Nodes on which the running task cannot kill sessions because they refuse Clew's login (Clew extension)
    refused_nodes: Vec<NodeLoginRefusal>,
    /// True if the task kills sessions even if the kill can damage a table; otherwise omitted (Clew extension)
    #[serde(skip_serializing_if = "is_default")]
    #[schema(required = false)]
    include_unsafe: bool,
}

/// Details about a node that refuses the login of Clew's database account.
#[derive(Serialize, ToSchema, Clone)]
pub(crate) struct NodeLoginRefusal {
    node_id: String,
    /// Error message of the most recently refused login
    reason: String,
    /// Number of consecutive logins that the node refused
    refused_logins: u32,
    /// Time of the next automatic login attempt, as a Unix timestamp in milliseconds
    next_attempt_time: i64,
}

impl NodeLoginRefusal {
    pub(super) fn new((node, backoff): (NodeId, LoginBackoff)) -> Self {
        Self {
            node_id: node.to_string(),
            reason: backoff.reason,
            refused_logins: backoff.refusals,
            next_attempt_time: backoff.retry_at,
        }
    }
}

pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl KillTaskView {
    pub(super) fn new(task: KillTask, masked: bool, refused: &[NodeLoginRefusal]) -> Self {
        let criteria = task.criteria;
        let info = |part: String| if masked { MASKED_SUBSTRING_PLACEHOLDER.to_owned() } else { part };
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
