//! A statement that Clew no longer waits for is killed on the server: closing the connection would leave it running.
//!
//! The kill needs proof. A control connection lists the sessions and kills only the one that runs a statement with the tag of the
//! dropped connection, under Clew's account, and only where the list is that of the server that the control connection reaches. Ids that
//! were read before prove nothing: the server may have restarted, or the address may lead to another one.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use clew_model::{Failure, FailureKind, NodeUrl, Session};
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use crate::budget::{Errand, Place};
use crate::client::{Error, InFlight};
use crate::connection::Link;
use crate::own_sessions::OwnSession;
use crate::{failure, sessions, statements};
use statements::NO_SUCH_THREAD;

/// Kills under way, of the whole process: they outlive the reads that started them.
static KILLS: LazyLock<TaskTracker> = LazyLock::new(TaskTracker::new);

/// Delays before the attempts: a hung server may recover, and the next read of the node waits for the end of these.
const DELAYS: [Duration; 9] = [
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
/// Limit of each step of an attempt: connect and sign in, list and kill.
const STEP_LIMIT: Duration = Duration::from_secs(5);
/// Bytes of each listed session that are needed: the start of its statement.
const MAX_ROW: usize = 4 << 10;

/// What is known of the connection.
#[derive(Debug)]
struct Abandoned {
    node: NodeUrl,
    /// Bytes that the server may send to the control connection.
    max_bytes: u64,
    own: Arc<OwnSession>,
    /// The permit of the connection, released once its statement has ended on the server, or cannot be ended.
    place: Place,
}

/// Kills the statement of a connection when dropped while one is under way.
#[derive(Debug)]
pub(crate) struct KillOnDrop {
    abandoned: Option<Abandoned>,
    in_flight: InFlight,
}

/// What an attempt found.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// The statement was killed.
    Killed,
    /// No session runs it.
    Ended,
    /// The control connection does not reach the server itself.
    Unproven,
}

impl KillOnDrop {
    /// Guards the connection `own` to this node, which holds this permit. A server may send `max_bytes` to a control connection.
    pub(crate) fn new(node: NodeUrl, own: Arc<OwnSession>, place: Place, in_flight: InFlight, max_bytes: u64) -> Self {
        Self { abandoned: Some(Abandoned { node, max_bytes, own, place }), in_flight }
    }

    /// The connection is closed in order. Its permit is to be released after that.
    pub(crate) fn done(&mut self) -> Option<Place> {
        self.abandoned.take().map(|abandoned| abandoned.place)
    }
}

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        let Some(abandoned) = self.abandoned.take() else { return };
        abandoned.own.closed();
        if !self.in_flight.get() {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        KILLS.spawn_on(kill(abandoned), &runtime);
    }
}

/// Waits until every kill under way is done, but no longer than `limit`. For a process that is about to end.
pub async fn settle_kills(limit: Duration) {
    KILLS.close();
    let _ = timeout(limit, KILLS.wait()).await;
    KILLS.reopen();
}

async fn kill(abandoned: Abandoned) {
    let address = abandoned.place.address();
    for delay in DELAYS {
        sleep(delay).await;
        let (place, control) = match timeout(STEP_LIMIT, open(&abandoned)).await {
            Ok(Ok(opened)) => opened,
            // Each further login could be the one that locks the account.
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
        let attempt = timeout(STEP_LIMIT, attempt(&abandoned, control)).await;
        drop(place);
        match attempt {
            Ok(Ok(Found::Unproven)) => {
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
                // A list that hangs keeps a connection of the server: each further attempt would keep one more.
                warn!(mysql.address = address, "statements may still run on the server: it does not list its sessions");
                return;
            }
        }
    }
    warn!(mysql.address = address, "a statement may still run on the server: it could not be killed");
}

/// A control connection uses the permit for kills, or that of the abandoned kill itself, so that two of them do not wait for each other's.
async fn open(abandoned: &Abandoned) -> Result<(Option<Place>, Link), Failure> {
    let place = match abandoned.place.errand() {
        Errand::Reading => Some(Place::take(abandoned.place.address(), Errand::Killing, STEP_LIMIT).await?),
        Errand::Killing => None,
    };
    Ok((place, Link::open(&abandoned.node, abandoned.max_bytes).await?))
}

async fn attempt(abandoned: &Abandoned, mut control: Link) -> Result<Found, Failure> {
    let failed = |error: Error| failure::from_client(&error, abandoned.place.address());
    let start = format!("/* {} */", abandoned.own.tag()).into_bytes();
    let account = abandoned.node.user.as_bytes();
    let mut filter = control.own_filter();
    let mut rows = sessions::list(&mut control.client, MAX_ROW).await.map_err(failed)?;
    let mut ids = Vec::new();
    while let Some(session) = rows.next().await.map_err(failed)? {
        filter.is_own(&session);
        if runs(&session, account, &start) {
            ids.push(session.id);
        }
    }
    let found = match ids[..] {
        _ if !control.is_direct(&filter) => Found::Unproven,
        [] => Found::Ended,
        // The tag of one connection in two sessions: one of them is a forgery.
        [_, _, ..] => Found::Unproven,
        [id] => match control.client.execute(&statements::kill(id)).await {
            Err(Error::Server(error)) if error.code == NO_SUCH_THREAD => Found::Ended,
            sent => sent.map(|()| Found::Killed).map_err(failed)?,
        },
    };
    control.client.quit().await.map_err(failed)?;
    Ok(found)
}

fn runs(session: &Session, account: &[u8], start: &[u8]) -> bool {
    session.user == account && session.statement.as_deref().is_some_and(|statement| statement.starts_with(start))
}
