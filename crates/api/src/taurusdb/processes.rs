//! Implements the operation `ListTaurusDbNodeProcesses` (section 2.1 of the TaurusDB API spec).

use clew_iam::decision::Action;
use clew_model::Pagination;
use clew_mysql::{Snapshot, SnapshotFormat, SnapshotOptions, take_snapshot_with_server_instance};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api_request::{ApiRequest, ApiResult, Json};
use crate::caller::{NodePath, TargetNode};
use crate::error::ApiError;
use crate::error_responses::NodeNotReadable;
use crate::query_string::{PageParameters, parse_page_parameters};

/// A page of a node's sessions.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProcessListPage {
    /// Sessions ordered by id
    #[schema(max_items = 100)]
    processes: Vec<ProcessListRow>,
    /// Number of sessions on the node, excluding internal sessions
    total_count: u64,
}

/// Session with the columns of SHOW PROCESSLIST, deserialized from a snapshot row.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct ProcessListRow {
    /// Thread id
    #[serde(rename(deserialize = "session_id"))]
    id: u64,
    user: String,
    /// Client address and port
    #[schema(example = "10.0.0.7:51234")]
    host: String,
    /// Default database
    #[schema(required)]
    #[serde(rename(deserialize = "database_name"))]
    db: Option<String>,
    #[schema(example = "Query")]
    command: String,
    /// Time in the current state, in seconds
    #[serde(rename(deserialize = "state_duration"))]
    time: u64,
    #[schema(required)]
    #[serde(rename(deserialize = "execution_status"))]
    state: Option<String>,
    /// Current statement; if the project masks statements, each literal is replaced by ?
    #[schema(required)]
    #[serde(rename(deserialize = "sql_statement"))]
    info: Option<String>,
}

/// List the sessions of a node.
#[utoipa::path(get, path = "/v3/{project_id}/instances/{instance_id}/nodes/{node_id}/processes", tag = "sessions",
    operation_id = "ListTaurusDbNodeProcesses", params(PageParameters),
    responses(
        (status = 200, description = "Page of sessions, excluding internal sessions", body = ProcessListPage),
        NodeNotReadable
    ))]
pub(crate) async fn list_processes(request: ApiRequest<NodePath>) -> ApiResult<ProcessListPage> {
    let ApiRequest { service, caller, path, query, .. } = request;
    let target = TargetNode::authorize_and_load_node_with_password(&caller, Action::LIST_PROCESSES, &path).await?;
    let page = parse_page_parameters(query.as_deref())?;
    let masked = target.requires_statement_masking(&caller);
    let options = SnapshotOptions { masked, ..SnapshotOptions::new(SnapshotFormat::Json) };
    let read = take_snapshot_with_server_instance(&target.node.url, &options, &service.connector);
    let (server, snapshot) = service.read_from_node(&target.node, read).await?;
    service.session_list_sources.set_session_list_source(&caller.principal.user_id, &target.node.id, server);
    let slicing = tokio::task::spawn_blocking(move || read_snapshot_page(snapshot, page)).await;
    Ok(Json(slicing.map_err(ApiError::internal_error)?.map_err(ApiError::internal_error)?))
}

/// Reads only one page of a snapshot, because the entire snapshot may be larger than the available memory.
fn read_snapshot_page(mut snapshot: Snapshot, page: Pagination) -> std::io::Result<ProcessListPage> {
    let mut list = b"[".to_vec();
    snapshot.body.write_row_range(page.offset as usize, page.limit as usize, &mut list)?;
    list.push(b']');
    Ok(ProcessListPage { processes: serde_json::from_slice(&list)?, total_count: snapshot.summary.rows })
}
