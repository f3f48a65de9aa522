//! Kills sessions and statements. Protected sessions are never killed.
//!
//! The connection that kills a session first reads it again.
//! A victim is identified by server instance, connection id, account and client address.
//! A kill of a statement also compares the statement and its start.
//! Nothing is killed through a proxy.
//!
//! MySQL's `KILL QUERY` takes no statement id: a session may start another statement between the list and the kill.
//! MariaDB's `KILL QUERY ID` takes one.

mod batch;
mod confirm;
mod effect;
mod outcome;
mod process_view;
mod risk;
mod rollback_state;
mod send;
mod user_sessions;
mod victim;

use clew_diagnose::ProtectedAccounts;
use clew_model::{Failure, NodeUrl};
use tokio::time::{Instant, timeout_at};

use crate::connection::Connection;
use crate::connection_limit::Purpose;
use crate::failure;
use crate::limits::Limits;
use batch::KillBatch;
pub use effect::{KillEffect, StateBeforeKill};
pub use outcome::{KillOutcome, Refusal};
pub use process_view::{FoundSessions, find_sessions, read_user_sessions};
pub use risk::{read_kill_risks, read_table_risks};
pub use user_sessions::UserSessions;
pub use victim::{ExpectedStatement, ProcessListRead, Victim};

/// Target of a kill: the session or its statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KillKind {
    /// Kill the session. The server rolls back its open transaction.
    Connection,
    /// Kill the running statement. The session keeps its transaction and its locks.
    Query,
}

impl KillKind {
    /// Name in the store: `connection` or `query`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Query => "query",
        }
    }
}

/// Kills the victim or its statement, and confirms the effect.
///
/// Fails if the server is unreachable or the account lacks a privilege; the failure then has the `GRANT` statement.
/// Never fails after the server accepted the kill: an unconfirmed effect is reported as [`KillOutcome::Ending`].
pub async fn kill(
    node: &NodeUrl,
    victim: &Victim,
    kind: KillKind,
    protected: &ProtectedAccounts,
    limits: &Limits,
) -> Result<KillOutcome, Failure> {
    let outcomes = kill_all(node, std::slice::from_ref(victim), kind, protected, limits).await?;
    match outcomes.into_iter().next() {
        Some((_, KillOutcome::Failed(failure))) => Err(failure),
        Some((_, outcome)) => Ok(outcome),
        None => Ok(KillOutcome::AlreadyGone),
    }
}

/// Kills several sessions over one connection and within one time limit. See [`kill()`].
/// Sends all kills first, then confirms them together.
/// Returns the outcomes with the session ids, in the order of the victims.
///
/// Fails only if no kill was sent. A later failure becomes the outcome of the victims that it affects.
pub async fn kill_all(
    node: &NodeUrl,
    victims: &[Victim],
    kind: KillKind,
    protected: &ProtectedAccounts,
    limits: &Limits,
) -> Result<Vec<(u64, KillOutcome)>, Failure> {
    kill_all_with_policy(node, victims, kind, protected, UnsafeVictims::Kill, limits).await
}

/// Treatment of a victim whose kill can damage a table without transactions, or leave it half changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UnsafeVictims {
    /// Kill it: a user confirmed the risk, or a rule accepts it.
    Kill,
    /// Refuse the kill with [`Refusal::Unsafe`].
    Spare,
}

/// Kills several sessions with the given treatment of unsafe victims. See [`kill_all`].
/// Storage engines are read just before the kills, over the same connection.
pub async fn kill_all_with_policy(
    node: &NodeUrl,
    victims: &[Victim],
    kind: KillKind,
    protected: &ProtectedAccounts,
    unsafe_victims: UnsafeVictims,
    limits: &Limits,
) -> Result<Vec<(u64, KillOutcome)>, Failure> {
    if victims.is_empty() {
        return Ok(Vec::new());
    }
    let deadline = Instant::now() + limits.read_timeout;
    let opening = Connection::open_for_purpose(Purpose::Killing, node, limits);
    let mut connection = run_with_deadline(node, limits, deadline, opening).await?;
    let mut batch = KillBatch::new(victims, kind, protected, unsafe_victims);
    match run_with_deadline(node, limits, deadline, batch.send_kills(&mut connection)).await {
        Ok(()) => {
            let confirmed = run_with_deadline(node, limits, deadline, batch.confirm_kills(connection)).await;
            batch.set_final_outcomes(confirmed.err().as_ref());
        }
        Err(failure) if !batch.has_sent_kill() => return Err(failure),
        Err(failure) => batch.set_final_outcomes(Some(&failure)),
    }
    Ok(batch.into_outcomes())
}

/// Returns the result of `work`, or a timeout failure at the deadline.
async fn run_with_deadline<T>(
    node: &NodeUrl,
    limits: &Limits,
    deadline: Instant,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    timeout_at(deadline, failure::catch_panic(node, work))
        .await
        .unwrap_or_else(|_| Err(failure::timeout_failure(&node.address(), "killing", limits.read_timeout)))
}

#[cfg(test)]
mod tests {
    use clew_model::NodeUrl;
    use clew_testkit::{Flavor, Server, ServerOptions};

    use super::*;

    #[tokio::test]
    async fn own_connection_is_not_killed_on_a_server() {
        for flavor in Flavor::ALL {
            // Clew recognises its own sessions without performance_schema too.
            let options =
                ServerOptions { arguments: vec!["--performance-schema=OFF".into()], ..ServerOptions::default() };
            let server = Server::start(flavor, &options).await.unwrap();
            let (node, limits): (NodeUrl, _) = (server.url().parse().unwrap(), Limits::default());
            let mut own = Connection::open(&node, &limits).await.unwrap();
            let FoundSessions { read, sessions } = find_sessions(&node, &[own.id], &limits).await.unwrap();
            let victim = Victim::for_session(&sessions[0], &read);
            for kind in [KillKind::Connection, KillKind::Query] {
                let outcome = kill(&node, &victim, kind, &ProtectedAccounts::default(), &limits).await.unwrap();
                assert_eq!(outcome, KillOutcome::Refused(Refusal::OwnSession), "{flavor}");
            }
            own.query_all::<u64>("SELECT 1").await.unwrap();
            own.close().await;
        }
    }
}
