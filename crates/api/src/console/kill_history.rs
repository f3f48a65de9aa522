//! Kill history of a node.

use std::collections::HashMap;

use clew_iam::decision::Action;
use clew_model::{Actor, NodeId};
use clew_store::{AuditFilter, KillFilter, KillRecord, RecordedKillOutcome, StoreError};
use serde::Serialize;
use utoipa::ToSchema;

use super::format_unix_millis;
use crate::AppState;
use crate::api_request::{ApiRequest, ApiResult, Json};
use crate::caller::{NodePath, TargetNode};
use crate::query_string::{PageParameters, parse_page_parameters};
use crate::session_columns::KilledSessionColumns;

const MAX_SEARCHED_AUDIT_ROWS: u32 = 1000;

/// Page of kills on a node.
#[derive(Serialize, ToSchema)]
pub(crate) struct KillHistoryPage {
    /// Kills, newest first
    kills: Vec<KillHistoryEntry>,
    /// Total number of kills on the node
    total_count: u64,
}

/// Kill of a session.
#[derive(Serialize, ToSchema)]
struct KillHistoryEntry {
    id: i64,
    /// Source of the kill: manual, intelligent or task
    source: &'static str,
    /// Id of the intelligent kill or kill task
    #[schema(required)]
    task_id: Option<String>,
    /// Name of the user that requested the kill; null while the kill is in progress or if its audit row is missing
    #[schema(required)]
    by: Option<String>,
    /// Target of the kill: connection or query
    what: String,
    /// Reason that the user entered for the kill; may be empty
    reason: String,
    #[serde(flatten)]
    session: KilledSessionColumns,
    /// SQL template of the killed statement
    #[schema(required)]
    sql_template: Option<String>,
    /// Time of the kill request (UTC)
    #[serde(rename = "asked_at")]
    requested_at: String,
    #[schema(required)]
    ended_at: Option<String>,
    /// Outcome: killed, rolling_back, ending, already_gone, refused, failed or unknown; null while the kill is pending
    #[schema(required)]
    outcome: Option<&'static str>,
    /// Details of the outcome
    #[schema(required)]
    message: Option<String>,
}

/// List the kills of a node.
#[utoipa::path(get, path = "/clew/v1/{project_id}/instances/{instance_id}/nodes/{node_id}/kills", tag = "console",
    operation_id = "ListKills", params(PageParameters),
    responses((status = 200, description = "Page of kills", body = KillHistoryPage)))]
pub(crate) async fn list_kills(request: ApiRequest<NodePath>) -> ApiResult<KillHistoryPage> {
    let ApiRequest { service, caller, path, query, .. } = request;
    let target = TargetNode::authorize_and_find_node(&caller, Action::GET_INSTANCE, &path).await?;
    let page = parse_page_parameters(query.as_deref())?;
    let filter =
        KillFilter { node_id: Some(target.node.clone()), ..KillFilter::for_instance(target.instance.id.clone()) };
    let (kills, total_count) = service.store.kills().list_kills(&filter, page).await?;
    let actors = load_kill_requester_names(&service, &target.node, &kills).await?;
    let view = |mut kill: KillRecord| KillHistoryEntry {
        by: actors.get(&(kill.request.session_id, kill.requested_at)).cloned(),
        session: KilledSessionColumns::take_from(&mut kill.request),
        id: kill.id,
        source: kill.request.source.name(),
        task_id: kill.request.task_id,
        what: kill.request.kind.into_owned(),
        reason: kill.request.reason,
        sql_template: kill.request.template,
        requested_at: format_unix_millis(kill.requested_at),
        ended_at: kill.ended_at.map(format_unix_millis),
        outcome: kill.outcome.map(RecordedKillOutcome::name),
        message: kill.detail,
    };
    Ok(Json(KillHistoryPage { kills: kills.into_iter().map(view).collect(), total_count }))
}

/// The keys of the map are the thread id and the request time of a kill.
async fn load_kill_requester_names(
    service: &AppState,
    node: &NodeId,
    kills: &[KillRecord],
) -> Result<HashMap<(u64, i64), String>, StoreError> {
    let end_times = || kills.iter().filter_map(|kill| kill.ended_at);
    let (Some(first), Some(last)) = (end_times().min(), end_times().max()) else { return Ok(HashMap::new()) };
    let filter = AuditFilter {
        operation: Some("KillSession".to_owned()),
        node: Some(node.clone()),
        from: Some(first),
        to: Some(last.saturating_add(1)),
        ..AuditFilter::default()
    };
    let rows = service.store.audit().list_audit_rows_after_seq(&filter, 0, MAX_SEARCHED_AUDIT_ROWS).await?;
    let named = rows.into_iter().filter_map(|row| {
        let name = match row.event.origin.actor {
            Actor::User { name, .. } => name,
            _ => "clew".to_owned(),
        };
        Some(((row.event.target.parse().ok()?, row.event.detail.get("asked_at")?.as_i64()?), name))
    });
    Ok(named.collect())
}
