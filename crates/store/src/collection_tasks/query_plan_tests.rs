//! Tests that all SQL statements of the task queue use indexes, so that finished tasks do not slow down the queue.
//! `cargo xtask bench` measures how long the SQL statements of the task queue take.

use clew_testkit::PostgreSqlServer;
use sqlx::AssertSqlSafe;

use crate::collection_tasks::{
    DELETE_TASKS_ENDED_BEFORE, SELECT_TASK_BY_ID, SELECT_TASKS_BY_NODE, batched_writes, claim,
};
use crate::database::{Database, params, query, query_as};

/// SQL statements of the task queue: name, SQL text, parameters and required PostgreSQL indexes.
const TASK_QUEUE_SQL_STATEMENTS: [(&str, &str, &str, &[&str]); 10] = [
    (
        "claim",
        claim::SQLITE_CLAIM_TASK_SQL,
        "'w', 2000000, 10000, 2, '[]', '[\"\", \"a\"]'",
        &["tasks_running", "tasks_waiting_by_zone"],
    ),
    ("anything", claim::HAS_CLAIMABLE_TASK_SQL, "2000000", &["tasks_waiting", "tasks_running"]),
    (
        "turn",
        batched_writes::SELECT_FAIR_QUEUE_POSITION_SQL,
        "'p1', 'i1', 'n1'",
        &["tasks_waiting_by_instance", "tasks_waiting_by_zone"],
    ),
    (
        "queue",
        batched_writes::INSERT_TASK_SQL,
        "'new', 'p1', 'i1', 'n1', '{}', false, 5, 7, 100",
        &["tasks_waiting_by_node"],
    ),
    ("renew", batched_writes::RENEW_TASK_LEASE_SQL, "9, 'task7', 1, 5", &["tasks_pkey"]),
    (
        "finish",
        batched_writes::COMPLETE_TASK_SQL,
        "'finished', NULL, NULL, 'r', 1, 1, 'x', '[]', 9, 'task7', 1",
        &["tasks_pkey"],
    ),
    ("release", batched_writes::RELEASE_TASK_SQL, "'task7', 1", &["tasks_pkey"]),
    ("status", SELECT_TASK_BY_ID, "'task7'", &["tasks_pkey"]),
    ("list", SELECT_TASKS_BY_NODE, "'p1', 'i1', 'n1', 50", &["tasks_by_node"]),
    ("remove", DELETE_TASKS_ENDED_BEFORE, "3", &["tasks_by_end"]),
];

#[tokio::test]
async fn sqlite_queries_use_indexes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.db");
    std::fs::write(&file, "").unwrap();
    let database = Database::create_sqlite(&file).await.unwrap();
    for (name, statement, ..) in TASK_QUEUE_SQL_STATEMENTS {
        let plan = query("explain", AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}")), params![]);
        let plan: Vec<String> =
            plan.fetch_all(&database).await.unwrap().iter().map(|row| row.get("detail").unwrap()).collect();
        let scans: Vec<_> = plan.iter().filter(|step| step.ends_with(" tasks") || step.contains(" tasks ")).collect();
        assert!(!scans.is_empty(), "{name}: {plan:#?}");
        for step in scans {
            let by = ["USING INDEX", "USING COVERING INDEX", "USING INTEGER PRIMARY KEY"];
            assert!(by.iter().any(|by| step.contains(by)), "{name}: {plan:#?}");
            // A full scan is allowed only for the small indexes of queued and running tasks.
            let is_small = ["tasks_running", "tasks_waiting"].iter().any(|index| step.contains(index));
            assert!(step.starts_with("SEARCH") || is_small, "{name}: {plan:#?}");
        }
        // Only the claim statement sorts rows, because it compares the first tasks of several zones.
        let sorts = plan.iter().filter(|step| step.contains("FOR ORDER BY")).count();
        assert_eq!(sorts, usize::from(name == "claim"), "{name}: {plan:#?}");
    }
}

const INSERT_TYPICAL_TASKS_SQL: &str = "INSERT INTO tasks (request_id, project_id, instance_id, node_id, selection, turn, status, created_at, \
         lease_until, result_name, ended_at) \
     SELECT 'task' || n, 'p' || n % 10, 'i' || n % 1000, 'n' || n % 3000, '{}', n, \
         CASE WHEN n <= 98000 THEN 'finished' WHEN n <= 99900 THEN 'queued' ELSE 'running' END, n, \
         CASE WHEN n > 99900 THEN 1000000 END, CASE WHEN n <= 98000 THEN 'r' END, CASE WHEN n <= 98000 THEN n END \
     FROM generate_series(1, 100000) AS n";

#[tokio::test]
async fn queries_use_indexes_on_a_postgres_server() {
    let server = PostgreSqlServer::start().await.unwrap();
    let database = Database::connect_postgres(&server.url().parse().unwrap()).await.unwrap();
    let mut transaction = database.begin_write_transaction("explain statements").await.unwrap();
    // PostgreSQL uses a generic plan for frequent statements.
    for statement in [
        "ALTER TABLE tasks DISABLE TRIGGER USER",
        INSERT_TYPICAL_TASKS_SQL,
        "ANALYZE tasks",
        "SET plan_cache_mode = force_generic_plan",
    ] {
        query("explain", statement, params![]).execute(&mut transaction).await.unwrap();
    }
    for (name, statement, values, indexes) in TASK_QUEUE_SQL_STATEMENTS {
        let statement = if name == "claim" { claim::POSTGRES_CLAIM_TASK_SQL } else { statement };
        let prepare = query("explain", AssertSqlSafe(format!("PREPARE \"{name}\" AS {statement}")), params![]);
        prepare.execute(&mut transaction).await.unwrap();
        let values = if values.is_empty() { String::new() } else { format!("({values})") };
        let plan =
            query_as::<String>("explain", AssertSqlSafe(format!("EXPLAIN EXECUTE \"{name}\" {values}")), params![]);
        let plan = plan.fetch_all(&mut transaction).await.unwrap();
        for index in indexes {
            let by = |step: &String| step.split([' ', ')']).any(|word| word.starts_with(index));
            assert!(plan.iter().any(by), "{name}, {index}: {plan:#?}");
        }
        assert!(!plan.iter().any(|step| step.contains("Seq Scan on tasks")), "{name}: {plan:#?}");
    }
}

#[tokio::test]
async fn task_counts_match_rows_after_each_change() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.db");
    std::fs::write(&file, "").unwrap();
    let server = PostgreSqlServer::start().await.unwrap();
    let postgres = Database::connect_postgres(&server.url().parse().unwrap()).await.unwrap();
    for database in [Database::create_sqlite(&file).await.unwrap(), postgres] {
        for statement in [
            "INSERT INTO tasks (request_id, project_id, instance_id, node_id, selection, turn, status, created_at, lease_until, \
                 result_name, failure_kind, ended_at) VALUES \
                 ('a', 'p', 'i', 'n', '', 1, 'finished', 1, NULL, 'r', NULL, 1), ('b', 'p', 'i', 'n', '', 1, 'error', 1, NULL, NULL, 'k', 2), \
                 ('c', 'p', 'i', 'n', '', 1, 'queued', 1, NULL, NULL, NULL, NULL), ('d', 'p', 'i', 'n', '', 1, 'running', 1, 9, NULL, NULL, NULL), \
                 ('e', 'p', 'i', 'n', '', 1, 'finished', 1, NULL, 'r', NULL, 2), ('f', 'p', 'i', 'n', '', 1, 'running', 1, 9, NULL, NULL, NULL)",
            "UPDATE tasks SET status = 'finished', result_name = 'r', ended_at = 3, lease_until = NULL WHERE \
             request_id = 'd'",
            "UPDATE tasks SET status = 'error', failure_kind = 'k', ended_at = 3, lease_until = NULL WHERE \
             request_id = 'f'",
            "UPDATE tasks SET ended_at = 4 WHERE request_id = 'd'",
            "UPDATE tasks SET status = 'running', lease_until = 9 WHERE request_id = 'c'",
            "UPDATE tasks SET status = status, lease_until = 10 WHERE request_id = 'c'",
            "DELETE FROM tasks WHERE ended_at < 3",
        ] {
            query("explain", statement, params![]).execute(&database).await.unwrap();
        }
        let counts = "SELECT status, count FROM task_counts WHERE count <> 0 ORDER BY status";
        let counts = query("explain", counts, params![]).fetch_all(&database).await.unwrap();
        let counts: Vec<(String, i64)> =
            counts.iter().map(|row| (row.decode(0).unwrap(), row.decode(1).unwrap())).collect();
        let expected = [("error", 1), ("finished", 1), ("running", 1)];
        assert_eq!(counts, expected.map(|(status, count)| (status.to_owned(), count)));
    }
}
