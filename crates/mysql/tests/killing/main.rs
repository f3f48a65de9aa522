//! Kills on real servers: only the intended victims are killed.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod batch_kills;
mod identity;
mod kill_effect;
mod lost_connection;
mod outcomes;
mod privileges;
mod protected_sessions;
mod proxies;
mod risks;
mod rollbacks;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use clew_diagnose::ProtectedAccounts;
use clew_model::{Failure, Session};
use clew_mysql::{
    ConnectionRegistry, KillOptions, KillOutcome, KillTarget, NodeConnector, ProcessListSource, Victim,
    find_sessions_by_id, kill_single_victim,
};
use clew_testkit::{ClientCharset, DatabaseServer, DatabaseServerOptions, Flavor, RawSession};
use mysql_async::OptsBuilder;
use tokio::time::sleep;

/// Marker of the tests' installation.
const INSTALLATION_MARKER: &str = "6f1ed002ab5595859014ebf0951522d9";
/// Statement that runs longer than any test.
const LONG: &str = "SELECT SLEEP(600)";

thread_local! {
    /// Connector of the test that runs on this thread.
    static CONNECTOR: NodeConnector =
        NodeConnector { registry: ConnectionRegistry::new(INSTALLATION_MARKER), ..NodeConnector::default() };
}

/// Returns the connector of the current test. All operations of a test share one connection registry.
fn connector() -> NodeConnector {
    CONNECTOR.with(Clone::clone)
}

/// Starts a server with accounts without password: `app`, `rdsadmin`, and `clew` without privileges.
async fn server(flavor: Flavor) -> DatabaseServer {
    let options = match flavor {
        Flavor::MySql => DatabaseServerOptions::default(),
        Flavor::MariaDb => DatabaseServerOptions {
            arguments: vec!["--performance-schema=ON".into()],
            ..DatabaseServerOptions::default()
        },
    };
    let server = DatabaseServer::start(flavor, &options).await.unwrap();
    server.run_statements(&["CREATE USER app@'%'", "CREATE USER rdsadmin@'%'", "CREATE USER clew@'%'"]).await.unwrap();
    server
}

async fn open_session(server: &DatabaseServer, user: &str) -> RawSession {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()));
    RawSession::open(address, user, None, ClientCharset::Utf8mb4).await.unwrap()
}

/// Opens a session that runs a statement. Also returns the listed session.
async fn busy_session(server: &DatabaseServer, user: &str, statement: &str) -> (RawSession, Session) {
    let mut raw = open_session(server, user).await;
    raw.send_statement(statement.as_bytes()).await.unwrap();
    let session = wait_until_running(server, raw.id, statement).await;
    (raw, session)
}

/// Waits until a session is listed with this statement.
async fn wait_until_running(server: &DatabaseServer, id: u64, statement: &str) -> Session {
    loop {
        if let Some(session) = find_session(server, id).await
            && session.statement.as_deref() == Some(statement.as_bytes())
        {
            return session;
        }
        sleep(Duration::from_millis(10)).await;
    }
}

/// Opens an idle session. Also returns the listed session.
async fn idle_session(server: &DatabaseServer, user: &str) -> (RawSession, Session) {
    let raw = open_session(server, user).await;
    loop {
        if let Some(session) = find_session(server, raw.id).await
            && session.command == b"Sleep"
        {
            return (raw, session);
        }
        sleep(Duration::from_millis(10)).await;
    }
}

async fn find_session(server: &DatabaseServer, id: u64) -> Option<Session> {
    find_sessions_by_id(&server.url().parse().unwrap(), &[id], &connector()).await.unwrap().sessions.pop()
}

/// Returns options of a root connection with an installation marker in a connection attribute.
fn with_installation_marker(server: &DatabaseServer, marker: &str) -> OptsBuilder {
    let options = OptsBuilder::default().ip_or_hostname("127.0.0.1").tcp_port(server.port()).user(Some("root"));
    options.prefer_socket(false).connect_attribute("clew_connection", format!("clew:{marker}.1.1"))
}

async fn try_kill(url: &str, victim: &Victim, kind: KillTarget) -> Result<KillOutcome, Failure> {
    kill_single_victim(
        &url.parse().unwrap(),
        victim,
        KillOptions::new(kind, &ProtectedAccounts::default()),
        &connector(),
    )
    .await
}

/// Kills a victim as root.
async fn kill_as_root(server: &DatabaseServer, victim: &Victim, kind: KillTarget) -> KillOutcome {
    try_kill(&server.url(), victim, kind).await.unwrap()
}

/// Returns a list read as if the server had listed its sessions now.
async fn list_read(server: &DatabaseServer) -> ProcessListSource {
    find_sessions_by_id(&server.url().parse().unwrap(), &[], &connector()).await.unwrap().read
}

async fn connection_victim(server: &DatabaseServer, session: &Session) -> Victim {
    Victim::for_session(session, &list_read(server).await)
}

/// Creates a victim as a user would choose it.
async fn victim_of_kind(server: &DatabaseServer, session: &Session, kind: KillTarget) -> Victim {
    match kind {
        KillTarget::Connection => connection_victim(server, session).await,
        KillTarget::Query => statement_victim(server, session).await,
    }
}

async fn statement_victim(server: &DatabaseServer, session: &Session) -> Victim {
    Victim::for_statement(session, &list_read(server).await)
}
