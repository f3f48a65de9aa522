//! The metadata in one file: what of SQLite's is not in the statements.

pub(crate) mod changes;
mod wal_index;

use std::path::Path;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};

use crate::error::StoreError;
use crate::metadata::migration_failed;

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// Connections at once. SQLite lets one write at a time; the others read.
const CONNECTIONS: u32 = 4;
/// How long a writer waits for another one, of this process or another.
const BUSY: Duration = Duration::from_secs(5);

/// An open database.
#[derive(Clone)]
pub(crate) struct SqliteDatabase {
    pub(crate) pool: SqlitePool,
}

/// Makes a database of one empty file, without a log beside it, so that it can be renamed.
pub(crate) async fn create(file: &Path) -> Result<SqliteDatabase, StoreError> {
    connect(options(file).journal_mode(SqliteJournalMode::Delete)).await
}

/// Opens a database that is there.
pub(crate) async fn open(file: &Path) -> Result<SqliteDatabase, StoreError> {
    connect(options(file).journal_mode(SqliteJournalMode::Wal)).await
}

async fn connect(options: SqliteConnectOptions) -> Result<SqliteDatabase, StoreError> {
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
        let its_end = pool.begin_with("BEGIN IMMEDIATE").await.map_err(StoreError::database("open the database"))?;
        drop(its_end);
    }
    Ok(SqliteDatabase { pool })
}

/// A commit is on disk when it returns.
fn options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY)
        .foreign_keys(true)
}
