//! Implements the operation `DownloadRealtimeSession` (section 1.4 of the TaurusDB API spec).

use axum::response::Response;
use clew_diagnose::csv;
use clew_iam::decision::Action;
use clew_model::{ApiErrorDefinition, CollectionTaskStatus};
use clew_store::{ResultMetadata, SessionCollectionTask};
use http::Method;
use http::header::RANGE;
use jiff::Timestamp;

use crate::api_request::ApiRequest;
use crate::caller::{NodePath, TargetNode};
use crate::download::StoredResultDownload;
use crate::error::{ApiError, ErrorDetail};
use crate::error_responses::{NoResult, RangeNotSatisfiable};
use crate::query_string::QueryString;

/// Download the sessions of a finished collection as a CSV file.
#[utoipa::path(get, path = "/v3/{project_id}/instances/{instance_id}/nodes/{node_id}/realtime-session-result",
    tag = "sessions", operation_id = "DownloadRealtimeSession",
    params(
        ("request_id" = String, Query, description = "Id of the collection"),
        ("X-Language" = Option<String>, Header, description = "Language of the header row: en-us or zh-cn"),
        ("Range" = Option<String>, Header, description = "A single byte range"),
        ("If-Range" = Option<String>, Header, description = "ETag of the content that the range refers to"),
        ("Accept-Encoding" = Option<String>, Header, description = "Accepted encodings; gzip and zstd are supported")
    ),
    responses(
        (status = 200, description = "The complete CSV", body = str, content_type = "text/csv; charset=utf-8; header=present"),
        (status = 206, description = "The requested range", body = str, content_type = "text/csv; charset=utf-8; header=present"),
        (status = 304, description = "The ETag matches If-None-Match"),
        NoResult, RangeNotSatisfiable
    ))]
pub(crate) async fn download_result(
    method: Method,
    ApiRequest { service, caller, path, language, query, headers, .. }: ApiRequest<NodePath>,
) -> Result<Response, ApiError> {
    let target = TargetNode::authorize_and_find_node(&caller, Action::GET_REALTIME_SESSION, &path).await?;
    let query = QueryString::parse(query.as_deref())?;
    let task = super::find_collection_task(&caller, &target, query.get_required("request_id")?).await?;
    let task = task.ok_or_else(|| ApiError::new(ApiErrorDefinition::UNKNOWN_TASK))?;
    caller.audit.add_detail("collection", task.request.request_id.as_str());
    caller.audit.add_detail("masked", task.request.masked);
    if !task.request.masked && target.are_statements_masked_for_caller(&caller) {
        return Err(ApiError::with_detail(ApiErrorDefinition::FOREIGN_PROJECT, "result-unmasked", []));
    }
    let file_name = build_download_file_name(&task);
    let result = require_collection_result(&task)?;
    let stored = service.store.result_store().open_result(&result).await?;
    if headers.contains_key(RANGE) {
        stored.verify_content().await?;
    }
    let download = StoredResultDownload {
        header: csv::encode_header_row(language, false),
        stored,
        stored_bytes: result.bytes,
        etag: format!("{}-{}", result.sha256, language.name()),
        file_name,
    };
    download.build_response(&method, &headers)
}

fn require_collection_result(task: &SessionCollectionTask) -> Result<ResultMetadata, ApiError> {
    match (task.status, &task.result, &task.failure) {
        (CollectionTaskStatus::Finished, Some(result), _) => Ok(result.clone()),
        (CollectionTaskStatus::Error, _, Some(failure)) => Err(ApiError {
            detail: ErrorDetail::Failure(failure.clone()),
            ..ApiError::new(ApiErrorDefinition::NO_RESULT)
        }),
        _ => Err(ApiError::with_detail(ApiErrorDefinition::NO_RESULT, "still-running", [])),
    }
}

fn build_download_file_name(task: &SessionCollectionTask) -> String {
    let completed = Timestamp::from_millisecond(task.ended_at.unwrap_or(task.created_at)).unwrap_or_default();
    format!("sessions_{}_{}.csv", task.request.node_id, completed.strftime("%Y%m%dT%H%M%SZ"))
}
