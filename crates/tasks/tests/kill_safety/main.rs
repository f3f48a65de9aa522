//! Randomised test: reads, kills and kill tasks while servers crash, restart, fail over behind an address and change their clocks. Only
//! sessions that the oracle allows are terminated.
//!
//! `CLEW_KILL_SAFETY_ROUNDS` sets the number of rounds, `CLEW_KILL_SAFETY_SEED` repeats a run.

// Clippy takes only `#[test]` functions for tests, not what stands around them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]

mod world;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use clew_diagnose::ProtectedAccounts;
use clew_model::{
    AccessKeyId, FailureKind, KillCriteria, NewInstance, NewNode, NodeId, NodeRole, NodeUrl, Origin, Session,
};
use clew_mysql::{
    Errand, FoundSessions, KillKind, KillOutcome, Limits, ListRead, Victim, find_sessions, kill_all,
    read_user_sessions, settle_kills,
};
use clew_store::{FirstTenant, NewKillTask, Store};
use clew_tasks::{KillTasks, Kills, Observer, Settings};
use clew_testkit::{Effect, Flavor, Rewrite};
use fastrand::Rng;
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::world::{Key, OLD, Role, World};

/// Rounds of a run in the gate: each action with each disturbance.
const ROUNDS: usize = Action::ALL.len() * Disturbance::ALL.len();
const ROUNDS_VARIABLE: &str = "CLEW_KILL_SAFETY_ROUNDS";
const SEED_VARIABLE: &str = "CLEW_KILL_SAFETY_SEED";
/// Limit of pending kills of abandoned reads.
const SETTLED: Duration = Duration::from_secs(40);
/// Limit of the test's own reads and kills: short, since servers are down for seconds.
const LIMIT: Duration = Duration::from_secs(3);

/// What Clew does in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Kill,
    AbandonRead,
    KillTask,
}

impl Action {
    const ALL: [Self; 3] = [Self::Kill, Self::AbandonRead, Self::KillTask];
}

/// What happens to the servers in a round.
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

/// A list of sessions that may be terminated, and the server and run that it is of.
struct VictimList {
    read: ListRead,
    sessions: Vec<Session>,
    server: usize,
    run: u32,
}

#[derive(Debug, Default)]
struct Counts {
    restarts: u32,
    fail_overs: u32,
    /// Sessions of `app` that were terminated, or whose statement was.
    killed: u32,
    killed_by_task: u32,
    reads_abandoned: u32,
    /// Reads whose response was held until their server was another one or restarted, …
    servers_changed: u32,
    /// … and those of them whose id, or that of another connection of Clew, was a user's session's by then.
    ids_taken: u32,
}

struct Test {
    world: World,
    rng: Rng,
    /// Actions and disturbances of the next rounds, in random order.
    deck: Vec<(Action, Disturbance)>,
    lists: Vec<VictimList>,
    /// Sessions that may be terminated by a kill that was sent.
    allowed: HashSet<Key>,
    /// Servers that the address led to in this round: the kill task may terminate sessions there.
    exposed: [bool; 2],
    counts: Counts,
}

impl Test {
    async fn disturb(&mut self, disturbance: Disturbance) {
        let active = self.world.active;
        match disturbance {
            Disturbance::None => {}
            Disturbance::RestartActive => self.restart(active).await,
            Disturbance::RestartOther => self.restart(1 - active).await,
            Disturbance::FailOver => self.fail_over(),
            Disturbance::FailOverAndRestart => {
                self.fail_over();
                self.restart(1 - active).await;
            }
            Disturbance::ClockStep => self.world.step_clock(active, &mut self.rng),
        }
    }

    async fn restart(&mut self, server: usize) {
        self.world.restart(server, &mut self.rng).await;
        self.counts.restarts += 1;
    }

    fn fail_over(&mut self) {
        self.world.fail_over();
        self.exposed[self.world.active] = true;
        self.counts.fail_overs += 1;
    }

    /// Lists the sessions of `app`, and keeps the list for later rounds too.
    async fn list_victims(&mut self) {
        let server = self.world.active;
        let ids: Vec<u64> = self.world.backends[server].sessions.iter().map(|session| session.raw.id).collect();
        let FoundSessions { read, mut sessions } = find_sessions(&self.world.node(), &ids, &limits()).await.unwrap();
        sessions.retain(|session| session.user == Role::Victim.user().as_bytes());
        self.lists.push(VictimList { read, sessions, server, run: self.world.run(server) });
    }

    /// Kills sessions that were chosen from a list, this round's or an older one, with a disturbance between the list and the kill, or
    /// during the kill.
    async fn kill(&mut self, disturbance: Disturbance) {
        self.list_victims().await;
        let at = if self.rng.u8(..3) == 0 { self.rng.usize(..self.lists.len()) } else { self.lists.len() - 1 };
        let list = &self.lists[at];
        let (server, run) = (list.server, list.run);
        let mut chosen = list.sessions.clone();
        self.rng.shuffle(&mut chosen);
        chosen.truncate(1 + self.rng.usize(..3));
        let kind = if self.rng.u8(..5) == 0 { KillKind::Query } else { KillKind::Connection };
        let victims: Vec<Victim> = chosen
            .iter()
            .map(|session| match kind {
                KillKind::Connection => Victim::connection_of(session, &self.lists[at].read),
                KillKind::Query => Victim::statement_of(session, &self.lists[at].read),
            })
            .collect();
        self.allowed.extend(victims.iter().map(|victim| Key { server, run, id: victim.id }));
        let node = self.world.node();
        if self.rng.bool() {
            self.disturb(disturbance).await;
            let outcomes = kill_all(&node, &victims, kind, &ProtectedAccounts::default(), &limits()).await;
            self.check_outcomes(&victims, outcomes.unwrap(), kind, (server, run));
        } else {
            // Fails where the server crashes or the connection is cut, and sends nothing, or what the oracle allows.
            let killing = tokio::spawn(async move {
                let protected = ProtectedAccounts::default();
                kill_all(&node, &victims, kind, &protected, &limits()).await.is_ok()
            });
            sleep(Duration::from_millis(self.rng.u64(..20))).await;
            self.disturb(disturbance).await;
            killing.await.unwrap();
        }
    }

    /// Where the kill reaches the server of the list, whoever is still there is killed; elsewhere nobody.
    fn check_outcomes(
        &mut self,
        victims: &[Victim],
        outcomes: Vec<(u64, KillOutcome)>,
        kind: KillKind,
        listed: (usize, u32),
    ) {
        let active = self.world.active;
        let reaches_server = listed == (active, self.world.run(active));
        for (victim, (id, outcome)) in victims.iter().zip(outcomes) {
            assert_eq!(victim.id, id);
            let killed = outcome.was_taken();
            assert!(!killed || reaches_server, "{victim:?} was killed on another server or run: {outcome:?}");
            let session = self.world.backends[self.world.active].sessions.iter().find(|session| session.raw.id == id);
            let must = reaches_server
                && kind == KillKind::Connection
                && session.is_some_and(|session| {
                    victim.host.ends_with(format!(":{}", session.raw.address.port()).as_bytes())
                });
            assert!(killed || !must, "{victim:?} was not killed: {outcome:?}");
            if matches!(outcome, KillOutcome::Refused(_)) {
                self.allowed.remove(&Key { server: listed.0, run: listed.1, id });
            }
        }
    }

    /// Abandons a read at a random moment, or while its response is held, and disturbs the server before the read's own kill.
    async fn abandon_read(&mut self, disturbance: Disturbance) {
        self.counts.reads_abandoned += 1;
        if self.rng.bool() {
            let node = self.world.node();
            let limit = Duration::from_micros(self.rng.u64(..20_000));
            let _ = timeout(limit, read_user_sessions(&node, Errand::Reading, &limits())).await;
            self.disturb(disturbance).await;
        } else {
            let node = self.world.node_through_proxy();
            let held = Rewrite { effect: Some(("PROCESSLIST", Effect::HoldResponse)), ..Rewrite::default() };
            self.world.proxy.set(held);
            let reading =
                tokio::spawn(async move { read_user_sessions(&node, Errand::Reading, &limits()).await.is_ok() });
            self.world.proxy.held().await;
            self.world.proxy.set(Rewrite::default());
            let before = (self.world.active, self.world.run(self.world.active));
            let ids = self.world.backends[before.0].clew_ids().await;
            self.world.set_reachable(false);
            self.disturb(disturbance).await;
            let active = self.world.active;
            if (active, self.world.run(active)) != before {
                self.take_ids(active, &ids).await;
            }
            self.world.set_reachable(true);
            // It fails at its limit.
            reading.await.unwrap();
        }
    }

    /// Gives ids of Clew's sessions on another server, or before a restart, to sessions of this one, of the same account.
    async fn take_ids(&mut self, server: usize, ids: &[u64]) {
        let backend = &mut self.world.backends[server];
        if let Some(last) = ids.iter().max() {
            backend.open_up_to(*last).await;
        }
        let is_taken = |id: &&u64| backend.sessions.iter().any(|session| session.raw.id == **id);
        self.counts.ids_taken += u32::from(ids.iter().any(|id| is_taken(&id)));
        self.counts.servers_changed += 1;
    }

    /// Lets the kill task work while the servers are disturbed; undisturbed, until it has killed.
    async fn wait_for_task(&mut self, disturbance: Disturbance) {
        sleep(Duration::from_millis(self.rng.u64(..1500))).await;
        self.disturb(disturbance).await;
        sleep(Duration::from_millis(1000 + self.rng.u64(..1500))).await;
    }

    /// Every session that is gone was allowed to be terminated.
    async fn check_sessions(&mut self, context: &str) {
        settle_kills(SETTLED).await;
        for server in 0..self.world.backends.len() {
            for session in self.world.backends[server].take_terminated().await {
                let key = self.world.key(server, session.raw.id);
                let is_allowed = match session.role {
                    Role::Spared | Role::OfClewsAccount => false,
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
        self.exposed[self.world.active] = true;
        if self.deck.is_empty() {
            let with_each = |action| Disturbance::ALL.map(|disturbance| (action, disturbance));
            self.deck = Action::ALL.into_iter().flat_map(with_each).collect();
            self.rng.shuffle(&mut self.deck);
        }
        let (action, disturbance) = self.deck.pop().unwrap();
        let context = format!("seed {seed}, round {number}, {action:?}, {disturbance:?}");
        match action {
            Action::Kill => self.kill(disturbance).await,
            Action::AbandonRead => self.abandon_read(disturbance).await,
            Action::KillTask => self.wait_for_task(disturbance).await,
        }
        self.check_sessions(&context).await;
        self.world.populate(&mut self.rng).await;
        println!("{context}: {:?}", self.counts);
    }
}

fn limits() -> Limits {
    Limits { node: LIMIT, connect: LIMIT, ..Limits::default() }
}

struct Silent;

impl Observer for Silent {
    fn collected(&self, _rows: u64, _seconds: f64) {}
    fn failed(&self, _kind: FailureKind) {}
    fn looks_every(&self, _node: &NodeId, _interval: Option<Duration>) {}
}

/// A worker with two kill tasks: one for sessions of `batch` that run for a second or more, one for spared sessions that would be old.
struct TaskWorker {
    _folder: TempDir,
    shutdown: CancellationToken,
    running: JoinHandle<()>,
}

impl TaskWorker {
    async fn start(node: NodeUrl) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let by = Origin::local("test");
        let tenant = FirstTenant {
            region: "eu-test-1".into(),
            domain_name: "acme".into(),
            user_name: "admin".into(),
            password_hash: "$argon2id$unused".into(),
            access_key: AccessKeyId::generate(),
            secret_key: "unused".into(),
        };
        let (store, founded) = Store::initialise(&by, folder.path().join("data"), tenant).await.unwrap();
        let instance = NewInstance {
            id: None,
            project_id: founded.project_id.clone(),
            name: "watched".into(),
            enterprise_project_id: "0".into(),
            tags: vec![],
            nodes: vec![NewNode { zone: None, id: None, role: NodeRole::Master, url: node }],
        };
        let instance = store.add_instance(&by, instance).await.unwrap();
        assert!(store.set_kill_switch(&by, &founded.project_id, &instance.id, true).await.unwrap());
        for (role, seconds) in [(Role::Batch, 1), (Role::Spared, OLD)] {
            let criteria = KillCriteria { user: Some(role.user().into()), ..KillCriteria::after(seconds) };
            let task = NewKillTask { criteria, masked: false, duration: None, audit_detail: Value::Null };
            store.add_kill_task(&by, &founded.project_id, &instance.id, &task).await.unwrap().unwrap();
        }
        let kills = Kills::new(store.clone(), ProtectedAccounts::default());
        let tasks = KillTasks::new(store, kills, &Settings::default(), Arc::new(Silent));
        let shutdown = CancellationToken::new();
        Self { _folder: folder, running: tokio::spawn(tasks.run(shutdown.clone())), shutdown }
    }
}

async fn only_allowed_sessions_are_terminated(flavor: Flavor) {
    let number = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let seed = number(SEED_VARIABLE).unwrap_or_else(|| std::process::id().into());
    let rounds = number(ROUNDS_VARIABLE).map_or(ROUNDS, |rounds| usize::try_from(rounds).unwrap());
    println!("{flavor}: {rounds} rounds, {SEED_VARIABLE}={seed}");
    let mut rng = Rng::with_seed(seed);
    let world = World::start(flavor, &mut rng).await;
    let worker = TaskWorker::start(world.node()).await;
    let mut test = Test {
        world,
        rng,
        deck: Vec::new(),
        lists: Vec::new(),
        allowed: HashSet::new(),
        exposed: [true; 2],
        counts: Counts::default(),
    };
    for round in 0..rounds {
        test.round(round, seed).await;
    }
    // Undisturbed, a kill and the task reach whom they mean: the rounds before did not pass because nothing was ever killed.
    let (killed, by_task) = (test.counts.killed, test.counts.killed_by_task);
    while test.counts.killed == killed {
        test.kill(Disturbance::None).await;
        test.check_sessions("the last kill").await;
        test.world.populate(&mut test.rng).await;
    }
    while test.counts.killed_by_task == by_task {
        test.wait_for_task(Disturbance::None).await;
        test.check_sessions("the last kill of the task").await;
    }
    worker.shutdown.cancel();
    worker.running.await.unwrap();
    test.check_sessions("the end").await;
}

#[tokio::test]
async fn only_allowed_sessions_are_terminated_on_mariadb_servers() {
    only_allowed_sessions_are_terminated(Flavor::MariaDb).await;
}

#[tokio::test]
async fn only_allowed_sessions_are_terminated_on_mysql_servers() {
    only_allowed_sessions_are_terminated(Flavor::MySql).await;
}
