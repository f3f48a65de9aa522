//! Sessions that end between two reads: their waits stay in the graph, or the wait is unexplained with a reason.

use std::time::Duration;

use clew_diagnose::lock_waits::{TreeLayout, WaitGraph, WaitParticipant, render_tree};
use clew_testkit::{DatabaseServer, Flavor, LockWaitScenario, StatementHoldingProxy};
use mysql_async::prelude::Queryable;
use rstest::rstest;
use tokio::time::{sleep, timeout};

use super::blockers::LIMIT;
use super::full_visibility::full_visibility_server;
use super::oracle::{Names, expected_roots, expected_waits, observe_as};

/// Reads a server on which a session of a scenario ends just before `words` are sent.
/// Returns the graph, the scenario, the names and the id of the session.
async fn graph_without(
    session_name: &str,
    name: &str,
    words: &'static str,
    server: &DatabaseServer,
) -> (WaitGraph, LockWaitScenario, Names, u64) {
    let scenario = LockWaitScenario::scenarios_for_flavor(server.flavor())
        .into_iter()
        .find(|scenario| scenario.name == name)
        .unwrap();
    let built = scenario.set_up(server).await.unwrap();
    let id = built.thread_ids()[session_name];
    let gate = StatementHoldingProxy::start(server, words).await.unwrap();
    let url = gate.url();
    let end_session = async {
        timeout(LIMIT, gate.wait_until_statement_is_held()).await.unwrap();
        kill_session(server, id).await;
        gate.release_held_statement();
    };
    let (graph, ()) = tokio::join!(observe_as(&url), end_session);
    let names = Names::of(&built);
    built.tear_down(server).await.unwrap();
    (graph, scenario, names, id)
}

/// Kills a session and waits until its entry and its transaction are gone.
async fn kill_session(server: &DatabaseServer, id: u64) {
    let mut control = server.connect_as_root().await.unwrap();
    control.query_drop(format!("KILL {id}")).await.unwrap();
    let left = format!(
        "SELECT (SELECT COUNT(*) FROM information_schema.processlist WHERE id = {id}) + \
         (SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_mysql_thread_id = {id})"
    );
    timeout(LIMIT, async {
        while control.query_first::<u64, _>(&left).await.unwrap() != Some(0) {
            sleep(Duration::from_millis(120)).await;
        }
    })
    .await
    .unwrap();
    control.disconnect().await.unwrap();
}

const ROW: &str = "a row";
const ALTER: &str = "ALTER TABLE behind a reader";
/// Statement that reads the sessions, after all other tables.
const SESSIONS: &str = "SHOW FULL PROCESSLIST";

#[rstest]
#[tokio::test]
async fn vanished_sessions_stay_in_the_graph(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let server = full_visibility_server(flavor).await;
    for scenario in [ROW, ALTER] {
        for session_name in ["a", "b"] {
            let (graph, scenario, names, id) = graph_without(session_name, scenario, SESSIONS, &server).await;
            let gone = WaitParticipant::Session(id);
            assert_eq!(names.waits(&graph), expected_waits(&scenario), "{session_name}: {graph:#?}");
            assert_eq!(names.roots(&graph), expected_roots(&scenario), "{session_name}: {graph:#?}");
            assert_eq!(graph.vanished, [gone], "{session_name}: {graph:#?}");
            let lines = render_tree(&graph, TreeLayout::default());
            let is_marked_gone = |text: &str| text.contains(&format!("{gone}, not listed by the server"));
            assert!(lines.iter().any(|line| is_marked_gone(&line.text)), "{lines:#?}");
        }
    }
}

/// Transactions are read before their waits: a waiter whose blocker ends in between is unexplained.
async fn wait_for_a_vanished_blocker_is_unexplained(flavor: Flavor, waits: &'static str) {
    let server = full_visibility_server(flavor).await;
    let (graph, _, names, _) = graph_without("a", ROW, waits, &server).await;
    assert_eq!((names.waits(&graph), graph.unexplained.len()), (Vec::new(), 1), "{graph:#?}");
    let unexplained = &graph.unexplained[0];
    assert_eq!(names.name(WaitParticipant::Session(unexplained.session)), "b", "{graph:#?}");
    assert!(unexplained.why.english.contains("between two reads"), "{graph:#?}");
}

#[tokio::test]
async fn wait_for_a_vanished_blocker_is_unexplained_on_mysql() {
    let waits = "FROM performance_schema.data_lock_waits";
    wait_for_a_vanished_blocker_is_unexplained(Flavor::MySql, waits).await;
}

#[tokio::test]
async fn wait_for_a_vanished_blocker_is_unexplained_on_mariadb() {
    let waits = "FROM information_schema.innodb_lock_waits";
    wait_for_a_vanished_blocker_is_unexplained(Flavor::MariaDb, waits).await;
}

/// MySQL lists the holder of a metadata lock by its thread.
/// If the thread is gone when threads are read, no blocker is reported, and the wait is unexplained.
#[tokio::test]
async fn vanished_thread_is_no_blocker_on_mysql() {
    let server = full_visibility_server(Flavor::MySql).await;
    let (graph, _, names, _) = graph_without("a", ALTER, "FROM performance_schema.threads", &server).await;
    assert!(graph.waits.is_empty(), "{graph:#?}");
    for unexplained in &graph.unexplained {
        assert_eq!(names.name(WaitParticipant::Session(unexplained.session)), "b", "{graph:#?}");
        assert!(unexplained.why.english.contains("just released"), "{graph:#?}");
    }
}
