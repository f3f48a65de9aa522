//! Test backends: a directory with a SQLite database, or a directory with a database on a private PostgreSQL server.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clew_store::StoreLocation;
use clew_testkit::PostgreSqlServer;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection as _, PgConnection, Row, SqliteConnection};
use tempfile::TempDir;

use crate::database::Database;

/// Name of the file that contains the URL of a PostgreSQL database. Child processes read the file.
const URL_FILE: &str = "server";

/// Server for the databases of a test with several backends. SQLite needs no server.
#[derive(Clone)]
pub(crate) enum MetadataServer {
    Sqlite,
    PostgreSql(Arc<PostgreSqlServer>),
}

impl MetadataServer {
    pub(crate) async fn start(database: Database) -> Self {
        match database {
            Database::Sqlite => Self::Sqlite,
            Database::PostgreSql => Self::PostgreSql(Arc::new(PostgreSqlServer::start().await.unwrap())),
        }
    }
}

/// Directory and database of a store. Dropping the backend removes the directory.
pub(crate) struct Backend {
    pub(crate) folder: TempDir,
    server: MetadataServer,
}

impl Backend {
    /// Creates a directory and a database on a new server.
    pub(crate) async fn new(database: Database) -> Self {
        Self::on_server(&MetadataServer::start(database).await).await
    }

    /// Creates a directory and a database on a server.
    pub(crate) async fn on_server(server: &MetadataServer) -> Self {
        let folder = tempfile::tempdir().unwrap();
        if let MetadataServer::PostgreSql(server) = server {
            let name = format!("clew_{}", uuid::Uuid::new_v4().simple());
            let mut connection = PgConnection::connect(&server.url()).await.unwrap();
            let create = AssertSqlSafe(format!("CREATE DATABASE {name}"));
            sqlx::raw_sql(create).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
            std::fs::write(folder.path().join(URL_FILE), server.url_for_database(&name)).unwrap();
        }
        Self { folder, server: server.clone() }
    }

    pub(crate) fn database(&self) -> Database {
        match self.server {
            MetadataServer::Sqlite => Database::Sqlite,
            MetadataServer::PostgreSql(_) => Database::PostgreSql,
        }
    }

    /// Returns the path of the write-ahead log.
    pub(crate) fn wal_path(&self) -> PathBuf {
        match &self.server {
            MetadataServer::Sqlite => self.folder.path().join("data/clew.db-wal"),
            MetadataServer::PostgreSql(server) => server.process.data_dir().join("pg_wal"),
        }
    }
}

/// Returns the URL of the PostgreSQL database of a backend.
fn postgresql_url(folder: &Path) -> Option<String> {
    let file = folder.join(URL_FILE);
    file.exists().then(|| std::fs::read_to_string(file).unwrap())
}

/// Returns the location of the store of a backend.
pub(crate) fn location(folder: &Path) -> StoreLocation {
    let metadata_url = postgresql_url(folder).map(|url| url.parse().unwrap());
    StoreLocation { data_dir: folder.join("data"), metadata_url }
}

/// Returns the connection options of a PostgreSQL database.
pub(crate) fn postgresql_options(folder: &Path) -> PgConnectOptions {
    postgresql_url(folder).unwrap().parse().unwrap()
}

/// Direct connection to the database of a backend.
pub(crate) enum Connection {
    Sqlite(SqliteConnection),
    PostgreSql(PgConnection),
}

impl Connection {
    pub(crate) async fn open(folder: &Path) -> Self {
        if let Some(url) = postgresql_url(folder) {
            return Self::PostgreSql(PgConnection::connect(&url).await.unwrap());
        }
        let file = SqliteConnectOptions::new().filename(folder.join("data/clew.db"));
        Self::Sqlite(file.create_if_missing(true).connect().await.unwrap())
    }

    /// Executes statements in the dialect of the database.
    pub(crate) async fn execute(&mut self, statements: &str) -> Result<(), sqlx::Error> {
        let statements = sqlx::raw_sql(AssertSqlSafe(statements));
        match self {
            Self::Sqlite(connection) => statements.execute(connection).await.map(drop),
            Self::PostgreSql(connection) => statements.execute(connection).await.map(drop),
        }
    }

    /// Returns the integer that a query selects.
    pub(crate) async fn query_integer(&mut self, query: &str) -> i64 {
        let query = AssertSqlSafe(query);
        match self {
            Self::Sqlite(connection) => sqlx::query_scalar(query).fetch_one(connection).await.unwrap(),
            Self::PostgreSql(connection) => sqlx::query_scalar(query).fetch_one(connection).await.unwrap(),
        }
    }

    /// Returns the number of columns of a table that has rows.
    pub(crate) async fn count_columns(&mut self, table: &str) -> usize {
        let query = AssertSqlSafe(format!("SELECT * FROM {table} LIMIT 1"));
        match self {
            Self::Sqlite(connection) => sqlx::query(query).fetch_one(connection).await.unwrap().columns().len(),
            Self::PostgreSql(connection) => sqlx::query(query).fetch_one(connection).await.unwrap().columns().len(),
        }
    }

    pub(crate) async fn close(self) {
        match self {
            Self::Sqlite(connection) => connection.close().await.unwrap(),
            Self::PostgreSql(connection) => connection.close().await.unwrap(),
        }
    }
}
