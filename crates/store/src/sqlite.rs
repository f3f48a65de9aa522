//! The metadata in SQLite: one file a subject, every statement here and below.

mod attachments;
pub(crate) mod audit;
pub(crate) mod batches;
mod change;
pub(crate) mod changes;
mod enterprise_projects;
mod failure;
mod founding;
mod groups;
mod intelligent_kills;
mod inventory;
mod keys;
mod kill_tasks;
mod kills;
pub(crate) mod lockouts;
mod policies;
mod projects;
mod revocation;
mod rows;
mod slow_thresholds;
mod tags;
mod tasks;
mod temporary_keys;
mod tokens;
mod users;
mod wal_index;

use std::path::Path;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{SqliteConnection, SqliteExecutor};

use crate::error::StoreError;
use failure::migration_failed;

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// Connections at once. SQLite lets one write at a time; the others read.
const CONNECTIONS: u32 = 4;
/// How long a writer waits for another one, of this process or another.
const BUSY: Duration = Duration::from_secs(5);

/// An open database.
#[derive(Clone)]
pub(crate) struct Database {
    pub(crate) pool: SqlitePool,
}

impl Database {
    /// Makes a database of one empty file, without a log beside it, so that it can be renamed.
    pub(crate) async fn create(file: &Path) -> Result<Self, StoreError> {
        Self::connect(options(file).journal_mode(SqliteJournalMode::Delete)).await
    }

    /// Opens a database that is there.
    pub(crate) async fn open(file: &Path) -> Result<Self, StoreError> {
        Self::connect(options(file).journal_mode(SqliteJournalMode::Wal)).await
    }

    async fn connect(options: SqliteConnectOptions) -> Result<Self, StoreError> {
        let pool = SqlitePoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(BUSY * 2)
            .connect_with(options)
            .await
            .map_err(StoreError::database("open the database"))?;
        // Another process may be at it. Each failure then means that it has done one more migration than was seen here; any other
        // failure comes again.
        let mut others = MIGRATIONS.iter().count();
        while let Err(error) = MIGRATIONS.run(&pool).await {
            if others == 0 {
                return Err(migration_failed(error));
            }
            others -= 1;
            let its_end =
                pool.begin_with("BEGIN IMMEDIATE").await.map_err(StoreError::database("open the database"))?;
            drop(its_end);
        }
        Ok(Self { pool })
    }

    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }

    /// A setting, if it is set.
    pub(crate) async fn setting(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        setting(&self.pool, name).await
    }
}

/// A setting, if it is set.
pub(crate) async fn setting<'e>(executor: impl SqliteExecutor<'e>, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
    sqlx::query_scalar("SELECT value FROM settings WHERE name = ?")
        .bind(name)
        .fetch_optional(executor)
        .await
        .map_err(StoreError::database("read a setting"))
}

/// Sets a setting.
pub(crate) async fn set(connection: &mut SqliteConnection, name: &str, value: &[u8]) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )
    .bind(name)
    .bind(value)
    .execute(connection)
    .await
    .map_err(StoreError::database("keep a setting"))?;
    Ok(())
}

/// A commit is on disk when it returns.
fn options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY)
        .foreign_keys(true)
}
