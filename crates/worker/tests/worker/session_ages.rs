//! Session ages: neither a session nor a step of the server's clock can change the ages that kills rely on.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::time::Duration;

use clew_diagnose::ProtectedAccounts;
use clew_model::KillCriteria;
use clew_store::RecordedKillOutcome;
use clew_testkit::{
    ClientCharset, ConnectionIdRewrite, DatabaseServer, DatabaseServerOptions, Flavor, RawSession, RewriteRules,
    RewritingProxy, ServerClock, ServerRelease,
};
use clew_worker::{IntelligentKillQueue, KillError, KillExecutor, WorkerSettings};
use mysql_async::Row;
use mysql_async::prelude::Queryable;
use rstest::rstest;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, sleep};

use crate::kill_tasks::KillHarness;

/// Duration of several ticks of a kill task, to wait after each change.
const SEVERAL_TICKS: Duration = Duration::from_secs(4);

async fn open(server: &DatabaseServer, user: &str) -> RawSession {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()));
    RawSession::open(address, user, None, ClientCharset::Utf8mb4).await.unwrap()
}

/// Opens a session that waits for a user lock, and the session that holds the lock. Runs `setting` in the waiting session first.
async fn open_waiting(server: &DatabaseServer, user: &str, setting: &str) -> (RawSession, RawSession) {
    let mut holder = open(server, "root").await;
    holder.execute(&format!("DO GET_LOCK('of {user}', 0)")).await.unwrap();
    let mut session = open(server, user).await;
    session.execute(setting).await.unwrap();
    session.send_statement(format!("SELECT GET_LOCK('of {user}', 1000000)").as_bytes()).await.unwrap();
    (holder, session)
}

fn criteria_for(user: &str, seconds: u32) -> KillCriteria {
    KillCriteria { user: Some(user.into()), ..KillCriteria::with_min_seconds_in_state(seconds) }
}

const ACCOUNTS: [&str; 3] = ["CREATE USER app@'%'", "CREATE USER batch@'%'", "CREATE USER idle@'%'"];
const TWO_HOURS_AGO: &str = "SET timestamp = UNIX_TIMESTAMP() - 7200";

#[rstest]
#[tokio::test]
async fn set_timestamp_does_not_affect_kill_tasks(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let server = DatabaseServer::start(flavor, &DatabaseServerOptions::default()).await.unwrap();
    server.run_statements(&ACCOUNTS).await.unwrap();
    let (_holder, young) = open_waiting(&server, "app", TWO_HOURS_AGO).await;
    let mut idle = open(&server, "idle").await;
    idle.execute(TWO_HOURS_AGO).await.unwrap();
    // A session that sets its time to the future is killed nevertheless.
    let (_other_holder, hiding) = open_waiting(&server, "batch", "SET timestamp = UNIX_TIMESTAMP() + 7200").await;
    let mut idle_hiding = open(&server, "batch").await;
    idle_hiding.execute("SET timestamp = UNIX_TIMESTAMP() + 7200").await.unwrap();
    let mut kill_tasks = KillHarness::new(&[server.url()]).await;
    kill_tasks.add_task(criteria_for("app", 60)).await;
    kill_tasks.add_task(criteria_for("idle", 60)).await;
    kill_tasks.add_task(criteria_for("batch", 1)).await;
    kill_tasks.start_worker();
    for hiding in [&hiding, &idle_hiding] {
        assert_eq!(kill_tasks.wait_for_kill(hiding).await.outcome, Some(RecordedKillOutcome::Killed), "{flavor}");
    }
    sleep(SEVERAL_TICKS).await;
    assert!(
        kill_tasks.is_listed(&server, &young).await && kill_tasks.is_listed(&server, &idle).await,
        "{flavor}: {:?}",
        kill_tasks.kills().await
    );
    let refused = kill_tasks.kills().await.into_iter().filter(|kill| kill.request.session_id == idle.id).count();
    assert_eq!(refused, 0, "{flavor}: {:?}", kill_tasks.kills().await);
    kill_tasks.shut_down().await;
}

/// The statements of a binary log set the timestamp to the time at which they were first executed.
#[rstest]
#[tokio::test]
async fn restore_of_a_binary_log_is_not_killed(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let arguments = ["--log-bin=log", "--binlog-format=STATEMENT", "--server-id=1"].map(str::to_owned).to_vec();
    let server =
        DatabaseServer::start(flavor, &DatabaseServerOptions { arguments, ..DatabaseServerOptions::default() })
            .await
            .unwrap();
    let setup = [
        "CREATE USER restore@'%'",
        "GRANT ALL ON *.* TO restore@'%'",
        "CREATE USER batch@'%'",
        "CREATE TABLE mysql.restored (id INT PRIMARY KEY) ENGINE = InnoDB",
        "FLUSH BINARY LOGS",
        TWO_HOURS_AGO,
        "INSERT INTO mysql.restored VALUES (1)",
    ];
    server.run_statements(&setup).await.unwrap();
    let mut root = server.connect_as_root().await.unwrap();
    let logs: Vec<Row> = root.query("SHOW BINARY LOGS").await.unwrap();
    let log: String = logs.last().unwrap().get(0).unwrap();
    root.query_drop("FLUSH BINARY LOGS").await.unwrap();
    root.query_drop("DELETE FROM mysql.restored").await.unwrap();

    let mut kill_tasks = KillHarness::new(&[server.url()]).await;
    kill_tasks.add_task(criteria_for("restore", 60)).await;
    kill_tasks.add_task(criteria_for("batch", 1)).await;
    kill_tasks.start_worker();

    root.query_drop("BEGIN").await.unwrap();
    root.query_drop("INSERT INTO mysql.restored VALUES (1)").await.unwrap();
    let mut binlog = ServerRelease::from(flavor).build_mysqlbinlog_command().unwrap();
    if flavor == Flavor::MySql {
        // The server would skip the transaction, because it has already executed the GTID.
        binlog.arg("--skip-gtids");
    }
    let printed = binlog.arg(server.process.data_dir().join(&log)).output().unwrap();
    assert!(printed.status.success(), "{flavor}: {printed:?}");
    let mut restore = tokio::process::Command::new("mariadb")
        .args(["--no-defaults", "--host=127.0.0.1", &format!("--port={}", server.port()), "--user=restore"])
        .stdin(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    restore.stdin.take().unwrap().write_all(&printed.stdout).await.unwrap();
    let blocked = "SELECT time FROM information_schema.processlist WHERE user = 'restore' AND info LIKE 'INSERT%'";
    let start = Instant::now();
    let reported_age: i64 = loop {
        if let Some(age) = root.query_first(blocked).await.unwrap() {
            break age;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "{flavor}: the restore is not blocked");
        sleep(Duration::from_millis(50)).await;
    };
    if flavor == Flavor::MySql {
        assert!(reported_age >= 7200, "{reported_age}");
    }
    // The kill of another account's session shows that ticks run.
    let (_holder, batch) = open_waiting(&server, "batch", "DO 0").await;
    kill_tasks.wait_for_kill(&batch).await;
    sleep(SEVERAL_TICKS).await;
    assert_eq!(kill_tasks.kills().await.len(), 1, "{flavor}: {:?}", kill_tasks.kills().await);
    root.query_drop("ROLLBACK").await.unwrap();
    assert!(restore.wait().await.unwrap().success(), "{flavor}");
    let restored: Vec<u32> = root.query("SELECT id FROM mysql.restored").await.unwrap();
    assert_eq!(restored, [1], "{flavor}");
    kill_tasks.shut_down().await;
}

#[rstest]
#[tokio::test]
async fn clock_steps_kill_no_young_session(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let clock = ServerClock::new("UTC").unwrap();
    let server =
        DatabaseServer::start_with_settable_clock(flavor, &DatabaseServerOptions::default(), &clock).await.unwrap();
    server.run_statements(&ACCOUNTS).await.unwrap();
    let (_holder, young) = open_waiting(&server, "app", "DO 0").await;
    let idle = open(&server, "idle").await;
    let mut kill_tasks = KillHarness::new(&[server.url()]).await;
    kill_tasks.add_task(criteria_for("app", 600)).await;
    kill_tasks.add_task(criteria_for("idle", 600)).await;
    kill_tasks.add_task(criteria_for("batch", 1)).await;
    kill_tasks.start_worker();
    // The first kill shows that ticks run.
    let (first_holder, first) = open_waiting(&server, "batch", "DO 0").await;
    kill_tasks.wait_for_kill(&first).await;
    drop(first_holder);
    for shift in [3600.0, 0.0, -3600.0, 86_400.0] {
        clock.set_offset(shift).unwrap();
        sleep(SEVERAL_TICKS).await;
        assert!(
            kill_tasks.is_listed(&server, &young).await && kill_tasks.is_listed(&server, &idle).await,
            "{flavor} {shift}: {:?}",
            kill_tasks.kills().await
        );
    }
    // Later ticks kill sessions that are old by a clock without steps.
    let (_next_holder, next) = open_waiting(&server, "batch", "DO 1").await;
    assert_eq!(kill_tasks.wait_for_kill(&next).await.outcome, Some(RecordedKillOutcome::Killed), "{flavor}");
    assert_eq!(kill_tasks.kills().await.len(), 2, "{flavor}: {:?}", kill_tasks.kills().await);
    kill_tasks.shut_down().await;
}

#[tokio::test]
async fn session_older_than_a_clock_step_is_killed_once_on_a_mysql_server() {
    let clock = ServerClock::new("UTC").unwrap();
    let server = DatabaseServer::start_with_settable_clock(Flavor::MySql, &DatabaseServerOptions::default(), &clock)
        .await
        .unwrap();
    server.run_statements(&ACCOUNTS).await.unwrap();
    let mut kill_tasks = KillHarness::new(&[server.url()]).await;
    kill_tasks.add_task(criteria_for("app", 9)).await;
    kill_tasks.start_worker();
    let (_holder, old) = open_waiting(&server, "app", "DO 0").await;
    sleep(SEVERAL_TICKS).await;
    // From now on, the server reports 0 s until 4 s have passed, and then 4 s less than the true age.
    clock.set_offset(-4.0).unwrap();
    let kill = kill_tasks.wait_for_kill(&old).await;
    assert_eq!(kill.outcome, Some(RecordedKillOutcome::Killed));
    assert_eq!(kill_tasks.kills().await.len(), 1, "{:?}", kill_tasks.kills().await);
    kill_tasks.shut_down().await;
}

#[tokio::test]
async fn sessions_behind_a_proxy_are_neither_selected_nor_recorded() {
    for flavor in Flavor::ALL {
        let server = DatabaseServer::start(flavor, &DatabaseServerOptions::default()).await.unwrap();
        server.run_statements(&ACCOUNTS).await.unwrap();
        let (_holder, session) = open_waiting(&server, "app", "DO 0").await;
        let target = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()));
        let rewrite = RewriteRules { greeting_id: ConnectionIdRewrite::From(7000), ..RewriteRules::default() };
        let proxy = RewritingProxy::start(target, rewrite).await.unwrap();
        let direct = DatabaseServer::start(flavor, &DatabaseServerOptions::default()).await.unwrap();
        direct.run_statements(&ACCOUNTS).await.unwrap();
        let (_other_holder, other) = open_waiting(&direct, "app", "DO 0").await;
        let mut kill_tasks = KillHarness::new(&[proxy.url("root"), direct.url()]).await;
        kill_tasks.add_task(criteria_for("app", 1)).await;
        kill_tasks.start_worker();
        kill_tasks.wait_for_kill(&other).await;
        sleep(SEVERAL_TICKS).await;
        assert!(kill_tasks.is_listed(&server, &session).await, "{flavor}");
        assert_eq!(kill_tasks.kills().await.len(), 1, "{flavor}: {:?}", kill_tasks.kills().await);
        kill_tasks.shut_down().await;
    }
}

#[tokio::test]
async fn without_reliable_ages_nothing_is_killed_on_a_mysql_server() {
    let options = DatabaseServerOptions {
        arguments: vec!["--performance-schema=OFF".into()],
        ..DatabaseServerOptions::default()
    };
    let server = DatabaseServer::start(Flavor::MySql, &options).await.unwrap();
    server.run_statements(&ACCOUNTS).await.unwrap();
    let (_holder, session) = open_waiting(&server, "app", TWO_HOURS_AGO).await;
    let recorded = DatabaseServer::start(Flavor::MySql, &DatabaseServerOptions::default()).await.unwrap();
    recorded.run_statements(&ACCOUNTS).await.unwrap();
    let (_other_holder, other) = open_waiting(&recorded, "app", "DO 0").await;
    let mut kill_tasks = KillHarness::new(&[server.url(), recorded.url()]).await;
    kill_tasks.add_task(criteria_for("app", 1)).await;
    kill_tasks.start_worker();
    // The same task kills on the node that has reliable ages.
    kill_tasks.wait_for_kill(&other).await;
    sleep(SEVERAL_TICKS).await;
    assert!(kill_tasks.is_listed(&server, &session).await, "{:?}", kill_tasks.kills().await);
    assert_eq!(kill_tasks.kills().await.len(), 1);

    let kills = KillExecutor::new(kill_tasks.harness.store.clone(), ProtectedAccounts::default());
    let intelligent = IntelligentKillQueue::new(kill_tasks.harness.store.clone(), kills, &WorkerSettings::default());
    let node = server.url().parse().unwrap();
    let refused = intelligent.preview_victims(&kill_tasks.instance.id, &node).await.unwrap_err();
    let KillError::Node(failure) = refused else { panic!("{refused}") };
    assert!(
        failure.detail.contains("SET timestamp") && failure.detail.contains("Fix: performance_schema = ON"),
        "{failure}"
    );
    kill_tasks.shut_down().await;
}
