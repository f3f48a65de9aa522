//! Kill tasks on real servers: who is meant dies once, everybody else lives.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clew_diagnose::ProtectedAccounts;
use clew_model::{Instance, KillCriteria, NewInstance, NewNode, NodeRole, Page};
use clew_mysql::{Limits, find_sessions};
use clew_store::{KillEnd, KillFilter, KillSource, KilledSession, NewKillTask};
use clew_tasks::{KillTasks, Kills, Settings};
use clew_testkit::{Charset, FakeOptions, FakeServer, Fault, Flavor, RawSession, Server, ServerOptions};
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::bench::{Bench, Listener, by, eventually};
use crate::scripted::ScriptedReader;

const LONG: &[u8] = b"SELECT SLEEP(600), 'secret'";

const HOUR: Duration = Duration::from_hours(1);

/// A store with one instance of these nodes whose switch is on, and workers on it.
pub(crate) struct Killing {
    pub(crate) bench: Bench,
    pub(crate) instance: Instance,
    shutdown: CancellationToken,
    workers: Vec<JoinHandle<()>>,
}

impl Killing {
    pub(crate) async fn new(urls: &[String]) -> Self {
        let bench = Bench::new(&["unused.example"], Settings::default(), ScriptedReader::new([])).await;
        let role = |at| if at == 0 { NodeRole::Master } else { NodeRole::Slave };
        let node =
            |(at, url): (usize, &String)| NewNode { zone: None, id: None, role: role(at), url: url.parse().unwrap() };
        let new = NewInstance {
            id: None,
            project_id: bench.instance.project_id.clone(),
            name: "watched".into(),
            enterprise_project_id: "0".into(),
            tags: vec![],
            nodes: urls.iter().enumerate().map(node).collect(),
        };
        let instance = bench.store.add_instance(&by(), new).await.unwrap();
        assert!(bench.store.set_kill_switch(&by(), &instance.project_id, &instance.id, true).await.unwrap());
        Self { bench, instance, shutdown: CancellationToken::new(), workers: Vec::new() }
    }

    pub(crate) fn work(&mut self) {
        self.work_with(&Settings::default());
    }

    fn work_with(&mut self, settings: &Settings) {
        let store = self.bench.store.clone();
        let kills = Kills::new(store.clone(), ProtectedAccounts::default());
        let tasks = KillTasks::new(store, kills, settings, Arc::new(Listener::default()));
        self.workers.push(tokio::spawn(tasks.run(self.shutdown.clone())));
    }

    pub(crate) async fn add(&self, criteria: KillCriteria) -> String {
        let task = NewKillTask { criteria, masked: false, duration: None, audit_detail: Value::Null };
        let (project, instance) = (&self.instance.project_id, &self.instance.id);
        self.bench.store.add_kill_task(&by(), project, instance, &task).await.unwrap().unwrap().to_string()
    }

    async fn stop(&self, task: &str) {
        let (project, instance) = (&self.instance.project_id, &self.instance.id);
        let id = task.parse().unwrap();
        assert!(self.bench.store.stop_kill_task(&by(), project, instance, id).await.unwrap());
    }

    /// The kills, the newest first.
    pub(crate) async fn kills(&self) -> Vec<KilledSession> {
        let filter = KillFilter::of_instance(self.instance.id.clone());
        self.bench.store.killed_sessions(&filter, Page { offset: 0, limit: 100 }).await.unwrap().0
    }

    /// The kill of a session, once it has ended.
    pub(crate) async fn death_of(&self, session: &RawSession) -> KilledSession {
        eventually("the end of a session", async || {
            let kills = self.kills().await;
            kills.into_iter().find(|kill| kill.session_id == session.id && kill.outcome.is_some())
        })
        .await
    }

    pub(crate) async fn end(self) {
        self.shutdown.cancel();
        for worker in self.workers {
            worker.await.unwrap();
        }
    }
}

pub(crate) fn of_user(user: &str) -> KillCriteria {
    KillCriteria { user: Some(user.into()), ..KillCriteria::after(1) }
}

pub(crate) async fn start(flavor: Flavor) -> Server {
    let server = Server::start(flavor, &ServerOptions::default()).await.unwrap();
    server.run(&["CREATE USER app@'%'", "CREATE USER batch@'%'", "CREATE USER rdsadmin@'%'"]).await.unwrap();
    server
}

pub(crate) async fn busy(server: &Server, user: &str) -> RawSession {
    let address = SocketAddr::from(([127, 0, 0, 1], server.port()));
    let mut session = RawSession::open(address, user, None, Charset::Utf8mb4).await.unwrap();
    session.begin(LONG).await.unwrap();
    session
}

pub(crate) async fn lives(server: &Server, session: &RawSession) -> bool {
    let node = server.url().parse().unwrap();
    !find_sessions(&node, &[session.id], &Limits::default()).await.unwrap().sessions.is_empty()
}

async fn tasks_kill_whom_they_mean(flavor: Flavor) {
    let server = start(flavor).await;
    let mut killing = Killing::new(&[server.url()]).await;
    let (victim, other, protected) =
        (busy(&server, "app").await, busy(&server, "batch").await, busy(&server, "rdsadmin").await);
    let first = killing.add(of_user("app")).await;
    // Two, as if another process had the same store: every victim is killed once.
    killing.work();
    killing.work();
    let death = killing.death_of(&victim).await;
    assert_eq!((death.outcome, death.source), (Some(KillEnd::Killed), KillSource::Task));
    assert_eq!((death.task_id.as_deref(), death.kind.as_str()), (Some(first.as_str()), "connection"));
    assert_eq!((death.user.as_str(), death.template.as_deref()), ("app", Some("SELECT SLEEP(?), ?")));
    assert!(death.seconds >= 1 && death.reason.contains(&first), "{death:?}");
    assert!(!lives(&server, &victim).await);

    // A later round kills who came later, and nobody else.
    let later = busy(&server, "app").await;
    killing.death_of(&later).await;
    assert_eq!(killing.kills().await.len(), 2, "{:?}", killing.kills().await);
    assert!(lives(&server, &other).await && lives(&server, &protected).await);

    // Who is stopped kills no more, though another task does.
    killing.stop(&first).await;
    let spared = busy(&server, "app").await;
    let second = killing.add(of_user("batch")).await;
    assert_eq!(killing.death_of(&other).await.task_id, Some(second));
    let again = busy(&server, "batch").await;
    killing.death_of(&again).await;
    assert!(lives(&server, &spared).await);

    // Everybody is everybody but those that must live.
    killing.add(KillCriteria::after(1)).await;
    killing.death_of(&spared).await;
    assert!(lives(&server, &protected).await);
    let mut ids: Vec<u64> = killing.kills().await.iter().map(|kill| kill.session_id).collect();
    ids.sort_unstable();
    let mut expected = [victim.id, later.id, other.id, again.id, spared.id];
    expected.sort_unstable();
    assert_eq!(ids, expected, "each is killed and written down once");
    killing.end().await;
}

#[tokio::test]
async fn tasks_kill_whom_they_mean_on_a_mariadb_server() {
    tasks_kill_whom_they_mean(Flavor::MariaDb).await;
}

#[tokio::test]
async fn tasks_kill_whom_they_mean_on_a_mysql_server() {
    tasks_kill_whom_they_mean(Flavor::MySql).await;
}

#[tokio::test]
async fn a_hung_node_delays_no_other_server() {
    let server = start(Flavor::MariaDb).await;
    let options = FakeOptions { sessions: 1, transactions: 0, fault: Fault::Mute };
    let hung = FakeServer::start(options).await.unwrap();
    let mut killing = Killing::new(&[hung.url(), server.url()]).await;
    killing.add(of_user("app")).await;
    // The hung node holds its own round for an hour; three victims in a row need three rounds of the other.
    let limits = Limits { node: HOUR, connect: HOUR, ..Limits::default() };
    killing.work_with(&Settings { lease: HOUR, limits, ..Settings::default() });
    for _ in 0..3 {
        let victim = busy(&server, "app").await;
        assert_eq!(killing.death_of(&victim).await.node_id, killing.instance.nodes[1].id);
    }
    killing.end().await;
}

#[tokio::test]
async fn who_cannot_be_killed_is_written_down_once_and_left_alone_on_a_server() {
    let server = start(Flavor::MySql).await;
    server.run(&["CREATE USER watcher@'%'", "GRANT PROCESS ON *.* TO watcher@'%'"]).await.unwrap();
    server.run(&["GRANT SELECT ON performance_schema.* TO watcher@'%'"]).await.unwrap();
    let mut killing = Killing::new(&[server.url_for("watcher", "")]).await;
    let victim = busy(&server, "app").await;
    killing.add(of_user("app")).await;
    killing.work();
    let denied = killing.death_of(&victim).await;
    assert_eq!(denied.outcome, Some(KillEnd::Failed));
    assert!(denied.detail.as_deref().unwrap().contains("GRANT CONNECTION_ADMIN"), "{denied:?}");
    // Rounds go on: others are tried.
    for _ in 0..2 {
        let next = busy(&server, "app").await;
        killing.death_of(&next).await;
    }
    assert_eq!(killing.kills().await.len(), 3);
    assert!(lives(&server, &victim).await);
    killing.end().await;
}

/// A session of `app` that runs a statement in the schema `shop`.
async fn changing(server: &Server, statement: &str) -> RawSession {
    let address = SocketAddr::from(([127, 0, 0, 1], server.port()));
    let mut session = RawSession::open(address, "app", Some("shop"), Charset::Utf8mb4).await.unwrap();
    session.begin(statement.as_bytes()).await.unwrap();
    session
}

async fn unsafe_victims_are_spared_unless_the_task_opts_in(flavor: Flavor) {
    let server = start(flavor).await;
    server
        .run(&[
            "CREATE DATABASE shop",
            "CREATE TABLE shop.log (id INT PRIMARY KEY, v INT) ENGINE = MyISAM",
            "CREATE TABLE shop.orders (id INT PRIMARY KEY, v INT) ENGINE = InnoDB",
            "GRANT ALL ON shop.* TO app@'%', batch@'%'",
        ])
        .await
        .unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], server.port()));
    let mut holder = RawSession::open(address, "batch", Some("shop"), Charset::Utf8mb4).await.unwrap();
    holder.run("LOCK TABLES log READ, orders READ").await.unwrap();
    let mut killing = Killing::new(&[server.url()]).await;
    let repair = changing(&server, "REPAIR TABLE log").await;
    let update = changing(&server, "UPDATE log SET v = 1").await;
    let transactional = changing(&server, "UPDATE orders SET v = 1").await;
    let cautious = killing.add(of_user("app")).await;
    killing.work();
    for (session, evidence) in
        [(&repair, "REPAIR TABLE runs on shop.log (MyISAM)"), (&update, "UPDATE changes shop.log (MyISAM)")]
    {
        let spared = killing.death_of(session).await;
        assert_eq!(spared.outcome, Some(KillEnd::Refused), "{flavor}: {spared:?}");
        assert!(spared.detail.as_deref().unwrap().contains(evidence), "{flavor}: {spared:?}");
    }
    assert_eq!(killing.death_of(&transactional).await.outcome, Some(KillEnd::Killed), "{flavor}");
    // Further rounds leave both alone, and write nothing down again.
    let later = busy(&server, "app").await;
    killing.death_of(&later).await;
    assert_eq!(killing.kills().await.len(), 4, "{flavor}: {:?}", killing.kills().await);
    assert!(lives(&server, &repair).await && lives(&server, &update).await, "{flavor}");
    killing.stop(&cautious).await;

    // Another worker: the first one leaves the two alone for a minute.
    let mut opted_in = Killing::new(&[server.url()]).await;
    opted_in.add(KillCriteria { include_unsafe: true, ..of_user("app") }).await;
    opted_in.work();
    for session in [&repair, &update] {
        assert_eq!(opted_in.death_of(session).await.outcome, Some(KillEnd::Killed), "{flavor}");
    }
    assert!(!lives(&server, &repair).await && !lives(&server, &update).await, "{flavor}");
    killing.end().await;
    opted_in.end().await;
}

#[tokio::test]
async fn unsafe_victims_are_spared_unless_the_task_opts_in_on_a_mariadb_server() {
    unsafe_victims_are_spared_unless_the_task_opts_in(Flavor::MariaDb).await;
}

#[tokio::test]
async fn unsafe_victims_are_spared_unless_the_task_opts_in_on_a_mysql_server() {
    unsafe_victims_are_spared_unless_the_task_opts_in(Flavor::MySql).await;
}
