//! Whether the statements of the queue go by indexes, however many tasks have ended. How long they take `cargo xtask bench` measures.

use clew_testkit::PostgreSql;
use sqlx::AssertSqlSafe;

use super::{LIST, REMOVE, STATUS, claim, writes};
use crate::database::{Database, query, query_scalar};

/// Each statement with values for a server, and the indexes that it has to use there.
const STATEMENTS: [(&str, &str, &str, &[&str]); 10] = [
    (
        "claim",
        claim::CLAIM,
        "'w', 2000000, 10000, 2, '[]', '[\"\", \"a\"]'",
        &["tasks_running", "tasks_waiting_by_zone"],
    ),
    ("anything", claim::ANYTHING, "2000000", &["tasks_waiting", "tasks_running"]),
    ("turn", writes::TURN, "'p1', 'i1', 'n1'", &["tasks_waiting_by_instance", "tasks_waiting_by_zone"]),
    ("queue", writes::QUEUE, "'new', 'p1', 'i1', 'n1', '{}', false, 5, 7, 100", &["tasks_waiting_by_node"]),
    ("renew", writes::RENEW, "9, 'task7', 1, 5", &["tasks_pkey"]),
    ("finish", writes::END, "'finished', NULL, NULL, 'r', 1, 1, 'x', 9, 'task7', 1", &["tasks_pkey"]),
    ("release", writes::RELEASE, "'task7', 1", &["tasks_pkey"]),
    ("status", STATUS, "'task7'", &["tasks_pkey"]),
    ("list", LIST, "'p1', 'i1', 'n1', 50", &["tasks_by_node"]),
    ("remove", REMOVE, "3", &["tasks_by_end"]),
];

#[tokio::test]
async fn no_statement_of_the_queue_looks_through_the_whole_table() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.db");
    std::fs::write(&file, "").unwrap();
    let database = Database::create(&file).await.unwrap();
    for (name, statement, ..) in STATEMENTS {
        let plan = query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}")));
        let plan: Vec<String> =
            plan.fetch_all(&database).await.unwrap().iter().map(|row| row.try_get("detail").unwrap()).collect();
        let looks: Vec<_> = plan.iter().filter(|step| step.ends_with(" tasks") || step.contains(" tasks ")).collect();
        assert!(!looks.is_empty(), "{name}: {plan:#?}");
        for step in looks {
            let by = ["USING INDEX", "USING COVERING INDEX", "USING INTEGER PRIMARY KEY"];
            assert!(by.iter().any(|by| step.contains(by)), "{name}: {plan:#?}");
            // Only an index of what waits or runs is small enough to be read from end to end.
            let is_small = ["tasks_running", "tasks_waiting"].iter().any(|index| step.contains(index));
            assert!(step.starts_with("SEARCH") || is_small, "{name}: {plan:#?}");
        }
        // The first of each zone are put in order, and nothing else.
        let sorts = plan.iter().filter(|step| step.contains("FOR ORDER BY")).count();
        assert_eq!(sorts, usize::from(name == "claim"), "{name}: {plan:#?}");
    }
}

/// As it is after a day: many that have ended, some that wait, few that run.
const A_DAY: &str = "INSERT INTO tasks (request_id, project_id, instance_id, node_id, selection, turn, status, created_at, \
         lease_until, result_name, ended_at) \
     SELECT 'task' || n, 'p' || n % 10, 'i' || n % 1000, 'n' || n % 3000, '{}', n, \
         CASE WHEN n <= 98000 THEN 'finished' WHEN n <= 99900 THEN 'queued' ELSE 'running' END, n, \
         CASE WHEN n > 99900 THEN 1000000 END, CASE WHEN n <= 98000 THEN 'r' END, CASE WHEN n <= 98000 THEN n END \
     FROM generate_series(1, 100000) AS n";

#[tokio::test]
async fn nor_does_one_on_a_server() {
    let server = PostgreSql::start().await.unwrap();
    let database = Database::on(&server.url().parse().unwrap()).await.unwrap();
    let mut connection = database.begin_writing().await.unwrap();
    // A plan that must do for any values, as the server makes one of what it is asked often.
    for statement in
        ["ALTER TABLE tasks DISABLE TRIGGER USER", A_DAY, "ANALYZE tasks", "SET plan_cache_mode = force_generic_plan"]
    {
        query(statement).execute(&mut connection).await.unwrap();
    }
    for (name, statement, values, indexes) in STATEMENTS {
        let statement = if name == "claim" { claim::CLAIM_ON_A_SERVER } else { statement };
        let prepare = query(AssertSqlSafe(format!("PREPARE \"{name}\" AS {statement}")));
        prepare.execute(&mut connection).await.unwrap();
        let values = if values.is_empty() { String::new() } else { format!("({values})") };
        let plan = query_scalar::<String>(AssertSqlSafe(format!("EXPLAIN EXECUTE \"{name}\" {values}")));
        let plan = plan.fetch_all(&mut connection).await.unwrap();
        for index in indexes {
            let by = |step: &String| step.split([' ', ')']).any(|word| word.starts_with(index));
            assert!(plan.iter().any(by), "{name}, {index}: {plan:#?}");
        }
        assert!(!plan.iter().any(|step| step.contains("Seq Scan on tasks")), "{name}: {plan:#?}");
    }
}

/// Triggers count, so that nobody has to look through the table.
#[tokio::test]
async fn what_is_counted_is_what_is_there_however_tasks_come_and_go() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.db");
    std::fs::write(&file, "").unwrap();
    let server = PostgreSql::start().await.unwrap();
    let on_a_server = Database::on(&server.url().parse().unwrap()).await.unwrap();
    for database in [Database::create(&file).await.unwrap(), on_a_server] {
        for statement in [
            "INSERT INTO tasks (request_id, project_id, instance_id, node_id, selection, turn, status, created_at, lease_until, \
                 result_name, failure_kind, ended_at) VALUES \
                 ('a', 'p', 'i', 'n', '', 1, 'finished', 1, NULL, 'r', NULL, 1), ('b', 'p', 'i', 'n', '', 1, 'error', 1, NULL, NULL, 'k', 2), \
                 ('c', 'p', 'i', 'n', '', 1, 'queued', 1, NULL, NULL, NULL, NULL), ('d', 'p', 'i', 'n', '', 1, 'running', 1, 9, NULL, NULL, NULL), \
                 ('e', 'p', 'i', 'n', '', 1, 'finished', 1, NULL, 'r', NULL, 2), ('f', 'p', 'i', 'n', '', 1, 'running', 1, 9, NULL, NULL, NULL)",
            "UPDATE tasks SET status = 'finished', result_name = 'r', ended_at = 3, lease_until = NULL WHERE request_id = 'd'",
            "UPDATE tasks SET status = 'error', failure_kind = 'k', ended_at = 3, lease_until = NULL WHERE request_id = 'f'",
            "UPDATE tasks SET ended_at = 4 WHERE request_id = 'd'",
            "UPDATE tasks SET status = 'running', lease_until = 9 WHERE request_id = 'c'",
            "UPDATE tasks SET status = status, lease_until = 10 WHERE request_id = 'c'",
            "DELETE FROM tasks WHERE ended_at < 3",
        ] {
            query(statement).execute(&database).await.unwrap();
        }
        let counted = "SELECT status, count FROM task_counts WHERE count <> 0 ORDER BY status";
        let counted = query(counted).fetch_all(&database).await.unwrap();
        let counted: Vec<(String, i64)> =
            counted.iter().map(|row| (row.try_get(0).unwrap(), row.try_get(1).unwrap())).collect();
        let expected = [("error", 1), ("finished", 1), ("running", 1)];
        assert_eq!(counted, expected.map(|(status, count)| (status.to_owned(), count)));
    }
}
