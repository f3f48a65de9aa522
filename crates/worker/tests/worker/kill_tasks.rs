//! Kill tasks on database servers: matching sessions are killed once, and no other session is killed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clew_diagnose::ProtectedAccounts;
use clew_model::{Instance, KillCriteria, NewInstance, NewNode, NodeRole, Pagination};
use clew_mysql::{NodeConnector, ReadLimits, find_sessions_by_id};
use clew_store::{KillFilter, KillRecord, KillSource, NewKillTask, RecordedKillOutcome};
use clew_testkit::{
    ClientCharset, DatabaseServer, DatabaseServerOptions, FakeServer, FakeServerOptions, Fault, Flavor, RawSession,
};
use clew_worker::{KillExecutor, KillTaskWorker, WorkerSettings};
use rstest::rstest;
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::harness::{Harness, RecordingObserver, test_origin, wait_for};
use crate::scripted_reader::ScriptedReader;

const LONG_STATEMENT: &[u8] = b"SELECT SLEEP(600), 'secret'";

const HOUR: Duration = Duration::from_hours(1);

/// Harness: an instance with kill tasks enabled, and workers.
pub(crate) struct KillHarness {
    pub(crate) harness: Harness,
    pub(crate) instance: Instance,
    /// Connector that the harness shares with its workers, as in one process.
    connector: NodeConnector,
    shutdown: CancellationToken,
    workers: Vec<JoinHandle<()>>,
}

impl KillHarness {
    pub(crate) async fn new(urls: &[String]) -> Self {
        let harness = Harness::new(&["unused.example"], WorkerSettings::default(), ScriptedReader::new([])).await;
        let role = |at| if at == 0 { NodeRole::Master } else { NodeRole::Slave };
        let node =
            |(at, url): (usize, &String)| NewNode { zone: None, id: None, role: role(at), url: url.parse().unwrap() };
        let new = NewInstance {
            id: None,
            project_id: harness.instance.project_id.clone(),
            name: "watched".into(),
            enterprise_project_id: "0".into(),
            tags: vec![],
            nodes: urls.iter().enumerate().map(node).collect(),
        };
        let instance = harness.store.instances().add_instance(&test_origin(), new).await.unwrap();
        assert!(
            harness
                .store
                .kill_tasks()
                .set_kill_tasks_enabled(&test_origin(), &instance.project_id, &instance.id, true)
                .await
                .unwrap()
        );
        let (connector, shutdown) = (NodeConnector::default(), CancellationToken::new());
        Self { harness, instance, connector, shutdown, workers: Vec::new() }
    }

    pub(crate) fn start_worker(&mut self) {
        let connector = self.connector.clone();
        self.start_worker_with(&WorkerSettings { connector, ..WorkerSettings::default() });
    }

    fn start_worker_with(&mut self, settings: &WorkerSettings) {
        let store = self.harness.store.clone();
        let kills = KillExecutor::new(store.clone(), ProtectedAccounts::default());
        let tasks = KillTaskWorker::new(store, kills, settings, Arc::new(RecordingObserver::default()));
        self.workers.push(tokio::spawn(tasks.run(self.shutdown.clone())));
    }

    pub(crate) async fn add_task(&self, criteria: KillCriteria) -> String {
        let task = NewKillTask { criteria, masked: false, duration: None, audit_detail: Value::Null };
        let (project, instance) = (&self.instance.project_id, &self.instance.id);
        self.harness
            .store
            .kill_tasks()
            .add_kill_task(&test_origin(), project, instance, &task)
            .await
            .unwrap()
            .unwrap()
            .to_string()
    }

    async fn stop(&self, task: &str) {
        let (project, instance) = (&self.instance.project_id, &self.instance.id);
        let id = task.parse().unwrap();
        assert!(self.harness.store.kill_tasks().stop_kill_task(&test_origin(), project, instance, id).await.unwrap());
    }

    /// Recorded kills, newest first.
    pub(crate) async fn kills(&self) -> Vec<KillRecord> {
        let filter = KillFilter::for_instance(self.instance.id.clone());
        self.harness.store.kills().list_kills(&filter, Pagination { offset: 0, limit: 100 }).await.unwrap().0
    }

    /// Waits for the outcome of the kill of a session.
    pub(crate) async fn wait_for_kill(&self, session: &RawSession) -> KillRecord {
        wait_for("the kill of a session", async || {
            let kills = self.kills().await;
            kills.into_iter().find(|kill| kill.session_id == session.id && kill.outcome.is_some())
        })
        .await
    }

    pub(crate) async fn is_listed(&self, server: &DatabaseServer, session: &RawSession) -> bool {
        let node = server.url().parse().unwrap();
        !find_sessions_by_id(&node, &[session.id], &self.connector).await.unwrap().sessions.is_empty()
    }

    pub(crate) async fn shut_down(self) {
        self.shutdown.cancel();
        for worker in self.workers {
            worker.await.unwrap();
        }
    }
}

pub(crate) fn criteria_for(user: &str) -> KillCriteria {
    KillCriteria { user: Some(user.into()), ..KillCriteria::with_min_seconds_in_state(1) }
}

pub(crate) async fn start_server(flavor: Flavor) -> DatabaseServer {
    let server = DatabaseServer::start(flavor, &DatabaseServerOptions::default()).await.unwrap();
    server.run_statements(&["CREATE USER app@'%'", "CREATE USER batch@'%'", "CREATE USER rdsadmin@'%'"]).await.unwrap();
    server
}

pub(crate) async fn start_long_statement(server: &DatabaseServer, user: &str) -> RawSession {
    let address = SocketAddr::from(([127, 0, 0, 1], server.port()));
    let mut session = RawSession::open(address, user, None, ClientCharset::Utf8mb4).await.unwrap();
    session.send_statement(LONG_STATEMENT).await.unwrap();
    session
}

#[rstest]
#[tokio::test]
async fn tasks_kill_matching_sessions_once(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let server = start_server(flavor).await;
    let mut kill_tasks = KillHarness::new(&[server.url()]).await;
    let (victim, other, protected) = (
        start_long_statement(&server, "app").await,
        start_long_statement(&server, "batch").await,
        start_long_statement(&server, "rdsadmin").await,
    );
    let first = kill_tasks.add_task(criteria_for("app")).await;
    // Two workers, like two processes on the same store: every victim is killed once.
    kill_tasks.start_worker();
    kill_tasks.start_worker();
    let kill = kill_tasks.wait_for_kill(&victim).await;
    assert_eq!((kill.outcome, kill.source), (Some(RecordedKillOutcome::Killed), KillSource::Task));
    assert_eq!((kill.task_id.as_deref(), kill.kind.as_str()), (Some(first.as_str()), "connection"));
    assert_eq!((kill.user.as_str(), kill.template.as_deref()), ("app", Some("SELECT SLEEP(?), ?")));
    assert!(kill.seconds >= 1 && kill.reason.contains(&first), "{kill:?}");
    assert!(!kill_tasks.is_listed(&server, &victim).await);

    // A later tick kills the new session only.
    let later = start_long_statement(&server, "app").await;
    kill_tasks.wait_for_kill(&later).await;
    assert_eq!(kill_tasks.kills().await.len(), 2, "{:?}", kill_tasks.kills().await);
    assert!(kill_tasks.is_listed(&server, &other).await && kill_tasks.is_listed(&server, &protected).await);

    // A stopped task kills no more sessions; other tasks do.
    kill_tasks.stop(&first).await;
    let spared = start_long_statement(&server, "app").await;
    let second = kill_tasks.add_task(criteria_for("batch")).await;
    assert_eq!(kill_tasks.wait_for_kill(&other).await.task_id, Some(second));
    let again = start_long_statement(&server, "batch").await;
    kill_tasks.wait_for_kill(&again).await;
    assert!(kill_tasks.is_listed(&server, &spared).await);

    // Protected accounts are spared even without other criteria.
    kill_tasks.add_task(KillCriteria::with_min_seconds_in_state(1)).await;
    kill_tasks.wait_for_kill(&spared).await;
    assert!(kill_tasks.is_listed(&server, &protected).await);
    let mut ids: Vec<u64> = kill_tasks.kills().await.iter().map(|kill| kill.session_id).collect();
    ids.sort_unstable();
    let mut expected = [victim.id, later.id, other.id, again.id, spared.id];
    expected.sort_unstable();
    assert_eq!(ids, expected, "killed or recorded more than once");
    kill_tasks.shut_down().await;
}

#[tokio::test]
async fn hung_node_does_not_delay_another_server() {
    let server = start_server(Flavor::MariaDb).await;
    let options = FakeServerOptions { sessions: 1, transactions: 0, fault: Fault::NoGreeting };
    let hung = FakeServer::start(options).await.unwrap();
    let mut kill_tasks = KillHarness::new(&[hung.url(), server.url()]).await;
    kill_tasks.add_task(criteria_for("app")).await;
    // The tick of the hung node takes an hour; three consecutive victims require three ticks of the other node.
    let limits = ReadLimits { read_timeout: HOUR, connect_timeout: HOUR, ..ReadLimits::default() };
    let connector = NodeConnector { limits, ..kill_tasks.connector.clone() };
    kill_tasks.start_worker_with(&WorkerSettings { lease: HOUR, connector, ..WorkerSettings::default() });
    for _ in 0..3 {
        let victim = start_long_statement(&server, "app").await;
        assert_eq!(kill_tasks.wait_for_kill(&victim).await.node_id, kill_tasks.instance.nodes[1].id);
    }
    kill_tasks.shut_down().await;
}

#[tokio::test]
async fn failed_kill_is_recorded_once_and_backed_off_on_a_server() {
    let server = start_server(Flavor::MySql).await;
    server.run_statements(&["CREATE USER watcher@'%'", "GRANT PROCESS ON *.* TO watcher@'%'"]).await.unwrap();
    server.run_statements(&["GRANT SELECT ON performance_schema.* TO watcher@'%'"]).await.unwrap();
    let mut kill_tasks = KillHarness::new(&[server.url_for_account("watcher", "")]).await;
    let victim = start_long_statement(&server, "app").await;
    kill_tasks.add_task(criteria_for("app")).await;
    kill_tasks.start_worker();
    let denied = kill_tasks.wait_for_kill(&victim).await;
    assert_eq!(denied.outcome, Some(RecordedKillOutcome::Failed));
    assert!(denied.detail.as_deref().unwrap().contains("GRANT CONNECTION_ADMIN"), "{denied:?}");
    // Ticks continue, and other victims are tried.
    for _ in 0..2 {
        let next = start_long_statement(&server, "app").await;
        kill_tasks.wait_for_kill(&next).await;
    }
    assert_eq!(kill_tasks.kills().await.len(), 3);
    assert!(kill_tasks.is_listed(&server, &victim).await);
    kill_tasks.shut_down().await;
}

/// Opens a session of `app` that runs a statement in the schema `shop`.
async fn start_in_shop(server: &DatabaseServer, statement: &str) -> RawSession {
    let address = SocketAddr::from(([127, 0, 0, 1], server.port()));
    let mut session = RawSession::open(address, "app", Some("shop"), ClientCharset::Utf8mb4).await.unwrap();
    session.send_statement(statement.as_bytes()).await.unwrap();
    session
}

#[rstest]
#[tokio::test]
async fn unsafe_victims_are_spared_unless_the_task_opts_in(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let server = start_server(flavor).await;
    server
        .run_statements(&[
            "CREATE DATABASE shop",
            "CREATE TABLE shop.log (id INT PRIMARY KEY, v INT) ENGINE = MyISAM",
            "CREATE TABLE shop.orders (id INT PRIMARY KEY, v INT) ENGINE = InnoDB",
            "GRANT ALL ON shop.* TO app@'%', batch@'%'",
        ])
        .await
        .unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], server.port()));
    let mut holder = RawSession::open(address, "batch", Some("shop"), ClientCharset::Utf8mb4).await.unwrap();
    holder.execute("LOCK TABLES log READ, orders READ").await.unwrap();
    let mut kill_tasks = KillHarness::new(&[server.url()]).await;
    let repair = start_in_shop(&server, "REPAIR TABLE log").await;
    let update = start_in_shop(&server, "UPDATE log SET v = 1").await;
    let transactional = start_in_shop(&server, "UPDATE orders SET v = 1").await;
    let cautious = kill_tasks.add_task(criteria_for("app")).await;
    kill_tasks.start_worker();
    for (session, evidence) in
        [(&repair, "REPAIR TABLE runs on shop.log (MyISAM)"), (&update, "UPDATE modifies shop.log (MyISAM)")]
    {
        let spared = kill_tasks.wait_for_kill(session).await;
        assert_eq!(spared.outcome, Some(RecordedKillOutcome::Refused), "{flavor}: {spared:?}");
        assert!(spared.detail.as_deref().unwrap().contains(evidence), "{flavor}: {spared:?}");
    }
    assert_eq!(kill_tasks.wait_for_kill(&transactional).await.outcome, Some(RecordedKillOutcome::Killed), "{flavor}");
    // Further ticks spare both sessions, and record nothing.
    let later = start_long_statement(&server, "app").await;
    kill_tasks.wait_for_kill(&later).await;
    assert_eq!(kill_tasks.kills().await.len(), 4, "{flavor}: {:?}", kill_tasks.kills().await);
    assert!(kill_tasks.is_listed(&server, &repair).await && kill_tasks.is_listed(&server, &update).await, "{flavor}");
    kill_tasks.stop(&cautious).await;

    // A second worker, because the first one backs off from both sessions for a minute.
    let mut opted_in = KillHarness::new(&[server.url()]).await;
    opted_in.add_task(KillCriteria { include_unsafe: true, ..criteria_for("app") }).await;
    opted_in.start_worker();
    for session in [&repair, &update] {
        assert_eq!(opted_in.wait_for_kill(session).await.outcome, Some(RecordedKillOutcome::Killed), "{flavor}");
    }
    assert!(!kill_tasks.is_listed(&server, &repair).await && !kill_tasks.is_listed(&server, &update).await, "{flavor}");
    kill_tasks.shut_down().await;
    opted_in.shut_down().await;
}
