//! What Clew gives up on is killed on the server: a dropped connection would go on running there.

use std::sync::LazyLock;
use std::time::Duration;

use clew_model::Failure;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, Opts};
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use crate::budget::{Errand, Place};
use crate::own_sessions::OwnSession;
use crate::{failure, statements};

/// Kills under way, of the whole process: they outlive the reads that started them.
static KILLS: LazyLock<TaskTracker> = LazyLock::new(TaskTracker::new);

/// Tries and the waits before them: a hung server may come back, but not be waited for without end. None is long: whoever wants to
/// read the node waits for the end of what hangs there.
const WAITS: [Duration; 9] = [
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
/// For one try: connect, sign in, kill.
const TRY_LIMIT: Duration = Duration::from_secs(5);

/// Error of a `KILL` whose connection is gone: what was wanted.
const NO_SUCH_THREAD: u16 = 1094;

/// A connection whose server is told to end it, unless it ends well.
#[derive(Debug)]
struct Watched {
    options: Opts,
    connection: u64,
    /// Its own, given back once the server has surely ended it, or does not come back.
    place: Place,
}

/// Kills a connection when dropped, unless told that it ended well.
#[derive(Debug)]
pub(crate) struct KillUnlessDone {
    watched: Option<Watched>,
}

impl KillUnlessDone {
    /// Watches over `connection` of the server that `options` lead to, which has this place.
    pub(crate) fn new(options: Opts, connection: u64, place: Place) -> Self {
        Self { watched: Some(Watched { options, connection, place }) }
    }

    /// The server knows the connection by this id.
    pub(crate) fn known_as(&mut self, connection: u64) {
        if let Some(watched) = &mut self.watched {
            watched.connection = connection;
        }
    }

    /// The connection is about to be closed in order. Its place is to be given back after that.
    pub(crate) fn done(&mut self) -> Option<Place> {
        self.watched.take().map(|watched| watched.place)
    }
}

impl Drop for KillUnlessDone {
    fn drop(&mut self) {
        let Some(watched) = self.watched.take() else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        KILLS.spawn_on(kill(watched), &runtime);
    }
}

/// Waits until every kill under way is done, but no longer than `limit`. For a process that is about to end.
pub async fn settle_kills(limit: Duration) {
    KILLS.close();
    let _ = timeout(limit, KILLS.wait()).await;
    KILLS.reopen();
}

async fn kill(watched: Watched) {
    let connection = watched.connection;
    for wait in WAITS {
        sleep(wait).await;
        match timeout(TRY_LIMIT, try_kill(&watched)).await {
            Ok(Ok(())) => {
                debug!(mysql.connection = connection, "killed what was given up");
                return;
            }
            Ok(Err(error)) => debug!(mysql.connection = connection, %error, "could not kill yet"),
            Err(_) => debug!(mysql.connection = connection, "no answer to a kill yet"),
        }
    }
    let address = watched.place.address();
    warn!(mysql.connection = connection, mysql.address = address, "could not kill a read that was given up");
}

/// The place of a read stays taken while the server has it. The end of a kill goes out in the kill's own place, lest two of them wait for
/// each other's.
async fn try_kill(watched: &Watched) -> Result<(), Failure> {
    let address = watched.place.address();
    let failed = |error: Error| failure::from_driver(&error, address);
    let _place = match watched.place.errand() {
        Errand::Reading => Some(Place::take(address, Errand::Killing, TRY_LIMIT).await?),
        Errand::Killing => None,
    };
    let mut control = Conn::new(watched.options.clone()).await.map_err(failed)?;
    let _own = OwnSession::opened(address, control.id().into());
    let killed = match control.query_drop(statements::kill(watched.connection)).await {
        Err(Error::Server(error)) if error.code == NO_SUCH_THREAD => Ok(()),
        other => other,
    };
    control.disconnect().await.map_err(failed)?;
    killed.map_err(failed)
}
