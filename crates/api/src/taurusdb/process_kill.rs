//! DeleteTaurusDbNodeProcesses (spec section 2.2). `docs/decisions/0010-what-a-kill-answers-and-leaves.md` says which list a session
//! falls into.

use std::collections::HashSet;
use std::time::Instant;

use axum::body::Bytes;
use axum::extract::{Path, State};
use clew_iam::decision::Action;
use clew_model::{Failure, FailureKind, Node, Session};
use clew_mysql::{FoundSessions, KillKind, KillOutcome, Limits, Refusal as Reason, UnsafeVictims, find_sessions};
use clew_store::{KillSource, StoreError};
use clew_tasks::{KillError, KillOrder, Meant};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Service;
use crate::body::{Body, check_count, wrong};
use crate::caller::{Caller, Target};
use crate::json::Json;
use crate::nodes;
use crate::refusal::{ErrorBody, Refusal};

/// Sessions that are killed at once.
const MOST: usize = 20;
/// Longest reason, in characters.
const LONGEST_REASON: usize = 255;

/// Sessions to end.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body, which is read field by field to name what is wrong")]
pub(crate) struct DeleteProcesses {
    /// Thread ids, as the list of processes has them; one that is there twice counts once
    #[schema(min_items = 1, max_items = 20, minimum = 0)]
    processes: Vec<i64>,
    /// Why, for the audit. An addition of Clew's
    #[schema(max_length = 255)]
    reason: Option<String>,
}

/// What became of the sessions.
#[derive(Serialize, ToSchema)]
pub(crate) struct Killed {
    /// Gone, or the server took the kill and they are about to go: what they changed is rolled back first
    #[schema(max_items = 20)]
    processes_killed: Vec<u64>,
    /// Not there, or nobody's to be killed: threads of the server, protected accounts, Clew's own. The audit says which
    #[schema(max_items = 20)]
    processes_not_found: Vec<u64>,
}

/// End sessions of a node.
#[utoipa::path(
    delete,
    path = "/v3/{project_id}/instances/{instance_id}/nodes/{node_id}/processes",
    tag = "sessions",
    params(("project_id" = String, Path), ("instance_id" = String, Path), ("node_id" = String, Path)),
    request_body(content = DeleteProcesses, content_type = "application/json"),
    responses(
        (status = 200, description = "What became of each", body = Killed),
        (status = 400, description = "Invalid field value; nothing was killed", body = ErrorBody),
        (status = 500, description = "Some could not be killed; the message says why, and which were", body = ErrorBody)
    )
)]
pub(crate) async fn kill(
    State(service): State<Service>,
    caller: Caller,
    Path(path): Path<(String, String, String)>,
    body: Bytes,
) -> Result<Json<Killed>, Refusal> {
    let target = Target::to_read(&service, &caller, Action::DELETE_PROCESSES, &path).await?;
    let asked = Asked::parse(&body)?;
    caller.trail.detail("asked", asked.ids.clone());
    if !asked.reason.is_empty() {
        caller.trail.detail("reason", asked.reason.as_str());
    }
    let work = async |limits| match kill_found(&service, &caller, &target, &asked, limits).await {
        Ok(outcomes) => Ok(Ok(outcomes)),
        Err(KillError::Node(failure)) => Err(failure),
        Err(KillError::Store(error)) => Ok(Err(error)),
    };
    let outcomes = service.read_node(&target.node, work).await?.map_err(|error: StoreError| Refusal::from(error))?;
    let killed = asked.answer(&outcomes);
    caller.trail.detail("killed", killed.processes_killed.clone());
    caller.trail.detail("not_found", killed.processes_not_found.clone());
    match failed(&outcomes, &killed) {
        None => Ok(Json(killed)),
        Some(failure) => Err(nodes::failed(failure)),
    }
}

/// Kills those that are there.
async fn kill_found(
    service: &Service,
    caller: &Caller,
    target: &Target<Node>,
    asked: &Asked,
    limits: Limits,
) -> Result<Vec<(u64, KillOutcome)>, KillError> {
    let begun = Instant::now();
    let FoundSessions { read, sessions } =
        find_sessions(&target.node.url, &asked.ids, &limits).await.map_err(KillError::Node)?;
    if service.listed_servers().is_another(&caller.principal.user_id, &target.node.id, &read.server) {
        let refused = |session: &Session| (session.id, KillOutcome::Refused(Reason::AnotherServer));
        return Ok(sessions.iter().map(refused).collect());
    }
    let order = KillOrder {
        by: caller.origin(),
        project_id: target.project.id.clone(),
        instance_id: target.instance.id.clone(),
        node_id: target.node.id.clone(),
        url: target.node.url.clone(),
        source: KillSource::Manual,
        task_id: None,
        kind: KillKind::Connection,
        meant: Meant::Session,
        unsafe_victims: UnsafeVictims::Kill,
        reason: asked.reason.clone(),
        read,
    };
    let left = limits.node.saturating_sub(begun.elapsed());
    let limits = Limits { node: left, connect: limits.connect.min(left), ..limits };
    service.kills.carry_out(order, sessions, limits).await
}

/// What a body asks for.
struct Asked {
    /// Each once, in their order.
    ids: Vec<u64>,
    reason: String,
}

impl Asked {
    fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let body = Body::parse(body, &["processes", "reason"])?;
        let given: Vec<i64> = body.need("processes")?;
        check_count("processes", given.len(), 1, MOST)?;
        let mut seen = HashSet::new();
        let mut ids = Vec::with_capacity(given.len());
        for id in given {
            let id = u64::try_from(id).map_err(|_| wrong("processes", &id.to_string()))?;
            if seen.insert(id) {
                ids.push(id);
            }
        }
        let reason: String = body.get("reason")?.unwrap_or_default();
        let length = reason.chars().count();
        if length > LONGEST_REASON {
            let (length, max) = (length.to_string(), LONGEST_REASON.to_string());
            let arguments =
                vec![("field", "reason".to_owned()), ("length", length), ("min", "0".to_owned()), ("max", max)];
            return Err(Refusal::parameter("parameter-length", arguments));
        }
        Ok(Self { ids, reason })
    }

    /// Which session belongs to which list. Those that could not be killed belong to neither.
    fn answer(&self, outcomes: &[(u64, KillOutcome)]) -> Killed {
        let mut killed = Killed { processes_killed: Vec::new(), processes_not_found: Vec::new() };
        for &id in &self.ids {
            match outcomes.iter().find(|(known, _)| *known == id).map(|(_, outcome)| outcome) {
                Some(outcome) if outcome.was_taken() => killed.processes_killed.push(id),
                Some(outcome) if reason_of_failure(outcome).is_some() => {}
                _ => killed.processes_not_found.push(id),
            }
        }
        killed
    }
}

/// Why a session that may be there was not killed: the kill failed, or the session cannot be identified through this address.
fn reason_of_failure(outcome: &KillOutcome) -> Option<Failure> {
    match outcome {
        KillOutcome::Failed(failure) => Some(failure.clone()),
        KillOutcome::Refused(Reason::Indirect | Reason::AnotherServer) => {
            Some(Failure::new(FailureKind::ServerError, outcome.to_string()))
        }
        _ => None,
    }
}

/// The first failure, with the sessions that were killed and those that were not. The request can be repeated.
fn failed(outcomes: &[(u64, KillOutcome)], killed: &Killed) -> Option<Failure> {
    let failures: Vec<(u64, Failure)> =
        outcomes.iter().filter_map(|(id, outcome)| Some((*id, reason_of_failure(outcome)?))).collect();
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
    use super::*;

    fn ids(body: &str) -> Option<Vec<u64>> {
        Asked::parse(body.as_bytes()).ok().map(|asked| asked.ids)
    }

    #[test]
    fn ids_are_counted_checked_and_taken_once() {
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
    fn each_falls_into_one_list_and_failures_into_none() {
        let asked = Asked { ids: (1..=7).collect(), reason: String::new() };
        let failure = Failure::new(FailureKind::MissingPrivilege, "GRANT it");
        let outcomes = [
            (1, KillOutcome::Killed),
            (2, KillOutcome::RollingBack { rows_modified: 3 }),
            (3, KillOutcome::Ending("Killed".into())),
            (4, KillOutcome::AlreadyGone),
            (5, KillOutcome::Refused(Reason::Internal)),
            (6, KillOutcome::Failed(failure)),
        ];
        let killed = asked.answer(&outcomes);
        assert_eq!((&killed.processes_killed[..], &killed.processes_not_found[..]), (&[1, 2, 3][..], &[4, 5, 7][..]));
        let failure = failed(&outcomes, &killed).unwrap();
        assert_eq!(failure.kind, FailureKind::MissingPrivilege);
        assert_eq!(failure.detail, "GRANT it; not killed: 6; killed: 1, 2, 3");
        assert!(failed(&outcomes[..5], &killed).is_none());
    }
}
