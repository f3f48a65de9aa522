//! Detects changes in SQLite with `PRAGMA data_version` and the WAL index.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};

use crate::database::DataVersion;
use crate::error::StoreError;
use crate::sqlite::SqliteDatabase;
use crate::sqlite::wal_index::{WalHeader, WalIndex};

/// SQLite changes `data_version` when another connection commits a transaction.
/// SQLite reads `data_version` from shared memory without reading a database page.
/// See <https://sqlite.org/pragma.html#pragma_data_version>.
const DATA_VERSION_QUERY: &str = "PRAGMA data_version";
/// The database triggers in `0007_freshness.sql` increment the version counters.
const VERSION_COUNTERS_QUERY: &str = "SELECT version, failures FROM access_version";

/// The change detector's connection never writes, so its `data_version` changes with each commit to the database.
pub(crate) struct ChangeDetector {
    options: SqliteConnectOptions,
    connection: Option<SqliteConnection>,
    /// WAL index of the database. The WAL index is valid only while the SQLite connection is open.
    index: Option<WalIndex>,
    data_version_cache: DataVersionCache,
    /// SQLite's `data_version` values are comparable only within one connection.
    last: Option<(i64, DataVersion)>,
    changes: i64,
}

impl ChangeDetector {
    pub(crate) fn new(database: &SqliteDatabase) -> Self {
        let options = (*database.pool.connect_options()).clone().disable_statement_logging();
        Self {
            options,
            connection: None,
            index: None,
            data_version_cache: DataVersionCache::default(),
            last: None,
            changes: 0,
        }
    }

    pub(crate) fn data_version_cache(&self) -> DataVersionCache {
        self.data_version_cache.clone()
    }

    /// Closes the connection after an error.
    pub(crate) async fn current_data_version(&mut self) -> Result<DataVersion, StoreError> {
        // Read the header before the query, so that the fast path detects a commit between the two reads.
        let before = self.index.and_then(|index| Some((index, index.read_header()?)));
        let version = self.query_data_version().await.map_err(StoreError::database_error("query the data version"));
        match (&version, before) {
            (Ok(version), Some((index, header))) => {
                self.data_version_cache.set_data_version(Some((index, header, *version)));
            }
            (Ok(_), None) => {}
            (Err(_), _) => {
                self.data_version_cache.set_data_version(None);
                (self.connection, self.index, self.last) = (None, None, None);
            }
        }
        version
    }

    async fn query_data_version(&mut self) -> Result<DataVersion, sqlx::Error> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(self.options.connect().await?),
        };
        // Read `data_version` before the version counters, so that a commit between the two queries is detected.
        let data_version = sqlx::query_scalar(DATA_VERSION_QUERY).fetch_one(&mut *connection).await?;
        if self.index.is_none() {
            self.index = WalIndex::open(self.options.get_filename());
        }
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

impl Drop for ChangeDetector {
    fn drop(&mut self) {
        // After the connection is closed, the WAL index may belong to another database.
        self.data_version_cache.set_data_version(None);
    }
}

/// Last data version, and the WAL index header that was read before the data version. Clones share the cache.
#[derive(Debug, Clone, Default)]
pub(crate) struct DataVersionCache(Arc<Mutex<Option<(WalIndex, WalHeader, DataVersion)>>>);

impl DataVersionCache {
    /// Returns the last data version if no transaction has been committed since the data version was read.
    pub(crate) fn current_data_version(&self) -> Option<DataVersion> {
        let (index, header, version) = (*self.lock())?;
        (index.read_header()? == header).then_some(version)
    }

    fn set_data_version(&self, version: Option<(WalIndex, WalHeader, DataVersion)>) {
        *self.lock() = version;
    }

    fn lock(&self) -> MutexGuard<'_, Option<(WalIndex, WalHeader, DataVersion)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
