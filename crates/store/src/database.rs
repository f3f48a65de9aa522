//! Database abstraction over SQLite and PostgreSQL.
//!
//! Most SQL statements use numbered parameters such as `$1` and work in both SQLite and PostgreSQL.
//! [`Database`] and the `sqlite` and `postgres` modules handle the differences between SQLite and PostgreSQL.

mod change_detector;
mod data_version;
mod error;
pub(crate) mod migrations;
mod row;
mod statement;

use std::path::Path;

use sqlx::Sqlite;

pub(crate) use change_detector::ChangeDetector;
pub(crate) use data_version::DataVersion;
pub(crate) use error::{map_to_insert_error, migration_error};
pub(crate) use row::{ColumnValue, Row};
pub(crate) use statement::{Executor, Parameter, Statement, query, query_scalar, query_two_columns};

use crate::clock::Clock;
use crate::error::StoreError;
use crate::postgres::{self, PostgresDatabase, PostgresTransaction, PostgresUrl};
use crate::sqlite::{self, SqliteDatabase};

/// Open database. Clones share the connection pool.
#[derive(Clone)]
pub(crate) enum Database {
    /// SQLite database file.
    Sqlite(SqliteDatabase),
    /// PostgreSQL.
    Postgres(PostgresDatabase),
}

/// Database transaction. Dropping an uncommitted transaction rolls it back.
pub(crate) enum Transaction {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(PostgresTransaction),
}

impl Database {
    /// Creates a SQLite database in an empty file.
    /// Does not use write-ahead logging, so that the caller can rename the database without renaming WAL files.
    pub(crate) async fn create_sqlite(file: &Path) -> Result<Self, StoreError> {
        Ok(Self::Sqlite(sqlite::create_database(file).await?))
    }

    /// Opens an existing SQLite database.
    pub(crate) async fn open_sqlite(file: &Path) -> Result<Self, StoreError> {
        Ok(Self::Sqlite(sqlite::open_database(file).await?))
    }

    /// Connects to a PostgreSQL database and applies the migrations.
    pub(crate) async fn connect_postgres(url: &PostgresUrl) -> Result<Self, StoreError> {
        Ok(Self::Postgres(Box::pin(postgres::open_database(url)).await?))
    }

    /// Begins a transaction that holds the write lock and therefore blocks all other writers.
    pub(crate) async fn begin_write(&self) -> Result<Transaction, sqlx::Error> {
        match self {
            Self::Sqlite(database) => database.pool.begin_with("BEGIN IMMEDIATE").await.map(Transaction::Sqlite),
            Self::Postgres(database) => database.begin_write().await.map(Transaction::Postgres),
        }
    }

    /// Begins a transaction that reads from a single snapshot.
    pub(crate) async fn begin_read(&self) -> Result<Transaction, sqlx::Error> {
        match self {
            Self::Sqlite(database) => database.pool.begin().await.map(Transaction::Sqlite),
            Self::Postgres(database) => database.begin_read().await.map(Transaction::Postgres),
        }
    }

    /// Creates the change detector.
    pub(crate) fn change_detector(&self) -> ChangeDetector {
        match self {
            Self::Sqlite(database) => ChangeDetector::Sqlite(sqlite::change_detector::ChangeDetector::new(database)),
            Self::Postgres(database) => {
                ChangeDetector::Postgres(postgres::change_detector::ChangeDetector::new(database))
            }
        }
    }

    /// Returns the database server's clock for PostgreSQL, or the local system clock for SQLite.
    pub(crate) fn clock(&self) -> Clock {
        match self {
            Self::Sqlite(_) => Clock::default(),
            Self::Postgres(database) => database.clock(),
        }
    }

    /// Returns true if the database can be used by processes on other machines.
    /// A lock file in the data directory cannot prevent other machines from using a shared database.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// Returns SQL that expands a JSON array parameter into a table with the column `value`.
    pub(crate) fn json_array_rows_sql(&self, parameter: &str) -> String {
        match self {
            Self::Sqlite(_) => format!("json_each({parameter})"),
            Self::Postgres(_) => format!("json_array_elements({parameter}::json)"),
        }
    }

    /// Returns a subquery for the `IN` operator that selects the strings in a JSON array parameter.
    pub(crate) fn json_array_strings_sql(&self, parameter: &str) -> String {
        match self {
            Self::Sqlite(_) => format!("SELECT value FROM json_each({parameter})"),
            Self::Postgres(_) => {
                format!("SELECT text FROM json_array_elements_text({parameter}::json) AS texts (text)")
            }
        }
    }

    /// Closes all connections and waits until they are closed.
    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(database) => database.pool.close().await,
            Self::Postgres(database) => database.pool.close().await,
        }
    }
}

impl Transaction {
    pub(crate) async fn commit(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(transaction) => transaction.commit().await,
            Self::Postgres(transaction) => transaction.commit().await,
        }
    }
}
