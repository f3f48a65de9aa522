//! Executes kills. Records each kill in the store before sending the `KILL` statement to the server.

use std::sync::Arc;

use clew_diagnose::{ProtectedAccounts, build_statement_template, bytes_to_text};
use clew_model::{AuditOrigin, Failure, FailureKind, InstanceId, LimitationKind, NodeId, NodeUrl, ProjectId, Session};
use clew_mysql::{
    ClientSessions, KillOptions, KillOutcome, KillTarget, NodeConnector, ProcessListSource, Victim, kill_victims,
};
use clew_store::{KillSource, NewKillRecord, RecordedKillOutcome, Store, StoreError};
use tracing::{error, info};

use crate::task_results::join_task;

const MAX_RECORDED_SESSION_FIELD_CHARS: usize = 4096;

/// Executes kills and records each kill in the store. Clones share state.
#[derive(Debug, Clone)]
pub struct KillExecutor {
    store: Store,
    protected: Arc<ProtectedAccounts>,
}

/// Request to kill sessions on a node.
#[derive(Debug, Clone)]
pub struct KillRequest {
    /// Origin of the kill request: the actor, the client address and the request id.
    pub origin: AuditOrigin,
    /// Project of the instance.
    pub project_id: ProjectId,
    /// Instance of the node.
    pub instance_id: InstanceId,
    /// Node of the sessions.
    pub node_id: NodeId,
    /// URL of the node, including the password.
    pub url: NodeUrl,
    /// Clew feature that requested the kill, such as a kill task.
    pub source: KillSource,
    /// Id of the intelligent kill or kill task that requested the kill, if any.
    pub task_id: Option<String>,
    /// Target of the kill: the connection or only the running statement.
    pub kind: KillTarget,
    /// Condition that a session must still satisfy when Clew sends the `KILL` statement.
    pub victim_match: VictimMatchRule,
    /// If true, Clew also executes kills that can leave a non-transactional table damaged or partially updated.
    pub include_unsafe: bool,
    /// Reason that the caller gave for the kill. May be empty.
    pub reason: String,
    /// Server instance that returned the process list, and the time at which Clew read the process list.
    pub list_read: ProcessListSource,
}

/// Condition that a session must still satisfy when Clew sends the `KILL` statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VictimMatchRule {
    /// The session id must still belong to the selected session. The session may have started another statement.
    Session,
    /// The session must not have started or finished a statement since Clew read the process list.
    /// Automatic kills use the rule `Statement`, because they select sessions by statement duration or idle time.
    Statement,
}

/// Error returned if Clew could not execute or record kills.
#[derive(Debug, thiserror::Error)]
pub enum KillError {
    /// An operation on the node failed, such as reading sessions or killing a session.
    #[error("could not kill: {0}")]
    Node(Failure),
    /// A store operation failed, or the Tokio runtime shut down before the kills completed.
    #[error("a store operation failed: {0}")]
    Store(#[from] StoreError),
    /// The `KILL` statements were sent, but the store could not record the outcomes.
    /// A periodic job later records the outcome `unknown` for kills without a recorded outcome.
    #[error("could not record the outcomes of kills: {0}")]
    OutcomesNotRecorded(#[source] StoreError),
}

impl KillExecutor {
    /// Creates an executor that records kills in `store` and never kills sessions of the accounts in `protected`.
    #[must_use]
    pub fn new(store: Store, protected: ProtectedAccounts) -> Self {
        Self { store, protected: Arc::new(protected) }
    }

    /// Returns the accounts whose sessions are never killed.
    #[must_use]
    pub fn protected_accounts(&self) -> &ProtectedAccounts {
        &self.protected
    }

    /// Kills the sessions in `victims`. Returns the id and outcome of each session in the same order.
    ///
    /// Executes the kills in a separate task, so that the outcomes are recorded even if the caller drops the future.
    pub async fn execute_kills(
        &self,
        request: KillRequest,
        victims: Vec<Session>,
        connector: &NodeConnector,
    ) -> Result<Vec<(u64, KillOutcome)>, KillError> {
        let (kills, connector) = (self.clone(), connector.clone());
        let work = tokio::spawn(async move { kills.record_and_execute_kills(&request, &victims, &connector).await });
        join_task(work).await.unwrap_or(Err(KillError::Store(StoreError::Stopped)))
    }

    async fn record_and_execute_kills(
        &self,
        request: &KillRequest,
        sessions: &[Session],
        connector: &NodeConnector,
    ) -> Result<Vec<(u64, KillOutcome)>, KillError> {
        if sessions.is_empty() {
            return Ok(Vec::new());
        }
        let victims: Vec<Victim> = sessions.iter().map(|session| request.build_victim(session)).collect();
        let new_kills: Vec<NewKillRecord> = sessions.iter().map(|session| request.build_kill_record(session)).collect();
        let rows = self.store.kills().insert_kill_records(&new_kills).await?;
        let killed = kill_victims(
            &request.url,
            &victims,
            KillOptions { kind: request.kind, protected: &self.protected, include_unsafe: request.include_unsafe },
            connector,
        )
        .await;
        let records = match &killed {
            Ok(outcomes) => {
                rows.iter().zip(outcomes).map(|(row, (_, outcome))| build_kill_outcome_record(*row, outcome)).collect()
            }
            Err(failure) => {
                rows.iter().map(|row| (*row, RecordedKillOutcome::Failed, failure.to_string())).collect::<Vec<_>>()
            }
        };
        let ended = self.store.kills().record_kill_outcomes(&request.origin, &records).await;
        for (session, (row, outcome, detail)) in sessions.iter().zip(&records) {
            info!(
                node.id = %request.node_id, session.id = session.id, kill.id = row, kill.source = request.source.name(),
                kill.outcome = outcome.name(), kill.detail = detail, "kill completed"
            );
        }
        if let Err(error) = &ended {
            error!(node.id = %request.node_id, %error, "could not record the outcomes of kills");
        }
        let outcomes = killed.map_err(KillError::Node)?;
        ended.map_err(KillError::OutcomesNotRecorded)?;
        Ok(outcomes)
    }
}

impl KillRequest {
    fn build_victim(&self, session: &Session) -> Victim {
        match self.victim_match {
            VictimMatchRule::Session => Victim::for_session(session, &self.list_read),
            VictimMatchRule::Statement => Victim::for_statement(session, &self.list_read),
        }
    }

    fn build_kill_record(&self, session: &Session) -> NewKillRecord {
        NewKillRecord {
            project_id: self.project_id.clone(),
            instance_id: self.instance_id.clone(),
            node_id: self.node_id.clone(),
            source: self.source,
            task_id: self.task_id.clone(),
            kind: self.kind.name().into(),
            reason: self.reason.clone(),
            session_id: session.id,
            user: sanitize_session_field(&session.user),
            host: sanitize_session_field(&session.host),
            database: session.database.as_deref().map(sanitize_session_field),
            command: sanitize_session_field(&session.command),
            seconds: session.seconds,
            state: session.state.as_deref().map(sanitize_session_field),
            template: session
                .statement
                .as_deref()
                .map(|statement| sanitize_session_field(&build_statement_template(statement))),
        }
    }
}

/// A proxy hides the identities of the sessions.
pub(crate) fn detect_proxied_connection(node: &NodeUrl, read: &ClientSessions) -> Option<Failure> {
    let gap = read.limitations.iter().find(|gap| gap.kind == LimitationKind::Indirect)?;
    let fix = gap.remedy.as_ref().map_or("", |remedy| &remedy.english);
    let detail = format!("{}: {} {}", node.address(), gap.what, gap.why);
    Some(Failure::with_fix(FailureKind::ServerError, detail, fix.trim_end_matches('.')))
}

fn sanitize_session_field(text: &[u8]) -> String {
    bytes_to_text(text).chars().take(MAX_RECORDED_SESSION_FIELD_CHARS).collect()
}

fn build_kill_outcome_record(row: i64, outcome: &KillOutcome) -> (i64, RecordedKillOutcome, String) {
    let end = match outcome {
        KillOutcome::Killed => RecordedKillOutcome::Killed,
        KillOutcome::RollingBack { .. } => RecordedKillOutcome::RollingBack,
        KillOutcome::Ending(_) => RecordedKillOutcome::Ending,
        KillOutcome::AlreadyGone => RecordedKillOutcome::AlreadyGone,
        KillOutcome::Refused(_) => RecordedKillOutcome::Refused,
        KillOutcome::Failed(_) => RecordedKillOutcome::Failed,
    };
    (row, end, outcome.to_string())
}
