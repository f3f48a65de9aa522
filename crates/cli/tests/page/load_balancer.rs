//! Load balancer between two database servers, under one address.

use std::net::{Ipv4Addr, SocketAddr};

use clew_testkit::{ClientCharset, DatabaseServer, DatabaseServerOptions, RawSession, VirtualIpProxy};
use serde_json::Value;

/// Statement of the session on the second server. The sleep is longer than the test.
const LONG_STATEMENT: &[u8] = b"SELECT SLEEP(3600)";

/// A load balancer. After the start, all connections lead to the first server.
pub(crate) struct LoadBalancer {
    address: VirtualIpProxy,
    first: SocketAddr,
    second: DatabaseServer,
    /// Session on the second server.
    session: RawSession,
}

impl LoadBalancer {
    /// Starts the second server with a session, and the load balancer.
    pub(crate) async fn start(first: &DatabaseServer) -> Self {
        let second = DatabaseServer::start(first.flavor(), &DatabaseServerOptions::default()).await.unwrap();
        second.run_statements(&["CREATE USER app@'%'"]).await.unwrap();
        let mut session = RawSession::open(address_of(&second), "app", None, ClientCharset::Utf8mb4).await.unwrap();
        session.send_statement(LONG_STATEMENT).await.unwrap();
        let first = address_of(first);
        let address = VirtualIpProxy::start(first).await.unwrap();
        Self { address, first, second, session }
    }

    /// Returns the URL of the load balancer.
    pub(crate) fn url(&self) -> String {
        self.address.url_for_account("root", "")
    }

    pub(crate) fn second_server(&self) -> &DatabaseServer {
        &self.second
    }

    /// Returns the id of the session on the second server.
    pub(crate) fn session_id(&self) -> u64 {
        self.session.id
    }

    /// Distributes new connections round-robin to `servers`, an array with the values `first` and `second`.
    pub(crate) fn replace_backends(&self, servers: &Value) {
        let names = servers.as_array().unwrap().iter();
        let backend = |name: &Value| if name == "second" { address_of(&self.second) } else { self.first };
        self.address.replace_backends(names.map(backend).collect());
    }
}

fn address_of(server: &DatabaseServer) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, server.port()).into()
}
