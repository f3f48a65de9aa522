//! Previews and starts intelligent kill operations (sections 2.4 and 2.5 of the TaurusDB API spec).
//!
//! `docs/decisions/0011-intelligent-kill.md` explains the design decisions that the TaurusDB API spec leaves open.

pub(crate) mod history;
pub(crate) mod report;
mod warnings;

use clew_diagnose::{RankingStrategy, SessionGroup};
use clew_iam::decision::Action;
use clew_model::{ApiErrorDefinition, Node};
use clew_store::{IntelligentKillRequest, StoreError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use warnings::IntelligentKillWarning;

use crate::api_request::{ApiRequest, ApiResult, Json};
use crate::caller::{Caller, InstancePath, TargetNode, load_reachable_node_with_password};
use crate::error::ApiError;
use crate::error_responses::{IntelligentKillQueueFull, NodeNotReadable};
use crate::query_string::QueryString;
use crate::request_body::parse_json_body;
use crate::statement_text::render_statement;

/// Preview of an intelligent kill.
#[derive(Serialize, ToSchema)]
pub(crate) struct IntelligentKillPreview {
    /// Session groups that each ranking strategy selects, sorted by rank
    #[schema(max_items = 9)]
    statistics: Vec<SessionGroupStatistics>,
    /// Warnings about skipped sessions and about root blockers that are not killed; omitted if empty (Clew extension)
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    warnings: Vec<IntelligentKillWarning>,
}

/// Statistics of a group of sessions whose statements differ only in literals.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionGroupStatistics {
    /// Keywords of the statement, joined by ~, for use in an SQL throttling rule; may be empty
    #[schema(example = "SELECT~COUNT~FROM~t1~WHERE~id")]
    keyword: String,
    /// Statement of a session in the group; an SQL template if statements are masked or the caller cannot list sessions
    example_sql_text: String,
    /// Thread ids of the sessions
    ids: Vec<u64>,
    count: u64,
    /// Total duration of the sessions in the group, in seconds
    total_time: f64,
    /// Mean duration of the sessions in the group, in seconds
    avg_time: f64,
    /// Longest session duration in the session group, in seconds
    max_time: f64,
    /// Strategy that selected the group: top3_time, top3_count or top3_avg_time; one entry per group and strategy
    #[schema(value_type = String, example = "top3_time")]
    strategy: &'static str,
}

/// Request to start an intelligent kill.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExecuteIntelligentKillRequest {
    /// Id of the node
    node_id: String,
}

/// A queued intelligent kill.
#[derive(Serialize, ToSchema)]
pub(crate) struct IntelligentKillTask {
    /// Id of the intelligent kill: 13 digits
    #[schema(example = "1775616550000")]
    task_id: String,
}

/// Preview the sessions that an intelligent kill would kill.
#[utoipa::path(get, path = "/v3/{project_id}/instances/{instance_id}/intelligent-kill-session/statistic",
    tag = "sessions", operation_id = "ShowIntelligentKillSessionStatistic",
    params(("node_id" = String, Query, description = "Id of the node")),
    responses(
        (status = 200, description = "Session groups that an intelligent kill would kill now", body = IntelligentKillPreview),
        NodeNotReadable
    ))]
pub(crate) async fn preview_intelligent_kill(request: ApiRequest<InstancePath>) -> ApiResult<IntelligentKillPreview> {
    let ApiRequest { service, caller, path, language, query, .. } = request;
    let query = QueryString::parse(query.as_deref());
    let node = || query?.get_required("node_id").map(str::to_owned);
    let target = authorize_and_load_node(&caller, Action::SHOW_INTELLIGENT_KILL, &path, node).await?;
    let kills = &service.intelligent_kills;
    let read_plan = kills.preview_victims(&target.instance.id, &target.node.url);
    let plan = service.run_kill_operation_on_node(&target.node, read_plan).await?;
    let masked = target.requires_statement_masking(&caller);
    let statistics = plan
        .ranked_session_groups()
        .map(|(strategy, group)| build_session_group_statistics(strategy, group, masked))
        .collect();
    let warnings = warnings::find_kill_warnings(&service, &target.node, &plan.into_selected_sessions(), language).await;
    Ok(Json(IntelligentKillPreview { statistics, warnings }))
}

#[allow(clippy::cast_precision_loss, reason = "seconds and sessions are far below 2^53")]
fn build_session_group_statistics(
    strategy: RankingStrategy,
    group: &SessionGroup,
    masked: bool,
) -> SessionGroupStatistics {
    let first = group.sessions.first().and_then(|session| session.statement.as_deref()).unwrap_or_default();
    let (total, count) = (group.total_statement_seconds() as f64, group.session_count());
    SessionGroupStatistics {
        keyword: group.throttling_pattern().unwrap_or_default(),
        example_sql_text: render_statement(first, masked),
        ids: group.sessions.iter().map(|session| session.id).collect(),
        count,
        total_time: total,
        avg_time: total / count.max(1) as f64,
        max_time: group.longest_statement_seconds() as f64,
        strategy: strategy.name(),
    }
}

/// Start an intelligent kill.
#[utoipa::path(post, path = "/v3/{project_id}/instances/{instance_id}/intelligent-kill-session", tag = "sessions",
    operation_id = "ExecuteIntelligentKillSession", request_body = ExecuteIntelligentKillRequest,
    responses(
        (status = 200, description = "The intelligent kill is queued; the history lists it after its completion", body = IntelligentKillTask),
        IntelligentKillQueueFull
    ))]
pub(crate) async fn execute_intelligent_kill(request: ApiRequest<InstancePath>) -> ApiResult<IntelligentKillTask> {
    let ApiRequest { service, caller, path, body, .. } = request;
    let node = || parse_json_body(&body).map(|request: ExecuteIntelligentKillRequest| request.node_id);
    let target = authorize_and_load_node(&caller, Action::EXECUTE_INTELLIGENT_KILL, &path, node).await?;
    caller.audit.add_detail("node", target.node.id.as_str());
    let new = IntelligentKillRequest {
        by: caller.build_audit_origin(),
        project_id: target.project.id.clone(),
        instance_id: target.instance.id.clone(),
        node_id: target.node.id,
    };
    match service.intelligent_kills.submit_kill(&new).await {
        Ok(id) => {
            caller.audit.add_detail("task", id.to_string());
            Ok(Json(IntelligentKillTask { task_id: id.to_string() }))
        }
        Err(StoreError::QueueFull { limit, .. }) => {
            let limit = [("limit", limit.to_string())];
            Err(ApiError::with_detail(ApiErrorDefinition::QUEUE_FULL, "intelligent-kills-wait", limit))
        }
        Err(error) => Err(error.into()),
    }
}

async fn authorize_and_load_node(
    caller: &Caller,
    action: Action,
    path: &InstancePath,
    node: impl FnOnce() -> Result<String, ApiError>,
) -> Result<TargetNode<Node>, ApiError> {
    let (project, instance) = caller.require_instance_permission(action, path).await?;
    let node = load_reachable_node_with_password(&caller.service, &instance, &node()?).await?;
    Ok(TargetNode { project, instance, node })
}
