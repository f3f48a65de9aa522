//! Sessions that end between two reads: who waited for whom is kept, and it is said who is gone; or it is said why nobody is known.

use std::time::Duration;

use clew_diagnose::waits::{Party, TreeLayout, WaitGraph, graph, tree};
use clew_testkit::{Flavor, Gate, Scenario, Server};
use mysql_async::prelude::Queryable;
use tokio::time::{sleep, timeout};

use super::blockers::LIMIT;
use super::everything::telling;
use super::truth::{Names, expected_roots, expected_waits, observe_as};

/// Reads a server on which a session of a scenario ends just before these words are sent. Gives the graph, and the session's id.
async fn graph_without(
    who: &str,
    name: &str,
    words: &'static str,
    server: &Server,
) -> (WaitGraph, Scenario, Names, u64) {
    let scenario = Scenario::all(server.flavor()).into_iter().find(|scenario| scenario.name == name).unwrap();
    let built = scenario.build(server).await.unwrap();
    let id = built.ids()[who];
    let gate = Gate::before(server, words).await.unwrap();
    let url = gate.url();
    let meanwhile = async {
        timeout(LIMIT, gate.reached()).await.unwrap();
        end(server, id).await;
        gate.open();
    };
    let (observed, ()) = tokio::join!(observe_as(&url), meanwhile);
    let names = Names::of(&built);
    built.clear(server).await.unwrap();
    (graph(&observed), scenario, names, id)
}

/// Kills a session, and waits until nothing is left of it: neither in the list nor a transaction.
async fn end(server: &Server, id: u64) {
    let mut control = server.connect().await.unwrap();
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
/// The sessions are read last.
const SESSIONS: &str = "SHOW FULL PROCESSLIST";

async fn whoever_is_gone_is_kept_and_said(flavor: Flavor) {
    let server = telling(flavor).await;
    for scenario in [ROW, ALTER] {
        for who in ["a", "b"] {
            let (graph, scenario, names, id) = graph_without(who, scenario, SESSIONS, &server).await;
            let gone = Party::Session(id);
            assert_eq!(names.waits(&graph), expected_waits(&scenario), "{who}: {graph:#?}");
            assert_eq!(names.roots(&graph), expected_roots(&scenario), "{who}: {graph:#?}");
            assert_eq!(graph.vanished, [gone], "{who}: {graph:#?}");
            let lines = tree(&graph, TreeLayout::default());
            let said = |text: &str| text.contains(&format!("{gone}, gone when sessions were read"));
            assert!(lines.iter().any(|line| said(&line.text)), "{lines:#?}");
        }
    }
}

/// Transactions are read before what they wait for: a blocker that ends in between leaves one that waited, and that is said.
async fn who_waited_for_somebody_gone_is_told_why_nobody_is_known(flavor: Flavor, waits: &'static str) {
    let server = telling(flavor).await;
    let (graph, _, names, _) = graph_without("a", ROW, waits, &server).await;
    assert_eq!((names.waits(&graph), graph.unexplained.len()), (Vec::new(), 1), "{graph:#?}");
    let unexplained = &graph.unexplained[0];
    assert_eq!(names.name(Party::Session(unexplained.session)), "b", "{graph:#?}");
    assert!(unexplained.why.contains("between two reads"), "{graph:#?}");
}

#[tokio::test]
async fn whoever_is_gone_is_kept_and_said_on_mysql() {
    whoever_is_gone_is_kept_and_said(Flavor::MySql).await;
}

#[tokio::test]
async fn whoever_is_gone_is_kept_and_said_on_mariadb() {
    whoever_is_gone_is_kept_and_said(Flavor::MariaDb).await;
}

#[tokio::test]
async fn who_waited_for_somebody_gone_is_told_why_nobody_is_known_on_mysql() {
    let waits = "FROM performance_schema.data_lock_waits";
    who_waited_for_somebody_gone_is_told_why_nobody_is_known(Flavor::MySql, waits).await;
}

#[tokio::test]
async fn who_waited_for_somebody_gone_is_told_why_nobody_is_known_on_mariadb() {
    let waits = "FROM information_schema.innodb_lock_waits";
    who_waited_for_somebody_gone_is_told_why_nobody_is_known(Flavor::MariaDb, waits).await;
}

/// MySQL names the holder of a metadata lock by its thread. Whose thread is gone when threads are read is nobody whom one could name:
/// nobody else is named instead, and who still waits then is told why.
#[tokio::test]
async fn nobody_is_named_for_a_thread_that_is_gone_on_mysql() {
    let server = telling(Flavor::MySql).await;
    let (graph, _, names, _) = graph_without("a", ALTER, "FROM performance_schema.threads", &server).await;
    assert!(graph.waits.is_empty(), "{graph:#?}");
    for unexplained in &graph.unexplained {
        assert_eq!(names.name(Party::Session(unexplained.session)), "b", "{graph:#?}");
        assert!(unexplained.why.contains("just let go"), "{graph:#?}");
    }
}
