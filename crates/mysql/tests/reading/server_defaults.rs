//! Server defaults that truncate, refuse or change results do not affect reads.

use std::net::{Ipv4Addr, SocketAddr};

use clew_model::{NodeUrl, SessionSelection};
use clew_mysql::{diagnose_node, read_lock_waits};
use clew_testkit::{ClientCharset, DatabaseServer, DatabaseServerOptions, Flavor, RawSession};
use rstest::rstest;
use tokio::time::sleep;

use super::{TRANSACTION_LIST_AGE, connector, csv_of, take};

async fn open(server: &DatabaseServer) -> RawSession {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()));
    RawSession::open(address, "root", None, ClientCharset::Utf8mb4).await.unwrap()
}

/// Opens eleven transactions: one holds a row lock, six wait for it, four are idle.
async fn eleven_transactions(server: &DatabaseServer) -> Vec<RawSession> {
    server
        .run_statements(&[
            "CREATE DATABASE shop",
            "CREATE TABLE shop.t (a INT PRIMARY KEY) ENGINE = InnoDB",
            "INSERT INTO shop.t VALUES (1), (2), (3), (4), (5)",
        ])
        .await
        .unwrap();
    let mut sessions = Vec::new();
    for row in 1..=5 {
        let mut session = open(server).await;
        session.execute("BEGIN").await.unwrap();
        session.execute(&format!("UPDATE shop.t SET a = a WHERE a = {row}")).await.unwrap();
        sessions.push(session);
    }
    for _ in 0..6 {
        let mut session = open(server).await;
        session.execute("SET SESSION innodb_lock_wait_timeout = 100000").await.unwrap();
        session.send_statement(b"UPDATE shop.t SET a = a WHERE a = 1").await.unwrap();
        sessions.push(session);
    }
    sessions
}

/// Returns the number of open transactions, of waiting ones, and of waiters in the graph.
async fn read(url: &str) -> (usize, usize, usize) {
    let rows = csv_of(url, &SessionSelection::default(), false).await;
    let open = rows.iter().filter(|row| !row[8].is_empty()).count();
    let waiting = rows.iter().filter(|row| row[11] == "LOCK WAIT").count();
    let node: NodeUrl = url.parse().unwrap();
    let graph = read_lock_waits(&node, &connector()).await.unwrap().graph;
    let waiters: std::collections::BTreeSet<_> = graph.waits.iter().map(|wait| wait.waiter).collect();
    (open, waiting, waiters.len())
}

/// Returns server defaults that each affected a read.
fn defaults(flavor: Flavor) -> Vec<&'static str> {
    let of_both = [
        "sql_select_limit = 3",
        "sql_select_limit = 0",
        "max_join_size = 10",
        "sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT,IGNORE_SPACE,PAD_CHAR_TO_FULL_LENGTH'",
        "sql_safe_updates = 1",
        "sql_buffer_result = 1",
        "transaction_read_only = 1",
        "time_zone = '+05:30'",
        "lc_messages = 'de_DE'",
        "lc_time_names = 'de_DE'",
        "autocommit = 0",
        "sql_auto_is_null = 1",
        "big_tables = 1",
        "max_sort_length = 64",
        "group_concat_max_len = 4",
        "div_precision_increment = 0",
        "net_read_timeout = 1",
        "net_write_timeout = 1",
        "wait_timeout = 1",
    ];
    let of_one: &[&str] = match flavor {
        Flavor::MySql => &[
            "terminology_use_previous = 'BEFORE_8_0_26'",
            "max_execution_time = 1",
            "transaction_isolation = 'SERIALIZABLE'",
        ],
        Flavor::MariaDb => &[
            "sql_mode = 'ORACLE'",
            "tmp_disk_table_size = 1024",
            "wsrep_sync_wait = 15",
            "max_statement_time = 0.001",
            "tx_isolation = 'SERIALIZABLE'",
            "old_mode = ''",
            "max_session_mem_used = 8192",
        ],
    };
    let of_both = of_both.map(|default| match flavor {
        Flavor::MariaDb => default.strip_prefix("transaction_read_only").map_or(default, |_| "tx_read_only = 1"),
        Flavor::MySql => default,
    });
    of_both.into_iter().chain(of_one.iter().copied()).collect()
}

#[rstest]
#[tokio::test]
async fn server_defaults_do_not_affect_reads(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let server = DatabaseServer::start(flavor, &DatabaseServerOptions::default()).await.unwrap();
    let _sessions = eleven_transactions(&server).await;
    let url = server.url();
    while read(&url).await.1 < 6 {
        sleep(TRANSACTION_LIST_AGE).await;
    }
    assert_eq!(read(&url).await, (11, 6, 6), "{flavor}");
    let expected = diagnose_node(&url.parse().unwrap(), &connector()).await.unwrap();
    let mut control = server.connect_as_root().await.unwrap();
    for default in defaults(flavor) {
        use mysql_async::prelude::Queryable;
        let name = default.split(' ').next().unwrap();
        let set = |value: &str| format!("SET GLOBAL {name} = {value}");
        let before: String = control
            .query_first::<Option<String>, _>(format!("SELECT CAST(@@GLOBAL.{name} AS CHAR)"))
            .await
            .unwrap()
            .flatten()
            .unwrap_or_default();
        control.query_drop(format!("SET GLOBAL {default}")).await.unwrap();
        let outcome = read(&url).await;
        assert_eq!(outcome, (11, 6, 6), "{flavor}: {default}");
        let summary = take(&url, &SessionSelection::default(), false).await.unwrap().summary;
        assert_eq!(summary.limitations, [], "{flavor}: {default}");
        let diagnosis = diagnose_node(&url.parse().unwrap(), &connector()).await.unwrap();
        let works = |diagnosis: &clew_mysql::NodeDiagnosis| {
            diagnosis.checks.iter().map(|check| check.works).collect::<Vec<_>>()
        };
        assert_eq!(works(&diagnosis), works(&expected), "{flavor}: {default}: {diagnosis:#?}");
        let number = before.parse::<f64>().is_ok();
        control.query_drop(set(&if number { before } else { format!("'{before}'") })).await.unwrap();
    }
}
