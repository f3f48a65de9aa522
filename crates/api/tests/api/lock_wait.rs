//! Lock wait of a session.

use clew_testkit::{FakeServer, FakeServerOptions, Fault, Flavor, LockWaitScenario};
use http::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::server::Server;

/// Session `b` waits for the row that session `a` changed.
#[rstest]
#[tokio::test]
async fn wait_has_its_root_blocker(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let node =
        clew_testkit::DatabaseServer::start(flavor, &clew_testkit::DatabaseServerOptions::default()).await.unwrap();
    let mut server = Server::start().await;
    server.set_node_url(&node.url()).await;
    let scenario =
        LockWaitScenario::scenarios_for_flavor(flavor).into_iter().find(|scenario| scenario.name == "a row").unwrap();
    let built = scenario.set_up(&node).await.unwrap();
    let (blocker, waiter) = (built.thread_ids()["a"], built.thread_ids()["b"]);
    let path = |pid: u64| server.node_path(&format!("process/lock-wait?pid={pid}"));

    let answer = server.get(&path(waiter)).await.expect_status(200);
    assert_eq!(answer["abnormal_root_cause"]["abnormal_type"], "LOCK_WAIT", "{answer}");
    let cause = &answer["abnormal_root_cause"]["lock_root_cause"];
    for (field, value) in [
        ("locked_pid", Value::from(waiter)),
        ("locked_sql", "UPDATE t SET v = 2 WHERE id = 1".into()),
        ("lock_db", "shop".into()),
        ("lock_table", "t".into()),
        ("lock_index", "PRIMARY".into()),
        ("lock_data", "1".into()),
        ("blocker_pid", blocker.into()),
        ("blocker_thread_id", blocker.into()),
        ("blocker_state", "RUNNING".into()),
        ("blocker_rows_locked", 1.into()),
        ("blocker_rows_modified", 1.into()),
        ("blocker_command", "Sleep".into()),
    ] {
        assert_eq!(cause[field], value, "{field}: {answer}");
    }
    assert!(cause["lock_mode"].as_str().unwrap().starts_with('X'), "{answer}");
    assert!(cause["wait_seconds"].is_u64() && cause["blocker_age"].is_u64(), "{answer}");
    assert!(cause["blocker_host"].as_str().unwrap().starts_with("127.0.0.1:"), "{answer}");
    let ran = cause["blocker_current_sql"].as_array().unwrap();
    // MariaDB's performance_schema, the source of this data, is off by default.
    assert_eq!(ran.iter().any(|ran| ran == "UPDATE t SET v = 1 WHERE id = 1"), flavor == Flavor::MySql, "{answer}");

    assert_eq!(server.get(&path(blocker)).await.expect_status(200), json!({}));
    let message = server.get(&path(4_000_000_000)).await.expect_error(404, "DBS.290013");
    assert!(message.ends_with("The node has no session 4000000000."), "{message}");

    server.mask(&server.tenant.project_id, true).await;
    let reader = server.user_with_system("reader", "TaurusDBReadOnlyAccessPolicy").await;
    let reader = server.project_token(&reader).await;
    let masked = server.call(Method::GET, &path(waiter)).token(&reader).send().await;
    assert!(!masked.text().contains("id = 1"), "{}", masked.text());
    let cause = &masked.expect_status(200)["abnormal_root_cause"]["lock_root_cause"];
    assert_eq!((&cause["blocker_pid"], &cause["lock_data"]), (&blocker.into(), &Value::Null));
    built.tear_down(&node).await.unwrap();
}

/// The response has the root blocker instead of the next waiter, and the waiter's own lock.
#[tokio::test]
async fn chain_is_followed_to_its_root_blocker_on_a_mysql_server() {
    let node = clew_testkit::DatabaseServer::start(Flavor::MySql, &clew_testkit::DatabaseServerOptions::default())
        .await
        .unwrap();
    let mut server = Server::start().await;
    server.set_node_url(&node.url()).await;
    for scenario in LockWaitScenario::scenarios_for_flavor(Flavor::MySql) {
        if !["a chain of ten", "a circle of a row and a name"].contains(&scenario.name.as_str()) {
            continue;
        }
        let built = scenario.set_up(&node).await.unwrap();
        let root: Vec<u64> =
            scenario.expected_root_blockers()[0].iter().map(|name| built.thread_ids()[*name]).collect();
        for (waiter, _) in scenario.expected_waits() {
            let path = server.node_path(&format!("process/lock-wait?pid={}", built.thread_ids()[waiter]));
            let answer = server.get(&path).await.expect_status(200);
            let blocker = answer["abnormal_root_cause"]["lock_root_cause"]["blocker_pid"].as_u64().unwrap();
            assert!(
                root.contains(&blocker) && blocker != built.thread_ids()[waiter],
                "{}: {waiter}: {answer}",
                scenario.name
            );
        }
        built.tear_down(&node).await.unwrap();
    }
}

#[tokio::test]
async fn invalid_session_ids_are_rejected() {
    let node = FakeServer::start(FakeServerOptions { sessions: 1, transactions: 0, fault: Fault::None }).await.unwrap();
    let mut server = Server::start().await;
    server.set_node_url(&node.url()).await;
    for query in ["", "?pid=", "?pid=0", "?pid=-1", "?pid=1.5", "?pid=x", "?pid=1&pid=2", "?pid=18446744073709551616"] {
        server.get(&server.node_path(&format!("process/lock-wait{query}"))).await.expect_error(400, "DBS.280001");
    }
    assert_eq!(server.get(&server.node_path("process/lock-wait?pid=1")).await.expect_status(200), json!({}));
}
