//! Session ages: neither a session nor a step of the server's clock can change the ages that kills rely on.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use clew_diagnose::ProtectedAccounts;
use clew_model::KillCriteria;
use clew_mysql::ReadLimits;
use clew_store::RecordedKillOutcome;
use clew_testkit::{
    ClientCharset, ConnectionIdRewrite, Flavor, RawSession, RewriteRules, RewritingProxy, Server, ServerClock,
    ServerOptions,
};
use clew_worker::{IntelligentKillQueue, KillError, KillExecutor, WorkerSettings};
use tokio::time::sleep;

use crate::kill_tasks::{KillHarness, is_listed};

/// Duration of several ticks of a kill task, to wait after each change.
const SEVERAL_TICKS: Duration = Duration::from_secs(4);

async fn open(server: &Server, user: &str) -> RawSession {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()));
    RawSession::open(address, user, None, ClientCharset::Utf8mb4).await.unwrap()
}

/// Opens a session that waits for a user lock, and the session that holds the lock. Runs `setting` in the waiting session first.
async fn open_waiting(server: &Server, user: &str, setting: &str) -> (RawSession, RawSession) {
    let mut holder = open(server, "root").await;
    holder.execute(&format!("DO GET_LOCK('of {user}', 0)")).await.unwrap();
    let mut session = open(server, user).await;
    session.execute(setting).await.unwrap();
    session.send_statement(format!("SELECT GET_LOCK('of {user}', 1000000)").as_bytes()).await.unwrap();
    (holder, session)
}

fn criteria_for(user: &str, seconds: u32) -> KillCriteria {
    KillCriteria { user: Some(user.into()), ..KillCriteria::with_min_state_seconds(seconds) }
}

const ACCOUNTS: [&str; 3] = ["CREATE USER app@'%'", "CREATE USER batch@'%'", "CREATE USER idle@'%'"];
const TWO_HOURS_AGO: &str = "SET timestamp = UNIX_TIMESTAMP() - 7200";

async fn set_timestamp_does_not_affect_kill_tasks(flavor: Flavor) {
    let server = Server::start(flavor, &ServerOptions::default()).await.unwrap();
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
        is_listed(&server, &young).await && is_listed(&server, &idle).await,
        "{flavor}: {:?}",
        kill_tasks.kills().await
    );
    let refused = kill_tasks.kills().await.into_iter().filter(|kill| kill.session_id == idle.id).count();
    assert_eq!(refused, 0, "{flavor}: {:?}", kill_tasks.kills().await);
    kill_tasks.shut_down().await;
}

#[tokio::test]
async fn set_timestamp_does_not_affect_kill_tasks_on_a_mysql_server() {
    set_timestamp_does_not_affect_kill_tasks(Flavor::MySql).await;
}

#[tokio::test]
async fn set_timestamp_does_not_affect_kill_tasks_on_a_mariadb_server() {
    set_timestamp_does_not_affect_kill_tasks(Flavor::MariaDb).await;
}

async fn clock_steps_kill_no_young_session(flavor: Flavor) {
    let clock = ServerClock::new("UTC").unwrap();
    let server = Server::start_with_clock(flavor, &ServerOptions::default(), &clock).await.unwrap();
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
            is_listed(&server, &young).await && is_listed(&server, &idle).await,
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
async fn clock_steps_kill_no_young_session_on_a_mysql_server() {
    clock_steps_kill_no_young_session(Flavor::MySql).await;
}

#[tokio::test]
async fn clock_steps_kill_no_young_session_on_a_mariadb_server() {
    clock_steps_kill_no_young_session(Flavor::MariaDb).await;
}

#[tokio::test]
async fn session_older_than_a_clock_step_is_killed_once_on_a_mysql_server() {
    let clock = ServerClock::new("UTC").unwrap();
    let server = Server::start_with_clock(Flavor::MySql, &ServerOptions::default(), &clock).await.unwrap();
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
        let server = Server::start(flavor, &ServerOptions::default()).await.unwrap();
        server.run_statements(&ACCOUNTS).await.unwrap();
        let (_holder, session) = open_waiting(&server, "app", "DO 0").await;
        let target = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()));
        let rewrite = RewriteRules { greeting_id: ConnectionIdRewrite::From(7000), ..RewriteRules::default() };
        let proxy = RewritingProxy::start(target, rewrite).await.unwrap();
        let direct = Server::start(flavor, &ServerOptions::default()).await.unwrap();
        direct.run_statements(&ACCOUNTS).await.unwrap();
        let (_other_holder, other) = open_waiting(&direct, "app", "DO 0").await;
        let mut kill_tasks = KillHarness::new(&[proxy.url("root"), direct.url()]).await;
        kill_tasks.add_task(criteria_for("app", 1)).await;
        kill_tasks.start_worker();
        kill_tasks.wait_for_kill(&other).await;
        sleep(SEVERAL_TICKS).await;
        assert!(is_listed(&server, &session).await, "{flavor}");
        assert_eq!(kill_tasks.kills().await.len(), 1, "{flavor}: {:?}", kill_tasks.kills().await);
        kill_tasks.shut_down().await;
    }
}

#[tokio::test]
async fn without_reliable_ages_nothing_is_killed_on_a_mysql_server() {
    let options = ServerOptions { arguments: vec!["--performance-schema=OFF".into()], ..ServerOptions::default() };
    let server = Server::start(Flavor::MySql, &options).await.unwrap();
    server.run_statements(&ACCOUNTS).await.unwrap();
    let (_holder, session) = open_waiting(&server, "app", TWO_HOURS_AGO).await;
    let recorded = Server::start(Flavor::MySql, &ServerOptions::default()).await.unwrap();
    recorded.run_statements(&ACCOUNTS).await.unwrap();
    let (_other_holder, other) = open_waiting(&recorded, "app", "DO 0").await;
    let mut kill_tasks = KillHarness::new(&[server.url(), recorded.url()]).await;
    kill_tasks.add_task(criteria_for("app", 1)).await;
    kill_tasks.start_worker();
    // The same task kills on the node that has reliable ages.
    kill_tasks.wait_for_kill(&other).await;
    sleep(SEVERAL_TICKS).await;
    assert!(is_listed(&server, &session).await, "{:?}", kill_tasks.kills().await);
    assert_eq!(kill_tasks.kills().await.len(), 1);

    let kills = KillExecutor::new(kill_tasks.harness.store.clone(), ProtectedAccounts::default());
    let intelligent = IntelligentKillQueue::new(kill_tasks.harness.store.clone(), kills, &WorkerSettings::default());
    let node = server.url().parse().unwrap();
    let refused = intelligent.preview_victims(&kill_tasks.instance.id, &node, ReadLimits::default()).await.unwrap_err();
    let KillError::Node(failure) = refused else { panic!("{refused}") };
    assert!(
        failure.detail.contains("SET timestamp") && failure.detail.contains("fix: performance_schema = ON"),
        "{failure}"
    );
    kill_tasks.shut_down().await;
}
