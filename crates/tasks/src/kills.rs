//! All kills pass through this module: recorded, carried out, and the outcome recorded with a row of the audit.

use std::sync::Arc;

use clew_diagnose::{ProtectedAccounts, clean, template};
use clew_model::{Failure, FailureKind, InstanceId, LimitationKind, NodeId, NodeUrl, Origin, ProjectId, Session};
use clew_mysql::{KillKind, KillOutcome, Limits, ListRead, UnsafeVictims, UserSessions, Victim, kill_all_under};
use clew_store::{KillEnd, KillSource, NewKill, Store, StoreError};
use tracing::{error, info};

/// Longest text that is kept of what a server says, in characters.
const LONGEST: usize = 4096;

/// Kills sessions, and keeps the record. Clones share everything.
#[derive(Debug, Clone)]
pub struct Kills {
    store: Store,
    protected: Arc<ProtectedAccounts>,
}

/// A kill of some sessions of a node.
#[derive(Debug, Clone)]
pub struct KillOrder {
    /// The caller and its address.
    pub by: Origin,
    /// The project of …
    pub project_id: ProjectId,
    /// … the instance of …
    pub instance_id: InstanceId,
    /// … the node.
    pub node_id: NodeId,
    /// Where the node is, with its password.
    pub url: NodeUrl,
    /// What the kill comes from.
    pub source: KillSource,
    /// The intelligent kill, or the kill task.
    pub task_id: Option<String>,
    /// What is to end.
    pub kind: KillKind,
    /// What the victims are meant for.
    pub meant: Meant,
    /// Treatment of victims whose end can damage or half-change a table without transactions.
    pub unsafe_victims: UnsafeVictims,
    /// Why, in the words of who asks; may be empty.
    pub reason: String,
    /// The list in which the victims were found.
    pub read: ListRead,
}

/// What a victim is meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Meant {
    /// Itself, whatever it does by the time of the kill: somebody named the session.
    Session,
    /// What it was seen doing, and only for as long as it does that: a rule chose it for its statement.
    Statement,
}

/// Why kills were not carried out.
#[derive(Debug, thiserror::Error)]
pub enum KillError {
    /// The node could not be asked. No kill was sent; that is written down.
    #[error("could not kill: {0}")]
    Node(Failure),
    /// They could not be written down, and no kill was sent; or they were sent, and the outcome could not be written down: then it will
    /// be written down as unknown.
    #[error("could not write down a kill: {0}")]
    Store(#[from] StoreError),
}

impl Kills {
    /// Kills that are recorded in a store and spare these accounts.
    #[must_use]
    pub fn new(store: Store, protected: ProtectedAccounts) -> Self {
        Self { store, protected: Arc::new(protected) }
    }

    /// The accounts that are spared.
    #[must_use]
    pub fn protected(&self) -> &ProtectedAccounts {
        &self.protected
    }

    /// Kills these sessions within the limits of one read. The outcomes come in the same order, each with the session's id.
    ///
    /// Once begun it goes on, also where the caller is gone: the outcome of a kill must be recorded.
    pub async fn carry_out(
        &self,
        order: KillOrder,
        victims: Vec<Session>,
        limits: Limits,
    ) -> Result<Vec<(u64, KillOutcome)>, KillError> {
        let kills = self.clone();
        let work = tokio::spawn(async move { kills.carry_out_now(&order, &victims, &limits).await });
        match work.await {
            Ok(outcomes) => outcomes,
            Err(ended) => match ended.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(KillError::Store(StoreError::Stopped)),
            },
        }
    }

    async fn carry_out_now(
        &self,
        order: &KillOrder,
        sessions: &[Session],
        limits: &Limits,
    ) -> Result<Vec<(u64, KillOutcome)>, KillError> {
        if sessions.is_empty() {
            return Ok(Vec::new());
        }
        let victims: Vec<Victim> = sessions.iter().map(|session| order.victim(session)).collect();
        let kills: Vec<NewKill> = sessions.iter().map(|session| order.kill(session)).collect();
        let rows = self.store.begin_kills(&kills).await?;
        let killed =
            kill_all_under(&order.url, &victims, order.kind, &self.protected, order.unsafe_victims, limits).await;
        let ends = match &killed {
            Ok(outcomes) => rows.iter().zip(outcomes).map(|(row, (_, outcome))| end(*row, outcome)).collect(),
            Err(failure) => rows.iter().map(|row| (*row, KillEnd::Failed, failure.to_string())).collect::<Vec<_>>(),
        };
        let ended = self.store.end_kills(&order.by, &ends).await;
        for (session, (row, outcome, detail)) in sessions.iter().zip(&ends) {
            info!(
                node.id = %order.node_id, session.id = session.id, kill.id = row, kill.source = order.source.name(),
                kill.outcome = outcome.name(), kill.detail = detail, "a kill"
            );
        }
        if let Err(error) = &ended {
            error!(node.id = %order.node_id, %error, "could not write down what became of kills");
        }
        let outcomes = killed.map_err(KillError::Node)?;
        ended?;
        Ok(outcomes)
    }
}

impl KillOrder {
    fn victim(&self, session: &Session) -> Victim {
        match self.meant {
            Meant::Session => Victim::connection_of(session, &self.read),
            Meant::Statement => Victim::statement_of(session, &self.read),
        }
    }

    fn kill(&self, session: &Session) -> NewKill {
        NewKill {
            project_id: self.project_id.clone(),
            instance_id: self.instance_id.clone(),
            node_id: self.node_id.clone(),
            source: self.source,
            task_id: self.task_id.clone(),
            kind: self.kind.name(),
            reason: self.reason.clone(),
            session_id: session.id,
            user: kept(&session.user),
            host: kept(&session.host),
            database: session.database.as_deref().map(kept),
            command: kept(&session.command),
            seconds: session.seconds,
            state: session.state.as_deref().map(kept),
            template: session.statement.as_deref().map(|statement| kept(&template(statement))),
        }
    }
}

/// Why no session that was listed through this address may be killed: a proxy stands between.
pub(crate) fn indirect(node: &NodeUrl, read: &UserSessions) -> Option<Failure> {
    let gap = read.limitations.iter().find(|gap| gap.kind == LimitationKind::Indirect)?;
    let fix = gap.remedy.as_deref().unwrap_or_default();
    let detail = format!("{}: {} {} fix: {}", node.address(), gap.what, gap.why, fix.trim_end_matches('.'));
    Some(Failure::new(FailureKind::ServerError, detail))
}

fn kept(text: &[u8]) -> String {
    clean(text).chars().take(LONGEST).collect()
}

fn end(row: i64, outcome: &KillOutcome) -> (i64, KillEnd, String) {
    let end = match outcome {
        KillOutcome::Killed => KillEnd::Killed,
        KillOutcome::RollingBack { .. } => KillEnd::RollingBack,
        KillOutcome::Ending(_) => KillEnd::Ending,
        KillOutcome::AlreadyGone => KillEnd::AlreadyGone,
        KillOutcome::Refused(_) => KillEnd::Refused,
        KillOutcome::Failed(_) => KillEnd::Failed,
    };
    (row, end, outcome.to_string())
}
