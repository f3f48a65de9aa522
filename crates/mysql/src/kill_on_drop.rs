//! Kills the running statement of a dropped connection.
//! Without a kill, the server continues to run the statement after the connection is closed.
//!
//! Clew reads the process list over a new control connection and finds the session of the dropped connection.
//! Clew identifies the session by its account and by the connection tag in the SQL comment of its statement.
//! Clew kills the session only if the control connection reaches the server without a proxy.
//! The connection id alone does not identify the session, because another client may have the same id after a failover.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clew_model::{Failure, FailureKind, NodeUrl};
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

use crate::abandoned_statements::AbandonedStatementKillFailure;
use crate::client::Error;
use crate::connection_limit::{ConnectionPermit, ConnectionPurpose};
use crate::connector::NodeConnector;
use crate::own_sessions::ConnectionRegistration;
use crate::process_list::ProcessListReader;
use crate::raw_connection::RawConnection;
use crate::{failure, sql_statements};
use sql_statements::ER_NO_SUCH_THREAD;

/// Seconds to wait before each attempt to kill a statement. An unresponsive server may recover between attempts.
/// If the dropped connection was used for reading, new read operations on the node wait until the kill attempts end.
const KILL_ATTEMPT_DELAY_SECONDS: [u64; 9] = [0, 1, 2, 2, 2, 2, 2, 2, 2];
/// Timeout for each step of an attempt to kill a statement whose connection was dropped.
/// A kill attempt has two steps: opening the control connection, and then finding and killing the session.
const KILL_ATTEMPT_STEP_TIMEOUT: Duration = Duration::from_secs(5);
/// Limit on the bytes read per process list row. The limit is large enough for a statement's connection tag.
const MAX_PROCESS_LIST_ROW_BYTES: usize = 4 << 10;

/// Statement that the server may still be running after the connection was dropped.
#[derive(Debug)]
struct AbandonedStatement {
    node: NodeUrl,
    connector: NodeConnector,
    own: Arc<ConnectionRegistration>,
    /// Host name of the server that runs the statement, or `None` if the host name is unknown.
    server_host: Option<Vec<u8>>,
    /// Connection permit of the dropped connection. The permit is released after the last kill attempt.
    permit: ConnectionPermit,
}

/// Guard that kills a connection's running statement on drop, unless the guard has been disarmed.
#[derive(Debug)]
pub(crate) struct KillOnDropGuard {
    abandoned: Option<AbandonedStatement>,
    in_flight: Arc<AtomicBool>,
}

#[derive(Debug, PartialEq, Eq)]
enum KillAttemptOutcome {
    Killed,
    Ended,
    /// The session cannot be identified, because a proxy is in use or two sessions use the same connection tag.
    Unidentified,
    AnotherServer,
}

impl KillOnDropGuard {
    /// Creates a guard that owns the connection permit until the guard is disarmed.
    pub(crate) fn new(
        node: NodeUrl,
        connector: NodeConnector,
        own: Arc<ConnectionRegistration>,
        permit: ConnectionPermit,
        in_flight: Arc<AtomicBool>,
    ) -> Self {
        Self { abandoned: Some(AbandonedStatement { node, connector, own, server_host: None, permit }), in_flight }
    }

    pub(crate) fn set_server_host(&mut self, host: Option<Vec<u8>>) {
        if let Some(abandoned) = &mut self.abandoned {
            abandoned.server_host = host;
        }
    }

    /// Disarms the guard and returns the connection permit. The caller must close the connection before dropping the permit.
    pub(crate) fn disarm(&mut self) -> Option<ConnectionPermit> {
        self.abandoned.take().map(|abandoned| abandoned.permit)
    }
}

impl Drop for KillOnDropGuard {
    fn drop(&mut self) {
        let Some(abandoned) = self.abandoned.take() else { return };
        abandoned.own.mark_closed();
        if !self.in_flight.load(Ordering::Acquire) {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let pending_kills = abandoned.connector.registry.pending_kills.clone();
        pending_kills.spawn_on(kill_abandoned_statement(abandoned), &runtime);
    }
}

async fn kill_abandoned_statement(abandoned: AbandonedStatement) {
    let address = abandoned.permit.address();
    if let Err(reason) = kill_statement_with_retries(&abandoned).await {
        warn!(mysql.address = address, ?reason, "abandoned statement not killed, and may still run");
        let statements = &abandoned.connector.registry.abandoned_statements;
        statements.record_abandoned_statement(address, &abandoned.node.user, reason);
    }
}

async fn kill_statement_with_retries(abandoned: &AbandonedStatement) -> Result<(), AbandonedStatementKillFailure> {
    let address = abandoned.permit.address();
    for delay in KILL_ATTEMPT_DELAY_SECONDS {
        sleep(Duration::from_secs(delay)).await;
        let (permit, control) = match timeout(KILL_ATTEMPT_STEP_TIMEOUT, open_connection_for_kill(abandoned)).await {
            Ok(Ok(opened)) => opened,
            // Further failed logins could lock the account.
            Ok(Err(error)) if error.kind == FailureKind::AccessDenied => {
                warn!(mysql.address = address, %error, "the server refused the login of the control connection");
                return Err(AbandonedStatementKillFailure::LoginRefused);
            }
            Ok(Err(error)) => {
                debug!(mysql.address = address, %error, "control connection failed; the kill of the abandoned statement is retried");
                continue;
            }
            Err(_) => {
                debug!(
                    mysql.address = address,
                    "control connection timed out; the kill of the abandoned statement is retried"
                );
                continue;
            }
        };
        let attempt = timeout(KILL_ATTEMPT_STEP_TIMEOUT, attempt_kill(abandoned, control)).await;
        drop(permit);
        match attempt {
            Ok(Ok(KillAttemptOutcome::Unidentified)) => return Err(AbandonedStatementKillFailure::Unidentified),
            // Further attempts would delay the next read of the node after a failover.
            Ok(Ok(KillAttemptOutcome::AnotherServer)) => return Err(AbandonedStatementKillFailure::AnotherServer),
            Ok(Ok(outcome)) => {
                debug!(mysql.address = address, ?outcome, "kill of abandoned statement completed");
                return Ok(());
            }
            Ok(Err(error)) => {
                debug!(mysql.address = address, %error, "kill of abandoned statement failed; the kill is retried");
            }
            Err(_) => {
                // A hung `SHOW PROCESSLIST` occupies a connection. Each further attempt would occupy another one.
                return Err(AbandonedStatementKillFailure::TimedOut);
            }
        }
    }
    Err(AbandonedStatementKillFailure::AttemptsFailed)
}

/// Opens a connection for the kill. Acquires a connection permit only if the dropped connection was used for reading.
/// A kill that waits for a second permit could deadlock, because each node has only one permit reserved for kills.
async fn open_connection_for_kill(
    abandoned: &AbandonedStatement,
) -> Result<(Option<ConnectionPermit>, RawConnection), Failure> {
    let permit = match abandoned.permit.purpose {
        ConnectionPurpose::Reading => {
            let (permits, address) = (&abandoned.connector.registry.permits, abandoned.permit.address());
            Some(permits.acquire(address, ConnectionPurpose::Killing, KILL_ATTEMPT_STEP_TIMEOUT).await?)
        }
        ConnectionPurpose::Killing => None,
    };
    Ok((permit, RawConnection::open(&abandoned.node, &abandoned.connector).await?))
}

async fn attempt_kill(
    abandoned: &AbandonedStatement,
    mut control: RawConnection,
) -> Result<KillAttemptOutcome, Failure> {
    let failed = |error: Error| failure::failure_from_client_error(&error, abandoned.permit.address());
    let start = format!("/* {} */", abandoned.own.tag).into_bytes();
    let account = abandoned.node.user.as_bytes();
    let mut filter = control.own_session_filter();
    let query = sql_statements::PROCESS_LIST_QUERY;
    let rows = ProcessListReader::open(&mut control.client, query, MAX_PROCESS_LIST_ROW_BYTES).await;
    let mut rows = rows.map_err(failed)?;
    let mut ids = Vec::new();
    while let Some(session) = rows.next().await.map_err(failed)? {
        filter.is_own_session(&session);
        let runs_statement = session.statement.as_deref().is_some_and(|statement| statement.starts_with(&start));
        if session.user == account && runs_statement {
            ids.push(session.id);
        }
    }
    let is_same_server = abandoned.server_host.is_none() || abandoned.server_host == control.server_host;
    let outcome = match ids[..] {
        _ if !is_same_server => KillAttemptOutcome::AnotherServer,
        _ if !control.is_directly_connected(&filter) => KillAttemptOutcome::Unidentified,
        [] => KillAttemptOutcome::Ended,
        // If two sessions run a statement with the same tag, one of them has a forged tag.
        [_, _, ..] => KillAttemptOutcome::Unidentified,
        [id] => match control.client.execute(&sql_statements::build_kill_connection_statement(id)).await {
            Err(Error::Server(error)) if error.code == ER_NO_SUCH_THREAD => KillAttemptOutcome::Ended,
            sent => sent.map(|()| KillAttemptOutcome::Killed).map_err(failed)?,
        },
    };
    control.client.quit().await.map_err(failed)?;
    Ok(outcome)
}
