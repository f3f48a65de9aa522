//! Cluster of two servers behind one address, with application sessions of known users.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use clew_model::NodeUrl;
use clew_testkit::{
    ClientCharset, DatabaseServer, DatabaseServerOptions, Flavor, RawSession, RewriteRules, RewritingProxy,
    ServerClock, VirtualIpProxy,
};
use fastrand::Rng;
use mysql_async::Row;
use mysql_async::prelude::Queryable;
use tokio::time::{sleep, timeout};

/// Role of an application session in the test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Must never be terminated: younger than [`OLD_AGE`], regardless of the server's clock.
    Spared,
    /// Must never be terminated: a session of Clew's account with statements that Clew did not send.
    SharesClewAccount,
    /// May be terminated by the test's own kills.
    Victim,
    /// May be terminated by the kill task.
    Batch,
}

impl Role {
    pub(crate) const fn user(self) -> &'static str {
        match self {
            Self::Spared => "keep",
            Self::SharesClewAccount => CLEW,
            Self::Victim => "app",
            Self::Batch => "batch",
        }
    }
}

/// Account of Clew.
const CLEW: &str = "clew";
/// Address without a server.
const CLOSED_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);
/// Timeout until a server lists all opened sessions.
const LIST_TIMEOUT: Duration = Duration::from_mins(1);
/// Minimum age in the kill task for spared sessions: longer than the test, and shorter than the clock steps.
pub(crate) const OLD_AGE: u32 = 7200;
/// Shifts of a server's clock, in seconds.
const CLOCK_SHIFTS: [f64; 4] = [0.0, 14_400.0, -14_400.0, 86_400.0];

/// Number of sessions per server and role.
const ROLES: [(Role, usize); 4] =
    [(Role::Spared, 12), (Role::SharesClewAccount, 4), (Role::Victim, 8), (Role::Batch, 3)];

/// Identity of a session for the oracle: server, run of the server, and connection id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) server: usize,
    pub(crate) run: u32,
    pub(crate) id: u64,
}

#[derive(Debug)]
pub(crate) struct AppSession {
    pub(crate) raw: RawSession,
    pub(crate) role: Role,
    /// True if the session runs a long statement.
    runs_statement: bool,
}

impl AppSession {
    /// Returns true if the session is listed with its user, address and statement.
    fn is_listed(&self, listed: &Listed) -> bool {
        listed.get(&self.raw.id).is_some_and(|(user, host, statement)| {
            let port = format!(":{}", self.raw.address.port());
            user == self.role.user() && host.ends_with(&port) && statement.is_some() == self.runs_statement
        })
    }
}

pub(crate) struct Backend {
    server: DatabaseServer,
    clock: ServerClock,
    run: u32,
    pub(crate) sessions: Vec<AppSession>,
}

pub(crate) struct Cluster {
    pub(crate) backends: [Backend; 2],
    /// Index of the server behind the address.
    pub(crate) active: usize,
    /// False if no server is behind the address.
    reachable: bool,
    address: VirtualIpProxy,
    pub(crate) proxy: RewritingProxy,
}

/// A listed session: user, host, statement.
type Listed = HashMap<u64, (String, String, Option<String>)>;

fn loopback(server: &DatabaseServer) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, server.port()).into()
}

impl Backend {
    async fn start(flavor: Flavor) -> Self {
        let clock = ServerClock::new("UTC").unwrap();
        let server =
            DatabaseServer::start_with_settable_clock(flavor, &DatabaseServerOptions::default(), &clock).await.unwrap();
        let mut statements = vec![format!("CREATE USER {CLEW}"), format!("GRANT ALL ON *.* TO {CLEW}")];
        let others = [Role::Spared, Role::Victim, Role::Batch];
        statements.extend(others.map(|role| format!("CREATE USER {}", role.user())));
        server.run_statements(&statements.iter().map(String::as_str).collect::<Vec<_>>()).await.unwrap();
        Self { server, clock, run: 0, sessions: Vec::new() }
    }

    /// Opens the missing sessions in random order, so that equal ids belong to different users on both servers.
    async fn populate(&mut self, rng: &mut Rng) {
        let mut missing = Vec::new();
        for (role, count) in ROLES {
            let present = self.sessions.iter().filter(|session| session.role == role).count();
            missing.extend(std::iter::repeat_n(role, count.saturating_sub(present)));
        }
        rng.shuffle(&mut missing);
        for role in missing {
            let runs_statement = role == Role::Batch || rng.bool();
            self.open(role, runs_statement).await;
        }
        self.wait_until_listed().await;
    }

    async fn open(&mut self, role: Role, runs_statement: bool) {
        let mut raw = self.sign_in(role).await;
        if runs_statement {
            // Longer than the sum of all clock steps.
            raw.send_statement(b"SELECT /* clew:0123456789abcdef.1.1 */ SLEEP(10000000)").await.unwrap();
        }
        self.sessions.push(AppSession { raw, role, runs_statement });
    }

    async fn sign_in(&self, role: Role) -> RawSession {
        RawSession::open(loopback(&self.server), role.user(), None, ClientCharset::Utf8mb4).await.unwrap()
    }

    /// Connection ids of Clew's sessions.
    pub(crate) async fn clew_ids(&self) -> Vec<u64> {
        let is_own = |id: &u64| self.sessions.iter().all(|session| session.raw.id != *id);
        let listed = self.list().await.into_iter().filter(|(_, (user, ..))| user == CLEW).map(|(id, _)| id);
        listed.filter(is_own).collect()
    }

    /// Opens sessions of Clew's account up to the given connection id, unless the server has already used that id.
    pub(crate) async fn open_up_to(&mut self, id: u64) {
        // Short sessions advance the ids.
        let mut last = self.sign_in(Role::Spared).await.id;
        while last + 5 < id {
            last = self.sign_in(Role::Spared).await.id;
        }
        while self.sessions.last().is_none_or(|session| session.raw.id < id) && last < id {
            self.open(Role::SharesClewAccount, true).await;
        }
        self.wait_until_listed().await;
    }

    /// Waits until the server lists every session with its statement. The kill task may kill sessions before that.
    async fn wait_until_listed(&self) {
        // Reported if the wait times out.
        let mut unlisted = vec!["no process list has been read".to_owned()];
        let listing = async {
            loop {
                let listed = self.list().await;
                let is_killed =
                    |session: &AppSession| session.role == Role::Batch && !listed.contains_key(&session.raw.id);
                let is_unlisted = |session: &&AppSession| !session.is_listed(&listed) && !is_killed(session);
                let describe = |session: &AppSession| format!("{session:?}: {:?}", listed.get(&session.raw.id));
                unlisted = self.sessions.iter().filter(is_unlisted).map(describe).collect();
                if unlisted.is_empty() {
                    return;
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        let is_timeout = timeout(LIST_TIMEOUT, listing).await.is_err();
        assert!(!is_timeout, "sessions and their rows in the process list: {unlisted:#?}");
    }

    /// Lists the sessions without Clew.
    async fn list(&self) -> Listed {
        let mut connection = self.server.connect_as_root().await.unwrap();
        let rows: Vec<Row> = connection.query("SHOW FULL PROCESSLIST").await.unwrap();
        connection.disconnect().await.unwrap();
        let is_alive = |row: &Row| row.get::<Option<String>, _>(4).unwrap().as_deref() != Some("Killed");
        let text = |row: &Row, column: usize| row.get::<Option<String>, _>(column).unwrap();
        let listed = |row: &Row| (text(row, 1).unwrap_or_default(), text(row, 2).unwrap_or_default(), text(row, 7));
        rows.iter().filter(|row| is_alive(row)).map(|row| (row.get(0).unwrap(), listed(row))).collect()
    }

    /// Removes and returns the sessions that were terminated or whose statement was terminated.
    pub(crate) async fn take_terminated(&mut self) -> Vec<AppSession> {
        let listed = self.list().await;
        self.sessions.extract_if(.., |session| !session.is_listed(&listed)).collect()
    }
}

impl Cluster {
    pub(crate) async fn start(flavor: Flavor, rng: &mut Rng) -> Self {
        let (first, second) = tokio::join!(Backend::start(flavor), Backend::start(flavor));
        let address = VirtualIpProxy::start(loopback(&first.server)).await.unwrap();
        let proxy = RewritingProxy::start(address.address(), RewriteRules::default()).await.unwrap();
        let mut cluster = Self { backends: [first, second], active: 0, reachable: true, address, proxy };
        cluster.populate(rng).await;
        cluster
    }

    /// URL of the moving address.
    pub(crate) fn node(&self) -> NodeUrl {
        format!("mysql://{CLEW}@{}/?tls=off", self.address.address()).parse().unwrap()
    }

    /// URL of the proxy in front of the address. The proxy can hold a response.
    pub(crate) fn node_through_proxy(&self) -> NodeUrl {
        self.proxy.url(CLEW).parse().unwrap()
    }

    pub(crate) fn key(&self, server: usize, id: u64) -> Key {
        Key { server, run: self.backends[server].run, id }
    }

    pub(crate) fn run(&self, server: usize) -> u32 {
        self.backends[server].run
    }

    pub(crate) async fn populate(&mut self, rng: &mut Rng) {
        for backend in &mut self.backends {
            backend.populate(rng).await;
        }
    }

    /// Kills and restarts a server with new sessions. Their ids start at the same number as in the old run.
    pub(crate) async fn restart(&mut self, server: usize, rng: &mut Rng) {
        let backend = &mut self.backends[server];
        backend.server.process.kill().unwrap();
        backend.sessions.clear();
        backend.server.restart().await.unwrap();
        backend.run += 1;
        backend.populate(rng).await;
    }

    /// Shifts the clock of a server by hours, or back to the correct time.
    pub(crate) fn step_clock(&self, server: usize, rng: &mut Rng) {
        self.backends[server].clock.set_offset(CLOCK_SHIFTS[rng.usize(..CLOCK_SHIFTS.len())]).unwrap();
    }

    pub(crate) fn fail_over(&mut self) {
        self.active = 1 - self.active;
        self.update_address();
    }

    /// Routes the address to the active server, or to no server.
    pub(crate) fn set_reachable(&mut self, reachable: bool) {
        self.reachable = reachable;
        self.update_address();
    }

    fn update_address(&self) {
        let active = loopback(&self.backends[self.active].server);
        self.address.fail_over_to(if self.reachable { active } else { CLOSED_ADDRESS });
    }
}
