//! What Clew gives up on is killed on the server: a dropped connection would go on running there.

use std::sync::LazyLock;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use crate::own_sessions::OwnSession;
use crate::statements;

/// Kills under way, of the whole process: they outlive the reads that started them.
static KILLS: LazyLock<TaskTracker> = LazyLock::new(TaskTracker::new);

/// Tries and the waits before them: a hung server may come back, but not be waited for without end.
const WAITS: [Duration; 6] = [
    Duration::ZERO,
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(20),
];
/// For one try: connect, sign in, kill.
const TRY_LIMIT: Duration = Duration::from_secs(5);

/// Error of a `KILL` whose connection is gone: what was wanted.
const NO_SUCH_THREAD: u16 = 1094;

/// Kills a connection when dropped, unless told that it ended well.
#[derive(Debug)]
pub(crate) struct KillUnlessDone {
    target: Option<(Opts, u64)>,
}

impl KillUnlessDone {
    /// Watches over `connection` of the server that `options` lead to.
    pub(crate) fn new(options: Opts, connection: u64) -> Self {
        Self { target: Some((options, connection)) }
    }

    /// The connection was closed in order.
    pub(crate) fn done(&mut self) {
        self.target = None;
    }
}

impl Drop for KillUnlessDone {
    fn drop(&mut self) {
        let Some((options, connection)) = self.target.take() else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        KILLS.spawn_on(kill(options, connection), &runtime);
    }
}

/// Waits until every kill under way is done, but no longer than `limit`. For a process that is about to end.
pub async fn settle_kills(limit: Duration) {
    KILLS.close();
    let _ = timeout(limit, KILLS.wait()).await;
    KILLS.reopen();
}

async fn kill(options: Opts, connection: u64) {
    for wait in WAITS {
        sleep(wait).await;
        match timeout(TRY_LIMIT, try_kill(options.clone(), connection)).await {
            Ok(Ok(())) => {
                debug!(mysql.connection = connection, "killed what was given up");
                return;
            }
            Ok(Err(error)) => debug!(mysql.connection = connection, %error, "could not kill yet"),
            Err(_) => debug!(mysql.connection = connection, "no answer to a kill yet"),
        }
    }
    warn!(mysql.connection = connection, mysql.address = %options.ip_or_hostname(), "could not kill a read that was given up");
}

async fn try_kill(options: Opts, connection: u64) -> mysql_async::Result<()> {
    let address = format!("{}:{}", options.ip_or_hostname(), options.tcp_port());
    let mut control = Conn::new(options).await?;
    let _own = OwnSession::opened(&address, control.id().into());
    let killed = match control.query_drop(statements::kill(connection)).await {
        Err(mysql_async::Error::Server(error)) if error.code == NO_SUCH_THREAD => Ok(()),
        other => other,
    };
    control.disconnect().await?;
    killed
}
