//! Who was killed on an instance, on whose word, and what became of it.

use axum::extract::{Path, RawQuery, State};
use clew_iam::decision::Action;
use clew_model::Page;
use clew_store::{KillFilter, KilledSession};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::Service;
use crate::caller::Caller;
use crate::json::Json;
use crate::query::{Query, shown};
use crate::refusal::{ErrorBody, Refusal};

/// Kills of a range that are shown: the newest (spec section 2.8).
const MOST: u32 = 500;

/// Which kills, and which part of them.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes the query, which is read parameter by parameter to name what is wrong")]
pub(crate) struct HistoryParameters {
    /// Not before this moment, in milliseconds since 1970
    #[param(minimum = 0)]
    start_time: Option<i64>,
    /// Before this moment, in milliseconds since 1970
    #[param(minimum = 0)]
    end_time: Option<i64>,
    /// The first page is 1, and 0 is the same
    #[param(minimum = 0, maximum = 2_147_483_647, default = 1)]
    page_num: Option<u32>,
    /// Kills of a page
    #[param(minimum = 1, maximum = 100, default = 10)]
    page_size: Option<u32>,
}

/// A page of kills.
#[derive(Serialize, ToSchema)]
pub(crate) struct KillHistory {
    /// The newest first
    killed_sessions: Vec<KilledSessionView>,
    /// Kills of the range, at most 500
    total_count: u64,
}

/// A kill.
#[derive(Serialize, ToSchema)]
pub(crate) struct KilledSessionView {
    instance_id: String,
    node_id: String,
    /// The task, or the intelligent kill; null if somebody named the session
    #[schema(required)]
    task_id: Option<String>,
    /// Thread id
    session_id: u64,
    user: String,
    host: String,
    #[schema(required)]
    db: Option<String>,
    command: String,
    /// Seconds that it had been in its state
    time: u64,
    #[schema(required)]
    state: Option<String>,
    /// Template of its statement
    #[schema(required)]
    info: Option<String>,
    /// When it was decided, in milliseconds since 1970
    kill_time: i64,
    /// manual, intelligent or task
    killed_source: &'static str,
    /// killed, rolling_back, ending, already_gone, refused, failed or unknown; null while it is not known. An addition of Clew's
    #[schema(required)]
    outcome: Option<&'static str>,
}

/// List who was killed on an instance.
#[utoipa::path(
    get,
    path = "/v3/{project_id}/instances/{instance_id}/process/kill/history",
    tag = "kill tasks",
    params(("project_id" = String, Path), ("instance_id" = String, Path), HistoryParameters),
    responses(
        (status = 200, description = "A page of kills", body = KillHistory),
        (status = 400, description = "Invalid parameter value", body = ErrorBody)
    )
)]
pub(crate) async fn list(
    State(service): State<Service>,
    caller: Caller,
    Path((project, instance)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Json<KillHistory>, Refusal> {
    let (_, instance) = caller.instance(&service, Action::GET_INSTANCE, (&project, &instance), &[]).await?;
    let query = Query::parse(query.as_deref())?;
    query.check_names(&["start_time", "end_time", "page_num", "page_size"])?;
    let (from, to) = (moment(&query, "start_time")?, moment(&query, "end_time")?);
    if let (Some(from), Some(to)) = (from, to)
        && from >= to
    {
        return Err(Refusal::parameter("kill-history-range", Vec::new()));
    }
    let page_size = query.number("page_size", 1, 100, 10)?;
    let page = query.number("page_num", 0, i32::MAX.unsigned_abs(), 1)?.max(1);
    let offset = page_size.saturating_mul(page - 1);
    let limit = page_size.min(MOST.saturating_sub(offset));
    let filter = KillFilter { from, to, ..KillFilter::of_instance(instance.id.clone()) };
    let (kills, total) = service.store.killed_sessions(&filter, Page { offset, limit }).await?;
    Ok(Json(KillHistory {
        killed_sessions: kills.into_iter().map(view).collect(),
        total_count: total.min(MOST.into()),
    }))
}

fn moment(query: &Query, name: &'static str) -> Result<Option<i64>, Refusal> {
    let Some(given) = query.get(name) else { return Ok(None) };
    let digits = given.bytes().all(|byte| byte.is_ascii_digit());
    let moment = given.parse().ok().filter(|_| digits);
    moment.map(Some).ok_or_else(|| Query::wrong(name, &shown(given)))
}

fn view(kill: KilledSession) -> KilledSessionView {
    KilledSessionView {
        instance_id: kill.instance_id.to_string(),
        node_id: kill.node_id.to_string(),
        task_id: kill.task_id,
        session_id: kill.session_id,
        user: kill.user,
        host: kill.host,
        db: kill.database,
        command: kill.command,
        time: kill.seconds,
        state: kill.state,
        info: kill.template,
        kill_time: kill.asked_at,
        killed_source: kill.source.name(),
        outcome: kill.outcome.map(clew_store::KillEnd::name),
    }
}
