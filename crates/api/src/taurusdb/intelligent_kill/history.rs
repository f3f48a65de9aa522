//! Implements the operation `ListIntelligentKillSessionHistory` (section 2.6 of the TaurusDB API spec).

use clew_iam::decision::Action;
use clew_store::{IntelligentKill, IntelligentKillFilter};
use serde::Serialize;
use utoipa::ToSchema;

use super::report;
use crate::api_request::{ApiRequest, ApiResult, Json};
use crate::caller::InstancePath;
use crate::field_errors::invalid_field_error;
use crate::query_string;
use crate::query_string::QueryString;

/// One page of the completed intelligent kills on a node.
#[derive(Serialize, ToSchema)]
pub(crate) struct IntelligentKillHistoryPage {
    /// Completed intelligent kills, newest first
    #[schema(max_items = 100)]
    intelligent_kill_session_histories: Vec<CompletedIntelligentKill>,
    /// Total number of completed intelligent kills in the time range
    total_count: u64,
}

/// A completed intelligent kill.
#[derive(Serialize, ToSchema)]
pub(crate) struct CompletedIntelligentKill {
    #[schema(example = "1774873478588")]
    task_id: String,
    /// Request time, as a Unix timestamp in seconds
    start_time: i64,
    /// Completion time, as a Unix timestamp in seconds
    end_time: i64,
    /// Link for downloading a CSV file with the kill outcome of each session.
    /// Keep the link secret: anyone can use the link without credentials for up to an hour
    download_link: String,
    /// Status: finished or error (Clew extension to the TaurusDB API)
    #[schema(value_type = String, example = "finished")]
    status: &'static str,
    /// Reason why the intelligent kill is incomplete; omitted if the kill is complete (Clew extension to the TaurusDB API)
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// List the intelligent kills of a node.
#[utoipa::path(get, path = "/v3/{project_id}/instances/{instance_id}/intelligent-kill-session/history",
    tag = "sessions", operation_id = "ListIntelligentKillSessionHistory",
    params(
        ("node_id" = String, Query, description = "Id of the node"),
        ("start_time" = i64, Query, description = "Start of the range of request times (inclusive), as a Unix timestamp in milliseconds"),
        ("end_time" = i64, Query, description = "End of the range of request times (exclusive), as a Unix timestamp in milliseconds"),
        ("limit" = Option<String>, Query, description = "Maximum number of entries to return: 1 to 100; default 100"),
        ("offset" = Option<String>, Query, description = "Number of entries to skip; default 0")
    ),
    responses((status = 200, description = "Page of completed intelligent kills", body = IntelligentKillHistoryPage)))]
pub(crate) async fn list_intelligent_kills(request: ApiRequest<InstancePath>) -> ApiResult<IntelligentKillHistoryPage> {
    let ApiRequest { service, caller, path, query, headers, .. } = request;
    let query = QueryString::parse(query.as_deref());
    let parsed = query.as_ref().map_err(Clone::clone);
    let node = || parsed.clone()?.get_required("node_id").map(str::to_owned);
    let target = super::authorize_and_load_node(&caller, Action::SHOW_INTELLIGENT_KILL, &path, node).await?;
    let query = query?;
    let (from, to) = (query.get_required_unix_millis("start_time")?, query.get_required_unix_millis("end_time")?);
    if from >= to {
        return Err(invalid_field_error("end_time", &to.to_string()));
    }
    let page = query_string::parse_page_from_query_string(&query)?;
    let filter = IntelligentKillFilter { instance_id: target.instance.id.clone(), node_id: target.node.id, from, to };
    let (kills, total_count) = service.store.kills().list_intelligent_kills(&filter, page).await?;
    let server_url = clew_http::base_url_from_request(caller.client.as_ref(), &headers);
    let entry = |kill: IntelligentKill| CompletedIntelligentKill {
        task_id: kill.id.to_string(),
        start_time: kill.id.requested_at_millis().div_euclid(1000),
        end_time: kill.ended_at.unwrap_or_default().div_euclid(1000),
        download_link: report::create_report_link(&service.store, &server_url, kill.id, caller.expires_at),
        status: kill.status.api_name(),
        reason: kill.reason,
    };
    let intelligent_kill_session_histories = kills.into_iter().map(entry).collect();
    Ok(Json(IntelligentKillHistoryPage { intelligent_kill_session_histories, total_count }))
}
