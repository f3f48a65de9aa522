//! Test backend: a directory and a private PostgreSQL server.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use clew_store::StoreLocation;
use clew_testkit::PostgreSqlServer;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

/// True if the database can be used by processes on other machines.
pub(crate) const SHARED: bool = true;
/// Error text for a foreign key violation.
pub(crate) const FOREIGN_KEY_ERROR: &str = "foreign key";
/// SQL expression for invalid UTF-8 text, if the database can store such text.
pub(crate) const INVALID_TEXT: Option<&str> = None;

/// A release's database dump and the SQL statements that its processes execute.
pub(crate) struct Release {
    pub(crate) database: &'static str,
    pub(crate) statements: &'static str,
}

/// Releases with fixture databases.
pub(crate) const RELEASES: [Release; 1] = [Release {
    database: include_str!("../upgrade/0.1.0-postgres.sql"),
    statements: include_str!("../upgrade/0.1.0-postgres-statements.sql"),
}];

/// Name of the file that contains the database URL for child processes.
const URL_FILE: &str = "server";

thread_local! {
    /// Server shared by the backends of this test.
    static TEST_SERVER: RefCell<Weak<PostgreSqlServer>> = const { RefCell::new(Weak::new()) };
}

/// Returns the server of this test. A test with several backends starts only one server.
pub(crate) async fn shared_server() -> Arc<PostgreSqlServer> {
    if let Some(running) = TEST_SERVER.with_borrow(Weak::upgrade) {
        return running;
    }
    let started = Arc::new(PostgreSqlServer::start().await.unwrap());
    TEST_SERVER.set(Arc::downgrade(&started));
    started
}

/// Directory and database of a store. Dropping the backend removes the directory.
pub(crate) struct Backend {
    pub(crate) folder: TempDir,
    server: Arc<PostgreSqlServer>,
}

impl Backend {
    /// Creates a directory and a database on the server of the test.
    pub(crate) async fn new() -> Self {
        let (folder, server) = (tempfile::tempdir().unwrap(), shared_server().await);
        let name = format!("clew_{}", uuid::Uuid::new_v4().simple());
        let mut connection = PgConnection::connect(&server.url()).await.unwrap();
        let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
        sqlx::raw_sql(create).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        std::fs::write(folder.path().join(URL_FILE), server.url_for_database(&name)).unwrap();
        Self { folder, server }
    }

    /// Returns the path of the write-ahead log.
    pub(crate) fn wal_path(&self) -> PathBuf {
        self.server.data_dir().join("pg_wal")
    }
}

fn url(folder: &Path) -> String {
    std::fs::read_to_string(folder.join(URL_FILE)).unwrap()
}

/// Returns the location of the store in a directory.
pub(crate) fn location(folder: &Path) -> StoreLocation {
    StoreLocation { data_dir: folder.join("data"), metadata_url: Some(url(folder).parse().unwrap()) }
}

/// Returns the connection options of the database.
pub(crate) fn connect_options(folder: &Path) -> PgConnectOptions {
    url(folder).parse().unwrap()
}

pub(crate) async fn connect(folder: &Path) -> PgConnection {
    PgConnection::connect(&url(folder)).await.unwrap()
}

/// Translates test statements to the dialect of the database.
pub(crate) fn translate_sql(statements: &str) -> String {
    let bytes = |word: &str| {
        let (bytes, rest) = word.strip_prefix("x'")?.split_once('\'')?;
        Some(format!("'\\x{bytes}'::bytea{rest}"))
    };
    let words = statements.split_inclusive(' ').map(|word| bytes(word).unwrap_or_else(|| word.to_owned()));
    let mut translated: String = words.collect();
    for (name, table) in [
        ("audit_only_grows", "audit"),
        ("audit_stays_as_it_is", "audit"),
        ("audit_is_kept", "audit"),
        ("audit_ends_stay", "audit_ends"),
        ("audit_ends_only_advance", "audit_ends"),
    ] {
        translated = translated.replace(&format!("DROP TRIGGER {name}"), &format!("DROP TRIGGER {name} ON {table}"));
    }
    translated.replace("zeroblob(32)", "decode(repeat('00', 32), 'hex')")
}

/// Returns SQL for a trigger that rejects inserts of rows that match a condition.
pub(crate) fn reject_inserts(table: &str, condition: &str, message: &str) -> String {
    format!(
        "CREATE TRIGGER refuse BEFORE INSERT ON {table} FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION refuse('{message}')"
    )
}

/// Returns SQL for a trigger that makes the commit fail after an operation on a table.
pub(crate) fn fail_on_commit(table: &str, operation: &str) -> String {
    format!(
        "CREATE TABLE refused (name TEXT REFERENCES settings (name) DEFERRABLE INITIALLY DEFERRED); \
         CREATE FUNCTION fail_at_the_end() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN INSERT INTO refused VALUES ('nothing of this name'); RETURN NULL; END $$; \
         CREATE TRIGGER refuse AFTER {operation} ON {table} FOR EACH ROW EXECUTE FUNCTION fail_at_the_end()"
    )
}

/// Returns SQL that removes the trigger of [`reject_inserts`] or [`fail_on_commit`].
pub(crate) fn allow_inserts(table: &str) -> String {
    format!("DROP TRIGGER refuse ON {table}")
}
