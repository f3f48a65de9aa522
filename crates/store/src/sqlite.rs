//! SQLite backend.

use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};

use crate::database::migration_error;
use crate::database::migrations::{MigrationFile, embed_migrations, new_migrator};
use crate::error::StoreError;

pub(crate) const MIGRATION_FILES: &[MigrationFile] = embed_migrations!(
    "sqlite",
    [
        "0001_initial.sql",
        "0002_access.sql",
        "0003_kills.sql",
        "0005_kill_tasks.sql",
        "0006_intelligent_kills.sql",
        "0007_freshness.sql",
        "0008_turns.sql",
        "0009_task_counts.sql",
        "0010_zones.sql",
        "0011_tasks_by_node.sql",
        "0012_credential_origin.sql",
        "0013_known_addresses.sql",
        "0019_login_backoffs.sql",
        "0020_result_limitations.sql",
    ]
);

static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| new_migrator(MIGRATION_FILES));

/// SQLite permits only one writer at a time.
const MAX_CONNECTIONS: u32 = 4;
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Clone)]
pub(crate) struct SqliteDatabase {
    pub(crate) pool: SqlitePool,
}

/// Creates the database in rollback journal mode, so that it consists of a single file that the caller can rename.
pub(crate) async fn create_database(file: &Path) -> Result<SqliteDatabase, StoreError> {
    connect_and_migrate(build_connect_options(file).journal_mode(SqliteJournalMode::Delete)).await
}

pub(crate) async fn open_database(file: &Path) -> Result<SqliteDatabase, StoreError> {
    connect_and_migrate(build_connect_options(file).journal_mode(SqliteJournalMode::Wal)).await
}

async fn connect_and_migrate(options: SqliteConnectOptions) -> Result<SqliteDatabase, StoreError> {
    let pool = SqlitePoolOptions::new()
        .max_connections(MAX_CONNECTIONS)
        .acquire_timeout(BUSY_TIMEOUT * 2)
        .connect_with(options)
        .await
        .map_err(StoreError::database_error("open the database"))?;
    // A migration can fail because another process has applied it concurrently.
    // The next attempt waits for the write lock and skips the applied migration.
    // The number of attempts is limited, because a retry does not resolve other errors.
    let mut retries = MIGRATIONS.iter().count();
    while let Err(error) = MIGRATIONS.run(&pool).await {
        if retries == 0 {
            return Err(migration_error(error));
        }
        retries -= 1;
        let write_lock =
            pool.begin_with("BEGIN IMMEDIATE").await.map_err(StoreError::database_error("open the database"))?;
        drop(write_lock);
    }
    Ok(SqliteDatabase { pool })
}

/// Commits with these options are durable.
fn build_connect_options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
}
