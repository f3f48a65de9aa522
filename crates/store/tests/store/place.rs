//! A place for a store: a folder with SQLite's file.

use std::future::{Ready, ready};
use std::path::{Path, PathBuf};

use clew_store::Location;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};
use tempfile::TempDir;

/// Whether others may be at work on the database, of whom the lock of the data directory says nothing.
pub(crate) const SHARED: bool = false;
/// What an error says of a row that refers to nothing.
pub(crate) const REFERS_TO_NOTHING: &str = "FOREIGN KEY";
/// What makes a text of bytes that are none, if the database keeps them.
pub(crate) const NO_TEXT: Option<&str> = Some("CAST(x'ff' AS TEXT)");

/// What a release left, and what its processes go on saying.
pub(crate) struct Release {
    pub(crate) database: &'static str,
    pub(crate) statements: &'static str,
}

/// All of them.
pub(crate) const RELEASES: [Release; 1] = [Release {
    database: include_str!("../upgrade/0.1.0-sqlite.sql"),
    statements: include_str!("../upgrade/0.1.0-sqlite-statements.sql"),
}];

/// What is kept for the next place, for tests that make many.
pub(crate) struct Nothing;

/// Keeps it.
pub(crate) fn keep() -> Ready<Nothing> {
    ready(Nothing)
}

/// Gone when it is dropped.
pub(crate) struct Place {
    pub(crate) folder: TempDir,
}

impl Place {
    /// At once; a server would have to be waited for.
    pub(crate) fn new() -> Ready<Self> {
        ready(Self { folder: tempfile::tempdir().unwrap() })
    }

    /// What holds all that the database was ever told.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.path().join("data/clew.db-wal")
    }
}

/// Where the store of a folder keeps what it keeps.
pub(crate) fn location(folder: &Path) -> Location {
    folder.join("data").into()
}

pub(crate) async fn connect(folder: &Path) -> SqliteConnection {
    let file = SqliteConnectOptions::new().filename(folder.join("data/clew.db"));
    file.create_if_missing(true).connect().await.unwrap()
}

/// Statements of the tests, as the database says them.
pub(crate) fn spoken(statements: &str) -> String {
    statements.to_owned()
}

/// Refuses new rows of a table, where a condition holds, and says so.
pub(crate) fn refuse(table: &str, condition: &str, says: &str) -> String {
    format!("CREATE TRIGGER refuse BEFORE INSERT ON {table} WHEN {condition} BEGIN SELECT RAISE(ABORT, '{says}'); END")
}

/// Lets every transaction fail at its end that does this to a table.
pub(crate) fn fail_at_the_end(table: &str, does: &str) -> String {
    format!(
        "CREATE TABLE refused (name TEXT REFERENCES settings (name) DEFERRABLE INITIALLY DEFERRED); \
         CREATE TRIGGER refuse AFTER {does} ON {table} BEGIN INSERT INTO refused VALUES ('nothing of this name'); END"
    )
}

/// Ends what [`refuse`] or [`fail_at_the_end`] began.
pub(crate) fn allow(_table: &str) -> String {
    "DROP TRIGGER refuse".to_owned()
}
