//! Kills on real servers: who was meant ends, and nobody else.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod effect;
mod identity;
mod impact;
mod lost;
mod many;
mod privileges;
mod proxies;
mod risks;
mod rollbacks;
mod survivors;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use clew_diagnose::ProtectedAccounts;
use clew_model::{Failure, Session};
use clew_mysql::{KillKind, KillOutcome, Limits, ListRead, Victim, find_sessions, kill};
use clew_testkit::{Charset, Flavor, RawSession, Server, ServerOptions};
use mysql_async::OptsBuilder;
use tokio::time::sleep;

/// Token of the installation that a test belongs to.
const TOKEN: &str = "6f1ed002ab5595859014ebf0951522d9";
/// Longer than any test.
const LONG: &str = "SELECT SLEEP(600)";

/// A server with accounts that have no password: `app`, `rdsadmin`, and `clew`, which has no privilege.
async fn server(flavor: Flavor) -> Server {
    let options = match flavor {
        Flavor::MySql => ServerOptions::default(),
        Flavor::MariaDb => {
            ServerOptions { arguments: vec!["--performance-schema=ON".into()], ..ServerOptions::default() }
        }
    };
    let server = Server::start(flavor, &options).await.unwrap();
    server.run(&["CREATE USER app@'%'", "CREATE USER rdsadmin@'%'", "CREATE USER clew@'%'"]).await.unwrap();
    server
}

async fn open(server: &Server, user: &str) -> RawSession {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()));
    RawSession::open(address, user, None, Charset::Utf8mb4).await.unwrap()
}

/// A session that runs a statement, and how the server lists it.
async fn busy(server: &Server, user: &str, statement: &str) -> (RawSession, Session) {
    let mut raw = open(server, user).await;
    raw.begin(statement.as_bytes()).await.unwrap();
    let session = runs(server, raw.id, statement).await;
    (raw, session)
}

/// Waits until a session is listed with this statement.
async fn runs(server: &Server, id: u64, statement: &str) -> Session {
    loop {
        if let Some(session) = listed(server, id).await
            && session.statement.as_deref() == Some(statement.as_bytes())
        {
            return session;
        }
        sleep(Duration::from_millis(10)).await;
    }
}

/// A session that runs nothing, and how the server lists it.
async fn idle(server: &Server, user: &str) -> (RawSession, Session) {
    let raw = open(server, user).await;
    loop {
        if let Some(session) = listed(server, raw.id).await
            && session.command == b"Sleep"
        {
            return (raw, session);
        }
        sleep(Duration::from_millis(10)).await;
    }
}

async fn listed(server: &Server, id: u64) -> Option<Session> {
    find_sessions(&server.url().parse().unwrap(), &[id], &Limits::default()).await.unwrap().sessions.pop()
}

/// Options of a connection as root that carries a token as its connection attribute.
fn with_token(server: &Server, token: &str) -> OptsBuilder {
    let options = OptsBuilder::default().ip_or_hostname("127.0.0.1").tcp_port(server.port()).user(Some("root"));
    options.prefer_socket(false).connect_attribute("clew_connection", format!("clew:{token}.1.1"))
}

async fn try_end(url: &str, victim: &Victim, kind: KillKind) -> Result<KillOutcome, Failure> {
    kill(&url.parse().unwrap(), victim, kind, &ProtectedAccounts::default(), &Limits::default()).await
}

/// As root.
async fn end(server: &Server, victim: &Victim, kind: KillKind) -> KillOutcome {
    try_end(&server.url(), victim, kind).await.unwrap()
}

/// As if the server had listed sessions now.
async fn list_read(server: &Server) -> ListRead {
    find_sessions(&server.url().parse().unwrap(), &[], &Limits::default()).await.unwrap().read
}

async fn connection_of(server: &Server, session: &Session) -> Victim {
    Victim::connection_of(session, &list_read(server).await)
}

/// As a person chooses it.
async fn chosen(server: &Server, session: &Session, kind: KillKind) -> Victim {
    match kind {
        KillKind::Connection => connection_of(server, session).await,
        KillKind::Query => statement_of(server, session).await,
    }
}

async fn statement_of(server: &Server, session: &Session) -> Victim {
    Victim::statement_of(session, &list_read(server).await)
}
