//! History of an instance's killed sessions, with the source and outcome of each kill.

use clew_iam::decision::Action;
use clew_model::Pagination;
use clew_store::{KillFilter, KillRecord};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::api_request::{ApiRequest, ApiResult, Json};
use crate::caller::InstancePath;
use crate::error::ApiError;
use crate::query_string::QueryString;
use crate::session_columns::KilledSessionColumns;

/// The kill history omits older kills (TaurusDB API spec, section 2.8).
const MAX_LISTED_KILLS: u32 = 500;

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "schema of the query; the handler parses it parameter by parameter for exact errors")]
pub(crate) struct KillHistoryParameters {
    /// Start of the time range (inclusive), as a Unix timestamp in milliseconds
    #[param(minimum = 0)]
    start_time: Option<i64>,
    /// End of the time range (exclusive), as a Unix timestamp in milliseconds
    #[param(minimum = 0)]
    end_time: Option<i64>,
    /// Page number, starting at 1; 0 selects page 1
    #[param(minimum = 0, maximum = 2_147_483_647, default = 1)]
    page_num: Option<u32>,
    /// Number of kills per page
    #[param(minimum = 1, maximum = 100, default = 10)]
    page_size: Option<u32>,
}

/// Page of killed sessions.
#[derive(Serialize, ToSchema)]
pub(crate) struct KillHistory {
    /// Killed sessions, newest first
    killed_sessions: Vec<KilledSessionView>,
    /// Number of kills in the time range; values above 500 are reported as 500
    total_count: u64,
}

/// A killed session.
#[derive(Serialize, ToSchema)]
pub(crate) struct KilledSessionView {
    instance_id: String,
    node_id: String,
    /// Id of the kill task or intelligent kill; null for a manual kill
    #[schema(required)]
    task_id: Option<String>,
    #[serde(flatten)]
    session: KilledSessionColumns,
    /// SQL template of the statement
    #[schema(required)]
    info: Option<String>,
    /// Time at which Clew decided to kill the session, as a Unix timestamp in milliseconds
    kill_time: i64,
    /// Source of the kill: manual, intelligent or task
    killed_source: &'static str,
    /// Outcome (Clew extension): killed, rolling_back, ending, already_gone, refused, failed, unknown or null (pending)
    #[schema(required)]
    outcome: Option<&'static str>,
}

/// List the killed sessions of an instance.
#[utoipa::path(get, path = "/v3/{project_id}/instances/{instance_id}/process/kill/history", tag = "kill tasks",
    operation_id = "ShowKillProcessHistory", params(KillHistoryParameters),
    responses((status = 200, description = "Page of killed sessions", body = KillHistory)))]
pub(crate) async fn list_killed_sessions(request: ApiRequest<InstancePath>) -> ApiResult<KillHistory> {
    let ApiRequest { service, caller, path, query, .. } = request;
    let (_, instance) = caller.require_instance_permission(Action::GET_INSTANCE, &path).await?;
    let query = QueryString::parse(query.as_deref())?;
    query.reject_unknown_parameters(&["start_time", "end_time", "page_num", "page_size"])?;
    let (from, to) = (query.get_unix_millis("start_time")?, query.get_unix_millis("end_time")?);
    if let (Some(from), Some(to)) = (from, to)
        && from >= to
    {
        return Err(ApiError::invalid_parameter("kill-history-range", []));
    }
    let page_size = query.get_number_in_range("page_size", 1..=100, 10)?;
    let page = query.get_number_in_range("page_num", 0..=i32::MAX.unsigned_abs(), 1)?.max(1);
    let offset = page_size.saturating_mul(page - 1);
    let limit = page_size.min(MAX_LISTED_KILLS.saturating_sub(offset));
    let filter = KillFilter { from, to, ..KillFilter::for_instance(instance.id.clone()) };
    let (kills, total) = service.store.kills().list_kills(&filter, Pagination { offset, limit }).await?;
    Ok(Json(KillHistory {
        killed_sessions: kills.into_iter().map(build_killed_session_view).collect(),
        total_count: total.min(MAX_LISTED_KILLS.into()),
    }))
}

fn build_killed_session_view(mut kill: KillRecord) -> KilledSessionView {
    KilledSessionView {
        session: KilledSessionColumns::take_from(&mut kill.request),
        instance_id: kill.request.instance_id.to_string(),
        node_id: kill.request.node_id.to_string(),
        task_id: kill.request.task_id,
        info: kill.request.template,
        kill_time: kill.requested_at,
        killed_source: kill.request.source.name(),
        outcome: kill.outcome.map(clew_store::RecordedKillOutcome::name),
    }
}
