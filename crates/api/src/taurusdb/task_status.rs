//! Implements the operation `ShowRealtimeSessionTaskStatus` (section 1.3 of the TaurusDB API spec).

use std::sync::Arc;

use axum::Extension;
use clew_http::LongPollTimeout;
use clew_iam::decision::Action;
use clew_model::Limitation;
use clew_store::SessionCollectionTask;
use http::HeaderName;
use serde::Serialize;
use utoipa::ToSchema;

use crate::AppState;
use crate::api_request::{ApiRequest, Json};
use crate::audit::ClientDisconnectToken;
use crate::caller::{NodePath, TargetNode};
use crate::error::ApiError;
use crate::error_responses::TooManyLongPolls;
use crate::query_string::QueryString;
use crate::state::ConcurrencySlotKind;

/// Status of a collection.
#[derive(Serialize, ToSchema)]
pub(crate) struct TaskStatusResponse {
    /// Status: running, finished, error or unrecognized (the collection is unknown or expired)
    #[schema(example = "finished")]
    status: &'static str,
    /// Data that Clew could not read, with the reasons; omitted if empty (Clew extension to the TaurusDB API)
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Object>, required = false)]
    limitations: Vec<Limitation>,
}

/// Show the status of a collection.
#[utoipa::path(get, path = "/v3/{project_id}/instances/{instance_id}/nodes/{node_id}/realtime-session-task",
    tag = "sessions", operation_id = "ShowRealtimeSessionTaskStatus",
    params(
        ("request_id" = String, Query, description = "Id of the collection"),
        (
            "Prefer" = Option<String>, Header,
            description = "wait=SECONDS (RFC 7240): the response waits until the collection completes, for at most 30 seconds"
        )
    ),
    responses(
        (
            status = 200, description = "Status of the collection; `unrecognized` for an unknown or expired collection", body = TaskStatusResponse,
            headers(("Preference-Applied" = String, description = "wait=SECONDS if the response waited for completion"))
        ),
        TooManyLongPolls
    ))]
pub(crate) async fn show_collection_status(
    disconnect: Option<Extension<ClientDisconnectToken>>,
    ApiRequest { service, caller, path, query, headers, .. }: ApiRequest<NodePath>,
) -> Result<(Option<[(HeaderName, String); 1]>, Json<TaskStatusResponse>), ApiError> {
    let target = TargetNode::authorize_and_find_node(&caller, Action::GET_REALTIME_SESSION, &path).await?;
    let query = QueryString::parse(query.as_deref())?;
    let mut task = super::find_collection_task(&caller, &target, query.get_required("request_id")?).await?;
    let wait = LongPollTimeout::parse_prefer_header(&headers, service.settings.request_timeout);
    if let Some(wait) = wait
        && let Some(unfinished) = task.take_if(|task| !task.status.is_final())
    {
        let _slot = service.acquire_concurrency_slot(ConcurrencySlotKind::LongPoll, &caller.principal.user_id)?;
        task = Box::pin(wait_for_collection_completion(&service, unfinished, wait, disconnect)).await?;
    }
    let status = task.as_ref().map_or("unrecognized", |task| task.status.api_name());
    let result = task.as_ref().and_then(|task| task.result.as_ref());
    let limitations = result.and_then(|result| result.limitations.clone()).unwrap_or_default();
    Ok((wait.map(LongPollTimeout::build_preference_applied_header), Json(TaskStatusResponse { status, limitations })))
}

async fn wait_for_collection_completion(
    service: &AppState,
    task: Arc<SessionCollectionTask>,
    wait: LongPollTimeout,
    disconnect: Option<Extension<ClientDisconnectToken>>,
) -> Result<Option<Arc<SessionCollectionTask>>, ApiError> {
    let completion = service.collections.wait_for_completion(&task.request.request_id, wait.timeout());
    let completed = match disconnect {
        None => completion.await,
        Some(Extension(ClientDisconnectToken(disconnect))) => match disconnect.run_until_cancelled(completion).await {
            Some(completed) => completed,
            None => return Ok(Some(task)),
        },
    };
    Ok(completed?.map(Arc::new))
}
