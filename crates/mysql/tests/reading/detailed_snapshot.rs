//! Detailed snapshots of real servers: lock wait, blocker, digest and program name of each session.

use std::net::{Ipv4Addr, SocketAddr};

use clew_model::{LimitationKind, NodeUrl, SESSION_DETAIL_COLUMNS, SESSION_SNAPSHOT_COLUMNS, SessionSelection};
use clew_mysql::{Snapshot, SnapshotFormat, SnapshotOptions, take_snapshot};
use clew_testkit::{
    ClientCharset, DatabaseServer, DatabaseServerOptions, Flavor, LockWaitScenario, RawSession, RunningScenario,
};
use mysql_async::prelude::Queryable;
use rstest::rstest;

use super::connector;

const RECORDING: [&str; 2] =
    ["--performance-schema=ON", "--performance-schema-instrument=wait/lock/metadata/sql/mdl=ON"];

async fn start(flavor: Flavor, arguments: &[&str]) -> DatabaseServer {
    let arguments = arguments.iter().map(ToString::to_string).collect();
    DatabaseServer::start(flavor, &DatabaseServerOptions { arguments, ..DatabaseServerOptions::default() })
        .await
        .unwrap()
}

async fn build(server: &DatabaseServer, name: &str) -> RunningScenario {
    let scenario = LockWaitScenario::scenarios_for_flavor(server.flavor())
        .into_iter()
        .find(|scenario| scenario.name == name)
        .unwrap();
    scenario.set_up(server).await.unwrap()
}

const MASKED: bool = true;
const FULL: bool = false;

async fn take(url: &str, masked: bool, selection: &SessionSelection) -> Snapshot {
    let node: NodeUrl = url.parse().unwrap();
    let options = SnapshotOptions::new(SnapshotFormat::Csv { formula_guard: true });
    let options = SnapshotOptions { selection: selection.clone(), masked, detailed: true, ..options };
    take_snapshot(&node, &options, &connector()).await.unwrap()
}

/// Takes a detailed snapshot. Returns the rows, and the kind and remedy of each limitation.
async fn read_rows(url: &str, masked: bool) -> (Vec<Vec<String>>, Vec<(LimitationKind, String)>) {
    let mut snapshot = take(url, masked, &SessionSelection::default()).await;
    let limitations = snapshot.summary.limitations.drain(..);
    let limitations = limitations.map(|gap| (gap.kind, gap.remedy.unwrap_or_default().to_string())).collect();
    (rows(&mut snapshot), limitations)
}

fn rows(snapshot: &mut Snapshot) -> Vec<Vec<String>> {
    let mut body = Vec::new();
    snapshot.body.write_to(&mut body).unwrap();
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(body.as_slice());
    let rows: Vec<Vec<String>> =
        reader.records().map(|row| row.unwrap().iter().map(ToOwned::to_owned).collect()).collect();
    assert!(rows.iter().all(|row| row.len() == SESSION_SNAPSHOT_COLUMNS.len() + SESSION_DETAIL_COLUMNS.len()));
    rows
}

/// Returns digest, program name, awaited lock, blocker and root blocker of a session.
fn detail(rows: &[Vec<String>], session: u64) -> [&str; 5] {
    let row = rows.iter().find(|row| row[0] == session.to_string()).unwrap();
    [15, 16, 17, 18, 19].map(|at| row[at].as_str())
}

#[rstest]
#[tokio::test]
async fn blockers_are_reported(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let server = start(flavor, if flavor == Flavor::MariaDb { &RECORDING } else { &[] }).await;
    for (name, waiter, blocker, root, what) in [
        ("a row", "b", "a", "a", "row 1 of shop.t (PRIMARY)"),
        ("a chain of ten", "s9", "s8", "s0", "row 108 of shop.s (PRIMARY)"),
        ("a chain of ten", "s1", "s0", "s0", "row 100 of shop.s (PRIMARY)"),
        ("a circle of a row and a name", "b", "a", "a", "user lock nightly"),
    ] {
        let built = build(&server, name).await;
        let id = |name: &str| built.thread_ids()[name];
        let (rows, _) = read_rows(&server.url(), FULL).await;
        let [_, _, waits_for, blocked_by, rooted_in] = detail(&rows, id(waiter));
        assert_eq!(
            [waits_for, blocked_by, rooted_in],
            [what, &id(blocker).to_string(), &id(root).to_string()],
            "{name}"
        );
        if name == "a row" {
            assert_eq!(detail(&rows, id("a"))[2..], ["", "", ""]);
        }
        let (masked, _) = read_rows(&server.url(), MASKED).await;
        let [_, _, waits_for, blocked_by, _] = detail(&masked, id(waiter));
        let masked_prefix = if what.starts_with("row") { "a row of shop." } else { "user lock" };
        assert!(waits_for.starts_with(masked_prefix) && !waits_for.contains("nightly"), "{waits_for}");
        assert_eq!(blocked_by, id(blocker).to_string());
        built.tear_down(&server).await.unwrap();
    }
    let built = build(&server, "a row of a prepared transaction whose session is gone").await;
    let (rows, _) = read_rows(&server.url(), FULL).await;
    let [_, _, waits_for, blocked_by, rooted_in] = detail(&rows, built.thread_ids()["b"]);
    assert!(waits_for.starts_with("row 1 of shop.t (PRIMARY); blocker: transaction "), "{waits_for}");
    assert_eq!([blocked_by, rooted_in], ["", ""]);
    built.tear_down(&server).await.unwrap();
}

/// Opens a session with a program name that sleeps in a statement.
async fn sleeper(server: &DatabaseServer, statement: &str) -> RawSession {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()));
    let mut session =
        RawSession::open_with_program_name("check,out", address, "root", None, ClientCharset::Utf8mb4).await.unwrap();
    session.send_statement(statement.as_bytes()).await.unwrap();
    for _ in 0..600 {
        let (rows, _) = read_rows(&server.url(), FULL).await;
        if rows.iter().any(|row| row[0] == session.id.to_string() && row[4] == "User sleep") {
            return session;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the session does not sleep");
}

#[tokio::test]
async fn program_names_and_digests_are_shown_on_mysql() {
    const SLEEP: &str = "SELECT SLEEP(600), 'a' FROM DUAL WHERE 1 = 1";
    let server = start(Flavor::MySql, &[]).await;
    server.run_statements(&["CREATE DATABASE shop", "CREATE PROCEDURE shop.doze() DO SLEEP(600)"]).await.unwrap();
    let plain = sleeper(&server, SLEEP).await;
    let mut control = server.connect_as_root().await.unwrap();
    let digest: String = control.query_first(format!("SELECT STATEMENT_DIGEST(\"{SLEEP}\")")).await.unwrap().unwrap();
    let (rows, limitations) = read_rows(&server.url(), FULL).await;
    assert_eq!(limitations, []);
    assert_eq!(detail(&rows, plain.id), [digest.as_str(), "check,out", "", "", ""]);
    assert_eq!(detail(&rows, control.id().into())[0], "", "a session that runs nothing has no digest");

    let selection = SessionSelection { sql_key: Some("from dual".into()), ..SessionSelection::default() };
    let mut filtered = take(&server.url(), FULL, &selection).await;
    let found = self::rows(&mut filtered);
    assert!(found.len() == 1 && found[0][15] == digest, "{found:?}");

    let off = "UPDATE performance_schema.setup_consumers SET enabled = 'NO' WHERE name = 'events_statements_current'";
    control.query_drop(off).await.unwrap();
    let (rows, limitations) = read_rows(&server.url(), FULL).await;
    let [(LimitationKind::NoStatementDigests, remedy), (LimitationKind::UnreliableAges, _)] = limitations.as_slice()
    else {
        panic!("{limitations:?}")
    };
    assert!(remedy.ends_with("WHERE name IN ('events_statements_current');"), "{remedy}");
    assert_eq!(detail(&rows, plain.id)[1], "check,out");
    control.query_drop(remedy.as_str()).await.unwrap();
    assert_eq!(read_rows(&server.url(), FULL).await.1, []);

    let inner = sleeper(&server, "CALL shop.doze()").await;
    let (rows, limitations) = read_rows(&server.url(), FULL).await;
    assert_eq!((detail(&rows, inner.id)[0], detail(&rows, plain.id)[0]), ("", digest.as_str()), "{rows:?}");
    assert_eq!(limitations, [(LimitationKind::NoStatementDigests, String::new())]);
}

#[tokio::test]
async fn unrecorded_data_of_mariadb_is_reported_with_its_setting() {
    use LimitationKind::{NoPerformanceSchema, NoProgramNames, NoStatementDigests};
    let plain = start(Flavor::MariaDb, &[]).await;
    let (_, limitations) = read_rows(&plain.url(), FULL).await;
    let kinds: Vec<_> = limitations.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, [NoPerformanceSchema, NoStatementDigests, NoProgramNames]);
    assert!(limitations[0].1.contains("performance_schema = ON"), "{limitations:?}");
    assert_eq!(
        (limitations[1].1.as_str(), &limitations[2].1),
        ("", &"performance_schema = ON, in the server's configuration file".to_owned())
    );
    drop(plain);

    let server = start(Flavor::MariaDb, &RECORDING).await;
    let sleeping = sleeper(&server, "SELECT SLEEP(600), 1").await;
    let (rows, limitations) = read_rows(&server.url(), FULL).await;
    assert_eq!(limitations, [(NoStatementDigests, String::new())]);
    assert_eq!(detail(&rows, sleeping.id), ["", "check,out", "", "", ""]);
}

#[tokio::test]
async fn missing_program_names_are_reported() {
    let server = start(Flavor::MySql, &["--performance-schema-session-connect-attrs-size=0"]).await;
    let (_, limitations) = read_rows(&server.url(), FULL).await;
    let [(LimitationKind::NoProgramNames, remedy)] = limitations.as_slice() else { panic!("{limitations:?}") };
    assert!(remedy.starts_with("performance_schema_session_connect_attrs_size = 512"), "{remedy}");
}

#[tokio::test]
async fn missing_privileges_for_details_are_reported() {
    use LimitationKind::{NoMetadataLocks, NoProgramNames, NoRowLocks, NoStatementDigests};
    let server = start(Flavor::MySql, &[]).await;
    server.run_statements(&["CREATE USER low@'%' IDENTIFIED BY 'x'", "GRANT PROCESS ON *.* TO low@'%'"]).await.unwrap();
    let (_, limitations) = read_rows(&server.url_for_account("low", "x"), FULL).await;
    let kinds: Vec<_> = limitations.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, [NoRowLocks, NoMetadataLocks, NoStatementDigests, NoProgramNames]);
    server.run_statements(&[&limitations[2].1]).await.unwrap();
    assert_eq!(read_rows(&server.url_for_account("low", "x"), FULL).await.1, []);
}
