//! What the database itself saw: its rows, and each end of each collection, noted by a trigger that Clew knows nothing of.

use sqlx::{Connection, PgConnection};

use crate::error::{FaultsError, database};

const SET_UP: [&str; 3] = [
    "CREATE SCHEMA witness",
    "CREATE TABLE witness.ends (at BIGINT GENERATED ALWAYS AS IDENTITY, request_id TEXT NOT NULL, fence BIGINT NOT NULL)",
    "CREATE FUNCTION witness.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         INSERT INTO witness.ends (request_id, fence) VALUES (NEW.request_id, NEW.fence); RETURN NULL; END $$",
];
const WATCH: &str = "CREATE TRIGGER witness AFTER INSERT OR UPDATE ON tasks FOR EACH ROW \
     WHEN (NEW.status IN ('finished', 'error')) EXECUTE FUNCTION witness.note()";
const ROWS: &str = "SELECT request_id, status, fence, attempts, failure_kind, failure_detail, result_name, result_rows, \
         result_bytes, result_sha256, created_at, ended_at, \
         (SELECT COUNT(*) FROM witness.ends WHERE ends.request_id = tasks.request_id) AS ends \
     FROM tasks ORDER BY rowid";

/// A collection, as the database has it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Row {
    pub(crate) request_id: String,
    pub(crate) status: String,
    pub(crate) fence: i64,
    pub(crate) attempts: i64,
    pub(crate) failure_kind: Option<String>,
    pub(crate) failure_detail: Option<String>,
    pub(crate) result_name: Option<String>,
    pub(crate) result_rows: Option<i64>,
    pub(crate) result_bytes: Option<i64>,
    pub(crate) result_sha256: Option<String>,
    pub(crate) created_at: i64,
    pub(crate) ended_at: Option<i64>,
    /// How often it came to an end.
    pub(crate) ends: i64,
}

/// Watches from now on.
pub(crate) async fn watch(url: &str) -> Result<(), FaultsError> {
    let failed = || database("watch the rows");
    let mut connection = PgConnection::connect(url).await.map_err(failed())?;
    for statement in SET_UP.into_iter().chain([WATCH, "CREATE INDEX ON witness.ends (request_id)"]) {
        sqlx::query(statement).execute(&mut connection).await.map_err(failed())?;
    }
    connection.close().await.map_err(failed())
}

/// All rows, oldest first.
pub(crate) async fn rows(url: &str) -> Result<Vec<Row>, FaultsError> {
    let failed = || database("read the rows");
    let mut connection = PgConnection::connect(url).await.map_err(failed())?;
    let rows = sqlx::query_as(ROWS).fetch_all(&mut connection).await.map_err(failed())?;
    connection.close().await.map_err(failed())?;
    Ok(rows)
}
