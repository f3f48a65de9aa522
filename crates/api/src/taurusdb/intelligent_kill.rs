//! Intelligent kill: preview and execution (spec sections 2.4 and 2.5). `docs/decisions/0011-intelligent-kill.md` says what the spec
//! leaves open.

pub(crate) mod history;
mod link;
pub(crate) mod report;
mod warnings;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use clew_diagnose::{SessionGroup, Strategy};
use clew_iam::decision::Action;
use clew_model::{ErrorEntry, Language, Node};
use clew_store::{NewIntelligentKill, StoreError};
use clew_tasks::KillError;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Service;
use crate::body::Body;
use crate::caller::{Caller, Target};
use crate::json::Json;
use crate::query::Query;
use crate::refusal::{ErrorBody, Refusal};
use crate::statement_text::statement_text;
use warnings::IntelligentKillWarning;

/// What an intelligent kill would end now.
#[derive(Serialize, ToSchema)]
pub(crate) struct IntelligentKillStatistics {
    /// The best groups of each ranking, the best first
    #[schema(max_items = 9)]
    statistics: Vec<IntelligentKillStatistic>,
    /// Root blockers that would survive, and sessions that would be spared; left out where there are none. An addition of Clew's
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    warnings: Vec<IntelligentKillWarning>,
}

/// A group of sessions that run the same statement, but for its literals, and a ranking that chooses it.
#[derive(Serialize, ToSchema)]
pub(crate) struct IntelligentKillStatistic {
    /// Words of the statement, joined by ~, as a throttling rule takes them; empty where it has none
    #[schema(example = "SELECT~COUNT~FROM~t1~WHERE~id")]
    keyword: String,
    /// Statement of the first session; its SQL template where the project masks statements or the caller may not list sessions
    example_sql_text: String,
    /// The sessions, by id
    ids: Vec<u64>,
    count: u64,
    /// Seconds of all of them together
    total_time: f64,
    /// Mean seconds
    avg_time: f64,
    /// Seconds of the longest
    max_time: f64,
    /// top3_time, top3_count or top3_avg_time; a group that several of them choose is there once for each
    #[schema(value_type = String, example = "top3_time")]
    strategy: &'static str,
}

/// An intelligent kill that is asked for.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body, which is read field by field to name what is wrong")]
pub(crate) struct ExecuteIntelligentKill {
    /// The node whose sessions are to end
    node_id: String,
}

/// An intelligent kill was queued.
#[derive(Serialize, ToSchema)]
pub(crate) struct IntelligentKillTask {
    /// Names it: 13 digits
    #[schema(example = "1775616550000")]
    task_id: String,
}

/// Show what an intelligent kill would end.
#[utoipa::path(
    get,
    path = "/v3/{project_id}/instances/{instance_id}/intelligent-kill-session/statistic",
    tag = "sessions",
    params(
        ("project_id" = String, Path), ("instance_id" = String, Path),
        ("node_id" = String, Query, description = "The node")
    ),
    responses(
        (status = 200, description = "The groups that would be killed now", body = IntelligentKillStatistics),
        (status = 400, description = "Invalid parameter value", body = ErrorBody),
        (status = 500, description = "The node cannot be read; the message says why", body = ErrorBody)
    )
)]
pub(crate) async fn preview(
    State(service): State<Service>,
    caller: Caller,
    Path(path): Path<(String, String)>,
    Extension(language): Extension<Language>,
    RawQuery(query): RawQuery,
) -> Result<Json<IntelligentKillStatistics>, Refusal> {
    let query = Query::parse(query.as_deref());
    let target = target(&service, &caller, Action::SHOW_INTELLIGENT_KILL, path, || {
        query?.required("node_id").map(str::to_owned)
    });
    let target = target.await?;
    let kills = &service.intelligent_kills;
    let look = async |limits| match kills.preview(&target.instance.id, &target.node.url, limits).await {
        Ok(chosen) => Ok(Ok(chosen)),
        Err(KillError::Node(failure)) => Err(failure),
        Err(KillError::Store(error)) => Ok(Err(error)),
    };
    let chosen = service.read_node(&target.node, look).await?.map_err(|error: StoreError| Refusal::from(error))?;
    let masked = target.is_masked_for(&service, &caller);
    let statistics = chosen.entries().map(|(strategy, group)| statistic(strategy, group, masked)).collect();
    let warnings = warnings::read(&service, &target.node, &chosen.into_victims(), language).await;
    Ok(Json(IntelligentKillStatistics { statistics, warnings }))
}

#[allow(clippy::cast_precision_loss, reason = "seconds and sessions are far below 2^53")]
fn statistic(strategy: Strategy, group: &SessionGroup, masked: bool) -> IntelligentKillStatistic {
    let first = group.sessions.first().and_then(|session| session.statement.as_deref()).unwrap_or_default();
    let (total, count) = (group.total_seconds() as f64, group.count());
    IntelligentKillStatistic {
        keyword: group.keyword().unwrap_or_default(),
        example_sql_text: statement_text(first, masked),
        ids: group.sessions.iter().map(|session| session.id).collect(),
        count,
        total_time: total,
        avg_time: total / count.max(1) as f64,
        max_time: group.longest_seconds() as f64,
        strategy: strategy.name(),
    }
}

/// Start an intelligent kill.
#[utoipa::path(
    post,
    path = "/v3/{project_id}/instances/{instance_id}/intelligent-kill-session",
    tag = "sessions",
    params(("project_id" = String, Path), ("instance_id" = String, Path)),
    request_body(content = ExecuteIntelligentKill, content_type = "application/json"),
    responses(
        (status = 200, description = "Queued; its end is in the history", body = IntelligentKillTask),
        (status = 400, description = "Invalid field value", body = ErrorBody),
        (status = 409, description = "Too many of the node wait", body = ErrorBody)
    )
)]
pub(crate) async fn execute(
    State(service): State<Service>,
    caller: Caller,
    Path(path): Path<(String, String)>,
    body: Bytes,
) -> Result<Json<IntelligentKillTask>, Refusal> {
    let node = || Body::parse(&body, &["node_id"])?.need::<String>("node_id");
    let target = target(&service, &caller, Action::EXECUTE_INTELLIGENT_KILL, path, node).await?;
    caller.trail.detail("node", target.node.id.as_str());
    let new = NewIntelligentKill {
        by: caller.origin(),
        project_id: target.project.id.clone(),
        instance_id: target.instance.id.clone(),
        node_id: target.node.id,
    };
    match service.intelligent_kills.submit(&new).await {
        Ok(id) => {
            caller.trail.detail("task", id.to_string());
            Ok(Json(IntelligentKillTask { task_id: id.to_string() }))
        }
        Err(StoreError::QueueFull { limit, .. }) => {
            let limit = vec![("limit", limit.to_string())];
            Err(Refusal::because(ErrorEntry::QUEUE_FULL, "intelligent-kills-wait", limit))
        }
        Err(error) => Err(error.into()),
    }
}

/// The node that a query or body names, if the caller may do the action to its instance. What it names is looked at after that.
async fn target(
    service: &Service,
    caller: &Caller,
    action: Action,
    (project, instance): (String, String),
    node: impl FnOnce() -> Result<String, Refusal>,
) -> Result<Target<Node>, Refusal> {
    let (project, instance) = caller.instance(service, action, (&project, &instance), &[]).await?;
    let node = crate::caller::node_to_read(service, &instance, &node()?).await?;
    Ok(Target { project, instance, node })
}
