//! Effect of a kill on data and on waiting sessions, as measured after the kill.

use std::time::Duration;

use clew_model::NodeUrl;
use clew_mysql::{KillEffect, KillOutcome, KillTarget, PreKillSnapshot};
use clew_testkit::{DatabaseServer, Flavor, RawSession};
use mysql_async::prelude::Queryable;
use tokio::time::sleep;

use super::{connection_victim, connector, find_session, kill_as_root, open_session, server, wait_until_running};

/// Interval after which InnoDB refreshes the cached data of `innodb_trx`.
const INNODB_TRX_REFRESH_INTERVAL: Duration = Duration::from_millis(120);

/// Opens a session that changes the only row of `shop.t` in an open transaction.
async fn blocking_session(server: &DatabaseServer) -> RawSession {
    let mut session = open_session(server, "app").await;
    session.execute("START TRANSACTION").await.unwrap();
    session.execute("UPDATE shop.t SET v = v + 1").await.unwrap();
    session
}

/// Opens a session that waits for the row, and holds it afterwards.
async fn waiting_session(server: &DatabaseServer) -> RawSession {
    const UPDATE: &str = "UPDATE shop.t SET v = v + 2";
    let mut session = open_session(server, "app").await;
    session.execute("SET SESSION innodb_lock_wait_timeout = 600").await.unwrap();
    session.execute("START TRANSACTION").await.unwrap();
    session.send_statement(UPDATE.as_bytes()).await.unwrap();
    wait_until_running(server, session.id, UPDATE).await;
    session
}

/// Returns the effect of a kill that unblocks no session. MariaDB disables performance_schema by default.
fn effect_with_rows(flavor: Flavor, rows: u64) -> KillEffect {
    let hides_waits = flavor == Flavor::MariaDb;
    KillEffect { rows_rolled_back: Some(rows), hides_waits, ..KillEffect::default() }
}

async fn effect_of_killing(server: &DatabaseServer, session: u64) -> KillEffect {
    let (node, connector): (NodeUrl, _) = (server.url().parse().unwrap(), connector());
    let victim = connection_victim(server, &find_session(server, session).await.unwrap()).await;
    // The server's tables show the waits slightly later than the statements.
    let before = loop {
        let before = PreKillSnapshot::read_pre_kill_snapshot(&node, &connector).await.unwrap();
        if before.count_waiters(session) == count_waiting(server).await {
            break before;
        }
        sleep(INNODB_TRX_REFRESH_INTERVAL).await;
    };
    let outcome = kill_as_root(server, &victim, KillTarget::Connection).await;
    assert!(outcome.was_accepted(), "{outcome}");
    before.measure_effect_of_kills(&node, KillTarget::Connection, &[(session, outcome)], &connector).await.unwrap()
}

/// Returns the number of sessions that run the waiting statement.
async fn count_waiting(server: &DatabaseServer) -> usize {
    let mut root = server.connect_as_root().await.unwrap();
    let count = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'UPDATE shop.t SET v = v + 2%'";
    let count: Option<usize> = root.query_first(count).await.unwrap();
    count.unwrap()
}

async fn server_with_table(flavor: Flavor) -> DatabaseServer {
    let server = server(flavor).await;
    server
        .run_statements(&[
            "CREATE DATABASE shop",
            "CREATE TABLE shop.t (id INT PRIMARY KEY, v INT)",
            "INSERT INTO shop.t VALUES (1, 0)",
            "GRANT ALL ON shop.* TO app@'%'",
        ])
        .await
        .unwrap();
    server
}

#[tokio::test]
async fn killed_blocker_reports_its_row_and_the_session_that_it_unblocked_on_a_server() {
    for flavor in Flavor::ALL {
        let server = server_with_table(flavor).await;
        let (blocker, waiter) = (blocking_session(&server).await, waiting_session(&server).await);
        let effect = effect_of_killing(&server, blocker.id).await;
        let expected = KillEffect { unblocked: vec![waiter.id], ..effect_with_rows(flavor, 1) };
        assert_eq!(effect, expected, "{flavor}");
    }
}

#[tokio::test]
async fn rolled_back_rows_are_reported_for_a_kill_immediately_after_the_baseline_on_a_server() {
    for flavor in Flavor::ALL {
        let server = server_with_table(flavor).await;
        let (node, connector): (NodeUrl, _) = (server.url().parse().unwrap(), connector());
        let mut root = server.connect_as_root().await.unwrap();
        // Without waiting sessions, the first poll after the kill decides the result.
        let blocker = blocking_session(&server).await;
        let before = PreKillSnapshot::read_pre_kill_snapshot(&node, &connector).await.unwrap();
        root.query_drop(format!("KILL {}", blocker.id)).await.unwrap();
        let effect = before
            .measure_effect_of_kills(&node, KillTarget::Connection, &[(blocker.id, KillOutcome::Killed)], &connector)
            .await
            .unwrap();
        assert_eq!(effect, effect_with_rows(flavor, 1), "{flavor}");
    }
}

#[tokio::test]
async fn next_waiter_blocks_the_rest_once_the_root_blocker_is_killed_on_a_server() {
    for flavor in Flavor::ALL {
        let server = server_with_table(flavor).await;
        let blocker = blocking_session(&server).await;
        let waiters = [waiting_session(&server).await, waiting_session(&server).await, waiting_session(&server).await];
        let effect = effect_of_killing(&server, blocker.id).await;
        assert_eq!(effect.rows_rolled_back, Some(1), "{flavor}");
        assert_eq!((effect.unblocked.len(), effect.still_waiting.len()), (1, 2), "{flavor}: {effect:?}");
        let mut all = [effect.unblocked, effect.still_waiting].concat();
        all.sort_unstable();
        let mut expected = waiters.each_ref().map(|waiter| waiter.id);
        expected.sort_unstable();
        assert_eq!(all, expected, "{flavor}");
    }
}

#[tokio::test]
async fn kill_of_a_session_without_locks_has_no_effect_on_others_on_a_server() {
    for flavor in Flavor::ALL {
        let server = server_with_table(flavor).await;
        let (blocker, waiter) = (blocking_session(&server).await, waiting_session(&server).await);
        let idle = open_session(&server, "app").await;
        let (node, connector): (NodeUrl, _) = (server.url().parse().unwrap(), connector());
        let before = PreKillSnapshot::read_pre_kill_snapshot(&node, &connector).await.unwrap();
        let outcome = kill_as_root(
            &server,
            &connection_victim(&server, &find_session(&server, idle.id).await.unwrap()).await,
            KillTarget::Connection,
        )
        .await;
        assert_eq!(outcome, KillOutcome::Killed, "{flavor}");
        let effect = before
            .measure_effect_of_kills(&node, KillTarget::Connection, &[(idle.id, outcome)], &connector)
            .await
            .unwrap();
        assert_eq!(effect, effect_with_rows(flavor, 0), "{flavor}");
        drop((blocker, waiter));
    }
}
