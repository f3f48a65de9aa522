//! What has changed since the last time that it was asked, by whatever process.

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};

use super::{PostgresDatabase, within};
use crate::error::StoreError;
use crate::freshness::Moment;

/// The snapshot names the transactions that are not seen yet. Each commit of a transaction that wrote makes one of them seen for ever, so
/// two snapshots that are equal see the same (<https://www.postgresql.org/docs/15/functions-info.html>, "Snapshot Components"). The
/// versions, which triggers raise, are read in that very snapshot.
const SNAPSHOT: &str = "SELECT pg_current_snapshot()::text, version, failures FROM access_version";

/// Asks over a connection of its own, so that it waits for nobody.
pub(crate) struct Changes {
    options: PgConnectOptions,
    connection: Option<PgConnection>,
    /// What was found last, with its snapshot. Means nothing to another connection: behind it may be another server.
    last: Option<(String, Moment)>,
    /// Changes of anything that were seen.
    seen: i64,
}

impl Changes {
    pub(crate) fn of(database: &PostgresDatabase) -> Self {
        let options = (*database.pool.connect_options()).clone().disable_statement_logging();
        Self { options, connection: None, last: None, seen: 0 }
    }

    /// How far the changes have come. A connection that failed is not asked again.
    pub(crate) async fn moment(&mut self) -> Result<Moment, StoreError> {
        let moment = within(self.ask()).await;
        if moment.is_err() {
            (self.connection, self.last) = (None, None);
        }
        moment.map_err(StoreError::database("ask what has changed"))
    }

    async fn ask(&mut self) -> Result<Moment, sqlx::Error> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(self.options.connect().await?),
        };
        let (snapshot, access, failures): (String, i64, i64) = sqlx::query_as(SNAPSHOT).fetch_one(connection).await?;
        if let Some((_, moment)) = self.last.as_ref().filter(|(last, _)| *last == snapshot) {
            return Ok(*moment);
        }
        self.seen += 1;
        let moment = Moment { anything: self.seen, access, failures };
        self.last = Some((snapshot, moment));
        Ok(moment)
    }
}
