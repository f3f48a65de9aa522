//! Randomized test of kill safety: only sessions that the oracle allows are terminated.
//!
//! Reads, kills and kill tasks run while servers crash, restart, fail over and change their clocks.
//!
//! `CLEW_KILL_SAFETY_ROUNDS` sets the number of rounds; `CLEW_KILL_SAFETY_SEED` repeats a run.

// Clippy takes only `#[test]` functions for tests, not their helpers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]

mod cluster;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use clew_diagnose::ProtectedAccounts;
use clew_model::{
    AccessKeyId, AuditOrigin, FailureKind, KillCriteria, NewInstance, NewNode, NodeId, NodeRole, NodeUrl, Session,
};
use clew_mysql::{
    ConnectionPurpose, ConnectionRegistry, KillOptions, KillOutcome, KillTarget, NodeConnector, ProcessListSource,
    ReadLimits, SessionLookupResult, Victim, find_sessions_by_id, kill_victims, read_client_sessions,
};
use clew_store::{InitialTenant, NewKillTask, Store};
use clew_testkit::{Flavor, PacketAction, RewriteRules};
use clew_worker::{KillExecutor, KillTaskWorker, WorkerObserver, WorkerSettings};
use fastrand::Rng;
use rstest::rstest;
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::cluster::{Cluster, Key, OLD_AGE, Role};

/// Default number of rounds: each action with each disturbance.
const DEFAULT_ROUNDS: usize = Action::ALL.len() * Disturbance::ALL.len();
const ROUNDS_VARIABLE: &str = "CLEW_KILL_SAFETY_ROUNDS";
const SEED_VARIABLE: &str = "CLEW_KILL_SAFETY_SEED";
/// Timeout of pending kills of abandoned reads.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(40);
/// Timeout of the test's own reads and kills: short, because servers are down for seconds.
const NODE_TIMEOUT: Duration = Duration::from_secs(3);

/// Action of Clew in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Kill,
    AbandonRead,
    KillTask,
}

impl Action {
    const ALL: [Self; 3] = [Self::Kill, Self::AbandonRead, Self::KillTask];
}

/// Disturbance of the servers in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Disturbance {
    None,
    RestartActive,
    RestartOther,
    FailOver,
    FailOverAndRestart,
    ClockStep,
}

impl Disturbance {
    const ALL: [Self; 6] = [
        Self::None,
        Self::RestartActive,
        Self::RestartOther,
        Self::FailOver,
        Self::FailOverAndRestart,
        Self::ClockStep,
    ];
}

/// Sessions that may be terminated, with the server and the run of their list.
struct VictimList {
    read: ProcessListSource,
    sessions: Vec<Session>,
    server: usize,
    run: u32,
}

#[derive(Debug, Default)]
struct Counts {
    restarts: u32,
    fail_overs: u32,
    /// Terminated sessions and statements of `app`.
    killed: u32,
    killed_by_task: u32,
    reads_abandoned: u32,
    /// Reads whose response was held until the active server changed or restarted.
    servers_changed: u32,
    /// Reads among them after which a user's session had the connection id of Clew's read or another connection of Clew.
    ids_reused: u32,
}

struct Test {
    cluster: Cluster,
    /// Connector with the same registry as the worker, as in one process.
    connector: NodeConnector,
    rng: Rng,
    /// Actions and disturbances of the next rounds, in random order.
    remaining_cases: Vec<(Action, Disturbance)>,
    lists: Vec<VictimList>,
    /// Sessions that a sent kill may terminate.
    allowed: HashSet<Key>,
    /// Servers that were active in this round: the kill task may terminate sessions there.
    exposed: [bool; 2],
    counts: Counts,
}

impl Test {
    async fn disturb(&mut self, disturbance: Disturbance) {
        let active = self.cluster.active;
        match disturbance {
            Disturbance::None => {}
            Disturbance::RestartActive => self.restart(active).await,
            Disturbance::RestartOther => self.restart(1 - active).await,
            Disturbance::FailOver => self.fail_over(),
            Disturbance::FailOverAndRestart => {
                self.fail_over();
                self.restart(1 - active).await;
            }
            Disturbance::ClockStep => self.cluster.step_clock(active, &mut self.rng),
        }
    }

    async fn restart(&mut self, server: usize) {
        self.cluster.restart(server, &mut self.rng).await;
        self.counts.restarts += 1;
    }

    fn fail_over(&mut self) {
        self.cluster.fail_over();
        self.exposed[self.cluster.active] = true;
        self.counts.fail_overs += 1;
    }

    /// Lists the sessions of `app`, and keeps the list for later rounds.
    async fn list_victims(&mut self) {
        let server = self.cluster.active;
        let ids: Vec<u64> = self.cluster.backends[server].sessions.iter().map(|session| session.raw.id).collect();
        let SessionLookupResult { read, mut sessions, .. } =
            find_sessions_by_id(&self.cluster.node(), &ids, &self.connector).await.unwrap();
        sessions.retain(|session| session.user == Role::Victim.user().as_bytes());
        self.lists.push(VictimList { read, sessions, server, run: self.cluster.run(server) });
    }

    /// Kills sessions of a current or older list, with a disturbance before or during the kill.
    async fn kill(&mut self, disturbance: Disturbance) {
        self.list_victims().await;
        let at = if self.rng.u8(..3) == 0 { self.rng.usize(..self.lists.len()) } else { self.lists.len() - 1 };
        let list = &self.lists[at];
        let (server, run) = (list.server, list.run);
        let mut chosen = list.sessions.clone();
        self.rng.shuffle(&mut chosen);
        chosen.truncate(1 + self.rng.usize(..3));
        let kind = if self.rng.u8(..5) == 0 { KillTarget::Query } else { KillTarget::Connection };
        let victims: Vec<Victim> = chosen
            .iter()
            .map(|session| match kind {
                KillTarget::Connection => Victim::for_session(session, &self.lists[at].read),
                KillTarget::Query => Victim::for_statement(session, &self.lists[at].read),
            })
            .collect();
        self.allowed.extend(victims.iter().map(|victim| Key { server, run, id: victim.id }));
        let node = self.cluster.node();
        if self.rng.bool() {
            self.disturb(disturbance).await;
            let outcomes =
                kill_victims(&node, &victims, KillOptions::new(kind, &ProtectedAccounts::default()), &self.connector)
                    .await;
            self.check_outcomes(&victims, outcomes.unwrap(), kind, (server, run));
        } else {
            // May fail, if the server crashes or the connection breaks. The kill then sends nothing, or what the oracle allows.
            let connector = self.connector.clone();
            let killing = tokio::spawn(async move {
                let protected = ProtectedAccounts::default();
                kill_victims(&node, &victims, KillOptions::new(kind, &protected), &connector).await.is_ok()
            });
            sleep(Duration::from_millis(self.rng.u64(..20))).await;
            self.disturb(disturbance).await;
            killing.await.unwrap();
        }
    }

    /// Checks that all remaining victims are killed if the kill reaches the server of the list, and none otherwise.
    fn check_outcomes(
        &mut self,
        victims: &[Victim],
        outcomes: Vec<(u64, KillOutcome)>,
        kind: KillTarget,
        listed: (usize, u32),
    ) {
        let active = self.cluster.active;
        let reaches_server = listed == (active, self.cluster.run(active));
        for (victim, (id, outcome)) in victims.iter().zip(outcomes) {
            assert_eq!(victim.id, id);
            let killed = outcome.was_accepted();
            assert!(!killed || reaches_server, "{victim:?} was killed on another server or run: {outcome:?}");
            let session =
                self.cluster.backends[self.cluster.active].sessions.iter().find(|session| session.raw.id == id);
            let must_be_killed = reaches_server
                && kind == KillTarget::Connection
                && session.is_some_and(|session| {
                    victim.host.ends_with(format!(":{}", session.raw.address.port()).as_bytes())
                });
            assert!(killed || !must_be_killed, "{victim:?} was not killed: {outcome:?}");
            if matches!(outcome, KillOutcome::Refused(_)) {
                self.allowed.remove(&Key { server: listed.0, run: listed.1, id });
            }
        }
    }

    /// Abandons a read at a random time or while its response is held, and disturbs the server before the read's own kill.
    async fn abandon_read(&mut self, disturbance: Disturbance) {
        self.counts.reads_abandoned += 1;
        if self.rng.bool() {
            let node = self.cluster.node();
            let limit = Duration::from_micros(self.rng.u64(..20_000));
            let _ = timeout(limit, read_client_sessions(&node, ConnectionPurpose::Reading, &self.connector)).await;
            self.disturb(disturbance).await;
        } else {
            let node = self.cluster.node_through_proxy();
            let hold_response =
                RewriteRules { effect: Some(("PROCESSLIST", PacketAction::HoldResponse)), ..RewriteRules::default() };
            self.cluster.proxy.set_rewrite_rules(hold_response);
            let connector = self.connector.clone();
            let reading = tokio::spawn(async move {
                read_client_sessions(&node, ConnectionPurpose::Reading, &connector).await.is_ok()
            });
            self.cluster.proxy.wait_until_packet_is_held().await;
            self.cluster.proxy.set_rewrite_rules(RewriteRules::default());
            let before = (self.cluster.active, self.cluster.run(self.cluster.active));
            let ids = self.cluster.backends[before.0].clew_ids().await;
            self.cluster.set_reachable(false);
            self.disturb(disturbance).await;
            let active = self.cluster.active;
            if (active, self.cluster.run(active)) != before {
                self.reuse_ids(active, &ids).await;
            }
            self.cluster.set_reachable(true);
            // The read fails with a timeout.
            reading.await.unwrap();
        }
    }

    /// Opens sessions that reuse connection ids of Clew's sessions on the other server or before a restart.
    async fn reuse_ids(&mut self, server: usize, ids: &[u64]) {
        let backend = &mut self.cluster.backends[server];
        if let Some(last) = ids.iter().max() {
            backend.open_up_to(*last).await;
        }
        let is_reused = |id: &&u64| backend.sessions.iter().any(|session| session.raw.id == **id);
        self.counts.ids_reused += u32::from(ids.iter().any(|id| is_reused(&id)));
        self.counts.servers_changed += 1;
    }

    /// Waits while the kill task runs, and disturbs the servers.
    async fn wait_for_task(&mut self, disturbance: Disturbance) {
        sleep(Duration::from_millis(self.rng.u64(..1500))).await;
        self.disturb(disturbance).await;
        sleep(Duration::from_millis(1000 + self.rng.u64(..1500))).await;
    }

    /// Checks that all terminated sessions were allowed to be terminated.
    async fn check_sessions(&mut self, context: &str) {
        self.connector.registry.wait_for_pending_kills(SETTLE_TIMEOUT).await;
        for server in 0..self.cluster.backends.len() {
            for session in self.cluster.backends[server].take_terminated().await {
                let key = self.cluster.key(server, session.raw.id);
                let is_allowed = match session.role {
                    Role::Spared | Role::SharesClewAccount => false,
                    Role::Victim => self.allowed.contains(&key),
                    Role::Batch => self.exposed[server],
                };
                assert!(is_allowed, "{key:?} of {} was terminated; {context}", session.role.user());
                self.counts.killed += u32::from(session.role == Role::Victim);
                self.counts.killed_by_task += u32::from(session.role == Role::Batch);
            }
        }
    }

    async fn round(&mut self, number: usize, seed: u64) {
        self.exposed = [false; 2];
        self.exposed[self.cluster.active] = true;
        if self.remaining_cases.is_empty() {
            let with_each = |action| Disturbance::ALL.map(|disturbance| (action, disturbance));
            self.remaining_cases = Action::ALL.into_iter().flat_map(with_each).collect();
            self.rng.shuffle(&mut self.remaining_cases);
        }
        let (action, disturbance) = self.remaining_cases.pop().unwrap();
        let context = format!("seed {seed}, round {number}, {action:?}, {disturbance:?}");
        match action {
            Action::Kill => self.kill(disturbance).await,
            Action::AbandonRead => self.abandon_read(disturbance).await,
            Action::KillTask => self.wait_for_task(disturbance).await,
        }
        self.check_sessions(&context).await;
        self.cluster.populate(&mut self.rng).await;
        println!("{context}: {:?}", self.counts);
    }
}

struct NoMetrics;

impl WorkerObserver for NoMetrics {
    fn record_collection_success(&self, _rows: u64, _seconds: f64) {}
    fn record_collection_failure(&self, _kind: FailureKind) {}
    fn record_poll_interval_change(&self, _node: &NodeId, _interval: Option<Duration>) {}
}

/// Worker with two kill tasks: for sessions of `batch` older than a second, and for old sessions of the spared account.
struct TaskWorker {
    _folder: TempDir,
    shutdown: CancellationToken,
    running: JoinHandle<()>,
}

impl TaskWorker {
    async fn start(node: NodeUrl, registry: ConnectionRegistry) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let by = AuditOrigin::for_local_account("test");
        let tenant = InitialTenant {
            region: "eu-test-1".into(),
            domain_name: "acme".into(),
            user_name: "admin".into(),
            password_hash: "$argon2id$unused".into(),
            access_key: AccessKeyId::generate(),
            secret_key: "unused".into(),
        };
        let (store, ids) = Store::initialize(&by, folder.path().join("data"), tenant).await.unwrap();
        let instance = NewInstance {
            id: None,
            project_id: ids.project_id.clone(),
            name: "watched".into(),
            enterprise_project_id: "0".into(),
            tags: vec![],
            nodes: vec![NewNode { zone: None, id: None, role: NodeRole::Master, url: node }],
        };
        let instance = store.instances().add_instance(&by, instance).await.unwrap();
        assert!(store.kill_tasks().set_kill_tasks_enabled(&by, &ids.project_id, &instance.id, true).await.unwrap());
        for (role, seconds) in [(Role::Batch, 1), (Role::Spared, OLD_AGE)] {
            let criteria =
                KillCriteria { user: Some(role.user().into()), ..KillCriteria::with_min_seconds_in_state(seconds) };
            let task = NewKillTask { criteria, masked: false, duration: None, audit_detail: Value::Null };
            store.kill_tasks().add_kill_task(&by, &ids.project_id, &instance.id, &task).await.unwrap().unwrap();
        }
        let kills = KillExecutor::new(store.clone(), ProtectedAccounts::default());
        let connector = NodeConnector { registry, ..NodeConnector::default() };
        let settings = WorkerSettings { connector, ..WorkerSettings::default() };
        let tasks = KillTaskWorker::new(store, kills, &settings, Arc::new(NoMetrics));
        let shutdown = CancellationToken::new();
        Self { _folder: folder, running: tokio::spawn(tasks.run(shutdown.clone())), shutdown }
    }
}

#[rstest]
#[tokio::test]
async fn only_allowed_sessions_are_terminated(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let number = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let seed = number(SEED_VARIABLE).unwrap_or_else(|| std::process::id().into());
    let rounds = number(ROUNDS_VARIABLE).map_or(DEFAULT_ROUNDS, |rounds| usize::try_from(rounds).unwrap());
    println!("{flavor}: {rounds} rounds, {SEED_VARIABLE}={seed}");
    let mut rng = Rng::with_seed(seed);
    let cluster = Cluster::start(flavor, &mut rng).await;
    let limits = ReadLimits { read_timeout: NODE_TIMEOUT, connect_timeout: NODE_TIMEOUT, ..ReadLimits::default() };
    let connector = NodeConnector { limits, ..NodeConnector::default() };
    let worker = TaskWorker::start(cluster.node(), connector.registry.clone()).await;
    let mut test = Test {
        cluster,
        connector,
        rng,
        remaining_cases: Vec::new(),
        lists: Vec::new(),
        allowed: HashSet::new(),
        exposed: [true; 2],
        counts: Counts::default(),
    };
    for round in 0..rounds {
        test.round(round, seed).await;
    }
    // Sessions opened before the clock was set back would stay too young for the task.
    let active = test.cluster.active;
    test.restart(active).await;
    // Without disturbances, both the kill and the task terminate sessions: the test does not pass just because nothing is killed.
    let (killed, by_task) = (test.counts.killed, test.counts.killed_by_task);
    while test.counts.killed == killed {
        test.kill(Disturbance::None).await;
        test.check_sessions("the last kill").await;
        test.cluster.populate(&mut test.rng).await;
    }
    while test.counts.killed_by_task == by_task {
        test.wait_for_task(Disturbance::None).await;
        test.check_sessions("the last kill of the task").await;
    }
    worker.shutdown.cancel();
    worker.running.await.unwrap();
    test.check_sessions("the end").await;
}
