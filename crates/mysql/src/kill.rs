//! Kills sessions and running statements. Never kills the sessions of protected accounts.
//!
//! Immediately before a kill, Clew reads the session again over the connection that sends the kill.
//! Clew identifies a session by server instance, connection id, account and client address.
//! Before killing a statement, Clew checks that the statement has the expected text and elapsed time.
//! Clew refuses to kill through a proxy, because a proxy can route queries and kills to different servers.
//!
//! MySQL's `KILL QUERY` kills whichever statement the session is running when the server executes the kill.
//! If the session starts a new statement after Clew's last check, `KILL QUERY` kills the new statement.
//! MariaDB's `KILL QUERY ID` kills only the statement with the given query id.

mod batch;
mod client_sessions;
mod confirmation;
mod effect;
mod kill_command;
mod outcome;
mod process_list_snapshot;
mod risk;
mod victim;

use clew_diagnose::ProtectedAccounts;
use clew_model::{Failure, NodeUrl};
use tokio::time::Instant;

use crate::connection::{Connection, run_with_deadline};
use crate::connection_limit::ConnectionPurpose;
use crate::connector::NodeConnector;
use batch::KillBatch;
pub use client_sessions::ClientSessions;
pub use effect::{KillEffect, PreKillSnapshot};
pub use outcome::{KillOutcome, KillRefusal};
pub use process_list_snapshot::{SessionLookupResult, find_sessions_by_id, read_client_sessions};
pub use risk::{find_sessions_unsafe_to_kill, read_kill_risks};
pub use victim::{ExpectedStatement, ProcessListSource, Victim};

clew_model::named_enum! {
    /// Target of a kill: a session (`KILL CONNECTION`) or its running statement (`KILL QUERY`).
    /// The metadata database stores kill targets by name, such as `connection` or `query`.
    pub enum KillTarget {
        /// Terminates the session. The server then rolls back the session's open transaction.
        Connection = "connection",
        /// Terminates the running statement. The session keeps its open transaction and its locks.
        Query = "query",
    }
}

/// Options for kills, such as the target (session or statement) and the protected accounts.
#[derive(Debug, Clone, Copy)]
pub struct KillOptions<'a> {
    /// Target of the kills.
    pub kind: KillTarget,
    /// Accounts whose sessions Clew never kills.
    pub protected: &'a ProtectedAccounts,
    /// If true, Clew also kills sessions that change non-transactional tables, although the changes cannot be rolled back.
    /// Set `include_unsafe` to true only if the user or the kill rule accepts the risk of partial changes.
    /// If false, Clew refuses to kill sessions that change, or may change, non-transactional tables ([`KillRefusal::Unsafe`]).
    pub include_unsafe: bool,
}

impl<'a> KillOptions<'a> {
    /// Creates options that accept the risk of partial changes to non-transactional tables.
    #[must_use]
    pub fn new(kind: KillTarget, protected: &'a ProtectedAccounts) -> Self {
        Self { kind, protected, include_unsafe: true }
    }
}

/// Kills a session or its running statement, and then checks that the session or statement has ended.
///
/// Fails if the server is unreachable or the account lacks a required privilege.
/// If a privilege is missing, the error message includes the required `GRANT` statement.
/// If the server has accepted the `KILL` statement, later failures do not cause an error.
/// If the effect of the kill cannot be confirmed, the outcome is [`KillOutcome::Ending`].
pub async fn kill_single_victim(
    node: &NodeUrl,
    victim: &Victim,
    options: KillOptions<'_>,
    connector: &NodeConnector,
) -> Result<KillOutcome, Failure> {
    let outcomes = kill_victims(node, std::slice::from_ref(victim), options, connector).await?;
    match outcomes.into_iter().next() {
        Some((_, KillOutcome::Failed(failure))) => Err(failure),
        Some((_, outcome)) => Ok(outcome),
        None => Ok(KillOutcome::AlreadyGone),
    }
}

/// Kills several sessions over one connection and within a single timeout. See [`kill_single_victim`].
/// Sends the `KILL` statements for all victims, and then checks which kills took effect.
/// Returns the session id and kill outcome of each element of `victims`, in the same order.
///
/// Returns an error if the operation fails before Clew sends the first `KILL` statement.
/// If an error occurs after the first `KILL`, the outcome of each affected session contains the error.
pub async fn kill_victims(
    node: &NodeUrl,
    victims: &[Victim],
    options: KillOptions<'_>,
    connector: &NodeConnector,
) -> Result<Vec<(u64, KillOutcome)>, Failure> {
    if victims.is_empty() {
        return Ok(Vec::new());
    }
    let deadline = Instant::now() + connector.limits.read_timeout;
    let opening = Connection::open_for_purpose(ConnectionPurpose::Killing, node, connector);
    let mut connection = run_with_deadline(node, connector, deadline, "killing sessions", opening).await?;
    let mut batch = KillBatch::new(victims, options);
    let sending = batch.send_kills(&mut connection);
    let failure = match run_with_deadline(node, connector, deadline, "killing sessions", sending).await {
        Ok(()) => {
            let confirming = batch.wait_until_kills_take_effect(connection);
            run_with_deadline(node, connector, deadline, "killing sessions", confirming).await.err()
        }
        Err(failure) if !batch.has_sent_kill() => return Err(failure),
        Err(failure) => Some(failure),
    };
    Ok(batch.into_kill_outcomes(failure.as_ref()))
}

#[cfg(test)]
mod tests {
    use clew_model::NodeUrl;
    use clew_testkit::{DatabaseServer, DatabaseServerOptions, Flavor};

    use super::*;

    #[tokio::test]
    async fn own_connection_is_not_killed_on_a_server() {
        for flavor in Flavor::ALL {
            // Clew also recognizes its own sessions without performance_schema.
            let options = DatabaseServerOptions {
                arguments: vec!["--performance-schema=OFF".into()],
                ..DatabaseServerOptions::default()
            };
            let server = DatabaseServer::start(flavor, &options).await.unwrap();
            let (node, connector): (NodeUrl, _) = (server.url().parse().unwrap(), NodeConnector::default());
            let mut own = Connection::open(&node, &connector).await.unwrap();
            let found = find_sessions_by_id(&node, &[own.id], &connector).await.unwrap();
            let predicted =
                found.predict_kill_refusal(&found.sessions[0], KillTarget::Connection, &ProtectedAccounts::default());
            assert_eq!(predicted, Some(KillRefusal::OwnSession), "{flavor}");
            let SessionLookupResult { read, sessions, .. } = found;
            let victim = Victim::for_session(&sessions[0], &read);
            for kind in [KillTarget::Connection, KillTarget::Query] {
                let outcome = kill_single_victim(
                    &node,
                    &victim,
                    KillOptions::new(kind, &ProtectedAccounts::default()),
                    &connector,
                )
                .await
                .unwrap();
                assert_eq!(outcome, KillOutcome::Refused(KillRefusal::OwnSession), "{flavor}");
            }
            own.query_all_rows::<u64>("SELECT 1").await.unwrap();
            own.close().await;
        }
    }
}
