//! Whom a task would kill at this moment, on all nodes of an instance: decided by what the worker decides by.

use std::collections::HashMap;

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use clew_diagnose::{KillRisk, KillRule, clean, victims};
use clew_iam::decision::Action;
use clew_model::{Language, Limitation, NodeId, Session};
use clew_mysql::{Errand, read_table_risks, read_user_sessions};
use futures_util::future::try_join_all;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::criteria::{FIELDS, Texts};
use crate::Service;
use crate::caller::{Caller, must_reach};
use crate::json::Json;
use crate::kill_risks::KillRiskView;
use crate::query::Query;
use crate::refusal::{ErrorBody, Refusal};
use crate::statement_text::statement_text;

/// Sessions that are shown, those in their state for longest first; more are counted only.
const MOST_SHOWN: usize = 500;
/// Characters of a statement that are shown.
const LONGEST_STATEMENT: usize = 4096;

/// Whom a task would kill. Criteria are joined by AND.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes the query, which is read parameter by parameter to name what is wrong")]
pub(crate) struct PreviewParameters {
    /// Least seconds in the current state
    #[param(minimum = 1, maximum = 2_147_483_647, required = true)]
    time: i32,
    /// Account, exact
    #[param(min_length = 1, max_length = 32)]
    user: Option<String>,
    /// Client address: host, or host:port
    #[param(min_length = 1, max_length = 255)]
    host: Option<String>,
    /// Default database, exact
    #[param(min_length = 1, max_length = 64)]
    db: Option<String>,
    /// Kind of command, in any case
    #[param(min_length = 1, max_length = 255)]
    command: Option<String>,
    /// Part of the statement, in any case
    #[param(min_length = 1, max_length = 1024)]
    info: Option<String>,
    /// Kill also sessions whose end can damage or half-change a table without transactions. An addition of Clew's
    include_unsafe: Option<bool>,
}

/// Whom a task would kill.
#[derive(Serialize, ToSchema)]
pub(crate) struct Preview {
    /// Those in their state for longest first
    #[schema(max_items = 500)]
    processes: Vec<PreviewedProcess>,
    /// How many there are in all
    total_count: usize,
    /// When the nodes were looked at, in milliseconds since 1970
    data_sync_time: i64,
    /// Why sessions of a node may be missing here, and are not killed by a task
    limitations: Vec<NodeLimitation>,
    /// Matching sessions that the task would spare, as their end can damage a table; left out where there are none. An addition of Clew's
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false, max_items = 500)]
    spared: Vec<SparedProcess>,
    /// How many sessions would be spared in all; left out where there are none. An addition of Clew's
    #[serde(skip_serializing_if = "is_zero")]
    #[schema(required = false)]
    spared_count: usize,
}

/// Something that a node does not show.
#[derive(Serialize, ToSchema)]
pub(crate) struct NodeLimitation {
    node_id: String,
    /// What is missing
    what: String,
    /// Why
    why: String,
    /// A statement or setting that would show it
    #[schema(required)]
    remedy: Option<String>,
}

impl NodeLimitation {
    fn of(node: &NodeId, gap: Limitation) -> Self {
        Self { node_id: node.to_string(), what: gap.what, why: gap.why, remedy: gap.remedy }
    }
}

/// A matching session that would be spared.
#[derive(Serialize, ToSchema)]
pub(crate) struct SparedProcess {
    #[serde(flatten)]
    process: PreviewedProcess,
    /// Why
    risk: KillRiskView,
}

/// A session that would be killed.
#[derive(Serialize, ToSchema)]
pub(crate) struct PreviewedProcess {
    node_id: String,
    /// Thread id
    id: u64,
    user: String,
    host: String,
    #[schema(required)]
    db: Option<String>,
    command: String,
    /// The statement, or its beginning; its SQL template where the project masks statements or the caller may not list sessions
    #[schema(required)]
    sql_info: Option<String>,
    /// Seconds in the current state
    state_duration: u64,
    #[schema(required)]
    state: Option<String>,
}

/// Show whom a task would kill at this moment.
#[utoipa::path(
    get,
    path = "/v3/{project_id}/instances/{instance_id}/process/task/preview",
    tag = "kill tasks",
    params(("project_id" = String, Path), ("instance_id" = String, Path), PreviewParameters),
    responses(
        (status = 200, description = "Whom it would kill", body = Preview),
        (status = 400, description = "Invalid parameter value", body = ErrorBody),
        (status = 500, description = "A node cannot be read; the message says why", body = ErrorBody)
    )
)]
pub(crate) async fn show(
    State(service): State<Service>,
    caller: Caller,
    Path((project, instance)): Path<(String, String)>,
    Extension(language): Extension<Language>,
    RawQuery(query): RawQuery,
) -> Result<Json<Preview>, Refusal> {
    let (project, instance) = caller.instance(&service, Action::GET_INSTANCE, (&project, &instance), &[]).await?;
    let query = Query::parse(query.as_deref())?;
    query.check_names(&FIELDS)?;
    let criteria = Texts::of_query(&query).criteria()?;
    let masked = caller.sees_templates(&service, &project, &instance);
    let rules = [KillRule::new(&criteria).masked(masked)];
    let data_sync_time = Timestamp::now().as_millisecond();
    let nodes = service.store.nodes_to_read(&instance.id).await?;
    nodes.iter().try_for_each(|node| must_reach(&service, node))?;
    let looks = nodes.iter().map(async |node| {
        let read = async |limits| read_user_sessions(&node.url, Errand::Reading, &limits).await;
        let mut listed = service.read_node(node, read).await?;
        let gaps: Vec<NodeLimitation> =
            listed.limitations.drain(..).map(|gap| NodeLimitation::of(&node.id, gap)).collect();
        let matched: Vec<Session> = victims(&rules, listed.into_choosable(), service.kills.protected())
            .into_iter()
            .map(|(_, session)| session)
            .collect();
        let risks = if criteria.include_unsafe {
            HashMap::new()
        } else {
            service.read_node(node, async |limits| read_table_risks(&node.url, &matched, &limits).await).await?
        };
        Ok::<_, Refusal>((&node.id, matched, risks, gaps))
    });
    let mut killed: Vec<(&NodeId, Session)> = Vec::new();
    let mut spared: Vec<(&NodeId, Session, KillRisk)> = Vec::new();
    let mut limitations = Vec::new();
    for (node, matched, mut risks, gaps) in try_join_all(looks).await? {
        limitations.extend(gaps);
        for session in matched {
            match risks.remove(&session.id) {
                Some(risk) => spared.push((node, session, risk)),
                None => killed.push((node, session)),
            }
        }
    }
    Ok(Json(preview(killed, spared, limitations, data_sync_time, (masked, language))))
}

/// The sessions in their state for longest, and how many there are.
fn preview(
    mut killed: Vec<(&NodeId, Session)>,
    mut spared: Vec<(&NodeId, Session, KillRisk)>,
    limitations: Vec<NodeLimitation>,
    data_sync_time: i64,
    (masked, language): (bool, Language),
) -> Preview {
    killed.sort_by_key(|(node, session)| (std::cmp::Reverse(session.seconds), *node, session.id));
    spared.sort_by_key(|(node, session, _)| (std::cmp::Reverse(session.seconds), *node, session.id));
    let (total_count, spared_count) = (killed.len(), spared.len());
    let processes = killed.into_iter().take(MOST_SHOWN).map(|(node, session)| view(node, &session, masked)).collect();
    let spared = spared.into_iter().take(MOST_SHOWN).map(|(node, session, risk)| SparedProcess {
        process: view(node, &session, masked),
        risk: KillRiskView::new(&risk, language),
    });
    Preview { processes, total_count, data_sync_time, limitations, spared: spared.collect(), spared_count }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

fn view(node: &NodeId, session: &Session, masked: bool) -> PreviewedProcess {
    let statement = |statement: &[u8]| statement_text(statement, masked).chars().take(LONGEST_STATEMENT).collect();
    PreviewedProcess {
        node_id: node.to_string(),
        id: session.id,
        user: clean(&session.user),
        host: clean(&session.host),
        db: session.database.as_deref().map(clean),
        command: clean(&session.command),
        sql_info: session.statement.as_deref().map(statement),
        state_duration: session.seconds,
        state: session.state.as_deref().map(clean),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_beyond_those_that_are_shown_are_counted() {
        let node = NodeId::generate();
        let session = |id: u64| Session { id, seconds: id, ..Session::default() };
        let killed = (1..=501).map(|id| (&node, session(id))).collect();
        let spared =
            (1..=502).map(|id| (&node, session(id), KillRisk::UnknownTables { statement: "UPDATE" })).collect();
        let shown = preview(killed, spared, Vec::new(), 0, (false, Language::EnUs));
        assert_eq!((shown.processes.len(), shown.total_count), (500, 501));
        assert_eq!((shown.spared.len(), shown.spared_count), (500, 502));
        assert_eq!(shown.spared[0].process.id, 502, "those in their state for longest");
    }
}
