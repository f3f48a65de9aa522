//! The seam between the statements and the databases that run them.
//!
//! A statement is written once, in SQL that SQLite and PostgreSQL understand alike, with numbered parameters (`$1`). What differs is a
//! method of [`Database`], or stands in a file of that database.

mod changes;
mod row;
mod statement;

use std::path::Path;

use sqlx::{Sqlite, Transaction};

pub(crate) use changes::Changes;
pub(crate) use row::{Row, Stored};
pub(crate) use statement::{Parameter, Statement, Target, query, query_pair, query_scalar};

use crate::clock::Clock;
use crate::error::StoreError;
use crate::postgres::{self, PostgresDatabase, PostgresTransaction, PostgresUrl};
use crate::sqlite::{self, SqliteDatabase};

/// An open database. Clones share it.
#[derive(Clone)]
pub(crate) enum Database {
    /// A file.
    Sqlite(SqliteDatabase),
    /// A server's.
    Postgres(PostgresDatabase),
}

/// A transaction. Dropped before it is committed, it leaves nothing.
pub(crate) enum Connection {
    /// Of a file.
    Sqlite(Transaction<'static, Sqlite>),
    /// Of a server's.
    Postgres(PostgresTransaction),
}

impl Database {
    /// Makes a database of one empty file, without a log beside it, so that it can be renamed.
    pub(crate) async fn create(file: &Path) -> Result<Self, StoreError> {
        Ok(Self::Sqlite(sqlite::create(file).await?))
    }

    /// Opens a database that is there.
    pub(crate) async fn open(file: &Path) -> Result<Self, StoreError> {
        Ok(Self::Sqlite(sqlite::open(file).await?))
    }

    /// Opens a server's database, whether it was used before or not.
    pub(crate) async fn on(url: &PostgresUrl) -> Result<Self, StoreError> {
        Ok(Self::Postgres(Box::pin(postgres::open(url)).await?))
    }

    /// Begins a transaction that may write. Until its end no other one comes between, of this process or another.
    pub(crate) async fn begin_writing(&self) -> Result<Connection, sqlx::Error> {
        match self {
            Self::Sqlite(database) => database.pool.begin_with("BEGIN IMMEDIATE").await.map(Connection::Sqlite),
            Self::Postgres(database) => database.begin_writing().await.map(Connection::Postgres),
        }
    }

    /// Begins a transaction that reads everything as it is at one moment.
    pub(crate) async fn begin_reading(&self) -> Result<Connection, sqlx::Error> {
        match self {
            Self::Sqlite(database) => database.pool.begin().await.map(Connection::Sqlite),
            Self::Postgres(database) => database.begin_reading().await.map(Connection::Postgres),
        }
    }

    /// What tells what has changed.
    pub(crate) fn changes(&self) -> Changes {
        match self {
            Self::Sqlite(database) => Changes::Sqlite(sqlite::changes::Changes::of(database)),
            Self::Postgres(database) => Changes::Postgres(postgres::changes::Changes::of(database)),
        }
    }

    /// The clock that all who share the database go by.
    pub(crate) fn clock(&self) -> Clock {
        match self {
            Self::Sqlite(_) => Clock::default(),
            Self::Postgres(database) => database.clock(),
        }
    }

    /// Whether other machines may be at work on it, of which the lock of a data directory says nothing.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// The elements of a list in JSON, in the parameter of this name, as a table whose only column is `value`.
    pub(crate) fn elements(&self, parameter: &str) -> String {
        match self {
            Self::Sqlite(_) => format!("json_each({parameter})"),
            Self::Postgres(_) => format!("json_array_elements({parameter}::json)"),
        }
    }

    /// The texts of a list in JSON, in the parameter of this name, as a list of a statement's own.
    pub(crate) fn texts(&self, parameter: &str) -> String {
        match self {
            Self::Sqlite(_) => format!("SELECT value FROM json_each({parameter})"),
            Self::Postgres(_) => {
                format!("SELECT text FROM json_array_elements_text({parameter}::json) AS texts (text)")
            }
        }
    }

    /// Closes all connections, and waits for that.
    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(database) => database.pool.close().await,
            Self::Postgres(database) => database.pool.close().await,
        }
    }
}

impl Connection {
    /// Makes everything durable.
    pub(crate) async fn commit(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(transaction) => transaction.commit().await,
            Self::Postgres(transaction) => transaction.commit().await,
        }
    }
}
