//! A place for a store: a folder, and a private PostgreSQL.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use clew_store::Location;
use clew_testkit::PostgreSql;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

/// Whether others may be at work on the database, of whom the lock of the data directory says nothing.
pub(crate) const SHARED: bool = true;
/// What an error says of a row that refers to nothing.
pub(crate) const REFERS_TO_NOTHING: &str = "foreign key";
/// What makes a text of bytes that are none, if the database keeps them.
pub(crate) const NO_TEXT: Option<&str> = None;

/// What a release left, and what its processes go on saying.
pub(crate) struct Release {
    pub(crate) database: &'static str,
    pub(crate) statements: &'static str,
}

/// All of them.
pub(crate) const RELEASES: [Release; 1] = [Release {
    database: include_str!("../upgrade/0.1.0-postgres.sql"),
    statements: include_str!("../upgrade/0.1.0-postgres-statements.sql"),
}];

/// Name of the file in the folder that says where the server is, for other processes.
const SERVER: &str = "server";

thread_local! {
    /// The server of this test, while a place or the test itself keeps it.
    static SERVER_OF_THE_TEST: RefCell<Weak<PostgreSql>> = const { RefCell::new(Weak::new()) };
}

/// What is kept for the next place, for tests that make many.
pub(crate) async fn keep() -> Arc<PostgreSql> {
    if let Some(running) = SERVER_OF_THE_TEST.with_borrow(Weak::upgrade) {
        return running;
    }
    let started = Arc::new(PostgreSql::start().await.unwrap());
    SERVER_OF_THE_TEST.set(Arc::downgrade(&started));
    started
}

/// Gone when it is dropped.
pub(crate) struct Place {
    pub(crate) folder: TempDir,
    server: Arc<PostgreSql>,
}

impl Place {
    /// A folder, and a database on the server of the test.
    pub(crate) async fn new() -> Self {
        let (folder, server) = (tempfile::tempdir().unwrap(), keep().await);
        let name = format!("clew_{}", uuid::Uuid::new_v4().simple());
        let mut connection = PgConnection::connect(&server.url()).await.unwrap();
        let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
        sqlx::raw_sql(create).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        std::fs::write(folder.path().join(SERVER), server.url_of(&name)).unwrap();
        Self { folder, server }
    }

    /// What holds all that the database was ever told.
    pub(crate) fn log(&self) -> PathBuf {
        self.server.data_dir().join("pg_wal")
    }
}

fn url(folder: &Path) -> String {
    std::fs::read_to_string(folder.join(SERVER)).unwrap()
}

/// Where the store of a folder keeps what it keeps.
pub(crate) fn location(folder: &Path) -> Location {
    Location { data_dir: folder.join("data"), metadata: Some(url(folder).parse().unwrap()) }
}

/// Where the database of a folder is.
pub(crate) fn connect_options(folder: &Path) -> PgConnectOptions {
    url(folder).parse().unwrap()
}

pub(crate) async fn connect(folder: &Path) -> PgConnection {
    PgConnection::connect(&url(folder)).await.unwrap()
}

/// Statements of the tests, as the database says them.
pub(crate) fn spoken(statements: &str) -> String {
    let bytes = |word: &str| {
        let (bytes, rest) = word.strip_prefix("x'")?.split_once('\'')?;
        Some(format!("'\\x{bytes}'::bytea{rest}"))
    };
    let words = statements.split_inclusive(' ').map(|word| bytes(word).unwrap_or_else(|| word.to_owned()));
    let mut spoken: String = words.collect();
    for (name, table) in [
        ("audit_only_grows", "audit"),
        ("audit_stays_as_it_is", "audit"),
        ("audit_is_kept", "audit"),
        ("audit_ends_stay", "audit_ends"),
        ("audit_ends_only_advance", "audit_ends"),
    ] {
        spoken = spoken.replace(&format!("DROP TRIGGER {name}"), &format!("DROP TRIGGER {name} ON {table}"));
    }
    spoken.replace("zeroblob(32)", "decode(repeat('00', 32), 'hex')")
}

/// Refuses new rows of a table, where a condition holds, and says so.
pub(crate) fn refuse(table: &str, condition: &str, says: &str) -> String {
    format!(
        "CREATE TRIGGER refuse BEFORE INSERT ON {table} FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION refuse('{says}')"
    )
}

/// Lets every transaction fail at its end that does this to a table.
pub(crate) fn fail_at_the_end(table: &str, does: &str) -> String {
    format!(
        "CREATE TABLE refused (name TEXT REFERENCES settings (name) DEFERRABLE INITIALLY DEFERRED); \
         CREATE FUNCTION fail_at_the_end() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN INSERT INTO refused VALUES ('nothing of this name'); RETURN NULL; END $$; \
         CREATE TRIGGER refuse AFTER {does} ON {table} FOR EACH ROW EXECUTE FUNCTION fail_at_the_end()"
    )
}

/// Ends what [`refuse`] or [`fail_at_the_end`] began.
pub(crate) fn allow(table: &str) -> String {
    format!("DROP TRIGGER refuse ON {table}")
}
