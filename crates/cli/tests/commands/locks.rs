//! `clew locks`.

use clew_testkit::{
    DatabaseServer, DatabaseServerOptions, FakeServer, FakeServerOptions, Fault, Flavor, LockWaitScenario,
};
use rstest::rstest;
use serde_json::Value;

use crate::run::run;

/// Output of `clew locks` while session `b` waits for a row lock held by session `a`.
#[rstest]
#[tokio::test]
async fn lock_wait_is_shown_in_every_format(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let server = DatabaseServer::start(flavor, &DatabaseServerOptions::default()).await.unwrap();
    let output = run(&["locks", &server.url()]).await;
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(output.stdout.starts_with("No session waits for a lock on 127.0.0.1:"), "{output:?}");

    let scenario =
        LockWaitScenario::scenarios_for_flavor(flavor).into_iter().find(|scenario| scenario.name == "a row").unwrap();
    let built = scenario.set_up(&server).await.unwrap();
    let (blocker, waiter) = (built.thread_ids()["a"], built.thread_ids()["b"]);

    let tree = run(&["locks", &server.url()]).await;
    assert_eq!(tree.code, Some(0), "{tree:?}");
    let lines: Vec<&str> = tree.stdout.lines().collect();
    assert!(lines[0].starts_with(&format!("1. session {blocker}, root@")), "{tree:?}");
    assert!(lines[0].ends_with("blocks 1, unblocks up to 1"), "{tree:?}");
    assert!(lines.iter().any(|line| line.contains(&format!("└─ session {waiter}, root@"))), "{tree:?}");
    assert!(lines.iter().any(|line| line.contains("for row 1 of shop.t (PRIMARY): X")), "{tree:?}");
    assert!(lines.iter().any(|line| line.ends_with("UPDATE t SET v = 2 WHERE id = 1")), "{tree:?}");
    assert!(tree.stdout.contains("1 session waits on 127.0.0.1:"), "{tree:?}");
    let (advice, command) = (
        format!("Killing session {blocker} unblocks up to 1 session:"),
        format!("  clew kill {} {blocker}", server.url()),
    );
    assert!(lines.ends_with(&[&advice, &command]), "{tree:?}");
    assert!(lines.iter().all(|line| line.chars().count() <= 80 && !line.contains('\u{1b}')), "{tree:?}");
    assert_eq!(tree.stdout.contains("ran: UPDATE t SET v = 1 WHERE id = 1"), flavor == Flavor::MySql, "{tree:?}");

    let json = run(&["locks", &server.url(), "--format", "json"]).await;
    let graph: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(graph["roots"][0]["parties"][0]["session"], blocker, "{json:?}");
    assert_eq!(graph["waits"][0]["waiter"]["session"], waiter, "{json:?}");

    let dot = run(&["locks", &server.url(), "--format", "dot"]).await;
    assert!(dot.stdout.contains(&format!("session_{waiter} -> session_{blocker} ")), "{dot:?}");

    for format in ["tree", "json", "dot"] {
        let masked = run(&["locks", &server.url(), "--format", format, "--mask"]).await;
        assert!(masked.stdout.contains("UPDATE t SET v = ? WHERE id = ?"), "{masked:?}");
        assert!(!masked.stdout.contains("id = 1"), "{masked:?}");
    }
    built.tear_down(&server).await.unwrap();
}

#[tokio::test]
async fn idle_root_blockers_show_their_last_statement_on_a_mysql_server() {
    let server = DatabaseServer::start(Flavor::MySql, &DatabaseServerOptions::default()).await.unwrap();
    let two = |scenario: &LockWaitScenario| scenario.name == "two readers in the way of one writer";
    let scenario = LockWaitScenario::scenarios_for_flavor(Flavor::MySql).into_iter().find(two).unwrap();
    let built = scenario.set_up(&server).await.unwrap();
    let tree = run(&["locks", &server.url()]).await;
    let ran = "ran: SELECT * FROM t WHERE id = 1 LOCK IN SHARE MODE";
    assert_eq!(tree.stdout.lines().filter(|line| line.trim() == ran).count(), 2, "{tree:?}");
    assert!(
        tree.stdout.contains("1 session waits on 127.0.0.1:") && tree.stdout.contains("blocked by 2 root blockers"),
        "{tree:?}"
    );
    built.tear_down(&server).await.unwrap();
}

#[tokio::test]
async fn read_failure_is_reported_with_the_reason() {
    let full =
        FakeServer::start(FakeServerOptions { sessions: 1, transactions: 0, fault: Fault::TooManyConnections }).await;
    let output = run(&["locks", &full.unwrap().url()]).await;
    output.assert_failed(&["too many connections", "1040", "fix: "]);
    run(&["locks", "mysql://root@127.0.0.1:1/", "--format", "table"]).await.assert_refused(&["tree, json, dot"]);
}
