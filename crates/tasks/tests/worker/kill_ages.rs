//! Kill tasks and intelligent kills rely on ages that neither a session nor a step of the server's clock can change.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use clew_diagnose::ProtectedAccounts;
use clew_model::KillCriteria;
use clew_mysql::Limits;
use clew_store::KillEnd;
use clew_tasks::{IntelligentKills, KillError, Kills, Settings};
use clew_testkit::{
    Charset, Flavor, GreetingId, RawSession, Rewrite, RewritingProxy, Server, ServerClock, ServerOptions,
};
use tokio::time::sleep;

use crate::kill_tasks::{Killing, lives};

/// Rounds of a kill task: more than one after everything that a test changes.
const ROUNDS: Duration = Duration::from_secs(4);

async fn open(server: &Server, user: &str) -> RawSession {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()));
    RawSession::open(address, user, None, Charset::Utf8mb4).await.unwrap()
}

/// A session of this account that waits for a user lock of another one, with these settings.
async fn busy(server: &Server, user: &str, setting: &str) -> (RawSession, RawSession) {
    let mut holder = open(server, "root").await;
    holder.run(&format!("DO GET_LOCK('of {user}', 0)")).await.unwrap();
    let mut session = open(server, user).await;
    session.run(setting).await.unwrap();
    session.begin(format!("SELECT GET_LOCK('of {user}', 1000000)").as_bytes()).await.unwrap();
    (holder, session)
}

fn of_user(user: &str, seconds: u32) -> KillCriteria {
    KillCriteria { user: Some(user.into()), ..KillCriteria::after(seconds) }
}

const ACCOUNTS: [&str; 3] = ["CREATE USER app@'%'", "CREATE USER batch@'%'", "CREATE USER idle@'%'"];
const TWO_HOURS_AGO: &str = "SET timestamp = UNIX_TIMESTAMP() - 7200";

async fn a_session_cannot_make_itself_old(flavor: Flavor) {
    let server = Server::start(flavor, &ServerOptions::default()).await.unwrap();
    server.run(&ACCOUNTS).await.unwrap();
    let (_holder, young) = busy(&server, "app", TWO_HOURS_AGO).await;
    let mut idle = open(&server, "idle").await;
    idle.run(TWO_HOURS_AGO).await.unwrap();
    // A session in its own future is killed all the same.
    let (_other_holder, hiding) = busy(&server, "batch", "SET timestamp = UNIX_TIMESTAMP() + 7200").await;
    let mut idle_hiding = open(&server, "batch").await;
    idle_hiding.run("SET timestamp = UNIX_TIMESTAMP() + 7200").await.unwrap();
    let mut killing = Killing::new(&[server.url()]).await;
    killing.add(of_user("app", 60)).await;
    killing.add(of_user("idle", 60)).await;
    killing.add(of_user("batch", 1)).await;
    killing.work();
    for hiding in [&hiding, &idle_hiding] {
        assert_eq!(killing.death_of(hiding).await.outcome, Some(KillEnd::Killed), "{flavor}");
    }
    sleep(ROUNDS).await;
    assert!(lives(&server, &young).await && lives(&server, &idle).await, "{flavor}: {:?}", killing.kills().await);
    let refused = killing.kills().await.into_iter().filter(|kill| kill.session_id == idle.id).count();
    assert_eq!(refused, 0, "{flavor}: {:?}", killing.kills().await);
    killing.end().await;
}

#[tokio::test]
async fn a_session_cannot_make_itself_old_or_young_on_a_mysql_server() {
    a_session_cannot_make_itself_old(Flavor::MySql).await;
}

#[tokio::test]
async fn a_session_cannot_make_itself_old_or_young_on_a_mariadb_server() {
    a_session_cannot_make_itself_old(Flavor::MariaDb).await;
}

async fn clock_steps_kill_no_young_session(flavor: Flavor) {
    let clock = ServerClock::new("UTC").unwrap();
    let server = Server::start_with_clock(flavor, &ServerOptions::default(), &clock).await.unwrap();
    server.run(&ACCOUNTS).await.unwrap();
    let (_holder, young) = busy(&server, "app", "DO 0").await;
    let idle = open(&server, "idle").await;
    let mut killing = Killing::new(&[server.url()]).await;
    killing.add(of_user("app", 600)).await;
    killing.add(of_user("idle", 600)).await;
    killing.add(of_user("batch", 1)).await;
    killing.work();
    // Rounds are under way.
    let (first_holder, first) = busy(&server, "batch", "DO 0").await;
    killing.death_of(&first).await;
    drop(first_holder);
    for shift in [3600.0, 0.0, -3600.0, 86_400.0] {
        clock.shift(shift).unwrap();
        sleep(ROUNDS).await;
        assert!(
            lives(&server, &young).await && lives(&server, &idle).await,
            "{flavor} {shift}: {:?}",
            killing.kills().await
        );
    }
    // Later rounds kill who is old by a clock that was not set.
    let (_next_holder, next) = busy(&server, "batch", "DO 1").await;
    assert_eq!(killing.death_of(&next).await.outcome, Some(KillEnd::Killed), "{flavor}");
    assert_eq!(killing.kills().await.len(), 2, "{flavor}: {:?}", killing.kills().await);
    killing.end().await;
}

#[tokio::test]
async fn steps_of_the_clock_kill_no_young_session_on_a_mysql_server() {
    clock_steps_kill_no_young_session(Flavor::MySql).await;
}

#[tokio::test]
async fn steps_of_the_clock_kill_no_young_session_on_a_mariadb_server() {
    clock_steps_kill_no_young_session(Flavor::MariaDb).await;
}

#[tokio::test]
async fn session_that_is_older_than_a_step_of_the_clock_is_killed_once_on_a_mysql_server() {
    let clock = ServerClock::new("UTC").unwrap();
    let server = Server::start_with_clock(Flavor::MySql, &ServerOptions::default(), &clock).await.unwrap();
    server.run(&ACCOUNTS).await.unwrap();
    let mut killing = Killing::new(&[server.url()]).await;
    killing.add(of_user("app", 9)).await;
    killing.work();
    let (_holder, old) = busy(&server, "app", "DO 0").await;
    sleep(ROUNDS).await;
    // The server reports 0 s from now on until 4 s have passed, and 4 s less than the true age after that.
    clock.shift(-4.0).unwrap();
    let kill = killing.death_of(&old).await;
    assert_eq!(kill.outcome, Some(KillEnd::Killed));
    assert_eq!(killing.kills().await.len(), 1, "{:?}", killing.kills().await);
    killing.end().await;
}

#[tokio::test]
async fn sessions_behind_a_proxy_are_not_chosen_and_nothing_is_recorded() {
    for flavor in Flavor::ALL {
        let server = Server::start(flavor, &ServerOptions::default()).await.unwrap();
        server.run(&ACCOUNTS).await.unwrap();
        let (_holder, session) = busy(&server, "app", "DO 0").await;
        let target = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()));
        let rewrite = Rewrite { greeting_id: GreetingId::From(7000), ..Rewrite::default() };
        let proxy = RewritingProxy::start(target, rewrite).await.unwrap();
        let direct = Server::start(flavor, &ServerOptions::default()).await.unwrap();
        direct.run(&ACCOUNTS).await.unwrap();
        let (_other_holder, other) = busy(&direct, "app", "DO 0").await;
        let mut killing = Killing::new(&[proxy.url("root"), direct.url()]).await;
        killing.add(of_user("app", 1)).await;
        killing.work();
        killing.death_of(&other).await;
        sleep(ROUNDS).await;
        assert!(lives(&server, &session).await, "{flavor}");
        assert_eq!(killing.kills().await.len(), 1, "{flavor}: {:?}", killing.kills().await);
        killing.end().await;
    }
}

#[tokio::test]
async fn without_reliable_ages_nothing_is_killed_on_a_mysql_server() {
    let options = ServerOptions { arguments: vec!["--performance-schema=OFF".into()], ..ServerOptions::default() };
    let server = Server::start(Flavor::MySql, &options).await.unwrap();
    server.run(&ACCOUNTS).await.unwrap();
    let (_holder, session) = busy(&server, "app", TWO_HOURS_AGO).await;
    let recorded = Server::start(Flavor::MySql, &ServerOptions::default()).await.unwrap();
    recorded.run(&ACCOUNTS).await.unwrap();
    let (_other_holder, other) = busy(&recorded, "app", "DO 0").await;
    let mut killing = Killing::new(&[server.url(), recorded.url()]).await;
    killing.add(of_user("app", 1)).await;
    killing.work();
    // The same task works on the node that has them.
    killing.death_of(&other).await;
    sleep(ROUNDS).await;
    assert!(lives(&server, &session).await, "{:?}", killing.kills().await);
    assert_eq!(killing.kills().await.len(), 1);

    let kills = Kills::new(killing.bench.store.clone(), ProtectedAccounts::default());
    let intelligent = IntelligentKills::new(killing.bench.store.clone(), kills, &Settings::default());
    let node = server.url().parse().unwrap();
    let refused = intelligent.preview(&killing.instance.id, &node, Limits::default()).await.unwrap_err();
    let KillError::Node(failure) = refused else { panic!("{refused}") };
    assert!(
        failure.detail.contains("SET timestamp") && failure.detail.contains("fix: performance_schema = ON"),
        "{failure}"
    );
    killing.end().await;
}
