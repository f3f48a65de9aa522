//! Test backend: a directory with a SQLite database.

use std::future::{Ready, ready};
use std::path::{Path, PathBuf};

use clew_store::StoreLocation;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};
use tempfile::TempDir;

/// True if the database can be used by processes on other machines.
pub(crate) const SHARED: bool = false;
/// Error text for a foreign key violation.
pub(crate) const FOREIGN_KEY_ERROR: &str = "FOREIGN KEY";
/// SQL expression for invalid UTF-8 text, if the database can store such text.
pub(crate) const INVALID_TEXT: Option<&str> = Some("CAST(x'ff' AS TEXT)");

/// A release's database dump and the SQL statements that its processes execute.
pub(crate) struct Release {
    pub(crate) database: &'static str,
    pub(crate) statements: &'static str,
}

/// Releases with fixture databases.
pub(crate) const RELEASES: [Release; 1] = [Release {
    database: include_str!("../upgrade/0.1.0-sqlite.sql"),
    statements: include_str!("../upgrade/0.1.0-sqlite-statements.sql"),
}];

/// Guard for the shared database server. SQLite needs no server.
pub(crate) struct NoServer;

/// Returns the guard for the shared database server.
pub(crate) fn shared_server() -> Ready<NoServer> {
    ready(NoServer)
}

/// Directory of a store. Dropping the backend removes the directory.
pub(crate) struct Backend {
    pub(crate) folder: TempDir,
}

impl Backend {
    /// Creates the directory.
    pub(crate) fn new() -> Ready<Self> {
        ready(Self { folder: tempfile::tempdir().unwrap() })
    }

    /// Returns the path of the write-ahead log.
    pub(crate) fn wal_path(&self) -> PathBuf {
        self.folder.path().join("data/clew.db-wal")
    }
}

/// Returns the location of the store in a directory.
pub(crate) fn location(folder: &Path) -> StoreLocation {
    folder.join("data").into()
}

pub(crate) async fn connect(folder: &Path) -> SqliteConnection {
    let file = SqliteConnectOptions::new().filename(folder.join("data/clew.db"));
    file.create_if_missing(true).connect().await.unwrap()
}

/// Translates test statements to the dialect of the database.
pub(crate) fn translate_sql(statements: &str) -> String {
    statements.to_owned()
}

/// Returns SQL for a trigger that rejects inserts of rows that match a condition.
pub(crate) fn reject_inserts(table: &str, condition: &str, message: &str) -> String {
    format!(
        "CREATE TRIGGER refuse BEFORE INSERT ON {table} WHEN {condition} BEGIN SELECT RAISE(ABORT, '{message}'); END"
    )
}

/// Returns SQL for a trigger that makes the commit fail after an operation on a table.
pub(crate) fn fail_on_commit(table: &str, operation: &str) -> String {
    format!(
        "CREATE TABLE refused (name TEXT REFERENCES settings (name) DEFERRABLE INITIALLY DEFERRED); \
         CREATE TRIGGER refuse AFTER {operation} ON {table} BEGIN INSERT INTO refused VALUES ('nothing of this name'); END"
    )
}

/// Returns SQL that removes the trigger of [`reject_inserts`] or [`fail_on_commit`].
pub(crate) fn allow_inserts(_table: &str) -> String {
    "DROP TRIGGER refuse".to_owned()
}
