//! From which duration on a session is slow: of one instance, and set for many at once (spec section 2.9).

use axum::body::Bytes;
use axum::extract::{Path, State};
use clew_iam::decision::Action;
use clew_model::{ErrorEntry, InstanceId, SlowThreshold};
use clew_store::StoreError;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Service;
use crate::body::{Body, check_count};
use crate::caller::{self, Caller};
use crate::json::Json;
use crate::refusal::{ErrorBody, Refusal};

/// Instances that get a threshold at once.
const MOST_INSTANCES: usize = 100;

/// From when on a session is slow.
#[derive(Serialize, ToSchema)]
pub(crate) struct SlowProcessThreshold {
    /// In seconds; 10 where nobody set another
    #[schema(minimum = 1, maximum = 86_400)]
    slow_process_threshold: u64,
}

/// A threshold for many instances.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body, which is read field by field to name what is wrong")]
pub(crate) struct BatchSlowProcessThreshold {
    /// Instances of the project; all of them get it, or none
    #[schema(min_items = 1, max_items = 100)]
    instance_ids: Vec<String>,
    /// In seconds
    #[schema(minimum = 1, maximum = 86_400)]
    slow_process_threshold: i32,
}

/// Show from when on a session of an instance is slow.
#[utoipa::path(
    get,
    path = "/v3/{project_id}/instances/{instance_id}/slow-process-threshold",
    tag = "sessions",
    params(("project_id" = String, Path), ("instance_id" = String, Path)),
    responses((status = 200, description = "The threshold", body = SlowProcessThreshold))
)]
pub(crate) async fn show(
    State(service): State<Service>,
    caller: Caller,
    Path((project, instance)): Path<(String, String)>,
) -> Result<Json<SlowProcessThreshold>, Refusal> {
    let (_, instance) = caller.instance(&service, Action::GET_SLOW_THRESHOLD, (&project, &instance), &[]).await?;
    let threshold = service.store.slow_threshold(&instance.id).await?.unwrap_or_default();
    Ok(Json(SlowProcessThreshold { slow_process_threshold: threshold.seconds() }))
}

/// Set from when on a session is slow, for many instances at once.
#[utoipa::path(
    post,
    path = "/v3/{project_id}/instances/slow-process-threshold",
    tag = "sessions",
    params(("project_id" = String, Path)),
    request_body(content = BatchSlowProcessThreshold, content_type = "application/json"),
    responses(
        (status = 200, description = "All instances have it"),
        (status = 400, description = "Invalid field value; nothing was changed", body = ErrorBody),
        (status = 404, description = "The project does not have one of the instances; nothing was changed", body = ErrorBody)
    )
)]
pub(crate) async fn set(
    State(service): State<Service>,
    caller: Caller,
    Path(project): Path<String>,
    body: Bytes,
) -> Result<StatusCode, Refusal> {
    let project = caller.whole_project(&service, Action::MODIFY_SLOW_THRESHOLD, &project).await?;
    let (instances, threshold) = asked(&body)?;
    match service.store.set_slow_threshold(&caller.origin(), &project.id, &instances, threshold).await {
        Ok(()) => Ok(StatusCode::OK),
        Err(StoreError::Unknown { name, .. }) => {
            Err(Refusal::because(ErrorEntry::UNKNOWN_INSTANCE, "not-of-project", vec![("id", name)]))
        }
        Err(error) => Err(error.into()),
    }
}

fn asked(body: &[u8]) -> Result<(Vec<InstanceId>, SlowThreshold), Refusal> {
    let body = Body::parse(body, &["instance_ids", "slow_process_threshold"])?;
    let ids: Vec<String> = body.need("instance_ids")?;
    check_count("instance_ids", ids.len(), 1, MOST_INSTANCES)?;
    let ids = ids.iter().map(|id| caller::instance_id(id)).collect::<Result<_, _>>()?;
    let seconds: i64 = body.need("slow_process_threshold")?;
    let threshold = SlowThreshold::new(seconds).ok_or_else(|| {
        Refusal::out_of_range("slow_process_threshold", seconds.to_string(), &(1..=SlowThreshold::MAX.into()))
    })?;
    Ok((ids, threshold))
}
