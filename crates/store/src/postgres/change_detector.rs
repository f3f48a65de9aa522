//! Change detection for PostgreSQL, with snapshots.

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};

use super::{PostgresDatabase, with_timeout};
use crate::data_version::DataVersion;
use crate::error::StoreError;

/// Reads the snapshot, and in the same snapshot the versions that triggers increase.
/// The snapshot lists the transactions that are not visible yet. A commit of a writing transaction makes it visible for
/// good, so that two equal snapshots see the same data
/// (<https://www.postgresql.org/docs/15/functions-info.html>, "Snapshot Components").
const SNAPSHOT_QUERY: &str = "SELECT pg_current_snapshot()::text, version, failures FROM access_version";

/// Queries the version over its own connection, so that it never waits for the pool.
pub(crate) struct ChangeDetector {
    options: PgConnectOptions,
    connection: Option<PgConnection>,
    /// Last version with its snapshot. It is only valid for the same connection: a new one may reach another server.
    last: Option<(String, DataVersion)>,
    /// Number of detected changes.
    changes: i64,
}

impl ChangeDetector {
    pub(crate) fn new(database: &PostgresDatabase) -> Self {
        let options = (*database.pool.connect_options()).clone().disable_statement_logging();
        Self { options, connection: None, last: None, changes: 0 }
    }

    /// Queries the current version. A failed connection is closed.
    pub(crate) async fn current_version(&mut self) -> Result<DataVersion, StoreError> {
        let version = with_timeout(self.query_version()).await;
        if version.is_err() {
            (self.connection, self.last) = (None, None);
        }
        version.map_err(StoreError::database_error("ask what has changed"))
    }

    async fn query_version(&mut self) -> Result<DataVersion, sqlx::Error> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(self.options.connect().await?),
        };
        let (snapshot, access, failures): (String, i64, i64) =
            sqlx::query_as(SNAPSHOT_QUERY).fetch_one(connection).await?;
        if let Some((_, version)) = self.last.as_ref().filter(|(last, _)| *last == snapshot) {
            return Ok(*version);
        }
        self.changes += 1;
        let version = DataVersion { any_table: self.changes, access, failures };
        self.last = Some((snapshot, version));
        Ok(version)
    }
}
