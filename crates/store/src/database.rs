//! Database abstraction over SQLite and PostgreSQL.
//!
//! Each statement is written once, in SQL that both databases accept, with numbered parameters (`$1`).
//! Differences are methods of [`Database`] or stand in the `sqlite` and `postgres` modules.

mod change_detector;
mod error;
mod row;
mod statement;

use std::path::Path;

use sqlx::Sqlite;

pub(crate) use change_detector::ChangeDetector;
pub(crate) use error::{insert_error, migration_error};
pub(crate) use row::{ColumnValue, Row};
pub(crate) use statement::{Executor, Parameter, Statement, query, query_pair, query_scalar};

use crate::clock::Clock;
use crate::error::StoreError;
use crate::postgres::{self, PostgresDatabase, PostgresTransaction, PostgresUrl};
use crate::sqlite::{self, SqliteDatabase};

/// An open database. Clones share its connection pool.
#[derive(Clone)]
pub(crate) enum Database {
    /// SQLite, in a file.
    Sqlite(SqliteDatabase),
    /// PostgreSQL.
    Postgres(PostgresDatabase),
}

/// A transaction. It rolls back if it is dropped before the commit.
pub(crate) enum Transaction {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(PostgresTransaction),
}

impl Database {
    /// Creates a SQLite database from an empty file. It has no write-ahead log, so that the file can be renamed.
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

    /// Begins a write transaction. It has the write lock: no other process writes until it ends.
    pub(crate) async fn begin_write(&self) -> Result<Transaction, sqlx::Error> {
        match self {
            Self::Sqlite(database) => database.pool.begin_with("BEGIN IMMEDIATE").await.map(Transaction::Sqlite),
            Self::Postgres(database) => database.begin_write().await.map(Transaction::Postgres),
        }
    }

    /// Begins a read transaction with one snapshot.
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

    /// Clock that all processes of the database share.
    pub(crate) fn clock(&self) -> Clock {
        match self {
            Self::Sqlite(_) => Clock::default(),
            Self::Postgres(database) => database.clock(),
        }
    }

    /// Whether processes on other machines may use the database. The lock of a data directory does not cover them.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// SQL for the elements of a JSON array parameter, as a table with the column `value`.
    pub(crate) fn json_array_rows_sql(&self, parameter: &str) -> String {
        match self {
            Self::Sqlite(_) => format!("json_each({parameter})"),
            Self::Postgres(_) => format!("json_array_elements({parameter}::json)"),
        }
    }

    /// SQL for the strings of a JSON array parameter, as a subquery for `IN`.
    pub(crate) fn json_array_text_sql(&self, parameter: &str) -> String {
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
