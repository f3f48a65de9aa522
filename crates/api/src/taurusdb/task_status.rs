//! ShowRealtimeSessionTaskStatus (spec section 1.3).

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use clew_iam::decision::Action;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Service;
use crate::caller::{Caller, Target};
use crate::query::Query;
use crate::refusal::{ErrorBody, Refusal};

/// Where a collection is.
#[derive(Serialize, ToSchema)]
pub(crate) struct TaskStatusAnswer {
    /// running, finished, error or unrecognized
    #[schema(example = "finished")]
    status: &'static str,
}

/// Ask where a collection is.
#[utoipa::path(
    get,
    path = "/v3/{project_id}/instances/{instance_id}/nodes/{node_id}/realtime-session-task",
    tag = "sessions",
    params(
        ("project_id" = String, Path), ("instance_id" = String, Path), ("node_id" = String, Path),
        ("request_id" = String, Query, description = "What the collection was answered with")
    ),
    responses(
        (status = 200, description = "Where it is; unrecognized if it is unknown or over", body = TaskStatusAnswer),
        (status = 400, description = "A parameter cannot be meant", body = ErrorBody)
    )
)]
pub(crate) async fn task_status(
    State(service): State<Service>,
    caller: Caller,
    Path(path): Path<(String, String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Json<TaskStatusAnswer>, Refusal> {
    let target = Target::resolve(&service, &caller, Action::GET_REALTIME_SESSION, &path).await?;
    let task = super::task(&caller, &target, &Query::parse(query.as_deref())?).await?;
    Ok(Json(TaskStatusAnswer { status: task.map_or("unrecognized", |task| task.status.wire_name()) }))
}
