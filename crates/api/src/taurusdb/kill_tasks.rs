//! Routes that add, stop, list, enable and disable an instance's kill tasks (section 2.8 of the TaurusDB API spec).
//!
//! `docs/decisions/0012-kill-tasks.md` explains how Clew resolves points that the TaurusDB API spec leaves open.

mod criteria;
pub(crate) mod history;
pub(crate) mod preview;
mod wire_format;

use std::time::Duration;

use clew_iam::decision::Action;
use clew_model::{ApiErrorDefinition, KillCriteria};
use clew_store::NewKillTask;
use criteria::RawKillCriteria;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use wire_format::{
    AddKillTaskRequest, AddKillTaskResponse, KillTaskList, KillTaskView, NodeLoginRefusal, StopKillTaskRequest,
    SuccessResponse,
};

use crate::api_request::{ApiRequest, ApiResult, Json};
use crate::authentication::is_authenticated_by_cookie;
use crate::caller::InstancePath;
use crate::error::ApiError;
use crate::error_responses::{KillTaskNotAllowed, UnknownKillTask};
use crate::field_errors::{missing_field_error, truncate_for_message, value_not_allowed_error};
use crate::request_body::{MaybeQuotedNumber, parse_json_body};

const MIN_AUTO_TASK_DURATION_SECONDS: u32 = 10;
/// One second less than 365 days.
const MAX_AUTO_TASK_DURATION_SECONDS: u32 = 31_535_999;

const AUTO_TASK_TYPE: &str = "auto";
const MANUAL_TASK_TYPE: &str = "manual";

/// Add a task that automatically kills matching sessions of an instance.
#[utoipa::path(post, path = "/v3/{project_id}/instances/{instance_id}/process/task", tag = "kill tasks",
    operation_id = "AddKillProcessTask", request_body = AddKillTaskRequest,
    responses((status = 200, description = "The task is running", body = AddKillTaskResponse), KillTaskNotAllowed))]
pub(crate) async fn add_kill_task(request: ApiRequest<InstancePath>) -> ApiResult<AddKillTaskResponse> {
    let ApiRequest { service, caller, path, headers, body, .. } = request;
    let (project, instance) = caller.authorize_and_find_instance(Action::MODIFY_INSTANCE, &path).await?;
    let RequestedKillTask { criteria, duration, confirmed_instance_name } = parse_new_kill_task(&body)?;
    caller.require_credentials_valid_for_duration(duration.map(|duration| duration.as_secs()))?;
    let must_confirm =
        criteria.has_only_duration_criterion() && is_authenticated_by_cookie(&headers, caller.client.as_ref());
    if confirmed_instance_name.as_deref().map_or(must_confirm, |name| name != instance.name) {
        return Err(ApiError::invalid_parameter("kill-task-confirmation", [("name", instance.name.clone())]));
    }
    let mut audit_detail = criteria::build_audit_detail_for_criteria(&criteria);
    if let Some(fields) = audit_detail.as_object_mut() {
        fields.insert("task_duration".into(), json!(duration.map(|duration| duration.as_secs())));
    }
    let masked = caller.requires_statement_masking(&project, &instance);
    let task = NewKillTask { criteria, masked, duration, audit_detail };
    let kill_tasks = service.store.kill_tasks();
    let added = kill_tasks.add_kill_task(&caller.build_audit_origin(), &project.id, &instance.id, &task).await?;
    let id = added.ok_or_else(|| ApiError::new(ApiErrorDefinition::UNKNOWN_INSTANCE))?;
    Ok(Json(AddKillTaskResponse { success: true, task_id: id.to_string() }))
}

struct RequestedKillTask {
    criteria: KillCriteria,
    duration: Option<Duration>,
    /// Required from browsers for a kill task without filters, because such a task can kill all user sessions.
    confirmed_instance_name: Option<String>,
}

fn parse_new_kill_task(body: &[u8]) -> Result<RequestedKillTask, ApiError> {
    let request: AddKillTaskRequest = parse_json_body(body)?;
    let criteria = RawKillCriteria {
        user: request.user,
        host: request.host,
        db: request.db,
        command: request.command,
        info: request.info,
        time: request.time.0,
        include_unsafe: request.include_unsafe.unwrap_or(false),
    };
    let criteria = criteria.parse()?;
    let duration = match (request.task_type.as_str(), request.task_duration) {
        (AUTO_TASK_TYPE, Some(MaybeQuotedNumber(given))) => {
            let (min, max) = (MIN_AUTO_TASK_DURATION_SECONDS, MAX_AUTO_TASK_DURATION_SECONDS);
            Some(Duration::from_secs(criteria::parse_integer("task_duration", &given, min, max)?.into()))
        }
        (AUTO_TASK_TYPE, None) => return Err(missing_field_error("task_duration")),
        (MANUAL_TASK_TYPE, None) => None,
        (MANUAL_TASK_TYPE, Some(_)) => return Err(ApiError::invalid_parameter("kill-task-duration", [])),
        (other, _) => return Err(value_not_allowed_error("task_type", other, &[AUTO_TASK_TYPE, MANUAL_TASK_TYPE])),
    };
    Ok(RequestedKillTask { criteria, duration, confirmed_instance_name: request.confirmed_instance_name })
}

/// Stop a kill task. If the task has already ended, the request has no effect.
#[utoipa::path(put, path = "/v3/{project_id}/instances/{instance_id}/process/task", tag = "kill tasks",
    operation_id = "StopKillProcessTask", request_body = StopKillTaskRequest,
    responses((status = 200, description = "The task is stopped", body = SuccessResponse), UnknownKillTask))]
pub(crate) async fn stop_kill_task(request: ApiRequest<InstancePath>) -> ApiResult<SuccessResponse> {
    let ApiRequest { service, caller, path, body, .. } = request;
    let (project, instance) = caller.authorize_and_find_instance(Action::MODIFY_INSTANCE, &path).await?;
    let StopKillTaskRequest { task_id: MaybeQuotedNumber(given) } = parse_json_body(&body)?;
    let (origin, kill_tasks) = (caller.build_audit_origin(), service.store.kill_tasks());
    let stopped = match given.parse() {
        Ok(id) => kill_tasks.stop_kill_task(&origin, &project.id, &instance.id, id).await?,
        Err(_) => false,
    };
    if stopped {
        return Ok(Json(SuccessResponse { success: true }));
    }
    let id = [("id", truncate_for_message(&given))];
    Err(ApiError::with_detail(ApiErrorDefinition::UNKNOWN_NODE, "no-such-kill-task", id))
}

/// List the running and the most recently completed kill tasks of an instance.
#[utoipa::path(get, path = "/v3/{project_id}/instances/{instance_id}/process/task", tag = "kill tasks",
    operation_id = "ShowKillProcessTask",
    responses((status = 200, description = "Kill tasks, newest first", body = KillTaskList)))]
pub(crate) async fn list_kill_tasks(request: ApiRequest<InstancePath>) -> ApiResult<KillTaskList> {
    let ApiRequest { service, caller, path, .. } = request;
    let (project, instance) = caller.require_instance_permission(Action::GET_INSTANCE, &path).await?;
    let masked = caller.requires_statement_masking(&project, &instance);
    let tasks = service.store.kill_tasks().list_kill_tasks(&instance.id).await?;
    let refused = service.store.instances().list_login_backoffs(&instance.id).await?;
    let refused: Vec<_> = refused.into_iter().map(NodeLoginRefusal::new).collect();
    let processes = tasks.into_iter().map(|task| KillTaskView::new(task, masked, &refused)).collect();
    Ok(Json(KillTaskList { processes }))
}

const SWITCH_STATUS_ON: &str = "ON";
const SWITCH_STATUS_OFF: &str = "OFF";

/// Setting that enables or disables kill tasks for an instance.
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
    responses((status = 200, description = "State of the kill task switch", body = KillTaskSwitch)))]
pub(crate) async fn show_kill_task_switch(request: ApiRequest<InstancePath>) -> ApiResult<KillTaskSwitch> {
    let ApiRequest { service, caller, path, .. } = request;
    let (_, instance) = caller.require_instance_permission(Action::GET_INSTANCE, &path).await?;
    let is_on = service.store.kill_tasks().are_kill_tasks_enabled(&instance.id).await?;
    Ok(Json(KillTaskSwitch { status: if is_on { SWITCH_STATUS_ON } else { SWITCH_STATUS_OFF }.to_owned() }))
}

/// Enable or disable the kill tasks of an instance. Disabling kill tasks stops all running tasks.
#[utoipa::path(put, path = "/v3/{project_id}/instances/{instance_id}/process/task/switch", tag = "kill tasks",
    operation_id = "UpdateAutoKillProcessStatus", request_body = KillTaskSwitch,
    responses((status = 200, description = "The kill task switch is set")))]
pub(crate) async fn set_kill_task_switch(request: ApiRequest<InstancePath>) -> Result<StatusCode, ApiError> {
    let ApiRequest { service, caller, path, body, .. } = request;
    let (project, instance) = caller.authorize_and_find_instance(Action::MODIFY_INSTANCE, &path).await?;
    let KillTaskSwitch { status } = parse_json_body(&body)?;
    let on = match status.as_str() {
        SWITCH_STATUS_ON => true,
        SWITCH_STATUS_OFF => false,
        _ => return Err(value_not_allowed_error("status", &status, &[SWITCH_STATUS_ON, SWITCH_STATUS_OFF])),
    };
    let (origin, kill_tasks) = (caller.build_audit_origin(), service.store.kill_tasks());
    let exists = kill_tasks.set_kill_tasks_enabled(&origin, &project.id, &instance.id, on).await?;
    if exists { Ok(StatusCode::OK) } else { Err(ApiError::new(ApiErrorDefinition::UNKNOWN_INSTANCE)) }
}
