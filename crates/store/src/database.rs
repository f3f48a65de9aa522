//! Database abstraction over SQLite and PostgreSQL.
//!
//! Most SQL statements use numbered parameters such as `$1`, which SQLite and PostgreSQL support.

pub(crate) mod audited_transaction;
pub(crate) mod audited_writes;
mod change_detector;
mod error;
pub(crate) mod group_commit;
pub(crate) mod migrations;
mod row;
mod statement;

use std::path::Path;

use futures_util::FutureExt as _;
use sqlx::Sqlite;

use crate::clock::Clock;
pub(crate) use crate::database::change_detector::{ChangeDetector, DataVersion};
pub(crate) use crate::database::error::migration_error;
pub(crate) use crate::database::row::{
    FromOwnedRow, FromRow, Row, count_to_i64_saturating, duration_to_millis, impl_from_row,
};
pub(crate) use crate::database::statement::{Parameter, Statement, StatementExecutor, params, query, query_as};
use crate::error::StoreError;
use crate::postgres::{PostgresDatabase, PostgresTransaction, PostgresUrl};
use crate::sqlite::SqliteDatabase;
use crate::{postgres, sqlite};

/// Clones share the connection pool.
#[derive(Clone)]
pub(crate) enum Database {
    Sqlite(SqliteDatabase),
    Postgres(PostgresDatabase),
}

/// Dropping an uncommitted transaction rolls it back.
pub(crate) enum Transaction {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(PostgresTransaction),
}

impl Database {
    pub(crate) async fn create_sqlite(file: &Path) -> Result<Self, StoreError> {
        Ok(Self::Sqlite(sqlite::create_database(file).await?))
    }

    pub(crate) async fn open_sqlite(file: &Path) -> Result<Self, StoreError> {
        Ok(Self::Sqlite(sqlite::open_database(file).await?))
    }

    pub(crate) async fn connect_postgres(url: &PostgresUrl) -> Result<Self, StoreError> {
        Ok(Self::Postgres(Box::pin(postgres::open_database(url)).await?))
    }

    /// Begins a transaction that holds the write lock, which blocks all other writers.
    /// In error messages, `action` follows the words "could not" and describes the transaction.
    pub(crate) async fn begin_write_transaction(&self, action: &'static str) -> Result<Transaction, StoreError> {
        let begun = match self {
            Self::Sqlite(database) => {
                database.pool.begin_with("BEGIN IMMEDIATE").boxed().await.map(Transaction::Sqlite)
            }
            Self::Postgres(database) => database.begin_write_transaction().boxed().await.map(Transaction::Postgres),
        };
        begun.map_err(StoreError::database_error(action))
    }

    /// Begins a read transaction, in which all queries read the same snapshot of the database.
    pub(crate) async fn begin_read_transaction(&self, action: &'static str) -> Result<Transaction, StoreError> {
        let begun = match self {
            Self::Sqlite(database) => database.pool.begin().boxed().await.map(Transaction::Sqlite),
            Self::Postgres(database) => database.begin_read_transaction().boxed().await.map(Transaction::Postgres),
        };
        begun.map_err(StoreError::database_error(action))
    }

    pub(crate) fn clock(&self) -> Clock {
        match self {
            Self::Sqlite(_) => Clock::default(),
            Self::Postgres(database) => database.database_clock(),
        }
    }

    /// Returns true if processes on other machines can use the database.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// Returns SQL for a `FROM` clause that expands a JSON array parameter into rows with a column `value`.
    pub(crate) fn sql_for_json_array_rows(&self, parameter: &str) -> String {
        match self {
            Self::Sqlite(_) => format!("json_each({parameter})"),
            Self::Postgres(_) => format!("json_array_elements({parameter}::json)"),
        }
    }

    pub(crate) fn subquery_for_json_array_strings(&self, parameter: &str) -> String {
        match self {
            Self::Sqlite(_) => format!("SELECT value FROM json_each({parameter})"),
            Self::Postgres(_) => {
                format!("SELECT text FROM json_array_elements_text({parameter}::json) AS texts (text)")
            }
        }
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(database) => database.pool.close().await,
            Self::Postgres(database) => database.pool.close().await,
        }
    }
}

impl Transaction {
    pub(crate) async fn commit(self, action: &'static str) -> Result<(), StoreError> {
        let committed = match self {
            Self::Sqlite(transaction) => transaction.commit().boxed().await,
            Self::Postgres(transaction) => transaction.commit().boxed().await,
        };
        committed.map_err(StoreError::database_error(action))
    }
}
