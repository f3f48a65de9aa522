//! Implements the operation `ShowLockWaitSession` (section 2.3 of the TaurusDB API spec).

use std::borrow::Cow;

use clew_diagnose::bytes_to_text;
use clew_diagnose::lock_waits::{LockWait, ParticipantDetail, WaitGraph, WaitParticipant};
use clew_iam::decision::Action;
use clew_mysql::{LockWaits, read_lock_waits};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api_request::{ApiRequest, ApiResult, Json};
use crate::caller::{NodePath, TargetNode};
use crate::error::ApiError;
use crate::error_responses::NodeNotReadable;
use crate::field_errors::invalid_field_error;
use crate::query_string::QueryString;
use crate::statement_text::render_statement;

/// Root cause of a session's lock wait; an empty object if the session is not waiting for a lock.
#[derive(Serialize, ToSchema)]
pub(crate) struct LockWaitResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    abnormal_root_cause: Option<AbnormalSessionRootCause>,
}

/// Root cause of an abnormal session.
#[derive(Serialize, ToSchema)]
pub(crate) struct AbnormalSessionRootCause {
    /// Type of the anomaly: always LOCK_WAIT
    #[schema(example = "LOCK_WAIT")]
    abnormal_type: &'static str,
    lock_root_cause: LockRootCause,
}

/// Lock for which a session waits, and the root blocker of the session. Unknown fields are omitted.
#[derive(Serialize, ToSchema, Default)]
#[cfg_attr(test, derive(Debug, PartialEq))]
pub(crate) struct LockRootCause {
    /// Thread id of the waiting session
    locked_pid: u64,
    /// Current statement of the waiting session
    #[serde(skip_serializing_if = "Option::is_none")]
    locked_sql: Option<String>,
    /// Duration of the wait, in seconds
    #[serde(skip_serializing_if = "Option::is_none")]
    wait_seconds: Option<u64>,
    /// Database of the locked object
    #[serde(skip_serializing_if = "Option::is_none")]
    lock_db: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lock_table: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lock_index: Option<String>,
    /// Requested lock mode, such as X,REC_NOT_GAP for an InnoDB lock or EXCLUSIVE for a metadata lock
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "X,REC_NOT_GAP")]
    lock_mode: Option<Cow<'static, str>>,
    /// Key values of the locked row; omitted if the project masks statements
    #[serde(skip_serializing_if = "Option::is_none")]
    lock_data: Option<String>,
    /// Thread id of the root blocker; omitted for a prepared transaction without a session
    #[serde(skip_serializing_if = "Option::is_none")]
    blocker_pid: Option<u64>,
    /// State of the root blocker's transaction: RUNNING, LOCK WAIT, ROLLING BACK or COMMITTING
    #[serde(skip_serializing_if = "Option::is_none")]
    blocker_state: Option<String>,
    /// Time since the start of the root blocker's transaction, in seconds
    #[serde(skip_serializing_if = "Option::is_none")]
    blocker_age: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocker_rows_locked: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocker_rows_modified: Option<u64>,
    /// Current statement of the root blocker; for an idle root blocker, the last statements of its transaction
    blocker_current_sql: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocker_host: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocker_command: Option<String>,
    /// Connection id of the root blocker, as in a KILL statement; equal to blocker_pid
    #[serde(skip_serializing_if = "Option::is_none")]
    blocker_thread_id: Option<u64>,
}

/// Show a session's lock wait and its root blocker.
#[utoipa::path(get, path = "/v3/{project_id}/instances/{instance_id}/nodes/{node_id}/process/lock-wait",
    tag = "sessions", operation_id = "ShowLockWaitSession",
    params(("pid" = u64, Query, minimum = 1, description = "Thread id of the waiting session")),
    responses(
        (status = 200, description = "The lock wait; an empty object if the session does not wait", body = LockWaitResponse),
        NodeNotReadable
    ))]
pub(crate) async fn show_lock_wait(request: ApiRequest<NodePath>) -> ApiResult<LockWaitResponse> {
    let ApiRequest { service, caller, path, query, .. } = request;
    let target = TargetNode::authorize_and_load_node_with_password(&caller, Action::LIST_PROCESSES, &path).await?;
    let pid = parse_session_id(&QueryString::parse(query.as_deref())?)?;
    let node = &target.node;
    let read = read_lock_waits(&node.url, &service.connector);
    let LockWaits { graph, sessions, .. } = service.read_from_node(node, read).await?;
    let waiter = sessions.iter().find(|facts| facts.session.id == pid);
    let waiter = waiter.ok_or_else(|| ApiError::session_not_found(pid))?;
    let masked = target.requires_statement_masking(&caller);
    let graph = if masked { graph.with_masked_literals() } else { graph };
    let cause = find_lock_root_cause(&graph, pid).or_else(|| {
        // The session is waiting for an unidentified blocker, so the result is incomplete.
        graph.unexplained.iter().find(|unexplained| unexplained.session == pid)?;
        let statement = waiter.session.statement.as_deref();
        let shown = |statement: &[u8]| render_statement(statement, masked);
        Some(LockRootCause { locked_pid: pid, locked_sql: statement.map(shown), ..LockRootCause::default() })
    });
    let cause = cause.map(|cause| AbnormalSessionRootCause { abnormal_type: "LOCK_WAIT", lock_root_cause: cause });
    Ok(Json(LockWaitResponse { abnormal_root_cause: cause }))
}

fn parse_session_id(query: &QueryString) -> Result<u64, ApiError> {
    let given = query.get_required("pid")?;
    given.parse().ok().filter(|&pid| pid > 0).ok_or_else(|| invalid_field_error("pid", given))
}

fn find_lock_root_cause(graph: &WaitGraph, pid: u64) -> Option<LockRootCause> {
    let waiter = WaitParticipant::Session(pid);
    let root = *graph.find_root_blockers(waiter).first()?;
    let leads_to_root = |wait: &&LockWait| {
        root.parties.contains(&wait.blocker) || graph.find_root_blockers(wait.blocker).contains(&root)
    };
    let wait = graph.find_waits_by_waiter(waiter).iter().find(leads_to_root)?;
    // In a cycle, every session is a root blocker. A direct blocker is preferred over the waiting session itself.
    let at_root = |party: WaitParticipant| root.parties.contains(&party);
    let blocker = if at_root(wait.blocker) { wait.blocker } else { *root.parties.first()? };
    let facts = graph.participant_detail(blocker);
    let transaction = facts.and_then(|facts| facts.transaction.as_ref()).map(|facts| &facts.transaction);
    let session = facts.and_then(|facts| facts.session.as_ref());
    let statements = facts.map(|facts| match facts.running_statement() {
        Some(statement) => vec![bytes_to_text(statement)],
        None => facts.last_statements.iter().map(|statement| bytes_to_text(statement)).collect(),
    });
    Some(LockRootCause {
        locked_pid: pid,
        locked_sql: graph.participant_detail(waiter).and_then(ParticipantDetail::running_statement).map(bytes_to_text),
        wait_seconds: wait.seconds,
        lock_db: wait.on.schema.clone(),
        lock_table: wait.on.name.clone(),
        lock_index: wait.on.index.clone(),
        lock_mode: Some(wait.wanted.clone()),
        lock_data: wait.on.data.clone(),
        blocker_pid: blocker.session_id(),
        blocker_state: transaction.map(|transaction| transaction.state.to_string()),
        blocker_age: transaction.map(|transaction| transaction.seconds),
        blocker_rows_locked: transaction.map(|transaction| transaction.rows_locked),
        blocker_rows_modified: transaction.map(|transaction| transaction.rows_modified),
        blocker_current_sql: statements.unwrap_or_default(),
        blocker_host: session.map(|session| bytes_to_text(&session.host)),
        blocker_command: session.map(|session| bytes_to_text(&session.command)),
        blocker_thread_id: blocker.session_id(),
    })
}
