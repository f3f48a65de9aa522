//! Routes that show and set the slow session threshold (section 2.9 of the TaurusDB API spec).

use clew_iam::decision::Action;
use clew_model::{ApiErrorDefinition, InstanceId, SlowSessionThreshold};
use clew_store::StoreError;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api_request::{ApiRequest, ApiResult, Json};
use crate::caller;
use crate::caller::InstancePath;
use crate::error::ApiError;
use crate::error_responses::{InvalidThresholdRequest, UnknownInstanceInRequest};
use crate::field_errors::{check_array_length, value_out_of_range_error};
use crate::request_body::parse_json_body;

const MAX_INSTANCES_PER_REQUEST: usize = 100;

/// Minimum duration of a slow session.
#[derive(Serialize, ToSchema)]
pub(crate) struct SlowSessionThresholdView {
    /// Threshold in seconds; 10 by default
    #[schema(minimum = 1, maximum = 86_400)]
    slow_process_threshold: u64,
}

/// Request that sets the slow-session threshold of several instances.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetSlowSessionThresholdRequest {
    /// Ids of instances in the project; the change applies either to all of these instances or to none
    #[schema(min_items = 1, max_items = 100)]
    instance_ids: Vec<String>,
    /// Threshold in seconds
    #[schema(value_type = i32, minimum = 1, maximum = 86_400)]
    slow_process_threshold: i64,
}

/// Show the slow session threshold of an instance.
#[utoipa::path(get, path = "/v3/{project_id}/instances/{instance_id}/slow-process-threshold", tag = "sessions",
    operation_id = "ShowTaurusDbSlowProcessThreshold",
    responses((status = 200, description = "Slow session threshold of the instance", body = SlowSessionThresholdView)))]
pub(crate) async fn show_slow_session_threshold(
    ApiRequest { service, caller, path, .. }: ApiRequest<InstancePath>,
) -> ApiResult<SlowSessionThresholdView> {
    let (_, instance) = caller.require_instance_permission(Action::GET_SLOW_THRESHOLD, &path).await?;
    let threshold = service.store.instances().find_slow_session_threshold(&instance.id).await?.unwrap_or_default();
    Ok(Json(SlowSessionThresholdView { slow_process_threshold: threshold.seconds() }))
}

/// Set the slow session threshold of several instances.
#[utoipa::path(post, path = "/v3/{project_id}/instances/slow-process-threshold", tag = "sessions",
    operation_id = "BatchUpdateTaurusSlowProcessThreshold", request_body = SetSlowSessionThresholdRequest,
    responses(
        (status = 200, description = "The slow session threshold is set for all instances"),
        InvalidThresholdRequest, UnknownInstanceInRequest
    ))]
pub(crate) async fn set_slow_session_thresholds(request: ApiRequest<String>) -> Result<StatusCode, ApiError> {
    let ApiRequest { service, caller, path: project, body, .. } = request;
    let project = caller.require_project_permission(Action::MODIFY_SLOW_THRESHOLD, &project).await?;
    let (instances, threshold) = parse_slow_session_threshold(&body)?;
    let (origin, store) = (caller.build_audit_origin(), service.store.instances());
    match store.set_slow_session_threshold(&origin, &project.id, &instances, threshold).await {
        Ok(()) => Ok(StatusCode::OK),
        Err(StoreError::Unknown { name, .. }) => {
            Err(ApiError::with_detail(ApiErrorDefinition::UNKNOWN_INSTANCE, "not-of-project", [("id", name)]))
        }
        Err(error) => Err(error.into()),
    }
}

fn parse_slow_session_threshold(body: &[u8]) -> Result<(Vec<InstanceId>, SlowSessionThreshold), ApiError> {
    let SetSlowSessionThresholdRequest { instance_ids: ids, slow_process_threshold: seconds } = parse_json_body(body)?;
    check_array_length("instance_ids", ids.len(), 1, MAX_INSTANCES_PER_REQUEST)?;
    let ids = ids.iter().map(|id| caller::parse_api_id(id)).collect::<Result<_, _>>()?;
    let max = SlowSessionThreshold::MAX_SLOW_SESSION_SECONDS;
    let out_of_range = || value_out_of_range_error("slow_process_threshold", &seconds.to_string(), 1, max);
    Ok((ids, SlowSessionThreshold::new(seconds).ok_or_else(out_of_range)?))
}
