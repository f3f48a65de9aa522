//! Kills the running statement of a dropped connection.
//! If Clew only closed the connection, the server would continue to run the statement.
//!
//! A control connection reads the process list to find the session of the dropped connection.
//! The session is identified by Clew's account and by the connection tag in its statement.
//! Clew kills nothing unless the control connection reaches the server directly.
//! A stored connection id is not sufficient, because a restart or a failover may have reassigned the id.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use clew_model::{Failure, FailureKind, NodeUrl, Session};
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use crate::client::{Error, InFlightFlag};
use crate::connection_limit::{ConnectionPermit, ConnectionPurpose};
use crate::own_sessions::OwnSession;
use crate::raw_connection::RawConnection;
use crate::{failure, process_list, statements};
use statements::NO_SUCH_THREAD_ERROR;

/// Kill tasks of this process, which outlive the reads that spawned them.
static PENDING_KILLS: LazyLock<TaskTracker> = LazyLock::new(TaskTracker::new);

/// Delay before each kill attempt. A hung server may recover between attempts.
/// The next read of the node waits until the attempts end.
const KILL_ATTEMPT_DELAYS: [Duration; 9] = [
    Duration::ZERO,
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(2),
    Duration::from_secs(2),
    Duration::from_secs(2),
    Duration::from_secs(2),
    Duration::from_secs(2),
    Duration::from_secs(2),
];
/// Timeout of each step of a kill attempt: first connecting, then listing and killing.
const KILL_ATTEMPT_STEP_TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum number of bytes read per process list row, enough for the tag of the statement.
const MAX_PROCESS_LIST_ROW_BYTES: usize = 4 << 10;

/// Dropped connection whose statement may still run on the server.
#[derive(Debug)]
struct AbandonedStatement {
    node: NodeUrl,
    /// Maximum number of bytes received over the control connection.
    max_bytes: u64,
    own: Arc<OwnSession>,
    /// Permit of the dropped connection, released after the last kill attempt.
    permit: ConnectionPermit,
}

/// Guard that kills the connection's running statement on drop.
#[derive(Debug)]
pub(crate) struct KillOnDropGuard {
    abandoned: Option<AbandonedStatement>,
    in_flight: InFlightFlag,
}

/// Outcome of an attempt.
#[derive(Debug, PartialEq, Eq)]
enum KillAttemptOutcome {
    /// The statement was killed.
    Killed,
    /// No session runs the statement.
    Ended,
    /// The session cannot be identified, or the control connection is not direct.
    Unidentified,
}

impl KillOnDropGuard {
    /// Creates a guard for the connection `own`, which holds `permit`.
    /// `max_bytes` is the maximum number of bytes received over a control connection.
    pub(crate) fn new(
        node: NodeUrl,
        own: Arc<OwnSession>,
        permit: ConnectionPermit,
        in_flight: InFlightFlag,
        max_bytes: u64,
    ) -> Self {
        Self { abandoned: Some(AbandonedStatement { node, max_bytes, own, permit }), in_flight }
    }

    /// Disarms the guard before the connection is closed normally.
    /// Returns the permit, which the caller must drop after closing the connection.
    pub(crate) fn disarm(&mut self) -> Option<ConnectionPermit> {
        self.abandoned.take().map(|abandoned| abandoned.permit)
    }
}

impl Drop for KillOnDropGuard {
    fn drop(&mut self) {
        let Some(abandoned) = self.abandoned.take() else { return };
        abandoned.own.mark_closed();
        if !self.in_flight.is_in_flight() {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        PENDING_KILLS.spawn_on(kill_with_retries(abandoned), &runtime);
    }
}

/// Waits until all pending kills are finished, at most for `limit`. Called before the process exits.
pub async fn wait_for_pending_kills(limit: Duration) {
    PENDING_KILLS.close();
    let _ = timeout(limit, PENDING_KILLS.wait()).await;
    PENDING_KILLS.reopen();
}

async fn kill_with_retries(abandoned: AbandonedStatement) {
    let address = abandoned.permit.address();
    for delay in KILL_ATTEMPT_DELAYS {
        sleep(delay).await;
        let (permit, control) = match timeout(KILL_ATTEMPT_STEP_TIMEOUT, open_control_connection(&abandoned)).await {
            Ok(Ok(opened)) => opened,
            // Further failed logins could lock the account.
            Ok(Err(error)) if error.kind == FailureKind::AccessDenied => {
                warn!(mysql.address = address, %error, "a statement may still run on the server: the login was refused");
                return;
            }
            Ok(Err(error)) => {
                debug!(mysql.address = address, %error, "could not connect to kill an abandoned statement yet");
                continue;
            }
            Err(_) => {
                debug!(mysql.address = address, "timed out connecting to kill an abandoned statement");
                continue;
            }
        };
        let attempt = timeout(KILL_ATTEMPT_STEP_TIMEOUT, attempt_kill(&abandoned, control)).await;
        drop(permit);
        match attempt {
            Ok(Ok(KillAttemptOutcome::Unidentified)) => {
                warn!(
                    mysql.address = address,
                    "a statement may still run on the server: behind a proxy or on another server Clew cannot prove which session is its own"
                );
                return;
            }
            Ok(Ok(found)) => {
                debug!(mysql.address = address, ?found, "abandoned statement");
                return;
            }
            Ok(Err(error)) => debug!(mysql.address = address, %error, "could not kill an abandoned statement yet"),
            Err(_) => {
                // A hung `SHOW PROCESSLIST` occupies a connection. Each further attempt would occupy another one.
                warn!(mysql.address = address, "statements may still run on the server: it does not list its sessions");
                return;
            }
        }
    }
    warn!(mysql.address = address, "a statement may still run on the server: it could not be killed");
}

/// Opens a control connection with the permit for kills.
/// If the dropped connection was for kills, the control connection reuses its permit to avoid a deadlock.
async fn open_control_connection(
    abandoned: &AbandonedStatement,
) -> Result<(Option<ConnectionPermit>, RawConnection), Failure> {
    let permit = match abandoned.permit.purpose() {
        ConnectionPurpose::Reading => Some(
            ConnectionPermit::acquire(
                abandoned.permit.address(),
                ConnectionPurpose::Killing,
                KILL_ATTEMPT_STEP_TIMEOUT,
            )
            .await?,
        ),
        ConnectionPurpose::Killing => None,
    };
    Ok((permit, RawConnection::open(&abandoned.node, abandoned.max_bytes).await?))
}

async fn attempt_kill(
    abandoned: &AbandonedStatement,
    mut control: RawConnection,
) -> Result<KillAttemptOutcome, Failure> {
    let failed = |error: Error| failure::from_client_error(&error, abandoned.permit.address());
    let start = format!("/* {} */", abandoned.own.connection_tag()).into_bytes();
    let account = abandoned.node.user.as_bytes();
    let mut filter = control.own_session_filter();
    let mut rows =
        process_list::query_sessions(&mut control.client, MAX_PROCESS_LIST_ROW_BYTES).await.map_err(failed)?;
    let mut ids = Vec::new();
    while let Some(session) = rows.next().await.map_err(failed)? {
        filter.is_own_session(&session);
        if runs_tagged_statement(&session, account, &start) {
            ids.push(session.id);
        }
    }
    let found = match ids[..] {
        _ if !control.is_direct(&filter) => KillAttemptOutcome::Unidentified,
        [] => KillAttemptOutcome::Ended,
        // If two sessions run a statement with the same tag, one of the tags is forged.
        [_, _, ..] => KillAttemptOutcome::Unidentified,
        [id] => match control.client.execute(&statements::kill_connection_statement(id)).await {
            Err(Error::Server(error)) if error.code == NO_SUCH_THREAD_ERROR => KillAttemptOutcome::Ended,
            sent => sent.map(|()| KillAttemptOutcome::Killed).map_err(failed)?,
        },
    };
    control.client.quit().await.map_err(failed)?;
    Ok(found)
}

fn runs_tagged_statement(session: &Session, account: &[u8], start: &[u8]) -> bool {
    session.user == account && session.statement.as_deref().is_some_and(|statement| statement.starts_with(start))
}
