//! What has changed since the last time that it was asked, by whatever process.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};

use super::SqliteDatabase;
use super::wal_index::{Head, WalIndex};
use crate::error::StoreError;
use crate::freshness::Moment;

/// Differs from the last time if another connection has committed anything meanwhile. Reads no page of the database, only the head of
/// its log in shared memory (<https://sqlite.org/pragma.html#pragma_data_version>).
const DATA_VERSION: &str = "PRAGMA data_version";
/// Triggers raise them (`0007_freshness.sql`).
const VERSIONS: &str = "SELECT version, failures FROM access_version";

/// Asks over a connection of its own, which writes nothing: so every commit is another connection's, and moves `data_version`.
pub(crate) struct Changes {
    options: SqliteConnectOptions,
    connection: Option<SqliteConnection>,
    /// Of the connection: it is what keeps the index in its place.
    index: Option<WalIndex>,
    glance: Glance,
    /// What was found last, with its data version. Means nothing to another connection.
    last: Option<(i64, Moment)>,
    /// Changes of anything that were seen.
    seen: i64,
}

impl Changes {
    pub(crate) fn of(database: &SqliteDatabase) -> Self {
        let options = (*database.pool.connect_options()).clone().disable_statement_logging();
        Self { options, connection: None, index: None, glance: Glance::default(), last: None, seen: 0 }
    }

    /// What can be seen without asking.
    pub(crate) fn glance(&self) -> Glance {
        self.glance.clone()
    }

    /// How far the changes have come. A connection that failed is not asked again.
    pub(crate) async fn moment(&mut self) -> Result<Moment, StoreError> {
        // Looked at before the question: what is committed between the two makes the next glance see another head.
        let before = self.index.and_then(|index| Some((index, index.head()?)));
        let moment = self.ask().await.map_err(StoreError::database("ask what has changed"));
        match (&moment, before) {
            (Ok(moment), Some((index, head))) => self.glance.is(Some((index, head, *moment))),
            (Ok(_), None) => {}
            (Err(_), _) => {
                self.glance.is(None);
                (self.connection, self.index, self.last) = (None, None, None);
            }
        }
        moment
    }

    async fn ask(&mut self) -> Result<Moment, sqlx::Error> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(self.options.connect().await?),
        };
        // Before the versions: what is committed between the two is seen as a change again, never missed.
        let data_version = sqlx::query_scalar(DATA_VERSION).fetch_one(&mut *connection).await?;
        if self.index.is_none() {
            self.index = WalIndex::open(self.options.get_filename());
        }
        if let Some((_, moment)) = self.last.filter(|(last, _)| *last == data_version) {
            return Ok(moment);
        }
        let (access, failures) = sqlx::query_as(VERSIONS).fetch_one(connection).await?;
        self.seen += 1;
        let moment = Moment { anything: self.seen, access, failures };
        self.last = Some((data_version, moment));
        Ok(moment)
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        // Without the connection the index may be another database's.
        self.glance.is(None);
    }
}

/// The last answer, with the head of the index as it was before the question. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Glance(Arc<Mutex<Option<(WalIndex, Head, Moment)>>>);

impl Glance {
    /// The last answer, if nobody has committed anything since.
    pub(crate) fn moment(&self) -> Option<Moment> {
        let (index, head, moment) = (*self.lock())?;
        (index.head()? == head).then_some(moment)
    }

    fn is(&self, seen: Option<(WalIndex, Head, Moment)>) {
        *self.lock() = seen;
    }

    fn lock(&self) -> MutexGuard<'_, Option<(WalIndex, Head, Moment)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
