//! PostgreSQL backend.

mod clock;
pub(crate) mod notification_listener;
mod transaction;

use std::str::FromStr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::database::migration_error;
use crate::database::migrations::{MigrationFile, embed_migrations, new_migrator};
use crate::error::StoreError;
use crate::postgres::clock::DatabaseClock;
pub(crate) use crate::postgres::transaction::PostgresTransaction;

pub(crate) const MIGRATION_FILES: &[MigrationFile] = embed_migrations!(
    "postgres",
    [
        "0001_initial.sql",
        "0002_notices.sql",
        "0003_task_counts.sql",
        "0004_zones.sql",
        "0005_tasks_by_node.sql",
        "0006_credential_origin.sql",
        "0007_known_addresses.sql",
        "0013_login_backoffs.sql",
        "0014_result_limitations.sql",
    ]
);

static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| new_migrator(MIGRATION_FILES));

const MAX_CONNECTIONS: u32 = 10;
const CONNECTION_ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// The statement timeout prevents a network partition from blocking the caller indefinitely.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);
/// The lock and idle timeouts prevent a suspended or disconnected Clew process from blocking other Clew processes.
const POSTGRES_SESSION_SETTINGS: [(&str, &str); 3] =
    [("lock_timeout", "10s"), ("idle_in_transaction_session_timeout", "5s"), ("TimeZone", "UTC")];

/// Acquires the store's write lock, a PostgreSQL advisory lock that is released at the end of the transaction.
/// The key of the advisory lock is the ASCII text "clew" as a big-endian integer.
const ACQUIRE_WRITE_LOCK_SQL: &str =
    "SELECT pg_advisory_xact_lock(1668048247)::text, (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
const SELECT_SERVER_TIME_SQL: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";

/// URL of a PostgreSQL database: `postgres://user:password@host:port/database?sslmode=verify-full&sslrootcert=…`.
#[derive(Clone)]
pub struct PostgresUrl(PgConnectOptions);

impl FromStr for PostgresUrl {
    type Err = StoreError;

    fn from_str(url: &str) -> Result<Self, StoreError> {
        let invalid = |reason: String| StoreError::MetadataUrl(reason);
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(invalid("it does not begin with postgres://".to_owned()));
        }
        let options: PgConnectOptions = url.parse().map_err(|error: sqlx::Error| invalid(error.to_string()))?;
        Ok(Self(options.application_name("clew").options(POSTGRES_SESSION_SETTINGS)))
    }
}

impl std::fmt::Display for PostgresUrl {
    /// Omits the user name and password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let options = &self.0;
        write!(
            f,
            "postgres://{}:{}/{}",
            options.get_host(),
            options.get_port(),
            options.get_database().unwrap_or_default()
        )
    }
}

impl std::fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

#[derive(Clone)]
pub(crate) struct PostgresDatabase {
    pub(crate) pool: PgPool,
    clock: DatabaseClock,
    /// Semaphore with a single permit, so that at most one PostgreSQL session of this process waits for the write lock.
    /// Several PostgreSQL sessions of an unreachable process could hold the write lock in turn for longer than a lease.
    write_semaphore: Arc<Semaphore>,
}

/// An advisory lock in PostgreSQL serializes the migrations of concurrent processes.
pub(crate) async fn open_database(url: &PostgresUrl) -> Result<PostgresDatabase, StoreError> {
    let failed = StoreError::database_error("open the database");
    let pool = PgPoolOptions::new()
        .max_connections(MAX_CONNECTIONS)
        .acquire_timeout(CONNECTION_ACQUIRE_TIMEOUT)
        .connect_with(url.0.clone())
        .await
        .map_err(&failed)?;
    MIGRATIONS.run(&pool).await.map_err(migration_error)?;
    let now = sqlx::query_scalar(SELECT_SERVER_TIME_SQL).fetch_one(&pool).await.map_err(&failed)?;
    Ok(PostgresDatabase { pool, clock: DatabaseClock::new(now), write_semaphore: Arc::new(Semaphore::new(1)) })
}

pub(crate) async fn find_nonempty_table(
    url: &PostgresUrl,
    tables: impl Iterator<Item = &'static str>,
) -> Result<Option<String>, StoreError> {
    let failed = StoreError::database_error("check whether the database is empty");
    let mut connection = run_with_statement_timeout(url.0.connect()).await.map_err(&failed)?;
    for table in tables {
        let exists = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL").bind(table).fetch_one(&mut connection);
        if !run_with_statement_timeout(exists).await.map_err(&failed)? {
            continue;
        }
        let rows = AssertSqlSafe(format!("SELECT EXISTS (SELECT 1 FROM {table})"));
        if run_with_statement_timeout(sqlx::query_scalar(rows).fetch_one(&mut connection)).await.map_err(&failed)? {
            return Ok(Some(table.to_owned()));
        }
    }
    Ok(None)
}

impl PostgresDatabase {
    pub(crate) async fn begin_write_transaction(&self) -> Result<PostgresTransaction, sqlx::Error> {
        let permit = self.write_semaphore.clone().acquire_owned();
        let permit = run_with_statement_timeout(async { permit.await.map_err(|_| sqlx::Error::PoolClosed) }).await?;
        let mut transaction = run_with_statement_timeout(self.pool.begin()).await?;
        let (_, now): (String, i64) =
            run_with_statement_timeout(sqlx::query_as(ACQUIRE_WRITE_LOCK_SQL).fetch_one(&mut *transaction)).await?;
        self.clock.record_server_time(now);
        Ok(PostgresTransaction::new_read_write(transaction, permit))
    }

    pub(crate) async fn begin_read_transaction(&self) -> Result<PostgresTransaction, sqlx::Error> {
        let begun =
            run_with_statement_timeout(self.pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")).await;
        begun.map(PostgresTransaction::new_read_only)
    }

    pub(crate) fn database_clock(&self) -> Clock {
        let clock = self.clock.clone();
        Clock::new(move || clock.unix_millis())
    }
}

/// Moves `operation` to the heap to reduce the size of the callers' futures.
pub(crate) fn run_with_statement_timeout<T>(
    operation: impl Future<Output = Result<T, sqlx::Error>>,
) -> impl Future<Output = Result<T, sqlx::Error>> {
    let operation = timeout(STATEMENT_TIMEOUT, Box::pin(operation));
    async { operation.await.unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()))) }
}

#[cfg(test)]
mod tests {
    use clew_testkit::PostgreSqlServer;

    use super::*;

    #[tokio::test]
    async fn idle_transaction_loses_the_write_lock() {
        let server = PostgreSqlServer::start().await.unwrap();
        let url = server.url().parse().unwrap();
        let (one, other) = (open_database(&url).await.unwrap(), open_database(&url).await.unwrap());
        let mut stopped = one.begin_write_transaction().await.unwrap();
        let next = timeout(Duration::from_mins(1), other.begin_write_transaction()).await.unwrap();
        assert!(next.is_ok(), "{:?}", next.err());
        assert!(sqlx::query("SELECT 1").execute(&mut *stopped).await.is_err(), "it would write without the lock");
    }

    #[tokio::test]
    async fn process_waits_for_the_write_lock_with_one_session() {
        const WAITING_QUERY: &str = "SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
        let server = PostgreSqlServer::start().await.unwrap();
        let url = server.url().parse().unwrap();
        let (one, other) = (open_database(&url).await.unwrap(), open_database(&url).await.unwrap());
        let held = one.begin_write_transaction().await.unwrap();
        let waiting: Vec<_> = [&one, &other, &other, &other]
            .map(|database| {
                let database = database.clone();
                tokio::spawn(async move { database.begin_write_transaction().await?.commit().await })
            })
            .into();
        let count_waiting = async || sqlx::query_scalar::<_, i64>(WAITING_QUERY).fetch_one(&one.pool).await.unwrap();
        while count_waiting().await == 0 {
            tokio::task::yield_now().await;
        }
        // Without the semaphore, the other sessions would begin to wait during this time.
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(count_waiting().await, 1);
        held.commit().await.unwrap();
        for writer in waiting {
            writer.await.unwrap().unwrap();
        }
    }
}
