//! SQLite's errors as the store's, with what to do about them.

use sqlx::migrate::MigrateError;

use crate::error::StoreError;

impl StoreError {
    /// For `map_err` on the database's errors.
    pub(crate) fn database(doing: &'static str) -> impl Fn(sqlx::Error) -> Self {
        move |source| Self::Database { doing, remedy: remedy(&source), source: Box::new(source) }
    }
}

/// An error of a migration.
pub(crate) fn migration_failed(error: MigrateError) -> StoreError {
    let doing = "bring the database to this version's form";
    match error {
        MigrateError::VersionMissing(version) => StoreError::NewerDatabase { version },
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => StoreError::database(doing)(error),
        other => StoreError::Database { doing, source: Box::new(other), remedy: "" },
    }
}

/// An error of an insert, told apart where the reason is a name that is taken.
pub(super) fn insert_failed(
    doing: &'static str,
    what: &'static str,
    name: &str,
) -> impl FnOnce(sqlx::Error) -> StoreError {
    let name = name.to_owned();
    move |error| match &error {
        sqlx::Error::Database(cause) if cause.is_unique_violation() => StoreError::AlreadyExists { what, name },
        _ => StoreError::database(doing)(error),
    }
}

/// The sentence to put behind an error's own words, after "; ", where there is something to do.
fn remedy(error: &sqlx::Error) -> &'static str {
    match primary_code(error) {
        Some(5 | 6) => "; another process held the database for too long: try again",
        Some(8) => "; make the data directory and clew.db writable for the user that runs Clew",
        Some(10) => "; see whether the disk is full or broken",
        Some(11 | 26) => "; stop Clew and restore clew.db from a backup",
        Some(13) => "; free some space in the data directory",
        Some(14) => "; see whether the user that runs Clew may read and write the data directory",
        _ => "",
    }
}

/// SQLite's result code (<https://www.sqlite.org/rescode.html>) without what extends it.
fn primary_code(error: &sqlx::Error) -> Option<u32> {
    let code: u32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
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
        remedy(&sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await.unwrap_err())
    }

    #[tokio::test]
    async fn each_trouble_that_someone_can_mend_has_its_remedy() {
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
            Err(error) => remedy(&error),
        };
        assert!(broken.contains("backup"), "{broken}");
        let nowhere = folder.path().join("no").join("a.db");
        let error = SqliteConnectOptions::new().filename(nowhere).connect().await.unwrap_err();
        assert!(remedy(&error).contains("read and write"), "{error}");
    }
}
