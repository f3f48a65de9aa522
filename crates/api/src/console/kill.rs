//! Ending sessions that somebody chose from the list: first a look at exactly what would end, then the kill.
//!
//! The page sends what it saw of each session. Whoever has the number by now but is not that session is left alone.

mod asked;
mod effect;
mod preview;

use std::collections::HashMap;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, State};
use clew_diagnose::clean;
use clew_iam::decision::Action;
use clew_model::{Language, Node, Session};
use clew_mysql::{
    FoundSessions, KillKind, KillOutcome, Limits, ListRead, Refusal as MustLive, ServerInstance, StateBeforeKill,
    UnsafeVictims, find_sessions,
};
use clew_store::{KillSource, StoreError};
use clew_tasks::{KillError, KillOrder, Meant};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Service;
use crate::caller::{Caller, Target};
use crate::json::Json;
use crate::kill_risks::KillRiskView;
use crate::refusal::{ErrorBody, Refusal};
use crate::statement_text::statement_text;
use asked::{Asked, Chosen, KillBody};
use effect::KillEffectView;
use preview::Costs;

/// What became of the sessions, or would.
#[derive(Serialize, ToSchema)]
pub(crate) struct KillAnswer {
    /// In the order of the request
    sessions: Vec<KillOfSession>,
    /// Why what it costs could not be read; only with preview
    #[schema(required)]
    costs_unknown: Option<String>,
    /// What is odd about the selection, as that the sessions wait for another one that is not among them; only with preview
    warnings: Vec<String>,
    /// Effect of the kills; null with preview, and where nothing was killed
    #[schema(required)]
    effect: Option<KillEffectView>,
}

/// What became of a session, or would.
#[derive(Serialize, ToSchema)]
struct KillOfSession {
    id: u64,
    /// would_kill, killed, rolling_back, ending, gone, refused or failed
    outcome: &'static str,
    /// Particulars
    message: String,
    /// What was seen of it just now; null if it is gone
    #[schema(required)]
    session: Option<SeenSession>,
}

/// A session as it was seen just now.
#[derive(Serialize, ToSchema)]
struct SeenSession {
    user: String,
    host: String,
    #[schema(required)]
    db: Option<String>,
    command: String,
    #[schema(required)]
    state: Option<String>,
    /// Seconds in the current state
    time: u64,
    /// The statement; its SQL template where the project masks statements or the caller may not list sessions
    #[schema(required)]
    statement: Option<String>,
    /// What is undone; null if it has no open transaction, and without preview
    #[schema(required)]
    transaction: Option<preview::Undone>,
    /// Sessions that ending this one unblocks at most: the first of them to get the lock may block the rest. Only with preview
    frees: Vec<u64>,
    /// How many wait for it, directly or behind others; only with preview
    holds_up: usize,
    /// Risks of ending it; only with preview
    risks: Vec<KillRiskView>,
}

/// End sessions of a node, or what they run; or show what would end.
#[utoipa::path(
    post,
    path = "/clew/v1/{project_id}/instances/{instance_id}/nodes/{node_id}/kill",
    tag = "console",
    params(("project_id" = String, Path), ("instance_id" = String, Path), ("node_id" = String, Path)),
    request_body(content = KillBody, content_type = "application/json"),
    responses(
        (status = 200, description = "What became of each, or would", body = KillAnswer),
        (status = 400, description = "Invalid field value; nothing was killed", body = ErrorBody),
        (status = 500, description = "The node cannot be asked; nothing was killed, and the message says why", body = ErrorBody)
    )
)]
pub(crate) async fn kill(
    State(service): State<Service>,
    caller: Caller,
    Path(path): Path<(String, String, String)>,
    Extension(language): Extension<Language>,
    body: Bytes,
) -> Result<Json<KillAnswer>, Refusal> {
    let asked = Asked::parse(&body);
    if asked.as_ref().is_ok_and(|asked| asked.preview) {
        caller.trail.operation("PreviewKillSessions");
    }
    let target = Target::to_read(&service, &caller, Action::DELETE_PROCESSES, &path).await?;
    let asked = asked?;
    let ids: Vec<u64> = asked.sessions.iter().map(|chosen| chosen.id).collect();
    caller.trail.detail("asked", ids.clone());
    caller.trail.detail("what", asked.kind.name());
    if !asked.reason.is_empty() {
        caller.trail.detail("reason", asked.reason.as_str());
    }
    let masked = target.is_masked_for(&service, &caller);
    let found =
        service.read_node(&target.node, async |limits| find_sessions(&target.node.url, &ids, &limits).await).await?;
    let FoundSessions { read, sessions } = found;
    let found: HashMap<u64, Session> = sessions.into_iter().map(|session| (session.id, session)).collect();
    // Compared once, as of the list: reading costs and killing takes seconds.
    let age = i64::try_from(read.at.elapsed().as_secs()).unwrap_or_default();
    let mut mismatches = asked.mismatches(&found, &read.server, Timestamp::now().as_second() - age);
    let (costs, mut outcomes, effect) = if asked.preview {
        (Some(preview::costs(&service, &target.node, &found).await), HashMap::new(), None)
    } else {
        let victims: Vec<Session> = asked.meant(&found, &mismatches).into_iter().cloned().collect();
        let before = if victims.is_empty() {
            None
        } else {
            let read = async |limits| StateBeforeKill::read(&target.node.url, &limits).await;
            Some(service.try_read_node(&target.node, read).await)
        };
        let work =
            async |limits| match carry_out(&service, &caller, &target, &asked, victims, read.clone(), limits).await {
                Ok(outcomes) => Ok(Ok(outcomes)),
                Err(KillError::Node(failure)) => Err(failure),
                Err(KillError::Store(error)) => Ok(Err(error)),
            };
        let outcomes =
            service.read_node(&target.node, work).await?.map_err(|error: StoreError| Refusal::from(error))?;
        let effect = match before {
            Some(before) => KillEffectView::read(&service, &target.node, before, &outcomes).await,
            None => None,
        };
        (None, outcomes.into_iter().collect(), effect)
    };
    let one = |chosen: &Chosen| {
        let now = found.get(&chosen.id);
        let (outcome, message) = match (mismatches.remove(&chosen.id), outcomes.remove(&chosen.id), now) {
            (Some(outcome), ..) => outcome,
            (None, Some(outcome), _) => in_words(&outcome),
            (None, None, Some(now)) => preview::outcome(now, asked.kind, service.kills.protected()),
            // Unreachable: every matching session has an outcome.
            (None, None, None) => in_words(&KillOutcome::AlreadyGone),
        };
        let session =
            now.filter(|now| chosen.is(now)).map(|now| seen_session(now, masked, &asked, costs.as_ref(), language));
        KillOfSession { id: chosen.id, outcome, message, session }
    };
    let sessions: Vec<KillOfSession> = asked.sessions.iter().map(one).collect();
    let of = |outcome: &str| -> Vec<u64> {
        sessions.iter().filter(|session| session.outcome == outcome).map(|session| session.id).collect()
    };
    for outcome in ["killed", "rolling_back", "ending", "gone", "refused", "failed"] {
        let ids = of(outcome);
        if !asked.preview && !ids.is_empty() {
            caller.trail.detail(outcome, ids);
        }
    }
    let victims = [of("would_kill"), asked.other_victims].concat();
    let warnings = costs.as_ref().map(|costs| costs.warnings(&victims, language)).unwrap_or_default();
    Ok(Json(KillAnswer { sessions, costs_unknown: costs.and_then(|costs| costs.unknown), warnings, effect }))
}

/// Kills those that were found.
async fn carry_out(
    service: &Service,
    caller: &Caller,
    target: &Target<Node>,
    asked: &Asked,
    victims: Vec<Session>,
    read: ListRead,
    limits: Limits,
) -> Result<Vec<(u64, KillOutcome)>, KillError> {
    let order = KillOrder {
        by: caller.origin(),
        project_id: target.project.id.clone(),
        instance_id: target.instance.id.clone(),
        node_id: target.node.id.clone(),
        url: target.node.url.clone(),
        source: KillSource::Manual,
        task_id: None,
        kind: asked.kind,
        meant: if asked.kind == KillKind::Query { Meant::Statement } else { Meant::Session },
        unsafe_victims: UnsafeVictims::Kill,
        reason: asked.reason.clone(),
        read,
    };
    service.kills.carry_out(order, victims, limits).await
}

/// Outcome of a session that is not the one that was seen, and the particulars.
type Mismatch = (&'static str, String);

/// As the answer has it.
fn in_words(outcome: &KillOutcome) -> (&'static str, String) {
    let name = match outcome {
        KillOutcome::AlreadyGone => "gone",
        outcome => outcome.name(),
    };
    (name, outcome.to_string())
}

fn refused(why: MustLive) -> (&'static str, String) {
    in_words(&KillOutcome::Refused(why))
}

fn seen_session(now: &Session, masked: bool, asked: &Asked, costs: Option<&Costs>, language: Language) -> SeenSession {
    let shown = |statement: &[u8]| statement_text(statement, masked);
    SeenSession {
        user: clean(&now.user),
        host: clean(&now.host),
        db: now.database.as_deref().map(clean),
        command: clean(&now.command),
        state: now.state.as_deref().map(clean),
        time: now.seconds,
        statement: now.statement.as_deref().map(shown),
        transaction: costs.and_then(|costs| costs.undone(now.id)),
        frees: costs.map(|costs| costs.frees(now.id)).unwrap_or_default(),
        holds_up: costs.map_or(0, |costs| costs.holds_up(now.id)),
        risks: costs.map(|costs| costs.risks(now.id, asked.kind, language)).unwrap_or_default(),
    }
}

impl Chosen {
    /// Whether a session that has its number now is the one that was seen.
    fn is(&self, now: &Session) -> bool {
        clean(&now.user) == self.user && clean(&now.host) == self.host
    }

    /// Why the session of a list read at `listed_at` (seconds since 1970) is not to be killed: it is gone, or another session has its id, or it
    /// runs another statement. Nothing if it is the one that was seen.
    fn mismatch(
        &self,
        now: Option<&Session>,
        kind: KillKind,
        server: &ServerInstance,
        listed_at: i64,
    ) -> Option<Mismatch> {
        if self.server.as_ref().is_some_and(|listed| *listed != server.to_string()) {
            return Some(("gone", KillOutcome::Refused(MustLive::AnotherServer).to_string()));
        }
        let Some(now) = now else { return Some(in_words(&KillOutcome::AlreadyGone)) };
        if !self.is(now) {
            let why = MustLive::AnotherSession { user: clean(&now.user), host: clean(&now.host) };
            return Some(("gone", KillOutcome::Refused(why).to_string()));
        }
        let began = listed_at.saturating_sub_unsigned(now.seconds);
        let is_later = self.since.is_some_and(|since| began > since / 1000 + asked::ROUNDED_SECONDS);
        (kind == KillKind::Query && is_later).then(|| refused(MustLive::AnotherStatement))
    }
}
