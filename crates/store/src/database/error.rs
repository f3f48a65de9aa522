//! Converts database errors to [`StoreError`] and adds a hint for common causes.

use std::io::ErrorKind;
use std::sync::Arc;

use sqlx::migrate::MigrateError;
use sqlx::sqlite::SqliteError;

use crate::error::StoreError;

impl StoreError {
    /// The error message starts with "could not", followed by `action`.
    pub(crate) fn database_error(action: &'static str) -> impl Fn(sqlx::Error) -> Self {
        move |source| Self::Database { action, remedy: database_error_hint(&source), source: Box::new(source) }
    }

    /// Wraps an error that several callers share, so that each caller receives a separate error value.
    pub(crate) fn from_shared(action: &'static str, error: Arc<Self>) -> Self {
        Self::Database { action, source: Box::new(error), remedy: "" }
    }
}

pub(crate) fn migration_error(error: MigrateError) -> StoreError {
    let action = "apply the migrations of the database";
    match error {
        MigrateError::VersionMissing(version) => StoreError::NewerDatabase(version),
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            StoreError::database_error(action)(error)
        }
        other => StoreError::Database { action, source: Box::new(other), remedy: "" },
    }
}

fn database_error_hint(error: &sqlx::Error) -> &'static str {
    let Some(cause) = error.as_database_error() else { return connection_error_hint(error) };
    let code = cause.code().unwrap_or_default();
    match cause.try_downcast_ref::<SqliteError>() {
        Some(_) => sqlite_error_hint(&code),
        None => postgres_error_hint(&code),
    }
}

/// `code` is a SQLite result code (<https://www.sqlite.org/rescode.html>).
fn sqlite_error_hint(code: &str) -> &'static str {
    match code.parse::<u32>().map(|code| code & 0xff) {
        Ok(5 | 6) => "; another process locked the database for too long: try again",
        Ok(8) => "; make the data directory and clew.db writable for the user that runs Clew",
        Ok(10) => "; check whether the disk is full or damaged",
        Ok(11 | 26) => "; stop Clew and restore clew.db from a backup",
        Ok(13) => "; free some space in the data directory",
        Ok(14) => "; check that the user that runs Clew may read and write the data directory",
        _ => "",
    }
}

/// `code` is a PostgreSQL error code (<https://www.postgresql.org/docs/15/errcodes-appendix.html>).
fn postgres_error_hint(code: &str) -> &'static str {
    match code {
        "25P03" | "40P01" | "55P03" => "; another process locked the database for too long: try again",
        "57P01" | "57P02" | "57P03" => "; PostgreSQL is starting or shutting down: try again",
        "53100" => "; free some disk space on the PostgreSQL server",
        "53300" => "; increase max_connections of PostgreSQL",
        "3D000" => "; create the database (createdb), or use another one",
        "42501" => "; make the account of Clew the owner of the database",
        _ if code.starts_with("28") => "; check the user and password in the URL of the database",
        _ => "",
    }
}

fn connection_error_hint(error: &sqlx::Error) -> &'static str {
    const TLS_ERROR_HINT: &str = "; check sslmode and sslrootcert in the URL of the database";
    match error {
        // The TLS library reports a rejected certificate as `InvalidData`.
        sqlx::Error::Io(error) if error.kind() == ErrorKind::InvalidData => TLS_ERROR_HINT,
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut => "; check whether the database is reachable",
        sqlx::Error::Tls(_) => TLS_ERROR_HINT,
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use sqlx::sqlite::SqliteConnectOptions;
    use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection};

    use super::*;

    async fn connect(file: &Path, read_only: bool) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(file).create_if_missing(!read_only).read_only(read_only);
        options.busy_timeout(Duration::ZERO).connect().await.unwrap()
    }

    async fn remedy_of(connection: &mut SqliteConnection, statement: &str) -> &'static str {
        database_error_hint(&sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await.unwrap_err())
    }

    #[tokio::test]
    async fn repairable_errors_have_remedies() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.db");
        let mut first = connect(&file, false).await;
        sqlx::raw_sql("CREATE TABLE t (x); BEGIN IMMEDIATE").execute(&mut first).await.unwrap();
        assert!(remedy_of(&mut connect(&file, false).await, "INSERT INTO t VALUES (1)").await.contains("try again"));
        sqlx::raw_sql("ROLLBACK; PRAGMA max_page_count = 3").execute(&mut first).await.unwrap();
        let full = remedy_of(&mut first, "INSERT INTO t VALUES (randomblob(100000))").await;
        assert!(full.contains("free some space"), "{full}");
        let read_only = remedy_of(&mut connect(&file, true).await, "INSERT INTO t VALUES (1)").await;
        assert!(read_only.contains("writable"), "{read_only}");
        assert_eq!(remedy_of(&mut first, "INSERT INTO u VALUES (1)").await, "");
        first.close().await.unwrap();
        std::fs::write(&file, "this is not a database, however long one looks at it").unwrap();
        let broken = SqliteConnectOptions::new().filename(&file).foreign_keys(true).connect().await;
        let broken = match broken {
            Ok(mut connection) => remedy_of(&mut connection, "SELECT * FROM sqlite_schema").await,
            Err(error) => database_error_hint(&error),
        };
        assert!(broken.contains("backup"), "{broken}");
        let nowhere = folder.path().join("no").join("a.db");
        let error = SqliteConnectOptions::new().filename(nowhere).connect().await.unwrap_err();
        assert!(database_error_hint(&error).contains("read and write"), "{error}");
    }
}
