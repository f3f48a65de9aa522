//! `LISTEN`, over a connection of its own that is known to be alive.

use std::fmt;
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::time::{Instant, sleep_until, timeout};

use super::{ACQUIRE, PostgresDatabase};
use crate::notices::Notice;

/// Triggers tell on it (`0002_notices.sql`).
const CHANNEL: &str = "clew";
/// A connection over which nothing came for so long is asked something …
const SILENCE: Duration = Duration::from_secs(5);
/// … and given up if it does not answer in time: a network that was cut says nothing.
const ANSWER: Duration = Duration::from_secs(5);
/// Between two tries to connect.
const AGAIN: Duration = Duration::from_secs(1);

/// Listens, and connects anew whenever it has to.
pub(crate) struct Listener {
    options: PgConnectOptions,
    state: State,
}

enum State {
    /// Not before this moment it connects.
    Deaf(Instant),
    Hearing {
        connection: Box<PgListener>,
        /// When it was heard of last.
        heard: Instant,
    },
}

impl Listener {
    pub(crate) fn of(database: &PostgresDatabase) -> Self {
        let options = (*database.pool.connect_options()).clone().disable_statement_logging();
        Self { options, state: State::Deaf(Instant::now()) }
    }

    pub(crate) async fn next(&mut self) -> Notice {
        loop {
            match &mut self.state {
                State::Deaf(until) => {
                    sleep_until(*until).await;
                    let connected = timeout(ACQUIRE, connect(&self.options)).await;
                    if let Ok(Ok(connection)) = connected {
                        self.state = State::Hearing { connection: Box::new(connection), heard: Instant::now() };
                        return Notice::Listening;
                    }
                    self.state = State::Deaf(Instant::now() + AGAIN);
                }
                State::Hearing { connection, heard } => {
                    let said = tokio::select! {
                        said = connection.try_recv() => said.ok().flatten().map(|said| notice(said.payload())),
                        () = sleep_until(*heard + SILENCE) => is_alive(connection).await.then_some(None),
                    };
                    *heard = Instant::now();
                    match said {
                        Some(Some(notice)) => return notice,
                        // Nothing was said, or what a newer version says.
                        Some(None) => {}
                        None => {
                            self.state = State::Deaf(Instant::now());
                            return Notice::Deaf;
                        }
                    }
                }
            }
        }
    }
}

async fn connect(options: &PgConnectOptions) -> Result<PgListener, sqlx::Error> {
    let only = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None).acquire_timeout(ACQUIRE);
    let mut listener = PgListener::connect_with(&only.connect_lazy_with(options.clone())).await?;
    // Whoever is told to be deaf looks for themselves until the next connection.
    listener.eager_reconnect(false);
    listener.listen(CHANNEL).await?;
    Ok(listener)
}

/// What is said while it answers is kept.
async fn is_alive(connection: &mut PgListener) -> bool {
    matches!(timeout(ANSWER, sqlx::query("SELECT 1").execute(connection)).await, Ok(Ok(_)))
}

fn notice(payload: &str) -> Option<Notice> {
    match payload.split_once(' ') {
        Some(("ended", id)) => id.parse().ok().map(Notice::Ended),
        None if payload == "queued" => Some(Notice::Queued),
        None if payload == "kill" => Some(Notice::KillQueued),
        _ => None,
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("is_deaf", &matches!(self.state, State::Deaf(_))).finish_non_exhaustive()
    }
}
