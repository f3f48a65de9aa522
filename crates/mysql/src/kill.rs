//! Kills of sessions and of statements: of the chosen ones only, and of none that is protected.
//!
//! Sessions are read again on the connection that then kills them. A victim is identified by the server instance that listed it, its id,
//! account and client address, and, where only its statement is to end, what it was running and since when. Through a proxy nothing is
//! killed. `KILL QUERY` of MySQL has no statement id: between the list and the kill a session may begin another statement. That of MariaDB
//! has one.

mod batch;
mod confirm;
mod effect;
mod look;
mod outcome;
mod risk;
mod send;
mod user_sessions;
mod victim;

use clew_diagnose::ProtectedAccounts;
use clew_model::{Failure, NodeUrl};
use tokio::time::{Instant, timeout_at};

use crate::budget::Errand;
use crate::connection::Connection;
use crate::failure;
use crate::limits::Limits;
use batch::Batch;
pub use effect::{KillEffect, StateBeforeKill};
pub use look::{FoundSessions, find_sessions, read_user_sessions};
pub use outcome::{KillOutcome, Refusal};
pub use risk::{read_kill_risks, read_table_risks};
pub use user_sessions::UserSessions;
pub use victim::{Doing, ListRead, Victim};

/// What of a session is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KillKind {
    /// The session. Its open transaction is rolled back.
    Connection,
    /// The statement that it runs. The session, its transaction and its locks stay.
    Query,
}

impl KillKind {
    /// As it is stored: `connection`, `query`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Query => "query",
        }
    }
}

/// Ends the victim, or what it runs, and confirms the effect.
///
/// Fails where the server could not be reached or the account may not kill; then the failure names the `GRANT`. Once the server took
/// the kill, nothing fails: an effect that could not be confirmed is reported as [`KillOutcome::Ending`].
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

/// The same for many, over one connection and within the limits of one: all kills are sent, then all are confirmed together.
/// The outcomes come in the order of the victims, each with its id.
///
/// Fails only where no kill was sent. After the first one, a failure is the outcome of the victims that it affects.
pub async fn kill_all(
    node: &NodeUrl,
    victims: &[Victim],
    kind: KillKind,
    protected: &ProtectedAccounts,
    limits: &Limits,
) -> Result<Vec<(u64, KillOutcome)>, Failure> {
    kill_all_under(node, victims, kind, protected, UnsafeVictims::Kill, limits).await
}

/// Treatment of a victim whose end can damage or half-change a table without transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UnsafeVictims {
    /// It is killed: a person saw the risk, or a rule accepts it.
    Kill,
    /// It is refused with [`Refusal::Unsafe`].
    Spare,
}

/// The same as [`kill_all`], with the treatment of unsafe victims. Engines of tables are read over the connection that kills, just before.
pub async fn kill_all_under(
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
    let until = Instant::now() + limits.node;
    let opening = Connection::open_for(Errand::Killing, node, limits);
    let mut connection = within(node, limits, until, opening).await?;
    let mut batch = Batch::new(victims, kind, protected, unsafe_victims);
    match within(node, limits, until, batch.send(&mut connection)).await {
        Ok(()) => {
            let confirmed = within(node, limits, until, batch.confirm(connection)).await;
            batch.end(confirmed.err().as_ref());
        }
        Err(failure) if batch.nothing_was_sent() => return Err(failure),
        Err(failure) => batch.end(Some(&failure)),
    }
    Ok(batch.outcomes())
}

/// The outcome of `work`, if it comes before the time is over.
async fn within<T>(
    node: &NodeUrl,
    limits: &Limits,
    until: Instant,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    timeout_at(until, failure::without_panic(node, work))
        .await
        .unwrap_or_else(|_| Err(failure::timed_out(&node.address(), "killing", limits.node)))
}

#[cfg(test)]
mod tests {
    use clew_model::NodeUrl;
    use clew_testkit::{Flavor, Server, ServerOptions};

    use super::*;

    #[tokio::test]
    async fn clews_own_connection_survives_on_a_server() {
        for flavor in Flavor::ALL {
            // Without performance_schema, this process knows its own sessions all the same.
            let options =
                ServerOptions { arguments: vec!["--performance-schema=OFF".into()], ..ServerOptions::default() };
            let server = Server::start(flavor, &options).await.unwrap();
            let (node, limits): (NodeUrl, _) = (server.url().parse().unwrap(), Limits::default());
            let mut own = Connection::open(&node, &limits).await.unwrap();
            let FoundSessions { read, sessions } = find_sessions(&node, &[own.id], &limits).await.unwrap();
            let victim = Victim::connection_of(&sessions[0], &read);
            for kind in [KillKind::Connection, KillKind::Query] {
                let outcome = kill(&node, &victim, kind, &ProtectedAccounts::default(), &limits).await.unwrap();
                assert_eq!(outcome, KillOutcome::Refused(Refusal::Own), "{flavor}");
            }
            own.ask::<u64>("SELECT 1").await.unwrap();
            own.close().await;
        }
    }
}
