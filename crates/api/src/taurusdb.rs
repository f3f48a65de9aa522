//! Handlers of the TaurusDB API (API spec, sections 1 to 3). The API is wire-compatible with Huawei Cloud.

pub(crate) mod download;
pub(crate) mod instances;
pub(crate) mod intelligent_kill;
pub(crate) mod kill_tasks;
pub(crate) mod lock_wait;
pub(crate) mod process_kill;
pub(crate) mod processes;
pub(crate) mod rollback_progress;
pub(crate) mod session_collection;
pub(crate) mod slow_session_threshold;
pub(crate) mod tags;
pub(crate) mod task_status;

use std::sync::Arc;

use clew_model::RequestId;
use clew_store::{NewSessionCollectionTask, SessionCollectionTask};

use crate::caller::{Caller, TargetNode};
use crate::error::ApiError;

pub(crate) async fn find_collection_task(
    caller: &Caller,
    target: &TargetNode,
    id: &str,
) -> Result<Option<Arc<SessionCollectionTask>>, ApiError> {
    let id: RequestId = id.parse().map_err(|_| ApiError::invalid_parameter("parameter-request-id", []))?;
    let task = caller.view.find_task(&id).await?.filter(|task| {
        let NewSessionCollectionTask { project_id, instance_id, node_id, .. } = &task.request;
        *project_id == target.project.id && *instance_id == target.instance.id && *node_id == target.node
    });
    Ok(task)
}
