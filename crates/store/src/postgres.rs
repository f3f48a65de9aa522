//! The metadata in PostgreSQL: what of it is not in the statements.

pub(crate) mod changes;
mod clock;
pub(crate) mod notices;
mod transaction;

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::error::StoreError;
use crate::metadata::migration_failed;
use clock::DatabaseClock;
pub(crate) use transaction::PostgresTransaction;

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// Connections of one process at once.
const CONNECTIONS: u32 = 10;
/// How long one is waited for.
const ACQUIRE: Duration = Duration::from_secs(10);
/// How long a statement is waited for. A server that is cut off says nothing.
const STATEMENT: Duration = Duration::from_secs(30);
/// How long a statement waits for another transaction, and how long one may stay open without a statement: a process that is stopped, or
/// cut off, in the midst of a write keeps the others waiting no longer.
const SESSION: [(&str, &str); 3] =
    [("lock_timeout", "10s"), ("idle_in_transaction_session_timeout", "5s"), ("TimeZone", "UTC")];

/// Takes the turn of the one who writes, until the end of the transaction, and tells the time. The number is Clew's own: "clew".
const TURN: &str =
    "SELECT pg_advisory_xact_lock(1668048247)::text, (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
/// Tells the time.
const NOW: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";

/// Where a database is, and how to sign in: `postgres://user:password@host:port/database?sslmode=verify-full&sslrootcert=…`.
#[derive(Clone)]
pub struct PostgresUrl(PgConnectOptions);

impl FromStr for PostgresUrl {
    type Err = StoreError;

    fn from_str(url: &str) -> Result<Self, StoreError> {
        let invalid = |reason: String| StoreError::MetadataUrl { reason };
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(invalid("it does not begin with postgres://".to_owned()));
        }
        let options: PgConnectOptions = url.parse().map_err(|error: sqlx::Error| invalid(error.to_string()))?;
        Ok(Self(options.application_name("clew").options(SESSION)))
    }
}

impl std::fmt::Display for PostgresUrl {
    /// Without what is secret.
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

/// An open database.
#[derive(Clone)]
pub(crate) struct PostgresDatabase {
    pub(crate) pool: PgPool,
    clock: DatabaseClock,
    /// One of this process writes, or waits for the turn at the server. Whoever is cut off is given the turn there once for each session that
    /// waits, and keeps it each time until the server ends the session: of many, all others would wait for longer than a lease.
    writer: Arc<Semaphore>,
}

/// Opens a database, and brings it to this version's form. Several processes may do so at once: the migrations take a lock.
pub(crate) async fn open(url: &PostgresUrl) -> Result<PostgresDatabase, StoreError> {
    let failed = StoreError::database("open the database");
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(ACQUIRE)
        .connect_with(url.0.clone())
        .await
        .map_err(&failed)?;
    MIGRATIONS.run(&pool).await.map_err(migration_failed)?;
    let now = sqlx::query_scalar(NOW).fetch_one(&pool).await.map_err(failed)?;
    Ok(PostgresDatabase { pool, clock: DatabaseClock::at(now), writer: Arc::new(Semaphore::new(1)) })
}

/// The first of these tables that has rows, without making any that is not there.
pub(crate) async fn first_used(
    url: &PostgresUrl,
    tables: impl Iterator<Item = &'static str>,
) -> Result<Option<String>, StoreError> {
    let failed = StoreError::database("look at the database");
    let mut connection = within(url.0.connect()).await.map_err(&failed)?;
    for table in tables {
        let there = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL").bind(table).fetch_one(&mut connection);
        if !within(there).await.map_err(&failed)? {
            continue;
        }
        let rows = AssertSqlSafe(format!("SELECT EXISTS (SELECT 1 FROM {table})"));
        if within(sqlx::query_scalar(rows).fetch_one(&mut connection)).await.map_err(&failed)? {
            return Ok(Some(table.to_owned()));
        }
    }
    Ok(None)
}

impl PostgresDatabase {
    /// Begins a transaction that may write, when all others that may have ended.
    pub(crate) async fn begin_writing(&self) -> Result<PostgresTransaction, sqlx::Error> {
        let writer = self.writer.clone().acquire_owned();
        let writer = within(async { writer.await.map_err(|_| sqlx::Error::PoolClosed) }).await?;
        let mut transaction = within(self.pool.begin()).await?;
        let (_, now): (String, i64) = within(sqlx::query_as(TURN).fetch_one(&mut *transaction)).await?;
        self.clock.is(now);
        Ok(PostgresTransaction::writing(transaction, writer))
    }

    /// Begins a transaction that reads everything as it is at one moment.
    pub(crate) async fn begin_reading(&self) -> Result<PostgresTransaction, sqlx::Error> {
        let begun = within(self.pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")).await;
        begun.map(PostgresTransaction::reading)
    }

    /// The database's own clock.
    pub(crate) fn clock(&self) -> Clock {
        let clock = self.clock.clone();
        Clock::new(move || clock.milliseconds())
    }
}

/// What the database says, if it says so in time. The question is kept apart, as whoever asks a file would carry its size too.
pub(crate) fn within<T>(
    asked: impl Future<Output = Result<T, sqlx::Error>>,
) -> impl Future<Output = Result<T, sqlx::Error>> {
    let asked = timeout(STATEMENT, Box::pin(asked));
    async { asked.await.unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()))) }
}

#[cfg(test)]
mod tests {
    use clew_testkit::PostgreSql;

    use super::*;

    #[tokio::test]
    async fn who_takes_the_turn_and_does_nothing_loses_it() {
        let server = PostgreSql::start().await.unwrap();
        let url = server.url().parse().unwrap();
        let (one, other) = (open(&url).await.unwrap(), open(&url).await.unwrap());
        let mut stopped = one.begin_writing().await.unwrap();
        let next = timeout(Duration::from_mins(1), other.begin_writing()).await.unwrap();
        assert!(next.is_ok(), "{:?}", next.err());
        assert!(sqlx::query("SELECT 1").execute(&mut *stopped).await.is_err(), "it would write without its turn");
    }

    #[tokio::test]
    async fn a_process_waits_for_the_turn_with_one_session() {
        const WAITING: &str = "SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
        let server = PostgreSql::start().await.unwrap();
        let url = server.url().parse().unwrap();
        let (one, other) = (open(&url).await.unwrap(), open(&url).await.unwrap());
        let held = one.begin_writing().await.unwrap();
        let waiting: Vec<_> = [&one, &other, &other, &other]
            .map(|database| {
                let database = database.clone();
                tokio::spawn(async move { database.begin_writing().await?.commit().await })
            })
            .into();
        let seen = async || sqlx::query_scalar::<_, i64>(WAITING).fetch_one(&one.pool).await.unwrap();
        while seen().await == 0 {
            tokio::task::yield_now().await;
        }
        // Long enough for the others, would they come.
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(seen().await, 1);
        held.commit().await.unwrap();
        for writer in waiting {
            writer.await.unwrap().unwrap();
        }
    }
}
