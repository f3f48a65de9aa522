//! Kill tasks (spec section 2.8): the switch of an instance, its tasks, what one would kill, and what was killed.
//! `docs/decisions/0012-kill-tasks.md` says what was chosen where the API's description is silent.

mod criteria;
pub(crate) mod history;
pub(crate) mod preview;
pub(crate) mod switch;
mod wire;

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use clew_iam::decision::Action;
use clew_model::{ErrorEntry, KillCriteria};
use clew_store::NewKillTask;
use http::HeaderMap;
use serde_json::json;

use crate::Service;
use crate::body::{Body, missing};
use crate::caller::Caller;
use crate::console::cookie;
use crate::json::Json;
use crate::query::shown;
use crate::refusal::{ErrorBody, Refusal};
use criteria::{FIELDS, Texts};
use wire::{AddKillTask, KillTaskAdded, KillTaskView, KillTasks, RefusedNode, StopKillTask, Success};

/// Seconds that a task with an end of its own may run.
const SHORTEST: u32 = 10;
/// A second less than a year.
const LONGEST: u32 = 31_535_999;

/// What ends a task.
const AUTO: &str = "auto";
/// It ends by somebody's hand alone.
const MANUAL: &str = "manual";

/// Add a task that kills sessions of an instance by itself.
#[utoipa::path(
    post,
    path = "/v3/{project_id}/instances/{instance_id}/process/task",
    tag = "kill tasks",
    params(("project_id" = String, Path), ("instance_id" = String, Path)),
    request_body(content = AddKillTask, content_type = "application/json"),
    responses(
        (status = 200, description = "It runs from now on", body = KillTaskAdded),
        (status = 400, description = "Invalid field value", body = ErrorBody),
        (status = 409, description = "The switch is off, or five tasks run already", body = ErrorBody)
    )
)]
pub(crate) async fn add(
    State(service): State<Service>,
    caller: Caller,
    Path((project, instance)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<KillTaskAdded>, Refusal> {
    let path = (project.as_str(), instance.as_str());
    let (project, instance) = caller.instance_of_whole_project(&service, Action::MODIFY_INSTANCE, path).await?;
    let NewTask { criteria, duration, confirmed } = asked(&body)?;
    caller.check_may_work_for(duration.map(|duration| duration.as_secs()))?;
    let must_confirm = criteria.is_duration_only() && cookie::signs_in(&headers, caller.connection.as_ref());
    if confirmed.as_deref().map_or(must_confirm, |name| name != instance.name) {
        return Err(Refusal::parameter("kill-task-confirmation", vec![("name", instance.name.clone())]));
    }
    let mut audit_detail = criteria::audit_detail(&criteria);
    if let Some(fields) = audit_detail.as_object_mut() {
        fields.insert("task_duration".into(), json!(duration.map(|duration| duration.as_secs())));
    }
    let masked = caller.sees_templates(&service, &project, &instance);
    let task = NewKillTask { criteria, masked, duration, audit_detail };
    let added = service.store.add_kill_task(&caller.origin(), &project.id, &instance.id, &task).await?;
    let id = added.ok_or_else(|| Refusal::new(ErrorEntry::UNKNOWN_INSTANCE))?;
    Ok(Json(KillTaskAdded { success: true, task_id: id.to_string() }))
}

/// A task to be added, as its body has it.
struct NewTask {
    criteria: KillCriteria,
    duration: Option<Duration>,
    /// The instance's name, typed to confirm a task that kills every user session.
    confirmed: Option<String>,
}

fn asked(body: &[u8]) -> Result<NewTask, Refusal> {
    let mut known = FIELDS.to_vec();
    known.extend(["task_type", "task_duration", "confirmed_instance_name"]);
    let body = Body::parse(body, &known)?;
    let criteria = Texts::of_body(&body)?.criteria()?;
    let kind: String = body.need("task_type")?;
    let duration = criteria::digits(&body, "task_duration");
    let duration = match (kind.as_str(), duration) {
        (AUTO, Some(given)) => {
            let seconds = criteria::whole("task_duration", &given, SHORTEST, LONGEST)?;
            Some(Duration::from_secs(seconds.into()))
        }
        (AUTO, None) => return Err(missing("task_duration")),
        (MANUAL, None) => None,
        (MANUAL, Some(_)) => return Err(Refusal::parameter("kill-task-duration", Vec::new())),
        _ => return Err(Refusal::not_one_of("task_type", shown(&kind), &[AUTO, MANUAL])),
    };
    Ok(NewTask { criteria, duration, confirmed: body.get("confirmed_instance_name")? })
}

/// Stop a task. One that is over already stays as it is.
#[utoipa::path(
    put,
    path = "/v3/{project_id}/instances/{instance_id}/process/task",
    tag = "kill tasks",
    params(("project_id" = String, Path), ("instance_id" = String, Path)),
    request_body(content = StopKillTask, content_type = "application/json"),
    responses(
        (status = 200, description = "It kills no more", body = Success),
        (status = 400, description = "Invalid field value", body = ErrorBody),
        (status = 404, description = "The instance has no such task", body = ErrorBody)
    )
)]
pub(crate) async fn stop(
    State(service): State<Service>,
    caller: Caller,
    Path((project, instance)): Path<(String, String)>,
    body: Bytes,
) -> Result<Json<Success>, Refusal> {
    let path = (project.as_str(), instance.as_str());
    let (project, instance) = caller.instance_of_whole_project(&service, Action::MODIFY_INSTANCE, path).await?;
    let body = Body::parse(&body, &["task_id"])?;
    let given = criteria::digits(&body, "task_id").ok_or_else(|| missing("task_id"))?;
    let id: Option<i64> = given.parse().ok();
    let stopped = match id {
        Some(id) => service.store.stop_kill_task(&caller.origin(), &project.id, &instance.id, id).await?,
        None => false,
    };
    if stopped {
        return Ok(Json(Success { success: true }));
    }
    Err(Refusal::because(ErrorEntry::UNKNOWN_NODE, "no-such-kill-task", vec![("id", shown(&given))]))
}

/// List the tasks of an instance: those that run, and the latest that are over.
#[utoipa::path(
    get,
    path = "/v3/{project_id}/instances/{instance_id}/process/task",
    tag = "kill tasks",
    params(("project_id" = String, Path), ("instance_id" = String, Path)),
    responses((status = 200, description = "The tasks, the newest first", body = KillTasks))
)]
pub(crate) async fn list(
    State(service): State<Service>,
    caller: Caller,
    Path((project, instance)): Path<(String, String)>,
) -> Result<Json<KillTasks>, Refusal> {
    let (project, instance) = caller.instance(&service, Action::GET_INSTANCE, (&project, &instance), &[]).await?;
    let masked = caller.sees_templates(&service, &project, &instance);
    let tasks = service.store.kill_tasks(&instance.id).await?;
    let refused = service.store.login_backoffs(&instance.id).await?.into_iter().map(RefusedNode::new);
    let refused: Vec<RefusedNode> = refused.collect();
    let processes = tasks.into_iter().map(|task| KillTaskView::new(task, masked, &refused)).collect();
    Ok(Json(KillTasks { processes }))
}
