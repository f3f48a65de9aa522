//! Detects changes in PostgreSQL by comparing transaction snapshots.

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};

use crate::database::DataVersion;
use crate::error::StoreError;
use crate::postgres::{PostgresDatabase, run_with_statement_timeout};

/// Database triggers increment the version counters in the table `access_version`.
/// A snapshot defines which transactions are visible, so two queries with equal snapshots read the same data.
/// See "Snapshot Components" in <https://www.postgresql.org/docs/15/functions-info.html>.
const SELECT_TRANSACTION_SNAPSHOT_SQL: &str =
    "SELECT pg_current_snapshot()::text, version, failures FROM access_version";

/// Change detector with a dedicated connection, so that queries never wait for a connection from the pool.
pub(crate) struct ChangeDetector {
    options: PgConnectOptions,
    connection: Option<PgConnection>,
    /// Transaction snapshot and data version from the last query, or `None` before the first query on the connection.
    last: Option<(String, DataVersion)>,
    changes: i64,
}

impl ChangeDetector {
    pub(crate) fn new(database: &PostgresDatabase) -> Self {
        let options = (*database.pool.connect_options()).clone().disable_statement_logging();
        Self { options, connection: None, last: None, changes: 0 }
    }

    /// Closes the connection after an error.
    pub(crate) async fn current_data_version(&mut self) -> Result<DataVersion, StoreError> {
        let version = run_with_statement_timeout(self.query_data_version()).await;
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
        let (snapshot, access, failures): (String, i64, i64) =
            sqlx::query_as(SELECT_TRANSACTION_SNAPSHOT_SQL).fetch_one(connection).await?;
        if let Some((_, version)) = self.last.as_ref().filter(|(last, _)| *last == snapshot) {
            return Ok(*version);
        }
        self.changes += 1;
        let version = DataVersion { any_table: self.changes, access, failures };
        self.last = Some((snapshot, version));
        Ok(version)
    }
}
