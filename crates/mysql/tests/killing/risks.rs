//! Risks of kills on real servers, and sessions that automatic kills spare because of them.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};

use clew_diagnose::{KillRisk, ProtectedAccounts};
use clew_model::{Session, Transaction};
use clew_mysql::{
    KillOptions, KillOutcome, KillRefusal, KillTarget, Victim, find_sessions_unsafe_to_kill, kill_victims,
    read_kill_risks, read_lock_waits,
};
use clew_testkit::{ClientCharset, DatabaseServer, Flavor, RawSession, begin_large_transaction};
use rstest::rstest;

use super::{connection_victim, connector, find_session, open_session, server, wait_until_running};

/// Starts a server with one table of each kind of engine in the schema `shop`, which `app` may change.
async fn server_with_tables(flavor: Flavor) -> DatabaseServer {
    let server = server(flavor).await;
    server
        .run_statements(&[
            "CREATE DATABASE shop",
            "CREATE TABLE shop.orders (id INT PRIMARY KEY, v INT) ENGINE = InnoDB",
            "CREATE TABLE shop.log (id INT PRIMARY KEY, v INT) ENGINE = MyISAM",
            "INSERT INTO shop.orders VALUES (1, 0), (2, 0)",
            "INSERT INTO shop.log VALUES (1, 0), (2, 0)",
            "GRANT ALL ON shop.* TO app@'%'",
        ])
        .await
        .unwrap();
    server
}

/// Opens a session of `app` that runs a statement in the schema `shop`. Also returns the listed session.
async fn changing_session(server: &DatabaseServer, statement: &str) -> (RawSession, Session) {
    let mut raw = open_session(server, "app").await;
    raw.execute("USE shop").await.unwrap();
    raw.send_statement(statement.as_bytes()).await.unwrap();
    let session = wait_until_running(server, raw.id, statement).await;
    (raw, session)
}

/// Opens a session that prevents others from changing the tables.
async fn table_lock_holder(server: &DatabaseServer) -> RawSession {
    let mut holder = open_session(server, "app").await;
    holder.execute("LOCK TABLES shop.log READ, shop.orders READ").await.unwrap();
    holder
}

const INCLUDE_UNSAFE: bool = true;
const REFUSE_UNSAFE: bool = false;

async fn kill_with_policy(url: &str, victim: &Victim, include_unsafe: bool) -> KillOutcome {
    let (node, connector) = (url.parse().unwrap(), connector());
    let victims = std::slice::from_ref(victim);
    let protected = ProtectedAccounts::default();
    let outcomes = kill_victims(
        &node,
        victims,
        KillOptions { kind: KillTarget::Connection, protected: &protected, include_unsafe },
        &connector,
    )
    .await;
    outcomes.unwrap().pop().unwrap().1
}

async fn risks_of(url: &str, session: &Session) -> Vec<KillRisk> {
    let sessions = std::slice::from_ref(session);
    let risks = read_kill_risks(&url.parse().unwrap(), sessions, &HashMap::new(), &connector()).await;
    risks.unwrap().remove(&session.id).unwrap_or_default()
}

/// Returns the kind of the risk, and the table with its engine.
fn table_of(risk: &KillRisk) -> (&'static str, String) {
    match risk {
        KillRisk::TableDamage { tables, .. }
        | KillRisk::PartialChange { tables, .. }
        | KillRisk::UnknownEngine { tables, .. } => (risk.kind(), tables[0].to_string()),
        _ => (risk.kind(), String::new()),
    }
}

#[rstest]
#[tokio::test]
async fn automatic_kill_spares_changes_of_non_transactional_tables(
    #[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor,
) {
    let server = server_with_tables(flavor).await;
    let holder = table_lock_holder(&server).await;
    let mut cases = vec![
        ("REPAIR TABLE log", "table_damage", "shop.log (MyISAM)"),
        ("ALTER TABLE `shop`.`log` ADD COLUMN c INT", "table_damage", "shop.log (MyISAM)"),
        ("OPTIMIZE TABLE log", "table_damage", "shop.log (MyISAM)"),
        ("UPDATE log SET v = v + 1", "partial_change", "shop.log (MyISAM)"),
        ("DELETE FROM shop.log", "partial_change", "shop.log (MyISAM)"),
    ];
    let mut aria_holder = open_session(&server, "app").await;
    if flavor == Flavor::MariaDb {
        server.run_statements(&["CREATE TABLE shop.aria (id INT PRIMARY KEY) ENGINE = Aria"]).await.unwrap();
        aria_holder.execute("LOCK TABLES shop.aria READ").await.unwrap();
        cases.push(("REPAIR TABLE aria", "table_damage", "shop.aria (Aria)"));
    }
    for (statement, kind, table) in cases {
        let (_raw, session) = changing_session(&server, statement).await;
        let victim = connection_victim(&server, &session).await;
        let outcome = kill_with_policy(&server.url(), &victim, REFUSE_UNSAFE).await;
        let KillOutcome::Refused(KillRefusal::Unsafe(risk)) = &outcome else {
            panic!("{flavor} {statement}: {outcome}")
        };
        assert_eq!(table_of(risk), (kind, table.to_owned()), "{flavor} {statement}");
        assert!(outcome.to_string().contains("automatic kills skip the session"), "{outcome}");
        assert_eq!(find_session(&server, session.id).await.unwrap().statement.as_deref(), Some(statement.as_bytes()));
        // The preview has the same risk, and a kill by a user is executed.
        assert_eq!(risks_of(&server.url(), &session).await, std::slice::from_ref(risk), "{flavor} {statement}");
        assert!(kill_with_policy(&server.url(), &victim, INCLUDE_UNSAFE).await.was_accepted(), "{flavor} {statement}");
    }
    let (_raw, session) = changing_session(&server, "UPDATE orders SET v = 1 WHERE id = 1").await;
    assert_eq!(risks_of(&server.url(), &session).await, [], "{flavor}");
    let outcome = kill_with_policy(&server.url(), &connection_victim(&server, &session).await, REFUSE_UNSAFE).await;
    assert_eq!(outcome, KillOutcome::Killed, "{flavor}");
    drop(holder);
}

#[tokio::test]
async fn kill_leaves_a_change_of_a_non_transactional_table_half_done_on_a_server() {
    for flavor in Flavor::ALL {
        let server = server_with_tables(flavor).await;
        // The second row sleeps longer than any test.
        let statement = "UPDATE log SET v = 1 + IF(id = 2, SLEEP(600), 0)";
        let (_raw, session) = changing_session(&server, statement).await;
        let risks = risks_of(&server.url(), &session).await;
        assert_eq!(risks.iter().map(KillRisk::kind).collect::<Vec<_>>(), ["partial_change"], "{flavor}");
        while find_session(&server, session.id).await.unwrap().state.as_deref() != Some(b"User sleep") {}
        assert!(
            kill_with_policy(&server.url(), &connection_victim(&server, &session).await, INCLUDE_UNSAFE)
                .await
                .was_accepted(),
            "{flavor}"
        );
        let mut root = server.connect_as_root().await.unwrap();
        let values: Vec<i32> =
            mysql_async::prelude::Queryable::query(&mut root, "SELECT v FROM shop.log ORDER BY id").await.unwrap();
        assert_eq!(values[0], 1, "{flavor}: what the killed statement changed stays");
    }
}

#[tokio::test]
async fn engine_of_a_table_that_the_account_cannot_see_is_read_from_innodb_or_unknown_on_a_server() {
    for flavor in Flavor::ALL {
        let server = server_with_tables(flavor).await;
        let admin = match flavor {
            Flavor::MySql => "GRANT PROCESS, CONNECTION_ADMIN ON *.* TO clew@'%'",
            Flavor::MariaDb => "GRANT PROCESS, CONNECTION ADMIN ON *.* TO clew@'%'",
        };
        server.run_statements(&[admin]).await.unwrap();
        let url = server.url_for_account("clew", "");
        let _holder = table_lock_holder(&server).await;
        let (_raw, on_innodb) = changing_session(&server, "UPDATE orders SET v = 1").await;
        let (_other, on_myisam) = changing_session(&server, "REPAIR TABLE log").await;
        let sessions = [on_innodb.clone(), on_myisam.clone()];
        let risks = find_sessions_unsafe_to_kill(&url.parse().unwrap(), &sessions, &connector()).await.unwrap();
        assert_eq!(risks.len(), 1, "{flavor}: {risks:?}");
        assert_eq!(table_of(&risks[&on_myisam.id]), ("unknown_engine", "shop.log".to_owned()), "{flavor}");
        assert!(risks[&on_myisam.id].to_string().contains("engine is unknown"), "{risks:?}");
        let spared = kill_with_policy(&url, &connection_victim(&server, &on_myisam).await, REFUSE_UNSAFE).await;
        assert!(matches!(spared, KillOutcome::Refused(KillRefusal::Unsafe(_))), "{flavor}: {spared}");
        let killed = kill_with_policy(&url, &connection_victim(&server, &on_innodb).await, REFUSE_UNSAFE).await;
        assert_eq!(killed, KillOutcome::Killed, "{flavor}");
    }
}

#[tokio::test]
async fn backup_session_is_recognized_by_its_program_or_statement_on_a_server() {
    for flavor in Flavor::ALL {
        let server = server_with_tables(flavor).await;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()));
        let backup = RawSession::open_with_program_name("mariabackup", address, "app", None, ClientCharset::Utf8mb4)
            .await
            .unwrap();
        let plain = open_session(&server, "app").await;
        let mut dump = open_session(&server, "root").await;
        let statement = "SELECT /*!40001 SQL_NO_CACHE */ *, SLEEP(600) FROM shop.orders";
        dump.send_statement(statement.as_bytes()).await.unwrap();
        let dump_session = wait_until_running(&server, dump.id, statement).await;
        let evidence = async |session: &Session| {
            let risks = risks_of(&server.url(), session).await;
            risks.into_iter().map(|risk| risk.to_string()).collect::<Vec<_>>()
        };
        let named = evidence(&find_session(&server, backup.id).await.unwrap()).await;
        assert!(named.len() == 1 && named[0].contains("backup (mariabackup)"), "{flavor}: {named:?}");
        let by_statement = evidence(&dump_session).await;
        assert!(by_statement.len() == 1 && by_statement[0].contains("SQL_NO_CACHE"), "{flavor}: {by_statement:?}");
        assert!(evidence(&find_session(&server, plain.id).await.unwrap()).await.is_empty(), "{flavor}");
    }
}

#[tokio::test]
async fn rollback_of_many_rows_is_reported_as_long_on_a_server() {
    for flavor in Flavor::ALL {
        let server = server(flavor).await;
        let raw = begin_large_transaction(&server, "app", 14).await.unwrap();
        let session = find_session(&server, raw.id).await.unwrap();
        let (node, connector) = (server.url().parse().unwrap(), connector());
        let waits = read_lock_waits(&node, &connector).await.unwrap();
        let open = waits.transactions.into_iter().map(|facts| facts.transaction);
        let open: HashMap<u64, Transaction> = open.map(|open| (open.session_id, open)).collect();
        let risks = read_kill_risks(&node, std::slice::from_ref(&session), &open, &connector).await.unwrap();
        let [KillRisk::LongRollback { rows_modified, .. }] = risks[&session.id][..] else { panic!("{risks:?}") };
        assert_eq!(rows_modified, 8 << 14, "{flavor}");
    }
}

#[tokio::test]
async fn change_by_a_procedure_or_a_prepared_statement_is_detected_on_a_server() {
    for flavor in Flavor::ALL {
        let server = server_with_tables(flavor).await;
        let change = "UPDATE shop.log SET v = 1 + IF(id = 2, SLEEP(600), 0)";
        server.run_statements(&[&format!("CREATE PROCEDURE shop.change() {change}")]).await.unwrap();
        for statement in ["CALL shop.change()", "EXECUTE changing"] {
            let mut raw = open_session(&server, "root").await;
            raw.execute(&format!("PREPARE changing FROM '{change}'")).await.unwrap();
            raw.send_statement(statement.as_bytes()).await.unwrap();
            let session = loop {
                let session = find_session(&server, raw.id).await.unwrap();
                if session.state.as_deref() == Some(b"User sleep") {
                    break session;
                }
            };
            let risks = risks_of(&server.url(), &session).await;
            assert!(risks.iter().any(KillRisk::is_unsafe), "{flavor} {statement}: {session:?} {risks:?}");
            let outcome =
                kill_with_policy(&server.url(), &connection_victim(&server, &session).await, REFUSE_UNSAFE).await;
            assert!(matches!(outcome, KillOutcome::Refused(KillRefusal::Unsafe(_))), "{flavor} {statement}: {outcome}");
            assert!(
                kill_with_policy(&server.url(), &connection_victim(&server, &session).await, INCLUDE_UNSAFE)
                    .await
                    .was_accepted(),
                "{flavor}"
            );
        }
    }
}
