//! Previews which sessions a kill task would kill, using the same matching rules as the worker.

use std::collections::HashMap;

use clew_diagnose::{KillRisk, KillRule, select_sessions_to_kill};
use clew_iam::decision::Action;
use clew_model::{Language, Limitation, LocalizedText, NodeId, Session};
use clew_mysql::{ConnectionPurpose, find_sessions_unsafe_to_kill, read_client_sessions};
use futures_util::future::try_join_all;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::criteria::{KILL_CRITERIA_FIELD_NAMES, RawKillCriteria};
use super::wire_format::is_default;
use crate::api_request::{ApiRequest, ApiResult, Json};
use crate::caller::{InstancePath, require_reachable_network_zone};
use crate::error::ApiError;
use crate::error_responses::SomeNodeNotReadable;
use crate::manual_kill::KillRiskView;
use crate::query_string::QueryString;
use crate::session_columns::SessionColumns;
use crate::statement_text::render_statement;

/// Additional sessions are counted but not listed.
const MAX_LISTED_SESSIONS: usize = 500;
const MAX_STATEMENT_LEN: usize = 4096;

/// Criteria of the kill task to preview. A session must match all criteria.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "schema of the query; the handler parses it parameter by parameter for exact errors")]
pub(crate) struct KillTaskPreviewParameters {
    /// Minimum time in the current state, in seconds
    #[param(minimum = 1, maximum = 2_147_483_647, required = true)]
    time: i32,
    /// Account name, exact match
    #[param(min_length = 1, max_length = 32)]
    user: Option<String>,
    /// Client address: host or host:port
    #[param(min_length = 1, max_length = 255)]
    host: Option<String>,
    /// Default database, exact match
    #[param(min_length = 1, max_length = 64)]
    db: Option<String>,
    /// Command type (case-insensitive)
    #[param(min_length = 1, max_length = 255)]
    command: Option<String>,
    /// Substring of the statement (case-insensitive)
    #[param(min_length = 1, max_length = 1024)]
    info: Option<String>,
    /// If true, the task kills sessions even if a kill can damage a non-transactional table (Clew extension)
    include_unsafe: Option<bool>,
}

/// Preview of a kill task.
#[derive(Serialize, ToSchema)]
pub(crate) struct KillTaskPreview {
    /// Sessions that the task would kill, sorted by time in the current state, longest first
    #[schema(max_items = 500)]
    processes: Vec<PreviewedProcess>,
    /// Number of sessions that the task would kill
    total_count: usize,
    /// Time at which the sessions were read, as a Unix timestamp in milliseconds
    data_sync_time: i64,
    /// Notes about data that Clew cannot read from the nodes; missing data can hide matching sessions
    limitations: Vec<UnreadableNodeData>,
    /// Matching sessions that are skipped because a kill could damage a table; omitted if empty (Clew extension)
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false, max_items = 500)]
    spared: Vec<SkippedProcess>,
    /// Number of sessions skipped because a kill could damage a table; omitted if zero (Clew extension)
    #[serde(skip_serializing_if = "is_default")]
    #[schema(required = false)]
    spared_count: usize,
}

/// Data that Clew cannot read from a node. The `X-Language` request header determines the language of the description.
#[derive(Serialize, ToSchema)]
pub(crate) struct UnreadableNodeData {
    node_id: String,
    /// Missing data
    what: String,
    /// Reason
    why: String,
    /// SQL statement or setting that makes the missing data available
    #[schema(required)]
    remedy: Option<String>,
}

impl UnreadableNodeData {
    fn new(node: &NodeId, limitation: &Limitation, language: Language) -> Self {
        let text = |text: &LocalizedText| text.in_language(language).to_owned();
        Self {
            node_id: node.to_string(),
            what: text(&limitation.what),
            why: text(&limitation.why),
            remedy: limitation.remedy.as_ref().map(text),
        }
    }
}

/// A session that matches the criteria but is not killed, because a kill could damage a table.
#[derive(Serialize, ToSchema)]
pub(crate) struct SkippedProcess {
    #[serde(flatten)]
    process: PreviewedProcess,
    /// Risk of the kill
    risk: KillRiskView,
}

/// A session that matches the criteria.
#[derive(Serialize, ToSchema)]
pub(crate) struct PreviewedProcess {
    node_id: String,
    /// Thread id
    id: u64,
    #[serde(flatten)]
    columns: SessionColumns,
    /// Statement, possibly truncated; an SQL template if statements are masked or the caller cannot list sessions
    #[schema(required)]
    sql_info: Option<String>,
    /// Time in the current state, in seconds
    state_duration: u64,
}

/// Preview the sessions that a kill task with the given criteria would kill now.
#[utoipa::path(get, path = "/v3/{project_id}/instances/{instance_id}/process/task/preview", tag = "kill tasks",
    operation_id = "ShowKillProcessTaskPreview", params(KillTaskPreviewParameters),
    responses(
        (status = 200, description = "Sessions that match the criteria", body = KillTaskPreview),
        SomeNodeNotReadable
    ))]
pub(crate) async fn preview_kill_task(request: ApiRequest<InstancePath>) -> ApiResult<KillTaskPreview> {
    let ApiRequest { service, caller, path, language, query, .. } = request;
    let (project, instance) = caller.require_instance_permission(Action::GET_INSTANCE, &path).await?;
    let query = QueryString::parse(query.as_deref())?;
    query.reject_unknown_parameters(&KILL_CRITERIA_FIELD_NAMES)?;
    let criteria = RawKillCriteria::from_query(&query)?.parse()?;
    let masked = caller.requires_statement_masking(&project, &instance);
    let rules = [KillRule::new(&criteria).with_statement_masking(masked)];
    let data_sync_time = Timestamp::now().as_millisecond();
    let nodes = service.store.instances().list_nodes_with_passwords(&instance.id).await?;
    nodes.iter().try_for_each(|node| require_reachable_network_zone(&service, node))?;
    let reads = nodes.iter().map(async |node| {
        let read = read_client_sessions(&node.url, ConnectionPurpose::Reading, &service.connector);
        let listed = service.read_from_node(node, read).await?;
        let view = |limitation: &Limitation| UnreadableNodeData::new(&node.id, limitation, language);
        let limitations: Vec<UnreadableNodeData> = listed.limitations.iter().map(view).collect();
        let matched: Vec<Session> = select_sessions_to_kill(
            &rules,
            listed.into_sessions_with_checked_times(),
            service.kills.protected_accounts(),
        )
        .into_iter()
        .map(|(_, session)| session)
        .collect();
        let risks = if criteria.include_unsafe {
            HashMap::new()
        } else {
            let read = find_sessions_unsafe_to_kill(&node.url, &matched, &service.connector);
            service.read_from_node(node, read).await?
        };
        Ok::<_, ApiError>((&node.id, matched, risks, limitations))
    });
    let mut killed: Vec<(&NodeId, Session)> = Vec::new();
    let mut spared: Vec<(&NodeId, Session, KillRisk)> = Vec::new();
    let mut limitations = Vec::new();
    for (node, matched, mut risks, node_limitations) in try_join_all(reads).await? {
        limitations.extend(node_limitations);
        for session in matched {
            match risks.remove(&session.id) {
                Some(risk) => spared.push((node, session, risk)),
                None => killed.push((node, session)),
            }
        }
    }
    Ok(Json(build_kill_task_preview(killed, spared, limitations, data_sync_time, (masked, language))))
}

fn build_kill_task_preview(
    mut killed: Vec<(&NodeId, Session)>,
    mut spared: Vec<(&NodeId, Session, KillRisk)>,
    limitations: Vec<UnreadableNodeData>,
    data_sync_time: i64,
    (masked, language): (bool, Language),
) -> KillTaskPreview {
    killed.sort_by_key(|(node, session)| (std::cmp::Reverse(session.seconds), *node, session.id));
    spared.sort_by_key(|(node, session, _)| (std::cmp::Reverse(session.seconds), *node, session.id));
    let (total_count, spared_count) = (killed.len(), spared.len());
    let processes = killed.into_iter().take(MAX_LISTED_SESSIONS);
    let processes = processes.map(|(node, session)| build_process_preview(node, &session, masked)).collect();
    let spared = spared.into_iter().take(MAX_LISTED_SESSIONS).map(|(node, session, risk)| SkippedProcess {
        process: build_process_preview(node, &session, masked),
        risk: KillRiskView::new(&risk, language),
    });
    KillTaskPreview { processes, total_count, data_sync_time, limitations, spared: spared.collect(), spared_count }
}

fn build_process_preview(node: &NodeId, session: &Session, masked: bool) -> PreviewedProcess {
    let statement = |statement: &[u8]| render_statement(statement, masked).chars().take(MAX_STATEMENT_LEN).collect();
    PreviewedProcess {
        node_id: node.to_string(),
        id: session.id,
        columns: session.into(),
        sql_info: session.statement.as_deref().map(statement),
        state_duration: session.seconds,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_beyond_the_limit_are_counted_but_not_listed() {
        let node = NodeId::generate();
        let session = |id: u64| Session { id, seconds: id, ..Session::default() };
        let killed = (1..=501).map(|id| (&node, session(id))).collect();
        let spared =
            (1..=502).map(|id| (&node, session(id), KillRisk::UnknownTables { statement: "UPDATE" })).collect();
        let preview = build_kill_task_preview(killed, spared, Vec::new(), 0, (false, Language::EnUs));
        assert_eq!((preview.processes.len(), preview.total_count), (500, 501));
        assert_eq!((preview.spared.len(), preview.spared_count), (500, 502));
        assert_eq!(preview.spared[0].process.id, 502, "the longest time in state is first");
    }
}
