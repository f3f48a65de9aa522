//! Detects changes in SQLite with `PRAGMA data_version`.

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};

use crate::database::DataVersion;
use crate::error::StoreError;
use crate::sqlite::SqliteDatabase;

/// SQLite changes `data_version` when another connection commits a transaction.
/// SQLite reads `data_version` from shared memory without reading a database page.
/// See <https://sqlite.org/pragma.html#pragma_data_version>.
const DATA_VERSION_QUERY: &str = "PRAGMA data_version";
/// The database triggers in `0007_freshness.sql` increment the version counters.
const VERSION_COUNTERS_QUERY: &str = "SELECT version, failures FROM access_version";

/// The dedicated connection never writes, so each commit by another connection changes its `data_version`.
pub(crate) struct ChangeDetector {
    options: SqliteConnectOptions,
    connection: Option<SqliteConnection>,
    /// SQLite's `data_version` values are comparable only within one connection.
    last: Option<(i64, DataVersion)>,
    changes: i64,
}

impl ChangeDetector {
    pub(crate) fn new(database: &SqliteDatabase) -> Self {
        let options = (*database.pool.connect_options()).clone().disable_statement_logging();
        Self { options, connection: None, last: None, changes: 0 }
    }

    /// Closes the connection after an error.
    pub(crate) async fn current_data_version(&mut self) -> Result<DataVersion, StoreError> {
        let version = self.query_data_version().await;
        if version.is_err() {
            (self.connection, self.last) = (None, None);
        }
        version.map_err(StoreError::database_error("query the data version"))
    }

    async fn query_data_version(&mut self) -> Result<DataVersion, sqlx::Error> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(self.options.connect().await?),
        };
        // Read `data_version` before the version counters, so that a commit between the two queries is detected.
        let data_version = sqlx::query_scalar(DATA_VERSION_QUERY).fetch_one(&mut *connection).await?;
        if let Some((_, version)) = self.last.filter(|(last, _)| *last == data_version) {
            return Ok(version);
        }
        let (access, failures) = sqlx::query_as(VERSION_COUNTERS_QUERY).fetch_one(connection).await?;
        self.changes += 1;
        let version = DataVersion { any_table: self.changes, access, failures };
        self.last = Some((data_version, version));
        Ok(version)
    }
}
