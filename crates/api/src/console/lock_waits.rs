//! Lock waits of a node.

use clew_diagnose::lock_waits::WaitGraph;
use clew_iam::decision::Action;
use clew_mysql::{LockWaits, read_server_instance_and_lock_waits};
use serde::Serialize;

use crate::api_request::{ApiRequest, ApiResult, Json};
use crate::caller::{NodePath, TargetNode};
use crate::error_responses::NodeNotReadable;

#[derive(Serialize)]
pub(crate) struct NodeLockWaits {
    /// Clients send this value as `server` in kill requests.
    server: String,
    #[serde(flatten)]
    graph: WaitGraph,
}

/// Show the lock waits and root blockers of a node. The response has the format of `clew locks --format json`.
#[utoipa::path(get, path = "/clew/v1/{project_id}/instances/{instance_id}/nodes/{node_id}/locks", tag = "console",
    operation_id = "ShowLocks",
    responses(
        (status = 200, description = "Wait graph: lock waits, root blockers, deadlock cycles, involved sessions, and limitations of the data", body = Object),
        NodeNotReadable
    ))]
pub(crate) async fn show_lock_waits(request: ApiRequest<NodePath>) -> ApiResult<NodeLockWaits> {
    let ApiRequest { service, caller, path, .. } = request;
    let target = TargetNode::authorize_and_load_node_with_password(&caller, Action::LIST_PROCESSES, &path).await?;
    let read = read_server_instance_and_lock_waits(&target.node.url, &service.connector);
    let (server, LockWaits { graph, .. }) = service.read_from_node(&target.node, read).await?;
    let graph = if target.requires_statement_masking(&caller) { graph.with_masked_literals() } else { graph };
    Ok(Json(NodeLockWaits { server: server.to_string(), graph }))
}
