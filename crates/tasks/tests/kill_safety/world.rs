//! Two servers behind one address, with application sessions of known users.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use clew_model::NodeUrl;
use clew_testkit::{
    Charset, Flavor, RawSession, Rewrite, RewritingProxy, Server, ServerClock, ServerOptions, VirtualAddress,
};
use fastrand::Rng;
use mysql_async::Row;
use mysql_async::prelude::Queryable;
use tokio::time::{sleep, timeout};

/// Part of an application session in the test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Must never be terminated: younger than [`OLD`], whatever the server's clock shows.
    Spared,
    /// Must never be terminated either: of the account that Clew uses, with statements that Clew did not send.
    OfClewsAccount,
    /// May be terminated by the test's own kills.
    Victim,
    /// May be terminated by the kill task.
    Batch,
}

impl Role {
    pub(crate) const fn user(self) -> &'static str {
        match self {
            Self::Spared => "keep",
            Self::OfClewsAccount => CLEW,
            Self::Victim => "app",
            Self::Batch => "batch",
        }
    }
}

/// Account of Clew.
const CLEW: &str = "clew";
/// An address without a server.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);
/// Limit of the time until a server lists the sessions that were opened.
const LISTED: Duration = Duration::from_mins(1);
/// Age from which a kill task terminates spared sessions: longer than the test, and shorter than the steps of the clocks.
pub(crate) const OLD: u32 = 7200;
/// Shifts of a server's clock, in seconds.
const SHIFTS: [f64; 4] = [0.0, 14_400.0, -14_400.0, 86_400.0];

/// Sessions of each server: most of them must live.
const ROLES: [(Role, usize); 4] = [(Role::Spared, 12), (Role::OfClewsAccount, 4), (Role::Victim, 8), (Role::Batch, 3)];

/// A session by what the oracle identifies it by: its server, the run of the server, its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) server: usize,
    pub(crate) run: u32,
    pub(crate) id: u64,
}

pub(crate) struct AppSession {
    pub(crate) raw: RawSession,
    pub(crate) role: Role,
    /// Whether it runs a long statement.
    runs: bool,
}

impl AppSession {
    /// Whether it is listed as itself, with the statement that it runs.
    fn lives(&self, listed: &Listed) -> bool {
        listed.get(&self.raw.id).is_some_and(|(user, host, statement)| {
            let port = format!(":{}", self.raw.address.port());
            user == self.role.user() && host.ends_with(&port) && statement.is_some() == self.runs
        })
    }
}

pub(crate) struct Backend {
    server: Server,
    clock: ServerClock,
    run: u32,
    pub(crate) sessions: Vec<AppSession>,
}

pub(crate) struct World {
    pub(crate) backends: [Backend; 2],
    /// The server that the address leads to.
    pub(crate) active: usize,
    /// Whether the address leads to it, or to no server.
    reachable: bool,
    address: VirtualAddress,
    pub(crate) proxy: RewritingProxy,
}

/// A listed session: user, host, statement.
type Listed = HashMap<u64, (String, String, Option<String>)>;

fn loopback(server: &Server) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, server.port()).into()
}

impl Backend {
    async fn start(flavor: Flavor) -> Self {
        let clock = ServerClock::new("UTC").unwrap();
        let server = Server::start_with_clock(flavor, &ServerOptions::default(), &clock).await.unwrap();
        let mut statements = vec![format!("CREATE USER {CLEW}"), format!("GRANT ALL ON *.* TO {CLEW}")];
        let others = [Role::Spared, Role::Victim, Role::Batch];
        statements.extend(others.map(|role| format!("CREATE USER {}", role.user())));
        server.run(&statements.iter().map(String::as_str).collect::<Vec<_>>()).await.unwrap();
        Self { server, clock, run: 0, sessions: Vec::new() }
    }

    /// Opens the missing sessions in random order: the ids of one server mean other users than those of the other.
    async fn populate(&mut self, rng: &mut Rng) {
        let mut missing = Vec::new();
        for (role, count) in ROLES {
            let there = self.sessions.iter().filter(|session| session.role == role).count();
            missing.extend(std::iter::repeat_n(role, count.saturating_sub(there)));
        }
        rng.shuffle(&mut missing);
        for role in missing {
            let runs = role == Role::Batch || rng.bool();
            self.open(role, runs).await;
        }
        self.wait_until_listed().await;
    }

    async fn open(&mut self, role: Role, runs: bool) {
        let mut raw = self.sign_in(role).await;
        if runs {
            // Longer than all steps of the clock together.
            raw.begin(b"SELECT /* clew:0123456789abcdef.1.1 */ SLEEP(10000000)").await.unwrap();
        }
        self.sessions.push(AppSession { raw, role, runs });
    }

    async fn sign_in(&self, role: Role) -> RawSession {
        RawSession::open(loopback(&self.server), role.user(), None, Charset::Utf8mb4).await.unwrap()
    }

    /// Connection ids of Clew's sessions.
    pub(crate) async fn clew_ids(&self) -> Vec<u64> {
        let is_own = |id: &u64| self.sessions.iter().all(|session| session.raw.id != *id);
        let listed = self.list().await.into_iter().filter(|(_, (user, ..))| user == CLEW).map(|(id, _)| id);
        listed.filter(is_own).collect()
    }

    /// Opens sessions of Clew's account with ids up to this one, where the server has not given it yet.
    pub(crate) async fn open_up_to(&mut self, id: u64) {
        // Sessions that end at once advance the ids.
        let mut last = self.sign_in(Role::Spared).await.id;
        while last + 5 < id {
            last = self.sign_in(Role::Spared).await.id;
        }
        while self.sessions.last().is_none_or(|session| session.raw.id < id) && last < id {
            self.open(Role::OfClewsAccount, true).await;
        }
        self.wait_until_listed().await;
    }

    /// Waits until the server lists every session with its statement: only then can a session be missing. The kill task may be quicker.
    async fn wait_until_listed(&self) {
        let listing = async {
            loop {
                let listed = self.list().await;
                let is_killed =
                    |session: &AppSession| session.role == Role::Batch && !listed.contains_key(&session.raw.id);
                if self.sessions.iter().all(|session| session.lives(&listed) || is_killed(session)) {
                    return;
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(LISTED, listing).await.expect("all sessions are listed");
    }

    /// Lists the sessions without Clew.
    async fn list(&self) -> Listed {
        let mut connection = self.server.connect().await.unwrap();
        let rows: Vec<Row> = connection.query("SHOW FULL PROCESSLIST").await.unwrap();
        connection.disconnect().await.unwrap();
        let is_there = |row: &Row| row.get::<Option<String>, _>(4).unwrap().as_deref() != Some("Killed");
        let text = |row: &Row, column: usize| row.get::<Option<String>, _>(column).unwrap();
        let listed = |row: &Row| (text(row, 1).unwrap_or_default(), text(row, 2).unwrap_or_default(), text(row, 7));
        rows.iter().filter(|row| is_there(row)).map(|row| (row.get(0).unwrap(), listed(row))).collect()
    }

    /// Removes and returns the sessions that were terminated, or whose statement was.
    pub(crate) async fn take_terminated(&mut self) -> Vec<AppSession> {
        let listed = self.list().await;
        self.sessions.extract_if(.., |session| !session.lives(&listed)).collect()
    }
}

impl World {
    pub(crate) async fn start(flavor: Flavor, rng: &mut Rng) -> Self {
        let (first, second) = tokio::join!(Backend::start(flavor), Backend::start(flavor));
        let address = VirtualAddress::start(loopback(&first.server)).await.unwrap();
        let proxy = RewritingProxy::start(address.address(), Rewrite::default()).await.unwrap();
        let mut world = Self { backends: [first, second], active: 0, reachable: true, address, proxy };
        world.populate(rng).await;
        world
    }

    /// The address that moves.
    pub(crate) fn node(&self) -> NodeUrl {
        format!("mysql://{CLEW}@{}/?tls=off", self.address.address()).parse().unwrap()
    }

    /// The same through the proxy, which can hold a response.
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

    /// Kills a server and starts it again with new sessions, whose ids begin where those of the old run began.
    pub(crate) async fn restart(&mut self, server: usize, rng: &mut Rng) {
        let backend = &mut self.backends[server];
        backend.server.kill().unwrap();
        backend.sessions.clear();
        backend.server.restart().await.unwrap();
        backend.run += 1;
        backend.populate(rng).await;
    }

    /// Sets the clock of a server, by hours or back to the right time.
    pub(crate) fn step_clock(&self, server: usize, rng: &mut Rng) {
        self.backends[server].clock.shift(SHIFTS[rng.usize(..SHIFTS.len())]).unwrap();
    }

    pub(crate) fn fail_over(&mut self) {
        self.active = 1 - self.active;
        self.lead();
    }

    /// Lets the address lead to the active server, or to none.
    pub(crate) fn set_reachable(&mut self, reachable: bool) {
        self.reachable = reachable;
        self.lead();
    }

    fn lead(&self) {
        let active = loopback(&self.backends[self.active].server);
        self.address.fail_over_to(if self.reachable { active } else { NOWHERE });
    }
}
