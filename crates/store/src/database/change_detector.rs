//! Detects changes to a SQLite or PostgreSQL database.

use sqlx::{ConnectOptions, Connection, PgConnection, SqliteConnection, query_as, query_scalar};

use crate::database::Database;
use crate::error::StoreError;
use crate::postgres::run_with_statement_timeout;

/// SQLite changes `data_version` when another connection commits a transaction.
/// See <https://sqlite.org/pragma.html#pragma_data_version>.
const SQLITE_DATA_VERSION_QUERY: &str = "PRAGMA data_version";
/// The database triggers in `0007_freshness.sql` increment the version counters.
const SQLITE_VERSION_COUNTERS_QUERY: &str = "SELECT version, failures FROM access_version";
/// In PostgreSQL, two queries with equal transaction snapshots read the same data.
/// See "Snapshot Components" in <https://www.postgresql.org/docs/15/functions-info.html>.
const POSTGRES_DATA_VERSION_QUERY: &str = "SELECT pg_current_snapshot()::text, version, failures FROM access_version";

/// Version counters, which never decrease.
/// A cached value remains valid until the version counter of the underlying tables increases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DataVersion {
    pub(crate) any_table: i64,
    /// Counter that increases when an identity, a policy or the inventory changes.
    pub(crate) access: i64,
    /// Counter that increases when Clew records or deletes authentication failures.
    pub(crate) failures: i64,
}

pub(crate) enum ChangeDetector {
    Sqlite(DedicatedConnection<SqliteConnection, i64>),
    Postgres(DedicatedConnection<PgConnection, String>),
}

/// Detects database changes over a dedicated connection, so that its queries never wait for a pooled connection.
/// The dedicated connection never writes, because SQLite changes `data_version` only if another connection commits.
pub(crate) struct DedicatedConnection<C: Connection, S> {
    options: C::Options,
    connection: Option<C>,
    /// SQLite's `data_version` values are comparable only within one connection.
    last: Option<(S, DataVersion)>,
    changes: i64,
}

impl ChangeDetector {
    pub(crate) fn new(database: &Database) -> Self {
        match database {
            Database::Sqlite(database) => {
                Self::Sqlite(DedicatedConnection::new((*database.pool.connect_options()).clone()))
            }
            Database::Postgres(database) => {
                Self::Postgres(DedicatedConnection::new((*database.pool.connect_options()).clone()))
            }
        }
    }

    pub(crate) async fn current_data_version(&mut self) -> Result<DataVersion, StoreError> {
        let version = match self {
            Self::Sqlite(connection) => {
                let version = connection.query_sqlite_data_version().await;
                connection.close_connection_on_error(version)
            }
            Self::Postgres(connection) => {
                let version = run_with_statement_timeout(connection.query_postgres_data_version()).await;
                connection.close_connection_on_error(version)
            }
        };
        version.map_err(StoreError::database_error("query the data version"))
    }
}

impl<C: Connection, S: PartialEq> DedicatedConnection<C, S> {
    fn new(options: C::Options) -> Self {
        Self { options: options.disable_statement_logging(), connection: None, last: None, changes: 0 }
    }

    async fn connect(&mut self) -> Result<&mut C, sqlx::Error> {
        match &mut self.connection {
            Some(connection) => Ok(connection),
            none => Ok(none.insert(self.options.connect().await?)),
        }
    }

    fn close_connection_on_error(
        &mut self,
        version: Result<DataVersion, sqlx::Error>,
    ) -> Result<DataVersion, sqlx::Error> {
        if version.is_err() {
            (self.connection, self.last) = (None, None);
        }
        version
    }

    fn last_version_if_unchanged(&self, snapshot: &S) -> Option<DataVersion> {
        self.last.as_ref().filter(|(last, _)| last == snapshot).map(|(_, version)| *version)
    }

    fn record_change(&mut self, snapshot: S, (access, failures): (i64, i64)) -> DataVersion {
        self.changes += 1;
        let version = DataVersion { any_table: self.changes, access, failures };
        self.last = Some((snapshot, version));
        version
    }
}

impl DedicatedConnection<SqliteConnection, i64> {
    async fn query_sqlite_data_version(&mut self) -> Result<DataVersion, sqlx::Error> {
        // Read `data_version` before the version counters, so that a commit between the two queries is detected.
        let data_version = query_scalar(SQLITE_DATA_VERSION_QUERY).fetch_one(self.connect().await?).await?;
        if let Some(version) = self.last_version_if_unchanged(&data_version) {
            return Ok(version);
        }
        let counters = query_as(SQLITE_VERSION_COUNTERS_QUERY).fetch_one(self.connect().await?).await?;
        Ok(self.record_change(data_version, counters))
    }
}

impl DedicatedConnection<PgConnection, String> {
    async fn query_postgres_data_version(&mut self) -> Result<DataVersion, sqlx::Error> {
        let (snapshot, access, failures): (String, i64, i64) =
            query_as(POSTGRES_DATA_VERSION_QUERY).fetch_one(self.connect().await?).await?;
        let unchanged = self.last_version_if_unchanged(&snapshot);
        Ok(unchanged.unwrap_or_else(|| self.record_change(snapshot, (access, failures))))
    }
}
