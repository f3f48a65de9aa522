//! Implements the operation `DeleteTaurusDbNodeProcesses` (section 2.2 of the TaurusDB API spec).
//!
//! `docs/decisions/0010-kill-responses-and-records.md` defines which sessions the response lists as killed or not found.

use std::collections::HashSet;
use std::time::Instant;

use clew_iam::decision::Action;
use clew_model::{Failure, FailureKind, Node};
use clew_mysql::{KillOutcome, KillRefusal as Reason, KillTarget, SessionLookupResult, find_sessions_by_id};
use clew_worker::KillError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api_request::{ApiRequest, ApiResult, Json};
use crate::caller::{Caller, NodePath, TargetNode};
use crate::error::ApiError;
use crate::error_responses::{InvalidKillRequest, KillFailed};
use crate::field_errors::{check_array_length, invalid_field_error};
use crate::manual_kill::{add_kill_to_audit_event, build_manual_kill_request, check_kill_reason};
use crate::request_body::parse_json_body;

const MAX_SESSIONS_PER_REQUEST: usize = 20;

/// Sessions to kill.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KillProcessesRequestBody {
    /// Thread ids from the process list; duplicates are ignored
    #[schema(min_items = 1, max_items = 20, minimum = 0)]
    processes: Vec<i64>,
    /// Reason for the kill, recorded in the audit log (Clew extension to the TaurusDB API)
    #[schema(max_length = 255)]
    reason: Option<String>,
}

/// Result of a kill request.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionKillResult {
    /// Thread ids of killed sessions, including sessions that are still rolling back their changes
    #[schema(max_items = 20)]
    processes_killed: Vec<u64>,
    /// Thread ids of sessions that Clew did not kill because they are missing, internal, protected or Clew's own.
    /// For each session that exists but was not killed, the audit log contains the reason
    #[schema(max_items = 20)]
    processes_not_found: Vec<u64>,
}

/// Kill sessions of a node.
#[utoipa::path(delete, path = "/v3/{project_id}/instances/{instance_id}/nodes/{node_id}/processes", tag = "sessions",
    operation_id = "DeleteTaurusDbNodeProcesses", request_body = KillProcessesRequestBody,
    responses(
        (status = 200, description = "Result for each session", body = SessionKillResult),
        InvalidKillRequest, KillFailed
    ))]
pub(crate) async fn kill_processes(request: ApiRequest<NodePath>) -> ApiResult<SessionKillResult> {
    let ApiRequest { service, caller, path, body, .. } = request;
    let target = TargetNode::authorize_and_load_node_with_password(&caller, Action::DELETE_PROCESSES, &path).await?;
    let request = KillProcessesRequest::parse(&body)?;
    add_kill_to_audit_event(&caller, &request.ids, &request.reason);
    let kill = find_and_kill_sessions(&caller, &target, &request);
    let outcomes = service.run_kill_operation_on_node(&target.node, kill).await?;
    let killed = request.classify_kill_outcomes(&outcomes);
    caller.audit.add_detail("killed", killed.processes_killed.clone());
    caller.audit.add_detail("not_found", killed.processes_not_found.clone());
    match summarize_kill_failures(&outcomes, &killed) {
        None => Ok(Json(killed)),
        Some(failure) => Err(ApiError::from_node_failure(failure)),
    }
}

async fn find_and_kill_sessions(
    caller: &Caller,
    target: &TargetNode<Node>,
    request: &KillProcessesRequest,
) -> Result<Vec<(u64, KillOutcome)>, KillError> {
    let (start, connector) = (Instant::now(), &caller.service.connector);
    let SessionLookupResult { read, sessions, .. } =
        find_sessions_by_id(&target.node.url, &request.ids, connector).await.map_err(KillError::Node)?;
    if caller.service.session_list_sources.has_server_changed(&caller.principal.user_id, &target.node.id, &read.server)
    {
        // Behind a load balancer, sessions that this server does not list may still run on the other server.
        return Ok(request.ids.iter().map(|id| (*id, KillOutcome::Refused(Reason::AnotherServer))).collect());
    }
    let order = build_manual_kill_request(caller, target, KillTarget::Connection, &request.reason, read);
    let remaining = connector.limits.read_timeout.saturating_sub(start.elapsed());
    caller.service.kills.execute_kills(order, sessions, &connector.with_max_timeout(remaining)).await
}

struct KillProcessesRequest {
    /// Thread ids from the request, in the original order and without duplicates.
    ids: Vec<u64>,
    reason: String,
}

impl KillProcessesRequest {
    fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let KillProcessesRequestBody { processes: given, reason } = parse_json_body(body)?;
        check_array_length("processes", given.len(), 1, MAX_SESSIONS_PER_REQUEST)?;
        let mut seen = HashSet::new();
        let mut ids = Vec::with_capacity(given.len());
        for id in given {
            let id = u64::try_from(id).map_err(|_| invalid_field_error("processes", &id.to_string()))?;
            if seen.insert(id) {
                ids.push(id);
            }
        }
        Ok(Self { ids, reason: check_kill_reason(reason)? })
    }

    /// The result omits sessions whose kill failed.
    fn classify_kill_outcomes(&self, outcomes: &[(u64, KillOutcome)]) -> SessionKillResult {
        let mut killed = SessionKillResult { processes_killed: Vec::new(), processes_not_found: Vec::new() };
        for &id in &self.ids {
            match outcomes.iter().find(|(session, _)| *session == id).map(|(_, outcome)| outcome) {
                Some(outcome) if outcome.was_accepted() => killed.processes_killed.push(id),
                Some(outcome) if failure_from_kill_outcome(outcome).is_some() => {}
                _ => killed.processes_not_found.push(id),
            }
        }
        killed
    }
}

fn failure_from_kill_outcome(outcome: &KillOutcome) -> Option<Failure> {
    match outcome {
        KillOutcome::Failed(failure) => Some(failure.clone()),
        KillOutcome::Refused(Reason::Proxied | Reason::AnotherServer) => {
            Some(Failure::new(FailureKind::ServerError, outcome.to_string()))
        }
        _ => None,
    }
}

fn summarize_kill_failures(outcomes: &[(u64, KillOutcome)], killed: &SessionKillResult) -> Option<Failure> {
    let failures: Vec<(u64, Failure)> =
        outcomes.iter().filter_map(|(id, outcome)| Some((*id, failure_from_kill_outcome(outcome)?))).collect();
    let (_, first) = failures.first()?;
    let list = |ids: &mut dyn Iterator<Item = u64>| {
        let ids: Vec<String> = ids.map(|id| id.to_string()).collect();
        if ids.is_empty() { "none".to_owned() } else { ids.join(", ") }
    };
    let not = list(&mut failures.iter().map(|(id, _)| *id));
    let done = list(&mut killed.processes_killed.iter().copied());
    Some(Failure::new(first.kind, format!("{}; not killed: {not}; killed: {done}", first.detail)))
}

#[cfg(test)]
mod tests {
    use clew_model::LocalizedText;

    use super::*;

    fn ids(body: &str) -> Option<Vec<u64>> {
        KillProcessesRequest::parse(body.as_bytes()).ok().map(|request| request.ids)
    }

    #[test]
    fn ids_are_validated_and_deduplicated() {
        assert_eq!(ids(r#"{"processes":[9,7,9,0]}"#), Some(vec![9, 7, 0]));
        assert_eq!(ids(r#"{"processes":[7],"reason":"stuck"}"#), Some(vec![7]));
        assert_eq!(ids(r#"{"processes":[7],"reason":null}"#), Some(vec![7]));
        let many = |count: usize| format!(r#"{{"processes":[{}]}}"#, vec!["7"; count].join(","));
        assert_eq!((ids(&many(20)), ids(&many(21))), (Some(vec![7]), None));
        for refused in [
            "",
            "{}",
            r#"{"processes":[]}"#,
            r#"{"processes":null}"#,
            r#"{"processes":[-1]}"#,
            r#"{"processes":["7"]}"#,
            r#"{"processes":[7.5]}"#,
            r#"{"processes":[9223372036854775808]}"#,
            r#"{"processes":7}"#,
            r#"{"processes":[7],"processes":[8]}"#,
            r#"{"processes":[7],"force":true}"#,
            r#"{"processes":[7],"reason":7}"#,
        ] {
            assert_eq!(ids(refused), None, "{refused}");
        }
        let reason = |length: usize| format!(r#"{{"processes":[7],"reason":"{}"}}"#, "ä".repeat(length));
        assert!(ids(&reason(255)).is_some() && ids(&reason(256)).is_none());
    }

    #[test]
    fn each_session_is_in_one_list_and_failures_are_in_none() {
        let request = KillProcessesRequest { ids: (1..=7).collect(), reason: String::new() };
        let failure = Failure::new(FailureKind::MissingPrivilege, "GRANT it");
        let outcomes = [
            (1, KillOutcome::Killed),
            (2, KillOutcome::RollingBack { rows_modified: 3 }),
            (3, KillOutcome::Ending(LocalizedText::untranslated("Killed"))),
            (4, KillOutcome::AlreadyGone),
            (5, KillOutcome::Refused(Reason::Internal)),
            (6, KillOutcome::Failed(failure)),
        ];
        let killed = request.classify_kill_outcomes(&outcomes);
        assert_eq!((&killed.processes_killed[..], &killed.processes_not_found[..]), (&[1, 2, 3][..], &[4, 5, 7][..]));
        let failure = summarize_kill_failures(&outcomes, &killed).unwrap();
        assert_eq!(failure.kind, FailureKind::MissingPrivilege);
        assert_eq!(failure.detail, "GRANT it; not killed: 6; killed: 1, 2, 3");
        assert!(summarize_kill_failures(&outcomes[..5], &killed).is_none());
    }
}
