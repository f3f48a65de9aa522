//! Routes for listing and deleting the collection tasks of a node.

use clew_iam::decision::Action;
use clew_model::{ApiErrorDefinition, Language, Limitation, SessionSelection};
use clew_store::SessionCollectionTask;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::format_unix_millis;
use crate::api_request::{ApiRequest, ApiResult, Json};
use crate::caller::{NodePath, TargetNode};
use crate::error::ApiError;
use crate::error_responses::{CollectionNotFinished, UnknownCollection};
use crate::messages::format_failure;
use crate::statement_text::MASKED_SUBSTRING_PLACEHOLDER;
use crate::taurusdb::find_collection_task;

const MAX_LISTED_SESSION_COLLECTIONS: u32 = 200;

/// Collections of a node.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionCollectionList {
    /// Collections, newest first, at most 200
    collections: Vec<SessionCollectionView>,
}

/// Collection of sessions from a node.
#[derive(Serialize, ToSchema)]
struct SessionCollectionView {
    request_id: String,
    /// Status of the collection: queued, running, finished or error
    status: &'static str,
    created_at: String,
    #[schema(required)]
    finished_at: Option<String>,
    #[schema(required)]
    rows: Option<u64>,
    #[schema(required)]
    bytes: Option<u64>,
    /// Filters and sort order of the collection, including default values and null for unset filters; a masked `sql_key` is ***
    #[schema(value_type = Object)]
    filter: SessionSelection,
    /// True if the result contains SQL templates instead of statements
    masked: bool,
    /// True if the collection has a result that the caller may download
    readable: bool,
    /// Reason for the failure, in the language requested by X-Language; null if the collection did not fail
    #[schema(required)]
    reason: Option<String>,
    /// Data that Clew could not read, with the reason for each item
    #[schema(value_type = Option<Vec<Object>>, required)]
    limitations: Option<Vec<Limitation>>,
}

/// List the collections of a node.
#[utoipa::path(get, path = "/clew/v1/{project_id}/instances/{instance_id}/nodes/{node_id}/collections", tag = "console",
    operation_id = "ListCollections",
    responses((status = 200, description = "The newest collections of the node", body = SessionCollectionList)))]
pub(crate) async fn list_session_collections(request: ApiRequest<NodePath>) -> ApiResult<SessionCollectionList> {
    let ApiRequest { service, caller, path, language, .. } = request;
    let target = TargetNode::authorize_and_find_node(&caller, Action::GET_REALTIME_SESSION, &path).await?;
    let templates_only = target.are_statements_masked_for_caller(&caller);
    let (project, instance, limit) = (&target.project.id, &target.instance.id, MAX_LISTED_SESSION_COLLECTIONS);
    let tasks = service.store.tasks().list_node_tasks(project, instance, &target.node, limit).await?;
    let collections = tasks.into_iter().map(|task| build_collection_view(task, templates_only, language)).collect();
    Ok(Json(SessionCollectionList { collections }))
}

/// Delete a finished collection task and its result.
#[utoipa::path(delete, path = "/clew/v1/{project_id}/instances/{instance_id}/nodes/{node_id}/collections/{request_id}",
    tag = "console", operation_id = "DeleteRealtimeSession",
    responses((status = 204, description = "The collection is deleted"), UnknownCollection, CollectionNotFinished))]
pub(crate) async fn delete_session_collection(
    ApiRequest { service, caller, path: (project, instance, node, id), .. }: ApiRequest<(
        String,
        String,
        String,
        String,
    )>,
) -> Result<StatusCode, ApiError> {
    let path = (project, instance, node);
    let target = TargetNode::authorize_and_find_node(&caller, Action::DELETE_REALTIME_SESSION, &path).await?;
    let task = find_collection_task(&caller, &target, &id).await?;
    let task = task.ok_or_else(|| ApiError::new(ApiErrorDefinition::UNKNOWN_TASK))?;
    if service.store.tasks().remove_task(&caller.build_audit_origin(), &task.request.request_id).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ApiError::with_detail(ApiErrorDefinition::NOT_ALLOWED, "collection-under-way", []))
    }
}

fn build_collection_view(
    task: SessionCollectionTask,
    templates_only: bool,
    language: Language,
) -> SessionCollectionView {
    let result = task.result;
    let mut filter = task.request.selection;
    if templates_only && filter.sql_key.is_some() {
        filter.sql_key = Some(MASKED_SUBSTRING_PLACEHOLDER.to_owned());
    }
    SessionCollectionView {
        request_id: task.request.request_id.to_string(),
        status: task.status.name(),
        created_at: format_unix_millis(task.created_at),
        finished_at: task.ended_at.map(format_unix_millis),
        rows: result.as_ref().map(|result| result.rows),
        bytes: result.as_ref().map(|result| result.bytes),
        filter,
        masked: task.request.masked,
        readable: result.is_some() && (task.request.masked || !templates_only),
        reason: task.failure.map(|failure| format_failure(language, &failure)),
        limitations: result.and_then(|result| result.limitations),
    }
}
