//! `clew ps`.

use clew_testkit::{DatabaseServer, DatabaseServerOptions, Flavor, LockWaitScenario};
use serde_json::Value;

use crate::run::run;

#[tokio::test]
async fn sessions_fit_the_terminal_width_on_a_mysql_server() {
    let server = DatabaseServer::start(Flavor::MySql, &DatabaseServerOptions::default()).await.unwrap();
    let scenario = LockWaitScenario::scenarios_for_flavor(Flavor::MySql)
        .into_iter()
        .find(|scenario| scenario.name == "a row")
        .unwrap();
    let built = scenario.set_up(&server).await.unwrap();
    let (blocker, waiter) = (built.thread_ids()["a"], built.thread_ids()["b"]);

    let table = run(&["ps", &server.url()]).await;
    assert_eq!((table.code, table.stderr.as_str()), (Some(0), ""), "{table:?}");
    let lines: Vec<&str> = table.stdout.lines().collect();
    let heading: Vec<&str> = lines[0].split_whitespace().collect();
    assert_eq!(heading, ["ID", "USER", "HOST", "DB", "COMMAND", "TIME", "STATE", "STATEMENT"]);
    assert!(lines.iter().all(|line| line.chars().count() <= 80 && !line.contains('\u{1b}')), "{table:?}");
    assert!(lines[1].trim_start().starts_with(&format!("{blocker}  root  127.0.0.1  shop  Sleep")), "{table:?}");
    assert!(lines[1].ends_with("  in transaction"), "{table:?}");
    assert!(lines[2].trim_start().starts_with(&format!("{waiter}  root  127.0.0.1  shop  Query")), "{table:?}");
    assert!(lines[2].contains("UPDATE t SET v = 2 WH") && lines.len() == 6, "{table:?}");
    assert!(lines[4].starts_with("2 sessions on MySQL 9."), "{table:?}");
    assert!(lines[5].starts_with("1 session waits for a lock: run clew locks"), "{table:?}");

    let active = run(&["ps", &server.url(), "--filter", "active", "--format", "json"]).await;
    let active: Value = serde_json::from_str(&active.stdout).unwrap();
    assert_eq!((&active["summary"]["rows"], &active["sessions"][0]["session_id"]), (&1.into(), &waiter.into()));

    let masked = run(&["ps", &server.url(), "--mask", "--format", "json"]).await;
    assert!(masked.stdout.contains("UPDATE t SET v = ? WHERE id = ?"), "{masked:?}");
    assert!(!masked.stdout.contains("id = 1"), "{masked:?}");

    let everybody = run(&["ps", &server.url(), "--all", "--format", "json"]).await;
    let everybody: Value = serde_json::from_str(&everybody.stdout).unwrap();
    let sessions = everybody["sessions"].as_array().unwrap();
    // Each statement of Clew starts with a comment.
    let reads_itself = sessions.iter().any(|session| {
        session["sql_statement"].as_str().is_some_and(|statement| statement.ends_with("*/ SHOW FULL PROCESSLIST"))
    });
    let has = |key: &str, value: &str| sessions.iter().any(|session| session[key] == value);
    assert!(has("user", "event_scheduler") && reads_itself, "{everybody}");
    built.tear_down(&server).await.unwrap();
}

#[tokio::test]
async fn invalid_filter_is_rejected() {
    let output = run(&["ps", "mysql://root:hunter2@127.0.0.1:1/", "--threshold", "0"]).await;
    output.assert_refused(&["slow_process_threshold cannot be 0"]);
    run(&["ps", "mysql://root:hunter2@127.0.0.1:1/"]).await.assert_failed(&["unreachable", "fix: "]);
}
