//! Enables and disables the kill tasks of an instance.

use clew_iam::decision::Action;
use clew_model::ApiErrorDefinition;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api_request::{ApiRequest, ApiResult};
use crate::body::parse_json_body;
use crate::caller::InstancePath;
use crate::error::ApiError;
use crate::field_errors::value_not_allowed_error;
use crate::json::Json;

const SWITCH_STATUS_ON: &str = "ON";
const SWITCH_STATUS_OFF: &str = "OFF";

/// State of an instance's kill task switch. Kill tasks can run only if the switch is on.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KillTaskSwitch {
    /// Status: ON or OFF
    #[schema(example = "ON")]
    status: String,
}

/// Show whether kill tasks are enabled for an instance.
#[utoipa::path(get, path = "/v3/{project_id}/instances/{instance_id}/process/task/switch", tag = "kill tasks",
    operation_id = "ShowKillProcessStatus",
    responses((status = 200, description = "State of the kill task switch", body = KillTaskSwitch))
)]
pub(crate) async fn show_kill_task_switch(
    ApiRequest { service, caller, path, .. }: ApiRequest<InstancePath>,
) -> ApiResult<KillTaskSwitch> {
    let (_, instance) = caller.require_instance_permission(Action::GET_INSTANCE, &path).await?;
    let is_on = service.store.kill_tasks().are_kill_tasks_enabled(&instance.id).await?;
    Ok(Json(KillTaskSwitch { status: if is_on { SWITCH_STATUS_ON } else { SWITCH_STATUS_OFF }.to_owned() }))
}

/// Enable or disable the kill tasks of an instance. Disabling kill tasks stops all running tasks.
#[utoipa::path(put, path = "/v3/{project_id}/instances/{instance_id}/process/task/switch", tag = "kill tasks",
    operation_id = "UpdateAutoKillProcessStatus", request_body = KillTaskSwitch,
    responses((status = 200, description = "The kill task switch is set"))
)]
pub(crate) async fn enable_or_disable_kill_tasks(
    ApiRequest { service, caller, path, body, .. }: ApiRequest<InstancePath>,
) -> Result<StatusCode, ApiError> {
    let (project, instance) = caller.authorize_and_find_instance(Action::MODIFY_INSTANCE, &path).await?;
    let KillTaskSwitch { status } = parse_json_body(&body)?;
    let on = match status.as_str() {
        SWITCH_STATUS_ON => true,
        SWITCH_STATUS_OFF => false,
        _ => {
            return Err(value_not_allowed_error("status", &status, &[SWITCH_STATUS_ON, SWITCH_STATUS_OFF]));
        }
    };
    if service
        .store
        .kill_tasks()
        .set_kill_tasks_enabled(&caller.build_audit_origin(), &project.id, &instance.id, on)
        .await?
    {
        return Ok(StatusCode::OK);
    }
    Err(ApiError::new(ApiErrorDefinition::UNKNOWN_INSTANCE))
}
