//! Route that kills selected sessions or returns a preview of the kills.
//!
//! If a thread id has been reused by a session with a different user or host, Clew does not kill that session.

mod effect;
mod preview;
mod request;

use std::collections::HashMap;

use clew_diagnose::bytes_to_text;
use clew_iam::decision::Action;
use clew_model::{Language, LocalizedText, Session};
use clew_mysql::{
    KillOutcome, KillRefusal, KillTarget, PreKillSnapshot, ServerInstance, SessionLookupResult, find_sessions_by_id,
};
use effect::KillEffectView;
use jiff::Timestamp;
use preview::KillImpact;
use request::{KillRequestBody, SelectedSession, SessionKillRequest};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api_request::{ApiRequest, ApiResult, Json};
use crate::caller::{NodePath, TargetNode};
use crate::error_responses::{InvalidKillRequest, NodeUnavailableForKill};
use crate::manual_kill::{KillRiskView, add_kill_to_audit_event, build_manual_kill_request};
use crate::messages::localize_failure;
use crate::session_columns::SessionColumns;
use crate::statement_text::render_statement;

/// Actual results of the requested kills or, in a preview, the expected results.
#[derive(Serialize, ToSchema)]
pub(crate) struct KillResponse {
    /// Results, in the order of the request
    sessions: Vec<SessionKillOutcome>,
    /// In a preview, the reason why Clew could not determine the impact of the kills; null if the impact is known.
    /// The X-Language header determines the language of the text in `costs_unknown`.
    #[schema(required)]
    costs_unknown: Option<String>,
    /// In a preview, warnings about unselected root blockers that block the selected sessions
    warnings: Vec<String>,
    /// Effect of the kills; null in a preview or if no session was killed
    #[schema(required)]
    effect: Option<KillEffectView>,
}

/// Result of killing one session, or the expected result in a preview.
#[derive(Serialize, ToSchema)]
struct SessionKillOutcome {
    id: u64,
    /// Outcome: would_kill, killed, rolling_back, ending, gone, refused or failed
    outcome: &'static str,
    /// Message that describes the outcome, in the language requested by X-Language
    message: String,
    /// Current state of the session; null if the session has ended
    #[schema(required)]
    session: Option<CurrentSessionState>,
}

/// Current state of a session.
#[derive(Serialize, ToSchema)]
struct CurrentSessionState {
    #[serde(flatten)]
    columns: SessionColumns,
    /// Time in the current state, in seconds
    time: u64,
    /// SQL statement, or its template if the project masks statements or the caller cannot list sessions
    #[schema(required)]
    statement: Option<String>,
    /// In a preview, the session's open transaction, which killing the connection would roll back; null if none is open
    #[schema(required)]
    transaction: Option<preview::RollbackCost>,
    /// In a preview, the thread ids of the waiting sessions that the kill can unblock
    frees: Vec<u64>,
    /// In a preview, the number of sessions that wait for this session, directly or indirectly
    holds_up: usize,
    /// Risks of killing the session, reported only in a preview
    risks: Vec<KillRiskView>,
}

/// Kill sessions or statements on a node, or preview the kill.
#[utoipa::path(post, path = "/clew/v1/{project_id}/instances/{instance_id}/nodes/{node_id}/kill", tag = "console",
    operation_id = "KillSessions", request_body = KillRequestBody,
    responses(
        (status = 200, description = "Result for each session, or the expected result in a preview", body = KillResponse),
        InvalidKillRequest, NodeUnavailableForKill
    ))]
pub(crate) async fn kill_sessions(request: ApiRequest<NodePath>) -> ApiResult<KillResponse> {
    let ApiRequest { service, caller, path, language, body, .. } = request;
    let request = SessionKillRequest::parse(&body);
    if request.as_ref().is_ok_and(|request| request.preview) {
        caller.audit.set_audited_operation("PreviewKillSessions");
    }
    let target = TargetNode::authorize_and_load_node_with_password(&caller, Action::DELETE_PROCESSES, &path).await?;
    let request = request?;
    let ids: Vec<u64> = request.sessions.iter().map(|selected| selected.id).collect();
    add_kill_to_audit_event(&caller, &ids, &request.reason);
    caller.audit.add_detail("what", request.kind.name());
    let masked = target.requires_statement_masking(&caller);
    let read = find_sessions_by_id(&target.node.url, &ids, &service.connector);
    let found = service.read_from_node(&target.node, read).await?;
    let protected = service.kills.protected_accounts();
    let refusal = |session: &Session| Some((session.id, found.predict_kill_refusal(session, request.kind, protected)?));
    let mut refusals: HashMap<u64, KillRefusal> = found.sessions.iter().filter_map(refusal).collect();
    let SessionLookupResult { read, sessions, .. } = found;
    let found: HashMap<u64, Session> = sessions.into_iter().map(|session| (session.id, session)).collect();
    // Compare the sessions with the request first, because reading the impact and killing the sessions can be slow.
    let age = i64::try_from(read.at.elapsed().as_secs()).unwrap_or_default();
    let mut skip_reasons = request.find_sessions_to_skip(&found, &read.server, Timestamp::now().as_second() - age);
    let (impact, mut outcomes, effect) = if request.preview {
        (Some(preview::predict_kill_impact(&service, &target.node, &found).await), HashMap::new(), None)
    } else {
        let mut victims: Vec<Session> =
            request.find_sessions_to_kill(&found, &skip_reasons).into_iter().cloned().collect();
        let before = if victims.is_empty() {
            None
        } else {
            let read = PreKillSnapshot::read_pre_kill_snapshot(&target.node.url, &service.connector);
            Some(service.try_read_from_node(&target.node, read).await)
        };
        // Behind a load balancer, the connections of this request may lead to different servers.
        let is_another_server = before
            .as_ref()
            .is_some_and(|before| before.as_ref().is_ok_and(|before| *before.server_instance() != read.server));
        if is_another_server {
            let refused =
                victims.drain(..).map(|victim| (victim.id, describe_kill_refusal(KillRefusal::AnotherServer)));
            skip_reasons.extend(refused);
        }
        let order = build_manual_kill_request(&caller, &target, request.kind, &request.reason, read);
        let kill = service.kills.execute_kills(order, victims, &service.connector);
        let outcomes = service.run_kill_operation_on_node(&target.node, kill).await?;
        let effect = match before {
            Some(before) => {
                let node = &target.node;
                KillEffectView::measure_kill_effect(&service, node, before, request.kind, &outcomes, language).await
            }
            None => None,
        };
        (None, outcomes.into_iter().collect(), effect)
    };
    let view = |selected: &SelectedSession| {
        let current = found.get(&selected.id);
        let (outcome, message) = match (skip_reasons.remove(&selected.id), outcomes.remove(&selected.id), current) {
            (Some(outcome), ..) => outcome,
            (None, Some(outcome), _) => describe_kill_outcome(&outcome),
            (None, None, Some(current)) => preview::predict_kill_outcome(refusals.remove(&current.id), request.kind),
            // Unreachable, because every matching session has an outcome.
            (None, None, None) => describe_kill_outcome(&KillOutcome::AlreadyGone),
        };
        let session = current
            .filter(|current| selected.matches_session(current))
            .map(|current| build_current_session_state(current, masked, &request, impact.as_ref(), language));
        let message = message.in_language(language).to_owned();
        SessionKillOutcome { id: selected.id, outcome, message, session }
    };
    let sessions: Vec<SessionKillOutcome> = request.sessions.iter().map(view).collect();
    let ids_with = |outcome: &str| -> Vec<u64> {
        sessions.iter().filter(|session| session.outcome == outcome).map(|session| session.id).collect()
    };
    for outcome in ["killed", "rolling_back", "ending", "gone", "refused", "failed"] {
        let ids = ids_with(outcome);
        if !request.preview && !ids.is_empty() {
            caller.audit.add_detail(outcome, ids);
        }
    }
    let victims = [ids_with("would_kill"), request.other_victims].concat();
    let warnings =
        impact.as_ref().map(|impact| impact.format_remaining_blocker_warnings(&victims, language)).unwrap_or_default();
    let costs_unknown =
        impact.and_then(|impact| impact.unknown_reason).map(|reason| reason.in_language(language).to_owned());
    Ok(Json(KillResponse { sessions, costs_unknown, warnings, effect }))
}

/// Outcome name and message for a selected session that Clew does not kill.
type SkipReason = (&'static str, LocalizedText);

fn describe_kill_outcome(outcome: &KillOutcome) -> (&'static str, LocalizedText) {
    match outcome {
        KillOutcome::AlreadyGone => ("gone", outcome.description()),
        KillOutcome::Failed(failure) => (outcome.name(), localize_failure(failure)),
        outcome => (outcome.name(), outcome.description()),
    }
}

fn describe_kill_refusal(reason: KillRefusal) -> (&'static str, LocalizedText) {
    describe_kill_outcome(&KillOutcome::Refused(reason))
}

fn build_current_session_state(
    current: &Session,
    masked: bool,
    request: &SessionKillRequest,
    impact: Option<&KillImpact>,
    language: Language,
) -> CurrentSessionState {
    let text = |statement: &[u8]| render_statement(statement, masked);
    CurrentSessionState {
        columns: current.into(),
        time: current.seconds,
        statement: current.statement.as_deref().map(text),
        transaction: impact.and_then(|impact| impact.rollback_cost(current.id)),
        frees: impact.map(|impact| impact.find_session_ids_unblocked_by_kill(current.id)).unwrap_or_default(),
        holds_up: impact.map_or(0, |impact| impact.count_waiters(current.id)),
        risks: impact
            .map(|impact| impact.build_kill_risk_views(current.id, request.kind, language))
            .unwrap_or_default(),
    }
}

impl SelectedSession {
    fn matches_session(&self, current: &Session) -> bool {
        bytes_to_text(&current.user) == self.user && bytes_to_text(&current.host) == self.host
    }

    /// `listed_at` is the read time of the session list, as a Unix timestamp in seconds.
    fn find_reason_to_skip_kill(
        &self,
        current: Option<&Session>,
        kind: KillTarget,
        server: &ServerInstance,
        listed_at: i64,
    ) -> Option<SkipReason> {
        if self.server.as_ref().is_some_and(|listed| *listed != server.to_string()) {
            // Behind a load balancer, the session may still run on the other server.
            return Some(describe_kill_refusal(KillRefusal::AnotherServer));
        }
        let Some(current) = current else { return Some(describe_kill_outcome(&KillOutcome::AlreadyGone)) };
        if !self.matches_session(current) {
            let reason =
                KillRefusal::AnotherSession { user: bytes_to_text(&current.user), host: bytes_to_text(&current.host) };
            return Some(("gone", KillOutcome::Refused(reason).description()));
        }
        let started_at = listed_at.saturating_sub_unsigned(current.seconds);
        let is_later_statement =
            self.since.is_some_and(|since| started_at > since / 1000 + request::STATEMENT_START_TOLERANCE_SECONDS);
        (kind == KillTarget::Query && is_later_statement).then(|| describe_kill_refusal(KillRefusal::AnotherStatement))
    }
}
