//! Reads all collection tasks from the database. A test-only trigger counts the completions of each task.

use serde::Deserialize;
use sqlx::{Connection, PgConnection};

use crate::error::{ChaosError, operation_error};

const CREATE_COMPLETION_TRIGGER_STATEMENTS: [&str; 5] = [
    "CREATE SCHEMA witness",
    "CREATE TABLE witness.ends (at BIGINT GENERATED ALWAYS AS IDENTITY, request_id TEXT NOT NULL, fence BIGINT NOT NULL)",
    "CREATE FUNCTION witness.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         INSERT INTO witness.ends (request_id, fence) VALUES (NEW.request_id, NEW.fence); RETURN NULL; END $$",
    "CREATE TRIGGER witness AFTER INSERT OR UPDATE ON tasks FOR EACH ROW \
         WHEN (NEW.status IN ('finished', 'error')) EXECUTE FUNCTION witness.note()",
    "CREATE INDEX ON witness.ends (request_id)",
];
const TASKS_QUERY: &str = "SELECT (to_jsonb(tasks) || jsonb_build_object('completions', \
         (SELECT COUNT(*) FROM witness.ends WHERE ends.request_id = tasks.request_id)))::text \
     FROM tasks ORDER BY rowid";

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct TaskRow {
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
    pub(crate) completions: i64,
}

pub(crate) async fn create_task_completion_trigger(url: &str) -> Result<(), ChaosError> {
    let failed = operation_error("install a trigger on the tasks");
    let mut connection = PgConnection::connect(url).await.map_err(failed)?;
    for statement in CREATE_COMPLETION_TRIGGER_STATEMENTS {
        sqlx::query(statement).execute(&mut connection).await.map_err(failed)?;
    }
    connection.close().await.map_err(failed)
}

pub(crate) async fn read_task_rows(url: &str) -> Result<Vec<TaskRow>, ChaosError> {
    let failed = operation_error("read the tasks");
    let mut connection = PgConnection::connect(url).await.map_err(failed)?;
    let rows: Vec<String> = sqlx::query_scalar(TASKS_QUERY).fetch_all(&mut connection).await.map_err(failed)?;
    connection.close().await.map_err(failed)?;
    rows.iter().map(|row| serde_json::from_str(row).map_err(operation_error("parse a task"))).collect()
}
