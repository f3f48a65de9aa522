//! Routes for a session's details and the execution plan of its statement.

use clew_diagnose::lock_waits::WaitGraph;
use clew_diagnose::{build_statement_template, bytes_to_text};
use clew_iam::decision::Action;
use clew_model::{ApiErrorDefinition, Limitation, Node};
use clew_mysql::{DetailedSession, ExplainOutcome, explain_running_statement, read_session_detail};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api_request::{ApiRequest, ApiResult, Json};
use crate::caller::{Caller, TargetNode};
use crate::error::ApiError;
use crate::error_responses::{NodeNotQueryable, NodeNotReadable, PlanDenied, UnknownSession};
use crate::field_errors::invalid_field_error;
use crate::session_columns::SessionColumns;
use crate::statement_text::render_statement;

/// Ids of the project, instance, node and session in the request path.
type SessionPath = (String, String, String, String);

/// Details of a session.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionDetail {
    /// Thread id
    id: u64,
    #[serde(flatten)]
    columns: SessionColumns,
    /// Time in the current state, in seconds
    time: u64,
    /// Full SQL statement, or its template if statements are masked
    #[schema(required)]
    statement: Option<String>,
    /// True if the statement was truncated to 8 MiB
    statement_cut: bool,
    #[schema(required)]
    sql_template: Option<String>,
    /// True if all SQL literals in the response are masked
    masked: bool,
    /// Open transaction of the session
    #[schema(required)]
    transaction: Option<OpenTransaction>,
    /// Last SQL statements of the transaction, or their templates if statements are masked; oldest first
    last_statements: Vec<String>,
    /// Connection attributes of the client, by name
    attributes: Vec<ConnectionAttribute>,
    /// Wait graph of the session, in the same format as the wait graph of a node
    #[schema(value_type = Object)]
    waits: WaitGraph,
    /// Data that Clew could not read, with the reason for each item
    #[schema(value_type = Vec<Object>)]
    limitations: Vec<Limitation>,
}

#[derive(Serialize, ToSchema)]
struct OpenTransaction {
    id: u64,
    /// Transaction state: RUNNING, LOCK WAIT, ROLLING BACK or COMMITTING
    state: String,
    /// Age of the transaction, in seconds
    seconds: u64,
    /// Duration of the current lock wait, in seconds; null if the session does not wait
    #[schema(required)]
    lock_wait_seconds: Option<u64>,
    rows_locked: u64,
    #[schema(required)]
    tables_locked: Option<u64>,
    rows_modified: u64,
}

#[derive(Serialize, ToSchema)]
struct ConnectionAttribute {
    name: String,
    #[schema(required)]
    value: Option<String>,
}

/// Show the details of a session.
#[utoipa::path(get, path = "/clew/v1/{project_id}/instances/{instance_id}/nodes/{node_id}/sessions/{session_id}",
    tag = "console", operation_id = "ShowSession", params(("session_id" = u64, Path, description = "Thread id")),
    responses(
        (status = 200, description = "Details of the session", body = SessionDetail),
        UnknownSession, NodeNotReadable
    ))]
pub(crate) async fn show_session_detail(request: ApiRequest<SessionPath>) -> ApiResult<SessionDetail> {
    let ApiRequest { service, caller, path, .. } = request;
    let (target, id) = authorize_session_request(&caller, path).await?;
    let masked = target.requires_statement_masking(&caller);
    let read = read_session_detail(&target.node.url, id, &service.connector);
    let read = service.read_from_node(&target.node, read).await?;
    Ok(Json(build_session_detail(read.ok_or_else(|| ApiError::session_not_found(id))?, masked)))
}

fn build_session_detail(read: DetailedSession, masked: bool) -> SessionDetail {
    let text = |statement: &Vec<u8>| render_statement(statement, masked);
    let DetailedSession { session, is_truncated: is_cut, transaction, last_statements, attributes, graph } = read;
    let mut waits = if masked { graph.with_masked_literals() } else { graph };
    SessionDetail {
        id: session.id,
        columns: (&session).into(),
        time: session.seconds,
        statement: session.statement.as_ref().map(text),
        statement_cut: is_cut,
        sql_template: session.statement.as_deref().map(|statement| bytes_to_text(&build_statement_template(statement))),
        masked,
        transaction: transaction.map(|transaction| OpenTransaction {
            id: transaction.id,
            state: transaction.state.into(),
            seconds: transaction.seconds,
            lock_wait_seconds: transaction.lock_wait_seconds,
            rows_locked: transaction.rows_locked,
            tables_locked: transaction.tables_locked,
            rows_modified: transaction.rows_modified,
        }),
        last_statements: last_statements.iter().map(text).collect(),
        attributes: attributes
            .into_iter()
            .map(|(name, value)| ConnectionAttribute {
                name: bytes_to_text(&name),
                value: value.as_deref().map(bytes_to_text),
            })
            .collect(),
        limitations: std::mem::take(&mut waits.limitations),
        waits,
    }
}

/// Execution plan of a statement, or the server's reason for not returning a plan.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExplainResponse {
    /// Format of the execution plan: always `text` (a plain-text table of the EXPLAIN rows)
    format: &'static str,
    #[schema(required)]
    plan: Option<String>,
    /// Reason why no plan is available: the server's error, or a message in the language requested by X-Language.
    /// The reason is null if there is a plan.
    #[schema(required)]
    refused: Option<String>,
}

/// Show the execution plan of the current statement of a session.
#[utoipa::path(post,
    path = "/clew/v1/{project_id}/instances/{instance_id}/nodes/{node_id}/sessions/{session_id}/explain",
    tag = "console", operation_id = "ExplainSession", params(("session_id" = u64, Path, description = "Thread id")),
    responses(
        (status = 200, description = "Execution plan, or the server's reason for not returning a plan", body = ExplainResponse),
        PlanDenied, UnknownSession, NodeNotQueryable
    ))]
pub(crate) async fn explain_statement(request: ApiRequest<SessionPath>) -> ApiResult<ExplainResponse> {
    let ApiRequest { service, caller, path, language, .. } = request;
    let (target, id) = authorize_session_request(&caller, path).await?;
    if target.requires_statement_masking(&caller) {
        // Plans contain literals that Clew cannot mask, because the plan format differs between servers.
        return Err(ApiError::with_detail(ApiErrorDefinition::FOREIGN_PROJECT, "explain-masked", []));
    }
    let explain = explain_running_statement(&target.node.url, id, &service.connector);
    match service.read_from_node(&target.node, explain).await? {
        ExplainOutcome::Plan(plan) => Ok(Json(ExplainResponse { format: "text", plan: Some(plan), refused: None })),
        ExplainOutcome::NoPlan(reason) => {
            let refused = Some(reason.in_language(language).to_owned());
            Ok(Json(ExplainResponse { format: "text", plan: None, refused }))
        }
        ExplainOutcome::NoSession => Err(ApiError::session_not_found(id)),
    }
}

async fn authorize_session_request(
    caller: &Caller,
    (project, instance, node, session): SessionPath,
) -> Result<(TargetNode<Node>, u64), ApiError> {
    let path = (project, instance, node);
    let action = Action::LIST_PROCESSES;
    let target = TargetNode::authorize_and_load_node_with_password(caller, action, &path).await?;
    let id = session.parse().ok().filter(|id| *id > 0);
    Ok((target, id.ok_or_else(|| invalid_field_error("session_id", &session))?))
}
