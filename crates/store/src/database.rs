//! The seam between the statements and the databases that run them.
//!
//! A statement is written once, in SQL that SQLite and PostgreSQL understand alike, with numbered parameters (`$1`). What differs is a
//! method of [`Database`], or stands in a file of that database.

mod row;
mod statement;

use std::path::Path;

use sqlx::{Sqlite, Transaction};

pub(crate) use row::{Row, Stored};
pub(crate) use statement::{Target, query, query_pair, query_scalar};

use crate::error::StoreError;
use crate::sqlite::changes::Changes;
use crate::sqlite::{self, SqliteDatabase};

/// An open database. Clones share it.
#[derive(Clone)]
pub(crate) enum Database {
    /// A file.
    Sqlite(SqliteDatabase),
}

/// A transaction. Dropped before it is committed, it leaves nothing.
pub(crate) enum Connection {
    /// Of a file.
    Sqlite(Transaction<'static, Sqlite>),
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

    /// Begins a transaction that may write. Until its end no other one comes between, of this process or another.
    pub(crate) async fn begin_writing(&self) -> Result<Connection, sqlx::Error> {
        match self {
            Self::Sqlite(database) => database.pool.begin_with("BEGIN IMMEDIATE").await.map(Connection::Sqlite),
        }
    }

    /// Begins a transaction that reads everything as it is at one moment.
    pub(crate) async fn begin_reading(&self) -> Result<Connection, sqlx::Error> {
        match self {
            Self::Sqlite(database) => database.pool.begin().await.map(Connection::Sqlite),
        }
    }

    /// What tells what has changed.
    pub(crate) fn changes(&self) -> Changes {
        match self {
            Self::Sqlite(database) => Changes::of(database),
        }
    }

    /// Closes all connections, and waits for that.
    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(database) => database.pool.close().await,
        }
    }
}

impl Connection {
    /// Makes everything durable.
    pub(crate) async fn commit(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(transaction) => transaction.commit().await,
        }
    }
}
