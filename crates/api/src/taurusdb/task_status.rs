//! ShowRealtimeSessionTaskStatus (spec section 1.3).

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use clew_iam::decision::Action;
use clew_model::TaskStatus;
use clew_store::Task;
use http::{HeaderMap, HeaderName};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Service;
use crate::audit::HungUp;
use crate::caller::{Caller, Target};
use crate::json::Json;
use crate::prefer::Wait;
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
        ("request_id" = String, Query, description = "What the collection was answered with"),
        (
            "Prefer" = Option<String>, Header,
            description = "wait=SECONDS (RFC 7240): the answer comes when the collection has ended, or after so many seconds, 30 at most"
        )
    ),
    responses(
        (
            status = 200, description = "Where it is; unrecognized if it is unknown or over", body = TaskStatusAnswer,
            headers(("Preference-Applied" = String, description = "wait=SECONDS, where the answer was waited for"))
        ),
        (status = 400, description = "Invalid parameter value", body = ErrorBody),
        (status = 429, description = "The caller waits for as many collections as one may wait for", body = ErrorBody)
    )
)]
pub(crate) async fn task_status(
    State(service): State<Service>,
    caller: Caller,
    hung_up: Option<Extension<HungUp>>,
    Path(path): Path<(String, String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<(Option<[(HeaderName, String); 1]>, Json<TaskStatusAnswer>), Refusal> {
    let target = Target::resolve(&service, &caller, Action::GET_REALTIME_SESSION, &path).await?;
    let task = super::task(&caller, &target, &Query::parse(query.as_deref())?).await?;
    let mut status = task.as_ref().map(|task| task.status);
    let wait = Wait::preferred(&headers, service.settings.request);
    if let (Some(wait), Some(unfinished)) = (wait, task.filter(|task| !task.status.is_final())) {
        let _slot = service.long_poll_slot(&caller.principal.user_id)?;
        status = Box::pin(ended(&service, &unfinished, wait, hung_up)).await?;
    }
    let status = status.map_or("unrecognized", TaskStatus::wire_name);
    Ok((wait.map(Wait::applied), Json(TaskStatusAnswer { status })))
}

/// Where the collection is once it has ended, the wait is over, or nobody is there any more to be told.
async fn ended(
    service: &Service,
    task: &Task,
    wait: Wait,
    hung_up: Option<Extension<HungUp>>,
) -> Result<Option<TaskStatus>, Refusal> {
    let ended = service.collections.wait_for_end(&task.request_id, wait.limit());
    let ended = match hung_up {
        None => ended.await,
        Some(Extension(HungUp(hung_up))) => match hung_up.run_until_cancelled(ended).await {
            Some(ended) => ended,
            None => return Ok(Some(task.status)),
        },
    };
    Ok(ended?.map(|task| task.status))
}
